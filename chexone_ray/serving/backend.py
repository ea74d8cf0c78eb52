"""Ray Serve LLM's engine with our settings. Imports vLLM: only replicas import this module."""

from __future__ import annotations

from typing import Any

from ray.llm._internal.common.callbacks.base import CallbackBase
from ray.llm._internal.serve.engines.vllm.vllm_engine import VLLMEngine
from ray.serve.llm import LLMConfig
from ray.serve.llm.deployment import LLMServer

from chexone_ray.config import ImageConfig, ServeConfig
from chexone_ray.engine.engine import engine_arguments, environment
from chexone_ray.serving.resources import bundles


class FilesAreHere(CallbackBase):
    """The replica has fetched the model itself: no task that would import vLLM to fetch it."""

    async def on_before_node_init(self) -> None:
        """Called by the engine before it would send that task to every node."""
        self.ctx.run_init_node = False


class ChestEngine(VLLMEngine):
    """Ray Serve LLM's engine, on the CPU with vLLM's worker inside its core process.

    Ray Serve LLM asks for a worker process of its own there, which costs another import of torch
    and vLLM: half of the start on two cores. A lean engine does without, as in `engine.Engine`.
    """

    def _prepare_engine_config(self, callback_ctx: Any) -> Any:
        arguments, frontend, config = super()._prepare_engine_config(callback_ctx)
        if self.llm_config.experimental_configs.get("worker_in_core"):
            config.parallel_config.distributed_executor_backend = "uni"
        return arguments, frontend, config


class ChestServer(LLMServer):
    """Ray Serve LLM's server without its report of the model to a telemetry actor.

    That actor imports vLLM too, and what is served here is nobody else's business.
    """

    async def _start_engine(self) -> None:
        assert self.engine is not None
        await self.engine.start()


def llm_config(config: ServeConfig, folder: str) -> LLMConfig:
    """The same engine arguments as `engine.Engine`, in Ray Serve LLM's form.

    `folder` is the local folder of the model, or a hub name.
    """
    engine = config.engine
    arguments = engine_arguments(engine, config.images or ImageConfig(), folder)
    for name in ("model", "distributed_executor_backend", "weight_transfer_config"):
        del arguments[name]
    # The checkpoint's own sampling defaults (a repetition penalty, say) would make "greedy" differ
    # from the engine's; its end tokens apply in any case.
    arguments["generation_config"] = "vllm"
    return LLMConfig(
        model_loading_config={"model_id": config.model_name, "model_source": folder},
        engine_kwargs=arguments,
        placement_group_config={"bundles": bundles(engine), "strategy": "STRICT_PACK"},
        runtime_env={"env_vars": environment(engine, config.model_uri)},
        callback_config={"callback_class": FilesAreHere},
        experimental_configs={"worker_in_core": engine.lean and engine.num_gpus == 0},
        log_engine_metrics=False,
    )


def stop_tokens(folder: str) -> list[int]:
    """Image and video placeholders end an answer, as in `engine.Engine`."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    return [int(config.image_token_id), int(config.video_token_id)]
