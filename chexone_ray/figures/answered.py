"""Questions with what every system answered, out of an evaluation's rows or out of predictions."""

from __future__ import annotations

import hashlib
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import numpy as np

from chexone_ray import boxes, images, storage
from chexone_ray.config import ImageConfig
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.evaluation.predictions import read_rows, status_of
from chexone_ray.figures.page import readable
from chexone_ray.figures.plates import Skip
from chexone_ray.figures.runs import ROWS, TABLE, Run, Runs, in_order, rows, scores
from chexone_ray.kinds import form
from chexone_ray.records import Box, ImageRef

logger = logging.getLogger(__name__)

SHOWN = ImageConfig(max_pixels=392 * 392, min_pixels=224 * 224, body_part="any")
"""Larger than a film is printed at; the rows say already what could not be answered."""
RIGHT_IOU = 0.5
STATUS = {
    "answered": "",
    "unparsed": "no answer could be read",
    "refused": "refused to answer",
    "failed": "the request failed",
}
NO_ANSWER = frozenset(STATUS.values()) - {""}
_LIGHT = ("model", "setting", "kind", "dataset", "id", "patient", "status", "scores")
_FULL = (
    *_LIGHT,
    *("topic", "question", "options", "answer", "predicted_answer", "predicted_reasoning"),
    *("text", "error"),
    *("boxes", "predicted_boxes", "images"),
)
LABELS_TOLD = "Label F1 counts which findings are stated: it sees neither their sides nor sizes."
Key = tuple[str, str, str]
"""Setting, data set, id."""


@dataclass(frozen=True)
class Answer:
    """What one system said; `text` is all of it, or the error, where it is no answer. `right` is
    None where an answer is right by degrees."""

    text: str
    reasoning: str
    boxes: tuple[Box, ...]
    right: bool | None
    verdict: str
    """A word or two, such as "wrong, IoU 0.31"; empty where nothing judges it."""


@dataclass(frozen=True)
class Asked:
    """One question with all answers, by system."""

    setting: str
    kind: str
    topic: str
    id: str
    question: str
    options: tuple[str, ...]
    reference: str
    boxes: tuple[Box, ...]
    images: tuple[ImageRef, ...]
    answers: Mapping[str, Answer]


@dataclass(frozen=True)
class Film:
    """Pixels (H, W, 3), uint8, and the SHA-256 of the file; or why there are none."""

    pixels: np.ndarray[Any, Any] | None
    digest: str = ""
    problem: str = ""


def choose(
    runs: Runs, per_kind: int, systems: Sequence[str] = ()
) -> tuple[list[Asked], tuple[str, ...]]:
    """Up to `per_kind` questions of every setting and kind, and the files that they are from.

    Those whose answers differ in being right, those all wrong and those all right come in turn, in
    an order that the ids alone fix, each of another patient while there are any. Of an evaluation
    the answers of `systems` alone count, where any are named.
    """
    evaluations = runs.of("evaluation")
    if evaluations:
        asked = [item for run in evaluations for item in _of_evaluation(run, per_kind, systems)]
        return asked, tuple(run.file(name) for run in evaluations for name in (TABLE, ROWS))
    given = runs.need("no evaluation and no predictions are given", "predictions")
    parts = [part for run in given for part in storage.list_files(run.uri, ".parquet")]
    return _of_predictions(given, per_kind), tuple(parts)


def headlines(run: Run) -> dict[tuple[str, str], str]:
    """(setting, kind) -> the metric that judges its answers."""
    table = [score for score in scores([run]) if score.headline and not score.topic]
    return {(score.setting, score.kind): score.metric for score in table}


def judge(kind: str, metric: str, status: str, found: Mapping[str, float]) -> tuple[Any, str]:
    """(right or None, words) of a row by its own scores.

    A choice is right with a score of 1, boxes with an IoU of 0.5 or more, no box where none
    belongs; other answers are right by degrees, so their score is told.
    """
    if status != "answered":
        return False, STATUS.get(status, status)
    value = found.get(metric)
    sort = form(kind)
    if sort == "options":
        # A recall averaged over classes has no value of a row by itself; its accuracy may.
        value = next((found[n] for n in (metric, "accuracy", *found) if n in found), None)
        return (None, "") if value is None else _said(value >= 1.0)
    if sort == "boxes":
        overlap = next((found[name] for name in found if is_overlap(name)), None)
        if overlap is not None:
            return _said(overlap >= RIGHT_IOU, f", IoU {overlap:.2f}")
        return (None, "") if "specificity" not in found else _said(found["specificity"] >= 1.0)
    return (None, "") if value is None else (None, f"{metric} {value:.2f}")


