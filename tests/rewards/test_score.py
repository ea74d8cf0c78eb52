"""The weighted mean, and scoring many groups on Ray."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from chexone_ray.boxes import encode, negative
from chexone_ray.config import RewardConfig
from chexone_ray.records import Box, Sample
from chexone_ray.rewards.score import Scored, applicable, score, score_group, score_rollouts


def sample(kind: str, answer: str, mode: str = "reasoning") -> Sample:
    return Sample(
        id=kind,
        dataset="d",
        task="t",
        kind=kind,
        split="train",
        patient="p",
        study="s",
        images=(),
        question="q",
        answer=answer,
        mode=mode,  # type: ignore[arg-type]
    )


PRESENCE = sample("presence", "yes")
GROUNDING = sample("grounding", encode([Box("nodule", (0.2, 0.2, 0.4, 0.4))]))
EQUAL = RewardConfig()


def test_mean_over_the_parts_that_apply() -> None:
    right = score(r"Seen. \boxed{yes}", PRESENCE, EQUAL)
    assert right == Scored(1.0, {"format": 1.0, "options": 1.0})
    assert score(r"Seen. \boxed{no}", PRESENCE, EQUAL) == Scored(
        0.5, {"format": 1.0, "options": 0.0}
    )
    assert score(r"\boxed{yes}", PRESENCE, EQUAL).total == 0.5
    assert score("yes", PRESENCE, EQUAL) == Scored(0.0, {"format": 0.0, "options": 0.0})


def test_weights() -> None:
    weights = RewardConfig(format=1, boxes=3, options=7)
    half = encode([Box("nodule", (0.2, 0.2, 0.3, 0.4))])
    scored = score(rf"Upper left. \boxed{{{half}}}", GROUNDING, weights)
    assert scored.parts == {"format": 1.0, "boxes": pytest.approx(0.5)}
    assert scored.total == pytest.approx((1 * 1 + 3 * 0.5) / 4)


def test_a_weight_of_zero_leaves_the_part_out() -> None:
    weights = RewardConfig(format=0)
    assert score(r"\boxed{yes}", PRESENCE, weights) == Scored(1.0, {"options": 1.0})


def test_instruct_mode_is_scored_on_the_plain_text() -> None:
    row = sample("presence", "yes", mode="instruct")
    assert score("Yes.", row, EQUAL) == Scored(1.0, {"options": 1.0})


def test_nothing_applies() -> None:
    row = sample("of_another_program", "yes", mode="instruct")
    assert score("yes", row, EQUAL) == Scored(0.0, {})
    assert applicable(row, EQUAL) == ()
    assert applicable(PRESENCE, EQUAL) == ("format", "options")
    assert applicable(GROUNDING, EQUAL) == ("format", "boxes")
    assert applicable(sample("findings", "Clear."), EQUAL) == ("format", "report")
    assert applicable(PRESENCE, RewardConfig(options=0)) == ("format",)


def test_a_group_keeps_its_order_and_may_be_empty() -> None:
    texts = [r"a \boxed{yes}", r"a \boxed{no}", "yes"]
    assert [s.total for s in score_group(texts, PRESENCE, EQUAL)] == [1.0, 0.5, 0.0]
    assert score_group([], PRESENCE, EQUAL) == ()


def test_rollouts_without_ray_when_few() -> None:
    groups = [(PRESENCE, [r"a \boxed{yes}"]), (GROUNDING, []), (PRESENCE, ["no", r"a \boxed{no}"])]
    totals = [[s.total for s in group] for group in score_rollouts(groups, EQUAL)]
    assert totals == [[1.0], [], [0.0, 0.5]]


def test_scoring_is_fast_enough_for_rollouts() -> None:
    """512 completions of a step in a small part of a step's time."""
    report = sample("findings", "Small left pleural effusion. No pneumothorax. Heart normal.")
    rows = [PRESENCE, GROUNDING, sample("grounding", negative("nodule")), report]
    texts = [rf"The left base is dense {n}. \boxed{{Small effusion {n} left.}}" for n in range(128)]
    start = time.process_time()
    for row in rows:
        score_group(texts, row, EQUAL)
    assert time.process_time() - start < 2.0


def test_rewards_need_neither_torch_nor_ray() -> None:
    code = (
        "import sys, chexone_ray.rewards.score;"
        "print(sorted({'torch', 'ray', 'vllm', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.slow
def test_rollouts_on_ray_tasks_keep_their_order(ray_local: None) -> None:
    groups = [(PRESENCE, [r"a \boxed{yes}"] * (n % 3)) for n in range(50)]
    found = score_rollouts(groups, EQUAL, groups_per_task=8, timeout_s=120)
    assert [len(group) for group in found] == [n % 3 for n in range(50)]
    assert all(s.total == 1.0 for group in found for s in group)
