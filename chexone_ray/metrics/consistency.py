"""How far several answers to one question agree; what "the same answer" is comes as a function.

An answer that could not be read agrees with nothing, so that a model does not gain by giving none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Same = Callable[[str, str], bool]


def class_sizes(answers: Sequence[str | None], same: Same) -> list[int]:
    """How many of the answers are of each class, in order of the classes' first answers.

    An answer joins the first class whose first answer it is the same as; None is a class by itself
    each time.
    """
    leaders: list[str | None] = []
    sizes: list[int] = []
    for answer in answers:
        for at, leader in enumerate(leaders):
            if answer is not None and leader is not None and same(leader, answer):
                sizes[at] += 1
                break
        else:
            leaders.append(answer)
            sizes.append(1)
    return sizes


def self_consistency(answers: Sequence[str | None], same: Same) -> float:
    """1 - H / log K of K answers to one question, in 0-1: 1 where all are the same, 0 where no two
    are. H is the entropy of the classes that they fall into.

    Raises:
        ValueError: fewer than two answers.
    """
    num = len(answers)
    if num < 2:
        raise ValueError(f"self-consistency of {num} answers is not defined: draw two or more")
    sizes = class_sizes(answers, same)
    entropy = math.fsum(size / num * math.log(num / size) for size in sizes)
    return min(1.0, max(0.0, 1.0 - entropy / math.log(num)))


def flipped(before: str | None, after: str | None, same: Same) -> bool | None:
    """Whether the answer changed. None without an answer before: there is nothing to change. No
    answer after counts as a change."""
    if before is None:
        return None
    return after is None or not same(before, after)
