"""Manifest -> samples and pixels, in the manifest's order, in this process.

Training reads the same rows through Ray Data: see `training/feed.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, overload

import numpy as np

from chexone_ray import images, storage
from chexone_ray.config import ImageConfig
from chexone_ray.data import manifest
from chexone_ray.errors import ImageError
from chexone_ray.records import Sample, sample_from_row, sample_schema

GROUPS_HELD = 64


def row_groups(uri: str, split: str) -> list[tuple[str, int]]:
    """(part URI, row group) of one split, in order."""
    return [
        (storage.join(uri, part.name), number)
        for part in manifest.load(uri).of_split(split)
        for number in range(part.row_groups)
    ]


def read_row_group(uri: str, number: int, kinds: Sequence[str] = ()) -> Any:
    """Arrow table of one row group with the columns of `sample_schema()`: the rows of those kinds
    (all for none)."""
    import pyarrow as pa

    table = _read(uri, number)
    if "topic" not in table.column_names:  # a manifest of before there were topics
        table = table.append_column("topic", pa.array([""] * len(table), pa.string()))
    table = table.cast(sample_schema())
    if kinds:
        table = table.filter(pa.compute.is_in(table["kind"], pa.array(kinds)))
    return table


def _read(uri: str, number: int, columns: list[str] | None = None) -> Any:
    import pyarrow.parquet as pq

    system, path = storage.filesystem(uri)
    with system.open_input_file(path) as file:
        return pq.ParquetFile(file).read_row_group(number, columns=columns)


def iter_samples(
    uri: str,
    split: str,
    kinds: Sequence[str] = (),
    max_per_kind: int | None = None,
) -> Iterator[Sample]:
    """Samples of one split in manifest order, at most the first `max_per_kind` of every kind.

    Memory holds one row group at a time.
    """
    counts: Counter[str] = Counter()
    for place, number in row_groups(uri, split):
        for row in read_row_group(place, number, kinds).to_pylist():
            counts[row["kind"]] += 1
            if max_per_kind is None or counts[row["kind"]] <= max_per_kind:
                yield sample_from_row(row)


def count_samples(
    uri: str,
    split: str,
    kinds: Sequence[str] = (),
    max_per_kind: int | None = None,
) -> int:
    """How many samples `iter_samples` gives; reads the column of kinds only."""
    counts: Counter[str] = Counter()
    for place, number in row_groups(uri, split):
        counts.update(_read(place, number, ["kind"])["kind"].to_pylist())
    return sum(
        count if max_per_kind is None else min(count, max_per_kind)
        for kind, count in counts.items()
        if not kinds or kind in kinds
    )


def held_out(uri: str) -> dict[str, tuple[str, str]]:
    """Id -> (split, kind) of the test and validate rows of a manifest; reads no other column."""
    found = {}
    for part in manifest.load(uri).parts:
        if part.split == "train":
            continue
        for number in range(part.row_groups):
            table = _read(storage.join(uri, part.name), number, ["id", "kind"])
            for name, kind in zip(*(table[n].to_pylist() for n in ("id", "kind")), strict=True):
                found[name] = (part.split, kind)
    return found


def read_samples(
    uri: str,
    split: str,
    kinds: Sequence[str] = (),
    max_per_kind: int | None = None,
) -> list[Sample]:
    """`iter_samples` as a list, for what fits in memory."""
    return list(iter_samples(uri, split, kinds, max_per_kind))


class Rows(Sequence[Sample]):
    """The samples of a split by their place in the manifest's order. Memory holds the places and
    `GROUPS_HELD` row groups, so a place at random costs the reading of one group."""

    def __init__(self, uri: str, split: str) -> None:
        self._groups = row_groups(uri, split)
        sizes: list[int] = []
        for place in dict.fromkeys(place for place, _ in self._groups):
            sizes += _group_sizes(place)
        self._ends = np.cumsum(sizes)
        self._read = lru_cache(maxsize=GROUPS_HELD)(self._table)

    def __len__(self) -> int:
        return int(self._ends[-1])

    @overload
    def __getitem__(self, at: int) -> Sample: ...
    @overload
    def __getitem__(self, at: slice) -> list[Sample]: ...
    def __getitem__(self, at: int | slice) -> Sample | list[Sample]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        at %= len(self)
        group = int(np.searchsorted(self._ends, at, side="right"))
        start = int(self._ends[group - 1]) if group else 0
        (row,) = self._read(group).slice(at - start, 1).to_pylist()
        return sample_from_row(row)

    def _table(self, group: int) -> Any:
        return read_row_group(*self._groups[group])


def _group_sizes(uri: str) -> list[int]:
    """Rows of each row group of a part."""
    import pyarrow.parquet as pq

    system, path = storage.filesystem(uri)
    footer = pq.read_metadata(path, filesystem=system)
    return [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]


def load_images(sample: Sample, config: ImageConfig) -> tuple[np.ndarray[Any, Any], ...]:
    """The images of one sample, in order: uint8 (H, W, 3) on the 28-pixel grid.

    Raises ImageError where one is missing or cannot be used, and another ChexoneError where storage
    does not answer.
    """
    pixels = []
    for image in sample.images:
        data = storage.read_if_there(image.uri)
        if data is None:
            raise ImageError("missing", "there is no file of this name")
        pixels.append(images.decode(data, config).pixels)
    return tuple(pixels)
