"""The worker's end of a weight push. Imports vLLM: only vLLM's own processes import this module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import safe_open
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)
from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead
from vllm.model_executor.model_loader.reload import (
    finalize_layerwise_reload,
    initialize_layerwise_reload,
)


@dataclass
class InitInfo(WeightTransferInitInfo):
    """Nothing to agree on beforehand."""


@dataclass
class UpdateInfo(WeightTransferUpdateInfo):
    """Safetensors files on this node; together with those of other calls they are one update."""

    paths: list[str]


class ObjectStoreReceiver(WeightTransferEngine[InitInfo, UpdateInfo]):
    """Loads safetensors files into the running model, layer by layer.

    Consumes: files laid down by the engine actor. Produces: the model with the new weights.
    Waits for: nothing. Unblocked by: the calls of `AsyncLLM`, in the order start, update, finish,
    while generation is paused. On failure: raises, and the engine must be replaced, because part
    of the weights may be new.
    """

    init_info_cls = InitInfo
    update_info_cls = UpdateInfo

    def init_transfer_engine(self, init_info: InitInfo) -> None:
        """No connection to open."""

    def start_weight_update(self) -> None:
        """Give every layer back its checkpoint-shaped parameters (kernels keep packed ones)."""
        initialize_layerwise_reload(self.model)

    def update_weights(self, update_info: dict[str, Any]) -> None:
        """Load one part. The base class also synchronises an accelerator, which the CPU has not."""
        self.receive_weights(self.parse_update_info(update_info))
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()

    def receive_weights(self, update_info: UpdateInfo) -> None:
        """Stream the tensors of the files into the model's own weight loader."""
        self.model.load_weights(_tensors(update_info.paths))

    def finish_weight_update(self) -> None:
        """Pack the loaded layers for their kernels, and a tied head, which the reload misses.

        A tied `ParallelLMHead` shares its tensor with the embedding but computes from its own
        packed copy on the CPU. The reload sees no weight of its own loaded and keeps the old
        copy without an error, so it is packed again here; elsewhere the call has no effect.
        """
        finalize_layerwise_reload(self.model, self.model_config)
        for module in self.model.modules():
            if isinstance(module, ParallelLMHead):
                module.quant_method.process_weights_after_loading(module)

    def shutdown(self) -> None:
        """Nothing is held between updates."""


def _tensors(paths: list[str]) -> Iterator[tuple[str, torch.Tensor]]:
    for path in paths:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - safe_open is no mapping
                yield name, file.get_tensor(name)
