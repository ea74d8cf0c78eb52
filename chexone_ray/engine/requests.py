"""Samples -> engine requests: prompts rendered here, images read, decoded and resized by Ray tasks.

The tasks run wherever the cluster has a CPU free, so that a large pool does not wait for the cores
of one machine.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chexone_ray import checkpoints, images, prompts, runtime
from chexone_ray.config import ImageConfig, PromptConfig
from chexone_ray.data import stream
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.log import Waiting
from chexone_ray.parts import cut
from chexone_ray.records import Mode, Request, Sample

logger = logging.getLogger(__name__)

SAMPLES_PER_TASK = 16
TASK_THREADS = 4
"""Reads that wait for storage together; the decoding itself takes one core."""
TIMEOUT_S = 1800.0
POLL_S = 5.0

Pngs = tuple[bytes, ...] | ImageError


class RequestMaker:
    """Makes the requests of one model. Threads may share it."""

    def __init__(self, model_uri: str, image: ImageConfig, prompt: PromptConfig) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(checkpoints.model_folder(model_uri))
        self._images = image
        self._prompts = prompt

    def make(
        self, samples: Sequence[Sample], mode: Mode | None = None
    ) -> list[Request | ImageError]:
        """One request a sample, in order, or why its images cannot be used.

        `mode` overrides that of the samples. Samples with the same images share one decoding.
        Raises ChexoneError where storage does not answer, or no CPU is free for the images.
        """
        by_images = {tuple(ref.uri for ref in sample.images): sample for sample in samples}
        loaded = dict(
            zip(by_images, load_pngs(list(by_images.values()), self._images), strict=True)
        )
        made: list[Request | ImageError] = []
        for sample in samples:
            pngs = loaded[tuple(ref.uri for ref in sample.images)]
            made.append(pngs if isinstance(pngs, ImageError) else self._request(sample, pngs, mode))
        return made

    def _request(self, sample: Sample, pngs: tuple[bytes, ...], mode: Mode | None) -> Request:
        turns = prompts.messages(sample.question, len(pngs), mode or sample.mode, self._prompts)
        return Request(sample.id, prompts.render(self._tokenizer, turns), pngs)


def load_pngs(samples: Sequence[Sample], config: ImageConfig) -> list[Pngs]:
    """The images of each sample as PNG on the 28-pixel grid, or why they cannot be used.

    What fits one task is loaded here, since sending it costs more; beyond that Ray has to run.
    """
    if len(samples) <= SAMPLES_PER_TASK:
        return _load_batch(samples, config)
    import ray

    task = ray.remote(num_cpus=1)(_load_batch)
    parts = [task.remote(part, config) for part in cut(list(samples), SAMPLES_PER_TASK)]
    waiting = Waiting(logger, "a free CPU for the tasks that decode images")
    begin = time.monotonic()
    while ray.wait(parts, num_returns=len(parts), timeout=POLL_S)[1]:
        waiting.remind()
        if time.monotonic() - begin > TIMEOUT_S:
            for part in parts:
                ray.cancel(part, force=True)
            raise ChexoneError(
                f"{len(samples)} samples' images are not decoded after {TIMEOUT_S:.0f} s: free "
                "CPUs of the cluster (engine.num_cpus, trainer.cpus_per_worker) or add some"
            )
    with runtime.own_errors():
        return [pngs for part in ray.get(parts) for pngs in part]


def _load_batch(samples: Sequence[Sample], config: ImageConfig) -> list[Pngs]:
    def load(sample: Sample) -> Pngs:
        try:
            pictures = stream.load_images(sample, config)
        except ImageError as error:
            return error
        return tuple(images.to_png(pixels) for pixels in pictures)

    with ThreadPoolExecutor(TASK_THREADS) as threads:
        return list(threads.map(load, samples))
