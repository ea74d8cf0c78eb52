"""CSV tables of an archive, plain or packed, by column name; a clear error for what is missing."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chexone_ray import storage
from chexone_ray.errors import ChexoneError

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class Table:
    """One table in memory: `rows` are dicts by column name, values stripped text."""

    uri: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]

    def __iter__(self) -> Iterator[dict[str, str]]:
        return iter(self.rows)


def find(root: str, names: Sequence[str]) -> str | None:
    """The URI of the first of `names` that exists under `root`, each also tried as `name.gz`."""
    for name in names:
        for candidate in (f"{name}.gz", name):
            uri = storage.join(root, candidate)
            if storage.exists(uri):
                return uri
    return None


def require(root: str, names: Sequence[str], remedy: str) -> str:
    """As `find`, or a ChexoneError that names the file and the remedy."""
    uri = find(root, names)
    if uri is None:
        raise ChexoneError(f"{storage.join(root, names[0])}[.gz] is missing: {remedy}")
    return uri


def files_by_name(root: str, suffix: str) -> dict[str, str]:
    """File name -> URI of all files of that suffix at any depth under `root`, by one listing."""
    return {uri.rpartition("/")[2]: uri for uri in storage.list_files(root, suffix)}


def read_text(uri: str) -> str:
    """The text of a file: plain, gzip, or the one file in a zip. Raises ChexoneError where that is
    damaged."""
    data = storage.read_bytes(uri)
    if data.startswith(_GZIP_MAGIC):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise ChexoneError(f"{uri} is a damaged gzip file ({error}): fetch it again") from error
    if data.startswith(_ZIP_MAGIC):
        data = _only_file(uri, data)
    return data.decode("utf-8-sig", errors="replace")


def _only_file(uri: str, data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [i.filename for i in archive.infolist() if not i.is_dir()]
            # macOS packs its own attributes beside each file.
            names = [name for name in names if not name.startswith("__MACOSX/")]
            if len(names) != 1:
                raise ChexoneError(f"{uri} holds {len(names)} files: unpack the table beside it")
            return archive.read(names[0])
    except zipfile.BadZipFile as error:
        raise ChexoneError(f"{uri} is a damaged zip file ({error}): fetch it again") from error


def read(uri: str, required: Sequence[str], remedy: str, delimiter: str = ",") -> Table:
    """Read a CSV. Raises ChexoneError naming the file, the missing column and the remedy."""
    reader = csv.DictReader(io.StringIO(read_text(uri), newline=""), delimiter=delimiter)
    columns = tuple((name or "").strip() for name in reader.fieldnames or ())
    missing = [name for name in required if name not in columns]
    if missing:
        raise ChexoneError(f'{uri} has no column "{missing[0]}": {remedy}')
    rows = tuple(
        {
            name.strip(): (value or "").strip()  # a short row has no value for its last columns
            for name, value in row.items()
            if name is not None and not isinstance(value, list)
        }
        for row in reader
    )
    return Table(uri, columns, rows)
