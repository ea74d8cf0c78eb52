"""Report reward: what is stated, weighed with how it is worded, guarded against flipped polarity.

`guard x (3/4 label F1 + 1/4 token overlap)`, in 0-1. Word overlap alone hardly notices a lost "no",
and a label score alone can be had by keywords, so neither is used by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from chexone_ray.answers import Answer
from chexone_ray.records import Sample

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention

KINDS = frozenset({"findings", "impression"})
LABEL_SHARE = 0.75
"""Weight of the label F1; the rest is the token overlap."""

_WORD = re.compile(r"[a-z0-9]+")


def reward(answer: Answer, sample: Sample) -> float | None:
    """Agreement of the report with the reference, in 0-1; no answer counts 0. None for other
    kinds."""
    if sample.kind not in KINDS:
        return None
    reference = sample.reference or sample.answer
    if not answer.answer:
        return 0.0
    said, meant = _read(answer.answer), _read(reference)
    overlap = token_overlap(answer.answer, reference)
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
    shared = sum(not _opposite(predicted[label], reference[label]) for label in said & meant)
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


def token_overlap(predicted: str, reference: str) -> float:
    """F1 of the longest common subsequence of lower-case words (ROUGE-L without stemming)."""
    said, meant = _words(predicted), _words(reference)
    if not said or not meant:
        return 0.0
    return 2 * _common_subsequence(said, meant) / (len(said) + len(meant))


def _common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, one row of the table a step held in the bits of an
    integer (Hyyro 2004): the reward runs for every completion of a rollout."""
    places: dict[str, int] = {}
    for at, word in enumerate(a):
        places[word] = places.get(word, 0) | (1 << at)
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        hits = row & places.get(word, 0)
        row = ((row + hits) | (row - hits)) & full
    return len(a) - row.bit_count()


def _opposite(a: Mention, b: Mention) -> bool:
    return bool(a.sides and b.sides and not a.sides & b.sides)


@lru_cache(maxsize=4_096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))


@lru_cache(maxsize=4_096)
def _read(text: str) -> Mapping[str, Mention]:
    # Imported here: the labeller compiles a few hundred patterns that only reports need.
    from chexone_ray.metrics.labeller import read_report

    return read_report(text)
