"""What became of a row: answered, unparsed, refused or failed."""

from __future__ import annotations

import pytest

from chexone_ray.answers import parse
from chexone_ray.evaluation.predictions import refused, status_of


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't provide a diagnosis from this image.",
        "I\u2019m unable to interpret medical images.",
        "I am not able to analyze X-rays.",
        "I cannot answer this question.",
        "As an AI language model, I would advise to see a radiologist.",
        "Unable to provide a diagnosis without clinical context.",
        "I do not have access to the image that you mention.",
        "I cannot view the attached images.",
        "Sorry, I cannot\nassist with that.",
    ],
)
def test_refusals(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot exclude a small left effusion.",
        "A pneumothorax cannot be excluded.",
        "Unable to assess the left base due to overlying devices.",
        "The costophrenic angle cannot be seen.",
        "No acute cardiopulmonary process.",
        "I see a nodule, and I will provide the location: upper left.",
    ],
)
def test_answers_that_hedge_are_none(text: str) -> None:
    assert not refused(text)


def status(text: str, mode: str = "reasoning", finish: str = "stop", error: str = "") -> str:
    answer = parse(text, mode).answer  # type: ignore[arg-type]
    return status_of(
        {
            "text": text,
            "mode": mode,
            "predicted_answer": answer,
            "finish_reason": finish,
            "error": error,
        }
    )


def test_status() -> None:
    declined = "I cannot provide a diagnosis."
    assert status("\\boxed{yes}") == "answered"
    assert status("The heart is large.") == "unparsed"
    assert status(declined) == "refused"
    assert status(declined, finish="length") == "unparsed", "cut off before its answer"
    assert status("", error="engine: dead") == "failed"
    # A box is an answer, whatever was said before it; a whole text that declines is none.
    assert status(f"{declined} If I had to: \\boxed{{yes}}") == "answered"
    assert status(declined, "instruct") == "refused"
    assert status("The heart is large.", "instruct") == "answered"


def test_what_an_adapter_read_out_of_a_text_is_what_may_refuse() -> None:
    row = {"mode": "reasoning", "finish_reason": "stop", "error": ""}
    doubt = "<think>I cannot determine the side.</think><answer>{}</answer>"
    right = row | {"text": doubt.format("left"), "predicted_answer": "left"}
    assert status_of(right) == "answered"
    declined = "I cannot provide a diagnosis."
    wrong = row | {"text": doubt.format(declined), "predicted_answer": declined}
    assert status_of(wrong) == "refused"
