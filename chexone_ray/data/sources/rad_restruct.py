"""Rad-ReStruct: the questions of a structured report template, answered for films of IU X-ray.

`id_to_img_mapping_frontal_reports.json` (report -> names of its frontal films) at the root, and
`{train,val,test}_qa_pairs/<report>.json`, each a list of [question, answers, history, info] with
info {"options", "answer_type"}. The films are IU X-ray's, under `images_uri`: by the archive's own
names or by those of its table form. A report's number is IU X-ray's number of the study.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.losses import Losses, place_in
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook, images_root, yes_or_no
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Question

DATASET = "rad_restruct"
MAPPING = Table(("id_to_img_mapping_frontal_reports.json",), ())
PARTS = ("train", "val", "test")
READ_THREADS = 16


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All reports with a film and a question, by number, and what was left out by reason.

    Raises ChexoneError where the mapping, all question files or `images_uri` are missing.
    """
    films_root = images_root(source, "IU X-ray (OpenI)")
    losses = Losses()
    mapping_uri = tables.require(source.uri, MAPPING.names, CSV_STEP)
    mapping = json_files.read_object(mapping_uri, "by report")
    book = QuestionBook(losses)
    asked: set[str] = set()
    for part, uri, text in _files(source.uri):
        report = uri.rpartition("/")[2].partition(".")[0]
        asked.add(report)
        has_films = isinstance(mapping.get(report), list) and bool(mapping[report])
        for number, (row, place) in enumerate(_rows(text, losses, uri)):
            if not has_films:
                losses.lose("report_without_film", place)
                continue
            question = _question(str(number), row, losses, place)
            if question:
                book.add(report, part if archive_splits else "", question, place)
    for report in sorted(mapping.keys() - asked):
        losses.lose("film_without_question", place_in(mapping_uri, report))
    places = tables.files_by_name(films_root, ".png")

    def images(report: str) -> tuple[ImageRef, ...]:
        names = dict.fromkeys(mapping[report])
        return tuple(ImageRef(_place(films_root, places, str(name)), "frontal") for name in names)

    return book.studies(DATASET, images), losses


def _places(root: str) -> list[tuple[str, str]]:
    """(part, uri) of every question file."""
    return [
        (part, uri)
        for part in PARTS
        for uri in storage.list_files(storage.join(root, f"{part}_qa_pairs"), ".json")
    ]


def _files(root: str) -> Iterator[tuple[str, str, str]]:
    """(part, uri, text) of every question file; there are thousands of small ones."""
    uris = _places(root)
    if not uris:
        raise ChexoneError(f"{root} holds no train_qa_pairs/*.json: {CSV_STEP}")
    with ThreadPoolExecutor(READ_THREADS) as pool:
        texts = pool.map(tables.read_text, [uri for _, uri in uris])
        for (part, uri), text in zip(uris, texts, strict=True):
            yield part, uri, text


def _rows(text: str, losses: Losses, uri: str) -> Iterator[tuple[Any, str]]:
    """The rows of a file, each once, with their places."""
    try:
        rows = json.loads(text)
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        losses.lose("unparsable_row", uri)
        return
    for number, row in enumerate(rows):
        if row in rows[:number]:
            losses.lose("duplicate_row", place_in(uri, number))
        else:
            yield row, place_in(uri, number)


def _question(name: str, row: Any, losses: Losses, place: str) -> Question | None:
    """The question after those that led to it. Yes-or-no questions show no options."""
    try:
        text, answers, history, info = row
        told = tuple(_texts(answers))
        options = tuple(_texts(info["options"]))
        topic = json_files.text_of(info, "answer_type")
        before = [(str(asked), ", ".join(_texts(said))) for asked, said, *_ in history]
    except (TypeError, ValueError, KeyError):
        losses.lose("unparsable_row", place)
        return None
    if not told or not isinstance(text, str):
        losses.lose("row_without_answer", place)
        return None
    if all(map(yes_or_no, options)) and len(told) == 1 and yes_or_no(told[0]):
        said = (yes_or_no(told[0]),)
        return Question(name, "closed_vqa", _after(before, text), said, topic=topic)
    if not set(told) <= set(options):
        losses.lose("answer_not_an_option", place)
        return None
    return Question(name, "closed_vqa", _after(before, text), told, options, topic=topic)


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list):
        raise TypeError(values)
    return list(dict.fromkeys(" ".join(str(value).split()) for value in values))


def _after(history: Sequence[tuple[str, str]], question: str) -> str:
    """The question with what was asked and answered before it, on which it builds."""
    question = " ".join(question.split())
    if not history:
        return question
    known = "\n".join(f"{' '.join(asked.split())} {said}" for asked, said in history)
    return f"What is known of these films so far:\n{known}\nNow answer: {question}"


def _place(root: str, places: dict[str, str], name: str) -> str:
    """A film by the archive's own name (CXR1_1_IM-0001-3001), or by that of the table form, which
    leaves out the first part."""
    for file in (f"{name}.png", f"{name.partition('_')[2]}.dcm.png"):
        if file in places:
            return places[file]
    return storage.join(root, f"{name}.png")


SPEC = Spec(
    title="Rad-ReStruct",
    access="open",
    images="IU X-ray's, under images_uri, PNG",
    labels="a report template filled in from the labels of IU X-ray's reports",
    tables=(MAPPING,),
    files=lambda root: [uri for _, uri in _places(root)],
    read=studies,
    images_elsewhere=True,
    patients="openi",
)
