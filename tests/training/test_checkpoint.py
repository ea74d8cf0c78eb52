"""Identity of a run, the final model's folder and the metric log, on local folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chexone_ray import storage
from chexone_ray.config import GrpoConfig, ImageConfig, PromptConfig, SftConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.grpo import driver
from chexone_ray.training import checkpoint


@pytest.fixture
def uris(tmp_path: Path) -> dict[str, str]:
    """A model folder, a manifest and a place for the run."""
    storage.write_bytes(str(tmp_path / "model" / "config.json"), b"{}")
    storage.write_bytes(str(tmp_path / "model" / "model.safetensors"), b"weights")
    storage.commit(str(tmp_path / "manifest"), {"sha256": "rows"})
    names = {"output_uri": "run", "model_uri": "model", "manifest_uri": "manifest"}
    return {key: str(tmp_path / name) for key, name in names.items()}


IDENTITIES: list[Callable[[dict[str, str]], dict[str, Any]]] = [
    lambda uris: checkpoint.identity(SftConfig(**uris)),  # type: ignore[arg-type]
    lambda uris: driver.identity(GrpoConfig(**uris)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("identity", IDENTITIES, ids=["sft", "grpo"])
def test_other_inputs_at_the_same_uri_are_another_run(
    uris: dict[str, str], identity: Callable[[dict[str, str]], dict[str, Any]]
) -> None:
    run = identity(uris)
    assert not checkpoint.finished(uris["output_uri"], run)
    storage.commit(checkpoint.model_uri(uris["output_uri"]), {"run": run})
    assert checkpoint.finished(uris["output_uri"], identity(uris))
    storage.write_bytes(storage.join(uris["model_uri"], "model.safetensors"), b"others")
    with pytest.raises(ChexoneError, match=r"\(model_digest\)"):
        checkpoint.finished(uris["output_uri"], identity(uris))
    storage.write_bytes(storage.join(uris["model_uri"], "model.safetensors"), b"weights")
    storage.commit(uris["manifest_uri"], {"sha256": "other rows"})
    with pytest.raises(ChexoneError, match=r"\(manifest\)"):
        checkpoint.finished(uris["output_uri"], identity(uris))


def test_the_state_of_another_run_is_told_before_anything_starts(tmp_path: Path) -> None:
    storage.commit(str(tmp_path / "state" / "step-5"), {"run": {"seed": 1}})
    assert not checkpoint.finished(str(tmp_path), {"seed": 1})
    with pytest.raises(ChexoneError, match=r"step-5 .*\(seed\)"):
        checkpoint.finished(str(tmp_path), {"seed": 2})


class Saved:
    """What has a `save_pretrained` that writes one file."""

    def __init__(self, name: str) -> None:
        self.name = name

    def save_pretrained(self, folder: Path, **_: object) -> None:
        (Path(folder) / self.name).write_text("new")


def test_the_model_replaces_what_an_interrupted_writer_left(tmp_path: Path) -> None:
    old = storage.join(checkpoint.model_uri(str(tmp_path)), "model-00002-of-00002.safetensors")
    storage.write_bytes(old, b"half")
    trainer = SimpleNamespace(model=Saved("model.safetensors"), is_world_process_zero=lambda: True)
    uri = checkpoint.save_model(
        trainer,
        Saved("tokenizer.json"),
        str(tmp_path),
        prompts=PromptConfig(),
        images=ImageConfig(),
        info={"steps": 3},
    )
    names = {place.rpartition("/")[2] for place in storage.list_files(uri)}
    assert names == {"model.safetensors", "tokenizer.json", "chexone.json", storage.COMMIT_FILE}
    assert (storage.committed(uri) or {})["steps"] == 3


def test_the_steps_after_the_resumed_one_are_forgotten(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    place = str(tmp_path)
    first = checkpoint.MetricLog(place)
    for step in (1, 2, 3, 4):
        first.add(step, {"loss": 10.0 + step})
    first.close()
    second = checkpoint.MetricLog(place, 2)
    second.add(3, {"loss": 23.0})
    second.add(4, {"loss": 24.0})
    second.rewind(3)
    second.add(4, {"loss": 34.0})
    second.close()
    values = [11.0, 12.0, 23.0, 34.0]
    lines = (tmp_path / checkpoint.METRICS).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": step, "loss": value} for step, value in enumerate(values, start=1)
    ]
    events = EventAccumulator(str(tmp_path / checkpoint.TENSORBOARD))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == list(enumerate(values, start=1))
