"""One vLLM engine as a Ray actor: prompts and pixels become completions in this one place.

Filtering, rollouts, batch prediction and library use all go through `Engine`. Imports vLLM and
torch only inside the methods that run in the actor.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints
from chexone_ray.config import EngineConfig, ImageConfig, SamplingConfig
from chexone_ray.engine import actor, lifetime, transfer
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Completion, Request, Rollout

if TYPE_CHECKING:
    from ray import ObjectRef

logger = logging.getLogger(__name__)

IMAGE_TOKEN = "image_token"
"""Finish reason of a completion that ended because the model wrote an image placeholder."""
MIN_STEP_TOKENS = 2048
CPU_CACHE_MB = 1024
SHUTDOWN_S = 20.0
DRAIN_MARGIN_S = 60.0


def environment(config: EngineConfig, model_uri: str) -> dict[str, str]:
    """Variables of the engine's processes; vLLM reads part of its settings from nowhere else."""
    variables = actor.environment(config, model_uri) | {
        "TQDM_DISABLE": "1",
        "PYTHONWARNINGS": "ignore",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    if config.num_gpus == 0:
        # Without "nobind" every engine pins its threads to the same last core of the machine.
        variables["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
    if config.lean:
        variables["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    return variables


def engine_arguments(config: EngineConfig, images: ImageConfig, model: str) -> dict[str, Any]:
    """Keyword arguments of vLLM's `AsyncEngineArgs` for a local folder or hub name `model`."""
    if config.num_gpus and config.tensor_parallel > config.num_gpus:
        raise ChexoneError(
            f"engine.tensor_parallel={config.tensor_parallel} is above "
            f"engine.num_gpus={config.num_gpus}: raise num_gpus to the same number"
        )
    arguments: dict[str, Any] = {
        "model": model,
        "dtype": config.dtype,
        "seed": 0,
        "max_model_len": config.max_model_len,
        "max_num_seqs": config.max_num_seqs,
        "tensor_parallel_size": config.tensor_parallel,
        "distributed_executor_backend": "mp" if config.tensor_parallel > 1 else "uni",
        "gpu_memory_utilization": config.gpu_memory_utilization,
        "enforce_eager": config.enforce_eager,
        "enable_prefix_caching": config.prefix_caching,
        "limit_mm_per_prompt": {"image": config.max_images, "video": 0},
        # Images arrive resized: the same limits here keep the processor from resizing them again.
        "mm_processor_kwargs": {"min_pixels": images.min_pixels, "max_pixels": images.max_pixels},
        "mm_processor_cache_gb": 1,
        "logprobs_mode": "processed_logprobs",
        "weight_transfer_config": {"backend": transfer.BACKEND},
        "disable_log_stats": True,
        "enable_log_requests": False,
    }
    step_tokens, cache_mb = config.max_num_batched_tokens, config.kv_cache_mb
    if config.num_gpus == 0:
        # A seeded request whose prompt is split over steps ends vLLM's CPU worker (it rewinds the
        # generator by an offset that CPU generators lack), so a step must hold a whole prompt.
        arguments["enable_chunked_prefill"] = False
        step_tokens = max(step_tokens or 0, config.max_model_len, MIN_STEP_TOKENS)
        # vLLM's own choice is a share of all memory, which two engines cannot both have.
        cache_mb = cache_mb or CPU_CACHE_MB
    if step_tokens is not None:
        arguments["max_num_batched_tokens"] = step_tokens
    if cache_mb is not None:
        # With the size given there is nothing to measure by a run on the largest images.
        arguments["kv_cache_memory_bytes"] = cache_mb * 2**20
        arguments["skip_mm_profiling"] = True
    return arguments


def request_seed(seed: int, request_id: str) -> int:
    """A seed of 48 bits for one request: results depend neither on order nor on the engine.

    vLLM gives sample i of a request this number plus i.
    """
    digest = hashlib.sha256(f"{seed}:{request_id}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


class Engine(actor.EngineActor):
    """One vLLM engine with one version of weights at a time; run as a Ray actor by `launch`.

    Consumes: requests, and weights as object references or checkpoint URIs. Produces: rollouts in
    the order of the requests. Waits for: vLLM, at most `request_timeout_s` a request; before new
    weights for the requests in flight. Unblocked by: vLLM's output stream.
    On failure: a request that vLLM refuses, or that takes too long, is a `Rollout` with an error;
    a dead vLLM core or a failed weight update raises, and the pool then replaces the actor.
    """

    def __init__(
        self, config: EngineConfig, model_uri: str, images: ImageConfig, version: int = 0
    ) -> None:
        super().__init__(config, model_uri, version)
        self._images = images
        self._update_lock = asyncio.Lock()
        self._calls = 0
        self._llm: Any = None

    async def start(self) -> dict[str, Any]:
        """Load the model and return `health()`. Raises ChexoneError for a bad model or setting."""
        started = time.monotonic()
        os.environ[lifetime.WATCH] = str(os.getpid())
        lifetime.sweep()
        from transformers import AutoTokenizer
        from vllm.distributed.weight_transfer.base import WeightTransferInitRequest
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        imported = time.monotonic()
        folder = checkpoints.model_folder(self._model_uri)
        arguments = AsyncEngineArgs(**engine_arguments(self._config, self._images, folder))
        self._llm = AsyncLLM.from_engine_args(arguments)
        await self._llm.init_weight_transfer_engine(WeightTransferInitRequest(init_info={}))
        await self._llm.update_weight_version(str(self._version))
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        model = self._llm.model_config.hf_config
        self._image_token = int(model.image_token_id)
        self._stop_tokens = [self._image_token, int(model.video_token_id)]
        lifetime.note_segments()
        done = time.monotonic()
        return await self.health() | {
            "import_s": round(imported - started, 1),
            "load_s": round(done - imported, 1),
        }

    async def generate(
        self, requests: Sequence[Request], sampling: SamplingConfig
    ) -> list[Rollout]:
        """`sampling.n` completions of each request. Raises where vLLM itself is dead."""
        return list(await asyncio.gather(*(self._generate(r, sampling) for r in requests)))

    async def update_weights(self, weights: Sequence[ObjectRef], version: int) -> None:
        """Load safetensors bytes (uint8 arrays) into the running model; call the result `version`.

        All of them are here before generation is paused: raises WeightsLost, with nothing changed,
        where their owner has died.
        """
        from vllm.distributed.weight_transfer.base import WeightTransferUpdateRequest

        parts = await transfer.fetched(weights)
        async with self._updating(version):
            for data in parts:
                with transfer.laid_down(data) as path:
                    info = transfer.update_info([path])
                    await self._llm.update_weights(WeightTransferUpdateRequest(update_info=info))

    async def load_checkpoint(self, uri: str, version: int) -> None:
        """Load the weights of another checkpoint of the same architecture; call them `version`."""
        from vllm.distributed.weight_transfer.base import WeightTransferUpdateRequest

        folder = await asyncio.to_thread(_checkpoint_folder, uri)
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise ChexoneError(f"{uri} holds no .safetensors file: give a Hugging Face checkpoint")
        async with self._updating(version):
            info = transfer.update_info(files)
            await self._llm.update_weights(WeightTransferUpdateRequest(update_info=info))

    async def health(self) -> dict[str, Any]:
        """Weight version, process id, node and requests in flight. Raises if vLLM is dead."""
        await self._llm.check_health()
        return await super().health()

    async def shutdown(self) -> None:
        """Stop vLLM's processes and free its shared memory; the actor itself ends afterwards."""
        if self._llm is not None:
            self._llm.shutdown(timeout=SHUTDOWN_S)
            lifetime.forget_segments()
            self._llm = None

    async def _generate(self, request: Request, sampling: SamplingConfig) -> Rollout:
        self._num_in_flight += sampling.n
        try:
            return await self._ask(request, sampling)
        finally:
            self._num_in_flight -= sampling.n

    async def _ask(self, request: Request, sampling: SamplingConfig) -> Rollout:
        from vllm.exceptions import VLLMClientError

        self._calls += 1
        # vLLM wants ids that are unique among running requests; a retry may overlap. It logs them,
        # and a request's own id may hold a patient's number.
        call_id = str(self._calls)
        output: Any = None
        try:
            prompt: dict[str, Any] = {"prompt_token_ids": self._token_ids(request)}
            if request.images:
                pictures = await asyncio.to_thread(_pictures, request.images)
                prompt["multi_modal_data"] = {"image": pictures}
            parameters = self._parameters(request, sampling)
            async with asyncio.timeout(self._config.request_timeout_s):
                async for latest in self._llm.generate(prompt, parameters, call_id):
                    output = latest
        except TimeoutError:
            return self._too_late(request)
        except (ChexoneError, VLLMClientError, ValueError) as error:
            return actor.failed(request, error)
        if output is None or not output.finished:
            return Rollout(request.id, (), (), "the engine ended the request without an answer")
        completions = sorted(output.outputs, key=lambda one: one.index)
        return Rollout(
            request.id,
            tuple(output.prompt_token_ids),
            tuple(self._completion(one) for one in completions),
        )

    def _token_ids(self, request: Request) -> list[int]:
        """The prompt with one unexpanded placeholder an image: vLLM expands them itself."""
        ids: list[int] = self._tokenizer.encode(request.prompt, add_special_tokens=False)
        places = ids.count(self._image_token)
        if places != len(request.images):
            raise ChexoneError(
                f"prompt has {places} image placeholders for {len(request.images)} images"
            )
        return ids

    def _parameters(self, request: Request, sampling: SamplingConfig) -> Any:
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        seed = None if sampling.seed is None else request_seed(sampling.seed, request.id)
        return SamplingParams(
            n=sampling.n,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            repetition_penalty=sampling.repetition_penalty,
            max_tokens=sampling.max_tokens,
            seed=seed,
            logprobs=0,
            # An image placeholder in a completion would break a trainer's forward pass. Forbidding
            # it would change all probabilities, so it ends the completion and is cut off instead.
            stop_token_ids=self._stop_tokens,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _completion(self, output: Any) -> Completion:
        ids = tuple(int(token) for token in output.token_ids)
        logprobs = tuple(
            float(choices[token].logprob)
            for token, choices in zip(ids, output.logprobs or (), strict=True)
        )
        reason = output.finish_reason or ""
        if ids and ids[-1] in self._stop_tokens:
            ids, logprobs, reason = ids[:-1], logprobs[:-1], IMAGE_TOKEN
        versions = [int(span.version) for span in output.weight_versions or ()]
        # Updates drain first, so there is one version; the oldest is the safe one to report.
        return Completion(output.text, ids, logprobs, reason, min(versions, default=self._version))

    @asynccontextmanager
    async def _updating(self, version: int) -> AsyncIterator[None]:
        """Drain, clear every cache, open the update; afterwards stamp the version and go on.

        After a failure generation stays paused: the weights are partly old and partly new.
        """
        async with self._update_lock:
            async with asyncio.timeout(self._config.request_timeout_s + DRAIN_MARGIN_S):
                # "keep" with cleared caches kills the core while images are in flight.
                await self._llm.pause_generation(mode="wait", clear_cache=True)
            await self._llm.start_weight_update()
            yield
            await self._llm.finish_weight_update(weight_version=str(version))
            self._version = version
            await self._llm.resume_generation()


def launch(config: EngineConfig, model_uri: str, images: ImageConfig, version: int = 0) -> Any:
    """Create the actor (not started yet) with its resources and environment; returns its handle."""
    variables = environment(config, model_uri)
    return actor.launch(Engine, config, variables, model_uri, images, version)


def _checkpoint_folder(uri: str) -> Path:
    folder = checkpoints.model_folder(uri)
    if checkpoints.is_hub_name(folder):
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(folder))
    return Path(folder)


def _pictures(pngs: Sequence[bytes]) -> list[Any]:
    from PIL import Image

    try:
        return [Image.open(io.BytesIO(png)).convert("RGB") for png in pngs]
    except (OSError, SyntaxError, ValueError) as error:  # all three are what PIL raises
        raise ChexoneError("an image of the request is no readable PNG") from error
