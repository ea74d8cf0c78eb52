"""Findings as (name, side, severity, region), their soft F1, and comma lists of labels."""

from __future__ import annotations

import numpy as np
import pytest

from chexone_ray.metrics.findings import Finding, finding_f1, findings, likeness
from chexone_ray.metrics.labels import COLUMNS, label_statistics
from chexone_ray.metrics.summable import micro_f1_value

EFFUSION = Finding("pleural effusion", "left", "mild")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "There is a small left pleural effusion. The heart is enlarged. No pneumothorax.",
            {EFFUSION, Finding("cardiomegaly")},
        ),
        (
            "A consolidation is seen in the right upper zone. A left lower zone nodule is seen.",
            {
                Finding("consolidation", "right", region="upper"),
                Finding("nodule", "left", region="lower"),
            },
        ),
        (
            "Right lower lobe pneumonia and left upper lobe mass.",
            {
                Finding("pneumonia", "right", region="lower"),
                Finding("mass", "left", region="upper"),
            },
        ),
        # A region is that of one finding, before or behind it.
        (
            "A mass in the right upper lobe, and atelectasis.",
            {Finding("mass", "right", region="upper"), Finding("atelectasis")},
        ),
        (
            "Edema and a nodule in the left upper zone.",
            {Finding("edema", "left"), Finding("nodule", "left", region="upper")},
        ),
        # A finding on both sides is two, each with its own severity where it has one.
        (
            "There is a small right and a large left pleural effusion.",
            {
                Finding("pleural effusion", "right", "mild"),
                Finding("pleural effusion", "left", "severe"),
            },
        ),
        (
            "Pleural effusions on both sides, small on the right and large on the left.",
            {
                Finding("pleural effusion", "right", "mild"),
                Finding("pleural effusion", "left", "severe"),
            },
        ),
        (
            "Bibasilar atelectasis.",
            {
                Finding("atelectasis", "left", region="lower"),
                Finding("atelectasis", "right", region="lower"),
            },
        ),
        # Saying it again, or more of it, is the same finding.
        ("Left effusion. The effusion is small. There is a left pleural effusion.", {EFFUSION}),
        ("Severe cardiomegaly.", {Finding("cardiomegaly", "", "severe")}),
        ("The lungs are clear. The heart is normal. No effusion.", set()),
        ("Possible pneumonia.", {Finding("pneumonia", doubtful=True)}),
        ("Possible pneumonia. The pneumonia is left.", {Finding("pneumonia", "left")}),
        ("", set()),
    ],
)
def test_findings(text: str, expected: set[Finding]) -> None:
    assert findings(text) == expected


def test_likeness_by_hand() -> None:
    assert likeness(EFFUSION, EFFUSION) == 1.0
    assert likeness(Finding("nodule"), Finding("nodule")) == 1.0
    assert likeness(EFFUSION, Finding("edema")) == 0.0
    # The other side is another finding.
    assert likeness(EFFUSION, Finding("pleural effusion", "right", "mild")) == 0.0
    # 1 + 1/3 for the side + nothing for the severity, of 1 + 2/3.
    other_size = Finding("pleural effusion", "left", "severe")
    assert likeness(EFFUSION, other_size) == pytest.approx((4 / 3) / (5 / 3))
    # 1 + 1/6 + 1/6 of 5/3 where only one says where and how large.
    assert likeness(EFFUSION, Finding("pleural effusion")) == pytest.approx((4 / 3) / (5 / 3))


def test_f1_by_hand() -> None:
    two = [EFFUSION, Finding("cardiomegaly")]
    assert finding_f1(two, two) == 1.0
    assert finding_f1([EFFUSION], two) == pytest.approx(2 / 3)
    assert finding_f1([Finding("pleural effusion")], two) == pytest.approx(2 * 0.8 / 3)
    assert finding_f1([], two) == finding_f1(two, []) == 0.0
    assert finding_f1([], []) is None
    # One to one: the second effusion has no partner left.
    both = [EFFUSION, Finding("pleural effusion", "right")]
    assert finding_f1(both, [EFFUSION]) == pytest.approx(2 / 3)


def test_f1_is_symmetric_and_bounded() -> None:
    sets = [
        [],
        [EFFUSION],
        [EFFUSION, Finding("pleural effusion", "right", "severe")],
        [Finding("nodule", "left", region="upper"), Finding("nodule", region="lower")],
        [Finding("nodule", "left"), Finding("nodule", "right", region="upper"), EFFUSION],
    ]
    for a in sets:
        for b in sets:
            value = finding_f1(a, b)
            assert value == finding_f1(b, a)
            assert value is None or 0.0 <= value <= 1.0


def test_pooled_f1_sees_a_wrong_side_where_labels_do_not() -> None:
    def f1(*pairs: tuple[str, str], columns: str = "findings") -> float:
        return float(micro_f1_value(np.sum(label_statistics(pairs)[:, COLUMNS[columns]], axis=0)))

    truth, normal = "A right pleural effusion. The heart is enlarged.", "The lungs are clear."
    wrong, vague = truth.replace("right", "left"), truth.replace("right ", "")
    assert f1((wrong, truth), (normal, normal), columns="positive") == 1
    assert f1((wrong, truth), (normal, normal)) == pytest.approx(1 / 2)
    # 1 + 1/6 of 4/3 where no side is told.
    assert f1((vague, truth)) == pytest.approx((1 + 7 / 8) / 2)
    # 2 are shared; for two rows without an answer 2 are missed and 1 is made up.
    assert f1((truth, truth), ("", truth), (" ", normal)) == pytest.approx(4 / 7)
    # Half of the mean weight 3/4; the weights are 1 and 1/2.
    assert f1(("Pneumonia.", "Possible pneumonia.")) == pytest.approx(2 * 3 / 8 / (3 / 2))
