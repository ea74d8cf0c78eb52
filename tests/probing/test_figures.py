"""Figures about reasoning from a few answers, every number by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chexone_ray.config import ProbeConfig
from chexone_ray.probing.figures import differences, figures, gaps, measures, outcomes
from chexone_ray.probing.page import write

CONFIG = ProbeConfig(
    output_uri="o", model_uri="m", manifest_uri="x", bootstrap=200, cuts=(0.0, 0.5)
)


def answer(name: str, probe: str, correct: bool | None, same: bool | None, **more: Any) -> Any:
    """A row of patient "p1" for the id "1a", and so on."""
    row = {
        "probe": probe,
        "id": name,
        "dataset": "d",
        "kind": "presence",
        "patient": f"p{name[0]}",
        "status": "answered",
        "error": "",
        "correct": correct,
        "same_as_plain": same,
    }
    worth = ("right_findings", "stated_findings", "agreement", "consistency")
    return row | dict.fromkeys(worth) | more


def plain(name: str, correct: bool | None, right: int, stated: int, **more: Any) -> Any:
    given = {"right_findings": right, "stated_findings": stated} | more
    return answer(name, "plain", correct, True, **given)


ROWS = [
    plain("1a", True, 1, 2, agreement=1.0, consistency=0.5),
    plain("1b", True, 3, 3, agreement=0.0, consistency=1.0),
    plain("2a", False, 0, 0, agreement=None, consistency=None),
    plain("3a", None, 0, 1, agreement=0.5, consistency=0.0, kind="findings"),
    answer("1a", "instruct", False, False),
    answer("1b", "instruct", True, True),
    answer("2a", "instruct", False, True),
    answer("1a", "blank image", False, False),
    answer("1b", "blank image", False, False, status="unparsed"),
    answer("2a", "blank image", None, None, status="failed", error="engine: x"),
    answer("3a", "blank image", None, True, kind="findings"),
    answer("1a", "lesion occluded", False, False),
    answer("2a", "lesion occluded", False, True),
    answer("1a", "control occluded", True, True),
    answer("2a", "control occluded", False, True),
    answer("1a", "trace cut to 0 %", False, False),
    answer("1a", "trace cut to 50 %", True, True),
    # Samples are in no figure by themselves.
    answer("1a", "sample", False, False),
]


def test_figures() -> None:
    found = {(f.metric, f.mode): f for f in figures(ROWS, "m", CONFIG)}
    values = {key: (round(f.value, 4), f.num_rows, f.num_patients) for key, f in found.items()}
    assert values == {
        # 1/2, 1 and 0; the trace of 2a states nothing
        ("factuality", "reasoning"): (0.5, 3, 2),
        ("traces that state a finding", "reasoning"): (0.75, 4, 3),
        ("answer-trace agreement", "reasoning"): (0.5, 3, 2),
        ("self-consistency", "reasoning"): (0.5, 3, 2),
        ("accuracy", "reasoning"): (0.6667, 3, 2),
        ("accuracy", "instruct"): (0.3333, 3, 2),
        ("accuracy, blank image", "reasoning"): (0.0, 2, 1),
        ("accuracy, trace cut to 0 %", "reasoning"): (0.0, 1, 1),
        ("accuracy, trace cut to 50 %", "reasoning"): (1.0, 1, 1),
        ("flip rate, blank image", "reasoning"): (0.6667, 3, 2),
        ("flip rate, lesion occluded", "reasoning"): (0.5, 2, 2),
        ("flip rate, control occluded", "reasoning"): (0.0, 2, 2),
        ("flip rate, trace cut to 0 %", "reasoning"): (1.0, 1, 1),
        ("flip rate, trace cut to 50 %", "reasoning"): (0.0, 1, 1),
    }
    # Two or three patients tell nothing of the spread.
    assert all(math.isnan(f.low) and math.isnan(f.high) for f in found.values())
    assert len({f.signature for f in found.values()}) == len(found)
    for name in ("accuracy", "flip rate"):
        cut = found[f"{name}, trace cut to 50 %", "reasoning"]
        assert "|decoding:greedy|answer_tokens:512|" in cut.signature
    assert "answer_tokens" not in found["accuracy", "reasoning"].signature
    assert "k:8|temperature:1.0" in found["self-consistency", "reasoning"].signature


def test_differences_are_over_the_rows_that_have_both() -> None:
    found = {gap.first: gap for gap in differences(ROWS, "m", CONFIG)}
    told = {first: (gap.second, round(gap.value, 4), gap.num_rows) for first, gap in found.items()}
    assert told == {
        "accuracy, without reasoning": ("accuracy", 0.3333, 3),
        "accuracy, blank image": ("accuracy", 1.0, 2),
        "accuracy, trace cut to 0 %": ("accuracy", 1.0, 1),
        "flip rate, control occluded": ("flip rate, lesion occluded", 0.5, 2),
    }
    assert all(math.isnan(gap.low) and math.isnan(gap.high) for gap in found.values())


def test_intervals_are_by_patient() -> None:
    """Five patients, two of them right: a draw of five has 0 to 5 of the right ones."""
    rows = [plain(f"{i}a", i < 2, 0, 0) for i in range(5)]
    (found,) = [f for f in figures(rows, "m", CONFIG) if f.metric == "accuracy"]
    assert (found.value, found.low, found.high) == pytest.approx((0.4, 0.0, 0.8), abs=0.01)


def test_what_was_not_asked_is_no_metric() -> None:
    bare = CONFIG.model_copy(update={"probes": ("blank",)})
    names = [measure.name for measure in measures(bare)]
    assert names == [
        "factuality",
        "traces that state a finding",
        "answer-trace agreement",
        "accuracy",
        "accuracy, blank image",
        "flip rate, blank image",
    ]
    assert list(gaps(bare)) == [("accuracy, blank image|reasoning", "accuracy|reasoning")]
    assert len(measures(CONFIG)) == 16


def test_the_files(tmp_path: Path) -> None:
    write(str(tmp_path), ROWS, "mine", CONFIG)
    found = json.loads((tmp_path / "reasoning.json").read_text())
    assert len(found) == 14 and set(found[0]) == {
        *("model", "mode", "metric", "signature", "value", "low", "high"),
        *("num_rows", "num_patients"),
    }
    assert all(row["low"] is None and row["high"] is None for row in found), "too few patients"
    by_kind = json.loads((tmp_path / "by_kind.json").read_text())
    assert {row["kind"] for row in by_kind} == {"presence", "findings"}
    (of_reports,) = [
        row["value"]
        for row in by_kind
        if (row["kind"], row["metric"]) == ("findings", "flip rate, blank image")
    ]
    assert of_reports == 0.0
    assert len(json.loads((tmp_path / "differences.json").read_text())) == 4
    page = (tmp_path / "reasoning.md").read_text()
    assert "# Reasoning of mine" in page and "| findings |" not in page
    assert "| blank image | 2 | 1 | 0 | 1 |" in page
    assert page.count("matched IoU >= 0.5") == 1, "the longest settings once, in a note"
    assert "|same_answer:as noted|" in page
    assert "0.500 (n/a)" in page and "nan" not in page
    assert outcomes(ROWS)["blank image"] == {"answered": 2, "failed": 1, "unparsed": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kinds": ("sides",)}, 'kind "sides" is not known: did you mean side. There are'),
        ({"sampling": {"n": 1}}, "has no self-consistency"),
        ({"probes": ("cut",), "cuts": ()}, "cuts is empty"),
        ({"cuts": (0.5, 0.5)}, "names one twice"),
        ({"probes": ("blank", "blank")}, "names one twice"),
        ({"probes": ("mirror",)}, "mirror"),
        ({"cuts": (1.5,)}, "less than or equal to 1"),
    ],
)
def test_settings_without_effect_are_refused(changes: dict[str, Any], message: str) -> None:
    given = {"output_uri": "o", "model_uri": "m", "manifest_uri": "x"} | changes
    with pytest.raises(ValidationError, match=message):
        ProbeConfig(**given)
