"""F1 of labels: worked numbers and the policies for 0/0."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest

from chexone_ray import __version__
from chexone_ray.metrics.label_f1 import (
    counts_row,
    macro_value,
    micro_value,
    samples_row,
    supported_macro_value,
    unanswered_row,
    weighted_value,
)
from chexone_ray.metrics.labeller import Mention, read_report
from chexone_ray.metrics.labels import (
    COLUMNS,
    F1_5,
    F1_14,
    RULES,
    label_signature,
    label_statistics,
    report_labels,
    stated,
)
from chexone_ray.metrics.summable import Array
from chexone_ray.rewards.reading import read

A, B, C = "a", "b", "c"


def test_a_worked_example() -> None:
    rows = [
        counts_row({A, B}, {A}, (A, B, C)),
        counts_row({A}, {A, B}, (A, B, C)),
        counts_row(set(), {A}, (A, B, C)),
    ]
    assert rows[0] == (1, 0, 0, 0, 1, 0, 0, 0, 0)
    sums = np.sum(rows, axis=0)
    # a: 2 right, 1 missed: F1 = 4/5; b: 1 false, 1 missed: 0; c: nothing: 0/0.
    assert macro_value(sums) == pytest.approx(0.8 / 3)
    assert macro_value(sums, 1) == pytest.approx(1.8 / 3)
    assert macro_value(sums, "skip") == pytest.approx(0.4)
    assert micro_value(sums) == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    assert weighted_value(sums) == weighted_value(sums, "skip") == pytest.approx((3 * 0.8 + 0) / 4)


def test_rows_that_are_empty_on_both_sides_follow_the_policy() -> None:
    assert samples_row({A, B}, {A}, (A, B)) == (pytest.approx(2 / 3), 1)
    assert samples_row(set(), set(), (A, B)) == (0, 1)
    assert samples_row(set(), set(), (A, B), 1) == (1, 1)
    assert samples_row(set(), set(), (A, B), "skip") == (0, 0)
    assert samples_row({C}, set(), (A, B), 1) == (1, 1), "c is none of the labels"


def test_nothing_at_all() -> None:
    sums = np.zeros(6)
    for value in (macro_value, micro_value, weighted_value):
        assert (value(sums), value(sums, 1)) == (0, 1)
        assert np.isnan(value(sums, "skip"))


def test_values_take_many_sums_at_once() -> None:
    sums = np.random.default_rng(0).integers(0, 9, size=(4, 5, 12)).astype(float)
    for value in (macro_value, micro_value, weighted_value, supported_macro_value):
        whole = value(sums)
        assert whole.shape == (4, 5)
        assert whole[3, 2] == pytest.approx(float(value(sums[3, 2])))


def row(predicted: str, reference: str, name: str = "F1-14") -> Array:
    """What a metric reads of one pair."""
    return label_statistics([(predicted, reference)])[0, list(COLUMNS[name])]


REPORT = "Possible pneumonia. No pleural effusion. Mild cardiomegaly."


def test_uncertain_counts_unless_told_otherwise() -> None:
    assert report_labels(REPORT) == {"pneumonia", "cardiomegaly"}
    assert report_labels(REPORT, "positive") == {"cardiomegaly"}
    assert stated({"edema": -1, "fracture": 0, "pneumonia": 1}) == {"edema", "pneumonia"}
    assert report_labels("") == frozenset()
    assert report_labels("The lungs are clear.") == {"no finding"}


NORMAL = "The lungs are clear. The heart size is normal. No effusion or pneumothorax."
JUNK = (
    *("I cannot see the image.", "Please consult a radiologist.", "x", "History of CHF."),
    *("No pacemaker or tube.", "Is the film normal?"),
)


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_no_normal_film(junk: str) -> None:
    assert report_labels(junk) == frozenset()
    # One label, "no finding", missed.
    missed = row(junk, NORMAL)
    assert missed.tolist() == [0, 0, 1, *[0] * 39]
    assert micro_value(missed) == supported_macro_value(missed) == 0
    assert row(junk, NORMAL, "F1-14 (samples)").tolist() == [0, 1]
    # As a reference it calls nothing normal either: one false positive.
    assert row(NORMAL, junk).tolist() == [0, 1, 0, *[0] * 39]


def test_no_finding_is_counted_where_the_reward_counts_it() -> None:
    for text in (
        *(NORMAL, "Normal chest.", "No acute cardiopulmonary process.", "The lungs are clear."),
        *("No pneumothorax.", "A pacemaker. The heart size is normal.", "Possible pneumonia."),
        *("A feeding tube.", "Left pleural effusion. Normal heart.", *JUNK),
    ):
        assert ("no finding" in report_labels(text)) == ("no finding" in read(text).labels), text
    assert report_labels("A pacemaker. The heart size is normal.") == {
        "no finding",
        "support devices",
    }
    assert report_labels("A feeding tube.") == {"support devices"}


def test_f1_of_reports() -> None:
    assert len(F1_14) == 14 and F1_14[0] == "no finding" and set(F1_5) < set(F1_14)
    predicted = "Cardiomegaly. Small left pleural effusion."
    fourteen = row(predicted, REPORT)
    # cardiomegaly right, effusion false, pneumonia missed.
    assert micro_value(fourteen) == pytest.approx(2 / 4)
    assert macro_value(fourteen) == pytest.approx(1 / 14)
    assert macro_value(fourteen, "skip") == pytest.approx(1 / 3)
    five = row(predicted, REPORT, "F1-5")
    assert micro_value(five) == pytest.approx(2 / 3)
    assert row(predicted, REPORT, "F1-14 (samples)").tolist() == pytest.approx([1 / 2, 1])
    # Possible pneumonia is not stated as present: cardiomegaly right, effusion false.
    assert row(predicted, REPORT, "positive").tolist() == [1, 1, 0]


def test_the_signature_says_what_the_number_depends_on() -> None:
    assert re.fullmatch(r"rules [0-9a-f]{8}", RULES)
    assert label_signature("micro", F1_5, "positive", "skip") == (
        "report F1-5|average:micro|zero_division:skip|labels:all|reading:positive|uncertain:absent"
        f"|no_answer:misses, or one false positive|labeller:{RULES}|v:{__version__}"
    )
    assert "|labels:with support|reading:rrg|uncertain:present|" in (
        label_signature("macro", supported=True)
    )
    normal = "|no_finding:where normality is stated|"
    assert normal in label_signature("samples") and normal not in label_signature("micro", F1_5)
    assert normal not in label_signature("micro", labeller="CheXbert"), "it has a rule of its own"


def test_a_label_without_support_is_no_part_of_the_mean() -> None:
    """b is stated by no reference: a perfect system has 1, and stating it costs its own F1 only."""
    perfect = np.sum([counts_row({A}, {A}, (A, B, C)), counts_row({C}, {C}, (A, B, C))], axis=0)
    assert supported_macro_value(perfect) == 1 and macro_value(perfect) == pytest.approx(2 / 3)
    missed = np.sum([counts_row({A, B}, {A}, (A, B, C)), counts_row({A}, {C}, (A, B, C))], axis=0)
    # a: 1 right, 1 false: 2/3; c: missed: 0.
    assert supported_macro_value(missed) == pytest.approx(1 / 3)
    # A draw without c is of a alone; one without any label has no value.
    draws = np.stack([counts_row({A}, {A}, (A, B, C)), counts_row({B}, set(), (A, B, C))])
    value = supported_macro_value(draws)
    assert value[0] == 1 and np.isnan(value[1])


def test_no_answer_is_never_free() -> None:
    assert unanswered_row({A, C}, (A, B)) == (0, 0, 1, 0, 0, 0)
    assert unanswered_row({C}, (A, B)) == (0, 0.5, 0, 0, 0.5, 0)
    normal = "The lungs are clear."
    right = row(REPORT, REPORT, "F1-5")
    assert micro_value(right) == 1
    # One false positive: 2 / (2 + 1). An answer that is right there costs nothing.
    assert micro_value(right + row("", normal, "F1-5")) == pytest.approx(2 / 3)
    assert micro_value(right + row(normal, normal, "F1-5")) == 1
    # With "no finding" among the labels it is a miss like any other.
    assert row(" ", normal).tolist() == [0, 0, 1, *[0] * 39]
    assert row("", normal, "F1-14 (samples)").tolist() == [0, 1]
    assert np.isnan(row(REPORT, "Low lung volumes.", "F1-14 (samples)")).all()


def test_each_text_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counting(text: str) -> Mapping[str, Mention]:
        asked.append(text)
        return read_report(text)

    monkeypatch.setattr("chexone_ray.metrics.labels.read_report", counting)
    rows = label_statistics([(REPORT, NORMAL), (NORMAL, NORMAL), (REPORT, REPORT), ("", NORMAL)])
    assert sorted(asked) == sorted([REPORT, NORMAL, ""])
    assert rows[:, list(COLUMNS["F1-14 (samples)"])].tolist() == [[0, 1], [1, 1], [1, 1], [0, 1]]
