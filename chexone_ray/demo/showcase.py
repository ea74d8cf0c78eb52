"""Result files -> what the report page shows: films, curves, histograms and question cards."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any, TypeVar

from chexone_ray import images, storage
from chexone_ray.config import ImageConfig
from chexone_ray.demo.recipe import Configs, Recipe
from chexone_ray.demo.report import Content
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.evaluation.predictions import read_rows
from chexone_ray.figures import answered
from chexone_ray.figures.answered import STATUS, Asked
from chexone_ray.figures.charts import Spread
from chexone_ray.figures.page import Card, Film, Said
from chexone_ray.figures.runs import find
from chexone_ray.kinds import spoken
from chexone_ray.records import Box, Sample, sample_from_row

CARDS_PER_KIND = 3
NUM_FILMS = 8
FILMS_FROM = 24
"""Questions for boxes that the sample films are chosen from, so that all labels occur."""
NUM_REAL = 12
NUM_REFUSED = 6
REFUSED = {
    "modality": "no chest X-ray",
    "body_part": "no chest X-ray",
    "undecodable": "cannot be decoded",
    "truncated": "ends before its data is complete",
    "not_an_image": "no image",
}
"""Reason code of an image -> what the page says; others are shown as they are."""
TRAINED = ("SFT", "GRPO")
"""Whose answers are shown: the base model has not learned to answer."""
DRAWN = "GRPO"
"""Whose boxes are on the films."""

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]
T = TypeVar("T")


def content(
    configs: Configs, recipe: Recipe, results: Mapping[str, Mapping[str, Any]], summary: Row
) -> Content:
    """Everything of one run for `demo.report.render`."""
    evaluation = find([configs.evaluate().output_uri])
    examples, boxed = chosen(answered.choose(evaluation, FILMS_FROM, TRAINED)[0])
    report = storage.read_json(storage.join(configs.filter().output_uri, "report.json"))
    rows = read_rows(configs.real(".").output_uri) if results["predict-grpo"]["real"] else []
    real_cards, selection = real(rows)
    return Content(
        title="chexone-ray demo" + (" (quick)" if summary["quick"] else ""),
        summary=summary,
        films=[_sample_film(item) for item in boxed],
        sft=_metric_rows(configs.sft().output_uri),
        grpo=_metric_rows(configs.grpo().output_uri),
        histograms={
            kind: _spread(table, report["bin_width"]) for kind, table in report["kinds"].items()
        },
        cut=float(recipe.filter.get("min_std", 0.0)),
        cards=[card(item) for item in examples],
        real_cards=real_cards,
        real_selection=selection,
        drawn=summary["figures"],
        skipped=results["figures"]["skipped"],
    )


def _spread(table: Row, width: float) -> Spread:
    edges = [width * i for i in range(len(table["bins"]) + 1)]
    return Spread(table["zero"], edges, table["bins"], table["kept"])


def _metric_rows(output_uri: str) -> list[dict[str, float]]:
    text = storage.read_bytes(storage.join(output_uri, "metrics.jsonl")).decode()
    return [json.loads(line) for line in text.splitlines()]


def chosen(asked: Sequence[Asked]) -> tuple[list[Asked], list[Asked]]:
    """The first questions of each kind, and others whose boxes the sample films show, each label in
    turn."""
    by_kind: dict[str, list[Asked]] = {}
    for item in asked:
        by_kind.setdefault(item.kind, []).append(item)
    examples = [item for of_kind in by_kind.values() for item in of_kind[:CARDS_PER_KIND]]
    by_label: dict[str, list[Asked]] = {}
    for item in by_kind.get("grounding", [])[CARDS_PER_KIND:]:
        if item.boxes:
            by_label.setdefault(item.boxes[0].label, []).append(item)
    return examples, list(_in_turn(by_label.values()))[:NUM_FILMS]


def card(item: Asked) -> Card:
    """A question with its films, the reference and what each system answered."""
    said = {
        model: Said(answer.reasoning, answer.text, answer.right, answer.verdict)
        for model, answer in item.answers.items()
    }
    return Card(_films(item), item.question, item.reference, said, spoken(item.kind))


def _sample_film(item: Asked) -> Film:
    return _films(item, f"{item.boxes[0].label}: {item.answers[DRAWN].verdict}")[0]


def _films(item: Asked, caption: str = "") -> tuple[Film, ...]:
    said = item.answers[DRAWN].boxes
    found = []
    for at, (image, read) in enumerate(zip(item.images, answered.films(item.images), strict=True)):
        role = "prior, " if image.role == "prior" else ""
        reference, predicted = (
            tuple(box for box in boxes if box.image == at) for boxes in (item.boxes, said)
        )
        found.append(_film(read, caption or f"{role}{image.view}", reference, predicted))
    return tuple(found)


def _film(read: answered.Film, caption: str, *boxes: tuple[Box, ...]) -> Film:
    if read.pixels is None:
        return Film(b"", 1, 1, ": ".join(filter(None, (caption, read.problem))))
    height, width = read.pixels.shape[:2]
    return Film(images.to_png(read.pixels), width, height, caption, *boxes)


def _in_turn(groups: Iterable[Sequence[T]]) -> Iterator[T]:
    for turn in zip_longest(*groups):
        yield from (item for item in turn if item is not None)


def real(rows: Sequence[Row]) -> tuple[list[Card], str]:
    """Cards of real films, all folders and file types in turn, then of those without an answer, all
    reasons in turn; and a sentence that says which these are."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if not row["error"]:
            path = PurePosixPath(row["id"])
            groups.setdefault((path.parts[0], path.suffix.lower()), []).append(row)
    found = list(_in_turn(groups.values()))
    reasons: dict[str, list[Row]] = {}
    for row in rows:
        if row["error"]:
            reasons.setdefault(row["error"], []).append(row)
    refused = list(_in_turn(reasons.values()))
    shown = [*found[:NUM_REAL], *refused[:NUM_REFUSED]]
    told = f"Shown: {min(NUM_REAL, len(found))} of {len(found)} films that were answered"
    if len(found) > NUM_REAL:
        told += ", the first of each folder and file type, then the second, and so on"
    if refused:
        told += f"; {min(NUM_REFUSED, len(refused))} of {len(refused)} files that were not"
    return [_real_card(row) for row in shown], f"{told}."


