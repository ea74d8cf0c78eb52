"""How much of what a report calls normal another says too, so that "No pneumothorax." is no full
report of a normal film. Pure and deterministic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention
    from chexone_ray.rewards.reading import Reading

LUNGS = ("lung opacity", "lung lesion", "edema", "consolidation", "pneumonia", "atelectasis")
ASPECTS = (
    (frozenset(LUNGS), 1.0),
    (frozenset({"cardiomegaly"}), 1.0),
    (frozenset({"pleural effusion", "pleural other"}), 0.5),
    (frozenset({"pneumothorax"}), 0.5),
    (frozenset({"enlarged cardiomediastinum"}), 0.5),
    (frozenset({"fracture"}), 0.5),
    (frozenset({"support devices"}), 0.5),
)
"""(labels, weight): a denial of any of the labels speaks of lungs, heart, pleura (twice),
mediastinum, bones and devices."""
CHEST = ASPECTS[:4]
"""What "normal chest" speaks of."""
ENOUGH = 0.8
"""Share of the aspects from which nothing is missing: one that weighs little may be left out."""
WHOLE = 0.5
"""What a statement of the whole film ("Normal.") is worth where the reference goes into aspects."""


def covered(said: Reading, meant: Reading) -> float:
    """Share in 0-1 of the aspects that the reference calls normal and the answer too, in full from
    `ENOUGH` on. 1 where the reference calls none normal."""
    wanted = _aspects(meant.labels)
    if not wanted:
        if said.all_normal or not meant.all_normal:
            return 1.0
        wanted = CHEST
    spoken = _aspects(said.labels)
    share = _weight(aspect for aspect in wanted if aspect in spoken) / _weight(wanted)
    return max(min(share / ENOUGH, 1.0), WHOLE if said.all_normal else 0.0)


def _aspects(labels: Mapping[str, Mention]) -> tuple[tuple[frozenset[str], float], ...]:
    denied = {label for label, mention in labels.items() if mention.state == 0}
    return tuple(aspect for aspect in ASPECTS if not denied.isdisjoint(aspect[0]))


def _weight(aspects: Iterable[tuple[frozenset[str], float]]) -> float:
    return sum(weight for _, weight in aspects)
