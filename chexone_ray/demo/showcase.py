"""Result files -> what the report page shows: films, curves, histograms and question cards."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any

from chexone_ray import boxes, images, storage
from chexone_ray.config import ImageConfig
from chexone_ray.demo.recipe import Configs, Recipe
from chexone_ray.demo.report import Content
from chexone_ray.demo.verdict import verdict
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.evaluation.predictions import read_rows
from chexone_ray.figures.charts import Spread
from chexone_ray.figures.page import Card, Film, Said, readable
from chexone_ray.kinds import spoken
from chexone_ray.records import Sample, sample_from_row

NUM_FILMS = 8
CARDS_PER_KIND = 2
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
SHOWN = ImageConfig(max_pixels=512 * 512, min_pixels=300 * 300)
"""Films are shown larger than the model sees them."""

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]


def content(
    configs: Configs, recipe: Recipe, results: Mapping[str, Mapping[str, Any]], summary: Row
) -> Content:
    """Everything of one run for `demo.report.render`."""
    greedy = {
        model: {row["id"]: row for row in read_rows(configs.predict(model).output_uri)}
        for model in ("SFT", "GRPO")
    }
    report = storage.read_json(storage.join(configs.filter().output_uri, "report.json"))
    real = read_rows(configs.real(".").output_uri) if results["predict-grpo"]["real"] else []
    real_cards, selection = _real(real)
    seen: set[str] = set()
    return Content(
        title="chexone-ray demo" + (" (quick)" if summary["quick"] else ""),
        summary=summary,
        films=_films(greedy["GRPO"], seen),
        sft=_metric_rows(configs.sft().output_uri),
        grpo=_metric_rows(configs.grpo().output_uri),
        histograms={
            kind: _spread(table, report["bin_width"]) for kind, table in report["kinds"].items()
        },
        cut=float(recipe.filter.get("min_std", 0.0)),
        cards=_held_out(greedy, seen),
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


def _film(uri: str, caption: str, **drawn: Any) -> Film:
    try:
        picture = images.decode(storage.read_bytes(uri), SHOWN)
    except ImageError as error:
        said = f"cannot be shown: {_reason(error.reason)}"
        return Film(b"", 1, 1, ": ".join(filter(None, (caption, said))))
    height, width = picture.pixels.shape[:2]
    return Film(images.to_png(picture.pixels), width, height, caption, **drawn)


def _sample_films(sample: Sample, row: Row) -> tuple[Film, ...]:
    predicted = tuple(boxes.decode(row["predicted_answer"] or ""))
    films = []
    for at, image in enumerate(sample.images):
        role = "prior, " if image.role == "prior" else ""
        drawn = (
            {"reference": tuple(b for b in sample.boxes if b.image == at), "predicted": predicted}
            if len(sample.images) == 1
            else {}
        )
        films.append(_film(image.uri, f"{role}{image.view}", **drawn))
    return tuple(films)


def _films(rows: Mapping[str, Row], seen: set[str]) -> list[Film]:
    """Grounding films, each label in turn, of other patients than those in `seen`; adds theirs."""
    by_label: dict[str, list[Row]] = {}
    for row in rows.values():
        if row["kind"] == "grounding" and row["boxes"]:
            by_label.setdefault(row["boxes"][0]["label"], []).append(row)
    chosen: list[Row] = []
    for row in _in_turn(by_label.values()):
        if row["patient"] not in seen and len(chosen) < NUM_FILMS:
            seen.add(row["patient"])
            chosen.append(row)
    films = []
    for row in chosen:
        sample = sample_from_row(row)
        (film,) = _sample_films(sample, row)
        _, word = verdict(sample, row["predicted_answer"])
        films.append(replace(film, caption=f"{sample.boxes[0].label}: {word}"))
    return films


def _in_turn(groups: Iterable[Sequence[Row]]) -> Iterator[Row]:
    for turn in zip_longest(*groups):
        yield from (row for row in turn if row is not None)


def choose(rows: Mapping[str, Row], seen: set[str]) -> list[Row]:
    """The first questions of each kind, each of a patient not in `seen` while there are any."""
    by_kind: dict[str, list[Row]] = {}
    for row in rows.values():
        by_kind.setdefault(row["kind"], []).append(row)
    seen = set(seen)
    chosen: list[Row] = []
    for kind in sorted(by_kind):
        of_kind = by_kind[kind]
        for _ in range(min(CARDS_PER_KIND, len(of_kind))):
            left = [row for row in of_kind if row not in chosen]
            row = next((row for row in left if row["patient"] not in seen), left[0])
            seen.add(row["patient"])
            chosen.append(row)
    return chosen


def _held_out(greedy: Mapping[str, Mapping[str, Row]], seen: set[str]) -> list[Card]:
    cards = []
    for row in choose(greedy["GRPO"], seen):
        sample = sample_from_row(row)
        said = {model: _said(rows[sample.id], sample) for model, rows in greedy.items()}
        films = _sample_films(sample, row)
        answer = readable(sample.answer)
        cards.append(Card(films, readable(sample.question), answer, said, spoken(sample.kind)))
    return cards


def _said(row: Row, sample: Sample | None = None) -> Said:
    """`sample` where the answer can be judged."""
    answer = row["predicted_answer"]
    right, word = verdict(sample, answer) if sample else (None, "")
    shown = readable(answer) if answer else "(no answer could be read)"
    return Said(readable(row["predicted_reasoning"]), shown, right, word)


def _real(rows: Sequence[Row]) -> tuple[list[Card], str]:
    """Cards of real films, all folders and file types in turn, then of those without an answer, all
    reasons in turn; and a sentence that says which these are."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if not row["error"]:
            path = PurePosixPath(row["id"])
            groups.setdefault((path.parts[0], path.suffix.lower()), []).append(row)
    answered = list(_in_turn(groups.values()))
    reasons: dict[str, list[Row]] = {}
    for row in rows:
        if row["error"]:
            reasons.setdefault(row["error"], []).append(row)
    refused = list(_in_turn(reasons.values()))
    chosen = [*answered[:NUM_REAL], *refused[:NUM_REFUSED]]
    told = f"Shown: {min(NUM_REAL, len(answered))} of {len(answered)} films that were answered"
    if len(answered) > NUM_REAL:
        told += ", the first of each folder and file type, then the second, and so on"
    if refused:
        told += f"; {min(NUM_REFUSED, len(refused))} of {len(refused)} files that were not"
    return [_real_card(row) for row in chosen], f"{told}."


def _real_card(row: Row) -> Card:
    sample = sample_from_row(row)
    path = PurePosixPath(row["id"])
    name = f"{path.name}, from {path.parent}"
    if row["error"]:
        word = "refused" if row["error"].startswith("image: ") else "failed"
        why = Said("", _refusal(sample, row["error"]))
        return Card((), sample.question, "", {word: why}, name=name)
    said = {"untrained on real images": _said(row)}
    return Card(_sample_films(sample, row), sample.question, "", said, name=name)


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
            images.decode(storage.read_bytes(image.uri), SHOWN)
    except ImageError as found:
        return f"{said} ({found.message})" if found.reason == code else said
    except ChexoneError:
        logger.info("a refused film is gone, so the page tells only that it was refused")
    return said
