"""Becomes another program that is killed when its parent is gone, however that went.

`python die_with_parent.py PARENT_PID PROGRAM [ARGUMENT …]`. Only the standard library. The kernel
keeps the wish across the exec, and forgets it over a fork; so it is made here, by the child itself,
instead of between fork and exec in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Make the wish, and become the program."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone already")
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
