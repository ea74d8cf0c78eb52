"""Results in numbered Parquet parts, written one by one, so that a killed run goes on where it was.

A part appears whole or not at all, and its number says which input rows it holds: nothing is lost
or done twice. The folder remembers the settings that its parts were made with.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, islice
from typing import TYPE_CHECKING, Any, TypeVar

from chexone_ray import identity, storage

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
R = TypeVar("R")

PROGRESS_FILE = "progress.json"


def digest(settings: Any) -> str:
    """A short digest of JSON-able settings, equal for equal content."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class PartFolder:
    """The parts `<prefix>-00000.parquet`, ... under a URI, all made with the same settings."""

    def __init__(self, uri: str, prefix: str, settings: dict[str, Any]) -> None:
        self.uri = uri
        self._prefix = prefix
        self._settings = settings

    def is_complete(self) -> bool:
        """True where the folder is committed. Raises ChexoneError if by other settings."""
        info = storage.committed(self.uri)
        if info is not None and info.get("settings_digest") != self.settings_digest:
            names = identity.recorded_differences(self.uri, self._settings)
            raise identity.other(self.uri, "results", names)
        return info is not None

    def open(self) -> set[int]:
        """The numbers of the parts that exist. Raises ChexoneError if made with other settings; a
        run that wrote none, for a wrong address say, binds nobody to its settings."""
        pattern = re.compile(rf"{re.escape(self._prefix)}-(\d{{5}})\.parquet")
        names = (uri.rpartition("/")[2] for uri in storage.list_files(self.uri, ".parquet"))
        parts = {int(found[1]) for name in names if (found := pattern.fullmatch(name))}
        place = storage.join(self.uri, PROGRESS_FILE)
        before = storage.read_json(place) if storage.exists(place) else {}
        if before.pop("settings_digest", None) == self.settings_digest:
            return parts
        if before and parts:
            wanted = json.loads(json.dumps(self._settings, default=str))
            raise identity.other(self.uri, "results", identity.differing(before, wanted))
        storage.write_json(place, {"settings_digest": self.settings_digest, **self._settings})
        return parts

    @property
    def settings_digest(self) -> str:
        """Digest of the settings, for the commit file."""
        return digest(self._settings)

    def part_uri(self, number: int) -> str:
        """Where part `number` lies."""
        return storage.join(self.uri, f"{self._prefix}-{number:05d}.parquet")

    def write(self, number: int, table: pa.Table) -> None:
        """Write a part at once."""
        storage.write_bytes(self.part_uri(number), to_parquet(table))

    def read(self, number: int, columns: list[str] | None = None) -> pa.Table:
        """A part, or some of its columns."""
        return from_parquet(storage.read_bytes(self.part_uri(number)), columns)

    def commit(self, info: dict[str, Any]) -> None:
        """Declare the folder complete and drop the note of progress."""
        storage.commit(self.uri, {"settings_digest": self.settings_digest, **info})
        storage.delete(storage.join(self.uri, PROGRESS_FILE))


def to_parquet(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def from_parquet(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The table in the bytes of a Parquet file, or some of its columns.

    Read from memory that Arrow knows: with a Python file its threads call back into the
    interpreter, which aborts a process that ends meanwhile.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(data), columns=None if columns is None else list(columns))


def cut(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Consecutive parts of `size` items, the last one shorter."""
    return [items[i : i + size] for i in range(0, len(items), size)]


def numbered(items: Iterable[T], size: int) -> Iterator[tuple[int, tuple[T, ...]]]:
    """(number, consecutive part of `size` items), the last part shorter; one part is held."""
    source = iter(items)
    for number in count():
        part = tuple(islice(source, size))
        if not part:
            return
        yield number, part


def ahead(
    items: Iterable[T],
    work: Callable[[T], R],
    num_ahead: int = 2,
    threads: ThreadPoolExecutor | None = None,
) -> Iterator[R]:
    """`work` of each item in order, with `num_ahead` of them running in threads at a time.

    Memory holds that many results at most. The first exception ends it, without a wait for what
    the other threads do: the caller may have to end what they wait for, and gives its own
    `threads` to wait then.
    """
    running: deque[Future[R]] = deque()
    threads = threads or ThreadPoolExecutor(num_ahead, thread_name_prefix="ahead")
    try:
        for item in items:
            running.append(threads.submit(work, item))
            if len(running) == num_ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
