"""URI in, URI out: the one module that opens files or object storage.

`s3://`, `gs://`, `file://` and plain paths, through pyarrow's filesystems. Every request has a
timeout and a bounded number of retries; what a user can put right is one `ChexoneError`.

A result is complete when its commit file is there: writers put it last, readers look for it.
`<uri of a zip or tar>!/<path in it>` is a file inside that archive, for reading alone.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pyarrow import fs

from chexone_ray import packed, s3
from chexone_ray.errors import ChexoneError, StorageError

if TYPE_CHECKING:
    from chexone_ray.config import Settings

logger = logging.getLogger(__name__)

COMMIT_FILE = "_COMMITTED.json"
SETTINGS_FILE = "config.json"

GCS_RETRY_S = 60.0
COPY_THREADS = 8
COPY_CHUNK = 8 * 2**20
SCHEMES = ("s3", "gs", "file")


# --- places --------------------------------------------------------------------------------------


def split(uri: str) -> tuple[str, str]:
    """`s3://b/k` -> ("s3", "b/k"); `file://` and plain paths -> ("file", absolute path)."""
    uri = os.fspath(uri)
    scheme, separator, rest = uri.partition("://")
    if not separator:
        if not uri:
            raise ChexoneError("an empty URI: give s3://bucket/folder or a path")
        if uri.partition(":")[0] in SCHEMES and ":" in uri:
            raise ChexoneError(f"{uri}: a scheme is followed by ://, as in s3://bucket/folder")
        return "file", os.path.abspath(os.path.expanduser(uri))
    if scheme == "file":
        return "file", os.path.abspath(unquote(urlsplit(uri).path) or "/")
    if scheme not in SCHEMES:
        raise ChexoneError(
            f"{uri}: scheme {scheme}:// is not known; use s3://, gs://, file:// or a path"
        )
    path = rest.strip("/")
    if not path:
        raise ChexoneError(f"{uri}: names no bucket; use {scheme}://bucket/folder")
    return scheme, path


def is_local(uri: str) -> bool:
    """True for `file://` and plain paths."""
    return split(uri)[0] == "file"


def join(uri: str, *parts: str) -> str:
    """`uri` with `parts` under it, one slash between them."""
    if uri.endswith("://"):
        raise ChexoneError(f"{uri}: names no bucket; use s3://bucket/folder")
    tail = [part.strip("/") for part in parts if part.strip("/")]
    root = next((r for r in ("/", "file:///") if uri == r), None)
    if not tail:
        return root or uri.rstrip("/")
    return "/".join([root[:-1] if root else uri.rstrip("/"), *tail])


def filesystem(uri: str) -> tuple[fs.FileSystem, str]:
    """The pyarrow filesystem of `uri` and the path in it.

    Give both to pyarrow or Ray Data, with directory creation off on object storage
    (`create_dir=False`, `try_create_dir=False`): a directory marker is an object of its own.
    """
    scheme, path = split(uri)
    if scheme == "file":
        return fs.LocalFileSystem(), path
    if scheme == "gs":
        return _gcs(), path
    return s3.filesystem(), path


@cache
def _gcs() -> fs.FileSystem:
    return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=GCS_RETRY_S))


# --- errors --------------------------------------------------------------------------------------


@contextmanager
def _explained(uri: str, action: str) -> Iterator[None]:
    """Turn what pyarrow raises into one clear error that names the URI and the remedy."""
    try:
        yield
    except OSError as error:
        raise StorageError(explain(uri, action, error)) from error


def explain(uri: str, action: str, error: OSError) -> str:
    """One line for a failed access: what, where, why and what to do.

    It names the whole URI, which may hold a patient's number: it is for errors, never for logs.
    """
    verdict = bucket_problem(uri)
    if verdict:
        return f"cannot {action} {uri}: {verdict}"
    if isinstance(error, FileNotFoundError):
        return f"cannot {action} {uri}: it does not exist; check the URI"
    if isinstance(error, PermissionError):
        return f"cannot {action} {uri}: permission denied; check the rights of this user"
    reason = " ".join(str(error).split())[:300]
    return f"cannot {action} {uri}: {reason}"


def bucket_problem(uri: str) -> str:
    """Why the bucket of an s3:// URI cannot be used, with the remedy; empty where it can, and for
    other URIs."""
    scheme, path = split(uri)
    return s3.bucket_problem(path.partition("/")[0]) if scheme == "s3" else ""


# --- bytes and JSON ------------------------------------------------------------------------------


def read_bytes(uri: str) -> bytes:
    """The whole object. Raises ChexoneError where it cannot be read."""
    inside = packed.split(uri)
    with _explained(uri, "read"):
        if inside:
            with _open_archive(inside[0]) as file:
                return packed.read(file, *inside)
        system, path = filesystem(uri)
        with system.open_input_stream(path, compression=None) as stream:
            return bytes(stream.read())


def read_start(uri: str, num_bytes: int) -> bytes:
    """The first bytes of an object. Raises ChexoneError where it cannot be read."""
    with _explained(uri, "read"):
        system, path = filesystem(uri)
        with system.open_input_stream(path, compression=None) as stream:
            return bytes(stream.read(num_bytes))


def _open_archive(uri: str) -> Any:
    system, path = filesystem(uri)
    return system.open_input_file(path)


def list_members(uri: str) -> list[str]:
    """Sorted paths of the files in a zip or tar; `<uri>!/<path>` reads one of them."""
    return sorted(_members(uri))


def _members(uri: str) -> packed.Index:
    with _explained(uri, "read"), _open_archive(uri) as file:
        return packed.index(file, uri)


def read_if_there(uri: str) -> bytes | None:
    """The whole object, or None where there is none.

    Raises ChexoneError where it is there but cannot be read, or storage does not answer: an outage
    is no missing file.
    """
    try:
        return read_bytes(uri)
    except ChexoneError:
        if exists(uri):
            raise
        return None


def write_bytes(uri: str, data: bytes) -> None:
    """Write the whole object at once: a reader sees the old one or the new one."""
    with _explained(uri, "write"):
        system, path = filesystem(uri)
        if isinstance(system, fs.LocalFileSystem):
            _write_local(Path(path), data)
            return
        with system.open_output_stream(path, compression=None) as stream:
            stream.write(data)


def _write_local(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_json(uri: str) -> Any:
    """The object parsed as JSON. Raises ChexoneError where it is absent or is no JSON."""
    try:
        return json.loads(read_bytes(uri))
    except ValueError as error:
        if isinstance(error, ChexoneError):
            raise
        raise ChexoneError(f"{uri} is not JSON ({error}): write it again") from error


def write_json(uri: str, value: Any) -> None:
    """Write `value` as indented JSON, keys in the order given; numbers that are not finite, which
    JSON does not know, as null."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(uri, f"{text}\n".encode())


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def exists(uri: str) -> bool:
    """True for an object, a file or a folder with something in it, and a file in an archive."""
    inside = packed.split(uri)
    if inside:
        return exists(inside[0]) and inside[1] in _members(inside[0])
    with _explained(uri, "look for"):
        system, path = filesystem(uri)
        return bool(system.get_file_info(path).type != fs.FileType.NotFound)


