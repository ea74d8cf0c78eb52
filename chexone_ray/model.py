"""Quick start as a library: `CheXOne("StanfordAIMI/CheXOne").report("film.dcm")`.

Research use only. The same engine as everywhere else answers, so results equal those of the other
stages for the same image, question and checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from chexone_ray import answers, boxes, checkpoints, images, prompts, storage
from chexone_ray.config import EngineConfig, RayConfig, SamplingConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Box, Mode, Request

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

logger = logging.getLogger(__name__)

Film = str | bytes


@dataclass(frozen=True)
class Reading:
    """What the model says about the films. `boxes` are canonical: 0-1 of the displayed original."""

    text: str
    reasoning: str
    answer: str | None
    boxes: tuple[Box, ...]
    finish_reason: str
    notice: str = RESEARCH_USE_ONLY


class CheXOne:
    """A checkpoint with one running engine, on the Ray cluster that is there or a local one.

    Consumes films (paths, URIs or bytes of PNG, JPEG or DICOM), produces `Reading`s. Waits for the
    engine start and each answer, bounded by `engine.start_timeout_s` and `request_timeout_s`.
    On failure the call raises; close() or the end of a `with` block stops the engine.
    """

    def __init__(
        self, model: str, *, engine: EngineConfig | None = None, ray: RayConfig | None = None
    ) -> None:
        from chexone_ray import runtime
        from chexone_ray.engine.pool import EnginePool

        runtime.join(ray or RayConfig(address="local"))
        self.settings = checkpoints.read_settings(model)
        self.engine_config = engine or default_engine()
        self._pool: EnginePool = EnginePool(self.engine_config, model, self.settings.images)
        self._tokenizer = _tokenizer(model)
        self._num_asked = 0

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
        """The greedy answer to a question about the films.

        Raises:
            ChexoneError: no film, or the engine could not answer.
            ImageError: a film that cannot be used.
        """
        if not films:
            raise ChexoneError("no film given: pass at least one path, URI or the bytes of a file")
        turns = prompts.messages(question, len(films), mode, self.settings.prompts)
        self._num_asked += 1
        request = Request(
            id=f"library-{self._num_asked}",
            prompt=prompts.render(self._tokenizer, turns),
            images=tuple(images.to_png(picture) for picture in self._pixels(films)),
        )
        room = max(1, self.engine_config.max_model_len // 2)
        sampling = SamplingConfig(max_tokens=min(max_tokens, room))
        (rollout,) = self._pool.generate([request], sampling)
        if rollout.error:
            raise ChexoneError(f"the engine gave no answer: {rollout.error}")
        completion = rollout.completions[0]
        parsed = answers.parse(completion.text, mode)
        return Reading(
            text=completion.text,
            reasoning=parsed.reasoning,
            answer=parsed.answer,
            boxes=tuple(boxes.decode(parsed.answer or "")),
            finish_reason=completion.finish_reason,
        )

    def _pixels(self, films: Sequence[Film]) -> list[images.Pixels]:
        return [
            images.decode(
                film if isinstance(film, bytes) else storage.read_bytes(film), self.settings.images
            ).pixels
            for film in films
        ]

    def close(self) -> None:
        """Stop the engine; a second call does nothing."""
        self._pool.shutdown()

    def __enter__(self) -> CheXOne:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def default_engine() -> EngineConfig:
    """A GPU engine where the cluster has a GPU, else one for the CPU build of vLLM."""
    import ray

    if ray.cluster_resources().get("GPU", 0) >= 1:
        return EngineConfig()
    return EngineConfig(num_gpus=0, dtype="float32", enforce_eager=True, threads=1, kv_cache_mb=512)


def _tokenizer(model: str) -> object:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(checkpoints.model_folder(model))
