"""The local S3 server: starts on its own port, stops by handle, dies with its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3.session
import botocore.exceptions
import pytest

from chexone_ray.s3_server import LocalS3
from tests.children import INTERRUPTIBLE


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


def test_the_key_is_asked_for_and_on_no_command_line(tmp_path: Path) -> None:
    with LocalS3(tmp_path) as server:
        server.create_bucket("films")
        variables = server.environment()
        assert server._process is not None
        line = Path(f"/proc/{server._process.pid}/cmdline").read_bytes().decode()
        assert "rclone" in line and str(server.port) in line
        assert variables["AWS_SECRET_ACCESS_KEY"] not in line
        assert variables["AWS_ACCESS_KEY_ID"] not in line
        with pytest.raises(urllib.error.HTTPError, match=r"HTTP Error 4\d\d"):
            urllib.request.urlopen(f"{server.url}/films?list-type=2", timeout=10)
        assert _buckets(variables) == ["films"]
        with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
            _buckets(variables | {"AWS_SECRET_ACCESS_KEY": "0" * 32})


def _buckets(variables: dict[str, str]) -> list[str]:
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    return [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]


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


def test_a_folder_is_served_from_the_command_line_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    command = [sys.executable, "-m", "chexone_ray.s3_server"]
    root = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        [*INTERRUPTIBLE, *command, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().split() for _ in LocalS3(tmp_path).environment()]
        assert {line[0] for line in lines} == {"export"}
        variables = dict(line[1].split("=", 1) for line in lines)
        assert _buckets(variables) == ["films"]
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(15)
    assert code == 0 and _gone(int(variables["AWS_ENDPOINT_URL"].rpartition(":")[2]), 5)
    assert subprocess.run(command, capture_output=True, timeout=60, cwd=root).returncode == 2
