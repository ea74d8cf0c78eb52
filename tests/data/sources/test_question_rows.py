"""Rows of questions with lettered options."""

from __future__ import annotations

import pytest

from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.question_rows import chosen


@pytest.mark.parametrize(
    ("options", "letter", "expected"),
    [
        (["A. one", "B. two"], "B", "two"),
        (["A: one", "B: two"], "B: two", "two"),
        (["(A) one", "(B) two"], "two", "two"),
        (["A one", "B two"], "a one", "A one"),
        (["A. one", "B. two"], "C", "answer_not_an_option"),
        (["A. one", "B. two"], "", "row_without_answer"),
        (["A. one", "B. One"], "A", "options_not_distinct"),
        (["A. one"], "A", "options_not_distinct"),
        (["A. ", "B. two"], "A", "options_not_distinct"),
    ],
)
def test_letters_and_texts_of_options(options: list[str], letter: str, expected: str) -> None:
    dropped = Losses()
    question = chosen("q", "Which?", options, letter, dropped, "x")
    assert (question.answers == (expected,)) if question else (dropped == {expected: 1})
