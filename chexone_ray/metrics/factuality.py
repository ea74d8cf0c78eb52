"""Is what a trace states borne out by the reference, and how much of it comes twice. By rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chexone_ray.answers import chosen_options, normalise
from chexone_ray.boxes import decode
from chexone_ray.kinds import form
from chexone_ray.metrics.findings import opposite
from chexone_ray.metrics.tokens import words
from chexone_ray.records import Sample

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention

IMPLIED = {
    "lung opacity": ("lung lesion", "edema", "consolidation", "pneumonia", "atelectasis"),
    "consolidation": ("pneumonia",),
    "enlarged cardiomediastinum": ("cardiomegaly",),
}
"""Label -> labels under it in CheXpert's hierarchy: each bears out the one above it, because a
trace names the sign ("an opacity") before it names the finding ("pneumonia")."""

RUN_LENGTH = 4
"""Words a run whose return counts as repetition."""


_SPACE = re.compile(r"\s+")
_EMPHASIS = re.compile(r"[*_#`]+")
_ASKED = re.compile(
    r"(?:^|(?<=[.!?\n]))(?:\s*(?i:is|are|was|were|do|does|did|can|could|has|have|any|wh\w+|how)\b"
    r"[^.!?\n]*+\?|[^.!?\n]*+\?(?!\s?[a-z]))"
)
"""Questions. "Opacity at the left base ?pneumonia." is none."""
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


def repetition(trace: str) -> float:
    """Share of the four-word runs that came before in the trace."""
    said = words(trace)
    runs = [said[i : i + RUN_LENGTH] for i in range(len(said) - RUN_LENGTH + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def entity_precision(trace: str, sample: Sample) -> float:
    """Of the labels that the trace states as present, the share that the reference bears out.

    One that the reference denies, puts on the other side, is unsure of or does not speak of is not
    borne out. 1 where the trace states none.
    """
    right, stated = entity_counts(trace, (sample,))
    return right / stated if stated else 1.0


def entity_counts(trace: str, references: Sequence[Sample]) -> tuple[int, int]:
    """How many of the labels that the trace states as present at least one of the references bears
    out, and how many it states."""
    stated = _present(stated_text(trace))
    known = [borne_out(sample) for sample in references] if stated else []
    right = sum(any(_supported(*said, told) for told in known) for said in stated.items())
    return right, len(stated)


def stated_text(trace: str) -> str:
    """A trace without emphasis, questions and what is only looked for: what the labeller, made for
    reports, may read."""
    # Runs of white space would be read again from each of their places.
    told = _SPACE.sub(_one_gap, _EMPHASIS.sub(" ", trace))
    return _SOUGHT.sub(" ", _ASKED.sub(" ", told))


def _one_gap(gap: re.Match[str]) -> str:
    """White space as one space, line break or empty line."""
    return "\n" * min(gap[0].count("\n"), 2) or " "


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
    return any(not opposite(said, bearer) for bearer in bearers)


def _on(side: str, mention: Mention) -> Mention:
    """The mention on the side that the answer itself is, where the question names none."""
    if side in ("left", "right") and not mention.sides:
        return replace(mention, sides=frozenset({side}))
    return mention
