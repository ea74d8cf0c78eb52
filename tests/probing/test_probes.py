"""What a row needs from other rows, and what its answers are worth."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.boxes import encode, negative
from chexone_ray.evaluation.same_answer import same_answer
from chexone_ray.metrics.consistency import self_consistency
from chexone_ray.probing.answers import Said, correct, failure, plain_row, probe_row
from chexone_ray.probing.probes import (
    BLANK,
    SWAP,
    Case,
    blanked,
    cases,
    cut_name,
    cut_requests,
    occluded,
)
from chexone_ray.records import Box, ImageRef, Request, Sample

EFFUSION = Box("pleural effusion", (0.1, 0.6, 0.3, 0.9))
NODULE = Box("nodule", (0.6, 0.1, 0.7, 0.2))


def row(name: str, kind: str, patient: str = "p1", **changes: object) -> Sample:
    values: dict[str, object] = {
        "dataset": "d",
        "task": "t",
        "split": "test",
        "study": f"study of {patient}",
        "images": (ImageRef(f"{patient}.png", "PA"),),
        "question": "Is there a pleural effusion?",
        "answer": "yes",
        "mode": "instruct",
    }
    return Sample(id=name, kind=kind, patient=patient, **(values | changes))  # type: ignore[arg-type]


PRESENCE = row("a", "presence")
SIDE = row("b", "side", question="On which side is the nodule?", answer="left")
BOXES = row("c", "grounding", boxes=(EFFUSION,), answer=encode([EFFUSION]))
DETECTION = row("d", "detection", boxes=(EFFUSION, NODULE), answer=encode([EFFUSION, NODULE]))
REPORT = row("e", "findings", answer="Left pleural effusion.")
OTHERS = [
    row(f"f{n}", "presence", f"p{n}", images=(ImageRef(f"p{n}.png", view),))
    for n, view in ((2, "PA"), (3, "PA"), (4, "lateral"))
]
ALL = [PRESENCE, SIDE, BOXES, DETECTION, REPORT, *OTHERS]


def test_boxes_of_the_film_come_from_other_rows() -> None:
    presence, side, boxes, detection, report = cases(ALL[:5], ALL, seed=0)
    assert (presence.lesions, presence.others) == ((EFFUSION,), (NODULE,))
    assert (side.lesions, side.others) == ((NODULE,), (EFFUSION,))
    assert (boxes.lesions, boxes.others) == ((EFFUSION,), (NODULE,))
    for other in (detection, report):  # all its boxes are asked for, or none
        assert other.lesions == () and set(other.others) == {EFFUSION, NODULE}
    absent = row("g", "presence", question="Is there a pneumothorax?", answer="no")
    assert cases([absent], ALL, 0)[0].lesions == ()
    assert all(case.sample.mode == "reasoning" for case in (presence, side, report))
    assert presence.reports == side.reports == (REPORT,)


def test_the_swapped_film_is_of_another_patient_and_the_same_view_and_kind() -> None:
    chosen = [replace(PRESENCE, id=f"a{n}") for n in range(40)]
    found = {case.partner for case in cases(chosen, ALL, seed=0)}
    assert found == {OTHERS[0].images, OTHERS[1].images}, "never the lateral film, never its own"
    again = cases(chosen[20:], reversed(ALL), seed=0)
    assert [c.partner for c in again] == [c.partner for c in cases(chosen, ALL, 0)[20:]]
    assert cases([SIDE], ALL, 0)[0].partner == (), "no other patient has that question"
    text = row("t", "text_qa", images=())
    assert cases([text], [*ALL, text, row("u", "text_qa", "p9", images=())], 0)[0].partner == ()


def test_the_swapped_film_has_another_right_answer_where_one_is() -> None:
    chosen = [replace(PRESENCE, id=f"a{n}") for n in range(20)]
    absent = replace(OTHERS[0], id="h", answer="no")  # p2
    asked_otherwise = replace(OTHERS[1], id="i", answer="no", question="Is there a mass?")  # p3
    found = cases(chosen, [*ALL, absent, asked_otherwise], seed=0)
    assert {(case.partner, case.other_truth) for case in found} == {(absent.images, True)}
    assert not any(case.other_truth for case in cases(chosen, [*ALL, asked_otherwise], seed=0))
    right = row("j", "findings", "p9", answer="Right pleural effusion.")
    twin = row("k", "findings", "p8", answer="There is a left effusion.")
    (case,) = cases([REPORT], [REPORT, twin, right], seed=0)
    assert (case.partner, case.other_truth) == (right.images, True)


def test_what_reaches_the_engine() -> None:
    film = np.random.default_rng(0).integers(0, 255, (56, 84, 3), dtype=np.uint8)
    request = Request("a", "text", (images.to_png(film),))
    blank = blanked(request)
    assert (blank.id, blank.prompt) == ("a", "text")
    assert (images.from_png(blank.images[0]) == round(film.mean())).all()
    case = Case(PRESENCE, lesions=(EFFUSION,), others=(NODULE,))
    pair = occluded(case, request, seed=1)
    assert pair is not None and pair == occluded(case, request, seed=1)
    lesion, control = (images.from_png(r.images[0]) for r in pair)
    hidden = (lesion != film).any(axis=-1)
    # x 8.4-25.2 and y 33.6-50.4 of 84 x 56
    assert hidden[33:51, 8:26].mean() > 0.9 and hidden.sum() == hidden[33:51, 8:26].sum()
    changed = (control != film).any(axis=-1)
    ys, xs = np.nonzero(changed)
    assert (xs.max() - xs.min(), ys.max() - ys.min()) == (17, 17)
    assert not changed[33:51, 8:26].any() and not changed[5:12, 50:59].any()
    assert occluded(replace(case, lesions=()), request, 1) is None
    whole = Box("pleural effusion", (0.0, 0.0, 1.0, 0.9))
    assert occluded(replace(case, lesions=(whole,)), request, 1) is None


def test_of_two_films_the_one_with_the_box_changes() -> None:
    film = np.random.default_rng(0).integers(0, 255, (56, 56, 3), dtype=np.uint8)
    request = Request("a", "text", (images.to_png(film), images.to_png(film)))
    case = Case(PRESENCE, lesions=(replace(EFFUSION, image=1),))
    pair = occluded(case, request, 0)
    assert pair is not None
    for changed in pair:
        assert (images.from_png(changed.images[0]) == film).all()
        assert (images.from_png(changed.images[1]) != film).any()


def test_cut_requests_go_on_in_the_assistants_turn() -> None:
    request = Request("a", "<assistant>", (b"png",))
    made = list(cut_requests(request, "One two. Three four.", (0.0, 0.5, 1.0)))
    assert [name for name, *_ in made] == [
        "trace cut to 0 %",
        "trace cut to 50 %",
        "trace cut to 100 %",
    ]
    assert [one.prompt for *_, one in made] == [
        "<assistant>\\boxed",
        "<assistant>One two. \\boxed",
        "<assistant>One two. Three four. \\boxed",
    ]
    assert {one.images for *_, one in made} == {(b"png",)}
    assert cut_name(0.125) == "trace cut to 12.5 %"


LETTERED = replace(
    PRESENCE, kind="choice", options=("(A) edema", "(B) nodule", "(C) mass"), answer="(B)"
)
PROGRESSION = replace(PRESENCE, kind="progression", question="How is it?", answer="better")
NEAR = replace(EFFUSION, xyxy=(0.1, 0.6, 0.3, 0.8))  # IoU 2/3
FAR = replace(EFFUSION, xyxy=(0.1, 0.6, 0.3, 0.7))  # IoU 1/3


@pytest.mark.parametrize(
    ("sample", "first", "second", "expected"),
    [
        (PRESENCE, "yes", "Yes.", True),
        (PRESENCE, "yes", "no", False),
        (PRESENCE, "yes", "Yes, on the left.", True),
        (PRESENCE, "no", "I cannot see the image.", False),
        (PRESENCE, "I am unable to view the image.", "I cannot see the image.", True),
        (PROGRESSION, "Better.", "Better: the effusion is smaller", True),
        (LETTERED, "(B)", "nodule", True),
        (LETTERED, "(B)", "(A)", False),
        (LETTERED, "a fracture", "the film is dark", False),  # neither is an option
        (LETTERED, "a fracture", "A fracture.", True),
        (REPORT, "Left effusion.", "There is a pleural effusion.", True),
        (REPORT, "Left effusion.", "Left effusion. Pneumothorax.", False),
        (REPORT, "The lungs are clear.", "No acute abnormality.", True),
        (REPORT, "The lungs are clear.", "I cannot assess this image.", False),
        (REPORT, "I cannot see the image.", "I cannot assess this image.", True),
        (REPORT, "No pneumothorax.", "Possible pneumonia.", False),
        (REPORT, "Pneumonia.", "Possible pneumonia.", False),
        (REPORT, "Left effusion.", "Right effusion.", False),
        (REPORT, "Left effusion.", "Bilateral effusions.", False),
        (REPORT, "Left effusion.", "Left effusion. No pneumothorax.", True),
        (REPORT, "Left effusion increased.", "Left effusion decreased.", False),
        (REPORT, "Left effusion increased.", "The left effusion is larger.", True),
        (REPORT, "Left effusion increased.", "Left effusion.", True),  # one tells no course
        (REPORT, "Low lung volumes.", "Scoliosis.", False),
        (REPORT, "Low lung volumes.", "low lung volumes", True),
        (REPORT, "Hyperinflated lungs.", "I cannot see the image.", False),
        (BOXES, encode([EFFUSION]), encode([NEAR]), True),
        (BOXES, encode([EFFUSION]), encode([FAR]), False),
        (BOXES, encode([EFFUSION]), encode([EFFUSION, NEAR]), True),  # 1 / 2
        (BOXES, encode([EFFUSION]), negative("pleural effusion"), False),
        (BOXES, negative("pleural effusion"), "There is no pleural effusion.", True),
        (BOXES, negative("nodule"), "I cannot see the image.", False),
        (BOXES, encode([EFFUSION]), "I cannot see the image.", False),
        (BOXES, "perhaps", "I cannot see the image.", True),
    ],
)
def test_same_answer(sample: Sample, first: str, second: str, expected: bool) -> None:
    assert same_answer(sample, first, second) is expected
    assert same_answer(sample, second, first) is expected


def test_answers_with_an_explanation_agree() -> None:
    answers = ["Yes.", "Yes, there is an effusion.", "Yes, on the left.", "yes"]
    assert self_consistency(answers, partial(same_answer, PRESENCE)) == 1.0


@pytest.mark.parametrize(
    ("sample", "answer", "expected"),
    [
        (PRESENCE, "yes", True),
        (PRESENCE, None, False),
        (LETTERED, "(B), (C)", False),
        (BOXES, encode([NEAR]), True),
        (BOXES, encode([FAR]), False),
        (replace(BOXES, boxes=(), answer=negative("nodule")), negative("nodule"), True),
        (replace(BOXES, boxes=(), answer=negative("nodule")), encode([NEAR]), False),
        (REPORT, "Left effusion.", None),
        (replace(REPORT, kind="open_vqa"), "Left effusion.", None),
    ],
)
def test_correct(sample: Sample, answer: str | None, expected: bool | None) -> None:
    assert correct(sample, answer) is expected


def said(answer: str | None, reasoning: str = "") -> Said:
    return Said("text", reasoning, answer, "answered" if answer else "unparsed")


def test_the_plain_row_carries_what_the_trace_is_worth() -> None:
    case = Case(replace(PRESENCE, mode="reasoning"), reports=(REPORT,))
    plain = said("yes", "The left angle is blunt: an effusion. There is a pneumothorax.")
    found = plain_row(case, plain, [said("yes"), said("yes"), said("no"), said(None)])
    assert (found["right_findings"], found["stated_findings"]) == (1, 2)
    assert found["agreement"] == 1.0 and found["correct"] is True
    assert found["consistency"] == pytest.approx(0.25)  # classes of 2, 1 and 1
    # The report of the study bears out what the answer does not speak of.
    told = replace(REPORT, answer="Pleural effusion and pneumothorax.")
    assert plain_row(replace(case, reports=(told,)), plain)["right_findings"] == 2
    assert "consistency" not in plain_row(case, plain, [failure("engine: x")])
    failed = plain_row(case, failure("engine: x"))
    assert (failed["correct"], failed["same_as_plain"]) == (None, None)
    assert "agreement" not in failed


def test_rows_of_probes() -> None:
    case = Case(PRESENCE)
    yes, no, none = said("yes"), said("no"), said(None)
    kept = probe_row(case, BLANK, 0, yes, yes)
    assert (kept["same_as_plain"], kept["correct"], kept["probe"]) == (True, True, "blank image")
    lost = probe_row(case, BLANK, 0, none, yes)
    assert (lost["same_as_plain"], lost["correct"]) == (False, False)
    assert probe_row(case, BLANK, 0, no, none)["same_as_plain"] is None
    assert kept["other_truth"] is None
    assert probe_row(replace(case, other_truth=True), SWAP, 0, no, yes)["other_truth"] is True
    failed = probe_row(case, BLANK, 0, failure("engine: x"), yes)
    assert (failed["same_as_plain"], failed["correct"], failed["error"]) == (
        None,
        None,
        "engine: x",
    )
