"""Rates by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from chexone_ray.config import OptimConfig
from chexone_ray.training import schedule


def test_one_cosine_cycle() -> None:
    config = OptimConfig(warmup_ratio=0.1, final_ratio=0.1)
    rates = [schedule.factor(step, config, 20) for step in range(21)]
    assert rates[:2] == [0.5, 1.0]
    assert rates[2] == pytest.approx(1.0)
    assert rates[11] == pytest.approx(0.1 + 0.9 * 0.5)  # half of the 18 steps after the warm-up
    assert rates[20] == pytest.approx(0.1)
    assert rates[2:] == sorted(rates[2:], reverse=True)


def test_two_cycles_restart_lower() -> None:
    config = OptimConfig(warmup_ratio=0.0, cycles=2, cycle_decay=0.5, final_ratio=0.1)
    assert schedule.factor(0, config, 100) == pytest.approx(1.0)
    assert schedule.factor(25, config, 100) == pytest.approx(0.55)
    assert schedule.factor(49, config, 100) == pytest.approx(0.1, abs=2e-3)
    assert schedule.factor(50, config, 100) == pytest.approx(0.5)
    assert schedule.factor(75, config, 100) == pytest.approx(0.3)
    assert schedule.factor(100, config, 100) == pytest.approx(0.1)


def test_linear_and_constant() -> None:
    linear = OptimConfig(warmup_ratio=0.2, schedule="linear", final_ratio=0.5)
    assert schedule.factor(0, linear, 10) == pytest.approx(0.5)
    assert schedule.factor(6, linear, 10) == pytest.approx(0.75)
    assert schedule.factor(10, linear, 10) == pytest.approx(0.5)
    constant = OptimConfig(warmup_ratio=0.0, schedule="constant")
    assert [schedule.factor(step, constant, 10) for step in (0, 9, 30)] == [1.0, 1.0, 1.0]


def test_vision_waits() -> None:
    config = OptimConfig(warmup_ratio=0.0, schedule="constant", vision_freeze_steps=3)
    assert [schedule.vision_factor(s, config, 10) for s in (0, 2, 3)] == [0.0, 0.0, 1.0]


def test_groups_by_rate_and_decay(model: Any) -> None:
    config = OptimConfig(lr=1e-2, vision_lr_scale=0.1, merger_lr_scale=0.5, weight_decay=0.2)
    groups = schedule.parameter_groups(model.named_parameters(), config)
    found = {(g["lr"], g["weight_decay"], g["vision"]): len(g["params"]) for g in groups}
    assert {key[0] for key in found} == {1e-2, 1e-3, 5e-3}
    assert sum(found.values()) == len(list(model.parameters()))
    # The merger: two matrices decay; two biases and a norm do not.
    assert found[(5e-3, 0.2, True)] == 2
    assert found[(5e-3, 0.0, True)] == 3


def test_a_frozen_tower_leaves_merger_and_language_model(model: Any) -> None:
    schedule.freeze(model, OptimConfig(vision_lr_scale=0.0))
    for name, parameter in model.named_parameters():
        tower = ".visual." in name and ".merger." not in name
        assert parameter.requires_grad != tower, name
    groups = schedule.parameter_groups(model.named_parameters(), OptimConfig())
    kept = {id(p) for g in groups for p in g["params"]}
    assert kept == {id(p) for p in model.parameters() if p.requires_grad}
    waiting = OptimConfig(vision_freeze_steps=2, schedule="constant", warmup_ratio=0.0)
    functions = schedule.lambdas(groups, waiting, 10)
    rates = {
        group["vision"]: function(1) for group, function in zip(groups, functions, strict=True)
    }
    assert rates[True] == 0.0 and rates[False] == 1.0
    assert isinstance(groups[0]["params"][0], torch.nn.Parameter)
