"""The published rewards: formulas worked out by hand, anchors, and the vectors of the parser."""

from __future__ import annotations

import math

import pytest

from chexone_ray.answers import Answer, parse
from chexone_ray.records import Sample
from chexone_ray.rewards import original
from tests import samples

MEANS = (0.53792312, 0.61757256, 0.76479421)


def sample(task: str, answer: str) -> Sample:
    return samples.sample("choice", answer, task=task)


def read(text: str) -> Answer:
    return parse(text, "reasoning", "original")


# --- format --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"trace \boxed{A}", 1.0),
        (r"trace \boxed{A} and more", 1.0),
        (r"\boxed{A}", 0.0),
        (r"  \boxed{A}", 0.0),
        (r"trace \boxed{ }", 0.0),
        (r"trace \boxed{A} \boxed{B}", 0.0),
        # Braces that do not balance pass, and so does a box in a box: one match each.
        (r"trace \boxed{{A}}", 1.0),
        (r"trace \boxed{{A}", 1.0),
        (r"trace \boxed{\boxed{A}}", 1.0),
        (r"trace \boxed{A", 0.0),
        ("trace A", 0.0),
    ],
)
def test_format(text: str, expected: float) -> None:
    assert original.format_reward(read(text), sample("Image Classification", "A")) == expected


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        (r"r \boxed{(A), (C)}", "(A), (C)", 1.0),
        (r"r \boxed{(A)}", "(A), (C)", 1 / 2),
        (r"r \boxed{(A), (B)}", "(A), (C)", 1 / 3),
        (r"r \boxed{B. Pneumonia}", "(B)", 1.0),
        # `A, B` and `A and B` count as A alone: one right of two is full marks, both right is not.
        (r"r \boxed{A, B}", "(A)", 1.0),
        (r"r \boxed{A and B}", "(A)", 1.0),
        (r"r \boxed{A, B}", "(A), (B)", 1 / 2),
        (r"r \boxed{A small effusion}", "(A) effusion", 1.0),
        (r"r \boxed{3 cm nodule}", "(3)", 1.0),
        # Case counts, and free text is one item.
        (r"r \boxed{(a) worsening}", "(A)", 0.0),
        (r"r \boxed{yes}", "yes", 1.0),
        (r"r \boxed{Yes}", "yes", 0.0),
        # The first box counts, up to the first closing brace.
        (r"r \boxed{(A)} no, \boxed{(B)}", "(A)", 1.0),
        (r"r \boxed{\boxed{A}}", "A", 1.0),
        ("r (A)", "(A)", 0.0),
        (r"r \boxed{A", "A", 0.0),
    ],
)
def test_options(text: str, reference: str, expected: float) -> None:
    row = sample("Image Classification", reference)
    assert original.options_reward(read(text), row) == pytest.approx(expected)


def test_options_only_of_the_named_tasks() -> None:
    answer = read(r"r \boxed{A}")
    for task in sorted(original.OPTION_TASKS):
        assert original.options_reward(answer, sample(task, "A")) == 1.0
    for task in ("View Matching", "Open-Ended VQA", "Phrase Grounding", "Findings Generation"):
        assert original.options_reward(answer, sample(task, "A")) is None


# --- boxes ---------------------------------------------------------------------------------------


def pair(name: str, *v: float) -> str:
    return f"<|ref|>{name}<|/ref|><|box|>({v[0]},{v[1]}),({v[2]},{v[3]})<|/box|>"


