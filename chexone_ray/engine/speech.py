"""Requests -> the tensors of one model family, and token ids -> text, for the transformers engine.

`chat`: any model with a processor and a chat template; `Request.prompt` is the rendered chat text.
`chexagent` and `maira`: models whose own code makes the inputs; `Request.prompt` is JSON with what
that code is given, see `systems.asking.own_prompt`. They run the Python code of the checkpoint, and
were written from the published description of its methods, not run with the real weights.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from typing import Protocol as Interface

from chexone_ray.errors import ChexoneError
from chexone_ray.records import Request

Protocol = Literal["chat", "chexagent", "maira"]


class Speech(Interface):
    """How a family is spoken to."""

    tokenizer: Any

    def inputs(self, batch: Sequence[Request]) -> Any:
        """A `BatchFeature` of equally long rows, padded on the left; one a request."""

    def text(self, ids: Sequence[int]) -> str:
        """New token ids, without the stop, as text."""


def speech_of(protocol: Protocol, folder: str, dtype: Any) -> tuple[Speech, Any]:
    """The speech and the model of a local folder or hub name."""
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoProcessor,
        AutoTokenizer,
    )

    if protocol == "chat":
        processor = AutoProcessor.from_pretrained(folder)
        return Chat(processor), AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, trust_remote_code=True)
    if protocol == "maira":
        return Maira(AutoProcessor.from_pretrained(folder, trust_remote_code=True)), model
    return CheXagent(AutoTokenizer.from_pretrained(folder, trust_remote_code=True)), model


class Chat:
    """A processor that takes texts with image placeholders, and the images in their order."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self.tokenizer = processor.tokenizer
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

    def inputs(self, batch: Sequence[Request]) -> Any:
        """See `Speech`. Raises ChexoneError for a prompt with fewer or more places than images."""
        mark = self._processor.image_token
        for request in batch:
            places = request.prompt.count(mark)
            if places != len(request.images):
                raise ChexoneError(
                    f"prompt has {places} image placeholders for {len(request.images)} images"
                )
        nested = [[_picture(png) for png in request.images] for request in batch]
        films: dict[str, Any] = {"images": nested} if any(nested) else {}
        return self._processor(
            text=[self._unstarted(request.prompt) for request in batch],
            padding=True,
            padding_side="left",
            return_tensors="pt",
            **films,
        )

    def text(self, ids: Sequence[int]) -> str:
        """See `Speech`."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def _unstarted(self, prompt: str) -> str:
        """Without the start token that the chat template wrote where the tokenizer adds its own."""
        start = self.tokenizer.bos_token
        adds = start and self.tokenizer("").input_ids[:1] == [self.tokenizer.bos_token_id]
        return prompt.removeprefix(start) if adds else prompt


class CheXagent:
    """CheXagent-2: its tokenizer writes the paths of the films into the prompt, and its model reads
    them from there. One request at a time."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._folder = tempfile.TemporaryDirectory(prefix="chexone-films-")

    def inputs(self, batch: Sequence[Request]) -> Any:
        """See `Speech`."""
        from transformers import BatchFeature

        request = _only(batch)
        asked = json.loads(request.prompt)
        parts: list[dict[str, str]] = []
        for number, png in enumerate(request.images):
            path = Path(self._folder.name) / f"{number}.png"
            path.write_bytes(png)
            parts.append({"image": str(path)})
        query = self.tokenizer.from_list_format([*parts, {"text": asked["question"]}])
        turns = [
            {"from": "system", "value": asked["system"]},
            {"from": "human", "value": query},
        ]
        made = self.tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt"
        )
        # The release of transformers decides whether that is the ids or all inputs.
        return BatchFeature({"input_ids": made["input_ids"] if hasattr(made, "keys") else made})

    def text(self, ids: Sequence[int]) -> str:
        """See `Speech`."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))


class Maira:
    """MAIRA-2: its processor has a method for reports and one for phrases. One at a time."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self.tokenizer = processor.tokenizer

    def inputs(self, batch: Sequence[Request]) -> Any:
        """See `Speech`. Raises ChexoneError without a frontal film."""
        request = _only(batch)
        asked = json.loads(request.prompt)
        films: dict[str, Any] = {}
        for slot, png in zip(asked["films"], request.images, strict=True):
            films.setdefault(slot, _picture(png))  # it has room for one of each
        if "frontal" not in films:
            raise ChexoneError("the model needs a frontal film, and there is none")
        if "phrase" in asked:
            return self._processor.format_and_preprocess_phrase_grounding_input(
                frontal_image=films["frontal"], phrase=asked["phrase"], return_tensors="pt"
            )
        return self._processor.format_and_preprocess_reporting_input(
            current_frontal=films["frontal"],
            current_lateral=films.get("lateral"),
            prior_frontal=films.get("prior"),
            indication=asked["indication"],
            technique=None,
            comparison=None,
            prior_report=None,
            get_grounding=False,
            return_tensors="pt",
        )

    def text(self, ids: Sequence[int]) -> str:
        """See `Speech`."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).lstrip()


def _only(batch: Sequence[Request]) -> Request:
    if len(batch) != 1:
        raise ChexoneError(
            f"{len(batch)} requests at once: this model takes one; engine.max_num_seqs=1"
        )
    return batch[0]


def _picture(png: bytes) -> Any:
    from PIL import Image

    try:
        return Image.open(io.BytesIO(png)).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # all three are what PIL raises
        raise ChexoneError("an image of the request is no readable PNG") from error
