"""Report reward: what is stated, how closely and in which words, guarded against flipped polarity.

`guard x (1/2 label F1 + 1/4 finding F1 + 1/4 token overlap)`, in 0-1. None of them is used alone:
word overlap hardly notices a lost "no", a label score can be had by keywords and knows neither
size nor place, and the findings know nothing of how a normal film is described. Half is for the
labels because a finding that is missed or made up is the worst error. Lists of entities are no
prose: of them the exact ones count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chexone_ray.answers import Answer
from chexone_ray.kinds import form
from chexone_ray.metrics.entities import entity_f1
from chexone_ray.metrics.findings import finding_f1, findings, opposite
from chexone_ray.metrics.tokens import rouge_l
from chexone_ray.records import Sample
from chexone_ray.rewards.original import Scorer, radcliq_reward

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention

LABEL_SHARE, FINDING_SHARE, WORD_SHARE = 0.5, 0.25, 0.25
"""Weights of label F1, finding F1 and token overlap; what does not apply leaves its share to the
others."""
PERFECT = radcliq_reward((1.0, 1.0, 1.0))
"""1.617, by which a reward from RadCliQ is divided."""


def reward(answer: Answer, sample: Sample, scorer: Scorer | None = None) -> float | None:
    """Agreement of the report, or of the list of entities, with the reference, in 0-1; no answer
    counts 0. With a `scorer` reports count by RadCliQ instead. None for other kinds."""
    which = form(sample.kind)
    if which not in ("report", "text"):
        return None
    reference = sample.reference or sample.answer
    if not answer.answer:
        return 0.0
    if sample.kind == "entities":
        return entity_f1(answer.answer, reference)
    if scorer is not None and which == "report":
        return min(radcliq_reward(scorer(answer.answer, reference)) / PERFECT, 1.0)
    said, meant = _read(answer.answer), _read(reference)
    parts = (
        (LABEL_SHARE, label_f1(said, meant)),
        (FINDING_SHARE, finding_f1(findings(answer.answer), findings(reference))),
        (WORD_SHARE, rouge_l(answer.answer, reference)),
    )
    known = [(share, value) for share, value in parts if value is not None]
    agreement = sum(share * value for share, value in known) / sum(share for share, _ in known)
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


def _read(text: str) -> Mapping[str, Mention]:
    # Imported here: the labeller compiles a few hundred patterns that only reports need.
    from chexone_ray.metrics.labeller import read_report

    return read_report(text)
