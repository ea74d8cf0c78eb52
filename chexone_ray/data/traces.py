"""Reasoning traces written by a teacher that is told the answer: its prompt, and what may stay.

Pure functions. A trace is taught as if it led from the film to the answer, so it must end in the
answer, state nothing that the reference does not bear out, and not betray how it was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from chexone_ray.answers import Answer, boxed, chosen_options, normalise, parse
from chexone_ray.boxes import decode
from chexone_ray.config import TraceFilters
from chexone_ray.data.giveaways import image_free, mentions_report
from chexone_ray.kinds import form
from chexone_ray.metrics.tokens import words
from chexone_ray.prompts import control_token
from chexone_ray.records import Sample
from chexone_ray.rewards import boxes, options, report

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention

REASONS = (
    "no_answer",
    "control_token",
    "answer_disagrees",
    "mentions_report",
    "image_free",
    "too_short",
    "too_long",
    "repeats",
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

IMPLIED = {
    "lung opacity": ("lung lesion", "edema", "consolidation", "pneumonia", "atelectasis"),
    "consolidation": ("pneumonia",),
    "enlarged cardiomediastinum": ("cardiomegaly",),
}
"""Label -> labels under it in CheXpert's hierarchy: each bears out the one above it, because a
trace names the sign ("an opacity") before it names the finding ("pneumonia")."""

RUN_LENGTH = 4
"""Words a run whose return counts as repetition."""

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


def judge(text: str, sample: Sample, filters: TraceFilters) -> Verdict:
    """Read one text of the teacher; equal arguments give equal verdicts."""
    # What a thinking model writes first is not meant to be read, and speaks of the task.
    parsed = parse(text.rpartition("</think>")[2], "reasoning")
    if not parsed.answer or parsed.num_boxed != 1:
        return Verdict("", 0.0, 0.0, "no_answer")
    trace = _MATHS_OPENING.sub("", parsed.reasoning).strip()
    agreement = _agreement(parsed, sample)
    reason = _reason(trace, agreement, sample, filters)
    if reason:  # findings are read last, and only here: that takes longer than all the rest
        return Verdict(trace, agreement, 0.0, reason)
    precision = entity_precision(trace, sample)
    unsupported = precision < filters.min_entity_precision
    return Verdict(trace, agreement, precision, "unsupported_finding" if unsupported else "")


def best(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The trace that stays: of those without a reason the one that agrees best, then the one of
    the highest entity precision, then the first. None where there is none."""
    good = [verdict for verdict in verdicts if not verdict.reason]
    return max(good, key=lambda v: (v.agreement, v.entity_precision), default=None)


