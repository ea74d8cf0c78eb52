"""The `chexone` command as a user runs it: speed, exit codes, what goes where."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from chexone_ray import cli
from chexone_ray.config import STAGES, SftConfig
from chexone_ray.errors import ChexoneError, ImageError

ROOT = Path(__file__).parents[1]
CHEXONE = Path(sys.executable).parent / "chexone"


def chexone(*words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CHEXONE), *words], capture_output=True, text=True, timeout=timeout, cwd=ROOT
    )


def test_help_answers_in_under_a_second() -> None:
    chexone("--version")  # byte code and disk cache are not what is measured
    seconds = []
    for _ in range(3):
        before = _child_cpu_s()
        done = chexone("sft", "--help")
        seconds.append(_child_cpu_s() - before)
        assert done.returncode == 0 and done.stdout and not done.stderr
    assert min(seconds) < 1.0


def test_help_of_all_of_a_group_and_of_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    def told(*words: str) -> str:
        assert cli.main(words) == 0
        return capsys.readouterr().out

    assert told("--help") == told("help") == told()
    assert all(f"  {name} " in told("help") for name in [*STAGES, "doctor"])
    assert "Research use only" in told("help")
    for name in ("sft", "rexrank import"):
        assert told("help", *name.split()) == told(*name.split(), "-h")
        assert told("help", *name.split()).startswith(f"usage: chexone {name} ")
    for group in ("rexrank", "rexvqa", "results"):
        listed = re.findall(r"^  (\w+ \w+) ", told(group, "--help"), re.MULTILINE)
        assert listed == [name for name in STAGES if name.startswith(f"{group} ")] != []
        assert told("help", group) == told(group, "--help")


def _child_cpu_s() -> float:
    """CPU seconds of ended child processes: the wall time of an idle core, also on a busy one."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom chexone_ray.cli import main\n"
        "for words in (['--help'], ['sft', '--help'], ['demo', '--print-config']):\n"
        "    assert main(words) == 0\n"
        "heavy = {'torch', 'ray', 'vllm', 'transformers', 'pyarrow', 'numpy', 'boto3'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_print_config_is_the_resolved_json() -> None:
    path = str(ROOT / "jobs/configs/sft.toml")
    done = chexone("sft", "--config", path, "--optim.lr", "3e-6", "--print-config")
    resolved = json.loads(done.stdout)
    assert resolved["optim"]["lr"] == 3e-6 and resolved["trainer"]["zero_stage"] == 3
    assert SftConfig.model_validate(resolved).epochs == 1.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sfty"], "chexone: sfty: no such command; choose from prepare, trace, tiny-model"),
        (
            ["sft", "--optim.lrr", "3"],
            "chexone: --optim.lrr: unknown setting; did you mean optim.lr",
        ),
        (["predict", "--out", "x", "--model", "m"], "chexone: predict: give exactly one of"),
        (["doctor", "--no-such"], "unrecognized arguments: --no-such"),
    ],
)
def test_user_errors_are_a_line_and_exit_code_2(words: list[str], message: str) -> None:
    done = chexone(*words)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not done.stdout


def test_a_stage_without_a_cluster_says_so(tmp_path: Path) -> None:
    (tmp_path / "studies.csv").write_text("image,study\na.png,1\n")
    source = f"[{{adapter = 'own_table', uri = '{tmp_path}'}}]"
    done = subprocess.run(
        [CHEXONE, "prepare", "--out", "x", "--sources", source, "--ray.address", "127.0.0.1:9"],
        capture_output=True,
        text=True,
        timeout=120,
        env={k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"},
        cwd=tmp_path,
    )
    assert done.returncode == 2, done.stderr
    assert "no Ray cluster answers at 127.0.0.1:9" in done.stderr
    assert "--ray.address local" in done.stderr and "Traceback" not in done.stderr
    assert not list((tmp_path / "x").iterdir()), "nothing was begun"


def test_every_stage_has_a_function() -> None:
    assert set(cli.FUNCTIONS) == set(STAGES)
    for stage in STAGES:
        assert callable(cli.stage_function(stage))


def test_errors_from_workers_are_found_under_their_wrapping() -> None:
    inner = ChexoneError("lr=3: lower it")
    outer = RuntimeError("a task failed")
    outer.__cause__ = inner
    assert cli.user_error(outer) is inner
    failures = RuntimeError("a worker group failed")
    failures.worker_failures = {1: outer}  # type: ignore[attr-defined]
    assert cli.user_error(failures) is inner
    told = RuntimeError(
        "UDF failed\n  File x\nchexone_ray.errors.ImageError: empty: no bytes\n\nmore"
    )
    assert str(cli.user_error(told)) == "empty: no bytes"
    assert cli.user_error(RuntimeError("a bug")) is None
    image = ImageError("truncated", "the file ends early")
    assert cli.user_error(image) is image


def test_guarded_passes_bugs_on(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(error: BaseException) -> int:
        raise error

    assert cli.guarded(lambda: fail(ChexoneError("a\nb"))) == 2
    assert capsys.readouterr().err == "chexone: a\nchexone: b\n"
    assert cli.guarded(lambda: fail(KeyboardInterrupt())) == 130
    with pytest.raises(ZeroDivisionError):
        cli.guarded(lambda: fail(ZeroDivisionError()))
