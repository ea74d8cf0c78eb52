"""Nothing outlives an engine: its child processes watch their parent, its shared memory is named.

vLLM's core runs in a child of the engine actor and keeps running when the actor is killed; what
it mapped in /dev/shm stays. Both are put right here by handle: a child ends itself when its
parent is gone, and every engine notes its shared-memory files, so that a later engine on the node
removes those of engines whose process no longer exists, and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

SHARED = Path("/dev/shm")
WATCH = "CHEXONE_ENGINE_WATCH"
POLL_S = 1.0
NOTE = "chexone-engine-{pid}-{start}.json"
FILE_PREFIX = "chexone-weights-"
OWN_PREFIXES = ("psm_", "sem.mp-", "sem.loky-", "vllm", "VLLM")
"""Python's shared memory and semaphores (joblib, once imported, names those), and vLLM's."""


def watch_parent() -> None:
    """End this process within about a second of its parent's end; only below an engine actor.

    The actor sets the variable `WATCH` to its own process id, which its children inherit.
    """
    actor = os.environ.get(WATCH)
    if not actor or int(actor) == os.getpid() or _watching.is_set():
        return
    _watching.set()
    threading.Thread(target=_watch, args=(os.getppid(),), name="watch-parent", daemon=True).start()


_watching = threading.Event()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def shared_file(folder: Path) -> Iterator[Path]:
    """A new private file whose name tells the owner's process; removed afterwards."""
    descriptor, name = tempfile.mkstemp(
        prefix=f"{FILE_PREFIX}{_identity(os.getpid())}-", dir=folder
    )
    os.close(descriptor)
    path = Path(name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def note_segments(folder: Path = SHARED) -> list[str]:
    """Note which shared-memory files this engine's processes map; returns their names.

    Call it in the engine actor once the engine is up; `forget_segments` takes the note back.
    """
    names = sorted(set().union(*(_mapped(pid, folder) for pid in _tree(os.getpid()))))
    _note(folder).write_text(json.dumps(names))
    return names


def forget_segments(folder: Path = SHARED) -> None:
    """Remove this engine's note, and what it named that is still there after a shutdown."""
    note = _note(folder)
    if note.is_file():
        _remove(note, folder)


def sweep(folder: Path = SHARED) -> int:
    """Remove what engines of this node left behind that were killed; returns the files removed."""
    removed = 0
    for note in folder.glob("chexone-engine-*.json"):
        match = re.fullmatch(r"chexone-engine-(\d+)-(\d+)\.json", note.name)
        if match and not _alive(int(match[1]), match[2]):
            removed += _remove(note, folder)
    for file in folder.glob(f"{FILE_PREFIX}*"):
        match = re.match(rf"{FILE_PREFIX}(\d+)-(\d+)-", file.name)
        if match and not _alive(int(match[1]), match[2]):
            file.unlink(missing_ok=True)
            removed += 1
    return removed


def _remove(note: Path, folder: Path) -> int:
    removed = 0
    for name in json.loads(note.read_text() or "[]"):
        target = folder / Path(name).name
        if target.is_file():
            target.unlink(missing_ok=True)
            removed += 1
    note.unlink(missing_ok=True)
    return removed


def _note(folder: Path) -> Path:
    pid, start = _identity(os.getpid()).split("-")
    return folder / NOTE.format(pid=pid, start=start)


def _identity(pid: int) -> str:
    """`pid-starttime`: a process id alone may be used again."""
    return f"{pid}-{_start_time(pid)}"


def _alive(pid: int, start: str) -> bool:
    return _start_time(pid) == start


def _start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat, or "0" where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "0"


def _tree(pid: int) -> list[int]:
    """The process and all its descendants, from /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for process in found:
        found.extend(children.get(process, []))
    return found


def _mapped(pid: int, folder: Path) -> set[str]:
    """Names of vLLM's and Python's shared-memory files in `folder` that a process maps.

    Compared by inode: a semaphore is mapped under a temporary name that is gone by then.
    """
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:
        return set()
    inodes = {int(line.split(maxsplit=5)[4]) for line in lines if f" {folder}/" in line}
    names = set()
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            if file.name.startswith(OWN_PREFIXES) and file.stat().st_ino in inodes:
                names.add(file.name)
    return names
