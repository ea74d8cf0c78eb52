"""Samples -> rows of answers, for one adapter over engines or an endpoint.

`prepared` is the one place where samples become what is asked: turns, films and their geometry.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints, prompts, runtime
from chexone_ray.boxes import Geometry
from chexone_ray.config import PredictConfig
from chexone_ray.endpoints.chat_client import NOT_ASKED, Asked, Chat, ChatClient
from chexone_ray.engine import transformers_engine
from chexone_ray.engine.lease import leased_pool
from chexone_ray.engine.requests import SAMPLES_PER_TASK, load_shared
from chexone_ray.errors import ImageError
from chexone_ray.records import Completion, Request, Rollout, Sample, sample_to_row
from chexone_ray.systems import asking, reading, sight
from chexone_ray.systems.adapter import Adapter, Posed, posed
from chexone_ray.systems.table import ADAPTERS

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

Row = dict[str, Any]
Keep = Callable[[list[Row]], None]
"""Called with the rows of all samples asked about, those without an answer yet with an error."""
Answerer = Callable[[Sequence[Sample], Keep], list[Row]]
"""Samples -> their rows in order, one a completion; several threads may call it. What an endpoint
answers is paid for: it is told to keep it every now and then, and before an error is raised."""

SAVE_EVERY_S = 5.0
"""How many seconds of an endpoint's answers a killed run may lose."""


@dataclass(frozen=True)
class Prepared:
    """One sample as it is asked."""

    sample: Sample
    posed: Posed
    turns: list[dict[str, Any]]
    films: tuple[bytes, ...]
    """PNG, as the model gets them."""
    geometry: Geometry | None
    """Of the first film, in which the answer's boxes count; None without films."""


@contextmanager
def answerer(
    config: PredictConfig, pool: EnginePool | None, num_samples: int
) -> Iterator[Answerer]:
    """What `config`, once settled, answers with; engines and connections end with the block.

    A given `pool` gets the checkpoint loaded and stays up.
    """
    adapter = ADAPTERS[config.adapter]
    if config.endpoint is not None:
        sampling = config.sampling.seeded(config.seed)
        with ChatClient(config.endpoint, sampling) as client, _stopping() as stopped:
            # A wrong address or key is told first: to start Ray takes seconds.
            if min(config.rows_per_part, num_samples) > SAMPLES_PER_TASK:
                runtime.join(config.ray)  # its tasks decode the films of larger parts
            yield _by_endpoint(config, adapter, client, stopped)
        return
    with engines(config, pool) as found, _stopping() as stopped:
        yield _by_engines(config, adapter, found, stopped)


@contextmanager
def engines(config: PredictConfig, pool: EnginePool | None = None) -> Iterator[EnginePool]:
    """`pool`, or one of the engines that the adapter of `config`, once settled, needs."""
    adapter = ADAPTERS[config.adapter]
    own: dict[str, Any] = {}
    if adapter.runner == "transformers":
        own["factory"] = transformers_engine.factory(config.engine, config.images, adapter.protocol)
        own["policy"] = transformers_engine.policy(config.engine)
    with leased_pool(config, pool, **own) as found:
        yield found


