"""MIMIC-NLE: sentences of MIMIC-CXR's reports that explain a diagnosis.

`mimic-nle-{train,dev,test}.json` at the root or under `mimic-nle/`, JSON lines as the set's own
script writes them: `sentence_ID`, `nle`, `report_ID` (s50414267), `patient_ID` (p10000032) and ten
0 or 1 in `diagnosis_label` and in `evidence_label`. The films are the frontal ones of MIMIC-CXR-JPG
under `images_uri`, whose metadata table tells which films a study has.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from chexone_ray.config import SourceConfig
from chexone_ray.data.facts import is_frontal
from chexone_ray.data.sources import json_files, mimic_films, tables
from chexone_ray.data.sources.json_files import text_of
from chexone_ray.data.sources.losses import Losses, Row
from chexone_ray.data.sources.mimic_films import Film
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef, Question, Study

DATASET = "mimic_nle"
TABLES = {
    part: Table((f"mimic-nle-{part}.json", f"mimic-nle/mimic-nle-{part}.json"), ())
    for part in ("train", "dev", "test")
}
DIAGNOSES = (
    "atelectasis",
    "consolidation",
    "edema",
    "enlarged cardiomediastinum",
    "lung lesion",
    "lung opacity",
    "pleural effusion",
    "pleural other",
    "pneumonia",
    "pneumothorax",
)
_SPOKEN = {"pleural other": "pleural disease other than effusion"}


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies with an explained diagnosis, by number, and what was left out by reason.

    Raises ChexoneError where a part, `images_uri` or the metadata table under it is missing.
    """
    root = mimic_films.films_root(source)
    films = _frontal_films(root)
    losses = Losses()
    book = QuestionBook(losses)
    for part, table in TABLES.items():
        uri = tables.require(source.uri, table.names, CSV_STEP)
        for row in json_files.read_lines(uri, losses):
            study, name = text_of(row, "report_ID").removeprefix("s"), text_of(row, "sentence_ID")
            if not study or not name:
                losses.lose("row_without_id", row.place)
            elif study not in films:
                losses.lose("study_without_film", row.place)
            elif question := _question(name, row, losses):
                book.add(study, part if archive_splits else "", question, row.place)
    found = [
        PendingStudy(
            Study(
                dataset=DATASET,
                patient=films[study][0].subject,
                study=study,
                images=tuple(ImageRef(film.uri(root), film.view) for film in films[study]),
                archive_split=split,
                questions=questions,
            )
        )
        for study, split, questions in book
    ]
    return found, losses


def _frontal_films(root: str) -> dict[str, list[Film]]:
    """Study -> its frontal films by name, of the studies that have one."""
    tables.require(
        root, mimic_films.METADATA.names, "an explanation does not say which film it is about"
    )
    found: dict[str, list[Film]] = defaultdict(list)
    for _, film in sorted(mimic_films.known_films(root).items()):
        if is_frontal(film.view):
            found[film.study].append(film)
    return dict(found)


def _question(name: str, row: Row[Any], losses: Losses) -> Question | None:
    told = row.get("diagnosis_label")
    if not isinstance(told, list) or len(told) != len(DIAGNOSES) or 1 not in told:
        losses.lose("unknown_label", row.place)
        return None
    diagnoses = [
        _SPOKEN.get(label, label)
        for label, state in zip(DIAGNOSES, told, strict=True)
        if state == 1
    ]
    text = f"What in this study speaks for {' and '.join(diagnoses)}? Explain it in one sentence."
    answer = text_of(row, "nle")
    if not answer:
        losses.lose("row_without_answer", row.place)
        return None
    return Question(name, "explanation", text, (answer,))


SPEC = Spec(
    title="MIMIC-NLE",
    access="credentialed",
    images=mimic_films.IMAGES,
    labels="sentences of reports that explain one of 10 findings, picked by rules",
    tables=tuple(TABLES.values()),
    read=studies,
    images_elsewhere=True,
    patients="mimic",
)
