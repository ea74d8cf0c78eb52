"""The process that decodes JPEG Lossless and JPEG-LS: its life, its death, its patience."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import JPEGLosslessSV1

from chexone_ray.films import gdcm_process
from tests.films import SHAPE, film, gdcm_encoded, ramp
from tests.films import frame as frame_of


@pytest.fixture(scope="module")
def frame() -> bytes:
    return frame_of(gdcm_encoded(film(ramp()), JPEGLosslessSV1))


@pytest.fixture(autouse=True)
def fresh_children(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """No idle child from elsewhere; the list holds every child that the test starts."""
    started: list[Any] = []
    start = gdcm_process._start

    def recorded() -> Any:
        started.append(start())
        return started[-1]

    monkeypatch.setattr(gdcm_process, "_children", {})
    monkeypatch.setattr(gdcm_process, "_start", recorded)
    return started


def decode(frame: bytes) -> np.ndarray:
    data = gdcm_process.decode(
        frame,
        columns=SHAPE[1],
        rows=SHAPE[0],
        bits_allocated=16,
        bits_stored=12,
        signed=False,
        photometric="MONOCHROME2",
        syntax=str(JPEGLosslessSV1),
    )
    return np.frombuffer(data, np.uint16).reshape(SHAPE)


def test_one_child_serves_many_frames(frame: bytes, fresh_children: list[Any]) -> None:
    for _ in range(5):
        np.testing.assert_array_equal(decode(frame), ramp())
    with pytest.raises(gdcm_process.ChildError, match="refused"):
        decode(b"no frame")
    np.testing.assert_array_equal(decode(frame), ramp())
    assert len(fresh_children) == 1


def test_a_child_that_died_is_replaced(frame: bytes, fresh_children: list[Any]) -> None:
    decode(frame)
    os.kill(fresh_children[0].pid, signal.SIGKILL)
    fresh_children[0].wait(timeout=10)
    np.testing.assert_array_equal(decode(frame), ramp())
    assert len(fresh_children) == 2


def test_a_child_that_hangs_is_ended(
    frame: bytes, fresh_children: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    decode(frame)
    os.kill(fresh_children[0].pid, signal.SIGSTOP)
    monkeypatch.setattr(gdcm_process, "TIMEOUT_S", 0.5)
    with pytest.raises(gdcm_process.ChildError, match="died"):
        decode(frame)
    monkeypatch.setattr(gdcm_process, "TIMEOUT_S", 60.0)
    np.testing.assert_array_equal(decode(frame), ramp())


def test_an_idle_child_leaves(frame: bytes, fresh_children: list[Any]) -> None:
    decode(frame)
    assert fresh_children[0].wait(timeout=gdcm_process.IDLE_S + 30) == 0
    np.testing.assert_array_equal(decode(frame), ramp())
    assert len(fresh_children) == 2


def test_a_child_ends_with_its_parent(frame: bytes, tmp_path: Path) -> None:
    """Even where the parent is killed: its end of the pipe closes."""
    import subprocess
    import sys

    code = (
        "import os, sys, signal; sys.path.insert(0, sys.argv[1])\n"
        "from chexone_ray.films import gdcm_process as g\n"
        "child = g._start(); print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = str(Path(__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-c", code, root], capture_output=True, text=True, timeout=60
    )
    child = Path("/proc") / run.stdout.strip()
    deadline = time.monotonic() + 20
    while child.exists() and time.monotonic() < deadline:
        if "\nState:\tZ" in (child / "status").read_text():
            break
        time.sleep(0.1)
    else:
        assert not child.exists()
