"""Reasoning terms on worked traces; none of them is won by leaving the trace out."""

from __future__ import annotations

import pytest

from chexone_ray.answers import Answer
from chexone_ray.boxes import encode, negative
from chexone_ray.records import Box, Sample
from chexone_ray.rewards.reasoning import agreement, factuality, length, no_repetition
from tests import samples

OPTIONS = ("(A) pleural effusion", "(B) pneumonia", "(C) edema")
BOUNDS = (10, 20)


def sample(kind: str, question: str, answer: str, **changes: object) -> Sample:
    return samples.sample(kind, answer, question=question, **changes)


CHOICE = sample("choice", "Which finding is seen?", "(B)", options=OPTIONS)
PRESENCE = sample("presence", "Is there a pleural effusion?", "yes")
REPORT = sample("findings", "Describe.", "Small left pleural effusion. No pneumothorax.")
BOXES = sample("grounding", "Where is the nodule?", encode([Box("nodule", (0.2, 0.2, 0.4, 0.4))]))
SIDE = sample("side", "On which side is the effusion?", "left")
CHANGE = sample("progression", "How did the effusion change?", "better")
OPEN = sample("open_vqa", "What is seen?", "an effusion")
ALL = (CHOICE, PRESENCE, REPORT, BOXES, SIDE)


@pytest.mark.parametrize(
    ("row", "trace", "answer", "expected"),
    [
        # The last sentence that names an option decides, wherever the right answer lies.
        (CHOICE, "It could be edema. The angle is sharp, so this is pneumonia.", "(B)", 1.0),
        (CHOICE, "It could be pneumonia. The vessels are wide, so this is edema.", "(B)", 0.0),
        (CHOICE, "The vessels are wide, so this is edema.", "(C)", 1.0),
        (CHOICE, "Signs of option B and of edema.", "(B)", 1 / 2),
        (CHOICE, "Pleural effusion, pneumonia and edema are asked for.", "(B)", 1 / 3),
        (CHOICE, "The answer is B.", "(B)", 1.0),
        (CHOICE, "The film is rotated.", "(B)", 0.0),
        # Yes or no: what the trace states of the finding that is asked for.
        (PRESENCE, "There is a small left effusion.", "yes", 1.0),
        (PRESENCE, "There is a left pleural effusion.", "Yes, there is an effusion.", 1.0),
        (PRESENCE, "There is a small left effusion.", "no", 0.0),
        (PRESENCE, "No pleural effusion is seen.", "no", 1.0),
        (PRESENCE, "The heart is large.", "yes", 0.0),
        (PRESENCE, "There is a small left effusion.", "perhaps", 0.0),
        # Reports: F1 of the labels. {effusion} and {effusion, cardiomegaly}: 2/3.
        (REPORT, "The left angle is blunted: a small effusion.", "Left effusion.", 1.0),
        (REPORT, "A small effusion.", "Left effusion. Cardiomegaly.", 2 / 3),
        (REPORT, "A pneumothorax.", "Left effusion.", 0.0),
        (REPORT, "The lungs are clear.", "No acute abnormality. The lungs are clear.", 1.0),
        # Boxes: their names.
        (BOXES, "A round nodule lies in the upper zone.", BOXES.answer, 1.0),
        (BOXES, "A round mass lies in the upper zone.", BOXES.answer, 0.0),
        *(
            (BOXES, "There is no nodule.", said, 1.0)
            for said in (negative("nodule"), "No nodule seen.", "None.")
        ),
        (BOXES, "There is no nodule.", "No mass seen.", 0.0),
        *(
            (sample("grounding", "Where?", negative("nodule")), "There is no nodule.", said, 1.0)
            for said in ("No nodules seen.", "No visible nodule.", "None.")
        ),
        # Other closed answers: their words.
        (SIDE, "The left angle is blunted.", "left", 1.0),
        (SIDE, "The left angle is blunted.", "right", 0.0),
        (CHANGE, "The effusion is better.", "Better: the effusion is smaller.", 1.0),
        (CHANGE, "The effusion is better.", ".", 0.0),
    ],
)
def test_agreement(row: Sample, trace: str, answer: str, expected: float) -> None:
    assert agreement(Answer(trace, answer, 1), row) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("row", "trace", "expected"),
    [
        (REPORT, "The left angle is blunted: a left effusion.", 1.0),
        (REPORT, "A left effusion and a consolidation.", 1 / 2),
        (REPORT, "A right effusion.", 0.0),
        # Stating nothing is right only where there is nothing.
        (REPORT, "The film is of good quality.", 0.0),
        (
            sample("findings", "Describe.", "The lungs are clear."),
            "The film is of good quality.",
            1,
        ),
        (sample("findings", "Describe.", "The lungs are clear."), "There is edema.", 0.0),
        (PRESENCE, "There is an effusion.", 1.0),
        (sample("presence", PRESENCE.question, "no"), "There is an effusion.", 0.0),
    ],
)
def test_factuality(row: Sample, trace: str, expected: float) -> None:
    assert factuality(Answer(trace, row.answer, 1), row) == pytest.approx(expected)


def test_repetition_and_length_by_hand() -> None:
    def both(trace: str) -> tuple[float | None, float | None]:
        answer = Answer(trace, "yes", 1)
        return no_repetition(answer, PRESENCE), length(answer, PRESENCE, BOUNDS)

    # Runs of "a b c d a b c d": abcd bcda cdab dabc abcd: 4 of 5 for the first time.
    assert both("a b c d a b c d") == (pytest.approx(4 / 5), pytest.approx(8 / 10))
    assert both("one two three") == (0.0, pytest.approx(3 / 10))
    words = [f"w{n}" for n in range(60)]
    assert both(" ".join(words[:10])) == both(" ".join(words[:20])) == (1.0, 1.0)
    assert both(" ".join(words[:30])) == (1.0, pytest.approx(1 / 2))
    assert both(" ".join(words)) == (1.0, 0.0)


def test_a_blank_trace_wins_nothing() -> None:
    for row in ALL:
        for answer in (Answer("", row.answer, 1), Answer("", None, 0)):
            assert agreement(answer, row) == 0.0
            assert factuality(answer, row) == 0.0
            assert no_repetition(answer, row) == 0.0
            assert length(answer, row, BOUNDS) == 0.0


def test_where_a_term_does_not_apply_is_known_without_the_completion() -> None:
    answers = (Answer("", None, 0), Answer("There is an effusion.", "an effusion", 1))
    unread = sample("presence", "Is it there?", "yes")
    for answer in answers:
        assert agreement(answer, OPEN) is agreement(answer, unread) is None
        assert factuality(answer, sample("of_another_program", "q", "a")) is None
        for row in ALL:
            plain = sample(row.kind, row.question, row.answer, mode="instruct")
            terms = (agreement, factuality, no_repetition)
            assert [term(answer, plain) for term in terms] == [None] * 3
            assert length(answer, plain, BOUNDS) is None
            assert None not in [term(answer, row) for term in terms]
