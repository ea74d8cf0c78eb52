"""Samples -> engine requests: prompts rendered, images read, decoded and resized, in threads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chexone_ray import checkpoints, images, prompts
from chexone_ray.config import ImageConfig, PromptConfig
from chexone_ray.data import stream
from chexone_ray.errors import ImageError
from chexone_ray.records import Mode, Request, Sample

logger = logging.getLogger(__name__)

NUM_THREADS = 8


class RequestMaker:
    """Makes the requests of one model. Its threads end with `close`."""

    def __init__(self, model_uri: str, image: ImageConfig, prompt: PromptConfig) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(checkpoints.model_folder(model_uri))
        self._images = image
        self._prompts = prompt
        self._threads = ThreadPoolExecutor(NUM_THREADS, thread_name_prefix="images")

    def make(
        self, samples: Sequence[Sample], mode: Mode | None = None
    ) -> list[Request | ImageError]:
        """One request a sample, in order, or why its images cannot be used.

        `mode` overrides that of the samples. Samples with the same images share one decoding.
        Raises ChexoneError where storage does not answer.
        """
        by_images = {tuple(ref.uri for ref in sample.images): sample for sample in samples}
        loaded = dict(
            zip(by_images, self._threads.map(self._load, by_images.values()), strict=True)
        )
        made: list[Request | ImageError] = []
        for sample in samples:
            pngs = loaded[tuple(ref.uri for ref in sample.images)]
            made.append(pngs if isinstance(pngs, ImageError) else self._request(sample, pngs, mode))
        return made

    def close(self) -> None:
        """Stop the image threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _request(self, sample: Sample, pngs: tuple[bytes, ...], mode: Mode | None) -> Request:
        turns = prompts.messages(sample.question, len(pngs), mode or sample.mode, self._prompts)
        return Request(sample.id, prompts.render(self._tokenizer, turns), pngs)

    def _load(self, sample: Sample) -> tuple[bytes, ...] | ImageError:
        try:
            pictures = stream.load_images(sample, self._images)
        except ImageError as error:
            return error
        return tuple(images.to_png(pixels) for pixels in pictures)
