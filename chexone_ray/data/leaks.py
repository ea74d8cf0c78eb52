"""One split a patient over all data sets, and a report of what that kept out of training.

Test sets are made of films that other sets train on: MS-CXR, MS-CXR-T and the gold part of Chest
ImaGenome are MIMIC's patients. A patient who is tested on in one set is trained on in none.
`untold` names those of them that a run does not know of.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.blocks import Letter
from chexone_ray.data.drops import no_study
from chexone_ray.data.shelf import Entry, ShelvedPatient
from chexone_ray.data.sources import (
    chest_imagenome,
    chexpert,
    ms_cxr,
    ms_cxr_t,
    nih_chestxray14,
    rsna_pneumonia,
)
from chexone_ray.data.sources.registry import FAMILIES, SOURCES
from chexone_ray.data.splits import assign, most_held_out
from chexone_ray.errors import ChexoneError

OTHER_SPLIT = "study_of_other_split"
MIMIC = "mimic"
_CHEXPERT = re.compile(r"chexpert/(?:.*/)?patient(\d+)\b")
"""Such a patient of RadGraph's test part, and its number."""
MADE_OF_MIMIC = {
    ms_cxr.DATASET: "MS-CXR",
    ms_cxr_t.DATASET: "MS-CXR-T",
    chest_imagenome.DATASET: "Chest ImaGenome's gold part",
}
"""Test sets whose patients MIMIC's own splits train on."""
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


def owner(patient: Patient) -> Patient:
    """Who it is where a set holds patients of another one too: RadGraph's reports of CheXpert."""
    found = _CHEXPERT.match(patient[1]) if patient[0] == MIMIC else None
    return (chexpert.PATIENTS, f"patient{int(found[1]):05}") if found else patient


def held_out(config: PrepareConfig) -> dict[Patient, tuple[str, str]]:
    """Patients of `config.held_out` -> (split, data set); of those sets nothing else is used.

    Such a set is one to be tested on, so all of its patients are held out, also those that it
    trains on itself; those of its validate split are validated on. But where a set is made to train
    on as well, its `test_patients` alone. Raises ChexoneError where a set has nobody to hold out.
    """
    found: dict[Patient, tuple[str, str]] = {}
    for source in config.held_out:
        for number, own in _tested(source):
            split = "validate" if own == "validate" else "test"
            patient = owner((numbers_of(source.dataset), number))
            if found.get(patient, ("",))[0] != "test":
                found[patient] = (split, source.dataset)
    return found


def _tested(source: SourceConfig) -> list[tuple[str, str]]:
    """(patient, split by the archive) of those whom a set holds out."""
    spec = SOURCES[source.adapter]
    if spec.test_patients is not None:
        patients, lost = spec.test_patients(source)
        told = list(patients.items())
    else:
        studies, lost = spec.read(source, True)
        told = [(i.study.patient, most_held_out([i.study.archive_split])) for i in studies]
    if not told:
        raise ChexoneError(f"held_out {source.adapter} {source.uri}: {no_study(lost)}")
    return told


def untold(adapters: Collection[str], held: Collection[str] = ()) -> str:
    """One sentence on test sets made of patients that `adapters` train on, and that neither these
    nor `held` name; empty where there are none."""
    mimic = {name for name in adapters if numbers_of(name) == MIMIC}
    names = [told for name, told in MADE_OF_MIMIC.items() if name not in {*adapters, *held}]
    if not names or not mimic - MADE_OF_MIMIC.keys():
        return ""
    told = f"{', '.join(names[:-1])} and {names[-1]}" if names[1:] else names[0]
    return (
        f"patients of {told} are in training: name them in held_out to test on "
        f"{'that set' if len(names) == 1 else 'those sets'}"
    )


def unmatched(adapters: Collection[str]) -> str:
    """One sentence on sources that hold films of one another whose patients no number tells; empty
    where there are none."""
    groups = [sorted(family & set(adapters)) for family in FAMILIES]
    apart = [group for group in groups if len({numbers_of(name) for name in group}) > 1]
    names = sorted({name for group in apart for name in group})
    told = []
    if names:
        told.append(
            f"{', '.join(names[:-1])} and {names[-1]} share films under other names, and "
            "nothing tells which: a film may be trained on in one and tested on in another"
        )
    if {nih_chestxray14.DATASET, rsna_pneumonia.DATASET} <= set(adapters):
        told.append("only RSNA's mapping file tells which of its patients are NIH's")
    return "; ".join(told)


def settle(
    patients: Mapping[Patient, Sequence[Entry]],
    held: Mapping[Patient, tuple[str, str]],
) -> tuple[list[ShelvedPatient], Counter[Move]]:
    """The studies of every patient, all in its most held-out split, and the moves it took."""
    settled = []
    moves: Counter[Move] = Counter()
    named: dict[Patient, list[tuple[str, str]]] = defaultdict(list)
    """Owner of another name -> (split, data set) of the studies under that name."""
    for patient, studies in patients.items():
        if owner(patient) != patient:
            named[owner(patient)] += ((entry.archive_split, entry.dataset) for entry in studies)
    for patient, studies in patients.items():
        whose = owner(patient)
        given = [(entry.archive_split, entry.dataset) for entry in studies]
        causes = [*given, *named.get(whose, ()), *([held[whose]] if whose in held else [])]
        split = most_held_out(name for name, _ in causes)
        settled.append(ShelvedPatient(tuple(studies), split))
        if not split:
            continue
        cause = next(dataset for name, dataset in causes if most_held_out([name]) == split)
        for name, dataset in given:
            own = most_held_out([name])
            if own != split:
                moves[Move(dataset, own, split, cause)] += 1
    return settled, moves


def of_splits(
    patients: Sequence[ShelvedPatient], config: PrepareConfig
) -> tuple[Sequence[ShelvedPatient], list[Letter]]:
    """The patients of `config.splits`, all for none, and the studies of the others as left out."""
    if not config.splits:
        return patients, []
    kept = []
    lost: Counter[tuple[str, str]] = Counter()
    for item in patients:
        split = assign(item.patient, item.split, config.seed, config)
        if split in config.splits:
            kept.append(item)
        else:
            lost.update((entry.dataset, split) for entry in item.entries)
    return kept, [
        Letter(dataset, OTHER_SPLIT, split, count)
        for (dataset, split), count in sorted(lost.items())
    ]


def report(moves: Mapping[Move, int]) -> list[dict[str, Any]]:
    """The moves as JSON-able rows, sorted."""
    rows: Iterable[dict[str, Any]] = (
        asdict(move) | {"studies": count} for move, count in moves.items()
    )
    return sorted(rows, key=lambda row: tuple(row.values())[:4])