def of_labels(item: Asked) -> bool:
    """True where `LABELS_TOLD` belongs to a verdict."""
    return any(answer.verdict.startswith("label F1") for answer in item.answers.values())


def is_overlap(metric: str) -> bool:
    """True for a metric that is an IoU itself, nothing that is counted from a threshold on."""
    return metric.startswith(("mean IoU", "mIoU"))


def _said(right: bool, more: str = "") -> tuple[bool, str]:
    return right, ("correct" if right else "wrong") + more


def films(refs: Iterable[ImageRef]) -> list[Film]:
    """Films as they are shown; what one lacks is told in its place, not raised.

    A storage that does not answer is asked once: results are often drawn far from their films.
    """
    silent: set[str] = set()
    found = []
    for ref in refs:
        bucket = re.search(r"\w+://[^/]+", ref.uri)
        place = bucket[0] if bucket else "the disk"
        if place not in silent:
            try:
                found.append(_film(ref))
                continue
            except ChexoneError:
                _warn(place)
                silent.add(place)
        found.append(Film(None, problem=f"no film: {place} does not answer"))
    return found


@lru_cache(maxsize=64)
def _warn(place: str) -> None:
    """Once a storage: every figure of films asks it anew."""
    remedy = (
        "set AWS_ENDPOINT_URL and the keys of its server (`python -m chexone_ray.s3_server FOLDER` "
        "serves a local folder and prints them)"
        if place.startswith("s3://")
        else "check that it is there and may be read"
    )
    logger.warning("%s does not answer, frames stand in for its films: %s", place, remedy)


def _film(ref: ImageRef) -> Film:
    data = storage.read_if_there(ref.uri)
    if data is None:
        return Film(None, problem="the film is not there any more")
    digest = hashlib.sha256(data).hexdigest()
    try:
        return Film(images.decode(data, SHOWN).pixels, digest)
    except ImageError as error:
        return Film(None, digest, f"the film cannot be shown: {error.reason}")


