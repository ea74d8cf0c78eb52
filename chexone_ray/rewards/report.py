"""Report reward: what is stated, weighed with how it is worded, guarded against flipped polarity.

`guard x (3/4 label F1 + 1/4 token overlap)`, in 0-1. Word overlap alone hardly notices a lost "no",
and a label score alone can be had by keywords, so neither is used by itself. Lists of entities are
no prose: of them the exact ones count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chexone_ray.answers import Answer
from chexone_ray.kinds import form
from chexone_ray.metrics.entities import entity_f1
from chexone_ray.metrics.tokens import rouge_l
from chexone_ray.records import Sample

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention

LABEL_SHARE = 0.75
"""Weight of the label F1; the rest is the token overlap."""


def reward(answer: Answer, sample: Sample) -> float | None:
    """Agreement of the report, or of the list of entities, with the reference, in 0-1; no answer
    counts 0. None for other kinds."""
    if form(sample.kind) not in ("report", "text"):
        return None
    reference = sample.reference or sample.answer
    if not answer.answer:
        return 0.0
    if sample.kind == "entities":
        return entity_f1(answer.answer, reference)
    said, meant = _read(answer.answer), _read(reference)
    overlap = rouge_l(answer.answer, reference)
    labels = label_f1(said, meant)
    agreement = overlap if labels is None else LABEL_SHARE * labels + (1 - LABEL_SHARE) * overlap
    return polarity(said, meant) * agreement


def label_f1(predicted: Mapping[str, Mention], reference: Mapping[str, Mention]) -> float | None:
    """F1 of the labels stated as present, "no finding" included. A label on the opposite side only
    counts as missed and as made up. None where neither report states one."""
    said = {label for label, mention in predicted.items() if mention.state == 1}
    meant = {label for label, mention in reference.items() if mention.state == 1}
    if not said and not meant:
        return None
    shared = sum(not opposite(predicted[label], reference[label]) for label in said & meant)
    return 2 * shared / (len(said) + len(meant))


def polarity(predicted: Mapping[str, Mention], reference: Mapping[str, Mention]) -> float:
    """1 minus the share of contradictions among the labels that both reports state or deny: present
    in one, denied in the other. 1 where they have no such label in common."""
    pairs = [
        (mention.state, reference[label].state)
        for label, mention in predicted.items()
        if label in reference and label != "no finding"
    ]
    definite = [(said, meant) for said, meant in pairs if said != -1 and meant != -1]
    if not definite:
        return 1.0
    return 1.0 - sum(said != meant for said, meant in definite) / len(definite)


def opposite(a: Mention, b: Mention) -> bool:
    """True where both name a side and share none."""
    return bool(a.sides and b.sides and not a.sides & b.sides)


def _read(text: str) -> Mapping[str, Mention]:
    # Imported here: the labeller compiles a few hundred patterns that only reports need.
    from chexone_ray.metrics.labeller import read_report

    return read_report(text)
