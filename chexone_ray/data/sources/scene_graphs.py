"""Chest ImaGenome's statements -> phrases: region, finding and change of one sentence of a report.

An attribute is "category|yes or no|term", such as "anatomicalfinding|yes|lung opacity"; a cue of
comparison is "comparison|yes|improved".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any, Literal

from chexone_ray.data.sources.cells import Corners, corners
from chexone_ray.data.sources.losses import Losses
from chexone_ray.records import Box, Phrase

Change = Literal["", "better", "same", "worse"]

_FINDINGS = ("anatomicalfinding", "disease")
_GENERAL = "lung opacity"
"""Stated beside almost every finer finding of the lungs."""
_NAMES = {"enlarged cardiac silhouette": "cardiomegaly", "pulmonary edema/hazy opacity": "edema"}
NESTED = 0.9
"""Share of a region inside another from which the two are one place."""
_CHANGES: dict[str, Change] = {"improved": "better", "no change": "same", "worsened": "worse"}


def statement(
    text: str, region: str, attributes: Iterable[str], cues: Iterable[str], box: Corners | None
) -> Phrase | None:
    """The phrase of one sentence about one region, None where it tells no finding and no change.

    A sentence that tells several findings of the region has an empty label, and one that tells
    contrary changes has no change: neither could be asked about.
    """
    findings = {
        _NAMES.get(term, term)
        for category, state, term in map(_parts, attributes)
        if category in _FINDINGS and state == "yes"
    }
    changes = {
        _CHANGES[term]
        for category, state, term in map(_parts, cues)
        if category == "comparison" and state == "yes" and term in _CHANGES
    }
    if not findings and not changes:
        return None
    finer = findings - {_GENERAL} or findings
    label = next(iter(finer)) if len(finer) == 1 else ""
    change = next(iter(changes)) if len(changes) == 1 else ""
    boxes = (Box(label or region, box),) if box else ()
    return Phrase(" ".join(text.split()), boxes, label, region.lower(), change)


def one_a_text(told: Iterable[Phrase]) -> list[Phrase]:
    """The phrases of one film, by sentence and region -> one a sentence, with all its boxes.

    Of regions that nest ("left lung", "left lower lung zone"), the smallest is the place; where a
    region has no box, the sentence has none, as the others would be a part of the answer. What a
    sentence says of the change of several regions follows as phrases without text, one a region,
    so that every region keeps its vote.
    """
    by_text: dict[str, list[Phrase]] = {}
    for phrase in told:
        by_text.setdefault(phrase.text, []).append(phrase)
    found = []
    for text, parts in by_text.items():
        if len(parts) == 1:
            found += parts
            continue
        labels = {part.label for part in parts}
        label = labels.pop() if len(labels) == 1 else ""
        boxes = _smallest([box for part in parts for box in part.boxes])
        if not all(part.boxes for part in parts):
            boxes = []
        found.append(
            Phrase(text, tuple(replace(box, label=label or box.label) for box in boxes), label)
        )
        found += [replace(part, text="", boxes=()) for part in parts if part.change]
    return found


def _smallest(boxes: list[Box]) -> list[Box]:
    """The boxes without those that hold another, the smallest first."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: _area(box.xyxy)):
        if not any(_shared(inner.xyxy, box.xyxy) >= NESTED * _area(inner.xyxy) for inner in kept):
            kept.append(box)
    return kept


def _area(sides: Corners) -> float:
    return (sides[2] - sides[0]) * (sides[3] - sides[1])


def _shared(a: Corners, b: Corners) -> float:
    """The area in which two rectangles overlap."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def _parts(attribute: str) -> tuple[str, str, str]:
    category, _, rest = attribute.partition("|")
    state, _, term = rest.partition("|")
    return category, state, term.strip().lower()


def graph_phrases(graph: Mapping[str, Any], losses: Losses, place: str) -> list[Phrase]:
    """The phrases of the scene graph at `place`, one a sentence, in the graph's order."""
    boxes: dict[str, Corners | None] = {}
    for item in graph.get("objects") or ():
        box = corners(item.get(f"original_{name}") for name in ("x1", "y1", "x2", "y2"))
        if box is None:
            losses.lose("box_row", place)
        boxes[str(item.get("bbox_name"))] = box
    found: dict[tuple[str, str], Phrase] = {}
    for item in graph.get("attributes") or ():
        region = str(item.get("bbox_name"))
        lists = (item.get(name) or () for name in ("phrases", "attributes", "comparison_cues"))
        for text, attributes, cues in zip_longest(*lists):
            phrase = statement(text or "", region, attributes or (), cues or (), boxes.get(region))
            if phrase is None:
                losses.lose("phrase_without_finding", place)
            elif (region, phrase.text) in found:
                losses.lose("duplicate_row", place)
            else:
                found[region, phrase.text] = phrase
    return one_a_text(found.values())


def graph_prior(graph: Mapping[str, Any]) -> str:
    """The dicom_id of the film that a scene graph compares with, empty for none or several.

    A relationship's object is a region of that film: "<dicom_id>_<region>".
    """
    items = graph.get("relationships") or ()
    films = {str(item.get("object_id") or "").partition("_")[0] for item in items}
    return films.pop() if len(films) == 1 else ""