def list_files(uri: str, suffix: str = "") -> list[str]:
    """Sorted full URIs of all files under the folder `uri`, at any depth; none when absent."""
    with _explained(uri, "list"):
        return [join(uri, name) for name, _ in _listing(uri) if name.endswith(suffix)]


def _listing(uri: str) -> list[tuple[str, fs.FileInfo]]:
    """Sorted (path under `uri`, info) of the files under a folder."""
    system, path = filesystem(uri)
    selector = fs.FileSelector(path, recursive=True, allow_not_found=True)
    prefix = path.rstrip("/") + "/"
    found = [i for i in system.get_file_info(selector) if i.type == fs.FileType.File]
    if not found:
        # An absent bucket lists as an empty folder: tell the two apart, once nothing was found.
        problem = bucket_problem(uri)
        if problem:
            raise ChexoneError(f"cannot list {uri}: {problem}")
    return sorted(((i.path.removeprefix(prefix), i) for i in found), key=lambda pair: pair[0])


def delete(uri: str) -> None:
    """Remove an object or a whole folder; no error when it is absent."""
    with _explained(uri, "delete"):
        system, path = filesystem(uri)
        if split(uri)[0] == "s3":
            # pyarrow leaves a directory marker behind when it deletes; S3 itself does not.
            bucket, _, key = path.partition("/")
            if not key:
                raise ChexoneError(f"{uri} is a whole bucket: name a folder in it to delete")
            s3.delete(bucket, [f"{key}/{name}" for name, _ in _listing(uri)] or [key])
            return
        kind = system.get_file_info(path).type
        if kind == fs.FileType.Directory:
            system.delete_dir(path)
        elif kind == fs.FileType.File:
            system.delete_file(path)


