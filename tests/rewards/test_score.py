"""The weighted mean, and scoring many groups on Ray."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.boxes import encode, negative
from chexone_ray.config import RewardConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box
from chexone_ray.rewards.score import (
    Scored,
    applicable,
    load_scorer,
    part_means,
    refuse_unscored,
    score,
    score_group,
    score_rollouts,
)
from tests.samples import sample

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


# --- the original rules, RadCliQ and rows without a reward ----------------------------------------

ORIGINAL = RewardConfig(rules="original", report=0)


def radcliq_components(said: str, meant: str) -> tuple[float, float, float]:
    return (1.0, 1.0, 1.0) if said == meant else (0.0, 0.0, 0.0)


SCORER = f"{__name__}:radcliq_components"


def test_the_original_rules_go_by_task_and_read_the_first_box() -> None:
    row = replace(sample("choice", "(A)"), task="Image Classification")
    text = r"Seen. \boxed{(A)} or \boxed{(B)}"
    assert score(text, row, ORIGINAL) == Scored(0.5, {"format": 0.0, "options": 1.0})
    strict = replace(row, options=("(A) edema", "(B) mass"))
    assert score(text, strict, EQUAL) == Scored(0.0, {"format": 0.0, "options": 0.0})
    boxes = replace(GROUNDING, task="Abnormality Grounding")
    renamed = GROUNDING.answer.replace("nodule", "mass")
    assert score(rf"a \boxed{{{renamed}}}", boxes, ORIGINAL).parts["boxes"] == 0.95
    assert score(rf"a \boxed{{{renamed}}}", boxes, EQUAL).parts["boxes"] == 0.0


def test_reports_by_radcliq() -> None:
    row = replace(sample("findings", "Clear lungs."), task="Findings Generation")
    text = r"Seen. \boxed{Clear lungs.}"
    published = RewardConfig(rules="original", format=0, radcliq_scorer=SCORER)
    assert score(text, row, published).total == pytest.approx(1.617, abs=1e-3)
    bounded = RewardConfig(format=0, report_by="radcliq", radcliq_scorer=SCORER)
    assert score(text, row, bounded).total == 1.0


@pytest.mark.parametrize(
    "path", ["no_such_module:f", f"{__name__}:no_such_function", "", ":", "chexone_ray"]
)
def test_a_scorer_that_is_not_installed_is_refused(path: str) -> None:
    with pytest.raises(ChexoneError, match=r"rewards\.radcliq_scorer=.*module:function"):
        load_scorer(path)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rules": "original"}, "radcliq_scorer is not set"),
        ({"report_by": "radcliq"}, "radcliq_scorer is not set"),
        ({"radcliq_scorer": SCORER}, "has no effect"),
        ({"rules": "original", "report": 0, "radcliq_scorer": SCORER}, "has no effect"),
        ({"rules": "original", "report_by": "rules"}, "no original rule"),
        ({"rules": "original", "report": 0, "trace_length": 1}, "reward no trace"),
        ({"format": 0, "options": 0, "boxes": 0, "report": 0}, "all weights are 0"),
        ({"trace_words": (9, 3)}, "smaller first"),
        ({"format": math.inf}, "finite"),
    ],
)
def test_settings_without_effect_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RewardConfig(**values)


def test_trace_terms_count_where_they_have_a_weight() -> None:
    row = replace(PRESENCE, question="Is there a pleural effusion?")
    weights = RewardConfig(
        format=0, trace_agreement=1, trace_factuality=1, trace_repetition=1, trace_length=1
    )
    trace = "The left angle is blunted. There is a small effusion."
    scored = score(rf"{trace} \boxed{{yes}}", row, weights)
    assert scored.parts == {
        "options": 1.0,
        "trace_agreement": 1.0,
        "trace_factuality": 1.0,
        "trace_repetition": 1.0,
        "trace_length": pytest.approx(10 / 20),
    }
    assert scored.total == pytest.approx(4.5 / 5)
    assert score(r"\boxed{yes}", row, weights).total == pytest.approx(1 / 5)
    assert set(applicable(row, EQUAL)) == {"format", "options"}


def test_rows_without_a_reward_are_refused_before_a_run() -> None:
    refuse_unscored([PRESENCE, GROUNDING, sample("findings", "Clear.")], EQUAL)
    refuse_unscored([], EQUAL)
    foreign = [sample("of_another_program", "yes")] * 3
    with pytest.raises(ChexoneError, match=r"3 rows of the kinds {'of_another_program': 3}"):
        refuse_unscored([PRESENCE, *foreign], EQUAL)
    plain = sample("findings", "Clear.", mode="instruct")
    with pytest.raises(ChexoneError, match="'findings': 1"):
        refuse_unscored([plain, PRESENCE], RewardConfig(report=0))
    known = replace(PRESENCE, task="Close-Ended VQA")
    refuse_unscored([known], ORIGINAL)
    with pytest.raises(ChexoneError, match=r"rules=original .* tasks {'View Matching': 1}"):
        refuse_unscored([known, replace(PRESENCE, task="View Matching")], ORIGINAL)


def test_means_of_the_parts() -> None:
    scored = [Scored(0.5, {"format": 1.0, "options": 0.0}), Scored(1.0, {"format": 0.5})]
    assert part_means(scored) == {"format": 0.75, "options": 0.0}
    assert part_means([]) == {}


@pytest.mark.slow
def test_rollouts_on_ray_tasks_keep_their_order(ray_local: None) -> None:
    groups = [(PRESENCE, [r"a \boxed{yes}"] * (n % 3)) for n in range(50)]
    found = score_rollouts(groups, EQUAL, groups_per_task=8, timeout_s=120)
    assert [len(group) for group in found] == [n % 3 for n in range(50)]
    assert all(s.total == 1.0 for group in found for s in group)