NODULE = pair("nodule", 20, 20, 40, 40)


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        (NODULE, NODULE, 1.0),
        (pair("NODULE", 20, 20, 40, 40), NODULE, 1.0),
        (pair("mass", 20, 20, 40, 40), NODULE, 0.95),
        # 10 x 20 shared of 400 + 400 - 200.
        (pair("nodule", 30, 20, 50, 40), NODULE, 1 / 3),
        (pair("mass", 30, 20, 50, 40), NODULE, 0.95 / 3),
        # The first pair alone counts.
        (NODULE + pair("nodule", 60, 60, 80, 80), NODULE, 1.0),
        (pair("nodule", 60, 60, 80, 80) + NODULE, NODULE, 0.0),
        (NODULE, NODULE + pair("nodule", 60, 60, 80, 80), 1.0),
        # No pair, or not four integers.
        ("No nodule detected.", "No nodule detected.", 0.0),
        (NODULE, "No nodule detected.", 0.0),
        (pair("nodule", 20.5, 20, 40, 40), NODULE, 0.0),
        ("<|ref|>nodule<|/ref|><|box|>(20,20),(40)<|/box|>", NODULE, 0.0),
        ("<|box|>(20,20),(40,40)<|/box|>", NODULE, 0.0),
        # Integers between commas, with signs and space; other brackets or words are none.
        (pair("nodule", -20, 20, 40, 40), NODULE, 400 / 1200),
        (pair("nodule", 20, 20, 40, 40).replace(",", " , "), NODULE, 1.0),
        (NODULE.replace("(20,20),", "(20,20,),"), NODULE, 1.0),
        (NODULE.replace("(20,20),(40,40)", "[20,20,40,40]"), NODULE, 0.0),
        (NODULE.replace("(20,20)", "(20 20)"), NODULE, 0.0),
        (NODULE.replace("<|box|>", " at <|box|>"), NODULE, 1.0),
        # No area: the guard keeps the division.
        (pair("nodule", 20, 20, 20, 20), pair("nodule", 20, 20, 20, 20), 0.0),
        (pair("nodule", 40, 20, 20, 40), NODULE, 0.0),
    ],
)
def test_boxes(text: str, reference: str, expected: float) -> None:
    row = sample("Abnormality Grounding", reference)
    value = original.boxes_reward(read(rf"r \boxed{{{text}}}"), row)
    assert value == pytest.approx(expected, abs=1e-12)


def test_boxes_only_of_the_named_tasks() -> None:
    answer = read(rf"r \boxed{{{NODULE}}}")
    for task in sorted(original.BOX_TASKS):
        assert original.boxes_reward(answer, sample(task, NODULE)) == 1.0
    assert original.boxes_reward(answer, sample("Abnormality Detection", NODULE)) is None
    assert original.boxes_reward(read(NODULE), sample("Phrase Grounding", NODULE)) == 0.0


# --- reports -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        ((1.0, 1.0, 1.0), 1.617),
        (MEANS, 1.000),
        ((0.25, 0.45, 0.45), 0.558),
        ((0.0, 0.0, 0.0), 0.159),
    ],
)
def test_anchors(components: tuple[float, float, float], expected: float) -> None:
    assert original.radcliq_reward(components) == pytest.approx(expected, abs=5e-4)


def test_the_composite_by_hand() -> None:
    # One scale above the mean in RadGraph alone: RadCliQ is its weight.
    components = (MEANS[0] + 0.30282584, MEANS[1], MEANS[2])
    expected = 2 / (1 + math.exp(-0.377083683))
    assert original.radcliq_reward(components) == pytest.approx(expected, abs=1e-9)


def test_reports() -> None:
    def scorer(said: str, meant: str) -> tuple[float, float, float]:
        assert (said, meant) == ("Clear lungs.", "Clear.")
        return (0.25, 0.45, 0.45)

    row = sample("Local Progression Findings Generation", "Clear.")
    whole = original.radcliq_reward((0.25, 0.45, 0.45))
    assert original.report_reward(read(r"r \boxed{Clear lungs.}"), row, scorer) == whole
    bare = original.report_reward(read(r"\boxed{Clear lungs.}"), row, scorer)
    assert bare == pytest.approx(0.95 * whole)
    assert original.report_reward(read("Clear lungs."), row, scorer) == 0.0
    other = sample("Findings Summarization", "Clear.")
    assert original.report_reward(read(r"r \boxed{Clear lungs.}"), other, scorer) is None


def test_the_tasks_that_the_published_code_knows() -> None:
    assert original.known("Impression Generation with Indication")
    assert original.known("Closed-Ended VQA") and original.known("Chest Tube Segmentation")
    for task in (
        "View Matching",
        "Open-Ended VQA",
        "Findings Summarization",
        "findings generation",
    ):
        assert not original.known(task)
