"""Chest ImaGenome's statements -> phrases: region, finding and change of one sentence of a report.

An attribute is "category|yes or no|term", such as "anatomicalfinding|yes|lung opacity"; a cue of
comparison is "comparison|yes|improved".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def _parts(attribute: str) -> tuple[str, str, str]:
    category, _, rest = attribute.partition("|")
    state, _, term = rest.partition("|")
    return category, state, term.strip().lower()


def graph_phrases(graph: Mapping[str, Any], losses: Losses, place: str) -> list[Phrase]:
    """The phrases of the scene graph at `place`, a sentence once a region, in the graph's order."""
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
    return list(found.values())


def graph_prior(graph: Mapping[str, Any]) -> str:
    """The dicom_id of the film that a scene graph compares with, empty for none or several.

    A relationship's object is a region of that film: "<dicom_id>_<region>".
    """
    items = graph.get("relationships") or ()
    films = {str(item.get("object_id") or "").partition("_")[0] for item in items}
    return films.pop() if len(films) == 1 else ""
