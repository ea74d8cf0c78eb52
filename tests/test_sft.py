"""SFT end to end: Ray Train, two ranks, ZeRO-2, images from S3, and a run that dies in between."""

from __future__ import annotations

import io
import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from chexone_ray import sft, storage
from chexone_ray.config import OptimConfig, SftConfig, loader
from chexone_ray.downloads import download
from chexone_ray.errors import ChexoneError
from chexone_ray.training import checkpoint
from chexone_ray.training.launch import Mailbox, fit

STEPS, SAVED_AT, DIES_AT = 8, 4, 6
DEBUG = Path(__file__).parents[1] / "jobs" / "configs" / "sft.debug.toml"
pytestmark = pytest.mark.slow


def settings(model_uri: str, manifest_uri: str, output_uri: str) -> SftConfig:
    config = loader.load(SftConfig, loader.Arguments(config=(DEBUG,)))
    return config.model_copy(
        update={
            "model_uri": model_uri,
            "manifest_uri": manifest_uri,
            "output_uri": output_uri,
            "max_steps": STEPS,
            "optim": OptimConfig(
                lr=3e-3, vision_lr_scale=0.1, vision_freeze_steps=2, warmup_ratio=0.1
            ),
            "trainer": config.trainer.model_copy(
                update={
                    "num_workers": 2,
                    "zero_stage": 2,
                    "packs_per_step": 2,
                    "pack_tokens": 400,
                    "save_steps": SAVED_AT,
                    "log_steps": 1,
                    "max_failures": 1,
                }
            ),
        }
    )


def dying_loop(run: dict[str, Any], mailbox: Mailbox) -> str:
    """The loop of SFT, whose first rank ends like a killed process at one step, once."""
    add = checkpoint.MetricLog.add

    def add_or_die(self: Any, step: int, row: Any) -> None:
        if step == DIES_AT and not storage.exists(run["marker"]):
            storage.write_bytes(run["marker"], b"died")
            os._exit(9)
        add(self, step, row)

    checkpoint.MetricLog.add = add_or_die  # type: ignore[method-assign]
    try:
        return sft.loop(run, mailbox)
    finally:
        checkpoint.MetricLog.add = add  # type: ignore[method-assign]


def refusing_loop(run: dict[str, Any], mailbox: Mailbox) -> None:
    """A loop that meets an error of the user, and leaves a file for each time it is entered."""
    storage.write_bytes(storage.join(run["entered"], uuid.uuid4().hex), b"")
    raise ChexoneError("max_length=24 is too short: raise it")


def weights(uri: str) -> dict[str, Any]:
    from safetensors.torch import load

    return dict(load(storage.read_bytes(storage.join(uri, "model.safetensors"))))


def rows(output_uri: str) -> list[dict[str, Any]]:
    text = storage.read_bytes(storage.join(output_uri, "metrics.jsonl")).decode()
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def straight(s3: Any, ray_local: None, tiny_model_uri: str, manifest_uri: str) -> SftConfig:
    """The settings of a run that nothing interrupted."""
    config = settings(tiny_model_uri, manifest_uri, s3.folder("sft-straight"))
    assert sft.train(config) == storage.join(config.output_uri, "model")
    return config


def test_the_loss_falls_and_the_checkpoint_loads(straight: SftConfig) -> None:
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    found = rows(straight.output_uri)
    assert [row["step"] for row in found] == list(range(1, STEPS + 1))
    assert found[-1]["sft/loss"] < 0.8 * found[0]["sft/loss"]
    assert any(name.startswith("sft/nll_") for name in found[0])
    assert storage.list_files(storage.join(straight.output_uri, "tensorboard"))
    uri = checkpoint.model_uri(straight.output_uri)
    info = storage.committed(uri)
    assert info is not None and info["steps"] == STEPS
    folder = download(uri)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    saved = weights(uri)
    assert "lm_head.weight" not in saved  # tied to the embedding
    assert torch.equal(
        model.lm_head.weight, next(v for k, v in saved.items() if k.endswith("embed_tokens.weight"))
    )
    before = weights(straight.model_uri)
    moved = [name for name, value in saved.items() if not torch.equal(value, before[name])]
    assert len(moved) == len(saved)
    assert AutoProcessor.from_pretrained(folder).tokenizer.chat_template


def test_a_finished_run_is_not_repeated(straight: SftConfig) -> None:
    uri = checkpoint.model_uri(straight.output_uri)
    before = storage.committed(uri)
    assert sft.train(straight) == uri
    assert storage.committed(uri) == before
    with pytest.raises(ChexoneError, match=r"other settings or inputs \(max_steps\)"):
        sft.train(straight.model_copy(update={"max_steps": 9}))


def test_a_killed_run_goes_on_bit_equal(straight: SftConfig, s3: Any) -> None:
    import ray
    import torch

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    config = straight.model_copy(update={"output_uri": s3.folder("sft-killed")})
    marker = s3.folder("sft-killed-marker")
    run = fit(
        dying_loop,
        config.trainer,
        "sft-killed",
        {"config": config, "run": checkpoint.identity(config), "marker": marker},
    )
    uri = run.result(timeout_s=400)
    assert storage.exists(marker)
    assert [row["step"] for row in rows(config.output_uri)] == list(range(1, STEPS + 1))
    expected = rows(straight.output_uri)
    for ours, theirs in zip(rows(config.output_uri), expected, strict=True):
        assert ours["sft/loss"] == theirs["sft/loss"]
    ours, theirs = weights(uri), weights(checkpoint.model_uri(straight.output_uri))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name
    # After the last step comes the model itself, not a state that a rerun would train on from.
    assert [step for step, _ in checkpoint.states(config.output_uri)] == [SAVED_AT]


def test_old_states_are_removed(s3: Any) -> None:
    uri = s3.folder("sft-states")
    for step in (5, 10, 100):
        place = storage.join(uri, "state", f"step-{step}")
        storage.write_bytes(storage.join(place, "part.bin"), io.BytesIO(b"x").getvalue())
        storage.commit(place, {"step": step})
    storage.write_bytes(storage.join(uri, "state", "step-200", "part.bin"), b"half")
    assert [step for step, _ in checkpoint.states(uri)] == [5, 10, 100]
    checkpoint.remove_old_states(uri, keep=2)
    assert [step for step, _ in checkpoint.states(uri)] == [10, 100]
    assert not storage.exists(storage.join(uri, "state", "step-5"))


def test_an_error_of_the_user_is_raised_without_a_restart(s3: Any, ray_local: None) -> None:
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    entered = s3.folder("sft-refused")
    trainer = settings("m", "n", "o").trainer.model_copy(update={"num_workers": 1})
    run = fit(refusing_loop, trainer, "sft-refused", {"entered": entered})
    with pytest.raises(ChexoneError, match="max_length=24 is too short"):
        run.result(timeout_s=400)
    run.stop()
    assert len(storage.list_files(entered)) == 1
