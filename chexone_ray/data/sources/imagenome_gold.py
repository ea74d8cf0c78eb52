"""Chest ImaGenome's gold tables: what people checked -> phrases by film.

`gold_object_attribute_with_coordinates.txt`: a row an attribute of a region in a sentence;
`gold_object_comparison_with_coordinates.txt`: a row a change against an earlier film. Both are tab
separated; an image_id may end in ".dcm". The public descriptions agree on the columns that are
needed here, but none of them shows a whole header.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field

from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import Corners, corners
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.scene_graphs import one_a_text, statement
from chexone_ray.data.sources.spec import Table
from chexone_ray.records import Phrase

ATTRIBUTES = Table(
    ("gold_dataset/gold_object_attribute_with_coordinates.txt",),
    ("image_id", "bbox", "sentence", "coord_original"),
    True,
)
COMPARISONS = Table(
    ("gold_dataset/gold_object_comparison_with_coordinates.txt",),
    (
        "current_image_id",
        "previous_image_id",
        "bbox",
        "attribute",
        "comparison",
        "sentence",
        "bbox_coord_original_subject",
    ),
    True,
)


@dataclass(frozen=True)
class GoldFilm:
    """The phrases of one film and the dicom_id of the film before it, empty for none or several."""

    prior: str
    phrases: list[Phrase]
    place: str
    """The first row about it."""


@dataclass
class _Sentence:
    """What the rows of one sentence about one region say together."""

    place: str
    """The first of them."""
    attributes: list[str] = field(default_factory=list)
    cues: list[str] = field(default_factory=list)
    box: Corners | None = None


def read(root: str, losses: Losses) -> dict[str, GoldFilm]:
    """dicom_id -> its gold phrases; empty without the tables."""
    films: dict[str, dict[tuple[str, str], _Sentence]] = defaultdict(dict)
    priors: dict[str, set[str]] = defaultdict(set)
    seen: set[tuple[str, ...]] = set()
    for spec in (ATTRIBUTES, COMPARISONS):
        image, text, box = spec.columns[0], "sentence", spec.columns[-1]
        for row in tables.rows_if_there(root, spec, "\t"):
            name = row[image].removesuffix(".dcm")
            if not name or not row["bbox"] or not row[text]:
                losses.lose("row_without_id", row.place)
                continue
            attributes = _attributes(row)
            whole = (*(row[column] for column in spec.columns), *attributes)
            if whole in seen:
                losses.lose("duplicate_row", row.place)
            seen.add(whole)
            told = films[name].setdefault((row["bbox"], row[text]), _Sentence(row.place))
            told.attributes += attributes
            told.box = told.box or _corners(row[box], losses, row.place)
            if "comparison" in row:
                told.cues += [f"comparison|yes|{c.strip()}" for c in row["comparison"].split(";;")]
                priors[name].add(row["previous_image_id"].removesuffix(".dcm"))
    return {name: _film(told, priors[name], losses) for name, told in films.items()}


def first_rows(root: str) -> dict[str, str]:
    """dicom_id of every gold film -> the first row about it; empty without the tables."""
    found: dict[str, str] = {}
    for spec in (ATTRIBUTES, COMPARISONS):
        for row in tables.rows_if_there(root, spec, "\t"):
            if name := row[spec.columns[0]].removesuffix(".dcm"):
                found.setdefault(name, row.place)
    return found


def _film(told: dict[tuple[str, str], _Sentence], priors: set[str], losses: Losses) -> GoldFilm:
    phrases = []
    for (region, text), sentence in told.items():
        phrase = statement(text, region, sentence.attributes, sentence.cues, sentence.box)
        if phrase is None:
            losses.lose("phrase_without_finding", sentence.place)
        else:
            phrases.append(phrase)
    first = next(iter(told.values())).place
    return GoldFilm(next(iter(priors)) if len(priors) == 1 else "", one_a_text(phrases), first)


def _attributes(row: dict[str, str]) -> list[str]:
    """As scene graphs write them, also where the parts have columns of their own."""
    if row.get("attribute"):
        return [item.strip() for item in row["attribute"].split(";;") if item.strip()]
    state = "yes" if row.get("relation") in ("1", "1.0", "yes", "True") else "no"
    return [f"{row.get('categoryID', '')}|{state}|{row.get('label_name', '')}"]


def _corners(cell: str, losses: Losses, place: str) -> Corners | None:
    """A cell such as "[10, 20, 30, 40]"."""
    try:
        values = json.loads(cell)
    except ValueError:
        values = None
    box = corners(values) if isinstance(values, list) else None
    if box is None:
        losses.lose("box_row", place)
    return box
