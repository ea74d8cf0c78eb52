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
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.config import DemoConfig
from chexone_ray.demo import outcome, runner, showcase
from chexone_ray.demo.outcome import Check, Direction
from chexone_ray.demo.recipe import Configs, load
from chexone_ray.demo.stages import AMOUNTS, STAGES, told
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.blind import SIDES_TOLD
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.statistics import Interval
from chexone_ray.figures.answered import Answer, Asked
from chexone_ray.figures.page import Said
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Box, ImageRef, sample_to_row
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
    assert configs.responses_uri in configs.figures("out", responses=True).runs_uri
    assert configs.responses_uri not in configs.figures("out", responses=False).runs_uri
    assert configs.sampled("SFT").sampling.n == configs.grpo().sampling.n
    # What is optimised is what is filtered and what is sampled on held-out patients.
    assert configs.sampled("SFT").kinds == configs.filter().kinds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_tokenz = 3", "unknown key max_tokenz; did you mean max_tokens?"),
        ("sft = 3", "sft=3: input should be a valid dictionary"),
        ("[grpo]\nstepss = 3", "[grpo] unknown key stepss; did you mean steps?"),
        ("[sft]\nseed = 3", "[sft] seed is set by the demo itself: leave it out"),
        ("[prepare]\nkinds = ['sidee']", "[prepare] sidee is not a kind of question; did you mean"),
        ("[filter]\nkinds = ['cap']", "[filter] cap is not one of prepare.kinds: use presence, "),
        (
            "[thresholds]\nprogresion = 0",
            "[thresholds] progresion is not one of prepare.kinds; did",
        ),
        ("[", "Invalid initial character"),
    ],
)
def test_a_bad_recipe_is_told_by_file_table_and_key_before_anything_runs(
    tmp_path: Path, text: str, told: str
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(text)
    with pytest.raises(ChexoneError) as caught:
        runner.run(DemoConfig(output=str(tmp_path / "run"), recipe=str(bad)))
    assert str(caught.value).startswith(f"demo.recipe={bad}: {told}")
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_a_recipe_that_is_not_there_is_named(tmp_path: Path) -> None:
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
    row = {"kind": "heart_size", "metric": "accuracy", "low": 0.6, "high": 0.8, "headline": True}
    figures = [
        # Another metric, though it stands first, and a baseline without a value are no bar.
        {**row, "model": "SFT", "value": 0.1, "baseline": False, "metric": "F1", "headline": False},
        {**row, "model": "none", "value": math.nan, "baseline": True},
        {**row, "model": "majority", "value": 0.4, "baseline": True},
        {**row, "model": SIDES_TOLD, "value": 0.7, "baseline": True},
        {**row, "model": "SFT", "value": 0.7, "baseline": False},
    ]
    recipe = load(False).model_copy(update={"thresholds": {"heart_size": 0.65}})
    after, blind = outcome.learned(recipe, figures)
    assert after.name == "heart size: accuracy after SFT" and after.passed
    assert (blind.threshold, blind.reached, blind.direction) == (0.4, 0.6, "above")
    assert [check.passed for check in outcome.learned(recipe, [])] == [False, False]


def test_a_rise_needs_its_interval_only_where_it_is_asked_for() -> None:
    falls = [changed("side", 0.0)]
    few = Interval(0.05, math.nan, math.nan)
    rise = load(False)
    assert [c.passed for c in outcome.reinforced(rise, falls, few)] == [True, False, True]
    found = outcome.reinforced(rise, falls, Interval(0.05, 0.01, 0.09))
    assert [(c.threshold, c.reached) for c in found[:2]] == [(0.04, 0.05), (0.0, 0.01)]
    # A chain of a few steps only has to run: nobody asks it for a rise.
    runs = rise.model_copy(update={"grpo_gain": -1.0})
    assert [c.passed for c in outcome.reinforced(runs, falls, few)] == [True, True]


def changed(kind: str, value: float, metric: str = "", first: str = "SFT") -> dict[str, Any]:
    metric = metric or METRICS[kind][0].name
    return {"first": first, "second": "GRPO", "kind": kind, "metric": metric, "value": value}


def test_the_smallest_change_is_of_a_headline_and_fails_without_a_value() -> None:
    rows = [
        changed("grounding", 0.05),
        changed("grounding", -0.9, metric="specificity"),  # tested beside the headline
        changed("side", 0.1),
        changed("view", -0.02),
        changed("view", -0.9, first="base"),
    ]
    gain = Interval(0.05, 0.01, 0.09)
    for given in (rows, rows[::-1]):
        check = outcome.reinforced(load(False), given, gain)[-1]
        assert (check.name[-6:], check.reached, check.passed) == ("(view)", -0.02, True)
    rows.append(changed("choice", math.nan))
    for given in (rows, rows[::-1], []):
        check = outcome.reinforced(load(False), given, gain)[-1]
        assert math.isnan(check.reached) and not check.passed


def test_no_line_of_waiting_beside_other_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "HEARTBEAT_S", 0.4)
    caplog.set_level(logging.INFO)
    busy = logging.getLogger("busy")
    with runner.heartbeat("loud", runner.Clock(tmp_path)):
        for _ in range(10):
            busy.info("step")
            time.sleep(0.1)
    with runner.heartbeat("quiet", runner.Clock(tmp_path)):
        time.sleep(1.0)
    assert "loud: working" not in caplog.text and "quiet: working" in caplog.text
    assert (tmp_path / "spent.json").exists()