def _real_card(row: Row) -> Card:
    sample = sample_from_row(row)
    path = PurePosixPath(row["id"])
    name = f"{path.name}, from {path.parent}"
    if row["error"]:
        word = "refused" if row["error"].startswith("image: ") else "failed"
        why = Said("", _refusal(sample, row["error"]))
        return Card((), sample.question, "", {word: why}, name=name)
    text = row["predicted_answer"]
    shown = answered.shown(text) if text else f"({STATUS['unparsed']})"
    said = Said(answered.shown(row["predicted_reasoning"]), shown)
    films = [
        _film(read, image.view)
        for image, read in zip(sample.images, answered.films(sample.images), strict=True)
    ]
    return Card(tuple(films), sample.question, "", {"untrained on real images": said}, name=name)


def _reason(code: str) -> str:
    return REFUSED.get(code, code.replace("_", " "))


def _refusal(sample: Sample, error: str) -> str:
    """Why a file was not answered; reads it again, as predictions hold the reason code only."""
    code = error.removeprefix("image: ")
    said = _reason(code)
    if not error.startswith("image: "):
        return error
    try:
        for image in sample.images:
            images.decode(storage.read_bytes(image.uri), ImageConfig())
    except ImageError as found:
        return f"{said} ({found.message})" if found.reason == code else said
    except ChexoneError:
        logger.info("a refused film is gone, so the page tells only that it was refused")
    return said
