"""One transformers model as a Ray actor, for what the vLLM engine does not take.

The same requests and rollouts as `engine.Engine`, so that the pool treats both alike. Slower: a
batch runs until its longest answer is done. Imports torch and transformers only in the actor.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from chexone_ray import checkpoints
from chexone_ray.config import EngineConfig, ImageConfig, SamplingConfig
from chexone_ray.engine import actor
from chexone_ray.engine.engine import request_seed
from chexone_ray.engine.handle import Factory, RayEngine
from chexone_ray.engine.scaling import PoolPolicy
from chexone_ray.engine.speech import Protocol, Speech, speech_of
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Completion, Request, Rollout

logger = logging.getLogger(__name__)


class TransformersEngine(actor.EngineActor):
    """One model with transformers' own `generate`; run as a Ray actor by `launch`.

    Consumes: requests. Produces: rollouts in their order; `logprobs` are left empty, since the
    scores of a large vocabulary would not fit beside the model. Waits for: the batch before, then
    its own, which ends after `request_timeout_s`. Unblocked by: the model.
    On failure: a batch that raises is run again request by request, and one that raises alone is a
    `Rollout` with an error; a device that has failed raises, and the pool replaces the actor.
    """

    def __init__(
        self, config: EngineConfig, model_uri: str, protocol: Protocol, version: int = 0
    ) -> None:
        super().__init__(config, model_uri, version)
        self._protocol = protocol
        self._lock = asyncio.Lock()
        self._speech: Speech
        self._model: Any = None

    async def start(self) -> dict[str, Any]:
        """Load the model and return `health()`. Raises ChexoneError for a bad model or setting."""
        started = time.monotonic()
        if self._config.tensor_parallel > 1:
            raise ChexoneError(
                f"engine.tensor_parallel={self._config.tensor_parallel} has no effect with this "
                "model, which transformers runs: set it to 1"
            )
        await asyncio.to_thread(self._load, self._model_uri)
        return await self.health() | {
            "import_s": 0.0,
            "load_s": round(time.monotonic() - started, 1),
        }

    async def generate(
        self, requests: Sequence[Request], sampling: SamplingConfig
    ) -> list[Rollout]:
        """`sampling.n` completions of each request, `max_num_seqs` sequences at a time."""
        size = max(1, self._config.max_num_seqs // sampling.n)
        if sampling.temperature > 0 and sampling.seed is not None:
            size = 1  # the draws of a batch share one generator: alone, order does not matter
        rollouts: list[Rollout] = []
        self._num_in_flight += len(requests) * sampling.n
        try:
            async with self._lock:
                for start in range(0, len(requests), size):
                    batch = requests[start : start + size]
                    rollouts += await asyncio.to_thread(self._batch, batch, sampling)
        finally:
            self._num_in_flight -= len(requests) * sampling.n
        return rollouts

    async def update_weights(self, weights: Sequence[Any], version: int) -> None:
        """Not for these engines: nobody trains what they run."""
        raise ChexoneError("an engine of transformers takes no pushed weights: use one of vLLM")

    async def load_checkpoint(self, uri: str, version: int) -> None:
        """Load another checkpoint of the same family; call its weights `version`."""
        async with self._lock:
            await asyncio.to_thread(self._load, uri)
            self._version = version

    async def shutdown(self) -> None:
        """Nothing outlives the actor."""
        self._model = None

    def _load(self, uri: str) -> None:
        import torch
        from transformers import GenerationConfig

        self._model = None  # before the next one: both may not fit
        if self._config.threads:
            torch.set_num_threads(self._config.threads)
        folder = checkpoints.model_folder(uri)
        dtype = self._config.dtype
        self._speech, model = speech_of(
            self._protocol, folder, dtype if dtype == "auto" else getattr(torch, dtype)
        )
        self._device = "cuda" if self._config.num_gpus > 0 else "cpu"
        self._model = model.to(self._device).eval()
        theirs = model.generation_config
        stops = theirs.eos_token_id
        if stops is None:
            stops = self._speech.tokenizer.eos_token_id
        self._stops = {int(s) for s in (stops if isinstance(stops, (list, tuple)) else [stops])}
        padding = self._speech.tokenizer.pad_token_id
        # A checkpoint's own temperature or repetition penalty would act where none is asked for.
        self._model.generation_config = GenerationConfig(
            eos_token_id=sorted(self._stops),
            pad_token_id=min(self._stops) if padding is None else int(padding),
            bos_token_id=theirs.bos_token_id,
        )

    def _batch(self, batch: Sequence[Request], sampling: SamplingConfig) -> list[Rollout]:
        """One rollout a request; where the batch raises, each is tried alone."""
        import torch

        try:
            return self._answered(batch, sampling)
        except torch.AcceleratorError:
            raise
        except Exception as error:  # whatever a model's own code raises; the pool counts the rows
            if len(batch) == 1:
                return [actor.failed(batch[0], error)]
        return [rollout for one in batch for rollout in self._batch([one], sampling)]

    def _answered(self, batch: Sequence[Request], sampling: SamplingConfig) -> list[Rollout]:
        """`batch` in one call of `generate`. All rows are padded on the left to one length, so the
        new tokens of every row begin there, whatever padding it has."""
        import torch

        for request in batch:
            if len(request.images) > self._config.max_images:
                raise ChexoneError(
                    f"{len(request.images)} images are above engine.max_images="
                    f"{self._config.max_images}: raise it"
                )
        inputs = self._speech.inputs(batch).to(self._device)
        prompts, mask = inputs["input_ids"], inputs.get("attention_mask")
        length = int(prompts.shape[1])
        if length + sampling.max_tokens > self._config.max_model_len:
            raise ChexoneError(
                f"prompt of {length} and sampling.max_tokens={sampling.max_tokens} tokens are "
                f"above engine.max_model_len={self._config.max_model_len}: raise it"
            )
        for name, value in inputs.items():
            if torch.is_tensor(value) and value.is_floating_point():
                inputs[name] = value.to(self._model.dtype)
        devices = [self._device] if self._device != "cpu" else []
        started = time.monotonic()
        with torch.inference_mode(), torch.random.fork_rng(devices=devices):
            if sampling.seed is not None:
                torch.manual_seed(request_seed(sampling.seed, batch[0].id))
            ids = self._model.generate(**inputs, **self._arguments(sampling))
        late = time.monotonic() - started >= self._config.request_timeout_s
        rows = ids[:, length:].tolist()
        rollouts = []
        for number, request in enumerate(batch):
            asked = prompts[number] if mask is None else prompts[number][mask[number].bool()]
            new = rows[number * sampling.n : (number + 1) * sampling.n]
            found = tuple(self._completion(row, sampling.max_tokens) for row in new)
            if late and any(one.finish_reason == "time" for one in found):
                rollouts.append(self._too_late(request))
            else:
                rollouts.append(Rollout(request.id, tuple(asked.tolist()), found))
        return rollouts

    def _arguments(self, sampling: SamplingConfig) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "max_new_tokens": sampling.max_tokens,
            "repetition_penalty": sampling.repetition_penalty,
            "max_time": self._config.request_timeout_s,
            "do_sample": sampling.temperature > 0,
        }
        if sampling.temperature > 0:
            arguments |= {
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k,
                "num_return_sequences": sampling.n,
            }
        return arguments

    def _completion(self, row: Sequence[int], most: int) -> Completion:
        """The new tokens of a row up to its first stop; what follows pads it to its neighbours."""
        end = next((at for at, token in enumerate(row) if token in self._stops), None)
        ids = tuple(row if end is None else row[: end + 1])
        text = self._speech.text(ids if end is None else ids[:-1])
        reason = "stop" if end is not None else "length" if len(ids) >= most else "time"
        return Completion(text, ids, (), reason, self._version)


def launch(config: EngineConfig, model_uri: str, protocol: Protocol, version: int) -> Any:
    """Create the actor (not started yet) with its resources and environment; returns its handle."""
    variables = actor.environment(config, model_uri)
    return actor.launch(TransformersEngine, config, variables, model_uri, protocol, version)


def factory(config: EngineConfig, images: ImageConfig, protocol: Protocol) -> Factory:
    """Engines of transformers for an `EnginePool`."""
    return lambda uri, version: RayEngine(
        config, uri, images, version, launch(config, uri, protocol, version)
    )


def policy(config: EngineConfig) -> PoolPolicy:
    """A call is one batch, and no more than one waits behind it: they run one after the other."""
    return PoolPolicy(batch_size=config.max_num_seqs, depth=2.0)
