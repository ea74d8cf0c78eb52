"""Learning-rate factor by step, and the parameter groups that it applies to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from chexone_ray.config import OptimConfig


def factor(step: int, config: OptimConfig, max_steps: int) -> float:
    """Rate of optimizer step `step` (from 0) over the peak rate.

    Linear warm-up over warmup_ratio of the run that reaches the peak with its last step; after it
    `cycles` equal cosine cycles (or a linear fall, or a constant) down to final_ratio of the peak.
    Cycle number c starts at cycle_decay ** c and falls to final_ratio as well.
    """
    warmup = round(config.warmup_ratio * max_steps)
    if step < warmup:
        return (step + 1) / warmup
    if config.schedule == "constant":
        return 1.0
    span = max(1, max_steps - warmup)
    progress = min(1.0, (step - warmup) / span)
    if config.schedule == "linear":
        return 1.0 - (1.0 - config.final_ratio) * progress
    cycle = min(config.cycles - 1, int(progress * config.cycles))
    within = progress * config.cycles - cycle
    peak = config.cycle_decay**cycle
    low = min(config.final_ratio, peak)
    return low + (peak - low) * 0.5 * (1.0 + math.cos(math.pi * within))


def vision_factor(step: int, config: OptimConfig, max_steps: int) -> float:
    """The same for the vision parameters: 0 while they wait."""
    return 0.0 if step < config.vision_freeze_steps else factor(step, config, max_steps)


def is_vision(name: str) -> bool:
    """True for a parameter of the vision tower or of the merger behind it."""
    return ".visual." in f".{name}"


def is_merger(name: str) -> bool:
    """True for a parameter of the merger between vision tower and language model."""
    return ".visual.merger." in f".{name}"


def freeze(model: Any, config: OptimConfig) -> None:
    """Take the parameters whose rate scale is 0 out of training."""
    for name, parameter in model.named_parameters():
        if is_vision(name) and _scale(name, config) == 0:
            parameter.requires_grad_(False)


def _scale(name: str, config: OptimConfig) -> float:
    if not is_vision(name):
        return 1.0
    return config.merger_lr_scale if is_merger(name) else config.vision_lr_scale


def parameter_groups(named: Iterable[tuple[str, Any]], config: OptimConfig) -> list[dict[str, Any]]:
    """Optimizer groups by rate and decay, each with `lr`, `weight_decay` and `vision`; vision last.

    `named` are (name, parameter) pairs, frozen ones are left out. Matrices decay, biases and the
    scales of norms do not.
    """
    groups: dict[tuple[float, float, bool], dict[str, Any]] = {}
    for name, parameter in named:
        if not parameter.requires_grad:
            continue
        lr = config.lr * _scale(name, config)
        shape = getattr(parameter, "ds_shape", parameter.shape)  # ZeRO-3 empties the tensor itself
        decay = config.weight_decay if len(shape) > 1 else 0.0
        vision = is_vision(name)
        group = groups.setdefault(
            (lr, decay, vision), {"params": [], "lr": lr, "weight_decay": decay, "vision": vision}
        )
        group["params"].append(parameter)
    return sorted(groups.values(), key=lambda group: bool(group["vision"]))


def lambdas(
    groups: list[dict[str, Any]], config: OptimConfig, max_steps: int
) -> list[Callable[[int], float]]:
    """One factor function a group, for `torch.optim.lr_scheduler.LambdaLR`."""

    def of(group: dict[str, Any]) -> Callable[[int], float]:
        chosen = vision_factor if group.get("vision") else factor
        return lambda step: chosen(step, config, max_steps)

    return [of(group) for group in groups]