def parted(question: str, options: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The question without the options that most carry in their text, and the options.

    The question as it is and no options where its text has them in a sentence.
    """
    if not options or options[0] not in question:
        return question, tuple(options)
    listed = re.search(r"[\s;,]*".join(map(re.escape, options)), question)
    if listed is None:
        return question, ()
    rest = (question[: listed.start()].strip(), question[listed.end() :].strip())
    return "\n".join(part for part in rest if part), tuple(options)


def shown(text: str | None) -> str:
    """A text for readers: boxes spelt out, what cannot be printed as one mark."""
    kept = (letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text or "")
    return readable("".join(kept))


# --- out of an evaluation ------------------------------------------------------------------------


def _of_evaluation(run: Run, per_kind: int, systems: Sequence[str]) -> list[Asked]:
    import pyarrow.compute as pc

    metrics = headlines(run)
    of_systems = pc.field("model").isin(list(systems)) if systems else pc.scalar(True)
    light = rows(run, _LIGHT, of_systems)
    by_kind: dict[tuple[str, str], dict[Key, list[dict[str, Any]]]] = defaultdict(dict)
    for row in light:
        key = (row["setting"], row["dataset"], row["id"])
        by_kind[row["setting"], row["kind"]].setdefault(key, []).append(row)
    chosen = [
        key for where, asked in by_kind.items() for key in pick(asked, metrics, where, per_kind)
    ]
    found: dict[Key, list[dict[str, Any]]] = {key: [] for key in chosen}
    of_chosen = pc.field("id").isin([key[2] for key in chosen])
    for row in rows(run, _FULL, of_systems & of_chosen):
        key = (row["setting"], row["dataset"], row["id"])
        if key in found:
            found[key].append(row)
    return [_asked(of, metrics) for of in found.values()]


def pick(
    asked: Mapping[Key, Sequence[Mapping[str, Any]]],
    metrics: Mapping[tuple[str, str], str],
    where: tuple[str, str],
    per_kind: int,
) -> list[Key]:
    """Which of the questions of one setting and kind are shown, in their order; see `choose`."""
    groups: dict[str, list[Key]] = {"differ": [], "wrong": [], "right": [], "": []}
    for key in sorted(asked, key=lambda key: hashlib.sha256("/".join(key).encode()).digest()):
        judged = {
            judge(where[1], metrics.get(where, ""), row["status"], dict(row["scores"] or ()))[0]
            for row in asked[key]
        }
        known = judged - {None}
        name = (
            ""
            if not known
            else "differ"
            if len(known) > 1
            else "right"
            if known == {True}
            else "wrong"
        )
        groups[name].append(key)
    in_turn = [key for turn in zip_longest(*groups.values()) for key in turn if key is not None]
    return _other_patients(in_turn, {key: asked[key][0]["patient"] for key in asked}, per_kind)


def _other_patients(keys: Sequence[Key], patient: Mapping[Key, str], most: int) -> list[Key]:
    seen: set[str] = set()
    first: list[Key] = []
    again: list[Key] = []
    for key in keys:
        (again if patient[key] in seen else first).append(key)
        seen.add(patient[key])
    return [*first, *again][:most]


def _asked(of: Sequence[Mapping[str, Any]], metrics: Mapping[tuple[str, str], str]) -> Asked:
    answers = {}
    for row in of:
        metric = metrics.get((row["setting"], row["kind"]), "")
        right, word = judge(row["kind"], metric, row["status"], dict(row["scores"] or ()))
        answers[row["model"]] = Answer(
            *_words(row, row["status"]),
            _boxes(row["predicted_boxes"]),
            right,
            word,
        )
    row = of[0]
    return Asked(
        row["setting"],
        row["kind"],
        row["topic"],
        row["id"],
        shown(row["question"]),
        tuple(row["options"] or ()),
        shown(row["answer"]),
        _boxes(row["boxes"]),
        tuple(ImageRef(**image) for image in row["images"] or ()),
        answers,
    )


def _words(row: Mapping[str, Any], status: str) -> tuple[str, str]:
    """(text, reasoning) for readers; what was written is all that there is without an answer."""
    if status != "answered":
        return shown(row["text"] or row["error"]), ""
    return shown(row["predicted_answer"]), shown(row["predicted_reasoning"])


def _boxes(found: Iterable[Mapping[str, Any]] | None) -> tuple[Box, ...]:
    return tuple(
        Box(box["label"], tuple(float(v) for v in box["xyxy"]), int(box["image"]))  # type: ignore[arg-type]
        for box in found or ()
    )


# --- out of predictions alone --------------------------------------------------------------------


def _of_predictions(given: Sequence[Run], per_kind: int) -> list[Asked]:
    """Questions that all were asked, not judged, as judging is the evaluation's."""
    by_model = {
        run.name: {
            (row["dataset"], row["id"]): row for row in read_rows(run.uri) if row["completion"] == 0
        }
        for run in given
    }
    common = set.intersection(*(set(found) for found in by_model.values()))
    if not common:
        raise Skip("the predictions have no question in common")
    first = next(iter(by_model.values()))
    asked: dict[str, dict[Key, list[Mapping[str, Any]]]] = defaultdict(dict)
    for key in first:
        if key in common:
            asked[first[key]["kind"]]["", *key] = [first[key]]
    chosen = []
    for kind in in_order(asked):
        plain = {
            key: [dict(of[0], status="answered", scores=None)] for key, of in asked[kind].items()
        }
        chosen += pick(plain, {}, ("", kind), per_kind)
    return [
        _from_predictions({m: rows_[key[1:]] for m, rows_ in by_model.items()}) for key in chosen
    ]


def _from_predictions(of: Mapping[str, Mapping[str, Any]]) -> Asked:
    row = next(iter(of.values()))
    boxed = form(row["kind"]) == "boxes"
    answers = {}
    for model, said in of.items():
        text, status = said["predicted_answer"], status_of(said)
        drawn = tuple(boxes.decode(text)) if boxed and text else ()
        answers[model] = Answer(
            *_words(said, status),
            drawn,
            None if status == "answered" else False,
            STATUS[status],
        )
    return Asked(
        "",
        row["kind"],
        row.get("topic") or "",
        row["id"],
        shown(row["question"]),
        tuple(row["options"] or ()),
        shown(row["answer"]),
        _boxes(row["boxes"]),
        tuple(ImageRef(**image) for image in row["images"] or ()),
        answers,
    )
