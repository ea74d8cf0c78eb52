"""RadQA: questions of physicians that a passage of a radiology report answers; no images.

`train.json`, `dev.json`, `test.json` at the root in the form of SQuAD 2.0: {"data": [{"paragraphs":
[{"context", "qas": [{"id", "question", "answers": [{"text"}], "is_impossible"}]}]}]}. We know this
form from code that reads the files, not from the files. The reports are MIMIC-III's, of all
techniques, and no patient is named in a field that we know, so every passage is its own patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.json_files import objects, text_of
from chexone_ray.data.sources.losses import Losses, Row
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook, text_name
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import Question

DATASET = "radqa"
PARTS = ("train", "dev", "test")
UNTOLD = "not stated"
"""The answer to a question that the passage does not answer."""


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All passages with a question, by name, and what was left out by reason.

    Raises ChexoneError where a part is missing or is no JSON object.
    """
    losses = Losses()
    book = QuestionBook(losses)
    for part in PARTS:
        uri = tables.require(source.uri, (f"{part}.json",), CSV_STEP)
        data = json_files.read_object(uri, 'with "data"').get("data")
        for passage, row in _rows(data, uri, losses):
            name = text_of(row, "id")
            if not name or not passage:
                losses.lose("row_without_id", row.place)
            else:
                split = part if archive_splits else ""
                question = _question(name, row, passage)
                book.add(text_name(passage), split, question, row.place)
    return book.studies(DATASET, lambda passage: ()), losses


def _rows(data: Any, uri: str, losses: Losses) -> Iterator[tuple[str, Row[Any]]]:
    """(passage, question) of a part."""
    for report in objects(data, uri, "data", losses):
        for paragraph in objects(report.get("paragraphs"), uri, f"{report.at}.paragraphs", losses):
            passage = text_of(paragraph, "context")
            for row in objects(paragraph.get("qas"), uri, f"{paragraph.at}.qas", losses):
                yield passage, row


def _question(name: str, row: Mapping[str, Any], passage: str) -> Question | None:
    answers = row.get("answers")
    first = answers[0] if isinstance(answers, list) and answers else {}
    answer = text_of(first, "text") if isinstance(first, dict) else ""
    if row.get("is_impossible") is True:
        answer = UNTOLD
    asked = text_of(row, "question")
    if not asked or not answer:
        return None
    text = (
        f"Answer from this passage of a radiology report, in its own words, or say "
        f'"{UNTOLD}" where it holds no answer.\nPassage: {passage}\nQuestion: {asked}'
    )
    return Question(name, "text_qa", text, (answer,))


SPEC = Spec(
    title="RadQA",
    access="credentialed",
    images="none",
    labels="answers that physicians marked in reports",
    tables=tuple(Table((f"{part}.json",), ()) for part in PARTS),
    read=studies,
    packable=False,
    split_unit="passage",
)
