"""Films that are there more than once: equal files, and pictures that look the same.

One file that several data sets or studies show is one film here, in each split that it is in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chexone_ray.data.blocks import Block
from chexone_ray.fingerprints import SIDE

MAX_DISTANCE = 10
"""Bits in which two fingerprints of one picture differ at most."""
MAX_RUN = 64
"""Films that share 16 bits in the same place are compared while they are no more than these: black
borders are alike in hundreds. A copy shares most of its 16 places, so it is found by another."""
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


def report(blocks: Sequence[Block]) -> Any:
    """Arrow table of the pairs among the films of all blocks, with their places and splits."""
    import pyarrow as pa

    columns = ("place", "split", "patient", "fingerprint", "digest")
    films = pa.concat_tables([block.read_films(columns) for block in blocks])
    numbers = _first_seen(films)
    films = films.take(numbers)
    found = pairs(_bytes(films["fingerprint"]), _bytes(films["digest"]))
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
    return pa.Table.from_pylist(
        rows, schema=pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    )


def _first_seen(films: Any) -> NDArray[np.int64]:
    """The row, ascending, in which each file first is there in a split."""
    splits = films["split"].combine_chunks().dictionary_encode().indices.to_numpy()
    both = np.stack([films["place"].to_numpy(), splits.astype(np.int64)], axis=1)
    _, numbers = np.unique(both, axis=0, return_index=True)
    return np.sort(numbers)


def counts(table: Any) -> dict[str, int]:
    """How many pairs `report` found: of equal files, of alike films, and those over two splits."""
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
    """All pairs found among N films, by number: `fingerprints` (N, 32), `digests` (N, 16).

    Of k equal files the first is paired with each other one. Two fingerprints that differ in up to
    15 bits agree in one of 16 places of 16 bits (pigeonhole), so every such pair is a candidate,
    but for places that more than `MAX_RUN` films share.
    """
    if len(fingerprints) < 2:
        return []
    same = {pair for run in _runs(_as_keys(digests)) for pair in _to_first(run)}
    copies = {second for _, second in same}
    found = {pair: Pair(*pair, 0, True) for pair in same}
    words = fingerprints.view(np.uint64)
    for place in range(SIDE):
        keys = fingerprints.view(np.uint16)[:, place]
        for run in _runs(keys):
            if len(run) > MAX_RUN:
                continue
            run = np.array([number for number in run if number not in copies])
            rows, columns = np.triu_indices(len(run), 1)
            first, second = run[rows], run[columns]
            distances = np.bitwise_count(words[first] ^ words[second]).sum(axis=1)
            for at in np.flatnonzero(distances <= max_distance):
                pair = (int(first[at]), int(second[at]))
                found.setdefault(pair, Pair(*pair, int(distances[at]), False))
    return sorted(found.values(), key=lambda pair: (pair.first, pair.second))


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
