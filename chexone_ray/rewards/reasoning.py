"""Reasoning terms: what the trace is worth beside the answer. Each in 0-1, of weight 0 by default.

A term applies or not by the sample alone, never by the completion, and a blank trace earns 0, so
that nothing is gained by leaving the trace out. None in instruct mode.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from chexone_ray.answers import Answer, choice_of, chosen_options, normalise
from chexone_ray.boxes import decode
from chexone_ray.kinds import form
from chexone_ray.metrics.denied import asked_name, denied_name, names, same_name
from chexone_ray.metrics.factuality import (
    RUN_LENGTH,
    borne_out,
    entity_precision,
    repetition,
    stated_text,
)
from chexone_ray.metrics.tokens import holds, words
from chexone_ray.records import Sample
from chexone_ray.rewards.reading import read
from chexone_ray.rewards.report import label_f1

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_NAMED_KEY = re.compile(r"\(([A-Za-z0-9])\)|\b[Oo]ption ([A-Za-z0-9])\b|\banswer is ([A-Z0-9])\b")
_YES_NO = frozenset({"yes", "no"})


def agreement(answer: Answer, sample: Sample) -> float | None:
    """How far the trace says what the boxed answer says, right or wrong.

    With options: Jaccard of the answer's options and those of the last sentence that names any.
    Yes or no: 1 where the trace states, or denies, what the question asks for. Reports: F1 of their
    labels with those of the trace, "no finding" only of a text that says so. Other closed answers
    and boxes: the share of the answer's names that the trace holds. None for free text, and for a
    yes-or-no question that asks for no label.
    """
    which = form(sample.kind)
    if sample.mode == "instruct" or which in (None, "text"):
        return None
    yes_no = which == "options" and not sample.options and normalise(sample.answer) in _YES_NO
    asked = _labels(sample.question) if yes_no else frozenset()
    if yes_no and not asked:
        return None
    if not answer.answer or not answer.reasoning:
        return 0.0
    if yes_no:
        return _yes_no(choice_of(answer.answer, sample), answer.reasoning, asked)
    if which == "report":
        return _same_labels(answer)
    if which == "options" and sample.options:
        return _same_options(answer, sample)
    if which == "options":
        named = choice_of(answer.answer, sample)
    else:
        named = _drawn(answer.answer) or _denied(answer.answer, sample.answer)
    if not named:
        return 0.0
    return sum(holds(answer.reasoning, name) for name in named) / len(named)


def factuality(answer: Answer, sample: Sample) -> float | None:
    """Share of the findings stated by the trace that the reference bears out.

    A trace that states none gets 1 where there is none to state, else 0. None for kinds that are
    not known.
    """
    if sample.mode == "instruct" or form(sample.kind) is None:
        return None
    if not answer.reasoning:
        return 0.0
    if not _labels(stated_text(answer.reasoning), present=True):
        return float(not borne_out(sample))
    return entity_precision(answer.reasoning, sample)


def no_repetition(answer: Answer, sample: Sample) -> float | None:
    """Share of the trace's runs of four words that come for the first time; 0 without any run."""
    if sample.mode == "instruct":
        return None
    if len(words(answer.reasoning)) < RUN_LENGTH:
        return 0.0
    return 1.0 - repetition(answer.reasoning)


def length(answer: Answer, sample: Sample, bounds: tuple[int, int]) -> float | None:
    """1 for a trace of `bounds[0]` to `bounds[1]` words. A shorter one gets its share of the lower
    bound; beyond the upper one it falls to 0 at twice that many words."""
    if sample.mode == "instruct":
        return None
    low, high = bounds
    count = len(words(answer.reasoning))
    if count < low:
        return count / low
    return max(0.0, 1.0 - max(0, count - high) / high)


def _drawn(answer: str) -> frozenset[str]:
    return frozenset(normalise(box.label) for box in decode(answer))


def _denied(answer: str, reference: str) -> frozenset[str]:
    """The names that an answer without boxes denies, in the words of the question where they say
    the same; of "None." those that are asked for."""
    said, asked = denied_name(answer), asked_name(reference)
    if said is None:
        return frozenset({normalise(answer)})
    told = frozenset(names(said or asked)) or _drawn(reference)
    return frozenset(asked if asked and same_name(name, asked) else name for name in told)


def _yes_no(said: Collection[str], trace: str, asked: Collection[str]) -> float:
    from chexone_ray.metrics.labeller import ABSENT, PRESENT, read_report

    if len(said) != 1 or not _YES_NO.issuperset(said):
        return 0.0
    told = read_report(stated_text(trace))
    states = [told[label].state for label in asked if label in told]
    wanted = PRESENT if "yes" in said else ABSENT
    return float(bool(states) and all(state == wanted for state in states))


def _same_labels(answer: Answer) -> float:
    shared = label_f1(read(answer.reasoning).labels, read(answer.answer or "").labels)
    return 0.0 if shared is None else shared


def _same_options(answer: Answer, sample: Sample) -> float:
    chosen = choice_of(answer.answer or "", sample)
    for sentence in reversed(_SENTENCE.split(answer.reasoning)):
        named = _named_options(sentence, sample.options)
        if named:
            return len(named & chosen) / len(named | chosen)
    return 0.0


def _named_options(sentence: str, options: tuple[str, ...]) -> frozenset[str]:
    """Options that a sentence names by "(B)", "option B", "answer is B" or by their text."""
    found: set[str] = set()
    for groups in _NAMED_KEY.findall(sentence):
        found |= chosen_options("".join(groups), options)
    for option in options:
        key = chosen_options(option, options)
        text = re.sub(r"^\s*\(?\w{1,2}[).:]+\s*", "", option)
        if holds(sentence, normalise(text)):
            found |= key
    return frozenset(found)


def _labels(text: str, present: bool = False) -> frozenset[str]:
    from chexone_ray.metrics.labeller import PRESENT, read_report

    return frozenset(
        label
        for label, mention in read_report(text).items()
        if label != "no finding" and (mention.state == PRESENT or not present)
    )
