"""What the README tells a new user to type is there: commands, flags, paths, make targets."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from chexone_ray import cli
from chexone_ray.config import STAGES

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/performance.md", "docs/evaluation.md")
MADE = ("runs/", ".venv")
"""What a command of the page makes."""
ROOMS = r"(?:chexone_ray|jobs|serve|benchmarks|docs|requirements|tests|runs)/[\w./-]*\w|\.ci/run"


def _code(page: str) -> list[str]:
    """Lines of the shell blocks and the code inside the text, without comments."""
    text = (ROOT / page).read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    inline = re.findall(r"`([^`]+)`", prose)
    lines = [line for block in blocks for line in block.splitlines()]
    return [" ".join(line.split(" #")[0].split()) for line in (*lines, *inline) if line.strip()]


@pytest.mark.parametrize("page", PAGES)
def test_chexone_commands_parse(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [
        words[1:]
        for line in _code(page)
        if (words := shlex.split(line)) and words[0] in ("chexone", ".venv/bin/chexone")
    ]
    assert commands
    for words in commands:
        stage, *flags = words or ["--help"]
        if flags and f"{stage} {flags[0]}" in STAGES:
            stage, *flags = f"{stage} {flags[0]}", *flags[1:]
        if stage == "doctor":
            continue
        if not flags:
            assert stage in (*STAGES, "--help")
        elif flags != ["--help"]:
            assert cli.main([*stage.split(), *flags, "--print-config"]) == 0, words
        capsys.readouterr()


@pytest.mark.parametrize("page", PAGES)
def test_paths_exist(page: str) -> None:
    found = {path for line in _code(page) for path in re.findall(rf"(?<![\w./-]){ROOMS}", line)}
    assert found
    missing = {path for path in found if not path.startswith(MADE) and not (ROOT / path).exists()}
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    settings = set(re.findall(r"^([A-Z]+) \?=", makefile, re.M))
    for line in _code(page):
        words = shlex.split(line)
        if words[:1] == ["make"] and len(words) > 1:
            assert words[1] in targets, line
            assert {word.partition("=")[0] for word in words[2:]} <= settings, line


@pytest.mark.parametrize("page", PAGES)
def test_flags_of_the_benchmarks_exist(page: str) -> None:
    for line in _code(page):
        for script in re.findall(r"benchmarks/\w+\.py", line):
            source = (ROOT / script).read_text()
            for flag in re.findall(r"--[a-z]+", line):
                assert f'"{flag}"' in source, f"{script} has no {flag}"


def test_the_tree_of_the_readme_is_the_tree() -> None:
    text = (ROOT / "README.md").read_text()
    tree = re.search(r"## The tree\n\n```\n(.*?)```", text, re.S)
    assert tree is not None
    named = set()
    base = ROOT
    for line in tree[1].splitlines():
        base = ROOT / "chexone_ray" if line.startswith("  ") else ROOT
        column = re.split(r"\s{3,}", line.strip())[0] if line.startswith("  ") else line.split()[0]
        for name in re.findall(r"[\w.]+\.py|\w+/", column):
            named.add(name.rstrip("/"))
            assert (base / name).exists(), f"{name} is not in {base.name}"
    assert named >= {"chexone_ray", "jobs", "serve", "benchmarks", "docs", "requirements", "tests"}
