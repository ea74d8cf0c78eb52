"""Closed answers: worked numbers."""

from __future__ import annotations

import numpy as np
import pytest

from chexone_ray import __version__
from chexone_ray.metrics.classes import (
    PROGRESSION,
    asked_finding,
    class_f1_signature,
    jaccard_row,
    progression_row,
    progression_signature,
    progression_value,
)
from chexone_ray.metrics.label_f1 import counts_row, macro_value

BETTER, SAME, WORSE = PROGRESSION


def test_worked_answers() -> None:
    assert jaccard_row({"A", "B"}, {"B", "C"}) == (pytest.approx(1 / 3), 1)
    assert jaccard_row(set(), {"B"}) == jaccard_row(set(), set()) == (0, 1)


def test_an_answer_that_is_no_class_costs_the_recall_of_the_right_one() -> None:
    rows = [counts_row({"pa"}, {"pa"}, ("pa", "ap")), counts_row(set(), {"pa"}, ("pa", "ap"))]
    assert counts_row({"chest"}, {"pa"}, ("pa", "ap")) == rows[1] == (0, 0, 1, 0, 0, 0)
    assert macro_value(np.sum(rows, axis=0), "skip") == pytest.approx(2 / 3)


def test_progression_is_the_mean_of_recalls_then_of_findings() -> None:
    rows = [
        progression_row("edema", {BETTER}, BETTER),
        progression_row("edema", {SAME}, BETTER),
        progression_row("edema", {WORSE}, WORSE),
        progression_row("pleural effusion", set(), SAME),
    ]
    sums = np.sum(rows, axis=0)
    # edema: (1/2 + 1/1) / 2 = 3/4, nobody asked about "same"; effusion 0; others not asked.
    assert progression_value(sums) == pytest.approx((0.75 + 0) / 2)
    assert np.isnan(progression_value(np.zeros_like(sums)))
    assert progression_value(np.stack([sums, 2 * sums])).tolist() == pytest.approx([0.375] * 2)
    with pytest.raises(ValueError, match="progression of 'edema' is 'unchanged'"):
        progression_row("edema", {SAME}, "unchanged")


def test_the_finding_is_the_end_of_the_id() -> None:
    assert asked_finding("ms_cxr_t/s1/progression/pleural effusion") == "pleural effusion"
    assert asked_finding("phantom/s1/progression/left Pneumothorax") == "pneumothorax"
    assert asked_finding("d/s1/progression/right hilar mass") == asked_finding("7") == "other"


def test_signatures() -> None:
    assert class_f1_signature("macro", 4) == (
        "class F1|average:macro|zero_division:skip|classes:4|unparsed:a miss, no false positive"
        f"|v:{__version__}"
    )
    assert progression_signature().startswith(
        "progression macro accuracy|classes:better, same, worse|mean:classes then findings|"
    )
