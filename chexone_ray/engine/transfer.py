"""Weights into a running vLLM engine through shared memory: both ends, without importing vLLM.

The sender packs named tensors into one uint8 array that travels through Ray's object store; the
engine actor lays the bytes down as a file in /dev/shm, since vLLM's worker processes are no Ray
clients; `receiver.ObjectStoreReceiver` maps that file in every worker and loads it.

`register` is an entry point of the group `vllm.general_plugins`: vLLM calls it in each of its
processes before a model is built.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chexone_ray.engine import lifetime
from chexone_ray.errors import WeightsLost

if TYPE_CHECKING:
    import numpy as np
    import torch
    from ray import ObjectRef

BACKEND = "object_store"


def register() -> None:
    """Make the backend known to this vLLM process; safe to call again."""
    from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory

    try:
        WeightTransferEngineFactory.register_engine(
            BACKEND, "chexone_ray.engine.receiver", "ObjectStoreReceiver"
        )
    except ValueError as error:
        if "already registered" not in str(error):
            raise
    lifetime.watch_parent()


def pack_state(
    tensors: Mapping[str, torch.Tensor] | Iterable[tuple[str, torch.Tensor]],
) -> np.ndarray:
    """Named tensors -> safetensors bytes as a uint8 array (N,), ready for `ray.put`.

    Names are those of `named_parameters()` of the Hugging Face model. Only what was trained has to
    be sent, but all parts of a layer that the engine fuses (q, k, v; gate, up) must go together.
    Tensors are copied to the CPU; a tied head is left out by `named_parameters()` and not needed.
    """
    import numpy as np
    from safetensors.torch import save

    state = {
        name: tensor.detach().to("cpu").contiguous()
        for name, tensor in (tensors.items() if isinstance(tensors, Mapping) else tensors)
    }
    return np.frombuffer(save(state), dtype=np.uint8)


async def fetched(references: Sequence[ObjectRef]) -> list[np.ndarray]:
    """The arrays behind the references, read in place; WeightsLost where their owner has died."""
    from ray.exceptions import OwnerDiedError

    try:
        return [await reference for reference in references]
    except OwnerDiedError as error:
        raise WeightsLost(
            "pushed weights are gone with the process that made them: publish them again"
        ) from error


@contextmanager
def laid_down(data: np.ndarray) -> Iterator[Path]:
    """The bytes as a file that other processes of this node can map; removed afterwards.

    In /dev/shm where it has room for them, otherwise in the temporary folder.
    """
    with lifetime.shared_file(_folder(int(data.nbytes))) as path:
        with path.open("wb") as file:
            file.write(data.data)
        yield path


def _folder(num_bytes: int) -> Path:
    shared = Path("/dev/shm")
    if shared.is_dir():
        room = os.statvfs(shared)
        if room.f_bavail * room.f_frsize > num_bytes * 1.1:
            return shared
    return Path(tempfile.gettempdir())


def update_info(paths: Iterable[Path]) -> dict[str, Any]:
    """What `AsyncLLM.update_weights` carries to the receiver: safetensors files of this node."""
    return {"paths": [str(path) for path in paths]}
