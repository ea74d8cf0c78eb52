"""Exact entities, worked by hand; metric and reward of the kind `entities` both count them."""

from __future__ import annotations

import pytest

from chexone_ray.answers import Answer
from chexone_ray.config import RewardConfig
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.metrics.entities import entities, entity_f1
from chexone_ray.metrics.tokens import token_f1
from chexone_ray.records import Sample
from chexone_ray.rewards import report
from chexone_ray.rewards.score import score

MEANT = """Lungs: anatomy
clear: observation present
effusion: observation absent
nodule: observation uncertain"""
SAMPLE = Sample(
    id="s",
    dataset="radgraph",
    task="Named Entity Recognition",
    kind="entities",
    split="test",
    patient="p",
    study="t",
    images=(),
    question="Name what this report mentions. Report: Lungs clear . No effusion , nodule ?",
    answer=MEANT,
    mode="instruct",
)
OTHERS = """Heart: anatomy
large: observation present
fracture: observation absent
mass: observation uncertain"""


def test_entities_are_read_by_line() -> None:
    assert entities("Left  Lung: Anatomy.\n\n at 3:00 : observation present\nodd") == {
        ("left lung", "anatomy"),
        ("at 3:00", "observation present"),
        ("odd", ""),
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (MEANT, 1.0),
        ("\n".join(reversed(MEANT.lower().splitlines())), 1.0),
        # one of two said is right, of four meant: 2 * 1 / (2 + 4)
        ("lungs: anatomy\nheart: anatomy", 2 / 6),
        # right words of the wrong type, right type of the wrong words
        ("effusion: observation present\nheart: anatomy", 0.0),
        # three of three: 2 * 3 / (3 + 4)
        ("\n".join(MEANT.splitlines()[:3]), 6 / 7),
        # all four types for one word: one of four right
        (
            "lungs: anatomy\nlungs: observation present\nlungs: observation absent\n"
            "lungs: observation uncertain",
            2 / 8,
        ),
        ("lungs: anatomy\n" * 5, 2 / 5),
        ("Lungs", 0.0),
        (MEANT.replace("\n", ", "), 0.0),
        ("", 0.0),
    ],
)
def test_exact_f1(said: str, expected: float) -> None:
    assert entity_f1(said, MEANT) == pytest.approx(expected)
    (metric,) = METRICS["entities"]
    assert metric.name == "entity F1 (exact)"
    assert metric.row(SAMPLE, said) == pytest.approx((expected, 1.0))
    assert report.reward(Answer("", said, 0), SAMPLE) == pytest.approx(expected)


def test_all_entities_wrong_is_worth_nothing() -> None:
    assert token_f1(OTHERS, MEANT) > 0.6, "which is why words are not counted"
    assert score(OTHERS, SAMPLE, RewardConfig()).total == 0.0
    assert entity_f1("", "") == 0.0
    (metric,) = METRICS["entities"]
    assert metric.row(SAMPLE, None) == (0.0, 1.0)
