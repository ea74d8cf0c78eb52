"""The demo: its recipes, its run folder, and every link from end to end with a kill between."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from chexone_ray import boxes, images
from chexone_ray.config import DemoConfig
from chexone_ray.demo import outcome, runner, showcase
from chexone_ray.demo.outcome import Check, Direction
from chexone_ray.demo.recipe import Configs, load
from chexone_ray.demo.stages import AMOUNTS, STAGES
from chexone_ray.demo.verdict import verdict
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.blind import SIDES_TOLD
from chexone_ray.evaluation.statistics import Interval
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Box, sample_to_row
from tests.figures.test_preview import sample

SMOKE = str(Path(__file__).with_name("smoke.toml"))
RUN_LIMIT_S = 900.0
GONE_LIMIT_S = 150.0
"""Ray's agents look for a Ray that was killed with their driver for about a minute, then end."""


@pytest.mark.parametrize(("quick", "own"), [(False, None), (True, None), (False, SMOKE)])
def test_recipes_make_valid_configs(quick: bool, own: str | None) -> None:
    recipe = load(quick, own)
    configs = Configs(recipe, seed=3)
    for make in (configs.tiny_model, configs.prepare, configs.sft, configs.filter, configs.grpo):
        assert make().seed == 3
    assert configs.evaluate().predictions_uri["GRPO"] == configs.predict("GRPO").output_uri
    assert configs.sampled("SFT").sampling.n == configs.grpo().sampling.n
    # What is optimised is what is filtered and what is sampled on held-out patients.
    assert configs.sampled("SFT").kinds == configs.filter().kinds


def test_own_recipe_errors_name_file_and_key(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("max_tokenz = 3\n")
    with pytest.raises(ChexoneError, match="max_tokenz"):
        load(False, str(bad))
    with pytest.raises(ChexoneError, match="absent"):
        load(False, str(tmp_path / "absent.toml"))


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not delete")
    with pytest.raises(ChexoneError, match="not a demo run"):
        runner.run(DemoConfig(output=str(tmp_path)))
    assert (tmp_path / "thesis.txt").exists()


def test_a_check_has_a_direction() -> None:
    slow = Check("minutes, all links", 30.0, 37.0, direction="at most")
    row = slow.row()
    assert (row["direction"], row["threshold"], row["reached"]) == ("at most", 30.0, 37.0)
    assert row["passed"] is False and Check("", 30.0, 30.0, direction="at most").passed
    assert Check("", 0.5, 0.5).passed and not Check("", 0.5, 0.5, direction="above").passed
    for direction in get_args(Direction):
        assert not Check("", 0.5, math.nan, direction=direction).passed


def test_the_bar_leaves_out_the_baseline_that_is_told_the_sides() -> None:
    row = {"kind": "heart_size", "metric": "accuracy", "low": 0.6, "high": 0.8, "baseline": True}
    figures = [
        {**row, "model": "majority", "value": 0.4},
        {**row, "model": SIDES_TOLD, "value": 0.7},
        {**row, "model": "SFT", "value": 0.7, "baseline": False},
    ]
    recipe = load(False).model_copy(update={"thresholds": {"heart_size": 0.65}})
    after, blind = outcome._learned(recipe, figures)
    assert after.name == "heart size: accuracy after SFT" and after.passed
    assert (blind.threshold, blind.reached, blind.direction) == (0.4, 0.6, "above")


def test_a_rise_needs_its_interval_only_where_it_is_asked_for() -> None:
    falls = [{"first": "SFT", "second": "GRPO", "kind": "side", "value": 0.0}]
    few = Interval(0.05, math.nan, math.nan)
    rise = load(False)
    assert [c.passed for c in outcome._reinforced(rise, falls, few)] == [True, False, True]
    found = outcome._reinforced(rise, falls, Interval(0.05, 0.01, 0.09))
    assert [(c.threshold, c.reached) for c in found[:2]] == [(0.04, 0.05), (0.0, 0.01)]
    # A chain of a few steps only has to run: nobody asks it for a rise.
    runs = rise.model_copy(update={"grpo_gain": -1.0})
    assert [c.passed for c in outcome._reinforced(runs, falls, few)] == [True, True]


def test_verdicts_by_kind() -> None:
    box = Box("nodule", (0.1, 0.1, 0.5, 0.5))
    near = Box("nodule", (0.1, 0.1, 0.5, 0.4))
    side = sample("side", "s", "film.png", answer="right")
    boxed = sample("grounding", "s", "film.png", boxes=(box,))
    empty = sample("grounding", "s", "film.png")
    findings = sample("findings", "s", "film.png", answer="There is a nodule and pneumothorax.")
    assert verdict(side, "right") == (True, "correct")
    assert verdict(side, None) == verdict(empty, boxes.encode([box])) == (False, "wrong")
    assert verdict(boxed, boxes.encode([near])) == (True, "correct, IoU 0.75")
    assert verdict(boxed, None) == (False, "wrong, IoU 0.00")
    assert verdict(empty, "No nodule detected.") == (True, "correct")
    assert verdict(findings, "There is a pneumothorax.") == (False, "label F1 0.67")
    assert verdict(findings, findings.answer) == (True, "label F1 1.00")


def test_no_line_of_waiting_beside_other_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "HEARTBEAT_S", 0.4)
    caplog.set_level(logging.INFO)
    busy = logging.getLogger("busy")
    with runner._heartbeat("loud", runner.Clock(tmp_path)):
        for _ in range(10):
            busy.info("step")
            time.sleep(0.1)
    with runner._heartbeat("quiet", runner.Clock(tmp_path)):
        time.sleep(1.0)
    assert "loud: working" not in caplog.text and "quiet: working" in caplog.text
    assert (tmp_path / "spent.json").exists()


