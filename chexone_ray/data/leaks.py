"""One split a patient over all data sets, and a report of what that kept out of training.

Test sets are made of films that other sets train on: MS-CXR, MS-CXR-T and the gold part of Chest
ImaGenome are MIMIC's patients. A patient who is tested on in one set is trained on in none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chexone_ray.config import PrepareConfig
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.splits import most_held_out

Patient = tuple[str, str]
"""Whose numbers these are (`numbers_of`), and the number."""


@dataclass(frozen=True)
class Move:
    """Studies of one data set that go to another split than their own archive says."""

    dataset: str
    given: str
    """The archive's split, or empty where the patient's hash would have told it."""
    to: str
    because_of: str
    """The data set that holds the patients out."""


def numbers_of(adapter: str) -> str:
    """Whose patient numbers a data set has: equal for sets of the same patients."""
    spec = SOURCES.get(adapter)
    return spec.patients if spec and spec.patients else adapter


def held_out(config: PrepareConfig) -> dict[Patient, tuple[str, str]]:
    """Patients of `config.held_out` -> (split, data set); of those sets nothing else is used.

    Studies that the set itself trains on are left alone, those without a split count as test.
    """
    found: dict[Patient, tuple[str, str]] = {}
    for source in config.held_out:
        studies, _ = SOURCES[source.adapter].read(source, True)
        for item in studies:
            split = most_held_out([item.study.archive_split]) or "test"
            patient = (numbers_of(source.adapter), item.study.patient)
            if split in ("test", "validate") and found.get(patient, ("",))[0] != "test":
                found[patient] = (split, source.adapter)
    return found


def settle(
    patients: Mapping[Patient, Sequence[PendingStudy]],
    held: Mapping[Patient, tuple[str, str]],
) -> tuple[list[list[PendingStudy]], Counter[Move]]:
    """The studies of every patient, all in its most held-out split, and the moves it took."""
    settled = []
    moves: Counter[Move] = Counter()
    for patient, studies in patients.items():
        given = [(item.study.archive_split, item.study.dataset) for item in studies]
        causes = [*given, *([held[patient]] if patient in held else [])]
        split = most_held_out(name for name, _ in causes)
        settled.append([item.with_split(split) for item in studies])
        if not split:
            continue
        cause = next(dataset for name, dataset in causes if most_held_out([name]) == split)
        for name, dataset in given:
            own = most_held_out([name])
            if own != split:
                moves[Move(dataset, own, split, cause)] += 1
    return settled, moves


def report(moves: Mapping[Move, int]) -> list[dict[str, Any]]:
    """The moves as JSON-able rows, sorted."""
    rows: Iterable[dict[str, Any]] = (
        asdict(move) | {"studies": count} for move, count in moves.items()
    )
    return sorted(rows, key=lambda row: tuple(row.values())[:4])
