"""Joining Ray: a local one with the environment that workers need, errors on their way out."""

from __future__ import annotations

import os
from typing import Any

import pytest

from chexone_ray import cli, runtime, storage
from chexone_ray.config import RayConfig
from chexone_ray.errors import ChexoneError


@pytest.mark.slow
def test_workers_reach_the_storage_of_the_driver(s3: Any, ray_local: None) -> None:
    import ray

    uri = s3.folder("from-worker/x")

    @ray.remote
    def write() -> str:
        storage.write_bytes(uri, b"from a worker")
        return os.environ["AWS_REQUEST_CHECKSUM_CALCULATION"]

    assert ray.get(write.remote(), timeout=120) == "when_required"
    assert storage.read_bytes(uri) == b"from a worker"
    assert ray.cluster_resources()["CPU"] == 8
    runtime.join(RayConfig())  # joined already: no effect


@pytest.mark.slow
def test_user_errors_of_tasks_and_datasets_end_with_code_2(
    ray_local: None, capsys: pytest.CaptureFixture[str]
) -> None:
    import ray

    def fail(_row: Any) -> Any:
        raise ChexoneError("film=a.dcm is empty: remove it")

    task = ray.remote(fail)
    assert cli.guarded(lambda: int(ray.get(task.remote(1), timeout=120))) == 2
    assert cli.guarded(lambda: len(ray.data.range(4).map(fail).take_all())) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines.count("chexone: film=a.dcm is empty: remove it") == 2