# --- commit files --------------------------------------------------------------------------------


def commit(uri: str, info: dict[str, Any]) -> None:
    """Declare the folder complete: write its commit file. The last write into a folder."""
    write_json(join(uri, COMMIT_FILE), info)


def committed(uri: str) -> dict[str, Any] | None:
    """The content of the folder's commit file, or None when the folder is not complete."""
    place = join(uri, COMMIT_FILE)
    if not exists(place):
        return None
    info = read_json(place)
    if not isinstance(info, dict):
        raise ChexoneError(f"{place} is not a JSON object: delete the folder and write it again")
    return info


def record_settings(uri: str, settings: Settings) -> None:
    """Write the resolved settings of a stage to `<uri>/config.json`.

    A stage calls it once it has found nothing of other settings there.
    """
    write_json(join(uri, SETTINGS_FILE), settings.model_dump(mode="json"))


# --- folders -------------------------------------------------------------------------------------


def upload(folder: Path, uri: str) -> None:
    """Copy all files of a local folder under `uri`, a commit file last."""
    folder = Path(folder)
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    if not names:
        raise ChexoneError(f"{folder} holds no file: nothing to upload to {uri}")

    def send(name: str) -> None:
        _send(folder / name, join(uri, name))

    with _explained(uri, "upload to"):
        filesystem(uri)
        _parallel(send, [n for n in names if n != COMMIT_FILE])
        if COMMIT_FILE in names:
            send(COMMIT_FILE)


def _send(source: Path, uri: str) -> None:
    system, path = filesystem(uri)
    if isinstance(system, fs.LocalFileSystem):
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        shutil.copyfile(source, partial)
        os.replace(partial, target)
        return
    with source.open("rb") as reader, system.open_output_stream(path, compression=None) as writer:
        while chunk := reader.read(COPY_CHUNK):
            writer.write(chunk)


def _parallel(work: Callable[[str], None], names: list[str]) -> None:
    with ThreadPoolExecutor(COPY_THREADS) as pool:
        for _ in pool.map(work, names):
            pass


def describe_files(uri: str) -> list[tuple[str, int, int]]:
    """(path under `uri`, bytes, time of the last change in ns) of all files, sorted by path."""
    with _explained(uri, "list"):
        return [(name, info.size, info.mtime_ns) for name, info in _listing(uri)]


def download_files(uri: str, names: list[str], folder: Path) -> None:
    """Copy the files `names` under `uri` into a local folder; see `downloads` for cached copies."""

    def receive(name: str) -> None:
        system, path = filesystem(join(uri, name))
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        with system.open_input_stream(path, compression=None) as reader, copy.open("wb") as writer:
            while chunk := reader.read(COPY_CHUNK):
                writer.write(chunk)

    with _explained(uri, "download"):
        _parallel(receive, names)
