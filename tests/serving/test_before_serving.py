"""What `chexone serve` refuses and asks of the cluster before anything starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from chexone_ray import checkpoints
from chexone_ray.config import EngineConfig, ServeConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.serving import openai as serving
from chexone_ray.serving import resources


def test_a_port_in_use_is_refused_before_anything_starts(tiny_folder: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ChexoneError, match=rf"port {port} .* is in use: .*--port"):
            serving.check(ServeConfig(model_uri=tiny_folder, port=port))
    serving.check(ServeConfig(model_uri=tiny_folder, port=port))


def test_a_prompt_longer_than_the_model_was_made_for_is_refused(tiny_folder: str) -> None:
    limit = checkpoints.max_length(tiny_folder)
    assert limit is not None
    engine = EngineConfig(max_model_len=limit + 1)
    with pytest.raises(ChexoneError, match=f"max_model_len={limit + 1} is above the {limit} "):
        serving.check(ServeConfig(model_uri=tiny_folder, port=0, engine=engine))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChexoneError, match=r"holds no config\.json"):
        serving.check(ServeConfig(model_uri=str(tmp_path), port=0))


def test_placement_of_a_replica() -> None:
    cpu = EngineConfig(num_gpus=0, num_cpus=2)
    assert resources.bundles(cpu) == [{"CPU": 2}]
    assert resources.bundles(EngineConfig(num_gpus=0.5)) == [{"CPU": 1, "GPU": 0.5}]
    pair = EngineConfig(num_gpus=2, tensor_parallel=2)
    assert resources.bundles(pair) == [{"CPU": 1, "GPU": 1}, {"GPU": 1}]


def test_the_reason_in_a_traceback_of_serve() -> None:
    trace = (
        "Traceback (most recent call last):\n  File x\n"
        "chexone_ray.errors.ChexoneError: s3://b/m holds no config.json: give a folder\n"
        "RuntimeError: later\n"
    )
    assert serving._reason([trace, "app failed"]).startswith("s3://b/m holds no config.json")
    assert serving._reason(["x\nRuntimeError: no memory\n"]) == "RuntimeError: no memory"
    assert serving._reason(["gone"]) == "gone"
    assert serving._reason([]) == "no reason given"
