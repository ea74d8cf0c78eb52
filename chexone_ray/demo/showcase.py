"""Result files -> what the report page shows: films, curves, histograms and question cards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any

from chexone_ray import boxes, images, storage
from chexone_ray.config import ImageConfig
from chexone_ray.demo.recipe import Configs, Recipe
from chexone_ray.errors import ImageError
from chexone_ray.evaluation.predictions import read_rows
from chexone_ray.figures.page import Card, Film
from chexone_ray.figures.report import Content
from chexone_ray.records import Sample, sample_from_row

NUM_FILMS = 8
CARDS_PER_KIND = 2
NUM_REAL = 12
SHOWN = ImageConfig(max_pixels=512 * 512, min_pixels=300 * 300)
"""Films are shown larger than the model sees them."""

Row = Mapping[str, Any]


def content(
    configs: Configs, recipe: Recipe, results: Mapping[str, Mapping[str, Any]], summary: Row
) -> Content:
    """Everything of one run for `figures.report.render`."""
    greedy = {
        model: {row["id"]: row for row in read_rows(configs.predict(model).output_uri)}
        for model in ("SFT", "GRPO")
    }
    report = storage.read_json(storage.join(configs.filter().output_uri, "report.json"))
    real = read_rows(configs.real(".").output_uri) if results["predict-grpo"]["real"] else []
    return Content(
        title="chexone-ray demo" + (" (quick)" if summary["quick"] else ""),
        summary=summary,
        films=_films(greedy["GRPO"]),
        sft=_metric_rows(configs.sft().output_uri),
        grpo=_metric_rows(configs.grpo().output_uri),
        histograms={
            kind: _bars(table, report["bin_width"]) for kind, table in report["kinds"].items()
        },
        cut=float(recipe.filter.get("min_std", 0.0)),
        cards=_held_out(greedy),
        real_cards=[_real_card(row) for row in _of_every_folder(real, NUM_REAL)],
    )


def _of_every_folder(rows: Sequence[Row], count: int) -> list[Row]:
    """`count` rows of all folders and file types in turn: each archive has its own."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        path = PurePosixPath(row["id"])
        groups.setdefault((path.parts[0], path.suffix.lower()), []).append(row)
    turns = zip_longest(*groups.values())
    return [row for turn in turns for row in turn if row is not None][:count]


def _bars(table: Row, width: float) -> tuple[list[float], list[int]]:
    """(bin edges, counts); prompts with all rewards equal have a bin of their own, left of 0."""
    counts = [table["zero"], *table["bins"]]
    return [width * (i - 1) for i in range(len(counts) + 1)], counts


def _metric_rows(output_uri: str) -> list[dict[str, float]]:
    text = storage.read_bytes(storage.join(output_uri, "metrics.jsonl")).decode()
    return [json.loads(line) for line in text.splitlines()]


def _film(uri: str, caption: str, **drawn: Any) -> Film:
    try:
        picture = images.decode(storage.read_bytes(uri), SHOWN)
    except ImageError as error:
        return Film(b"", 1, 1, f"{caption}: {error.reason}")
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


def _films(rows: Mapping[str, Row]) -> list[Film]:
    """Grounding films, each label in turn."""
    by_label: dict[str, list[Row]] = {}
    for row in rows.values():
        if row["kind"] == "grounding" and row["boxes"]:
            by_label.setdefault(row["boxes"][0]["label"], []).append(row)
    chosen: list[Row] = []
    for at in range(NUM_FILMS):
        chosen += [found[at] for found in by_label.values() if at < len(found)]
    films = []
    for row in chosen[:NUM_FILMS]:
        sample = sample_from_row(row)
        (film,) = _sample_films(sample, row)
        films.append(replace(film, caption=sample.boxes[0].label))
    return films


def _held_out(greedy: Mapping[str, Mapping[str, Row]]) -> list[Card]:
    """The first questions of each kind, every patient once a kind."""
    by_kind: dict[str, dict[str, Sample]] = {}
    for row in greedy["GRPO"].values():
        by_kind.setdefault(row["kind"], {}).setdefault(row["patient"], sample_from_row(row))
    cards = []
    for kind in sorted(by_kind):
        for sample in list(by_kind[kind].values())[:CARDS_PER_KIND]:
            said = {model: _said(rows[sample.id]) for model, rows in greedy.items()}
            films = _sample_films(sample, greedy["GRPO"][sample.id])
            cards.append(Card(films, sample.question, sample.answer, said))
    return cards


def _said(row: Row) -> tuple[str, str]:
    return row["predicted_reasoning"], row["predicted_answer"] or "(no answer could be read)"


def _real_card(row: Row) -> Card:
    sample = sample_from_row(row)
    if row["error"]:
        return Card((), sample.question, "", {"refused": ("", row["error"])})
    return Card(
        _sample_films(sample, row), sample.question, "", {"untrained on real images": _said(row)}
    )
