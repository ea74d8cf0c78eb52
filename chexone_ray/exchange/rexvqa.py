"""ReXVQA: predictions -> {question: letter}, in the letters of the data set's own options.

`prepare` shuffles the options of a question, so a letter means something only together with the
options as they were shown: answers are carried over by the text of the option.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chexone_ray import storage
from chexone_ray.answers import chosen_options
from chexone_ray.config import RexvqaExportConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.predictions import read_rows
from chexone_ray.exchange.json_text import read_object
from chexone_ray.records import Sample

logger = logging.getLogger(__name__)

KIND = "closed_vqa"
LETTERS = "ABCDEFGHIJ"
_LETTERED = re.compile(r"^\(?([A-Z])\s*[.:)]\s*")


def read_questions(uri: str) -> dict[str, dict[str, str]]:
    """Question -> letter -> option text, of ReXVQA's own JSON; right answers are not needed.

    A question without different options, which `prepare` leaves out too, has none here. Raises
    ChexoneError where no question has any.
    """
    found = {}
    for key, entry in read_object(uri, "questions").items():
        options = entry.get("options")
        texts = [
            _LETTERED.sub("", " ".join(str(option).split()))
            for option in (options if isinstance(options, list) else ())
        ]
        usable = 2 <= len({one.lower() for one in texts}) == len(texts) <= len(LETTERS)
        found[key] = dict(zip(LETTERS, texts, strict=False)) if usable else {}
    if not any(found.values()):
        raise ChexoneError(f"{uri} has no question with different options: check the file")
    return found


def question_of(row_id: str) -> str:
    """The data set's name of a question in the id of a row, or empty."""
    parts = row_id.split(f"/{KIND}/", 1)
    return parts[1] if len(parts) == 2 else ""


def shown(options: Mapping[str, str] | tuple[str, ...]) -> dict[str, str]:
    """Letter -> text of options as a row shows them, "(A) text"."""
    found = (_LETTERED.match(option) for option in options)
    return {m.group(1): m.string[m.end() :] for m in found if m}


def letter(answer: str, options: tuple[str, ...], own: Mapping[str, str]) -> str:
    """The data set's letter of the one option that an answer names; empty for none or several."""
    texts = shown(options)
    named = [texts[key] for key in chosen_options(answer, options) if key in texts]
    if len(named) != 1:
        return ""
    folded = named[0].lower()
    return next((key for key, option in own.items() if option.lower() == folded), "")


def export(config: RexvqaExportConfig) -> str:
    """Write {question: letter} for every question of the file, in its order; returns the URI.

    Raises:
        ChexoneError: a question without a prediction or with no one known option, or a prediction
            of a question that is not in the file.
    """
    questions = read_questions(config.questions_uri)
    told: dict[str, str] = {}
    for row in read_rows(config.predictions_uri):
        if row["completion"]:
            continue
        name = question_of(row["id"])
        if name not in questions:
            raise ChexoneError(
                f"{config.predictions_uri}: row {row['id']} is of no question of "
                f"{config.questions_uri}: predict on the test split of that file"
            )
        if name in told:
            raise ChexoneError(f"{config.predictions_uri}: {name} is answered twice")
        answer = row["predicted_answer"] or ""
        told[name] = letter(answer, tuple(row["options"] or ()), questions[name])
    answers = {name: told.get(name, "") for name in questions}
    without = [name for name, value in answers.items() if not value]
    if without and config.unanswered == "refuse":
        raise ChexoneError(
            f"{config.predictions_uri}: {len(without)} of {len(questions)} questions have no "
            f"option, the first is {without[0]}: set unanswered=empty to write them as wrong"
        )
    storage.write_json(config.output_uri, answers)
    logger.info("%d questions, %d without an option", len(answers), len(without))
    return config.output_uri


def answers_as_shown(
    letters: Mapping[str, Any], samples: Mapping[str, Sample], questions_uri: str
) -> Iterator[tuple[Sample, str]]:
    """Samples with the option that each answer of a {question: letter} file stands for, as our
    rows letter it; an empty text for no letter.

    Questions of the file that the manifest does not ask are passed over, and counted.

    Raises:
        ChexoneError: a letter that is no option, or a question that is not in the file.
    """
    questions = read_questions(questions_uri)
    by_name = {question_of(sample.id): sample for sample in samples.values()}
    passed = sum(name not in by_name for name in letters)
    if passed:
        logger.warning("%d of %d answers are of no row of the manifest", passed, len(letters))
    for name, value in letters.items():
        if name not in questions:
            raise ChexoneError(f"{name} is no question of {questions_uri}: check questions_uri")
        if name not in by_name:
            continue
        key = str(value or "").strip().strip("().").upper()
        if key and key not in questions[name]:
            raise ChexoneError(f"{name}: {value!r} is none of {', '.join(questions[name])}")
        sample = by_name[name]
        text = questions[name].get(key, "").lower()
        own = (a for a, option in shown(sample.options).items() if key and option.lower() == text)
        yield sample, next(own, "")
