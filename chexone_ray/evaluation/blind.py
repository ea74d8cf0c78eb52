"""The baselines of an evaluation: answers that could be given without looking at the picture.

One of them, `SIDES_TOLD`, is told a part of the answer instead; its name says so.

Each is fitted on training rows and answers in the model's own notation, so it goes through the same
parser and the same metrics as every model.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from chexone_ray import boxes
from chexone_ray.data.facts import side_of
from chexone_ray.kinds import KINDS, form
from chexone_ray.metrics.labels import positive_labels
from chexone_ray.records import Box, Sample

Answerer = Callable[[Sample], str]

MAJORITY, RANDOM = "majority", "random"
"""The two that every kind has."""
SIDES_TOLD = "best fixed box a label, sides told"
"""The one baseline that is told a part of the answer."""

_MAX_FIT_BOXES = 400
_FEW_ANSWERS = {
    "view": ("PA", "AP", "lateral"),
    "heart_size": ("normal", "borderline", "enlarged"),
    "side": ("left", "right", "both"),
}
"""As docs/tasks.md tells them, of kinds that have no `classes`, whose recalls are averaged."""


def majority(train: Sequence[Sample]) -> Answerer:
    """The most frequent training answer, whatever is asked; ties go to the alphabet."""
    counts = Counter(sample.answer for sample in train)
    answer = min(counts, key=lambda text: (-counts[text], text))
    return lambda sample: answer


def random_choice(train: Sequence[Sample], seed: int) -> Answerer:
    """A choice by chance that is the same for the same seed and sample, whatever the order.

    Of the options shown, one; of a closed question without options one of the different answers in
    training; of all other kinds the answer of one training row.
    """
    closed = all(form(sample.kind) == "options" for sample in train)
    return _one_of(sorted({s.answer for s in train}) if closed else [s.answer for s in train], seed)


def by_chance(kind: str, asked: Sequence[Sample], seed: int = 0) -> dict[str, Answerer]:
    """The baselines without training rows: `RANDOM` over the options of the rows `asked`, or over
    the few answers that the kind has; nothing where a row has neither."""
    few = KINDS[kind].classes or _FEW_ANSWERS.get(kind, ())
    known = bool(few) or all(sample.options for sample in asked)
    return {RANDOM: _one_of(sorted(few), seed)} if known else {}


def _one_of(pool: Sequence[str], seed: int) -> Answerer:
    def answer(sample: Sample) -> str:
        rng = random.Random(f"{seed}/{sample.id}")
        if sample.options:
            return rng.choice(sample.options).partition(" ")[0]
        return rng.choice(pool)

    return answer


def all_positive(train: Sequence[Sample]) -> Answerer:
    """A report that states every label that any training report states."""
    labels = sorted({label for sample in train for label in positive_labels(sample.answer)})
    report = " ".join(f"There is {label.lower()}." for label in labels)
    return lambda sample: report


def majority_of_question(train: Sequence[Sample]) -> Answerer:
    """The most frequent training answer to the very question; to a new one that of all questions.

    It knows what the wording gives away, such as how often a finding is there when asked for.
    """
    by_question: dict[str, list[Sample]] = defaultdict(list)
    for sample in train:
        by_question[sample.question].append(sample)
    answers = {question: majority(found) for question, found in by_question.items()}
    fallback = majority(train)
    return lambda sample: answers.get(sample.question, fallback)(sample)


def likeliest_option(train: Sequence[Sample]) -> Answerer:
    """Of the options shown, the one that was right most often where it was shown in training; to a
    row without options the majority's answer."""
    shown: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for sample in train:
        for option in sample.options:
            shown[_text(option)] += 1
            right[_text(option)] += option.partition(" ")[0] in sample.answer

    without = majority(train)

    def answer(sample: Sample) -> str:
        if not sample.options:
            return without(sample)
        best = max(sample.options, key=lambda o: right[_text(o)] / max(shown[_text(o)], 1))
        return best.partition(" ")[0]

    return answer


