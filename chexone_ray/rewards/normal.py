"""How much of what a report calls normal another says too, so that "No pneumothorax." is no full
report of a normal film. Pure and deterministic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chexone_ray.rewards.reading import Reading

LUNGS = ("lung opacity", "lung lesion", "edema", "consolidation", "pneumonia", "atelectasis")
ASPECTS = (
    (frozenset({"lungs", *LUNGS}), 1.0),
    (frozenset({"heart", "cardiomegaly"}), 1.0),
    (frozenset({"pleura", "pleural effusion", "pleural other"}), 0.5),
    (frozenset({"pleura", "pneumothorax"}), 0.5),
    (frozenset({"mediastinum", "enlarged cardiomediastinum"}), 0.5),
    (frozenset({"bones", "fracture"}), 0.5),
    (frozenset({"support devices"}), 0.5),
)
"""(names, weight): a region called normal or a denial of any of the labels speaks of lungs, heart,
pleura (twice), mediastinum, bones and devices."""
CHEST = ASPECTS[:4]
"""What "normal chest" speaks of."""
ENOUGH = 0.8
"""Share of the aspects from which nothing is missing: one that weighs little may be left out."""
WHOLE = 0.5
"""What a statement of the whole film ("Normal.") is worth where the reference goes into aspects."""

_REGIONS = {
    "lungs": r"lungs?(?: fields?| parenchyma)?|pulmonary parenchyma",
    "heart": r"heart(?: size)?|cardiac (?:size|silhouette)",
    "pleura": r"pleurae?|pleural (?:spaces?|surfaces?)",
    "mediastinum": r"mediastinum|mediastinal (?:contours?|silhouette)",
    "bones": r"bones?|(?:osseous|bony) (?:structures?|thorax)|skeleton|ribs",
    "hila": r"hil(?:a|um)",
}
_REGION = "(?:" + "|".join(_REGIONS.values()) + ")"
_LIST = rf"(?:(?:the|both) )?{_REGION}(?:(?:, and|,| and| or) (?:(?:the|both) )?{_REGION}){{0,6}}"
_CALLED = r"(?:normal|clear|unremarkable|intact|within normal limits)"
_WHERE_CALLED = re.compile(
    rf"\b(?P<subject>{_LIST})(?::| (?:is|are|appears?|looks?|remains?))?"
    rf"(?: (?:all|both|also|grossly|essentially))* {_CALLED}\b"
    rf"|\b(?:normal|clear|unremarkable) (?P<object>{_LIST})(?= and | with\b|\W*(?:[.,;!\n]|$))"
    r"|\bno (?:acute |significant |focal )?(?P<denied>pulmonary|lung|cardiac|pleural|mediastinal"
    r"|osseous|bony|bone|skeletal) abnormalit"
)
_NAMES = {name: re.compile(rf"\b(?:{words})\b") for name, words in _REGIONS.items()}
_DENIED = {
    "pulmonary": "lungs",
    "lung": "lungs",
    "cardiac": "heart",
    "pleural": "pleura",
    "mediastinal": "mediastinum",
}


def normal_regions(told: str) -> frozenset[str]:
    """The regions that a text calls normal by name: "Normal heart and lungs."."""
    found: set[str] = set()
    for match in _WHERE_CALLED.finditer(told.lower()):
        if match["denied"]:
            found.add(_DENIED.get(match["denied"], "bones"))
        else:
            named = match["subject"] or match["object"]
            found |= {name for name, pattern in _NAMES.items() if pattern.search(named)}
    return frozenset(found)


def covered(said: Reading, meant: Reading) -> float:
    """Share in 0-1 of the aspects that the reference calls normal and the answer too, in full from
    `ENOUGH` on. 1 where the reference calls none normal."""
    wanted = _aspects(meant)
    if not wanted:
        if said.all_normal or not meant.all_normal:
            return 1.0
        wanted = CHEST
    spoken = _aspects(said)
    share = _weight(aspect for aspect in wanted if aspect in spoken) / _weight(wanted)
    return max(min(share / ENOUGH, 1.0), WHOLE if said.all_normal else 0.0)


def _aspects(reading: Reading) -> tuple[tuple[frozenset[str], float], ...]:
    denied = {label for label, mention in reading.labels.items() if mention.state == 0}
    normal = denied | reading.normal
    return tuple(aspect for aspect in ASPECTS if not normal.isdisjoint(aspect[0]))


def _weight(aspects: Iterable[tuple[frozenset[str], float]]) -> float:
    return sum(weight for _, weight in aspects)
