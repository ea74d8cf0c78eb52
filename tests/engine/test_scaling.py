"""Growth and shrinkage, step by step with a clock of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chexone_ray import variance
from chexone_ray.config import FilterConfig, PredictConfig, ProbeConfig, TraceConfig, loader
from chexone_ray.engine.scaling import (
    Load,
    PoolPolicy,
    Scaler,
    load,
    parts_in_flight,
    spare,
)
from chexone_ray.engine.work import Member
from chexone_ray.probing import run as probe_run

CONFIGS = Path(__file__).parents[2] / "jobs" / "configs"

STAGES = ("predict", "filter", "trace", "probe")

POLICY = PoolPolicy(grow_backlog=1.0, grow_after_s=10, idle_s=60)


def scaler(low: int = 1, high: int = 3) -> Scaler:
    return Scaler(POLICY, low, high, max_num_seqs=8)


def test_grows_after_lasting_pressure_only() -> None:
    subject = scaler()
    busy = Load(waiting=9, ready=1, starting=0)
    assert subject.step(0, busy) == 0
    assert subject.step(9.9, busy) == 0
    assert subject.step(10, busy) == 1


def test_a_pause_in_the_pressure_starts_the_clock_again() -> None:
    subject = scaler()
    busy = Load(waiting=9, ready=1, starting=0)
    assert subject.step(0, busy) == 0
    assert subject.step(5, Load(waiting=8, ready=1, starting=0)) == 0
    assert subject.step(10, busy) == 0
    assert subject.step(19.9, busy) == 0
    assert subject.step(20, busy) == 1


def test_the_bound_is_per_ready_engine() -> None:
    subject = scaler()
    assert subject.step(0, Load(waiting=16, ready=2, starting=0)) == 0
    assert subject.step(100, Load(waiting=16, ready=2, starting=0)) == 0
    assert subject.step(101, Load(waiting=17, ready=2, starting=0)) == 0
    assert subject.step(111, Load(waiting=17, ready=2, starting=0)) == 1


def test_waits_for_an_engine_that_is_starting() -> None:
    subject = scaler()
    for now in range(0, 100, 5):
        assert subject.step(now, Load(waiting=99, ready=1, starting=1)) == 0


def test_never_above_the_maximum() -> None:
    subject = scaler(high=2)
    for now in range(0, 100, 5):
        assert subject.step(now, Load(waiting=99, ready=2, starting=0)) == 0


def test_shrinks_to_the_minimum_when_idle() -> None:
    subject = scaler()
    assert subject.step(0, Load(waiting=0, ready=2, starting=0, longest_idle_s=59)) == 0
    assert subject.step(1, Load(waiting=0, ready=2, starting=0, longest_idle_s=60)) == -1
    assert subject.step(2, Load(waiting=0, ready=1, starting=0, longest_idle_s=999)) == 0


def test_does_not_shrink_while_work_waits() -> None:
    assert scaler().step(0, Load(waiting=1, ready=2, starting=0, longest_idle_s=99)) == 0


def member(number: int, state: Any, idle_since: float, in_flight: int = 0) -> Member:
    handle: Any = None
    return Member(handle, number, 0, state, in_flight, idle_since)


def test_outdated_engines_go_first_and_the_minimum_that_works_stays() -> None:
    long, short = member(0, "ready", 10), member(1, "ready", 20)
    busy = member(2, "ready", 5, in_flight=1)
    outdated, starting = member(3, "outdated", 30), member(4, "starting", 0)
    assert spare([short, long, busy], 1) == [long, short]
    assert spare([short, long, busy, outdated], 1) == [outdated]
    assert spare([short, long, starting], 2) == []
    assert spare([outdated, starting], 1) == [outdated]
    members = [long, busy, outdated, starting, member(5, "updating", 0)]
    assert load(members, 7, [outdated], 100.0) == Load(7, ready=3, starting=2, longest_idle_s=70.0)
    assert load(members, 7, [], 100.0).longest_idle_s == 0


@pytest.mark.parametrize(
    "stage",
    [f"{stage}{kind}" for stage in STAGES for kind in ("", ".debug")],
)
def test_a_stage_has_enough_under_way_to_grow_to_the_maximum(stage: str) -> None:
    given = loader.Arguments(config=(CONFIGS / f"{stage}.toml",))
    if stage.startswith(("predict", "trace")):
        asking: PredictConfig | TraceConfig = (
            loader.load(PredictConfig, given)
            if stage.startswith("predict")
            else loader.load(TraceConfig, given)
        )
        engine, part = asking.engine, asking.rows_per_part * asking.sampling.n
    elif stage.startswith("probe"):
        probing = loader.load(ProbeConfig, given)
        engine, part = probing.engine, probe_run.wave(probing)
    else:
        filtering = loader.load(FilterConfig, given)
        engine, part = filtering.engine, variance.PROMPTS_PER_PART * filtering.sampling.n
    policy = PoolPolicy()
    outstanding = parts_in_flight(engine, part) * part
    for size in range(1, engine.max_engines):
        waiting = int(outstanding - size * policy.depth * engine.max_num_seqs)
        subject = Scaler(policy, 1, engine.max_engines, engine.max_num_seqs)
        subject.step(0, Load(waiting, size, 0))
        assert subject.step(policy.grow_after_s, Load(waiting, size, 0)) == 1, size
