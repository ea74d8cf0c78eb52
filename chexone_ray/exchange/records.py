"""Records of the original's scripts: what was asked, shown, right and said.

Two shapes: JSON-lines of ms-swift, also where the file is called .json, with `response`, `labels`
(the right answer), `messages` (the generated turn appended) and `images`; and the JSON array of the
Hugging Face scripts, an input record with `response` added. Columns that the scripts pass through
(`unique_id`, `task_name`, `solution`) may be there in both, and ReXVQA's `question`, `options` and
`correct_answer`. docs/evaluation.md has all fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from string import ascii_uppercase as LETTERS
from typing import Any

from chexone_ray import answers, boxes, prompts, storage
from chexone_ray.answers import chosen_options
from chexone_ray.errors import ChexoneError
from chexone_ray.exchange.json_text import parse
from chexone_ray.kinds import KINDS, form
from chexone_ray.options import classes_of
from chexone_ray.records import ImageRef, Sample

USER = ("user", "human")
ASSISTANT = ("assistant", "gpt", "bot")
RECORD = {"response", "id", "unique_id", "messages", "question"}
"""A field of these tells a record from {question: letter}."""
FAILED = re.compile(r"^ERROR:")
"""What a baseline script writes as the response where it failed."""
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_REPEAT = re.compile(r"\s*\[repeat(\d+)\]$")
_OPTION = re.compile(r"^\s*\(?([A-Za-z0-9]{1,2})[.):]\s+(\S.*?)\s*$")
_HEADING = re.compile(r"\b(?:options|choices):", re.IGNORECASE)
_IN_LINE = tuple(
    re.compile(rf"(?<!\S)({mark})\s+(\S.*?)[,;]?\s*(?=(?<=\s){mark}\s|$)")
    for mark in (r"\([A-Za-z0-9]{1,2}\)", r"[A-Z][.):]")
)
"""Options in one line, keyed (a) or A."""
_SUFFIXES = (
    prompts.ORIGINAL_SUFFIX,
    prompts.ORIGINAL_SUFFIX.replace("{{}}", "{}"),
    prompts.DEFAULT_SUFFIX,
)
_RIGHT = ("labels", "solution", "correct_answer")
_PATIENT = re.compile(r"(?:^|/)(p\d{8}|patient\d+)(?=/)")
_OF_TASK = {kind.task: name for name, kind in reversed(KINDS.items())} | {
    "Close-Ended VQA": "closed_vqa",
    "Image Classification": "choice",
    "Disease Classification": "choice",
    "Temporal Image Classification": "closed_vqa",
    "Temporal Disease Change Detection": "closed_vqa",
}
"""Task -> the kind that takes any answer of it."""


@dataclass(frozen=True)
class Result:
    """One completion of a record."""

    sample: Sample
    text: str
    error: str
    number: int
    """Which completion of its question it is, from 0."""


def read_file(uri: str) -> Any:
    """The records of a file as a list, or its object where it is one without `response`.

    Raises:
        ChexoneError: the file is neither JSON nor JSON-lines of objects.
    """
    data = storage.read_bytes(uri)
    lines = [line for line in data.splitlines() if line.strip()]
    if not lines:
        raise ChexoneError(f"{uri} is empty: check the URI")
    if data.lstrip()[:1] == b"[" or not _is_object(lines[0]):
        value = parse(data, uri)
    elif len(lines) == 1 and not RECORD & (found := parse(data, uri)).keys():
        return found
    else:
        value = [_line(line, number, uri) for number, line in enumerate(lines, 1)]
    if isinstance(value, list):
        if not all(isinstance(one, dict) for one in value):
            raise ChexoneError(f"{uri} holds entries that are no objects: check the file")
        if value and not any("response" in one for one in value):
            raise ChexoneError(f"{uri}: no record has a `response`: write the texts under that key")
    return value


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _line(line: bytes, number: int, uri: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ChexoneError(f"{uri}: line {number} is no JSON ({error}): check the file") from None


def results(records: Sequence[Mapping[str, Any]], kind: str | None, uri: str) -> list[Result]:
    """The completions of records by their own answers. Repeats of a `unique_id` ([repeat0] ...) are
    completions of one question; other records of one name are questions of their own.

    Raises:
        ChexoneError: a record without question or answer, of a task that is not known, or a repeat
            that is there twice.
    """
    found = []
    times: dict[str, int] = {}
    repeats: set[tuple[str, int]] = set()
    for at, record in enumerate(records):
        name, number = name_of(record, at)
        sample = _sample(record, name, kind, f"{uri}: record {at + 1}")
        if number is None:
            seen = times.get(name, 0)
            times[name] = seen + 1
            sample = replace(sample, id=f"{name} ({seen + 1})") if seen else sample
        elif (name, number) in repeats:
            raise ChexoneError(f"{uri}: repeat {number} of {name} is there twice: keep one")
        else:
            repeats.add((name, number))
        text, error = response_of(record, f"{uri}: record {at + 1}")
        found.append(Result(sample, text, error, number or 0))
    return found


def name_of(record: Mapping[str, Any], at: int) -> tuple[str, int | None]:
    """Name of the question, and which of its repeats a record is, None where it tells none."""
    name = str(record.get("id") or record.get("unique_id") or f"record {at + 1}")
    repeat = _REPEAT.search(name)
    return _REPEAT.sub("", name), int(repeat.group(1)) if repeat else None


def response_of(record: Mapping[str, Any], place: str) -> tuple[str, str]:
    """(text, error): a script's own error is no answer, nor is null or no field.

    Raises:
        ChexoneError: the response is something else than a text.
    """
    told = record.get("response")
    if told is not None and not isinstance(told, str):
        raise ChexoneError(f"{place}: response is no text: write it as one, or null for none")
    if told is None or not told.strip():
        return "", "import: no response"
    return ("", "import: the script failed") if FAILED.match(told) else (told, "")


def _sample(record: Mapping[str, Any], name: str, kind: str | None, place: str) -> Sample:
    question = _turn(record, USER) or str(record.get("question") or "").rstrip()
    if not question:
        raise ChexoneError(f"{place} has no user turn in messages and no question: check the file")
    for suffix in _SUFFIXES:
        question = question.removesuffix(suffix).rstrip()
    question = question.replace("<image>", "").strip()
    answer = _right(record, place)
    options = options_of(question) or _given(record.get("options"), place)
    task = str(record.get("task_name") or _told(name)[0])
    known = kind or kind_of(task, answer, options)
    if known not in KINDS:
        told = f"task_name {task!r} is not known" if task else "no task_name tells the kind"
        raise ChexoneError(f"{place}: {told}: give kind")
    _, dataset, study = _told(name)
    images = _images(record)
    return Sample(
        id=name,
        dataset=dataset or "results",
        task=task or KINDS[known].task,
        kind=known,
        split="test",
        patient=_patient(record, images) or study,
        study=study,
        images=tuple(ImageRef(image) for image in images),
        question=question,
        answer=answer,
        options=options,
        boxes=tuple(boxes.decode(answer)) if form(known) == "boxes" else (),
        reference=answer if form(known) in ("report", "text") else "",
    )


def kind_of(task: str, answer: str, options: Sequence[str]) -> str:
    """The kind of a record by its options and task, empty for a task that is not known."""
    task = task.replace("_", " ")
    if options:
        several = len(chosen_options(answer, tuple(options))) > 1
        return "multi_choice" if several else "closed_vqa"
    return _OF_TASK.get(task, "")


def is_open(sample: Sample) -> bool:
    """True for a question of a closed kind without options, and without few classes instead."""
    return form(sample.kind) == "options" and not sample.options and not classes_of(sample)


def options_of(question: str) -> tuple[str, ...]:
    """The options that a question shows, as "(A) text"; none where it shows none.

    Behind "Options:" or "Choices:" the lines with a key, or in one line "(a) PA, (b) AP" and
    "A. PA B. AP". Without a heading the lines at the end, keyed A, B and so on as `prepare` writes
    them: numbered lines may be a report.
    """
    head = _HEADING.search(question)
    behind = question[head.end() :] if head else ""
    found = _lines(behind.splitlines())
    if len(found) < 2:
        for pattern in _IN_LINE:
            pairs = pattern.findall(" ".join(behind.split()))
            if len(pairs) > 1:
                found = [(mark.strip("(.:)"), text) for mark, text in pairs]
                break
    if len(found) < 2:  # "of the choices: p. 4" shows none
        ending = [*takewhile(_OPTION.match, reversed(question.splitlines()))]
        found = _lines(reversed(ending))
        if len(found) < 2 or [key.upper() for key, _ in found] != [*LETTERS[: len(found)]]:
            return ()
    return _written(found)


def _lines(lines: Iterable[str]) -> list[tuple[str, str]]:
    """(key, text) of the lines that are an option."""
    return [(option[1], option[2]) for line in lines if (option := _OPTION.match(line))]


def _written(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"({key}) {text}" for key, text in pairs)


def _given(told: Any, place: str) -> tuple[str, ...]:
    """The options of a record's own field: {key: text}, or a list, lettered where it is not.

    Raises:
        ChexoneError: there are more than letters.
    """
    if isinstance(told, dict) and all(isinstance(text, str) for text in told.values()):
        return _written(told.items())
    texts = [str(one).strip() for one in told] if isinstance(told, list) else []
    keyed = _lines(texts)
    if len(keyed) == len(texts):
        return _written(keyed)
    if len(texts) > len(LETTERS):
        raise ChexoneError(
            f"{place} has {len(texts)} options, more than there are letters: give them as "
            "{key: text}"
        )
    return _written(zip(LETTERS, texts, strict=False))


def _told(name: str) -> tuple[str, str, str]:
    """(task, data set, study) of a `unique_id`, whose bracketed parts stand in either order."""
    parts = _BRACKETS.findall(name)
    task = next((part for part in parts if part.replace("_", " ") in _OF_TASK), "")
    rest = [part for part in parts if part != task]
    return task, rest[0] if len(rest) > 1 else "", rest[-1] if rest else name


def _turn(record: Mapping[str, Any], roles: Sequence[str]) -> str:
    """The last turn of such a role; turns are written in either of two ways."""
    given = record.get("messages")
    turns: list[Any] = given if isinstance(given, list) else []
    for turn in reversed(turns):
        if isinstance(turn, dict) and (turn.get("role") or turn.get("from")) in roles:
            told = turn.get("content", turn.get("value"))
            return told if isinstance(told, str) else ""
    return ""


def _right(record: Mapping[str, Any], place: str) -> str:
    """The right answer, out of its box or tags where it has some: a reference may be what a model
    is taught to say. The assistant turn is one only in an input record, which has no `labels` and
    whose turn is not the response.

    Raises:
        ChexoneError: there is none, or it could not be read.
    """
    given = (record.get(field) for field in _RIGHT)
    told = next((one for one in given if isinstance(one, str) and one.strip()), "")
    if not told:
        turn = _turn(record, ASSISTANT).strip()
        told = turn if turn != str(record.get("response") or "").strip() else ""
    if not told:
        raise ChexoneError(
            f"{place} has no {', '.join(_RIGHT)} or assistant turn: give manifest_uri, whose rows "
            "have answers"
        )
    answer = answers.parse(told, "instruct", "tags").answer
    if answer is None:
        raise ChexoneError(
            f"{place}: no answer could be read of its right answer, whose box or tags are not "
            "closed or empty: mend it"
        )
    return answer


def _images(record: Mapping[str, Any]) -> list[str]:
    given = record.get("images", record.get("image_path")) or []
    given = given if isinstance(given, list) else [given]
    paths = (one.get("path") if isinstance(one, dict) else one for one in given)
    return [path for path in paths if isinstance(path, str) and path]


def _patient(record: Mapping[str, Any], images: Sequence[str]) -> str:
    """Named by the record, or a folder of MIMIC-CXR's or CheXpert's; empty where nothing tells."""
    told = record.get("patient") or record.get("subject_id")
    if told:
        return str(told)
    found = (_PATIENT.search(image) for image in images)
    return next((match.group(1) for match in found if match), "")
