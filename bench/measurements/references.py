"""The Node servers that tradeclear is measured against, each a process of its own."""

import os
import re
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from measurements.tools import REFERENCES, install_references

READY_S_MAX = 10.0

_ready = re.compile(rb"ready on (http://\S+)")


@dataclass(frozen=True)
class Reference:
    """Where it listens, and its process."""

    url: str
    pid: int


@asynccontextmanager
async def reference(script: str) -> AsyncGenerator[Reference]:
    """`bench/references/SCRIPT.js`, ready; killed afterwards."""
    install_references()
    process = await trio.lowlevel.open_process(
        ["node", f"{script}.js"],
        cwd=REFERENCES,
        env={**os.environ, "NODE_ENV": "production"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        yield Reference(await _url(process, script), process.pid)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _url(process: trio.Process, script: str) -> str:
    assert process.stdout is not None
    said = b""
    with trio.fail_after(READY_S_MAX):
        while not (found := _ready.search(said)):
            more = await process.stdout.receive_some()
            if not more:
                raise RuntimeError(f"{script}.js ended before it was ready")
            said += more
    return found[1].decode()
