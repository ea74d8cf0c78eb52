"""Child processes that end with the process that started them, however that one ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

# A separate interpreter between fork and program, because `preexec_fn` may deadlock in a process
# with threads.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent has gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


def with_parent(command: Sequence[str]) -> list[str]:
    """`command` (an absolute program first) such that the kernel ends it with its starter.

    Start it from a thread that lives as long as the process is needed: the kernel goes by thread.
    """
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
