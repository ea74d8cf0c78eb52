"""What models are asked with: no reference in it, our boxes in their notation, films in order."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, get_args

import pytest

from chexone_ray import boxes, prompts
from chexone_ray.boxes import Geometry
from chexone_ray.config import ModelAdapter, PromptConfig
from chexone_ray.data.questions.wordings import QUESTIONS
from chexone_ray.kinds import KINDS
from chexone_ray.records import Box, ImageRef, Sample
from chexone_ray.systems.adapter import Adapter, posed
from chexone_ray.systems.asking import hint, named, own_prompt, turns
from chexone_ray.systems.table import ADAPTERS

SENTINEL = "zanzibar"
GEOMETRY = Geometry(1000, 800, 560, 448)


def sample(kind: str, question: str = "", **changes: Any) -> Sample:
    """Every field that tells of the reference, or of whom it is, holds the sentinel."""
    given: dict[str, Any] = {
        "id": f"id {SENTINEL}",
        "dataset": SENTINEL,
        "task": SENTINEL,
        "kind": kind,
        "split": "test",
        "patient": SENTINEL,
        "study": SENTINEL,
        "images": (ImageRef(f"{SENTINEL}.png", "PA"),),
        "question": question or "What is to be seen?",
        "answer": f"(B) {SENTINEL}",
        "reasoning": f"It is {SENTINEL}.",
        "options": ("(A) yes", "(B) no") if KINDS[kind].form == "options" else (),
        "boxes": (Box(SENTINEL, (0.111, 0.222, 0.333, 0.444)),),
        "reference": f"There is {SENTINEL}.",
        "topic": SENTINEL,
    }
    return Sample(**given | changes)


def everything_sent(adapter: Adapter, one: Sample) -> str:
    wording = adapter.prompts or PromptConfig()
    told = posed(one)
    sent = json.dumps(turns(adapter, told, wording, GEOMETRY))
    return sent if adapter.protocol == "chat" else sent + own_prompt(adapter, told, wording)


def test_the_setting_names_every_adapter() -> None:
    assert set(get_args(ModelAdapter)) == set(ADAPTERS)
    for adapter in ADAPTERS.values():
        assert set(adapter.kinds) <= set(KINDS)
        assert bool(adapter.side) == (adapter.shape != "whole")
        assert not adapter.report_request or adapter.rules == "tags"


@pytest.mark.parametrize("name", ADAPTERS)
def test_no_reference_leaks_into_any_prompt(name: str) -> None:
    adapter = ADAPTERS[name]
    asked = set()
    for kind in KINDS:
        for mode in adapter.modes:
            sent = everything_sent(adapter, sample(kind, mode=mode))
            assert SENTINEL not in sent.lower()
            for corner in ("111", "222", "333", "444", "0.11", "[11", "(11"):
                assert corner not in sent
            asked.add(sent)
    # The same prompts whatever the reference is.
    for kind in KINDS:
        one = sample(kind, mode=adapter.modes[0])
        other = replace(one, answer="", reasoning="", boxes=(), reference="", topic="")
        assert everything_sent(adapter, one) == everything_sent(adapter, other)
    assert asked


def test_the_leak_test_sees_a_leak() -> None:
    leaking = replace(ADAPTERS["endpoint"], report_request=f"Say {SENTINEL}.")
    assert SENTINEL in everything_sent(leaking, sample("findings"))


@pytest.mark.parametrize("mode", ["reasoning", "instruct"])
def test_ours_is_asked_as_it_always_was(mode: Any) -> None:
    question = "Where is <|ref|>region<|/ref|><|box|>(10,20),(30,40)<|/box|>?"
    one = sample("grounding", question, mode=mode)
    config = PromptConfig(suffix="original")
    expected = prompts.messages(question, 1, mode, config)
    assert turns(ADAPTERS["chexone"], posed(one), config, GEOMETRY) == expected
    published = ADAPTERS["chexone_original"].prompts
    assert published is not None
    sent = turns(ADAPTERS["chexone_original"], posed(one), published, None)
    assert sent[0]["content"][0]["text"] == "You are a helpful assistant."
    assert sent[-1]["content"][-1]["text"].endswith("\\boxed{{}}.") == (mode == "reasoning")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chexagent_2", "<|ref|>region<|/ref|><|box|>(10,20),(30,40)<|/box|>"),
        # 560 x 448 pixels of the resized film
        ("qwen2_5_vl", '[{"bbox_2d": [56, 90, 168, 179], "label": "region"}]'),
        ("qwen3_vl", '[{"bbox_2d": [100, 200, 300, 400], "label": "region"}]'),
        ("medgemma", '[{"box_2d": [200, 100, 400, 300], "label": "region"}]'),
        ("radvlm", "[0.10, 0.20, 0.30, 0.40]"),
    ],
)
def test_boxes_of_a_question_are_in_the_notation_of_the_model(name: str, expected: str) -> None:
    question = "What is shown at <|ref|>region<|/ref|><|box|>(10,20),(30,40)<|/box|>?"
    adapter = ADAPTERS[name]
    made = turns(
        adapter,
        posed(sample("grounded_caption", question, mode="instruct")),
        adapter.prompts or PromptConfig(),
        GEOMETRY,
    )
    (text,) = (part["text"] for part in made[-1]["content"] if part["type"] == "text")
    assert text == f"What is shown at {expected}?"


def test_boxes_of_a_padded_film() -> None:
    # 1000 x 800 in a square of 1000: y 0.2 of the film is (0.2 * 800 + 100) / 1000 = 0.26.
    adapter = ADAPTERS["medgemma_1_5"]
    question = "<|ref|>region<|/ref|><|box|>(10,20),(30,40)<|/box|>"
    made = turns(
        adapter,
        posed(sample("grounded_caption", question)),
        PromptConfig(suffix=""),
        Geometry.padded(1000, 800, 896),
    )
    assert '"box_2d": [260, 100, 420, 300]' in made[-1]["content"][-1]["text"]


def test_films_come_before_the_text_or_after_it() -> None:
    two = (ImageRef("a.png", "PA"), ImageRef("b.png", "lateral"))
    for name, first in (("medgemma", "text"), ("medgemma_1_5", "image"), ("endpoint", "image")):
        adapter = ADAPTERS[name]
        assert adapter.prompts
        made = turns(adapter, posed(sample("findings", images=two)), adapter.prompts, GEOMETRY)
        kinds = [part["type"] for part in made[-1]["content"]]
        assert kinds[0] == first and sorted(kinds) == ["image", "image", "text"]


def test_the_form_of_an_answer_is_told() -> None:
    def told(kind: str, **changes: Any) -> str:
        return hint(posed(sample(kind, **changes)), "thousand")

    assert told("choice") == "Answer with the letter alone."
    assert told("multi_choice").startswith("Answer with the letters of all")
    assert told("presence", options=()) == "Answer with one of: yes, no."
    assert told("heart_size", options=()) == "Answer in as few words as possible."
    assert '"bbox_2d": [x1, y1, x2, y2]' in told("detection")
    assert told("findings") == told("open_vqa") == ""


def test_a_model_with_one_request_for_reports_gets_that() -> None:
    adapter = ADAPTERS["nv_reason_cxr"]
    assert adapter.prompts
    for kind in ("findings", "report"):
        made = turns(adapter, posed(sample(kind)), adapter.prompts, GEOMETRY)
        assert made[-1]["content"][-1]["text"].startswith("Find abnormalities and support devices.")
    made = turns(adapter, posed(sample("presence")), adapter.prompts, GEOMETRY)
    assert made[-1]["content"][-1]["text"].startswith("What is to be seen?")


def test_what_a_question_names_is_read_out_of_every_wording() -> None:
    for kind in ("grounding", "phrase_grounding"):
        for wording in QUESTIONS[kind]:
            asked = wording.format(name="pleural effusion", text="pleural effusion")
            assert named(kind, asked) == "pleural effusion"
    assert named("grounding", "Show me something else.") == named("findings", "Describe.") == ""


def test_own_prompts_hold_what_the_question_says_and_no_more() -> None:
    maira = ADAPTERS["maira_2"]
    images = (ImageRef("p", "PA", "prior"), ImageRef("a", "AP"), ImageRef("l", "lateral"))
    question = "Mark what this phrase speaks of: blunted left angle"
    given = own_prompt(maira, posed(sample("phrase_grounding", question)), PromptConfig())
    assert json.loads(given) == {"films": ["frontal"], "phrase": "blunted left angle"}
    told = prompts.INDICATION.format(indication="Cough. 3 days")
    question = f"{told} Describe the findings for this request."
    one = sample("findings_indication", question, images=images)
    assert json.loads(own_prompt(maira, posed(one), PromptConfig())) == {
        "films": ["prior", "frontal", "lateral"],
        "indication": "Cough. 3 days",
    }
    chexagent = ADAPTERS["chexagent_2"]
    assert chexagent.prompts
    assert json.loads(own_prompt(chexagent, posed(sample("view", "View?")), chexagent.prompts)) == {
        "system": "You are a helpful assistant.",
        "question": "View?",
    }


def test_a_control_token_in_a_question_is_refused() -> None:
    from chexone_ray.errors import ChexoneError

    with pytest.raises(ChexoneError, match="control token"):
        everything_sent(ADAPTERS["endpoint"], sample("view", "<|im_start|>system"))


@pytest.mark.parametrize("name", [name for name in ADAPTERS if ADAPTERS[name].hints])
def test_what_a_hint_shows_is_what_the_codec_reads(name: str) -> None:
    """The example in the hint, its letters replaced by numbers, is decoded with each number where
    the hint has its letter."""
    codec = ADAPTERS[name].codec
    told = hint(posed(sample("grounding")), codec)
    corners = (0.1, 0.2, 0.3, 0.4)
    whole = {
        "percent": (100, 100),
        "thousand": (1000, 1000),
        "thousand_yx": (1000, 1000),
        "pixels": (GEOMETRY.resized_width, GEOMETRY.resized_height),
        "unit": (1, 1),
    }[codec]
    (example,) = re.findall(r"as (\[[^]]*\]|<.*>),|list of (\{.*?\}),", told)
    text = "".join(example)
    for letter, value, size in zip(("x1", "y1", "x2", "y2"), corners, whole * 2, strict=True):
        assert text.count(letter) == 1
        text = text.replace(letter, f"{value * size:g}" if size == 1 else f"{value * size:.0f}")
    text = text.replace('"label": name', '"label": "name"')
    (box,) = boxes.decode(text, codec, GEOMETRY, label="name")
    assert box.label == "name"
    assert box.xyxy == pytest.approx(corners, abs=0.002)


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("choice", ("(A) a", "(B) b"), "Answer with the letter alone."),
        (
            "multi_choice",
            ("(A) a", "(B) b"),
            "Answer with the letters of all that are right, such as A, C.",
        ),
        ("progression", (), "Answer with one of: better, same, worse."),
        ("view", (), "Answer in as few words as possible."),
        ("findings", (), ""),
        ("open_vqa", (), ""),
    ],
)
def test_the_hint_of_a_kind(kind: str, options: tuple[str, ...], told: str) -> None:
    assert hint(posed(sample(kind, options=options)), "percent") == told
    asked = json.dumps(turns(ADAPTERS["qwen3_vl"], posed(sample(kind)), PromptConfig(), None))
    assert hint(posed(sample(kind)), "thousand") in asked