def test_a_stage_line_says_how_much_there_is() -> None:
    recipe = load(False)
    assert set(AMOUNTS) <= set(STAGES)
    assert runner._told("sft", STAGES["sft"], recipe).endswith("(3400 steps).")
    assert runner._told("serve", STAGES["serve"], recipe).endswith("text.")


def test_every_card_is_of_another_patient() -> None:
    rows = [
        {"kind": kind, "patient": patient, "id": f"{kind}/{patient}"}
        for kind in ("side", "view")
        for patient in ("a", "b", "c", "d", "e")
    ]
    chosen = showcase.choose({row["id"]: row for row in rows}, {"a"})
    assert [row["id"] for row in chosen] == ["side/b", "side/c", "view/d", "view/e"]
    few = showcase.choose({row["id"]: row for row in rows[:2]}, {"a", "b"})
    assert [row["id"] for row in few] == ["side/a", "side/b"]


def test_real_films_are_of_every_folder_and_refusals_have_a_reason(tmp_path: Path) -> None:
    film = tmp_path / "film.png"
    film.write_bytes(images.to_png(np.full((56, 56, 3), 90, dtype=np.uint8)))
    text = tmp_path / "text.dcm"
    text.write_bytes(b"no film")

    def row(name: str, uri: Path, error: str = "") -> dict[str, Any]:
        asked = sample_to_row(sample("findings", "s", str(uri), id=name))
        return asked | {"error": error, "predicted_reasoning": "", "predicted_answer": None}

    many = [row(f"a/x/{at}.png", film) for at in range(20)]
    rows = [
        *many,
        row("b/one.dcm", film),
        row("b/text.dcm", text, "image: not_an_image"),
        row("c/gone.png", tmp_path / "gone.png", "image: truncated"),
    ]
    cards, told = showcase._real(rows)
    assert [card.name for card in cards[:3]] == [
        "0.png, from a/x",
        "one.dcm, from b",
        "1.png, from a/x",
    ]
    assert told.startswith("Shown: 12 of 21 films") and told.endswith("2 of 2 files that were not.")
    refused = [card.answers["refused"].answer for card in cards[12:]]
    assert refused == [
        "no image (neither PNG, JPEG nor DICOM)",
        "ends before its data is complete",
    ]


def start(folder: Path, marker: str) -> subprocess.Popen[bytes]:
    """The demo as its own process; every process below it carries the marker."""
    log = (folder.parent / "demo.log").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", "chexone_ray", "demo", "--output", str(folder), "--recipe", SMOKE],
        env=os.environ | {"CHEXONE_DEMO_MARK": marker},
        stdout=log,
        stderr=log,
    )


def alive(marker: str) -> dict[int, str]:
    """Processes that carry the marker: id -> command."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if marker.encode() in (entry / "environ").read_bytes():
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(entry.name)] = command.decode(errors="replace")[:120]
        except OSError:
            continue
    return found


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + RUN_LIMIT_S
    while not path.exists():
        assert process.poll() is None, (path.parents[1].parent / "demo.log").read_text()[-3000:]
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.5)


def assert_all_gone(marker: str) -> None:
    end = time.monotonic() + GONE_LIMIT_S
    while left := alive(marker):
        assert time.monotonic() < end, f"still running: {left}"
        time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.timeout(2 * RUN_LIMIT_S + 60)
def test_every_link_and_a_killed_driver(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    marker = uuid.uuid4().hex
    killed = start(folder, marker)
    wait_for(folder / "stages" / "predict-sft.json", killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    assert_all_gone(marker)
    before = {p.name: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()}
    assert "sft.json" in before and "serve.json" not in before

    resumed = start(folder, marker)
    assert resumed.wait(RUN_LIMIT_S) == 0, (tmp_path / "demo.log").read_text()[-3000:]
    assert_all_gone(marker)
    after = {p.name: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()}
    assert {name: after[name] for name in before} == before
    check_summary(json.loads((folder / "summary.json").read_text()))
    page = (folder / "report.html").read_text()
    assert RESEARCH_USE_ONLY in page
    for name in re.findall(r"(?:src|href)='((?:figures/|table)[^']+)'", page):
        assert (folder / name).stat().st_size > 1000, name


def check_summary(summary: dict[str, object]) -> None:
    assert summary["passed"] is True
    assert summary["notice"] == RESEARCH_USE_ONLY
    seconds = summary["seconds"]
    assert isinstance(seconds, dict) and set(seconds["stages"]) == set(STAGES)
    metrics = summary["metrics"]
    assert isinstance(metrics, list)
    assert {m["model"] for m in metrics if not m["baseline"]} == {"base", "SFT", "GRPO"}
    assert all(m["num_patients"] > 0 for m in metrics)
    drawn = summary["figures"]
    assert isinstance(drawn, list)
    for number in range(1, 11):
        names = {name.rpartition(".")[2] for name in drawn if name.startswith(f"{number:02d}-")}
        assert names == {"pdf", "svg", "png"}, number
    served = summary["served"]
    assert isinstance(served, list) and served
    assert all(row["equals_engine"] and row["num_chunks"] >= 2 for row in served)
