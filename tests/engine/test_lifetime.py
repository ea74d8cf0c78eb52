"""Shared memory of killed engines is removed; that of living ones and of others is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from chexone_ray.engine import lifetime


def dead_process() -> int:
    """The id of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


def test_shared_file_is_removed_and_named_after_its_owner(tmp_path: Path) -> None:
    with lifetime.shared_file(tmp_path) as path:
        assert path.exists()
        assert f"-{os.getpid()}-" in path.name
        assert lifetime.sweep(tmp_path) == 0
        assert path.exists()
    assert list(tmp_path.iterdir()) == []


def test_sweep_takes_only_what_dead_engines_noted(tmp_path: Path) -> None:
    dead = dead_process()
    for name in ("psm_dead", "psm_other", "sem.mp-dead"):
        (tmp_path / name).write_bytes(b"x")
    note = tmp_path / f"chexone-engine-{dead}-123.json"
    note.write_text(json.dumps(["psm_dead", "sem.mp-dead", "../outside"]))
    (tmp_path / f"chexone-weights-{dead}-123-abc").write_bytes(b"x")
    lifetime.note_segments(tmp_path)
    assert lifetime.sweep(tmp_path) == 3
    left = {path.name for path in tmp_path.iterdir()}
    assert "psm_other" in left
    assert left - {"psm_other"} == {path.name for path in tmp_path.glob("chexone-engine-*")}
    lifetime.forget_segments(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"psm_other"}


def test_notes_what_this_process_maps() -> None:
    from multiprocessing import get_context, shared_memory

    lock = get_context("spawn").Lock()
    memory = shared_memory.SharedMemory(create=True, size=64)
    try:
        names = lifetime.note_segments()
        semaphore = f"sem.{lock._semlock.name.strip('/')}"  # type: ignore[attr-defined]
        assert {memory.name, semaphore} <= set(names)
    finally:
        del lock  # unlinks its own file
        lifetime.forget_segments()
        memory.close()
    assert not (lifetime.SHARED / memory.name).exists()


def test_a_process_id_used_again_is_not_taken_for_the_engine(tmp_path: Path) -> None:
    stale = tmp_path / f"chexone-engine-{os.getpid()}-1.json"
    stale.write_text("[]")
    lifetime.sweep(tmp_path)
    assert not stale.exists()


def test_child_ends_with_its_parent(tmp_path: Path) -> None:
    child = (
        "import time; from pathlib import Path; from chexone_ray.engine import lifetime;"
        "lifetime.watch_parent(); import os;"
        f"Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); time.sleep(60)"
    )
    parent = (
        "import os, subprocess, sys, time;"
        f"os.environ[{lifetime.WATCH!r}] = str(os.getpid());"
        f"subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    end = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    pid = int((tmp_path / "pid").read_text())
    process.kill()
    process.wait()
    while Path(f"/proc/{pid}/exe").exists():
        assert time.monotonic() < end, "the child outlived its parent"
        time.sleep(0.1)
