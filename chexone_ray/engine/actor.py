"""What the two engine actors share: their state, their health, how they are started and how they
tell of a request that they could not answer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from chexone_ray import checkpoints
from chexone_ray.config import EngineConfig
from chexone_ray.records import Request, Rollout


class EngineActor:
    """One model with one version of weights at a time, and the number of sequences asked of it."""

    def __init__(self, config: EngineConfig, model_uri: str, version: int) -> None:
        self._config = config
        self._model_uri = model_uri
        self._version = version
        self._num_in_flight = 0

    async def health(self) -> dict[str, Any]:
        """Weight version, process id, node and requests in flight."""
        import ray

        return {
            "version": self._version,
            "pid": os.getpid(),
            "node_id": ray.get_runtime_context().get_node_id(),
            "in_flight": self._num_in_flight,
        }

    def _too_late(self, request: Request) -> Rollout:
        limit = self._config.request_timeout_s
        return Rollout(request.id, (), (), f"no answer within request_timeout_s={limit:g}")


def failed(request: Request, error: Exception) -> Rollout:
    """The rollout of a request that raised: what and why in one line."""
    told = " ".join(str(error).split())[:300]
    return Rollout(request.id, (), (), f"{type(error).__name__}: {told}")


def environment(config: EngineConfig, model_uri: str) -> dict[str, str]:
    """Variables of any engine's processes."""
    threads = config.threads or max(1, int(config.num_cpus))
    variables = {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    if not checkpoints.is_hub_name(model_uri):
        variables |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return variables


def launch(
    engine: type[EngineActor], config: EngineConfig, variables: Mapping[str, str], *arguments: Any
) -> Any:
    """Create the actor `engine(config, *arguments)` with its resources; returns its handle."""
    import ray

    return (
        ray.remote(engine)
        .options(
            num_cpus=config.num_cpus,
            num_gpus=config.num_gpus,
            max_restarts=0,
            max_task_retries=0,
            runtime_env={"env_vars": dict(variables)},
        )
        .remote(config, *arguments)
    )
