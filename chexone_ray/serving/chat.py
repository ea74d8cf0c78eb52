"""OpenAI chat requests -> what the engine is asked. Pure: no Ray, no vLLM.

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
FORWARDED = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "min_p",
        "min_tokens",
        "n",
        "presence_penalty",
        "repetition_penalty",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "top_k",
        "top_logprobs",
        "top_p",
    }
)
"""Fields that reach the engine as they are; others could fetch things or undo the pixel limits."""
IGNORED = frozenset({"metadata", "store", "user"})
"""Fields that clients send for their own bookkeeping."""


OWN = frozenset({"model", "messages", "mode", "text_only"})
"""Fields that are read here."""


class UnknownModelError(ChexoneError):
    """The request names a model that is not served."""


def model_names(model_name: str) -> tuple[str, str]:
    """The served names: answers with a trace, and without."""
    return model_name, model_name + INSTRUCT_SUFFIX


def translate(
    body: object,
    model_name: str,
    image_config: ImageConfig,
    prompt_config: PromptConfig,
    max_images: int,
) -> dict[str, Any]:
    """The body of a chat request -> the body for the engine, greedy unless it says otherwise.

    Raises:
        UnknownModelError: `model` is neither of the served names.
        ChexoneError: anything else in the request that cannot be served.
        ImageError: bytes that are no usable image.
    """
    if not isinstance(body, Mapping):
        raise ChexoneError("the request body must be a JSON object with model and messages")
    model = body.get("model")
    names = model_names(model_name)
    if model is not None and model not in names:
        raise UnknownModelError(f"model {model!r} is not served: use {' or '.join(names)}")
    unknown = sorted(set(body) - FORWARDED - IGNORED - OWN)
    if unknown:
        raise ChexoneError(f"field {unknown[0]!r} is not served: leave it out")
    mode = requested_mode(model, body.get("mode"))
    settings = {name: body[name] for name in sorted(FORWARDED & set(body))}
    if settings.get("temperature") is None:
        settings["temperature"] = 0.0
    messages = prepare(body.get("messages"), mode, image_config, prompt_config, max_images)
    if not body.get("text_only") and not any(_shows_film(turn) for turn in messages):
        raise ChexoneError(
            "no film given, and the model would report on one all the same: attach an image, or "
            'send "text_only": true to ask about a text'
        )
    return {"model": model_name, "messages": messages, **settings}


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
    messages: object,
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
    turns = _turns(messages)
    last = max((i for i, turn in enumerate(turns) if turn["role"] == "user"), default=None)
    if last is None:
        raise ChexoneError('messages hold no message of role "user": add the question as one')
    parts = [_split(turn) for turn in turns]
    num_images = sum(len(urls) for urls, _ in parts)
    if num_images > max_images:
        raise ChexoneError(f"{num_images} images sent, at most {max_images} are served: send fewer")
    prepared: list[dict[str, Any]] = []
    for i, (turn, (urls, text)) in enumerate(zip(turns, parts, strict=True)):
        asked = prompts.question_text(text, mode if i == last else "instruct", prompt_config)
        if turn["role"] == "user":
            content = [_on_grid(url, image_config) for url in urls]
            content.append({"type": "text", "text": asked})
            prepared.append({"role": "user", "content": content})
        else:
            prepared.append({"role": turn["role"], "content": asked})
    if prompt_config.system and prepared[0]["role"] != "system":
        prepared.insert(0, {"role": "system", "content": prompt_config.system})
    return prepared


def _shows_film(turn: Mapping[str, Any]) -> bool:
    content = turn["content"]
    return isinstance(content, list) and any(part["type"] != "text" for part in content)


def _turns(messages: object) -> list[Mapping[str, Any]]:
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise ChexoneError("messages must be a list of messages with role and content")
    for message in messages:
        role = message.get("role") if isinstance(message, Mapping) else None
        if role not in ("system", "user", "assistant"):
            raise ChexoneError(
                f'message of role {role!r} is not served: use "system", "user" or "assistant"'
            )
    return list(messages)


def _split(turn: Mapping[str, Any]) -> tuple[list[object], str]:
    """Image addresses and the text of a message; images only where the user speaks."""
    content = turn.get("content")
    if isinstance(content, str):
        return [], content
    if not isinstance(content, Sequence):
        raise ChexoneError(f"content of a {turn['role']} message must be a text or a list of parts")
    urls: list[object] = []
    texts: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url" and turn["role"] == "user":
            image_url = part.get("image_url")
            urls.append(image_url.get("url") if isinstance(image_url, Mapping) else image_url)
        else:
            raise ChexoneError(
                f"content part of type {kind!r} is not served in a {turn['role']} message: "
                'use "text", or "image_url" in a user message'
            )
    return urls, "\n".join(texts)


def _on_grid(url: object, config: ImageConfig) -> dict[str, Any]:
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
