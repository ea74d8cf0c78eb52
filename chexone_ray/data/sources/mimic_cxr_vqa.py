"""MIMIC-CXR-VQA: questions made from templates about films of MIMIC-CXR, with lists as answers.

`train.json`, `valid.json`, `test.json` at the root or under `dataset/`, each a list of questions;
an empty list as the answer means that nothing of the kind is there. The public repository of the
set has the same files as `_train.json` and so on, without answers: its own script adds them. The
films are MIMIC-CXR-JPG's, under `images_uri`, by `image_path`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, mimic_films, tables
from chexone_ray.data.sources.json_files import text_of
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook, yes_or_no
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Question, Study

DATASET = "mimic_cxr_vqa"
NONE = "none"
"""The text of an empty answer."""
TABLES = {
    part: Table((f"{part}.json", f"dataset/{part}.json", f"dataset/_{part}.json"), ())
    for part in ("train", "valid", "test")
}


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All films with an answered question, by name, and what was left out by reason.

    Raises ChexoneError where a part or `images_uri` is missing or no question has an answer.
    """
    root = mimic_films.films_root(source)
    losses = Losses()
    book = QuestionBook(losses)
    rows: dict[str, Mapping[str, Any]] = {}
    for part, table in TABLES.items():
        uri = tables.require(source.uri, table.names, CSV_STEP)
        for row in json_files.read_list(uri, losses):
            if not isinstance(row.get("answer"), list):
                losses.lose("row_without_answer", row.place)
            elif not all(text_of(row, name) for name in ("idx", "image_path", "subject_id")):
                losses.lose("row_without_id", row.place)
            else:
                film = text_of(row, "image_path")
                rows.setdefault(film, row)
                question = _question(f"{part}-{text_of(row, 'idx')}", row)
                book.add(film, part if archive_splits else "", question, row.place)
    if not rows:
        raise ChexoneError(
            f"{source.uri} holds no question with an answer: run the set's script that adds them"
        )
    found = [
        PendingStudy(
            Study(
                dataset=DATASET,
                patient=text_of(rows[film], "subject_id"),
                study=film.rpartition("/")[2].partition(".")[0],
                images=(ImageRef(storage.join(root, "files", film.removeprefix("files/"))),),
                archive_split=split,
                questions=questions,
            ),
            default_view="frontal",  # the set was made of such films alone
        )
        for film, split, questions in book
    ]
    return found, losses


def _question(name: str, row: Mapping[str, Any]) -> Question:
    """Yes or no; a choice among what its template was filled with; or a list in words."""
    text, topic = text_of(row, "question"), text_of(row, "content_type")
    told = tuple(dict.fromkeys(" ".join(str(answer).split()) for answer in row["answer"]))
    if len(told) == 1 and yes_or_no(told[0]):
        return Question(name, "closed_vqa", text, (yes_or_no(told[0]),), topic=topic)
    if text_of(row, "semantic_type") == "choose":
        options = (*_filled_in(row), NONE)
        if len(options) > 2 and set(told) <= set(options):
            return Question(name, "closed_vqa", text, told or (NONE,), options, topic=topic)
    return Question(name, "open_vqa", text, (", ".join(told) or NONE,), topic=topic)


def _filled_in(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a template offers to choose from: the one argument that it has several of."""
    arguments = row.get("template_arguments")
    groups = arguments.values() if isinstance(arguments, dict) else ()
    several = [
        tuple(dict.fromkeys(" ".join(str(value).split()) for _, value in sorted(group.items())))
        for group in groups
        if isinstance(group, dict) and len(group) > 1
    ]
    return several[0] if len(several) == 1 else ()


SPEC = Spec(
    title="MIMIC-CXR-VQA",
    access="credentialed",
    images=mimic_films.IMAGES,
    labels="questions from templates, answered by the scene graphs of Chest ImaGenome",
    tables=tuple(TABLES.values()),
    read=studies,
    images_elsewhere=True,
    patients="mimic",
)