def test_a_stage_line_says_how_much_there_is() -> None:
    recipe = load(False)
    assert set(AMOUNTS) <= set(STAGES)
    assert told("sft", recipe).endswith("(3100 steps).")
    assert told("serve", recipe).endswith("text.")


def asked(kind: str, number: int, label: str = "", uri: str = "gone.png") -> Asked:
    drawn = (Box(label, (0.1, 0.1, 0.5, 0.5)),) if label else ()
    said = Answer("left", "Because.", drawn, None, "label F1 0.67")
    answers = {"SFT": replace(said, right=False, verdict="wrong", boxes=()), "GRPO": said}
    films = (ImageRef(uri, view="PA"), ImageRef("gone.png", role="prior", view="AP"))
    return Asked("", kind, label, str(number), "Where?", (), "right", drawn, films, answers)


def test_the_page_has_questions_of_each_kind_and_other_films_of_each_label() -> None:
    labels = "aaaaabbc"
    given = [asked("view", n) for n in range(4)]
    given += [asked("grounding", n, label) for n, label in enumerate(labels)]
    given += [asked("grounding", 8)]
    examples, boxed = showcase.chosen(given)
    assert [(item.kind, item.id) for item in examples] == [
        *(("view", n) for n in "012"),
        *(("grounding", n) for n in "012"),
    ]
    assert [item.id for item in boxed] == ["3", "5", "7", "4", "6"], "a, b, c, a, b"


def test_a_card_has_each_systems_answer_and_boxes_on_their_film(tmp_path: Path) -> None:
    film = tmp_path / "film.png"
    film.write_bytes(images.to_png(np.full((56, 56, 3), 90, dtype=np.uint8)))
    item = asked("grounding", 1, "nodule", str(film))
    card = showcase.card(item)
    assert card.answers == {
        "SFT": Said("Because.", "left", False, "wrong"),
        "GRPO": Said("Because.", "left", None, "label F1 0.67"),
    }
    first, second = card.films
    assert first.png and first.caption == "PA" and first.reference == first.predicted == item.boxes
    assert second.caption == "prior, AP: the film is not there any more" and not second.reference


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
    cards, told = showcase.real(rows)
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
    marks = uuid.uuid4().hex, uuid.uuid4().hex
    killed = start(folder, marks[0])
    wait_for(folder / "stages" / "predict-sft.json", killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    before = {p.name: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()}
    assert "sft.json" in before and "serve.json" not in before

    # At once, as a user would, while processes of the killed run are still there.
    resumed = start(folder, marks[1])
    assert resumed.wait(RUN_LIMIT_S) == 0, (tmp_path / "demo.log").read_text()[-3000:]
    for marker in marks:
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
