"""Who writes traces: the engines of a pool, or an OpenAI-compatible endpoint.

A teacher is asked with questions that hold reference text. Nothing of that, and no key, is logged
or put into an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from chexone_ray import prompts, runtime
from chexone_ray.config import PromptConfig, TraceConfig
from chexone_ray.data.traces import teacher_prompt
from chexone_ray.endpoints.chat_client import Asked, Chat, ChatClient, Told
from chexone_ray.engine.lease import leased_pool
from chexone_ray.engine.requests import SAMPLES_PER_TASK, RequestMaker, load_shared
from chexone_ray.errors import ImageError
from chexone_ray.records import Rollout, Sample

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

Teacher = Callable[[Sequence[Sample], Told], None]
"""Asks about all samples and returns once it has told of each. Several threads may call it."""


@contextmanager
def teacher_of(config: TraceConfig, pool: EnginePool | None) -> Iterator[Teacher]:
    """The teacher that the settings name; engines and connections end with the block.

    A given `pool` gets the checkpoint loaded and stays up.
    """
    if config.endpoint is not None:
        with ChatClient(config.endpoint, config.sampling.seeded(config.seed)) as client:
            # A wrong address or key is told first: to start Ray takes seconds.
            if config.rows_per_part > SAMPLES_PER_TASK:  # its tasks decode films of larger parts
                runtime.join(config.ray)
            yield _endpoint(config, client)
        return
    assert config.model_uri is not None
    with (
        leased_pool(config, pool) as engines,
        closing(RequestMaker(config.model_uri, config.images, _wording(config))) as maker,
    ):
        yield _engines(config, engines, maker)


def _wording(config: TraceConfig) -> PromptConfig:
    """The teacher's prompt is complete in itself: no suffix."""
    return PromptConfig(system=config.system, suffix="")


def _engines(config: TraceConfig, pool: EnginePool, maker: RequestMaker) -> Teacher:
    sampling = config.sampling.seeded(config.seed)

    def ask(samples: Sequence[Sample], told: Told) -> None:
        posed = [
            replace(sample, question=teacher_prompt(sample, config.style)) for sample in samples
        ]
        made = maker.make(posed, "instruct")
        places = []
        for place, request in enumerate(made):
            if isinstance(request, ImageError):
                told(place, Asked((), error=f"image: {request.reason}"))
            else:
                places.append(place)
        good = [request for request in made if not isinstance(request, ImageError)]
        pool.generate(good, sampling, lambda i, rollout: told(places[i], _of_rollout(rollout)))

    return ask


def _of_rollout(rollout: Rollout) -> Asked:
    if rollout.error or not rollout.completions:
        return Asked((), error=f"engine: {rollout.error or 'no completion'}")
    return Asked(
        tuple(completion.text for completion in rollout.completions),
        len(rollout.prompt_token_ids),
        sum(len(completion.token_ids) for completion in rollout.completions),
    )


def _endpoint(config: TraceConfig, client: ChatClient) -> Teacher:
    def ask(samples: Sequence[Sample], told: Told) -> None:
        chats, places = [], []
        for place, (sample, pngs) in enumerate(
            zip(samples, load_shared(samples, config.images), strict=True)
        ):
            if isinstance(pngs, ImageError):
                told(place, Asked((), error=f"image: {pngs.reason}"))
                continue
            question = teacher_prompt(sample, config.style)
            turns = prompts.messages(question, len(pngs), "instruct", _wording(config))
            chats.append(Chat(sample.id, turns, pngs))
            places.append(place)
        client.ask(chats, lambda number, asked: told(places[number], asked))

    return ask
