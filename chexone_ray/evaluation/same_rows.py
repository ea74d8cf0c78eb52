"""Are the rows of two systems the same questions with the same right answers?

Equal ids are not enough: a data set prepared again, or a file of others, may have the same ids with
other options, answers or boxes, and a paired test of such rows says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from chexone_ray.evaluation.predictions import part_files
from chexone_ray.records import Sample, sample_from_row, sample_schema

_COMPARED: dict[str, Callable[[Sample], Any]] = {
    "kind": lambda sample: sample.kind,
    "topic": lambda sample: sample.topic,
    "patient": lambda sample: (sample.dataset, sample.patient),
    "question": lambda sample: sample.question,
    "options": lambda sample: sample.options,
    "answer": lambda sample: sample.answer,
    "reference": lambda sample: sample.reference,
    "boxes": lambda sample: sample.boxes,
    # The folder of the images may differ from site to site.
    "images": lambda sample: [(i.uri.rpartition("/")[2], i.role) for i in sample.images],
}

Digests: TypeAlias = Mapping[str, tuple[int, ...]]
"""Row id -> a hash of each of `_COMPARED`, to be compared inside one process."""


def digests(samples: Iterable[Sample]) -> Digests:
    """What has to be equal of the rows of two systems."""
    return {
        sample.id: tuple(hash(repr(value(sample))) for value in _COMPARED.values())
        for sample in samples
    }


def digests_of(uri: str) -> Digests:
    """The same of a committed predictions folder.

    Raises:
        ChexoneError: the folder is not committed, or holds no predictions.
    """
    names = set(sample_schema().names)
    found: dict[str, tuple[int, ...]] = {}
    for file in part_files(uri):
        columns = [name for name in file.schema_arrow.names if name in names]
        for batch in file.iter_batches(columns=columns):
            found.update(digests(map(sample_from_row, batch.to_pylist())))
    return found


def unlike(first: Digests, second: Digests) -> str:
    """What is different, to stand in an error; empty where the rows are the same.

    "3 differ" of rows that only one of them has, else how many of how many rows differ in what,
    with the id of the first.
    """
    odd = first.keys() ^ second.keys()
    if odd:
        return f"{len(odd)} differ"
    ids = sorted(name for name, told in first.items() if told != second[name])
    if not ids:
        return ""
    counts = Counter(
        name
        for at in ids
        for name, one, other in zip(_COMPARED, first[at], second[at], strict=True)
        if one != other
    )
    told = ", ".join(f"{name} of {counts[name]}" for name in _COMPARED if name in counts)
    return f"{len(ids)} of {len(first)} differ under the same id: {told}; the first is {ids[0]!r}"
