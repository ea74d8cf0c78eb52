"""Reasoning traces written by a teacher that is told the answer: its prompt, and what may stay.

Pure functions. A trace is taught as if it led from the film to the answer, so it must end in the
answer, state nothing that the reference does not bear out, and not betray how it was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from chexone_ray.answers import Answer, boxed, parse
from chexone_ray.config import TraceFilters
from chexone_ray.data.giveaways import image_free, mentions_report
from chexone_ray.data.substance import names_something
from chexone_ray.kinds import form
from chexone_ray.metrics.factuality import entity_precision, repetition
from chexone_ray.metrics.tokens import words
from chexone_ray.prompts import control_token
from chexone_ray.records import Sample
from chexone_ray.rewards import boxes, options, report

REASONS = (
    "no_answer",
    "control_token",
    "answer_disagrees",
    "mentions_report",
    "image_free",
    "too_short",
    "too_long",
    "repeats",
    "names_nothing",
    "unsupported_finding",
)
"""Why a text does not stay; of several reasons the first counts."""

TEXT_SHOWN = frozenset(
    {
        "image_text_matching",
        "image_text_selection",
        "summary",
        "phrases",
        "phrase_extraction",
        "text_qa",
        "entities",
    }
)
"""Kinds whose question quotes a report or another text, which the trace may then speak of."""

Style = Literal["by_kind", "plain", "numbered"]


@dataclass(frozen=True)
class Verdict:
    """One text of the teacher. `reason` is one of `REASONS`, or empty for a trace that may stay."""

    trace: str
    """The text before the boxed answer."""
    agreement: float
    """Reward of the text's own answer, in 0-1."""
    entity_precision: float
    """Share of the findings that the trace states which the reference bears out, 1 for none; 0
    where another reason came first."""
    reason: str = ""


# --- the prompt ----------------------------------------------------------------------------------

_PROMPT = """\
Question about {source}:
{question}

The right answer:
{answer}

Write the reasoning by which a careful reader who has only {source} comes to this answer. \
{form} Name the signs that can be seen, say where they lie and what follows from them, and rule \
out what the question makes one look for. State no finding that the answer does not bear out. \
Write as one who works the answer out: nothing may betray that it was known from the start. \
End with the answer, unchanged:
{boxed}"""
_FORMS = {
    "plain": "Write one paragraph of three to eight plain sentences.",
    "numbered": "Write four to twelve short numbered steps, one region or finding each.",
}


def teacher_prompt(sample: Sample, style: Style) -> str:
    """What the teacher is asked: the question with its answer. It holds reference text.

    It names no bounds of the filters, so that texts once written can be judged by others.
    """
    if style == "by_kind":
        style = "numbered" if form(sample.kind) == "report" else "plain"
    count = len(sample.images)
    return _PROMPT.format(
        source="the film" if count == 1 else "the films" if count else "the text of the question",
        question=sample.question,
        answer=sample.answer,
        form=_FORMS[style],
        boxed=boxed(sample.answer),
    )


def has_reference(sample: Sample) -> bool:
    """True where there is an answer that a trace can be judged by, and that can be asked about."""
    # A control token would end the teacher's prompt early.
    clean = not control_token(f"{sample.question} {sample.answer}")
    return bool(sample.answer.strip()) and form(sample.kind) is not None and clean


# --- the filters ---------------------------------------------------------------------------------

_MATHS_OPENING = re.compile(r"(?:\$+|\\[(\[])\s*$")


def judge(text: str, sample: Sample, filters: TraceFilters) -> Verdict:
    """Read one text of the teacher; equal arguments give equal verdicts."""
    parsed = _read(text)
    if not parsed.answer or parsed.num_boxed != 1:
        return Verdict("", 0.0, 0.0, "no_answer")
    trace = _before(parsed)
    agreement = _agreement(parsed, sample)
    reason = _reason(trace, agreement, sample, filters)
    if reason:  # findings are read last, and only here: that takes longer than all the rest
        return Verdict(trace, agreement, 0.0, reason)
    precision = entity_precision(trace, sample)
    unsupported = precision < filters.min_entity_precision
    return Verdict(trace, agreement, precision, "unsupported_finding" if unsupported else "")


def trace_of(text: str) -> str:
    """The text before its boxed answer, as `judge` reads it."""
    return _before(_read(text))


def _read(text: str) -> Answer:
    # What a thinking model writes first is not meant to be read, and speaks of the task.
    return parse(text.rpartition("</think>")[2], "reasoning")


def _before(parsed: Answer) -> str:
    return _MATHS_OPENING.sub("", parsed.reasoning).strip()


def best(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The trace that stays: of those without a reason the one that agrees best, then the one of
    the highest entity precision, then the first. None where there is none."""
    good = [verdict for verdict in verdicts if not verdict.reason]
    return max(good, key=lambda v: (v.agreement, v.entity_precision), default=None)


def _reason(trace: str, agreement: float, sample: Sample, filters: TraceFilters) -> str:
    # A question with options has one right answer: half of it would be taught a wrong reason.
    needed = 1.0 if form(sample.kind) == "options" else filters.min_agreement
    length = len(words(trace))
    checks = {
        "control_token": bool(control_token(trace)),
        "answer_disagrees": agreement < needed,
        "mentions_report": mentions_report(trace, sample.kind in TEXT_SHOWN),
        "image_free": bool(sample.images) and image_free(trace),
        "too_short": length < filters.min_words,
        "too_long": length > filters.max_words,
        "repeats": repetition(trace) > filters.max_repetition,
    }
    found = next((reason for reason in REASONS if checks.get(reason)), "")
    return found or ("" if names_something(trace, sample) else "names_nothing")


def _agreement(answer: Answer, sample: Sample) -> float:
    values = [part.reward(answer, sample) for part in (options, boxes, report)]
    return next((value for value in values if value is not None), 0.0)
