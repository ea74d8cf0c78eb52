"""CSV tables of an archive, plain or packed, by column name; a clear error for what is missing."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar

from chexone_ray import storage
from chexone_ray.data.sources.losses import Row, place_in
from chexone_ray.data.sources.pending import CSV_STEP
from chexone_ray.data.sources.spec import Table
from chexone_ray.errors import ChexoneError

Value = TypeVar("Value")
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
HEADER_BYTES = 64 * 2**10
"""Read for the header of a table; what is longer, or in a zip, is read whole."""


@dataclass(frozen=True)
class Rows:
    """A table in memory: its rows are by column name, values stripped text."""

    uri: str
    columns: tuple[str, ...]
    rows: tuple[Row[str], ...]

    def __iter__(self) -> Iterator[Row[str]]:
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


def first_there(places: Iterable[tuple[str, Value]], default: Value) -> Value:
    """What goes with the first URI at which there is a file: how an archive is laid out, told by
    one of its files. Single files that differ are found when they are read."""
    return next((value for uri, value in places if storage.exists(uri)), default)


def lines(uri: str | None) -> Iterator[tuple[str, str]]:
    """(place, line) of a file without its blank lines; nothing without a file."""
    for number, line in numbered_lines(uri) if uri else ():
        yield place_in(str(uri), number), line


def numbered_lines(uri: str) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, with their numbers from 1 on."""
    for number, line in enumerate(io.StringIO(read_text(uri), newline=None), start=1):
        if line.strip():
            yield number, line.rstrip("\n")


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


def rows(root: str, table: Table, remedy: str = CSV_STEP, delimiter: str = ",") -> Rows:
    """A CSV of an archive. Raises ChexoneError where it or one of its columns is missing."""
    return read(require(root, table.names, remedy), table.columns, remedy, delimiter)


def rows_if_there(root: str, table: Table, delimiter: str = ",") -> Rows:
    """As `rows`, but no rows and an empty URI without the file."""
    uri = find(root, table.names)
    return read(uri, table.columns, CSV_STEP, delimiter) if uri else Rows("", (), ())


def read(uri: str, required: Sequence[str], remedy: str, delimiter: str = ",") -> Rows:
    """Read a CSV. Raises ChexoneError naming the file, the missing column and the remedy."""
    lines = csv.reader(io.StringIO(read_text(uri), newline=""), delimiter=delimiter)
    columns = tuple(name.strip() for name in next(lines, ()))
    refuse_missing(uri, columns, required, remedy)
    return Rows(uri, columns, tuple(_rows(uri, columns, lines)))


def refuse_missing(uri: str, columns: Sequence[str], required: Sequence[str], remedy: str) -> None:
    """Raises ChexoneError naming the first required column that a table lacks."""
    for name in required:
        if name not in columns:
            raise ChexoneError(f'{uri} has no column "{name}": {remedy}')


def header(uri: str) -> tuple[str, ...]:
    """The columns of a table with commas, or with tabs where its first line has one; no more than
    the beginning is read where that is enough."""
    data = storage.read_start(uri, HEADER_BYTES)
    if data.startswith(_GZIP_MAGIC):
        try:
            data = zlib.decompressobj(_GZIP_WINDOW).decompress(data, HEADER_BYTES)
        except zlib.error as error:
            raise ChexoneError(f"{uri} is a damaged gzip file ({error}): fetch it again") from error
    text = data.decode("utf-8-sig", errors="replace")
    if data.startswith(_ZIP_MAGIC) or not re.search(r"[\r\n]", text):
        text = read_text(uri)
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return tuple(name.strip() for name in next(lines, ()))


def _rows(uri: str, columns: tuple[str, ...], lines: Any) -> Iterator[Row[str]]:
    """What `lines`, a csv.reader behind its header, still holds. A row begins at the line after the
    one where that before it ended; one with quoted line ends is as long as an editor shows it."""
    first = lines.line_num + 1
    for cells in lines:
        if cells:  # a short row has no value for its last columns
            pairs = zip_longest(columns, cells[: len(columns)], fillvalue="")
            yield Row({name: cell.strip() for name, cell in pairs}, uri, first)
        first = lines.line_num + 1
