"""Report reward: what is stated, how closely and in which words, under a guard.

`guard x wording x (1/2 label F1 + 1/4 finding F1 + 1/4 token overlap)`, in 0-1. None of the three
is used alone: word overlap hardly notices a lost "no", a label score can be had by keywords and
knows neither size nor place, and the findings know nothing of how a normal film is described. Half
is for the labels because a finding that is missed or made up is the worst error. The guard takes
from all of it for contradictions, another course, findings made up and bare lists of names, the
wording for repetition and for words in no order. On a normal film the label counts by how much is
called normal.

Free answers count by their words, and by what they state where the reference names a finding. Lists
of entities are no prose: of them the exact ones count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from chexone_ray.answers import Answer, normalise
from chexone_ray.kinds import form
from chexone_ray.metrics.entities import entity_f1
from chexone_ray.metrics.factuality import IMPLIED
from chexone_ray.metrics.findings import DOUBTFUL, finding_f1, opposite
from chexone_ray.metrics.normality import NORMAL
from chexone_ray.metrics.tokens import rouge_l, token_f1, words
from chexone_ray.records import Sample
from chexone_ray.rewards.course import has_prior, same_course
from chexone_ray.rewards.normal import covered
from chexone_ray.rewards.original import Scorer, radcliq_reward
from chexone_ray.rewards.reading import Reading, read
from chexone_ray.rewards.wording import in_order, said_once

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention

LABEL_SHARE, FINDING_SHARE, WORD_SHARE = 0.5, 0.25, 0.25
"""Weights of label F1, finding F1 and token overlap."""
NORMAL_WORDS = 0.2
"""Weight of the words where neither text states a finding; the labels have the rest, because a
normal film is described in many words and what counts is how much of it is called normal."""
BARE = 0.5
"""Factor of a list of names without any other word, where the reference is prose."""
FLIPPED = 0.5
"""Factor of an answer that says the opposite in the same words."""
SHORT_KINDS = frozenset({"open_vqa", "text_qa", "phrase_extraction"})
"""Kinds whose answers are a few words, in any order ("edema, pleural effusion")."""
PERFECT = radcliq_reward((1.0, 1.0, 1.0))
"""1.617, by which a reward from RadCliQ is divided."""

_OPPOSITES = (
    frozenset({"left", "right"}),
    frozenset({"yes", "no"}),
    frozenset({"upper", "lower"}),
    frozenset({"increased", "decreased"}),
    frozenset({"improved", "worsened"}),
    frozenset({"improvement", "worsening"}),
    frozenset({"better", "worse"}),
    frozenset({"larger", "smaller"}),
    frozenset({"high", "low"}),
)
_NEGATIONS = frozenset({"no", "not", "without", "never", "none", "nor", "neither", "cannot"})


def reward(answer: Answer, sample: Sample, scorer: Scorer | None = None) -> float | None:
    """Agreement of the report, free answer or list of entities with the reference, in 0-1; no
    answer counts 0. With a `scorer` reports count by RadCliQ instead. None for other kinds."""
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
    if normalise(answer.answer) == normalise(reference):
        return 1.0
    if which == "report" or sample.kind == "caption":  # a caption describes a film
        return _report(answer.answer, reference, has_prior(sample))
    return _free_answer(answer.answer, reference, sample)


def _report(answer: str, reference: str, prior: bool) -> float:
    said, meant = read(answer), read(reference)
    both_normal = NORMAL in said.labels and NORMAL in meant.labels
    told = covered(said, meant) if both_normal else 1.0
    labels = label_f1(said.labels, meant.labels, told)
    found = finding_f1(said.findings, meant.findings)
    overlap = rouge_l(answer, reference)
    if labels is None:
        agreement = overlap
    elif found is None:
        agreement = (1.0 - NORMAL_WORDS) * labels + NORMAL_WORDS * overlap
    else:
        agreement = LABEL_SHARE * labels + FINDING_SHARE * found + WORD_SHARE * overlap
    worded = said_once(answer, reference) * in_order(answer, reference)
    return _same_sense(answer, reference, meant) * guard(said, meant, prior) * worded * agreement


def _free_answer(answer: str, reference: str, sample: Sample) -> float:
    """The overlap of the words, and half of it the F1 of what is stated or denied where the
    reference names a finding or says that there is none."""
    short = sample.kind in SHORT_KINDS
    overlap = token_f1(answer, reference) if short else rouge_l(answer, reference)
    said, meant = read(answer), read(reference)
    kept = guard(said, meant, has_prior(sample))
    if not short:
        kept *= said_once(answer, reference) * in_order(answer, reference)
    if not meant.labels:
        return _same_sense(answer, reference, meant) * kept * overlap
    named = bool(set(meant.labels) - {NORMAL})
    stated = (
        statement_f1(said.labels, meant.labels) if named else label_f1(said.labels, meant.labels)
    )
    return kept * ((stated or 0.0) + overlap) / 2


def label_f1(
    predicted: Mapping[str, Mention], reference: Mapping[str, Mention], normal: float = 1.0
) -> float | None:
    """F1 of the labels stated as present or possible, "no finding" included, which counts `normal`
    where both state it. What is possible weighs half. A label on the opposite side only counts as
    missed and as made up. None where neither report states one."""
    said, meant = _weights(predicted), _weights(reference)
    whole = sum(said.values()) + sum(meant.values())
    if not whole:
        return None
    shared = sum(
        (said[label] + meant[label])
        * (normal if label == NORMAL else _alike(predicted[label], reference[label]))
        for label in said.keys() & meant.keys()
    )
    return shared / whole


def statement_f1(predicted: Mapping[str, Mention], reference: Mapping[str, Mention]) -> float:
    """F1 of the labels mentioned, "no finding" left out: right where both say the same of one,
    present, denied or unsure, and not of the opposite side, half where one of the two is unsure of
    what the other states. 0 where either mentions none."""
    said, meant = set(predicted) - {NORMAL}, set(reference) - {NORMAL}
    shared = sum(_alike(predicted[label], reference[label]) for label in said & meant)
    return 2 * shared / (len(said) + len(meant)) if shared else 0.0


def _weights(labels: Mapping[str, Mention]) -> dict[str, float]:
    """Label -> 1 where it is present, `DOUBTFUL` where it is possible."""
    return {
        label: 1.0 if mention.state == 1 else DOUBTFUL
        for label, mention in labels.items()
        if mention.state != 0
    }


def _alike(said: Mention, meant: Mention) -> float:
    """1 for the same state, `DOUBTFUL` for a possible finding and one that is present, else 0, as
    for opposite sides."""
    if opposite(said, meant):
        return 0.0
    return 1.0 if said.state == meant.state else DOUBTFUL * (0 not in (said.state, meant.state))


def guard(said: Reading, meant: Reading, prior: bool) -> float:
    """What contradictions, another course, findings made up and bare names leave of the reward, in
    0-1; 1 for a text against itself."""
    kept = polarity(said.labels, meant.labels, said.conflicts - meant.conflicts)
    kept *= same_course(said.courses, meant.courses, said.labels, meant.labels, prior)
    return kept * _borne_out(said.labels, meant.labels) * _prose(said, meant)


def polarity(
    predicted: Mapping[str, Mention],
    reference: Mapping[str, Mention],
    conflicts: Collection[str] = (),
) -> float:
    """1 minus the share of contradictions among the labels that both reports state or deny: present
    in one, denied in the other. `conflicts` are labels of which the answer says both, and that
    count as contradictions whether or not the reference speaks of them. 1 without a label."""
    wrong = {
        label: mention.state != reference[label].state
        for label, mention in predicted.items()
        if label in reference
        and label != NORMAL
        and mention.state != -1
        and reference[label].state != -1
    }
    wrong |= dict.fromkeys(conflicts, True)
    return 1.0 - sum(wrong.values()) / len(wrong) if wrong else 1.0


def _borne_out(predicted: Mapping[str, Mention], reference: Mapping[str, Mention]) -> float:
    """1 - made up / (stated + 1): a finding of which the reference says nothing, or that it denies,
    costs beyond its own share of the labels, half as much where it is only possible. Never 0, so
    that its words still tell texts apart."""
    stated = {label: weight for label, weight in _weights(predicted).items() if label != NORMAL}
    known = {label for label, meant in reference.items() if meant.state != 0}
    made_up = sum(
        weight
        for label, weight in stated.items()
        if known.isdisjoint((label, *IMPLIED.get(label, ())))
    )
    return 1.0 - made_up / (sum(stated.values()) + 1)


def _prose(said: Reading, meant: Reading) -> float:
    """`BARE` for names alone, 1 from one other word a name on, or as many as the reference has.
    Different words of prose or of the reference count, no fillers."""
    wanted = min(meant.plain_words(meant.spare), 1.0)
    return BARE + (1.0 - BARE) * min(said.plain_words(meant.spare) / wanted, 1.0) if wanted else 1.0


def _same_sense(answer: str, reference: str, meant: Reading) -> float:
    """`FLIPPED` where one of the two says "right", "no" or "worse" and the other the opposite or
    nothing of it. Only of references without a label: labels have their side and polarity."""
    said, told = frozenset(words(answer)), frozenset(words(reference))
    flipped = said.isdisjoint(_NEGATIONS) != told.isdisjoint(_NEGATIONS) or any(
        len(said & pair) == len(told & pair) == 1 and said & pair != told & pair
        for pair in _OPPOSITES
    )
    return FLIPPED if flipped and not meant.labels else 1.0
