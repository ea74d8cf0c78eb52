"""Made-up answers in the written form of each family -> the answer that every metric reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chexone_ray import boxes
from chexone_ray.answers import chosen_options
from chexone_ray.boxes import Geometry
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.metrics.labels import positive_labels
from chexone_ray.records import Box, ImageRef, Sample
from chexone_ray.systems.adapter import Posed
from chexone_ray.systems.reading import read
from chexone_ray.systems.table import ADAPTERS

WIDTH, HEIGHT = 1000, 800
"""Of the displayed original."""
SEEN = {
    "whole": Geometry(WIDTH, HEIGHT, 560, 448),
    "squash": Geometry(WIDTH, HEIGHT, 896, 896),
    "pad": Geometry.padded(WIDTH, HEIGHT, 896),
    "crop": Geometry.cropped(WIDTH, HEIGHT, 518),
}
OPTIONS = ("(A) atelectasis", "(B) pleural effusion", "(C) edema")


def answer(name: str, kind: str, text: str, question: str = "", mode: Any = None) -> str | None:
    adapter = ADAPTERS[name]
    told = Posed(kind, question or "?", OPTIONS, mode or adapter.modes[0], ("frontal",))
    return read(adapter, told, text, SEEN[adapter.shape]).answer


# --- boxes: all of these are (0.2, 0.25)-(0.6, 0.75) of the original ------------------------------

EXPECTED = Box("pleural effusion", (0.2, 0.25, 0.6, 0.75))
PERCENT = "<|ref|>pleural effusion<|/ref|><|box|>(20,25),(60,75)<|/box|>"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("chexone", f"The angle is blunt. \\boxed{{{PERCENT}}}"),
        ("chexone_original", f"The angle is blunt. \\boxed{{{PERCENT}}}"),
        ("chexagent_2", PERCENT),
        # 560 x 448 pixels: 0.2 * 560, 0.25 * 448, 0.6 * 560, 0.75 * 448
        (
            "qwen2_5_vl",
            '```json\n[{"bbox_2d": [112, 112, 336, 336], "label": "pleural effusion"}]\n```',
        ),
        ("lingshu", '[{"bbox_2d": [112, 112, 336, 336], "label": "pleural effusion"}]'),
        ("qwen3_vl", '[{"bbox_2d": [200, 250, 600, 750], "label": "pleural effusion"}]'),
        ("endpoint", 'Here: {"bbox_2d": [200, 250, 600, 750], "label": "Pleural effusion"}'),
        (
            "medgemma",
            '```json\n[{"box_2d": [250, 200, 750, 600], "label": "pleural effusion"}]\n```',
        ),
        # On a square of 1000: y 0.25 -> (200 + 100) / 1000, y 0.75 -> (600 + 100) / 1000
        (
            "medgemma_1_5",
            "<unused94>thought\nThe left angle is blunt.<unused95>Final Answer: "
            '[{"box_2d": [300, 200, 700, 600], "label": "pleural effusion"}]',
        ),
        (
            "chestx_reasoner",
            "<think>The angle is blunt.</think> <answer>"
            '[{"bbox_2d": [200, 250, 600, 750], "label": "pleural effusion"}]</answer>',
        ),
        (
            "nv_reason_cxr",
            "<think>Blunt.</think>\n<answer>"
            '[{"bbox_2d": [112, 112, 336, 336], "label": "pleural effusion"}]</answer>',
        ),
        ("radvlm", "The pleural effusion is at [0.20, 0.25, 0.60, 0.75]."),
        # The square in the middle is x 100-900: x 0.2 -> 100 / 800 = 0.125, x 0.6 -> 0.625.
        ("maira_2", "<obj>pleural effusion<box><x12><y25><x62><y74></box></obj>"),
    ],
)
def test_boxes_of_every_family_become_ours(name: str, text: str) -> None:
    found = answer(name, "grounding", text, "Where is the pleural effusion? Give its box.")
    assert found is not None
    (box,) = boxes.decode(found)
    assert boxes.same_label(box, EXPECTED)
    assert boxes.iou(box, EXPECTED) > 0.93, box
    sample = Sample(
        *("i", "d", "t", "grounding", "test", "p", "s"),
        (ImageRef("a"),),
        "?",
        PERCENT,
        boxes=(EXPECTED,),
    )
    for metric in METRICS["grounding"]:
        counts = metric.row(sample, found)
        if counts is not None:
            assert metric.value(np.array(counts)) > 0.93


def test_our_own_boxes_are_left_as_they_were_written() -> None:
    for name in ("chexone", "chexagent_2"):
        odd = "<|ref|>x<|/ref|><|box|>( 60,75 ) , (20,25)<|/box|> and some"
        text = odd if name == "chexagent_2" else f"\\boxed{{{odd}}}"
        assert answer(name, "grounding", text) == odd


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "No pleural effusion detected."),
        ("```json\n[]\n```", "No pleural effusion detected."),
        ("There is no pleural effusion.", "No pleural effusion detected."),
        ("No evidence of pneumothorax is seen.", "No pleural effusion detected."),
        ("No, I cannot see the image clearly.", None),
        ("No problem, here is what I see: the left base is hazy.", None),
        ("No pleural effusion is seen, but the left base is hazy.", None),
        ("None of the boxes would be right. The effusion is at the left base.", None),
        ("There is no doubt that the effusion is at the left base.", None),
        ("Nothing could be done with this picture.", None),
        ("None.", "No pleural effusion detected."),
        ("It lies at the left base.", None),  # neither a box nor a denial
        ('[{"bbox_2d": [112, 112, 3', None),  # cut off
        ('[{"bbox_2d": ["a", 1, 2, 3], "label": "x"}]', None),
        ("No other place: [{]", None),
        ("No, I cannot see the image clearly.", None),
        ("Nothing can be said of this film", None),
        ("", None),
    ],
)
def test_what_holds_no_box_is_a_denial_or_no_answer(text: str, expected: str | None) -> None:
    question = "Where is the pleural effusion? Give its box."
    for name in ("qwen2_5_vl", "medgemma", "endpoint"):
        assert answer(name, "grounding", text, question) == expected


@pytest.mark.parametrize("name", ["qwen2_5_vl", "medgemma", "radvlm", "maira_2", "chexone"])
@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("No 8th rib fracture detected.", 1.0),  # the reference's own words
        ("There is no rib fracture.", 1.0),
        ("None.", 1.0),
        ("No, I cannot see the image clearly.", 0.0),
        ("None of this is clear to me.", 0.0),
        ("I see an effusion on the left.", 0.0),
    ],
)
def test_one_rule_of_denials_for_all_systems(name: str, text: str, right: float) -> None:
    question = "Where is the 8th rib fracture? Give its box."
    found = answer(name, "grounding", text, question, mode="instruct")
    negative = Sample(
        *("i", "d", "t", "grounding", "test", "p", "s"),
        (ImageRef("a"),),
        question,
        "No 8th rib fracture detected.",
    )
    (specificity,) = [m for m in METRICS["grounding"] if m.name == "specificity"]
    counts = specificity.row(negative, found)
    assert counts is not None
    assert specificity.value(np.array(counts)) == right


def test_boxes_keep_the_fractions_of_their_codec() -> None:
    # 560 x 448 pixels: 33 / 560 = 0.058928..., 45 / 448 = 0.100446...; a film's thirds of 1,000.
    for name, text, corners in (
        (
            "qwen2_5_vl",
            '[{"bbox_2d": [33, 45, 61, 81], "label": "nodule"}]',
            (33 / 560, 45 / 448, 61 / 560, 81 / 448),
        ),
        (
            "qwen3_vl",
            '[{"bbox_2d": [333, 666, 376, 704], "label": "nodule"}]',
            (0.333, 0.666, 0.376, 0.704),
        ),
        # The square in the middle is x 100-900 of 1,000; bins are read at their middle.
        (
            "maira_2",
            "<obj>nodule<box><x12><y25><x17><y31></box></obj>",
            (0.1 + 0.8 * 0.125, 0.255, 0.1 + 0.8 * 0.175, 0.315),
        ),
    ):
        found = answer(name, "grounding", text, "Where is the nodule? Give its box.")
        assert found is not None
        (box,) = boxes.decode(found)
        assert box.xyxy == pytest.approx(corners, abs=5e-9)
        reference = Box("nodule", corners)
        sample = Sample(
            *("i", "d", "t", "grounding", "test", "p", "s"),
            (ImageRef("a"),),
            "?",
            boxes.encode([reference]),
            boxes=(reference,),
        )
        for metric in METRICS["grounding"]:
            counts = metric.row(sample, found)
            if counts is not None:  # whole percents gave 0.66 to 0.93
                assert metric.value(np.array(counts)) > 0.999999, metric.name
        rounded = (boxes.iou(b, reference) for b in boxes.decode(boxes.encode([reference])))
        assert max(rounded) < 0.95


def test_boxes_keep_their_order_which_is_their_rank() -> None:
    text = (
        '[{"bbox_2d": [700, 100, 800, 200], "label": "b"},'
        ' {"bbox_2d": [100, 100, 200, 200], "label": "a"}]'
    )
    found = answer("qwen3_vl", "detection", text)
    assert found is not None
    assert [box.label for box in boxes.decode(found)] == ["b", "a"]


def test_a_denial_names_nothing_where_nothing_was_named() -> None:
    assert answer("qwen3_vl", "detection", "[]") == "No abnormality detected."
    without_film = Posed("detection", "?", (), "instruct", ())
    assert read(ADAPTERS["qwen2_5_vl"], without_film, "[]", None).answer is None


# --- options, text and reports --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mode", "text", "key"),
    [
        ("chexone", "reasoning", "The angle is blunt. \\boxed{B}", "B"),
        ("chexone", "instruct", "B", "B"),
        ("chexone_original", "reasoning", "First \\boxed{A}, then \\boxed{B}", "A"),
        ("chexone", "reasoning", "First \\boxed{A}, then \\boxed{B}", "B"),
        ("qwen2_5_vl", "instruct", "**B.** pleural effusion", "B"),
        ("qwen2_5_vl", "reasoning", "Blunt angle. The answer is \\boxed{\\text{B}}.", "B"),
        ("qwen3_vl", "instruct", "The correct answer is (B) pleural effusion.", "B"),
        ("medgemma", "instruct", "B) pleural effusion", "B"),
        ("medgemma_1_5", "instruct", "<unused94>thought\nA or B?<unused95>B", "B"),
        ("medgemma_1_5", "instruct", "A is unlikely.\n\n**Final Answer:** B", "B"),
        ("chestx_reasoner", "reasoning", "<think>Not A.</think><answer>B</answer>", "B"),
        ("nv_reason_cxr", "reasoning", "<think>Not A.</think>\n<answer>(B)</answer>", "B"),
        ("chexagent_2", "instruct", "(B)", "B"),
        ("radvlm", "instruct", "pleural effusion", "B"),
        ("lingshu", "instruct", "B: pleural effusion", "B"),
        ("endpoint", "instruct", "Option B is correct.", "B"),
    ],
)
def test_options_of_every_family(name: str, mode: str, text: str, key: str) -> None:
    found = answer(name, "choice", text, mode=mode)
    assert found is not None
    rules = ADAPTERS[name].rules
    rules = "strict" if rules == "tags" else rules
    assert chosen_options(found, OPTIONS, rules) == {key}


@pytest.mark.parametrize(
    ("name", "mode", "text"),
    [
        ("chexone", "reasoning", "It is B."),
        ("qwen3_vl", "reasoning", "It is B."),
        ("chestx_reasoner", "reasoning", "<think>It may be A or B, I would say"),
        ("nv_reason_cxr", "reasoning", "<think>It may be A.</think><answer></answer>"),
        ("medgemma", "instruct", "  "),
    ],
)
def test_what_has_no_answer_is_unparsed(name: str, mode: str, text: str) -> None:
    assert answer(name, "choice", text, mode=mode) is None


def test_the_trace_of_tags_is_reasoning() -> None:
    adapter = ADAPTERS["chestx_reasoner"]
    told = Posed("choice", "?", OPTIONS, "reasoning", ("frontal",))
    found = read(adapter, told, "<think>Not A.</think><answer>B</answer>", None)
    assert (found.reasoning, found.answer) == ("Not A.", "B")


def test_a_list_of_labels_becomes_a_report_that_the_labeller_reads() -> None:
    text = "<think>I see.</think><answer>Cardiomegaly, Pleural Effusion, Support Devices</answer>"
    found = answer("nv_reason_cxr", "findings", text)
    assert found == "There is cardiomegaly. There is pleural effusion. There is support devices."
    labels = {label.lower() for label in positive_labels(found)}
    assert labels == {"cardiomegaly", "pleural effusion", "support devices"}
    nothing = answer("nv_reason_cxr", "report", "<think>.</think><answer>No Finding</answer>")
    assert nothing == "No acute abnormality."
    assert not positive_labels(nothing)
    # Other questions are not answered with labels.
    said = answer("nv_reason_cxr", "open_vqa", "<think>.</think><answer>left, large</answer>")
    assert said == "left, large"


def test_a_grounded_report_is_read_without_its_boxes() -> None:
    text = (
        "<obj>There is a left effusion.<box><x55><y60><x70><y80></box></obj>"
        "<obj> The heart is normal.</obj>"
    )
    assert answer("maira_2", "findings", text) == "There is a left effusion. The heart is normal."


def test_reports_are_left_alone() -> None:
    for name in ("medgemma", "chexagent_2", "radvlm", "endpoint"):
        assert answer(name, "findings", "A small effusion [left].") == "A small effusion [left]."


def test_boxes_of_a_text_answer_stay() -> None:
    for name in ADAPTERS:
        adapter = replace(ADAPTERS[name], rules="strict")
        told = Posed("open_vqa", "?", (), "instruct", ("frontal",))
        assert read(adapter, told, "left lower zone", None).answer == "left lower zone"
