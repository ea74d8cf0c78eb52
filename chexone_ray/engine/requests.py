"""Samples -> engine requests: prompts rendered here, images read, decoded and resized by Ray tasks.

What these return passes through the driver on its way to an engine: compressed, about 0.1 MB a
film.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from chexone_ray import checkpoints, prompts
from chexone_ray.config import ImageConfig, PromptConfig
from chexone_ray.engine import decoding
from chexone_ray.errors import ImageError
from chexone_ray.parts import cut
from chexone_ray.records import Mode, Request, Sample

SAMPLES_PER_TASK = 16


class RequestMaker:
    """Makes the requests of one model. Threads may share it; `close` ends what they wait for."""

    def __init__(self, model_uri: str, image: ImageConfig, prompt: PromptConfig) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(checkpoints.model_folder(model_uri))
        self._images = image
        self._prompts = prompt
        self._stopped = threading.Event()

    def close(self) -> None:
        """Nothing more is wanted: calls that still wait for images raise."""
        self._stopped.set()

    def make(
        self, samples: Sequence[Sample], mode: Mode | None = None
    ) -> list[Request | ImageError]:
        """One request a sample, in order, or why its images cannot be used.

        `mode` overrides that of the samples. Samples with the same images share one decoding.
        Raises ChexoneError where storage does not answer.
        """
        loaded = load_shared(samples, self._images, self._stopped)
        return [
            pngs if isinstance(pngs, ImageError) else self._request(sample, pngs, mode)
            for sample, pngs in zip(samples, loaded, strict=True)
        ]

    def _request(self, sample: Sample, pngs: tuple[bytes, ...], mode: Mode | None) -> Request:
        turns = prompts.messages(sample.question, len(pngs), mode or sample.mode, self._prompts)
        return Request(sample.id, prompts.render(self._tokenizer, turns), pngs)


def load_shared(
    samples: Sequence[Sample], config: ImageConfig, stopped: threading.Event | None = None
) -> list[decoding.Pngs]:
    """As `load_pngs`; samples with the same images share one decoding."""
    by_images = {tuple(ref.uri for ref in sample.images): sample for sample in samples}
    pngs = load_pngs(list(by_images.values()), config, stopped)
    loaded = dict(zip(by_images, pngs, strict=True))
    return [loaded[tuple(ref.uri for ref in sample.images)] for sample in samples]


def load_pngs(
    samples: Sequence[Sample], config: ImageConfig, stopped: threading.Event | None = None
) -> list[decoding.Pngs]:
    """The images of each sample as PNG on the 28-pixel grid, or why they cannot be used.

    What fits one task is loaded here, since sending it costs more; beyond that Ray has to run.
    Raises in the middle of it once `stopped` is set.
    """
    if len(samples) <= SAMPLES_PER_TASK:
        return decoding.usable(decoding.load_batch(samples, config))
    parts = cut(list(samples), SAMPLES_PER_TASK)
    loaded = decoding.DECODER.decode(parts, config, stopped or threading.Event())
    return [pngs for part in loaded for pngs in part]
