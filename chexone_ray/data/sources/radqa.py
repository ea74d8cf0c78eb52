"""RadQA: questions of physicians that a passage of a radiology report answers; no images.

`train.json`, `dev.json`, `test.json` at the root in the form of SQuAD 2.0: {"data": [{"paragraphs":
[{"context", "qas": [{"id", "question", "answers": [{"text"}], "is_impossible"}]}]}]}. We know this
form from code that reads the files, not from the files. The reports are MIMIC-III's, of all
techniques, and no patient is named in a field that we know, so every passage is its own patient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.json_files import text_of
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook, text_name
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import Question, Study

DATASET = "radqa"
PARTS = ("train", "dev", "test")
UNTOLD = "not stated"
"""The answer to a question that the passage does not answer."""


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Counter[str]]:
    """All passages with a question, by name, and what was left out by reason.

    Raises ChexoneError where a part is missing or is no JSON object.
    """
    dropped: Counter[str] = Counter()
    book = QuestionBook(dropped)
    for part in PARTS:
        uri = tables.require(source.uri, (f"{part}.json",), CSV_STEP)
        data = json_files.read_object(uri, 'with "data"').get("data")
        for paragraph in _items(data, "paragraphs", dropped):
            passage = text_of(paragraph, "context")
            for row in _items([paragraph], "qas", dropped):
                name = text_of(row, "id")
                if not name or not passage:
                    dropped["row_without_id"] += 1
                else:
                    split = part if archive_splits else ""
                    book.add(text_name(passage), split, _question(name, row, passage))
    found = [
        PendingStudy(
            Study(
                dataset=DATASET,
                patient=study,
                study=study,
                images=(),
                archive_split=split,
                questions=questions,
            )
        )
        for study, split, questions in book
    ]
    return found, +dropped


def _items(parents: Any, name: str, dropped: Counter[str]) -> Iterator[Mapping[str, Any]]:
    """The objects in the lists `name` of all parents; what has another shape is counted."""
    for parent in parents if isinstance(parents, list) else [None]:
        items = parent.get(name) if isinstance(parent, dict) else None
        for item in items if isinstance(items, list) else [None]:
            if isinstance(item, dict):
                yield item
            else:
                dropped["unparsable_row"] += 1


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
