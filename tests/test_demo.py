"""The demo: its recipes, its run folder, and every link from end to end with a kill between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from chexone_ray.config import DemoConfig
from chexone_ray.demo import runner
from chexone_ray.demo.recipe import Configs, load
from chexone_ray.demo.stages import STAGES
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY

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
    assert RESEARCH_USE_ONLY in (folder / "report.html").read_text()


def check_summary(summary: dict[str, object]) -> None:
    assert summary["passed"] is True
    assert summary["notice"] == RESEARCH_USE_ONLY
    seconds = summary["seconds"]
    assert isinstance(seconds, dict) and set(seconds["stages"]) == set(STAGES)
    metrics = summary["metrics"]
    assert isinstance(metrics, list)
    assert {m["model"] for m in metrics if not m["baseline"]} == {"base", "SFT", "GRPO"}
    assert all(m["num_patients"] > 0 for m in metrics)
    served = summary["served"]
    assert isinstance(served, list) and served
    assert all(row["equals_engine"] and row["num_chunks"] >= 2 for row in served)