def engines_key(config: PredictConfig) -> tuple[str, ...]:
    """Equal for settled configs whose answers can be had of the same pool."""
    adapter = ADAPTERS[config.adapter]
    told = [part.model_dump_json() for part in (config.engine, config.images, config.ray)]
    runner = "endpoint" if config.endpoint is not None else adapter.runner
    return (runner, adapter.protocol, str(config.model_uri), *told)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Set at the end of the block: nobody wants the images that other threads may wait for."""
    stopped = threading.Event()
    try:
        yield stopped
    finally:
        stopped.set()


def prepared(
    config: PredictConfig, adapter: Adapter, samples: Sequence[Sample], stopped: threading.Event
) -> list[Prepared | ImageError]:
    """Each sample as it is asked, in order, or why its images cannot be used: a question is never
    asked with fewer films than it has."""
    made: list[Prepared | ImageError] = []
    for sample, pngs in zip(samples, load_shared(samples, config.images, stopped), strict=True):
        if isinstance(pngs, ImageError):
            made.append(pngs)
            continue
        told = posed(sample)
        seen = sight.geometry(adapter, sample.images, pngs)
        turns = asking.turns(adapter, told, config.prompts, seen)
        made.append(Prepared(sample, told, turns, sight.sent(adapter, pngs), seen))
    return made


def _by_engines(
    config: PredictConfig, adapter: Adapter, pool: EnginePool, stopped: threading.Event
) -> Answerer:
    render = _renderer(config, adapter)
    sampling = config.sampling.seeded(config.seed)

    def answer(samples: Sequence[Sample], _: Keep) -> list[Row]:
        made = prepared(config, adapter, samples, stopped)
        asked = [
            Request(one.sample.id, render(one), one.films)
            for one in made
            if isinstance(one, Prepared)
        ]
        rollouts = iter(pool.generate(asked, sampling))
        return [
            row
            for sample, one in zip(samples, made, strict=True)
            for row in (
                [failed_row(sample, f"image: {one.reason}")]
                if isinstance(one, ImageError)
                else rows_of(adapter, one, next(rollouts))
            )
        ]

    return answer


def _renderer(config: PredictConfig, adapter: Adapter) -> Callable[[Prepared], str]:
    """What becomes of the turns in a request of an engine."""
    if adapter.protocol != "chat":
        return lambda one: asking.own_prompt(adapter, one.posed, config.prompts)
    from transformers import AutoProcessor, AutoTokenizer

    # Of some models the processor alone has the chat template.
    kind: Any = AutoProcessor if adapter.runner == "transformers" else AutoTokenizer
    tokenizer = kind.from_pretrained(checkpoints.model_folder(config.model_uri))
    return lambda one: prompts.render(tokenizer, one.turns)


def _by_endpoint(
    config: PredictConfig, adapter: Adapter, client: ChatClient, stopped: threading.Event
) -> Answerer:
    def answer(samples: Sequence[Sample], keep: Keep) -> list[Row]:
        made = prepared(config, adapter, samples, stopped)
        places = [place for place, one in enumerate(made) if isinstance(one, Prepared)]
        chats = [
            Chat(one.sample.id, one.turns, one.films) for one in made if isinstance(one, Prepared)
        ]
        answers: dict[int, Asked] = {}
        saved = time.monotonic()

        def told(number: int, asked: Asked) -> None:
            nonlocal saved
            answers[places[number]] = asked
            if time.monotonic() - saved >= SAVE_EVERY_S:
                keep(rows(samples, made, answers))
                saved = time.monotonic()

        try:
            client.ask(chats, told)
        finally:
            if answers or not chats:
                keep(rows(samples, made, answers))
        return rows(samples, made, answers)

    def rows(
        samples: Sequence[Sample],
        made: Sequence[Prepared | ImageError],
        answers: Mapping[int, Asked],
    ) -> list[Row]:
        return [
            row
            for place, (sample, one) in enumerate(zip(samples, made, strict=True))
            for row in (
                [failed_row(sample, f"image: {one.reason}")]
                if isinstance(one, ImageError)
                else _asked_rows(adapter, one, answers.get(place, Asked((), error=NOT_ASKED)))
            )
        ]

    return answer


def rows_of(adapter: Adapter, one: Prepared, rollout: Rollout) -> list[Row]:
    """The rows of what an engine answered; an error is a row of its own, never an answer."""
    if rollout.error or not rollout.completions:
        return [failed_row(one.sample, f"engine: {rollout.error or 'no completion'}")]
    size = len(rollout.prompt_token_ids)
    return [
        completed_row(one.sample, number, completion, adapter, one.geometry, size)
        for number, completion in enumerate(rollout.completions)
    ]


def _asked_rows(adapter: Adapter, one: Prepared, asked: Asked) -> list[Row]:
    if asked.error:
        paid = {"num_prompt_tokens": asked.prompt_tokens, "num_tokens": asked.completion_tokens}
        return [failed_row(one.sample, asked.error) | paid]
    # The endpoint counts all texts of a request together.
    share, rest = divmod(asked.completion_tokens, len(asked.texts))
    rows = []
    for number, (text, reason) in enumerate(zip(asked.texts, asked.finish_reasons, strict=True)):
        said = Completion(text, (), (), reason, 0)
        row = completed_row(one.sample, number, said, adapter, one.geometry, asked.prompt_tokens)
        rows.append(row | {"num_tokens": share + (number < rest)})
    return rows


def completed_row(
    sample: Sample,
    number: int,
    completion: Completion,
    adapter: Adapter = ADAPTERS["chexone"],
    geometry: Geometry | None = None,
    num_prompt_tokens: int = 0,
) -> Row:
    """One completion as a row; `predicted_answer` is null and `parsed` false without an answer."""
    found = reading.read(adapter, posed(sample), completion.text, geometry)
    logprobs = completion.logprobs
    return sample_to_row(sample) | {
        "completion": number,
        "text": completion.text,
        "predicted_reasoning": found.reasoning,
        "predicted_answer": found.answer,
        "parsed": found.answer is not None,
        "finish_reason": completion.finish_reason,
        "num_tokens": len(completion.token_ids),
        "num_prompt_tokens": num_prompt_tokens,
        "mean_logprob": sum(logprobs) / len(logprobs) if logprobs else None,
        "error": "",
    }


def failed_row(sample: Sample, error: str, number: int = 0) -> Row:
    """A sample without an answer, and why; `number` is the completion that failed."""
    return sample_to_row(sample) | {
        "completion": number,
        "text": "",
        "predicted_reasoning": "",
        "predicted_answer": None,
        "parsed": False,
        "finish_reason": "error",
        "num_tokens": 0,
        "num_prompt_tokens": 0,
        "mean_logprob": None,
        "error": error,
    }
