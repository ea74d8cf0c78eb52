"""The local S3 server: starts on its own port, stops by handle, dies with its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from chexone_ray.s3_server import LocalS3


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _gone(port: int, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while _answers(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not _answers(port)


def test_two_servers_run_side_by_side_and_stop(tmp_path: Path) -> None:
    with LocalS3(tmp_path / "a") as first, LocalS3(tmp_path / "b") as second:
        assert first.port != second.port
        assert first.environment()["AWS_ACCESS_KEY_ID"] != second.environment()["AWS_ACCESS_KEY_ID"]
        assert _answers(first.port) and _answers(second.port)
    assert _gone(first.port, 5) and _gone(second.port, 5)
    first.stop()


def test_a_killed_parent_takes_the_server_with_it(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from chexone_ray.s3_server import LocalS3\n"
        "server = LocalS3(pathlib.Path(sys.argv[1])).start()\n"
        "print(server.port, flush=True)\n"
        "time.sleep(120)\n"
    )
    root = str(Path(__file__).parents[1])
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    assert _answers(port)
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    assert _gone(port, 10)
