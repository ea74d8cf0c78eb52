"""What a model wrote -> its answer in our notation, so that every metric reads all models alike."""

from __future__ import annotations

import re
from dataclasses import replace

from chexone_ray import answers, boxes
from chexone_ray.answers import Answer
from chexone_ray.boxes import Geometry
from chexone_ray.kinds import form
from chexone_ray.metrics.denied import denies
from chexone_ray.systems.adapter import Adapter, Posed
from chexone_ray.systems.asking import WHOLE_REPORTS, named

ANYTHING = "abnormality"
"""What a denial is about where the question names nothing."""
_EMPTY = re.compile(r"(?:```(?:json)?)?\s*\[\s*\]\s*(?:```)?", re.IGNORECASE)
_GROUNDED = re.compile(r"</?obj>|<box>.*?</box>", re.DOTALL)
_NO_FINDING = re.compile(r"no (?:findings?|abnormalit(?:y|ies))", re.IGNORECASE)


def read(adapter: Adapter, posed: Posed, text: str, geometry: Geometry | None) -> Answer:
    """Reasoning and answer of a completion; the answer is None where none could be read.

    Boxes are in the `percent` form on the displayed original, whatever the model writes, with the
    fractions that its own codec gives (`boxes.exact`). An empty list, or a text that denies by the
    rule that judges all systems (`metrics.denied.denies`), is a denial; any other text without a
    box is no answer to a question for boxes. Models that write `percent` themselves are left alone.
    """
    found = answers.parse(text, posed.mode, adapter.rules)
    if found.answer is None:
        return found
    if form(posed.kind) == "boxes":
        return replace(found, answer=_boxes(adapter, posed, found.answer, geometry))
    if adapter.codec == "bins":
        plain = " ".join(_GROUNDED.sub(" ", found.answer).split())
        return replace(found, answer=plain or None)
    if adapter.lists_labels and posed.kind in WHOLE_REPORTS:
        return replace(found, answer=_sentences(found.answer))
    return found


def _boxes(adapter: Adapter, posed: Posed, answer: str, geometry: Geometry | None) -> str | None:
    if adapter.codec == "percent" and adapter.shape == "whole":
        return answer
    if geometry is None:
        return None
    name = named(posed.kind, posed.question) if posed.kind == "grounding" else ""
    found = boxes.decode(answer, adapter.codec, geometry, label=name)
    if found:
        return boxes.exact(found)
    denial = boxes.negative(name or ANYTHING)
    if _EMPTY.fullmatch(answer.strip()) or denies(answer) or _same(answer, denial):
        return denial if denies(denial) else boxes.negative(ANYTHING)
    return None


def _same(first: str, second: str) -> bool:
    return answers.normalise(first) == answers.normalise(second)


def _sentences(answer: str) -> str | None:
    """A list of labels as sentences, which the labeller reads."""
    labels = [part.strip(" .\t") for part in re.split(r"[,;\n]", answer)]
    told = []
    for label in filter(None, labels):
        if _NO_FINDING.fullmatch(label):
            told.append("No acute abnormality.")
        else:
            told.append(f"There is {label.lower()}.")
    return " ".join(told) or None
