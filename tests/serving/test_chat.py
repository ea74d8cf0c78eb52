"""OpenAI messages -> what the model was trained on, and what is refused."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from chexone_ray import images
from chexone_ray.config import ImageConfig, PromptConfig
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.serving import chat

IMAGES = ImageConfig(max_pixels=12544, min_pixels=3136)
PROMPTS = PromptConfig(system="", suffix="Think first.")


def data_uri(height: int = 300, width: int = 200) -> str:
    pixels = (np.arange(height * width) % 251).astype(np.uint8).reshape(height, width)
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, format="PNG")
    return "data:image/png;base64," + base64.b64encode(sink.getvalue()).decode()


def picture(uri: str) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": uri}}


def test_images_come_first_on_the_grid_and_the_suffix_last() -> None:
    question = [{"type": "text", "text": "Is there a nodule?"}, picture(data_uri())]
    (turn,) = chat.prepare([{"role": "user", "content": question}], "reasoning", IMAGES, PROMPTS, 2)
    first, second = turn["content"]
    assert second == {"type": "text", "text": "Is there a nodule? Think first."}
    served = images.from_png(chat.data_uri_bytes(first["image_url"]["url"]))
    expected = images.decode(chat.data_uri_bytes(data_uri()), IMAGES).pixels
    assert np.array_equal(served, expected)
    assert served.shape[0] % 28 == served.shape[1] % 28 == 0


def test_instruct_mode_has_no_suffix_and_earlier_turns_stay() -> None:
    turns = [
        {"role": "user", "content": "Is there a nodule?"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "Where?"},
    ]
    prepared = chat.prepare(turns, "instruct", IMAGES, PROMPTS, 2)
    assert [t["role"] for t in prepared] == ["user", "assistant", "user"]
    assert prepared[2]["content"] == [{"type": "text", "text": "Where?"}]
    reasoned = chat.prepare(turns, "reasoning", IMAGES, PROMPTS, 2)
    assert reasoned[0]["content"] == [{"type": "text", "text": "Is there a nodule?"}]
    assert reasoned[2]["content"] == [{"type": "text", "text": "Where? Think first."}]


def test_system_turn_is_added_unless_sent() -> None:
    with_system = PROMPTS.model_copy(update={"system": "Read films."})
    user = {"role": "user", "content": "Hello"}
    prepared = chat.prepare([user], "instruct", IMAGES, with_system, 2)
    assert prepared[0] == {"role": "system", "content": "Read films."}
    own = {"role": "system", "content": "Mine."}
    assert chat.prepare([own, user], "instruct", IMAGES, with_system, 2)[0] == own


def test_mode_of_a_request() -> None:
    assert chat.requested_mode("chexone", None) == "reasoning"
    assert chat.requested_mode("chexone-instruct", None) == "instruct"
    assert chat.requested_mode("chexone-instruct", "reasoning") == "reasoning"
    with pytest.raises(ChexoneError, match="fast"):
        chat.requested_mode("chexone", "fast")


@pytest.mark.parametrize(
    ("messages", "word"),
    [
        ([], "role"),
        ([{"role": "user", "content": [picture("http://127.0.0.1/film.png")]}], "data URI"),
        ([{"role": "user", "content": [picture("data:image/png;base64,@@@")]}], "base64"),
        ([{"role": "user", "content": [{"type": "audio"}]}], "audio"),
        ([{"role": "user", "content": [picture(data_uri())] * 3}], "at most 2"),
    ],
)
def test_refusals_name_the_thing(messages: list[dict[str, object]], word: str) -> None:
    with pytest.raises(ChexoneError, match=word):
        chat.prepare(messages, "reasoning", IMAGES, PROMPTS, 2)


def test_bytes_that_are_no_image() -> None:
    uri = "data:image/png;base64," + base64.b64encode(b"nothing of the kind").decode()
    with pytest.raises(ImageError):
        chat.prepare([{"role": "user", "content": [picture(uri)]}], "reasoning", IMAGES, PROMPTS, 2)


TEXT: dict[str, object] = {"text_only": True}


def test_a_question_without_a_film_has_to_say_that_it_is_about_a_text() -> None:
    for value in (None, False):
        with pytest.raises(ChexoneError, match=r'no film given.*"text_only": true'):
            translated(text_only=value)
    turns = [
        {"role": "user", "content": [picture(data_uri()), {"type": "text", "text": "What is it?"}]}
    ]
    shown = translated(text_only=False, messages=turns)
    assert shown["messages"][0]["content"][0]["type"] == "image_url"  # type: ignore[index]


def translated(**body: object) -> dict[str, object]:
    asked = {"messages": [{"role": "user", "content": "Is there a nodule?"}], **TEXT, **body}
    return chat.translate(asked, "chexone", IMAGES, PROMPTS, 2)


def test_a_request_is_greedy_and_goes_to_the_one_model() -> None:
    asked = translated(model="chexone-instruct", max_tokens=9, user="me", temperature=None)
    assert asked.pop("messages") == [
        {"role": "user", "content": [{"type": "text", "text": "Is there a nodule?"}]}
    ]
    assert asked == {"model": "chexone", "max_tokens": 9, "temperature": 0.0}
    assert translated(temperature=0.7)["temperature"] == 0.7


@pytest.mark.parametrize("field", ["chat_template", "mm_processor_kwargs", "stop_token_ids"])
def test_fields_that_could_undo_the_limits_are_refused(field: str) -> None:
    with pytest.raises(ChexoneError, match=field):
        translated(**{field: None})


def test_an_unknown_model_and_a_body_of_another_shape() -> None:
    with pytest.raises(chat.UnknownModelError, match="use chexone or chexone-instruct"):
        translated(model="chexone-fast")
    bodies: list[object] = [[], "text", None]
    for body in bodies:
        with pytest.raises(ChexoneError, match="JSON object"):
            chat.translate(body, "chexone", IMAGES, PROMPTS, 2)


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_only_the_user_shows_images(role: str) -> None:
    turns = [{"role": role, "content": [picture(data_uri())]}, {"role": "user", "content": "?"}]
    with pytest.raises(ChexoneError, match=f"in a {role} message"):
        chat.prepare(turns, "reasoning", IMAGES, PROMPTS, 2)
