"""Wording around a question, chat messages and training targets."""

from __future__ import annotations

import pytest

from chexone_ray.answers import Answer, parse
from chexone_ray.config import PromptConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.prompts import DEFAULT_SUFFIX, messages, question_text, render, target

DEFAULT = PromptConfig()
QUESTION = "Is there a pneumothorax?"


def test_suffix_in_reasoning_mode_only() -> None:
    assert question_text(QUESTION, "instruct", DEFAULT) == QUESTION
    assert question_text(QUESTION, "reasoning", DEFAULT) == f"{QUESTION} {DEFAULT_SUFFIX}"
    short = PromptConfig(suffix="Reason step by step.")
    assert question_text(QUESTION, "reasoning", short) == f"{QUESTION} Reason step by step."
    assert question_text(QUESTION, "reasoning", PromptConfig(suffix="")) == QUESTION


def test_the_published_suffix_is_exact_and_not_doubled() -> None:
    original = PromptConfig(suffix="original")
    asked = question_text(QUESTION, "reasoning", original)
    assert asked == (
        QUESTION + " Please reason step by step, and put your final answer within \\boxed{{}}."
    )
    assert question_text(asked, "reasoning", original) == asked


def test_messages() -> None:
    assert messages(QUESTION, 2, "instruct", PromptConfig(system="Be brief.")) == [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {
            "role": "user",
            "content": [{"type": "image"}, {"type": "image"}, {"type": "text", "text": QUESTION}],
        },
    ]
    assert [turn["role"] for turn in messages("q", 1, "instruct", PromptConfig(system=""))] == [
        "user"
    ]


@pytest.mark.parametrize("token", ["<|im_end|>", "<|image_pad|>", "<|vision_start|>"])
def test_control_tokens_are_refused(token: str) -> None:
    with pytest.raises(ChexoneError, match="control token"):
        question_text(f"Look {token} here", "instruct", DEFAULT)


def test_grounding_marks_are_allowed() -> None:
    hint = "Answer as <|ref|>name<|/ref|><|box|>(x1,y1),(x2,y2)<|/box|>."
    assert question_text(hint, "instruct", DEFAULT) == hint


@pytest.mark.slow
@pytest.mark.parametrize("num_images", [0, 1, 2])
def test_render_with_a_real_chat_template(tiny_model_uri: str, num_images: int) -> None:
    from transformers import AutoTokenizer

    from chexone_ray.downloads import download

    tokenizer = AutoTokenizer.from_pretrained(download(tiny_model_uri))
    text = render(tokenizer, messages(QUESTION, num_images, "instruct", PromptConfig(system="")))
    assert text.count("<|image_pad|>") == num_images
    assert text.count("<|im_start|>") == 2
    assert text.rstrip().endswith("<|im_start|>assistant")
    assert text.index(QUESTION) > text.rfind("<|image_pad|>")


def test_target() -> None:
    assert target("yes", "A rim is seen.", "reasoning") == "A rim is seen. \\boxed{yes}"
    assert target("yes", "", "reasoning") == "\\boxed{yes}"
    assert target("yes", "A rim is seen.", "instruct") == "yes"
    trained = target("(B)", "The view is PA.", "reasoning")
    assert parse(trained, "reasoning") == Answer("The view is PA.", "(B)", 1)