def _text(option: str) -> str:
    return option.partition(" ")[2]


def best_fixed_box(train: Sequence[Sample]) -> Answerer:
    """The training box that overlaps the training boxes best on average."""
    best, asked = _medoids(train, lambda box: "")[""], _asked(train)
    return lambda sample: boxes.encode([Box(asked(sample), best)])


def best_fixed_box_a_label(train: Sequence[Sample]) -> Answerer:
    """The same among the boxes of the label that is asked for."""
    best, asked = _medoids(train, lambda box: box.label), _asked(train)
    some = next(iter(best.values()))
    return lambda sample: boxes.encode([Box(asked(sample), best.get(asked(sample), some))])


def best_fixed_box_side_told(train: Sequence[Sample]) -> Answerer:
    """The same among those of the label and the side, for each box of the reference.

    It is told how many boxes there are and on which sides, which the question does not say: what is
    above it is due to seeing where on its side a finding lies and how large it is.
    """
    best = _medoids(train, lambda box: f"{box.label}/{side_of(box)}")
    some, asked = next(iter(best.values())), _asked(train)

    def answer(sample: Sample) -> str:
        label = asked(sample)
        sides = [side_of(box) for box in sample.boxes]
        corners = [best.get(f"{label}/{side}", some) for side in sides] or [some]
        return boxes.encode([Box(label, xyxy) for xyxy in corners])

    return answer


def _asked(train: Sequence[Sample]) -> Callable[[Sample], str]:
    """The label that a question names: of those in training the longest that stands in its text, or
    the commonest in training where it names none, as where everything is asked for."""
    counts = Counter(box.label for sample in train for box in sample.boxes)
    denied = (boxes.negative_label(sample.answer) for sample in train)
    names = {*counts, *(name for name in denied if name)}
    longest = sorted(names, key=lambda name: (-len(name), name))
    commonest = min(counts, key=lambda name: (-counts[name], name))
    patterns = [(name, re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE)) for name in longest]

    def label(sample: Sample) -> str:
        return next((name for name, seen in patterns if seen.search(sample.question)), commonest)

    return label


def _medoids(
    train: Sequence[Sample], key: Callable[[Box], str]
) -> dict[str, tuple[float, float, float, float]]:
    pools: dict[str, list[Box]] = defaultdict(list)
    for sample in train:
        for box in sample.boxes:
            pools[key(box)].append(box)
    return {name: _medoid(pool) for name, pool in pools.items()}


def _medoid(pool: Sequence[Box]) -> tuple[float, float, float, float]:
    corners = np.array([box.xyxy for box in pool])[:_MAX_FIT_BOXES]
    chosen = corners[pairwise_iou(corners, corners).mean(axis=1).argmax()]
    x1, y1, x2, y2 = (float(v) for v in chosen)
    return (x1, y1, x2, y2)


def pairwise_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of every pair of xyxy boxes: (N, 4) and (M, 4) -> (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=-1)
    area = [np.prod(side[:, 2:] - side[:, :2], axis=-1) for side in (first, second)]
    return common / np.maximum(area[0][:, None] + area[1][None, :] - common, 1e-12)


def baselines_of(kind: str, train: Sequence[Sample], seed: int = 0) -> dict[str, Answerer]:
    """The baselines that make sense for a kind, by the name that the table shows; `MAJORITY` and
    `RANDOM` for every kind. Empty where there is no training row."""
    if not train:
        return {}
    found = {MAJORITY: majority(train), RANDOM: random_choice(train, seed)}
    if form(kind) == "report":
        return found | {"all positive": all_positive(train)}
    if form(kind) == "boxes":
        if any(sample.boxes for sample in train):
            found |= {
                "best fixed box": best_fixed_box(train),
                "best fixed box a label": best_fixed_box_a_label(train),
                SIDES_TOLD: best_fixed_box_side_told(train),
            }
        return found
    if any(sample.options for sample in train):
        return found | {"likeliest option": likeliest_option(train)}
    return found | {"majority of the question": majority_of_question(train)}
