"""What a user runs on a cluster of `ray start`: a stage by `ray job submit`, and `serve run`."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
import yaml

from chexone_ray import images, storage
from tests.children import INTERRUPTIBLE

ROOT = Path(__file__).parents[1]
RAY, SERVE = (str(Path(sys.executable).parent / name) for name in ("ray", "serve"))
NUM_CPUS = 2
START_TIMEOUT_S = 120
SERVE_TIMEOUT_S = 400
STOP_TIMEOUT_S = 60
SUBMIT_ATTEMPTS = 30
JOB_TIMEOUT_S = 400


@dataclass(frozen=True)
class Cluster:
    """A running head node and the environment of its clients."""

    address: str
    dashboard: str
    environment: dict[str, str]

    def submit(self, *entrypoint: str) -> subprocess.CompletedProcess[str]:
        """`ray job submit --working-dir . -- ENTRYPOINT`, waiting for its end."""
        submit = [RAY, "job", "submit", "--address", self.dashboard, "--working-dir", "."]
        return subprocess.run(
            [*submit, "--", *entrypoint],
            capture_output=True,
            text=True,
            timeout=JOB_TIMEOUT_S,
            cwd=ROOT,
            env=self.environment,
        )


def _ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def cluster(s3: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """`ray start --head --block` on ports of its own; ended by its own handle."""
    tmp_path = tmp_path_factory.mktemp("cluster")
    gcs, dashboard, client, agent = _ports(4)
    dropped = ("RAY_ADDRESS", "PYTHONPATH")
    environment = {k: v for k, v in os.environ.items() if k not in dropped}
    # Said aloud: Ray turns token authentication on by itself where a token file lies about.
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(16).hex()}
    # The entry point is plain `python`, as in an activated environment.
    environment["PATH"] = f"{Path(RAY).parent}{os.pathsep}{environment['PATH']}"
    # Sockets have short paths: pytest's own temporary folder is too deep.
    folder = Path("/tmp") / f"chexone-ray-{os.getpid()}"
    command = [RAY, "start", "--head", "--block", "--node-ip-address", "127.0.0.1"]
    command += ["--port", str(gcs), "--ray-client-server-port", str(client)]
    command += ["--dashboard-host", "127.0.0.1", "--dashboard-port", str(dashboard)]
    # The agent's usual port belongs to whichever Ray of this machine came first; without a port it
    # lives on and takes no jobs.
    command += ["--dashboard-agent-listen-port", str(agent)]
    # What `ray start --head` offers on the smallest machine that the debug settings are for.
    command += ["--num-cpus", str(NUM_CPUS), "--object-store-memory", "300000000"]
    command += ["--temp-dir", str(folder), "--disable-usage-stats"]
    with (tmp_path / "head.log").open("wb") as log:
        head = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path)
        try:
            address = f"http://127.0.0.1:{dashboard}"
            _wait_for_jobs(head, address, environment, tmp_path / "head.log")
            yield Cluster(f"127.0.0.1:{gcs}", address, environment)
        finally:
            head.terminate()
            try:
                head.wait(60)
            except subprocess.TimeoutExpired:
                head.kill()
                head.wait(30)
            shutil.rmtree(folder, ignore_errors=True)


def _wait_for_jobs(
    head: subprocess.Popen[bytes], address: str, environment: dict[str, str], log: Path
) -> None:

    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert head.poll() is None, log.read_text()[-2000:]
        listed = subprocess.run(
            [RAY, "job", "list", "--address", address],
            capture_output=True,
            timeout=START_TIMEOUT_S,
            env=environment,
        )
        if listed.returncode == 0:
            return
        time.sleep(1)
    raise AssertionError(f"no job server at {address}:\n{log.read_text()[-2000:]}")


@pytest.mark.slow
def test_sft_runs_as_a_submitted_job(
    cluster: Cluster, s3: Any, manifest_uri: str, tiny_model_uri: str
) -> None:
    output_uri = s3.folder("job-sft")
    job = ["python", "jobs/sft.py", "--config", "jobs/configs/sft.debug.toml"]
    uris = ["--output_uri", output_uri, "--manifest_uri", manifest_uri]
    # The job server answers a little before the node's agent has reported to it.
    for _ in range(SUBMIT_ATTEMPTS):
        done = cluster.submit(*job, *uris, "--model_uri", tiny_model_uri, "--max_steps", "4")
        said = done.stdout + done.stderr
        if "No available agent" not in said:
            break
        time.sleep(1)
    assert done.returncode == 0, said[-4000:]
    model_uri = storage.join(output_uri, "model")
    assert model_uri in done.stdout.split(), "the job prints where its result is"
    assert storage.committed(model_uri) is not None
    lines = storage.read_bytes(storage.join(output_uri, "metrics.jsonl")).decode().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]
    recorded = storage.read_json(f"{output_uri}/config.json")
    assert recorded["output_uri"] == output_uri and recorded["ray"]["address"] == "auto"


def test_a_job_refuses_an_unknown_flag() -> None:
    job = [sys.executable, "jobs/sft.py", "--config", "jobs/configs/sft.debug.toml"]
    refused = subprocess.run(
        [*job, "--optim.lrr", "3"],
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert refused.returncode != 0
    assert "--optim.lrr: unknown setting" in refused.stderr and "Traceback" not in refused.stderr


@pytest.mark.slow
def test_serve_run_answers_a_streamed_question(
    cluster: Cluster, tiny_model_uri: str, tmp_path: Path
) -> None:
    from openai import OpenAI

    config = yaml.safe_load((ROOT / "serve" / "serve_config.debug.yaml").read_text())
    (port,) = _ports(1)
    config["http_options"]["port"] = port
    config["applications"][0]["args"]["model_uri"] = tiny_model_uri
    path = tmp_path / "serve_config.yaml"
    path.write_text(yaml.safe_dump(config))
    with (tmp_path / "serve.log").open("wb") as log:
        served = subprocess.Popen(
            [
                *INTERRUPTIBLE,
                SERVE,
                "run",
                "--working-dir",
                ".",
                "--address",
                cluster.address,
                str(path),
            ],
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env=cluster.environment,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(served, url, tmp_path / "serve.log")
        film = base64.b64encode(images.to_png(np.full((112, 112, 3), 90, dtype=np.uint8))).decode()
        content: list[Any] = [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{film}"}},
            {"type": "text", "text": "Which view is this?"},
        ]
        with OpenAI(base_url=f"{url}/v1", api_key="none", timeout=120) as client:
            chunks = list(
                client.chat.completions.create(
                    model="chexone",
                    messages=[{"role": "user", "content": content}],
                    max_tokens=64,
                    temperature=0,
                    stream=True,
                )
            )
        # On a busy machine several tokens come in one chunk, but not all of them.
        assert len([c for c in chunks if c.choices and c.choices[0].delta.content]) >= 2
    finally:
        served.send_signal(signal.SIGINT)
        try:
            served.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            served.kill()
            served.wait(STOP_TIMEOUT_S)
            raise


def _wait_until_healthy(served: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + SERVE_TIMEOUT_S
    while time.monotonic() < deadline:
        assert served.poll() is None, log.read_text()[-2000:]
        try:
            with urlopen(f"{url}/health", timeout=10) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(1)
    raise AssertionError(f"{url}/health does not answer:\n{log.read_text()[-2000:]}")
