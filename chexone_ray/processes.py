"""Processes that end with the one that started them, however that one ends, and those of Ray."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RAYLET_NAME = b"RAY_RAYLET_PID="
"""Ray puts it into the environment of every worker."""

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


@dataclass(frozen=True)
class Process:
    """One process: its number, and its start, which tells it from a later one of that number."""

    pid: int
    start: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process of that number, None where there is none."""
        fields = _stat(pid)
        return None if fields is None or fields[0] == "Z" else cls(pid, fields[19])

    def is_alive(self) -> bool:
        """True while it runs."""
        return Process.of(self.pid) == self


def ray_workers() -> list[Process]:
    """The worker processes of Rays that this process has started: their raylet is our child."""
    mine = str(os.getpid())
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            names = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # gone, or somebody else's
            continue
        raylet = next((n.partition(b"=")[2] for n in names if n.startswith(RAYLET_NAME)), b"")
        parent = _stat(int(raylet)) if raylet.isdigit() else None
        process = Process.of(int(folder.name))
        if process is not None and parent is not None and parent[1] == mine:
            found.append(process)
    return found


def end(processes: Sequence[Process], grace_s: float) -> int:
    """Kill those that still run after `grace_s`; returns how many that were."""
    deadline = time.monotonic() + grace_s
    left = [process for process in processes if process.is_alive()]
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = [process for process in left if process.is_alive()]
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    return len(left)


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat behind the name: state, parent, ... (start is number 19)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()
