"""The rule labeller on sentences that were written without sight of its rules.

Scored are the (label, state) pairs that a text names. Denials that only follow from it
(`Mention.implied`: "the lungs are clear" denies an opacity) are not: the conventions of the
sentences leave them out, while questions and the polarity guard of the reward need them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.metrics.labeller import read_report
from tests.metrics import labeller_score
from tests.metrics.labeller_score import Line, Score, load, practice, said_pairs, score

BOUND = {
    "dev": (0.95, 0.95),
    "practice": (0.95, 0.95),
    "check": (0.92, 0.92),
    "practice 3": (0.98, 0.98),
    "check 3": (0.93, 0.93),
    "practice 4": (0.98, 0.98),
    "practice 5": (0.98, 0.98),
    "practice 6": (0.98, 0.98),
    "check 6": (0.95, 0.95),
    "held-out": (0.92, 0.91),
    "held-out 2": (0.95, 0.95),
}
"""Precision and recall. Rules are written and mended on "dev" and both "practice" only. The aim is
0.95; both "check" and "held-out" stand at what was reached (hard_sentences.md)."""


@pytest.mark.parametrize("part", list(BOUND))
def test_micro_precision_and_recall(part: str) -> None:
    found = score(load(part))
    precision, recall = BOUND[part]
    assert found.precision >= precision
    assert found.recall >= recall


@pytest.mark.parametrize(
    ("number", "sizes"), [("", [300, 140]), (" 3", [200, 100]), (" 4", [240, 60])]
)
def test_practice_and_check_share_no_line(number: str, sizes: list[int]) -> None:
    parts = [{row["text"] for row in practice(part + number)} for part in ("practice", "check")]
    assert [len(part) for part in parts] == sizes
    assert not parts[0] & parts[1]


def test_sentences_that_rules_were_mended_on_stay_read() -> None:
    wrong = [
        row["text"]
        for row in _own_sentences()
        if said_pairs(row["text"]) != frozenset(row["labels"].items())
    ]
    assert wrong == []


def _own_sentences() -> list[dict[str, Any]]:
    path = Path(__file__).with_name("own_sentences.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_score_by_hand() -> None:
    lines = [
        Line("", "a", frozenset({("edema", 1), ("fracture", 0)}), frozenset({("edema", 1)})),
        Line("", "b", frozenset({("edema", 0)}), frozenset({("edema", -1), ("fracture", 1)})),
    ]
    assert score(lines) == Score(right=1, num_said=3, num_gold=3)
    assert (score(lines).precision, score(lines).recall) == (1 / 3, 1 / 3)
    parts = labeller_score.breakdown(lines)
    assert parts["positives"] == Score(1, 2, 1)
    assert parts["state uncertain"] == Score(0, 1, 0)
    assert parts["label fracture"] == Score(0, 1, 1)
    assert parts["topic b"] == Score(0, 2, 1)
    assert Score(0, 0, 0).precision == Score(0, 0, 0).recall == 1.0


def test_the_signature_says_what_is_left_out() -> None:
    assert "|implied:no|" in labeller_score.table("dev").splitlines()[0]


@pytest.mark.parametrize(
    ("text", "label", "implied"),
    [
        ("The lungs are clear.", "lung opacity", True),
        ("The lungs are clear, without opacity.", "lung opacity", False),
        ("Clear lungs. No infiltrate.", "lung opacity", False),
        ("The bones are unremarkable.", "fracture", True),
        ("The bones are intact.", "fracture", False),
        ("The costophrenic angles are sharp.", "pleural effusion", False),
    ],
)
def test_denials_that_only_follow_are_marked(text: str, label: str, implied: bool) -> None:
    mention = read_report(text)[label]
    assert (mention.state, mention.implied) == (0, implied)


# Our own sentences for the rules that the hard ones made us write.
OWN: list[tuple[str, dict[str, int]]] = [
    ("Effusion. Not seen.", {"pleural effusion": 0}),
    ("Fracture? Yes, of the sixth rib.", {"fracture": 1}),
    ("Nodule: equivocal.", {"lung lesion": -1}),
    ("Of pneumonia there is no sign.", {"pneumonia": 0}),
    ("Evaluate for effusion. None is seen.", {"pleural effusion": 0}),
    ("Indication: fever, pneumonia. Findings: cardiomegaly.", {"cardiomegaly": 1}),
    ("CT showed a nodule. It is not visible on this film.", {"lung lesion": 0}),
    ("No new mass; the old one is unchanged.", {"lung lesion": 1}),
    ("Neither the effusion nor the edema has changed.", {"pleural effusion": 1, "edema": 1}),
    ("Edema has cleared except at the bases.", {"edema": 1}),
    ("The rib fracture has healed.", {"fracture": 1}),
    ("The pneumonia has healed.", {"pneumonia": 0}),
    ("No pneumothorax after removal of the drain.", {"pneumothorax": 0, "support devices": 0}),
    ("A broken sternal wire.", {"support devices": 1}),
    ("Chest drain in place.", {"support devices": 1}),
    ("A fracture cannot be denied.", {"fracture": 1}),
    ("Effusion is not unlikely.", {"pleural effusion": -1}),
    ("Edema or infection.", {"edema": -1, "pneumonia": -1}),
    ("Cardiothoracic ratio 0.58.", {"cardiomegaly": 1}),
    ("no plueral effusoin", {"pleural effusion": 0}),
    ("Right internal jugular line.", {"support devices": 1}),
]


@pytest.mark.parametrize(("text", "expected"), OWN)
def test_own_sentences(text: str, expected: dict[str, int]) -> None:
    found = {label: mention.state for label, mention in read_report(text).items()}
    found.pop("no finding", None)
    assert found == expected
