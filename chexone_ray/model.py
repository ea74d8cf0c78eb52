"""Quick start as a library: `CheXOne("StanfordAIMI/CheXOne").report("film.dcm")`.

Research use only. The same engine as everywhere else answers, so results equal those of the other
stages for the same image, question and checkpoint.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, get_args

from chexone_ray import answers, boxes, checkpoints, images, prompts, storage
from chexone_ray.config import EngineConfig, RayConfig, SamplingConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Box, Mode, Request

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

logger = logging.getLogger(__name__)

Film = str | Path | bytes
"""A path or URI of a PNG, JPEG or DICOM file, or its bytes."""

DEFAULT_MAX_LENGTH = 4096


@dataclass(frozen=True)
class Reading:
    """What the model says about the films. `boxes` are canonical: 0-1 of the displayed original."""

    text: str
    reasoning: str
    answer: str | None
    boxes: tuple[Box, ...]
    finish_reason: str
    notice: str = RESEARCH_USE_ONLY


def reading(text: str, mode: Mode, finish_reason: str = "stop") -> Reading:
    """A completion taken apart."""
    parsed = answers.parse(text, mode)
    found = tuple(boxes.decode(parsed.answer or ""))
    return Reading(text, parsed.reasoning, parsed.answer, found, finish_reason)


class CheXOne:
    """A checkpoint with one running engine, on the Ray cluster that is there or a local one.

    Consumes films (paths, URIs or bytes of PNG, JPEG or DICOM), produces `Reading`s. Waits for the
    engine start and each answer, bounded by `engine.start_timeout_s` and `request_timeout_s`.
    On failure the call raises; close() or the end of a `with` block stops the engine.
    """

    def __init__(
        self,
        model: str,
        *,
        engine: EngineConfig | None = None,
        sampling: SamplingConfig | None = None,
        ray: RayConfig | None = None,
    ) -> None:
        from ray import is_initialized

        from chexone_ray import runtime
        from chexone_ray.engine.pool import EnginePool

        self._sampling = sampling or SamplingConfig()
        if self._sampling.n > 1:
            raise ChexoneError(f"sampling.n={self._sampling.n}: one answer is returned, set n=1")
        self.settings = checkpoints.read_settings(model)
        limit = checkpoints.max_length(model)
        self._owns_ray = not is_initialized()
        runtime.join(ray or _default_ray())
        self._pool: EnginePool | None = None
        self._num_asked = 0
        try:
            self.engine_config = engine or default_engine(limit)
            self._pool = EnginePool(self.engine_config, model, self.settings.images)
            self._tokenizer = _tokenizer(model)
        except BaseException:
            self.close()
            raise

    def report(
        self, *films: Film, mode: Mode = "reasoning", indication: str = "", max_tokens: int = 1024
    ) -> Reading:
        """Findings for one study of one or more films, optionally given the indication."""
        question = prompts.FINDINGS_QUESTION
        if indication:
            question = f"{prompts.INDICATION.format(indication=indication)} {question}"
        return self.ask(question, *films, mode=mode, max_tokens=max_tokens)

    def ask(
        self, question: str, *films: Film, mode: Mode = "reasoning", max_tokens: int = 1024
    ) -> Reading:
        """The answer to a question about the films, greedy unless `sampling` says otherwise.

        Raises:
            ChexoneError: no film, or the engine could not answer.
            ImageError: a film that cannot be used.
        """
        if mode not in get_args(Mode):
            raise ChexoneError(f"mode={mode!r} is unknown: use one of {', '.join(get_args(Mode))}")
        if not films:
            raise ChexoneError("no film given: pass at least one path, URI or the bytes of a file")
        if self._pool is None:
            raise ChexoneError("this CheXOne is closed: make a new one")
        turns = prompts.messages(question, len(films), mode, self.settings.prompts)
        self._num_asked += 1
        request = Request(
            id=f"library-{self._num_asked}",
            prompt=prompts.render(self._tokenizer, turns),
            images=tuple(images.to_png(picture) for picture in self._pixels(films)),
        )
        sampling = self._sampling.model_copy(update={"max_tokens": max_tokens})
        (rollout,) = self._pool.generate([request], sampling)
        if rollout.error:
            raise ChexoneError(f"the engine gave no answer: {rollout.error}")
        completion = rollout.completions[0]
        return reading(completion.text, mode, completion.finish_reason)

    def _pixels(self, films: Sequence[Film]) -> list[images.Pixels]:
        return [
            images.decode(
                film if isinstance(film, bytes) else storage.read_bytes(str(film)),
                self.settings.images,
            ).pixels
            for film in films
        ]

    def close(self) -> None:
        """Stop the engine, and Ray if it was started here; a second call does nothing."""
        from chexone_ray import runtime

        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
        if self._owns_ray:
            self._owns_ray = False
            runtime.leave()

    def __enter__(self) -> CheXOne:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def default_engine(limit: int | None = None) -> EngineConfig:
    """A GPU engine where the cluster has a GPU, else one for the CPU build of vLLM.

    `limit` is the longest prompt and completion that the model takes, in tokens.
    """
    import ray

    length = min(DEFAULT_MAX_LENGTH, limit or DEFAULT_MAX_LENGTH)
    there = ray.cluster_resources()
    if there.get("GPU", 0) >= 1:
        return EngineConfig(max_model_len=length)
    return EngineConfig(
        num_gpus=0,
        dtype="float32",
        enforce_eager=True,
        lean=True,
        threads=max(1, min(os.cpu_count() or 1, int(there.get("CPU", 1)))),
        max_model_len=length,
        max_num_seqs=16,
        kv_cache_mb=1024,
    )


def _default_ray() -> RayConfig:
    """The cluster that Ray's own RAY_ADDRESS names, else a Ray that ends with this process."""
    return RayConfig(address="auto" if os.environ.get("RAY_ADDRESS") else "local")


def _tokenizer(model: str) -> object:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(checkpoints.model_folder(model))
