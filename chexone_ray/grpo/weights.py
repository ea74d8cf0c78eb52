"""The trainable weights out of the trainer, whole, whatever the ZeRO stage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

_LAYER = re.compile(r"^(.*?\.(?:layers|blocks)\.\d+)\.")


def layer_groups(names: Iterable[str]) -> Iterator[list[str]]:
    """Parameter names by layer, in order; names outside any layer come one by one.

    ZeRO-3 gathers one group at a time, so that no rank ever holds more than a layer of copies.
    """
    for layer, members in groupby(names, lambda name: _layer(name)):
        if layer:
            yield list(members)
        else:
            yield from ([name] for name in members)


def trainable_weights(model: nn.Module, zero_stage: int, is_writer: bool) -> dict[str, Tensor]:
    """Name -> CPU copy of every parameter that is trained, on the writer; empty on other ranks.

    `model` is the bare module, not DeepSpeed's wrapper. Names are those of `named_parameters()`: a
    frozen tower is left out, and so is a tied head. With ZeRO-3 every rank must call it, since each
    layer group is gathered from all ranks; below that the writer holds whole parameters already.
    """
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if zero_stage < 3:
        return {name: _copy(p) for name, p in trained.items()} if is_writer else {}
    from deepspeed.zero import GatheredParameters

    state: dict[str, Tensor] = {}
    for names in layer_groups(trained):
        with GatheredParameters([trained[name] for name in names]):
            if is_writer:
                state.update({name: _copy(trained[name]) for name in names})
    return state


def _copy(parameter: Tensor) -> Tensor:
    return parameter.detach().to("cpu", copy=True)


def _layer(name: str) -> str:
    match = _LAYER.match(name)
    return match.group(1) if match else ""


def parts(state: dict[str, Tensor], max_bytes: int = 2**30) -> Iterator[dict[str, Tensor]]:
    """The weights in pieces of at most about `max_bytes`, each at least one tensor."""
    part: dict[str, Tensor] = {}
    size = 0
    for name, tensor in state.items():
        if part and size + tensor.nbytes > max_bytes:
            yield part
            part, size = {}, 0
        part[name] = tensor
        size += tensor.nbytes
    if part:
        yield part
