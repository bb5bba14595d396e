"""What is loaded before everything else (LD_PRELOAD) is written in C, and compiled on demand.

Into the user's cache directory, under a name with the checksum of its source. It needs a C
compiler, and Linux.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tradeclear.model.errors import TradeclearError

COMPILERS: Final = ("cc", "gcc", "clang")
COMPILE_S_MAX: Final = 60


class ShimUnavailable(TradeclearError):
    """A shim can't be built here; the text says what is missing."""


def library(source: Path) -> Path:
    """The library made of a C file, built if need be. Blocking. Raises `ShimUnavailable`."""
    checksum = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tradeclear"
    target = cache / f"{source.stem}-{checksum}.so"
    if not target.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ShimUnavailable(
                f"{cache}: {error.strerror}: name a writable folder in XDG_CACHE_HOME"
            ) from error
        _compile(source, target)
    return target


def _compile(source: Path, target: Path) -> None:
    """Compile under another name first, so that two processes that build at once do no harm."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise ShimUnavailable(
            f"no C compiler ({', '.join(COMPILERS)}): install one, on Debian `apt install gcc`"
        )
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, suffix=".so")
    os.close(descriptor)
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", temporary, str(source)]
    done = subprocess.run(command, capture_output=True, timeout=COMPILE_S_MAX, check=False)
    if done.returncode:
        Path(temporary).unlink()
        raise ShimUnavailable(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    Path(temporary).rename(target)
