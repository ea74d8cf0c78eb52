"""The published rewards of CheXOne, by their formulas, so that runs and numbers can be compared.

Applied by task name to answers read by the original rules of `answers`. Three things differ: a
foreign task is left out instead of filled with a running mean, which falsified the logged total; an
unknown task is refused before the run (`score.refuse_unscored`) instead of stopping it after hours;
and the total is a weighted mean, by default half of the published sum.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from chexone_ray.answers import Answer, original_options
from chexone_ray.metrics.radcliq import bounded, radcliq
from chexone_ray.records import Sample

OPTION_TASKS = frozenset(
    {
        "Close-Ended VQA",
        "Closed-Ended VQA",
        "Image Classification",
        "Temporal Image Classification",
        "View Classification",
        "Disease Classification",
        "Temporal Disease Change Detection",
    }
)
BOX_TASKS = frozenset(
    {
        "Abnormality Grounding",
        "Chest Tube Segmentation",
        "Phrase Grounding",
        "Pneumothorax Segmentation",
    }
)
REPORT_WORDS = ("Findings Generation", "Impression Generation")
"""A task is a report where its name holds one of these."""
OTHER_NAME = 0.95
"""Factor of a box under another name."""
NO_REASONING = 0.95
"""Factor of a report without text before its box."""
GUARD = 1e-16
"""Added to the union of two boxes."""

Components = tuple[float, float, float]
"""RadGraph F1, BERTScore F1 and the cosine of CheXbert's embeddings of a pair of texts."""
Scorer = Callable[[str, str], Components]
"""(answer, reference) -> components."""

_NAME = re.compile(r"<\|ref\|>(.*?)<\|/ref\|>")
_CORNERS = re.compile(r"<\|box\|>(.*?)<\|/box\|>")


def format_reward(answer: Answer, sample: Sample) -> float:
    """1 for exactly one match of the box pattern with text before it and in it, else 0, in both
    modes. Braces that do not balance pass."""
    return float(answer.num_boxed == 1 and bool(answer.reasoning) and bool(answer.answer))


def options_reward(answer: Answer, sample: Sample) -> float | None:
    """Jaccard index of the option keys as the published code reads them; 0 without a box. None for
    other tasks."""
    if sample.task not in OPTION_TASKS:
        return None
    if not answer.answer:
        return 0.0
    said, meant = original_options(answer.answer), original_options(sample.answer)
    return len(said & meant) / len(said | meant)


def boxes_reward(answer: Answer, sample: Sample) -> float | None:
    """IoU of the first box of the answer and the first of the reference, in 0-1, times 0.95 where
    the names differ; 0 where either is no pair of a name and four integers. None for other tasks.
    """
    if sample.task not in BOX_TASKS:
        return None
    said, meant = _first_pair(answer.answer or ""), _first_pair(sample.answer)
    if said is None or meant is None:
        return 0.0
    same = said[0].lower() == meant[0].lower()
    return _iou(said[1], meant[1]) * (1.0 if same else OTHER_NAME)


def report_reward(answer: Answer, sample: Sample, scorer: Scorer) -> float | None:
    """`radcliq_reward` of the boxed text, times 0.95 without reasoning; 0 without a box. None for
    other tasks."""
    if not is_report(sample.task):
        return None
    if not answer.answer:
        return 0.0
    value = radcliq_reward(scorer(answer.answer, sample.answer))
    return value * (1.0 if answer.reasoning else NO_REASONING)


def radcliq_reward(components: Components) -> float:
    """2 x sigmoid(-RadCliQ-v1), in 0-2: 0.159 for components of 0, 1 for those of the calibration's
    mean, 1.617 for a perfect text."""
    return float(bounded(radcliq(*components)))


def known(task: str) -> bool:
    """True where the published code has a reward for the task; it raises for any other."""
    return task in OPTION_TASKS or task in BOX_TASKS or is_report(task)


def is_report(task: str) -> bool:
    """True where the published code takes a task for a report."""
    return any(words in task for words in REPORT_WORDS)


@lru_cache(maxsize=4_096)
def _first_pair(text: str) -> tuple[str, tuple[int, ...]] | None:
    """The first name and the first corners, wherever they stand. Signs count; what is no integer
    between commas makes the whole unreadable."""
    name, box = _NAME.search(text), _CORNERS.search(text)
    if not name or not box:
        return None
    parts = box.group(1).replace("(", "").replace(")", "").split(",")
    try:
        corners = tuple(int(part) for part in parts if part.strip())
    except ValueError:
        return None
    return (name.group(1), corners) if len(corners) == 4 else None


def _iou(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    # Reversed corners overlap nothing.
    return width * height / (union + GUARD) if width * height else 0.0
