"""docs/rewards.md says what the rewards do: its table of completions, its names and its weights."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from chexone_ray.answers import Answer, Rules, chosen_options, parse
from chexone_ray.config import RewardConfig
from chexone_ray.rewards import format, original, report
from chexone_ray.rewards.score import rewards_of
from tests.samples import sample

PAGE = (Path(__file__).parents[2] / "docs" / "rewards.md").read_text()
OPTIONS = ("(A) pleural effusion", "(B) pneumonia", "(C) edema", "(D) a rib fracture")
ROW = sample("choice", "(A)", task="Image Classification")
ROWS = re.findall(r"^\| `(.*\\boxed.*)` \| (.*) \| (.*) \|$", PAGE, re.M)


def test_the_table_is_read() -> None:
    assert len(ROWS) == 10


@pytest.mark.parametrize(("text", "published", "ours"), ROWS)
def test_where_the_rules_part(text: str, published: str, ours: str) -> None:
    def keys(rules: Rules) -> set[str]:
        return set(chosen_options(parse(text, "reasoning", rules).answer or "", OPTIONS, rules))

    def told(cell: str) -> set[str]:
        return set() if cell == "nothing" else set(cell.split(", "))

    assert keys("original") == told(published)
    assert keys("strict") == told(ours)
    assert published != ours


def test_every_reward_is_named_with_its_weight() -> None:
    every = RewardConfig(trace_agreement=1, trace_factuality=1, trace_repetition=1, trace_length=1)
    table = rewards_of(every)
    told = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PAGE, re.M))
    assert set(told) == set(table)
    assert all(getattr(RewardConfig(), name) == float(weight) for name, weight in told.items())


def test_the_numbers_of_the_page() -> None:
    shares = (report.LABEL_SHARE, report.FINDING_SHARE, report.WORD_SHARE)
    assert shares == (1 / 2, 1 / 4, 1 / 4) and "1/2 labels + 1/4 findings + 1/4 words" in PAGE
    assert round(report.PERFECT, 3) == 1.617
    assert round(original.radcliq_reward((0.0, 0.0, 0.0)), 3) == 0.159
    for text in (r"r \boxed{{A}", r"r \boxed{\boxed{A}}"):
        assert f"`{text}`" in PAGE
        assert original.format_reward(parse(text, "reasoning", "original"), ROW) == 1.0
        assert format.reward(parse(text, "reasoning"), ROW) == 0.0


def test_short_answers_on_a_normal_film_as_stated() -> None:
    heading, table = PAGE.split('| reference "')[1].split('" | report |\n')
    rows = re.findall(r'^\| "(.+)" \| ([\d.]+) \|$', table.split("\n\n")[0], re.M)
    assert len(rows) == 5
    for text, stated in rows:
        row = replace(ROW, kind="findings", answer=heading)
        assert report.reward(Answer("", text, 1), row) == pytest.approx(float(stated), abs=0.005)
