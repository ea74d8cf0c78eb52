"""Texts and what the report reward makes of them, at least and at most, by reference."""

from __future__ import annotations

import pytest

from chexone_ray.answers import Answer
from chexone_ray.metrics.labeller import LABELS
from chexone_ray.records import Sample
from chexone_ray.rewards.report import reward
from chexone_ray.rewards.wording import in_order, said_once

SICK = (
    "There is a small left pleural effusion with adjacent atelectasis. The heart is mildly "
    "enlarged. No pneumothorax. Pacemaker leads are unchanged."
)
NORMAL = (
    "The lungs are clear. The heart is normal in size. No pleural effusion or pneumothorax. "
    "No acute osseous abnormality."
)
COURSE = (
    "Interval improvement of the right lower lobe consolidation. The left pleural effusion has "
    "decreased. The endotracheal tube is unchanged."
)
TURNED = COURSE.replace("improvement", "worsening").replace("decreased", "increased")
GROWN = "The effusion has increased since the prior film."
LIST = ", ".join(LABELS[1:])
STATED = " ".join(f"There is {label}." for label in LABELS[1:])
DENIED = " ".join(f"No {label}." for label in LABELS[1:])
BOTH = " ".join(f"There is {label}. There is no {label}." for label in LABELS[1:])
DOUBTED = " ".join(f"Possible {label}." for label in LABELS[1:])
ONE_FILM = "There is a small left pleural effusion. The heart is enlarged. Mild edema."
THREE = "There is a small left pleural effusion. The heart is enlarged. Mild edema. A pacemaker."
TELEGRAM = (
    "The heart is enlarged. There is a small right pleural effusion. A consolidation is seen in "
    "the left upper zone. No pneumothorax."
)
DOUBT = "Possible left lower lobe pneumonia. The heart is normal. No effusion."
HEDGES = "Possible edema. Possible pneumonia. Possible consolidation. Possible fracture."
QUESTION = "Write the findings of this film."


def sample(answer: str, kind: str) -> Sample:
    return Sample(
        id="s",
        dataset="d",
        task="t",
        kind=kind,
        split="train",
        patient="p",
        study="s",
        images=(),
        question="q",
        answer=answer,
    )


def value(text: str, reference: str, kind: str = "findings") -> float:
    found = reward(Answer("trace", text, 1), sample(reference, kind))
    assert found is not None and 0.0 <= found <= 1.0
    return found


def salad(text: str) -> str:
    """The different words of a text by the alphabet."""
    return " ".join(sorted(set(text.lower().replace(".", "").split())))


@pytest.mark.parametrize(
    ("reference", "text", "least", "most"),
    [
        # What does not pay.
        (SICK, LIST, 0.0, 0.16),
        (SICK, STATED, 0.0, 0.16),
        (COURSE, STATED, 0.0, 0.16),
        (SICK, f"{HEDGES} {SICK}", 0.4, 0.6),
        (TELEGRAM, "the cardiomegaly the effusion the consolidation", 0.0, 0.55),
        (TELEGRAM, "x cardiomegaly x effusion x consolidation x", 0.0, 0.4),
        (NORMAL, STATED, 0.0, 0.01),
        (SICK, DENIED, 0.0, 0.01),
        (COURSE, DENIED, 0.0, 0.01),
        (SICK, DOUBTED, 0.0, 0.09),
        (SICK, BOTH, 0.0, 0.01),
        (NORMAL, BOTH, 0.0, 0.01),
        (SICK, NORMAL, 0.0, 0.025),
        (COURSE, NORMAL, 0.0, 0.01),
        (SICK, "No pneumothorax.", 0.0, 0.05),
        (SICK, "No acute cardiopulmonary abnormality.", 0.0, 0.02),
        (SICK, f"{SICK} {NORMAL}", 0.0, 0.4),
        (SICK, QUESTION, 0.0, 0.03),
        (NORMAL, QUESTION, 0.0, 0.03),
        # Words of the report in no order, and the report again and again.
        (SICK, salad(SICK), 0.0, 0.4),
        (COURSE, salad(COURSE), 0.0, 0.4),
        (NORMAL, salad(NORMAL), 0.0, 0.1),
        (TELEGRAM, salad(TELEGRAM), 0.0, 0.4),
        (SICK, salad(SICK).replace(" ", ", "), 0.0, 0.4),
        *((text, " ".join([text] * 10), 0.2, 0.3) for text in (SICK, NORMAL, COURSE)),
        # A normal film: short answers are true and not all there is to tell.
        (NORMAL, "No pneumothorax.", 0.1, 0.25),
        (NORMAL, "No effusion", 0.1, 0.25),
        (NORMAL, "The heart is normal.", 0.2, 0.4),
        (NORMAL, "Normal.", 0.3, 0.5),
        (NORMAL, "No acute cardiopulmonary abnormality.", 0.4, 0.5),
        (
            NORMAL,
            "Cardiomediastinal silhouette is within normal limits. No consolidation, pneumothorax "
            "or pleural effusion identified.",
            0.8,
            0.95,
        ),
        (
            NORMAL,
            "Normal heart size. No focal airspace disease, effusion, or pneumothorax. "
            "Bones are intact.",
            0.8,
            0.95,
        ),
        *((NORMAL, text, 0.28, 0.4) for text in ("The lungs are normal.", "No lung abnormality.")),
        (NORMAL, "The heart and lungs are unremarkable.", 0.55, 0.7),
        (NORMAL, "Normal lungs, heart, pleura and bones.", 0.8, 0.95),
        (NORMAL, "Lungs and pleura are clear. The heart is normal.", 0.8, 0.95),
        # Correct telegrams, and reports that miss what is there.
        (
            TELEGRAM,
            "Enlarged heart. Small effusion, right. Left zone consolidation, upper.",
            0.75,
            0.9,
        ),
        (
            TELEGRAM,
            "There is cardiomegaly. No effusion or pneumothorax. The lungs are clear.",
            0.1,
            0.3,
        ),
        (TELEGRAM, "The heart is enlarged. No pneumothorax.", 0.4, 0.55),
        # The right doubt, certainty, nothing of it, another doubt.
        (DOUBT, "Suspected pneumonia at the left base. Normal heart size. No effusion.", 0.8, 0.95),
        (DOUBT, DOUBT.replace("Possible left", "Left"), 0.5, 0.7),
        (DOUBT, DOUBT.replace("left lower lobe pneumonia", "right upper lobe nodule"), 0.05, 0.2),
        # "No change" and "no acute process" deny nothing that is there.
        (THREE, f"{THREE} No acute cardiopulmonary process.", 0.9, 1.0),
        ("A small left effusion, unchanged.", "A small left effusion. No acute change.", 0.8, 1.0),
        (THREE, f"{THREE} Normal chest.", 0.0, 0.3),
        # One film: the opposite course costs what a wrong side costs, or more, none costs nothing
        # but words, and one that is invented a fifth.
        (COURSE, TURNED, 0.0, 0.4),
        (COURSE, COURSE.replace("unchanged", "seen"), 0.95, 1.0),
        (THREE, ONE_FILM, 0.8, 0.9),
        (THREE, ONE_FILM.replace(".", ", unchanged."), 0.6, 0.7),
        (SICK, f"{SICK} The effusion has increased.", 0.7, 0.8),
        # Sentences in another order are no salad.
        (SICK, ". ".join(reversed(SICK.rstrip(".").split(". "))) + ".", 0.8, 0.95),
    ],
)
def test_worth_of_reports(reference: str, text: str, least: float, most: float) -> None:
    assert least <= value(text, reference) <= most
    assert value(reference, reference) == 1.0


