r"""Format, options and boxes rewards, with numbers worked out by hand."""

from __future__ import annotations

import pytest

from chexone_ray.answers import Answer, parse
from chexone_ray.boxes import encode, negative
from chexone_ray.records import Box
from chexone_ray.rewards import boxes, format, options
from tests.samples import sample

LETTERS = ("(A) pleural effusion", "(B) pneumothorax", "(C) nodule", "(D) none of these")


def said(text: str | None) -> Answer:
    return Answer("trace", text, 1)


# --- format --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"A rim is seen. \boxed{yes}", 1.0),
        (r"A rim is seen. \boxed{yes} That is all.", 1.0),
        (r"\boxed{yes}", 0.0),
        (r"  \boxed{yes}", 0.0),
        (r"trace \boxed{ }", 0.0),
        (r"trace \boxed{yes} \boxed{no}", 0.0),
        (r"trace \boxed{\boxed{yes}}", 0.0),
        (r"trace \boxed{yes", 0.0),
        (r"trace \boxed{{yes}", 0.0),
        (r"trace \boxed{{yes}}", 1.0),
        ("trace yes", 0.0),
        ("", 0.0),
    ],
)
def test_format(text: str, expected: float) -> None:
    assert format.reward(parse(text, "reasoning"), sample("presence", "yes")) == expected


def test_format_does_not_apply_without_a_trace() -> None:
    instruct = sample("presence", "yes", mode="instruct")
    assert format.reward(parse("yes", "instruct"), instruct) is None


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("(B)", "(B)", 1.0),
        ("B. pneumothorax", "(B)", 1.0),
        ("pneumothorax", "(B)", 1.0),
        ("(A)", "(B)", 0.0),
        ("A, B", "(B)", 1 / 2),
        ("A and B", "(A), (C)", 1 / 3),
        ("A, B, C, D", "(A), (C)", 2 / 4),
        ("A pneumothorax of the left side", "(A)", 0.0),
        (None, "(B)", 0.0),
    ],
)
def test_options(answer: str | None, reference: str, expected: float) -> None:
    assert options.reward(said(answer), sample("choice", reference, options=LETTERS)) == expected


@pytest.mark.parametrize(
    ("kind", "answer", "reference", "expected"),
    [
        ("presence", "Yes.", "yes", 1.0),
        ("presence", "no", "yes", 0.0),
        ("presence", "yes and no", "yes", 0.0),
        ("heart_size", "Enlarged", "enlarged", 1.0),
        ("side", "the left", "left", 1.0),
        ("view", "PA", "pa", 1.0),
        ("progression", "worse", "better", 0.0),
        ("presence", None, "yes", 0.0),
    ],
)
def test_closed_answers(kind: str, answer: str | None, reference: str, expected: float) -> None:
    assert options.reward(said(answer), sample(kind, reference)) == expected


def test_options_do_not_apply_to_other_kinds() -> None:
    assert options.reward(said("yes"), sample("findings", "Clear lungs.")) is None
    assert options.reward(said("yes"), sample("grounding", "No nodule detected.")) is None


# --- boxes ---------------------------------------------------------------------------------------

ONE = encode([Box("nodule", (0.2, 0.2, 0.4, 0.4))])
TWO = encode([Box("nodule", (0.2, 0.2, 0.4, 0.4)), Box("nodule", (0.6, 0.6, 0.8, 0.8))])


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        (ONE, ONE, 1.0),
        (TWO, TWO, 1.0),
        # Half of the one box, side by side: 10x20 shared of 20x20 and 10x20.
        (encode([Box("nodule", (0.2, 0.2, 0.3, 0.4))]), ONE, 1 / 2),
        # Shifted by half its width: 200 shared of 400 + 400 - 200.
        (encode([Box("Nodule", (0.3, 0.2, 0.5, 0.4))]), ONE, 1 / 3),
        (ONE, TWO, 1 / 2),
        (TWO, ONE, 1 / 2),
        (encode([Box("mass", (0.2, 0.2, 0.4, 0.4))]), ONE, 0.0),
        (
            encode([Box("nodule", (0.2, 0.2, 0.4, 0.4)), Box("mass", (0.6, 0.6, 0.8, 0.8))]),
            TWO,
            1 / 2,
        ),
        (ONE * 4, ONE, 1 / 4),
        ("somewhere on the left", ONE, 0.0),
        (negative("nodule"), ONE, 0.0),
        (negative("nodule"), negative("nodule"), 1.0),
        ("no nodule detected", negative("nodule"), 1.0),
        *((f"No {said}.", negative("nodule"), 1.0) for said in ("nodules detected", "nodule seen")),
        *(
            (said, negative("abnormality"), 1.0)
            for said in (
                "There is no abnormality.",
                "None.",
                "nothing",
                "No abnormalities are seen",
            )
        ),
        ("A nodule is not seen.", negative("nodules"), 1.0),
        ("No masses detected", negative("mass"), 1.0),
        ("No visible nodule.", negative("nodule"), 1.0),
        ("No effusion seen.", negative("pleural effusion"), 1.0),
        ("No large nodule.", negative("nodule"), 0.0),
        ("None.", negative("other lesion"), 1.0),
        ("Clear lungs", "clear lungs.", 1.0),
        ("There is no nodule but a mass.", negative("nodule"), 0.0),
        ("No abnormality detected.", negative("nodule"), 0.0),
        (negative("mass"), negative("nodule"), 0.0),
        ("I cannot tell", negative("nodule"), 0.0),
        (ONE, negative("nodule"), 0.0),
        (f"No nodule detected. {ONE}", negative("nodule"), 0.0),
        (None, negative("nodule"), 0.0),
        (None, ONE, 0.0),
    ],
)
def test_boxes(answer: str | None, reference: str, expected: float) -> None:
    row = sample("grounding", reference)
    assert boxes.reward(said(answer), row) == pytest.approx(expected)


def test_boxes_do_not_apply_to_other_kinds() -> None:
    assert boxes.reward(said(ONE), sample("presence", "yes")) is None


def test_boxes_pair_the_right_names_before_the_larger_overlap() -> None:
    reference = encode([Box("nodule", (0.2, 0.2, 0.4, 0.4))])
    answer = encode([Box("mass", (0.2, 0.2, 0.4, 0.4)), Box("nodule", (0.2, 0.2, 0.4, 0.3))])
    assert boxes.reward(said(answer), sample("grounding", reference)) == pytest.approx(0.5 / 2)
