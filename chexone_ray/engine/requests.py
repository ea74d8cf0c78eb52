"""Samples -> engine requests: prompts rendered here, images read, decoded and resized by Ray tasks.

The tasks are spread over the nodes: a large pool does not wait for the cores of one machine.
What they return passes through the driver on its way to an engine: compressed, about 0.1 MB a film.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from chexone_ray import checkpoints, images, prompts
from chexone_ray.config import ImageConfig, PromptConfig
from chexone_ray.data import stream
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.parts import ahead, cut
from chexone_ray.records import Mode, Request, Sample

SAMPLES_PER_TASK = 16
TASK_THREADS = 4
"""Reads that wait for storage together; the decoding itself takes one core."""
TIMEOUT_S = 900.0
"""For one task, the start of its process and slow storage included."""

Pngs = tuple[bytes, ...] | ImageError
_Loaded = tuple[bytes, ...] | ChexoneError


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
        Raises ChexoneError where storage does not answer.
        """
        return [
            pngs if isinstance(pngs, ImageError) else self._request(sample, pngs, mode)
            for sample, pngs in zip(samples, load_shared(samples, self._images), strict=True)
        ]

    def _request(self, sample: Sample, pngs: tuple[bytes, ...], mode: Mode | None) -> Request:
        turns = prompts.messages(sample.question, len(pngs), mode or sample.mode, self._prompts)
        return Request(sample.id, prompts.render(self._tokenizer, turns), pngs)


def load_shared(samples: Sequence[Sample], config: ImageConfig) -> list[Pngs]:
    """As `load_pngs`; samples with the same images share one decoding."""
    by_images = {tuple(ref.uri for ref in sample.images): sample for sample in samples}
    loaded = dict(zip(by_images, load_pngs(list(by_images.values()), config), strict=True))
    return [loaded[tuple(ref.uri for ref in sample.images)] for sample in samples]


def load_pngs(samples: Sequence[Sample], config: ImageConfig) -> list[Pngs]:
    """The images of each sample as PNG on the 28-pixel grid, or why they cannot be used.

    What fits one task is loaded here, since sending it costs more; beyond that Ray has to run. The
    tasks claim no CPU: engines and trainers may hold all of them, and wait for the images.
    """
    if len(samples) <= SAMPLES_PER_TASK:
        return _pngs(_load_batch(samples, config))
    import ray

    def work(part: Sequence[Sample]) -> list[_Loaded]:
        loaded: list[_Loaded] = ray.get(_task().remote(part, config), timeout=TIMEOUT_S)
        return loaded

    num_tasks = max(2, int(ray.cluster_resources().get("CPU", 0)) // 2)
    parts = cut(list(samples), SAMPLES_PER_TASK)
    return [pngs for part in ahead(parts, work, num_tasks) for pngs in _pngs(part)]


@cache
def _task() -> Any:
    import ray

    return ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(_load_batch)


def _load_batch(samples: Sequence[Sample], config: ImageConfig) -> list[_Loaded]:
    """Errors come back as values: what nobody fetches, Ray would log, and they name files."""

    def load(sample: Sample) -> _Loaded:
        try:
            pictures = stream.load_images(sample, config)
        except ChexoneError as error:
            return error
        return tuple(images.to_png(pixels) for pixels in pictures)

    with ThreadPoolExecutor(TASK_THREADS) as threads:
        return list(threads.map(load, samples))


def _pngs(loaded: Sequence[_Loaded]) -> list[Pngs]:
    """Raises the first error that is not about one image."""
    good: list[Pngs] = []
    for one in loaded:
        if isinstance(one, ChexoneError) and not isinstance(one, ImageError):
            raise one
        good.append(one)
    return good
