"""requirements/setup.sh: what it refuses before any download, and when it installs again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = [
    "awk",
    "bash",
    "cat",
    "cut",
    "df",
    "dirname",
    "env",
    "flock",
    "grep",
    "mkdir",
    "mv",
    "rm",
    "sha256sum",
    "sh",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout of nothing but a package of one line and a lock of two tools."""
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "requirements" / "setup.sh", tmp_path / "requirements")
    lock = (ROOT / "requirements" / "cpu.txt").read_text().splitlines()
    pins = [line for line in lock if line.startswith(("uv==", "setuptools==", "wheel=="))]
    (tmp_path / "requirements" / "cpu.txt").write_text("\n".join(pins) + "\n")
    (tmp_path / "requirements" / "cpu.in").write_text("uv\n")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "little"\nversion = "0"\n[tool.setuptools]\npy-modules = ["little"]\n'
    )
    (tmp_path / "little.py").write_text("VALUE = 1\n")
    return tmp_path


def tools(folder: Path, names: Sequence[str]) -> Path:
    """A folder with links to some programs of this machine: a PATH without the others."""
    path = folder / "path"
    path.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found, name
        (path / name).symlink_to(found)
    return path


def program(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def setup(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    dropped = ("PYTHON", "FLAVOUR", "CXX", "VIRTUAL_ENV", "MAKEFLAGS")
    environment = {k: v for k, v in os.environ.items() if k not in dropped}
    return subprocess.run(
        ["/bin/bash", str(folder / "requirements" / "setup.sh")],
        capture_output=True,
        text=True,
        timeout=400,
        env=environment | variables,
        cwd="/",
    )


def refused(folder: Path, **variables: str) -> str:
    """The one line of a refusal, after checking that nothing was made."""
    done = setup(folder, **variables)
    assert done.returncode == 2, done.stdout + done.stderr
    assert not (folder / ".venv").exists()
    (line,) = done.stderr.splitlines()
    return line


def test_a_missing_compiler_is_one_line(folder: Path) -> None:
    path = tools(folder, TOOLS)
    assert "no C++ compiler (g++)" in refused(folder, PATH=str(path), PYTHON=sys.executable)


def test_too_little_disk_is_one_line(folder: Path) -> None:
    path = tools(folder, [*TOOLS, "g++"])
    program(path / "df", "echo header; echo /dev/x 100000000 90000000 4194304 96% /")
    assert "4 GB of free disk" in refused(folder, PATH=str(path), PYTHON=sys.executable)


def test_shims_and_other_versions_are_no_python(folder: Path) -> None:
    path = tools(folder, [*TOOLS, "g++"])
    for name in ("python3.11", "python3.12"):
        program(path / name, f"echo 'pyenv: {name}: command not found' >&2; exit 127")
    program(path / "python3", "exit 1")
    line = refused(folder, PATH=str(path), HOME=str(folder), PYTHON=str(path / "python3.12"))
    assert "is not a working Python 3.11 or 3.12" in line
    if not any(Path(f"/usr/{d}bin/python3.1{m}").exists() for d in ("", "local/") for m in (1, 2)):
        line = refused(folder, PATH=str(path), HOME=str(folder))
        assert "no Python 3.11 or 3.12 with venv found" in line


def test_an_unknown_flavour_is_one_line(folder: Path) -> None:
    assert "FLAVOUR=tpu is not known: use cpu or gpu" in refused(folder, FLAVOUR="tpu")


@pytest.mark.slow
def test_set_up_once_and_again_after_a_change(folder: Path) -> None:
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    first = setup(folder, PYTHON=str(base))
    assert first.returncode == 0, first.stderr
    python = folder / ".venv" / "bin" / "python"
    code = "import little; print(little.VALUE, little.__file__)"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd="/")
    assert said.stdout.split() == ["1", str(folder / "little.py")], "installed in place"

    seconds = []
    for _ in range(3):
        start = time.monotonic()
        second = setup(folder)
        seconds.append(time.monotonic() - start)
        assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert min(seconds) < 1
    assert setup(folder, PYTHON=str(base)).stderr == ""

    lock = folder / "requirements" / "cpu.txt"
    lock.write_text(lock.read_text() + "iniconfig==2.1.0\n")
    third = setup(folder)
    assert third.returncode == 0 and "installing requirements/cpu.txt" in third.stderr
    installed = subprocess.run([python, "-c", "import iniconfig, little"], cwd="/")
    assert installed.returncode == 0

    shutil.rmtree(folder / ".venv" / "bin")
    fourth = setup(folder, PYTHON=str(base))
    assert fourth.returncode == 0 and "making .venv" in fourth.stderr, "a broken one is made anew"


def test_make_demo_and_test_begin_with_the_set_up() -> None:
    for target in ("demo", "test", "lint", "lock"):
        done = subprocess.run(
            ["make", "--no-print-directory", "-n", target],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=30,
        )
        assert done.stdout.splitlines()[0] == "requirements/setup.sh", target