@pytest.mark.parametrize(
    ("reference", "text", "least", "most"),
    [
        (COURSE, TURNED, 0.0, 0.4),
        (COURSE, COURSE.replace("Interval improvement of the", "New"), 0.5, 0.7),
        (COURSE, COURSE.replace("unchanged", "seen"), 0.85, 0.95),
        (COURSE, COURSE.replace("has decreased", "is stable"), 0.7, 0.85),
        (THREE, ONE_FILM.replace(".", ", unchanged."), 0.5, 0.65),
    ],
)
def test_worth_of_courses_against_an_earlier_film(
    reference: str, text: str, least: float, most: float
) -> None:
    assert least <= value(text, reference, "progression_findings") <= most


@pytest.mark.parametrize(
    ("reference", "text", "most"),
    [
        (GROWN, GROWN.replace("increased", "decreased"), 0.0),
        ("The effusion is worse.", "The effusion is better.", 0.0),
        ("The image is worse.", "The image is better.", 0.5),
        (GROWN, "The effusion is unchanged since the prior film.", 0.5),
        (GROWN, "There is an effusion.", 0.5),
        (GROWN, " ".join([GROWN] * 10), 0.3),
    ],
)
def test_worth_of_differences(reference: str, text: str, most: float) -> None:
    assert value(text, reference, "difference") <= most
    assert value("The effusion is larger than before.", GROWN, "difference") > 0.6


def test_the_opposite_course_costs_no_less_than_the_other_side() -> None:
    for before, after in (("left", "right"), ("right", "left")):
        assert value(TURNED, COURSE) < value(COURSE.replace(before, after), COURSE)
    one = "There is a left effusion. The left effusion has increased."
    opposite, other = one.replace("increased", "decreased"), one.replace("left", "right")
    assert value(opposite, one) <= value(other, one)
    # Of two sides each has its course.
    both = "The left effusion has increased. The right effusion has decreased."
    crossed = "The left effusion has decreased. The right effusion has increased."
    assert value(crossed, both) == 0.0
    # Both courses for the one that is told are half right.
    assert value(both, "The effusion has decreased.") < 0.5


def test_a_wrong_side_costs_as_much_in_short_forms() -> None:
    end = " Heart is normal."
    for right, wrong in (
        ("Right lower lobe pneumonia.", "Left lower lobe pneumonia."),
        ("RLL pneumonia.", "LLL pneumonia."),
    ):
        for reference in ("RLL pneumonia.", "Right lower lobe pneumonia."):
            assert value(right + end, reference + end) > 0.9
            assert value(wrong + end, reference + end) < 0.25


def test_factors_of_wording_by_hand() -> None:
    # Six words four times: 21 runs of four, 6 of them different, 3/4 of the loss.
    text = "a b c d e f"
    assert said_once(" ".join([text] * 4), text) == pytest.approx(1 - 0.75 * 15 / 21)
    assert said_once(text, " ".join([text] * 4)) == 1.0
    # All eight words are borrowed, four of which only stand in sentences, and none of the pairs.
    text = "the b is d in f with h"
    assert in_order("h with f in d is b the", text) == pytest.approx(0.3)
    assert in_order("in f with h the b is d", text) == 1.0  # 6 of 7 pairs
    assert in_order("with f in d is b the", text) == 1.0  # too few
    assert in_order("h g f in d is b the", "the b is d in f g h") == 1.0  # a telegram
    # Eight of 16 words are borrowed: as many are not.
    assert in_order("h with f in d is b the s t u v w x y z", text) == 1.0
