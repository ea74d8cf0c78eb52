"""Factuality and self-consistency of predictions, worked out by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import EvaluateConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.harness import SettingRuns, evaluate, evaluate_settings
from chexone_ray.evaluation.reasoned import CONSISTENCY, FACTUALITY, NAMES, STATING
from chexone_ray.evaluation.suite import load
from chexone_ray.exchange.prediction_rows import answered, said, write
from chexone_ray.figures import reasoned, runs
from chexone_ray.metrics.labels import RULES
from chexone_ray.records import ImageRef, Sample

ASKED = Sample(
    *("0", "d", "Close-Ended VQA", "presence", "test", "p0", "s0"),
    (ImageRef("x"),),
    "Is there a pleural effusion?",
    "yes",
)
TRACES = (
    ("yes", "There is a pleural effusion and edema."),
    ("no", "There is a pleural effusion."),
    ("yes", ""),  # failed
    ("no", "I see nothing of note."),
)
ANSWERS = (("yes", "yes", "yes", "no"), ("yes", "no", None, None), (), ("no",) * 4)


def _samples() -> list[Sample]:
    return [
        replace(ASKED, id=str(i), patient=f"p{i}", study=f"s{i}", answer=answer)
        for i, (answer, _) in enumerate(TRACES)
    ]


def _thinking(folder: Path, more: tuple[dict[str, Any], ...] = ()) -> str:
    rows = [
        answered(sample, trace, answer, trace, "reasoning", number)
        for sample, (_, trace), answers in zip(_samples(), TRACES, ANSWERS, strict=True)
        for number, answer in enumerate(answers)
    ]
    rows.append(said(_samples()[2], "", "reasoning"))
    write(str(folder), [*rows, *more], "made up")
    return str(folder)


def _quiet(folder: Path) -> str:
    write(str(folder), [answered(sample, "yes", "yes") for sample in _samples()], "made up")
    return str(folder)


def _run(tmp_path: Path, **predictions: str) -> Path:
    out = tmp_path / "out"
    evaluate(
        EvaluateConfig(
            output_uri=str(out),
            predictions_uri=predictions,
            baselines=False,
            bootstrap=50,
            randomisations=0,
        )
    )
    return out


def test_reasoning_is_measured_of_who_gives_it(tmp_path: Path) -> None:
    out = _run(tmp_path, thinks=_thinking(tmp_path / "a"), quiet=_quiet(tmp_path / "b"))
    table = json.loads((out / "table.json").read_text())
    found = {(row["model"], row["metric"]): row for row in table}
    # Of the rows' 2, 1, 0 and 0 findings one is borne out; two of four rows state any.
    factual = found["thinks", FACTUALITY]
    assert factual["value"] == pytest.approx(1 / 3)
    assert (factual["num_rows"], factual["num_failed"], factual["headline"]) == (4, 1, False)
    assert factual["low"] is factual["high"] is None, "four patients have no interval"
    assert (factual["num_scored"], factual["num_patients_scored"]) == (2, 2)
    assert found["thinks", STATING]["num_scored"] is None, "each row weighs"
    assert found["thinks", STATING]["value"] == 0.5
    # 3 of 4 the same; none the same; failed; all the same.
    entropy = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)
    first = 1 - entropy / math.log(4)
    consistent = found["thinks", CONSISTENCY]
    assert consistent["value"] == pytest.approx((first + 0 + 0 + 1) / 4)
    assert "|k:4|" in consistent["signature"] and "|says_nothing:" in consistent["signature"]
    assert all(RULES in found["thinks", name]["signature"] for name in NAMES)
    assert {metric for model, metric in found if model == "quiet"} == {
        metric for model, metric in found if not metric.startswith("reasoning:")
    }
    (run,) = runs.find([str(out)]).items
    drawn = {item.metric: (item.model, item.value) for item in reasoned.of_run(run)}
    assert drawn["factuality (presence)"] == ("thinks", factual["value"])
    assert drawn["self-consistency (presence)"][1] == consistent["value"]
    assert len(drawn) == 3


def test_reports_of_the_study_and_explanations_bear_a_trace_out(tmp_path: Path) -> None:
    text = "Mild edema."
    report = replace(ASKED, id="r", kind="findings", answer=text)  # study s0
    out = _run(tmp_path, thinks=_thinking(tmp_path / "a", (answered(report, text, text),)))
    table = json.loads((out / "table.json").read_text())
    (value,) = [
        row["value"] for row in table if (row["kind"], row["metric"]) == ("presence", FACTUALITY)
    ]
    assert value == pytest.approx(2 / 3), "the report tells of the edema"
    explained = replace(_samples()[1], reasoning="A small pleural effusion is present.")
    rows = [answered(explained, TRACES[1][1], "yes", TRACES[1][1], "reasoning")]
    write(str(tmp_path / "c"), rows, "made up")
    out = _run(tmp_path / "second", m=str(tmp_path / "c"))
    table = json.loads((out / "table.json").read_text())
    assert [row["value"] for row in table if row["metric"] == FACTUALITY] == [1.0]


def test_traces_that_state_nothing_have_no_factuality(tmp_path: Path) -> None:
    rows = [answered(s, "I see nothing.", "yes", "I see nothing.") for s in _samples()]
    write(str(tmp_path / "a"), rows, "made up")
    out = _run(tmp_path, m=str(tmp_path / "a"))
    found = {row["metric"]: row["value"] for row in json.loads((out / "table.json").read_text())}
    assert found[FACTUALITY] is None
    assert found[STATING] == 0 and CONSISTENCY not in found
    (line,) = [ln for ln in (out / "table.md").read_text().splitlines() if FACTUALITY in ln][:1]
    assert "nan" not in line.lower()


def test_a_setting_has_them_as_headline(tmp_path: Path) -> None:
    headlines = {one.name: one.headline for one in load("chexone17").settings}
    assert headlines["reasoning_factuality"] == FACTUALITY
    assert headlines["reasoning_consistency"] == CONSISTENCY
    uri = _thinking(tmp_path / "a")
    evaluate_settings(
        str(tmp_path / "out"),
        {"agreeing": SettingRuns("", {"m": uri}, CONSISTENCY)},
        bootstrap=10,
        baselines=False,
        randomisations=0,
    )
    table = json.loads((tmp_path / "out" / "table.json").read_text())
    assert [row["metric"] for row in table if row["headline"]] == [CONSISTENCY]
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "x"\n[[settings]]\nname = "one"\ngroup = "reasoning"\nkinds = ["presence"]\n'
        f'headline = "{CONSISTENCY}"\n'
    )
    with pytest.raises(ChexoneError, match="is of several answers: set num_answers"):
        load(str(path))


def test_a_headline_that_no_model_has_is_refused_and_one_of_traces_told_of(tmp_path: Path) -> None:
    quiet = {"quiet": _quiet(tmp_path / "quiet")}
    for headline, words in (
        (CONSISTENCY, "of several answers to a row"),
        ("BLEU", "one of balanced acc"),
    ):
        with pytest.raises(ChexoneError, match=f"setting s: no model has .*{words}"):
            evaluate_settings(
                str(tmp_path / "out"), {"s": SettingRuns("", quiet, headline)}, baselines=False
            )
    evaluate_settings(
        *(str(tmp_path / "out"), {"s": SettingRuns("", quiet, FACTUALITY)}),
        bootstrap=10,
        randomisations=0,
        baselines=False,
    )
    page = (tmp_path / "out" / "table.md").read_text()
    assert f"No model gives reasoning in setting s: its headline is not '{FACTUALITY}' but" in page
