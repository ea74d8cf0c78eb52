"""Thousands of damaged files: each decodes or is an ImageError, within bounds of time and memory.

In a process of its own, because what is looked for is a decoder that takes its process down.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.damage import KINDS

ROOT = Path(__file__).parents[1]
NUM_MUTANTS = 400


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_never_crash(kind: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.damage", kind, "0", str(NUM_MUTANTS)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    result = json.loads(run.stdout.splitlines()[-1])
    assert sum(result["counts"].values()) == NUM_MUTANTS
    assert result["counts"].get("decoded", 0) < NUM_MUTANTS
    assert len(result["counts"]) >= 2
    assert result["slowest_s"] < 20
