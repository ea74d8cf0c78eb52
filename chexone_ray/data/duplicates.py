"""Films that are there more than once: equal files, and pictures that look the same.

One file that several data sets or studies show is one film here, in each split that it is in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chexone_ray.data.blocks import Block
from chexone_ray.films.fingerprints import SIDE

MAX_DISTANCE = 10
"""Bits in which two fingerprints of one picture differ at most."""
GROUPS = 5
"""Of 16 words, 10 bits spoil 10 at most, so 6 are equal, and of 6 in five groups two share one:
such a pair of words is a key of 32 bits that few other films have."""
MAX_RUN = 64
"""Films that share a key are compared while they are no more than these: borders are alike in
thousands. Rows next to each other are in different groups, so a border spoils few keys."""
_PAIRS_AT_ONCE = 1 << 20
COLUMNS = (
    *("first", "second", "distance", "exact"),
    *("same_patient", "first_split", "second_split"),
)


@dataclass(frozen=True)
class Pair:
    """Two films by number, and the bits in which they differ; 0 and `exact` for equal files."""

    first: int
    second: int
    distance: int
    exact: bool


def report(blocks: Sequence[Block]) -> tuple[Any, dict[str, int]]:
    """Arrow table of the pairs among the films of all blocks, with their places and splits, and how
    many there are of equal files, of alike films, over two splits; and of films `not_compared`."""
    import pyarrow as pa

    columns = ("place", "split", "patient", "fingerprint", "digest")
    films = pa.concat_tables([block.read_films(columns) for block in blocks])
    numbers = _first_seen(films)
    films = films.take(numbers)
    prints = _bytes(films["fingerprint"])
    found = pairs(prints, _bytes(films["digest"]))
    ends = np.cumsum([block.num_images for block in blocks])
    uris = _Uris(blocks, ends)
    splits, patients = films["split"], films["patient"]
    rows = [
        {
            "first": uris[int(numbers[pair.first])],
            "second": uris[int(numbers[pair.second])],
            "distance": pair.distance,
            "exact": pair.exact,
            "same_patient": patients[pair.first] == patients[pair.second],
            "first_split": splits[pair.first].as_py(),
            "second_split": splits[pair.second].as_py(),
        }
        for pair in found
    ]
    types = {"distance": pa.int32(), "exact": pa.bool_(), "same_patient": pa.bool_()}
    table = pa.Table.from_pylist(
        rows, schema=pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    )
    return table, _counts(table) | {"not_compared": not_compared(prints)}


def _first_seen(films: Any) -> NDArray[np.int64]:
    """The row, ascending, in which each file first is there in a split."""
    splits = films["split"].combine_chunks().dictionary_encode().indices.to_numpy()
    both = np.stack([films["place"].to_numpy(), splits.astype(np.int64)], axis=1)
    _, numbers = np.unique(both, axis=0, return_index=True)
    return np.sort(numbers)


def _counts(table: Any) -> dict[str, int]:
    import pyarrow.compute as pc

    exact = pc.sum(table["exact"]).as_py() or 0
    apart = pc.not_equal(table["first_split"], table["second_split"])
    return {
        "exact": exact,
        "alike": table.num_rows - exact,
        "over_two_splits": pc.sum(apart).as_py() or 0,
    }


def pairs(
    fingerprints: NDArray[np.uint8], digests: NDArray[np.uint8], max_distance: int = MAX_DISTANCE
) -> list[Pair]:
    """All pairs among N films, by number: `fingerprints` (N, 32), `digests` (N, 16).

    Of k equal files the first is paired with each other one. Every pair of fingerprints that differ
    in up to 10 bits has one of the 18 keys in common (see `GROUPS`), so it is found unless more
    than `MAX_RUN` films share each key that the two share; `not_compared` counts such films.
    """
    same = [pair for run in _runs(_as_keys(digests)) for pair in _to_first(run)]
    found = {pair: Pair(*pair, 0, True) for pair in same}
    numbers = _unlike(len(fingerprints), same)
    words = np.ascontiguousarray(fingerprints).view(np.uint64)
    for keys in _keys(fingerprints[numbers]):
        for first, second in _candidates(keys):
            one, other = numbers[first], numbers[second]
            distances = np.bitwise_count(words[one] ^ words[other]).sum(axis=1)
            for at in np.flatnonzero(distances <= max_distance):
                pair = (int(one[at]), int(other[at]))
                found.setdefault(pair, Pair(*pair, int(distances[at]), False))
    return sorted(found.values(), key=lambda pair: (pair.first, pair.second))


def not_compared(fingerprints: NDArray[np.uint8]) -> int:
    """How many films look so much like others in every part that `pairs` compares none of them."""
    crowded = np.ones(len(fingerprints), dtype=bool)
    for keys in _keys(fingerprints):
        _, inverse, sizes = np.unique(keys, return_inverse=True, return_counts=True)
        crowded &= sizes[inverse] > MAX_RUN
    return int(crowded.sum())


def _unlike(count: int, same: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """The numbers of the films without those that are copies of an earlier file."""
    keep = np.ones(count, dtype=bool)
    keep[[second for _, second in same]] = False
    return np.flatnonzero(keep)


def _keys(fingerprints: NDArray[np.uint8]) -> Iterator[NDArray[np.uint32]]:
    """Two words of every film as one number, for every two of a group."""
    words = np.ascontiguousarray(fingerprints).view(np.uint16).astype(np.uint32)
    for group in range(GROUPS):
        for one, other in combinations(range(group, SIDE, GROUPS), 2):
            yield words[:, one] << 16 | words[:, other]


def _candidates(
    keys: NDArray[np.uint32],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(smaller numbers, larger numbers) of the films with one key, all runs of a length at once."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]])
    sizes = np.diff(np.r_[starts, len(keys)])
    for size in np.unique(sizes[(sizes > 1) & (sizes <= MAX_RUN)]):
        rows, columns = np.triu_indices(size, 1)
        at_once = max(1, _PAIRS_AT_ONCE // len(rows))
        of_size = starts[sizes == size]
        for some in np.split(of_size, range(at_once, len(of_size), at_once)):
            runs = order[some[:, None] + np.arange(size)]
            yield runs[:, rows].ravel(), runs[:, columns].ravel()


def _as_keys(digests: NDArray[np.uint8]) -> NDArray[Any]:
    return np.ascontiguousarray(digests).view(np.dtype((np.void, digests.shape[1]))).ravel()


def _runs(keys: NDArray[Any]) -> Iterator[NDArray[np.int64]]:
    """The numbers, ascending, of every value that occurs more than once."""
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(keys[order][1:] != keys[order][:-1]) + 1
    for run in np.split(order, edges):
        if len(run) > 1:
            yield run


def _to_first(run: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    for other in run[1:]:
        yield int(run[0]), int(other)


def _bytes(column: Any) -> NDArray[np.uint8]:
    """A column of binaries of one width as (N, width)."""
    array = column.combine_chunks()
    width = array.type.byte_width
    return np.frombuffer(b"".join(array.to_pylist()), np.uint8).reshape(-1, width)


class _Uris:
    """Film number -> URI; a block's names are read when one of them is asked for."""

    def __init__(self, blocks: Sequence[Block], ends: NDArray[np.int64]) -> None:
        self._blocks, self._ends = blocks, ends
        self._names: dict[int, list[str]] = {}

    def __getitem__(self, number: int) -> str:
        at = int(np.searchsorted(self._ends, number, side="right"))
        if at not in self._names:
            self._names[at] = self._blocks[at].read_films(["uri"])["uri"].to_pylist()
        start = int(self._ends[at - 1]) if at else 0
        return self._names[at][number - start]
