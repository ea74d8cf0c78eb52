"""Files inside a zip or a tar, read where they lie: `s3://bucket/pad/0.zip!/0/1234.png`.

A zip's directory, or the headers of a tar one after another, are read once a process and archive
and kept; then a member is one ranged read. `storage.py` opens the archives and takes such URIs.
"""

from __future__ import annotations

import io
import re
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chexone_ray.errors import ChexoneError, ImageError

MARK = "!/"
MAX_INDEXES = 256
"""Archives whose members a process remembers: above the parts of any release known here."""
TAR_BUFFER = 64 * 2**10
_MEMBER = re.compile(r"(.+?\.(?:zip|tar|tar\.gz|tgz|tar\.bz2|tar\.xz|7z|rar))!/(.*)", re.I | re.S)
_REPACK = "or repack it as a zip without compression (zip -0 -r)"
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_HEADER = 30
_ZIP_HEADER_GUESS = 512
"""Read along with a member: its header, of which only the directory's copy is known before."""
_IN_TAR = -1
_TAR_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Member:
    """Where a member lies: `start` is its header in a zip, its first byte in a tar."""

    start: int
    stored: int
    size: int
    method: int = _IN_TAR
    crc: int = 0
    encrypted: bool = False


Index = Mapping[str, Member]
_indexes: dict[tuple[str, int], Index] = {}
_locks: dict[str, threading.Lock] = {}


def split(uri: str) -> tuple[str, str] | None:
    """The archive and the member of a member's URI, None of any other URI."""
    found = _MEMBER.fullmatch(uri)
    if found is None:
        return None
    name = found[2]
    if not name or name != _clean(name):
        raise ChexoneError(
            f"{uri}: what follows {MARK} is a file in the archive, by its path without a leading "
            "slash or .."
        )
    return found[1], name


def refusal(archive: str) -> str:
    """Why no file of such a name can be read in place, with the remedy; empty where it can."""
    name = archive.lower()
    if name.endswith((".zip", ".tar")):
        return ""
    if name.endswith((".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")):
        return _compressed(archive)
    if name.endswith((".7z", ".rar")):
        return f"{archive} is no zip or tar: unpack it into a folder or a bucket, {_REPACK}"
    if re.search(r"\.(zip\.\d+|z\d+)$", name):
        return f"{archive} is a part of a zip file: join the parts into one (cat x.zip.0* > x.zip)"
    return f"{archive} is no zip or tar by its name: name the archives that hold the images"


def _compressed(archive: str) -> str:
    return (
        f"{archive} is compressed as a whole, so no file in it can be read alone: unpack it "
        f"(tar -xf {archive.rpartition('/')[2]}) into a folder or a bucket, {_REPACK}"
    )


def index(file: Any, archive: str) -> Index:
    """Path -> member of the files in an opened archive, read once a process; another size of the
    archive is another archive. Paths that leave the archive are not in it.

    Raises ChexoneError where the archive is damaged or of a kind that cannot be read in place.
    """
    problem = refusal(archive)
    if problem:
        raise ChexoneError(problem)
    key = (archive, int(file.size()))
    with _locks.setdefault(archive, threading.Lock()):
        known = _indexes.get(key)
        if known is None:
            while len(_indexes) >= MAX_INDEXES:
                _indexes.pop(next(iter(_indexes)), None)
            known = _indexes[key] = _read_index(file, archive)
    return known


def read(file: Any, archive: str, name: str) -> bytes:
    """One member of an opened archive. Raises FileNotFoundError where the archive lacks it,
    ImageError where this member is damaged, and ChexoneError where the archive itself is, or the
    member is encrypted or packed in a way that is not read."""
    member = index(file, archive).get(name)
    if member is None:
        raise FileNotFoundError(f"{archive} holds no {name}")
    uri = f"{archive}{MARK}{name}"
    if member.start + member.stored > file.size():
        raise _damaged_member(uri, "it ends early")
    if member.method == _IN_TAR:
        return bytes(file.read_at(member.stored, member.start))
    return _unzip(file, uri, member)


def _read_index(file: Any, archive: str) -> Index:
    walk = _zip_members if archive.lower().endswith(".zip") else _tar_members
    magic = file.read_at(min(len(_GZIP_MAGIC), file.size()), 0)
    if magic == _GZIP_MAGIC:
        raise ChexoneError(_compressed(archive))
    file.seek(0)
    try:
        return {name: member for path, member in walk(file) if (name := _clean(path))}
    except (zipfile.BadZipFile, tarfile.TarError, ValueError, NotImplementedError) as error:
        file.read_at(len(magic), 0)  # zipfile hides an outage: it shows here
        raise ChexoneError(_damage(archive, str(error))) from error


def _damaged_member(uri: str, why: str) -> ImageError:
    """One film that cannot be used, to be counted: the others may be whole."""
    return ImageError("damaged_in_archive", _damage(uri, why))


def _damage(uri: str, why: str) -> str:
    return f"{uri} is damaged ({why}): fetch the archive again"


def _clean(path: str) -> str:
    """A member's path in one spelling; empty for what is no file of the archive's own."""
    path = path.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:]
    # macOS packs its own attributes beside each file.
    outside = path.startswith(("/", "__MACOSX/")) or ".." in path.split("/")
    return "" if outside or path.endswith("/") else path


# --- zip -----------------------------------------------------------------------------------------


def _zip_members(file: Any) -> Iterator[tuple[str, Member]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            yield (
                info.filename,
                Member(
                    info.header_offset,
                    info.compress_size,
                    info.file_size,
                    info.compress_type,
                    info.CRC,
                    bool(info.flag_bits & 1),
                ),
            )


def _unzip(file: Any, uri: str, member: Member) -> bytes:
    if member.encrypted:
        raise ChexoneError(f"{uri} is encrypted: unpack the archive with its password")
    if member.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ChexoneError(
            f"{uri} is packed by method {member.method} of zip, and only stored and deflated files "
            f"are read: unpack the archive, {_REPACK}"
        )
    block = file.read_at(_ZIP_HEADER_GUESS + member.stored, member.start)
    if len(block) < _ZIP_HEADER or not block.startswith(b"PK\x03\x04"):
        raise _damaged_member(uri, "it is not where the directory says")
    begin = _ZIP_HEADER + sum(struct.unpack_from("<HH", block, _ZIP_HEADER - 4))
    data = block[begin : begin + member.stored]
    if len(data) < member.stored:
        data = file.read_at(member.stored, member.start + begin)
    if member.method == zipfile.ZIP_DEFLATED:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, member.size + 1)
        except zlib.error as error:
            raise _damaged_member(uri, str(error)) from error
    if len(data) != member.size or zlib.crc32(data) != member.crc:
        raise _damaged_member(uri, "its checksum differs")
    return bytes(data)


# --- tar -----------------------------------------------------------------------------------------


def _tar_members(file: Any) -> Iterator[tuple[str, Member]]:
    """By its headers, one after another: a tar has no directory."""
    buffered = io.BufferedReader(file, TAR_BUFFER)
    try:
        with tarfile.open(fileobj=buffered, mode="r:") as archive:
            for info in archive:
                if info.isfile() and not info.issparse():
                    yield info.name, Member(info.offset_data, info.size, info.size)
            end = archive.offset
    finally:
        buffered.detach()  # else it would close the file with itself
    # tarfile takes a damaged header for the end, which really is a block of zeros.
    last = file.read_at(_TAR_BLOCK, end) if end < file.size() else b""
    if last.strip(b"\0") or len(last) < _TAR_BLOCK:
        raise tarfile.ReadError(f"no header and no end at byte {end}")
