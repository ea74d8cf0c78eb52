"""ReXVQA: multiple-choice questions about ReXGradient-160K, with an explanation of each answer.

`metadata/{train,valid,test}_vqa_data.json`, each an object by question; the images are
ReXGradient's, under `images_uri`: paths begin with `../deid_png/`, which lies under that root. The
report that an entry holds is left to ReXGradient itself. Explanations that name an option by its
letter are left out, as options get new letters, and so are those that speak of the report or of a
known answer, which a film does not tell; such a question is taught by its answer alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.giveaways import image_free, mentions_report
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.json_files import text_of
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook, chosen, images_root
from chexone_ray.data.sources.rexgradient import films_of
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Question, Study

DATASET = "rexvqa"
_LETTER = re.compile(
    r"\b(?i:options?|choices?|answers?)(?:\s+(?i:is|was|to\s+be))?\s*:?\s*[\"'*(]{0,3}[A-J](?![\w'])"
    r"|\([A-J]\)|^\s*[A-J][.):]\s|(?i:\bis) [A-J][.:](?:\s|$)"
)
FILES = {part: f"metadata/{part}_vqa_data.json" for part in ("train", "valid", "test")}


@dataclass
class _Films:
    """The films of one study as its questions name them: path -> view."""

    patient: str
    views: dict[str, str] = field(default_factory=dict)


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies with a question, by name, and what was left out by reason.

    Raises ChexoneError where no part is there, one is no JSON object, or `images_uri` is not set.
    """
    root = images_root(source, "ReXGradient-160K")
    losses = Losses()
    book = QuestionBook(losses)
    films: dict[str, _Films] = {}
    shown: dict[tuple[str, str], list[str]] = {}
    for part, file in FILES.items():
        uri = tables.find(source.uri, (file,))
        for name, entry, place in json_files.entries(uri, "by question"):
            listed = list(films_of(entry)) if isinstance(entry, dict) else []
            study = text_of(entry, "study_id") if listed else ""
            if not study:
                losses.lose("row_without_id", place)
                continue
            known = films.setdefault(study, _Films(_patient(entry, study, listed[0][0])))
            for path, view in listed:
                known.views.setdefault(path, view)
            shown[study, name] = [path for path, _ in listed]
            question = _question(name, entry, losses, place)
            if question:
                book.add(study, part if archive_splits else "", question, place)
    if not films:
        uri = storage.join(source.uri, FILES["train"])
        raise ChexoneError(f"{uri} is missing or empty: {CSV_STEP}")
    found = [
        _study(films[name], root, shown, name, split, questions) for name, split, questions in book
    ]
    return found, losses


def _question(name: str, entry: Mapping[str, Any], losses: Losses, place: str) -> Question | None:
    """The question of an entry with its explanation where that may be a trace."""
    answer = text_of(entry, "correct_answer")
    found = chosen(name, text_of(entry, "question"), _options(entry), answer, losses, place)
    if found is None:
        return None
    told = text_of(entry, "correct_answer_explanation")
    if told and not _is_trace(told):
        losses.lose("explanation_not_from_film", place)
        told = ""
    return replace(found, reasoning=told, topic=_skill(entry))


def _study(
    films: _Films,
    root: str,
    shown: Mapping[tuple[str, str], list[str]],
    name: str,
    split: str,
    questions: tuple[Question, ...],
) -> PendingStudy:
    """The study `name` with its questions; `shown` has the paths that each of them is about."""
    places = {path: number for number, path in enumerate(films.views)}
    return PendingStudy(
        Study(
            dataset=DATASET,
            patient=films.patient,
            study=name,
            images=tuple(
                ImageRef(storage.join(root, path), view) for path, view in films.views.items()
            ),
            archive_split=split,
            questions=tuple(
                replace(question, images=_numbers(places, shown[name, question.name]))
                for question in questions
            ),
        )
    )


def _is_trace(told: str) -> bool:
    """True where an explanation may be a reasoning trace: from the film, and without letters."""
    return not (_LETTER.search(told) or mentions_report(told) or image_free(told))


def _skill(entry: Mapping[str, Any]) -> str:
    """Which of the five skills is asked for: the task, or the category where that is missing."""
    return text_of(entry, "task_name") or text_of(entry, "category")


def _options(entry: Mapping[str, Any]) -> list[str]:
    options = entry.get("options")
    return [str(option) for option in options] if isinstance(options, list) else []


def _patient(entry: Mapping[str, Any], study: str, path: str) -> str:
    """The patient, by the entry or by the folder below deid_png/ that the film `path` is in."""
    folder = path.partition("deid_png/")[2].partition("/")[0]
    return text_of(entry, "PatientID") or folder or study


def _numbers(places: Mapping[str, int], paths: list[str]) -> tuple[int, ...]:
    """The films that a question shows, empty for all of the study's."""
    numbers = tuple(sorted({places[path] for path in paths}))
    return () if len(numbers) == len(places) else numbers


SPEC = Spec(
    title="ReXVQA",
    access="registration",
    images="ReXGradient-160K's, under images_uri: deid_png/<patient>/.../<sop>.png",
    labels="questions and explanations that a language model made from reports",
    tables=tuple(Table((name,), (), optional=part != "train") for part, name in FILES.items()),
    read=studies,
    images_elsewhere=True,
    patients="rexgradient",
)
