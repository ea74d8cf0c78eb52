"""Local copies of remote folders: whole or not at all, fetched once a node, bounded in size.

A copy is named by its URI and the names, sizes and times of its files, so it never goes stale. The
copies together keep to `DISK_SHARE` of the disk by removing those not used for longest. Where what
is in use and what comes now are more than that, it is told; what does not fit is refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
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
        with _lock(_lock_file(name), uri, "downloads the same folder"):
            if not _touch(target):
                partial = _reserve(uri, target, sum(size for _, size, _ in files))
                _fetch(uri, [file for file, _, _ in files], partial, target)
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


def _lock_file(name: str) -> Path:
    """A few locks serve the copies of all names, so that there is nothing to clean up."""
    return cache_folder() / f"lock-{int(name, 16) % NUM_LOCKS}"


def _is_held(path: Path) -> bool:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@contextmanager
def _lock(path: Path, uri: str, doing: str) -> Iterator[None]:
    """One process of the node does what is said while the others wait for it.

    The kernel frees the lock of a process that dies.
    """
    waiting = Waiting(logger, f"another process that {doing}")
    begin = time.monotonic()
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() - begin > LOCK_TIMEOUT_S:
                    raise ChexoneError(
                        f"cannot download {uri}: another process {doing} since "
                        f"{LOCK_TIMEOUT_S / 3600:.0f} h: end it, or remove {path}"
                    ) from None
                waiting.remind()
                time.sleep(POLL_S)
        yield


def _fetch(uri: str, names: list[str], partial: Path, target: Path) -> None:
    """Copy all files beside `target`, then rename: readers see all of it or nothing."""
    try:
        storage.download_files(uri, names, partial)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _reserve(uri: str, target: Path, num_bytes: int) -> Path:
    """The empty folder to download to. Its name tells other processes how much it will take."""
    partial = target.with_name(f".partial-{target.name}-{num_bytes}")
    with _lock(target.with_name("lock-room"), uri, "makes room for a download"):
        _make_room(uri, target, num_bytes)
        partial.mkdir()
    return partial


def _make_room(uri: str, target: Path, num_bytes: int) -> None:
    """Delete the copies not used for longest until `num_bytes` more keep within their share.

    Raises ChexoneError, with nothing deleted, where the disk would not hold them all the same.
    """
    folder = target.parent
    under_way, written = _under_way(target)
    copies = [c for entry in folder.iterdir() if (c := _Copy.of(entry)) is not None]
    total = sum(copy.num_bytes for copy in copies)
    free = shutil.disk_usage(folder).free
    share = DISK_SHARE * (free + total + written)
    unused = [copy for copy in copies if time.time() - copy.used >= IN_USE_S]
    most = free - (under_way - written) + sum(copy.num_bytes for copy in unused)
    if num_bytes > most:
        raise ChexoneError(
            f"cannot download {uri}: it takes {_gb(num_bytes)} and {folder} has room for "
            f"{_gb(max(most, 0))}: free some, or name a folder on a larger disk in XDG_CACHE_HOME"
        )
    for copy in sorted(unused, key=lambda c: c.used):
        if total + under_way + num_bytes <= share:
            return
        shutil.rmtree(copy.folder, ignore_errors=True)
        total -= copy.num_bytes
    if total + under_way + num_bytes > share:
        logger.warning(
            "downloads take more than their share of the disk of %s: %s come now, %s are in use "
            "or under way, the share is %s",
            folder,
            _gb(num_bytes),
            _gb(total + under_way),
            _gb(share),
        )


def _under_way(target: Path) -> tuple[int, int]:
    """The bytes that other downloads will take, and how many of them are there already.

    What a killed process left is removed: nobody holds the lock of its name, or this process does.
    """
    will_be, written = 0, 0
    own = _lock_file(target.name)
    for entry in target.parent.iterdir():
        found = re.fullmatch(r"\.partial-([0-9a-f]{24})-(\d+)", entry.name)
        if found is None:
            continue
        lock = _lock_file(found[1])
        if lock == own or not _is_held(lock):
            shutil.rmtree(entry, ignore_errors=True)
            continue
        will_be += int(found[2])
        written += _size(entry) or 0
    return will_be, written


def _gb(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:.1f} GB"


def _size(folder: Path) -> int | None:
    """None where it is being deleted or renamed by another process."""
    try:
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    except FileNotFoundError:
        return None


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
        num_bytes = _size(folder)
        try:
            return None if num_bytes is None else cls(folder, folder.stat().st_mtime, num_bytes)
        except FileNotFoundError:
            return None
