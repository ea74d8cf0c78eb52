"""RadGraph: report texts with the entities that radiologists marked in them; no images.

`train.json`, `dev.json` (MIMIC-CXR) and `test.json` (MIMIC-CXR and CheXpert) at the root, each an
object by report, such as "p10/p10000032/s50414267.txt": {"text", "entities": {number: {"tokens",
"label", "start_ix", "end_ix", "relations"}}}; in the test part the entities are below "labeler_1"
and "labeler_2", of which the first is read. Relations are not asked for, and the graphs that a
model made of all reports (`MIMIC-CXR_graphs.json`, `CheXpert_graphs.json`) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.json_files import text_of
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import Question, Study

DATASET = "radgraph"
PARTS = ("train", "dev", "test")
TYPES = {
    "ANAT-DP": "anatomy",
    "OBS-DP": "observation present",
    "OBS-U": "observation uncertain",
    "OBS-DA": "observation absent",
}
NAME = "entities"
_MIMIC = re.compile(r"(?:^|/)p(\d+)/s(\d+)(?:\.txt)?$")


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All reports with an entity, by name, and what was left out by reason.

    Raises ChexoneError where a part is missing or is no JSON object.
    """
    losses = Losses()
    book = QuestionBook(losses)
    for part in PARTS:
        uri = tables.require(source.uri, (f"{part}.json",), CSV_STEP)
        for report, entry, place in json_files.entries(uri, "by report"):
            if isinstance(entry, dict):
                question = _question(entry, losses, place)
                book.add(report, part if archive_splits else "", question, place)
            else:
                losses.lose("unparsable_row", place)
    return [_study(*item) for item in book], losses


def _study(report: str, split: str, questions: tuple[Question, ...]) -> PendingStudy:
    """CheXpert's reports keep their whole name: its numbers are no MIMIC subjects. They are all of
    the test part, and of patients that CheXpert Plus trains on, so they count as test always."""
    mimic = _MIMIC.search(report)
    patient, study = mimic.groups() if mimic else (f"chexpert/{report}", report)
    return PendingStudy(
        Study(
            dataset=DATASET,
            patient=patient,
            study=study,
            images=(),
            archive_split=split if mimic else "test",
            questions=questions,
        )
    )


def _question(entry: Mapping[str, Any], losses: Losses, place: str) -> Question | None:
    labelled = entry.get("labeler_1", entry)
    entities = labelled.get("entities") if isinstance(labelled, dict) else None
    report = text_of(entry, "text") or (text_of(labelled, "text") if entities else "")
    if not report or not isinstance(entities, dict):
        return None
    lines: dict[str, None] = {}
    for entity in sorted(filter(_is_placed, entities.values()), key=lambda e: int(e["start_ix"])):
        tokens, kind = text_of(entity, "tokens"), TYPES.get(text_of(entity, "label").upper())
        if tokens and kind:
            lines.setdefault(f"{tokens}: {kind}")
        else:
            losses.lose("unknown_entity", place)
    for entity in entities.values():
        if not _is_placed(entity):
            losses.lose("unknown_entity", place)
    text = (
        "Name what this radiology report mentions, in its order, one a line as "
        f'"words: type", where type is {", ".join(TYPES.values())}.\nReport: {report}'
    )
    return Question(NAME, "entities", text, ("\n".join(lines),)) if lines else None


def _is_placed(entity: Any) -> bool:
    return isinstance(entity, dict) and isinstance(entity.get("start_ix"), int)


SPEC = Spec(
    title="RadGraph",
    access="credentialed",
    images="none",
    labels="entities of four types, marked in reports by radiologists",
    tables=tuple(Table((f"{part}.json",), ()) for part in PARTS),
    read=studies,
    packable=False,
    patients="mimic",
)
