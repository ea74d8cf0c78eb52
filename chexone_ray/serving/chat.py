"""OpenAI chat messages -> the messages that the model was trained on. Pure: no Ray, no vLLM.

Images arrive as data URIs of PNG, JPEG or DICOM bytes and leave as PNG on the model's grid, so the
served model sees exactly what `engine.Engine` and the trainer see.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from chexone_ray import images, prompts
from chexone_ray.config import ImageConfig, PromptConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Mode

INSTRUCT_SUFFIX = "-instruct"
"""`<model name>-instruct` is the same model asked without a trace."""


def requested_mode(model: str | None, mode: object) -> Mode:
    """The mode that a request asks for: the extra field `mode`, else the model name's ending.

    Raises:
        ChexoneError: `mode` is neither "reasoning" nor "instruct".
    """
    if mode is None:
        return "instruct" if model is not None and model.endswith(INSTRUCT_SUFFIX) else "reasoning"
    if mode == "reasoning" or mode == "instruct":
        return mode
    raise ChexoneError(f"mode={mode!r} is unknown: use one of {', '.join(get_args(Mode))}")


def prepare(
    messages: Sequence[Mapping[str, Any]],
    mode: Mode,
    image_config: ImageConfig,
    prompt_config: PromptConfig,
    max_images: int,
) -> list[dict[str, Any]]:
    """Messages with images on the grid before the text, the reasoning suffix on the last question
    and the configured system turn where the caller sent none.

    Raises:
        ChexoneError: no user message, too many images, or a part of a kind that is not served.
        ImageError: bytes that are no usable image.
    """
    users = [i for i, message in enumerate(messages) if message.get("role") == "user"]
    if not users:
        raise ChexoneError('messages hold no message of role "user": add the question as one')
    prepared: list[dict[str, Any]] = []
    num_images = 0
    for i, message in enumerate(messages):
        if message.get("role") != "user":
            prepared.append(dict(message))
            continue
        pictures, text = _split(message.get("content"), image_config)
        num_images += len(pictures)
        if i == users[-1]:
            text = prompts.question_text(text, mode, prompt_config)
        prepared.append({"role": "user", "content": [*pictures, {"type": "text", "text": text}]})
    if num_images > max_images:
        raise ChexoneError(f"{num_images} images sent, at most {max_images} are served: send fewer")
    if prompt_config.system and prepared[0].get("role") != "system":
        prepared.insert(0, {"role": "system", "content": prompt_config.system})
    return prepared


def _split(content: object, config: ImageConfig) -> tuple[list[dict[str, Any]], str]:
    if isinstance(content, str):
        return [], content
    pictures: list[dict[str, Any]] = []
    texts: list[str] = []
    for part in content if isinstance(content, Sequence) else []:
        kind = part.get("type")
        if kind == "text":
            texts.append(part["text"])
        elif kind == "image_url":
            pictures.append(_on_grid(part["image_url"], config))
        else:
            raise ChexoneError(
                f'content part of type {kind!r} is not served: use "text" or "image_url"'
            )
    return pictures, "\n".join(texts)


def _on_grid(image_url: object, config: ImageConfig) -> dict[str, Any]:
    url = image_url.get("url") if isinstance(image_url, Mapping) else image_url
    picture = images.decode(data_uri_bytes(url), config)
    encoded = base64.b64encode(images.to_png(picture.pixels)).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}


def data_uri_bytes(url: object) -> bytes:
    """Bytes of a `data:...;base64,` URI. Other addresses are refused: the server fetches nothing.

    Raises:
        ChexoneError: not a base64 data URI.
    """
    if not isinstance(url, str) or not url.startswith("data:") or ";base64," not in url[:128]:
        raise ChexoneError(
            "image_url must be a data URI (data:image/png;base64,...): "
            "the server fetches no addresses"
        )
    try:
        return base64.b64decode(url.split(",", 1)[1], validate=True)
    except binascii.Error as error:
        raise ChexoneError(
            f"image_url holds no valid base64 ({error}): encode the file again"
        ) from error
