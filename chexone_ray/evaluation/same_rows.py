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

SHOWN = 3
"""Ids that an error names."""
REMEDY = (
    "let both answer the rows of one manifest, of the same split, kinds and max_per_kind; answers "
    "that are there already are put on the other's rows by `chexone results import --rows_of "
    "PREDICTIONS`"
)
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


def unlike(first: Digests, second: Digests, names: tuple[str, str]) -> str:
    """What is different, to stand in an error; empty where the rows are the same.

    Of rows that only one of the two has, how many each has alone and which; else how many of how
    many rows differ in what, and which. `names` is what the two are called.
    """
    sides = ((first, second, *names), (second, first, *names[::-1]))
    alone = [
        f"{len(odd)} of the {len(rows)} rows of {name} are not in {other_name}: {_some(odd)}"
        for rows, other, name, other_name in sides
        if (odd := rows.keys() - other.keys())
    ]
    if alone:
        return "; ".join(alone)
    ids = [name for name, told in first.items() if told != second[name]]
    if not ids:
        return ""
    counts = Counter(
        name
        for at in ids
        for name, one, other in zip(_COMPARED, first[at], second[at], strict=True)
        if one != other
    )
    told = ", ".join(f"{name} of {counts[name]}" for name in _COMPARED if name in counts)
    return f"{len(ids)} of {len(first)} rows differ under the same id ({told}): {_some(ids)}"


def _some(ids: Iterable[str]) -> str:
    """The first ids, and how many more there are."""
    every = sorted(ids)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(map(repr, every[:SHOWN])) + more
