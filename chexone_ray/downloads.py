"""Local copies of remote folders: whole or not at all, fetched once a node, bounded in size.

A copy is named by its URI and the names, sizes and times of its files, so it never goes stale. The
copies together take at most `DISK_SHARE` of the disk; those used last stay.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chexone_ray import storage
from chexone_ray.errors import ChexoneError
from chexone_ray.log import Waiting

logger = logging.getLogger(__name__)

DISK_SHARE = 0.25
"""Of the space that would be free without the copies."""
IN_USE_S = 3600.0
"""A copy that was asked for within this time stays: its reader may not have opened it yet."""
NUM_LOCKS = 64
LOCK_TIMEOUT_S = 3 * 3600.0
POLL_S = 0.2


def download(uri: str) -> Path:
    """A local copy of the folder `uri`; a local folder is returned as it is.

    Raises:
        ChexoneError: it is no folder, nothing is there, or storage does not answer.
    """
    if storage.is_local(uri):
        folder = Path(storage.split(uri)[1])
        if not folder.is_dir():
            raise ChexoneError(f"{uri} is not a folder: check the path")
        return folder
    uri = uri.rstrip("/")
    files = storage.describe_files(uri)
    if not files:
        raise ChexoneError(f"cannot download {uri}: nothing is there; check the URI")
    name = hashlib.sha256(f"{uri} {json.dumps(files)}".encode()).hexdigest()[:24]
    target = cache_folder() / name
    if not _touch(target):
        with _lock(name, uri):
            if not _touch(target):
                _make_room(target.parent, sum(size for _, size, _ in files))
                _fetch(uri, [file for file, _, _ in files], target)
                _touch(target)
    return target


def cache_folder() -> Path:
    """Per-user folder of the copies, in $XDG_CACHE_HOME, ~/.cache or the temporary one."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "chexone-ray"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"chexone-ray-{os.getuid()}"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _touch(target: Path) -> bool:
    """Mark a copy as used now; false where there is none."""
    try:
        os.utime(target)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _lock(name: str, uri: str) -> Iterator[None]:
    """One process of the node fetches a copy while the others wait for it.

    The kernel frees the lock of a process that dies. A few locks serve all names, so that there is
    nothing to clean up.
    """
    waiting = Waiting(logger, "another process that downloads the same folder")
    begin = time.monotonic()
    with (cache_folder() / f"lock-{int(name, 16) % NUM_LOCKS}").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() - begin > LOCK_TIMEOUT_S:
                    raise ChexoneError(
                        f"another process downloads {uri} since {LOCK_TIMEOUT_S / 3600:.0f} h: "
                        f"end it, or remove {file.name}"
                    ) from None
                waiting.remind()
                time.sleep(POLL_S)
        yield


def _fetch(uri: str, names: list[str], target: Path) -> None:
    """Copy all files beside `target`, then rename: readers see all of it or nothing."""
    partial = target.with_name(f".partial-{target.name}")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    try:
        storage.download_files(uri, names, partial)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _make_room(folder: Path, num_bytes: int) -> None:
    """Delete the copies not used for longest until `num_bytes` more keep within their share."""
    copies = [c for entry in folder.iterdir() if (c := _Copy.of(entry)) is not None]
    total = sum(copy.num_bytes for copy in copies)
    limit = DISK_SHARE * (shutil.disk_usage(folder).free + total) - num_bytes
    for copy in sorted(copies, key=lambda c: c.used):
        if total <= limit or time.time() - copy.used < IN_USE_S:
            return
        shutil.rmtree(copy.folder, ignore_errors=True)
        total -= copy.num_bytes


@dataclass(frozen=True)
class _Copy:
    folder: Path
    used: float
    num_bytes: int

    @classmethod
    def of(cls, folder: Path) -> _Copy | None:
        """None for what is no whole copy, or is being deleted by another process."""
        if folder.name.startswith(".") or not folder.is_dir():
            return None
        try:
            num_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            return cls(folder, folder.stat().st_mtime, num_bytes)
        except FileNotFoundError:
            return None