def repetition(trace: str) -> float:
    """Share of the four-word runs that came before in the trace."""
    said = words(trace)
    runs = [said[i : i + RUN_LENGTH] for i in range(len(said) - RUN_LENGTH + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


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
    return next((reason for reason in REASONS if checks.get(reason)), "")


def _agreement(answer: Answer, sample: Sample) -> float:
    values = [part.reward(answer, sample) for part in (options, boxes, report)]
    return next((value for value in values if value is not None), 0.0)


# --- findings of a trace against the reference ---------------------------------------------------

_MATHS_OPENING = re.compile(r"(?:\$+|\\[(\[])\s*$")
_EMPHASIS = re.compile(r"[*_#`]+")
_ASKED = re.compile(r"(?:^|(?<=[.!?\n]))[^.!?\n]*+\?")
_SOUGHT = re.compile(
    r"\b(?:look|check|search|scan|screen|inspect|examin|review|assess|evaluat)\w*"
    r"(?: [\w-]+){0,4}? (?:for|whether)\b[^.;:!?\n]*?"
    r"(?=[.;:!?\n]| and (?:find|found|see|saw|there|it|this)\b|$)",
    re.IGNORECASE,
)
"""What is looked for is not stated; the labeller, made for reports, takes it as present."""
_HEART = re.compile(r"\b(?:heart|cardiac)\b", re.IGNORECASE)
_DENIALS = frozenset({"no", "none", "absent", "negative", "false", "not present", "not seen"})
"""Answers by which what a question asks for is not there."""
_ASKS_ABSENT = re.compile(r"\b(?:not|absent|absence|except|ruled out|excluded)\b|n't\b", re.I)


def entity_precision(trace: str, sample: Sample) -> float:
    """Of the labels that the trace states as present, the share that the reference bears out.

    One that the reference denies, puts on the other side, is unsure of or does not speak of is not
    borne out. 1 where the trace states none.
    """
    plain = _SOUGHT.sub(" ", _ASKED.sub(" ", _EMPHASIS.sub(" ", trace)))
    stated = _present(plain)
    if not stated:
        return 1.0
    known = borne_out(sample)
    return sum(_supported(label, said, known) for label, said in stated.items()) / len(stated)


def borne_out(sample: Sample) -> dict[str, Mention]:
    """The labels that the sample's reference states as present.

    Reports speak for themselves (their question may name an indication, which nobody has seen).
    Of other kinds question and answer speak together, of options the right ones.
    """
    from chexone_ray.metrics.labeller import ABSENT, read_report

    asked, answers = _evidence(sample)
    denied = {
        label
        for text in answers
        for label, mention in read_report(text).items()
        if mention.state == ABSENT
    }
    known: dict[str, Mention] = {}
    for text in asked:
        known |= {label: said for label, said in _present(text).items() if label not in denied}
    for text in answers:
        known |= _present(text)
    side = normalise(sample.answer)
    return {label: _on(side, mention) for label, mention in known.items()}


def _evidence(sample: Sample) -> tuple[Sequence[str], Sequence[str]]:
    """Texts of the question and of the answer whose findings are there."""
    meant = sample.reference or sample.answer
    which = form(sample.kind)
    if which == "report":
        return ([] if sample.images else [sample.question]), [meant]
    if which == "boxes":
        found = decode(sample.answer)
        return ([sample.question], [box.label for box in found]) if found else ([], [meant])
    if sample.options:
        return _of_options(sample)
    if normalise(sample.answer) in _DENIALS:
        return [], []  # what was asked for is not there
    told = [meant]
    if _HEART.search(sample.question):  # "How large is the heart?" "enlarged"
        told.append(f"The heart is {meant}.")
    return [sample.question], told


def _of_options(sample: Sample) -> tuple[Sequence[str], Sequence[str]]:
    """The question without its options, unless the right one denies it, and the options that are
    true of the film."""
    right = chosen_options(sample.answer, sample.options)
    chosen = [bool(chosen_options(option, sample.options) & right) for option in sample.options]
    texts = [option.partition(")")[2] or option for option in sample.options]
    told = list(zip(chosen, texts, strict=True))
    if any(is_right and normalise(text) in _DENIALS for is_right, text in told):
        return [], [text for is_right, text in told if is_right]
    stem = "\n".join(line for line in sample.question.splitlines() if line not in sample.options)
    for option in sample.options:
        if option.startswith("("):  # "Which one? (A) edema (B) mass" in one line
            stem = stem.replace(option, "\n")
    # "Which of these is absent?": the other options are there.
    there = not _ASKS_ABSENT.search(stem)
    return [stem], [text for is_right, text in told if is_right == there]


def _present(text: str) -> dict[str, Mention]:
    # Imported here: the labeller compiles a few hundred patterns that only traces need.
    from chexone_ray.metrics.labeller import PRESENT, read_report

    return {
        label: mention
        for label, mention in read_report(text).items()
        if mention.state == PRESENT and label != "no finding"
    }


def _supported(label: str, said: Mention, known: Mapping[str, Mention]) -> bool:
    bearers = [known[name] for name in (label, *IMPLIED.get(label, ())) if name in known]
    return any(not report.opposite(said, bearer) for bearer in bearers)


def _on(side: str, mention: Mention) -> Mention:
    """The mention on the side that the answer itself is, where the question names none."""
    if side in ("left", "right") and not mention.sides:
        return replace(mention, sides=frozenset({side}))
    return mention
