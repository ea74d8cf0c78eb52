"""GRPO end to end on one machine: real engine, real Ray Train and DeepSpeed, tiny model."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from chexone_ray import checkpoints, storage
from chexone_ray.config import (
    EngineConfig,
    GrpoConfig,
    ImageConfig,
    OptimConfig,
    PromptConfig,
    RayConfig,
    RewardConfig,
    SamplingConfig,
    TrainerConfig,
)
from chexone_ray.data import manifest
from chexone_ray.errors import ChexoneError
from chexone_ray.grpo import driver
from chexone_ray.training import checkpoint
from tests.samples import sample

PROMPTS = PromptConfig(system="", suffix="Reason step by step.")

STEPS = 4
TOLERANCE = 1e-4
"""Between log-probs of trainer and engine, float32; weights one step old differ by far more."""


def make_config(engine: EngineConfig, images: ImageConfig, **uris: str) -> GrpoConfig:
    return GrpoConfig(
        **uris,
        steps=STEPS,
        prompts_per_step=4,
        max_refills=1,
        beta=0.01,
        sampling=SamplingConfig(n=4, temperature=1.0, max_tokens=40, seed=3),
        images=images,
        prompts=PROMPTS,
        optim=OptimConfig(lr=3e-4, vision_lr_scale=0.0, warmup_ratio=0.0, schedule="constant"),
        trainer=TrainerConfig(
            num_workers=2,
            use_gpu=False,
            cpus_per_worker=1,
            threads=1,
            dtype="float32",
            attention="sdpa",
            zero_stage=2,
            gradient_checkpointing=False,
            pack_tokens=512,
            max_length=320,
            packs_per_step=3,
            save_steps=1,
            log_steps=1,
            start_timeout_s=400,
        ),
        engine=engine,
        ray=RayConfig(address="local"),
    )


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"engine": EngineConfig(max_model_len=9000)}, "engine.max_model_len=9000"),
        ({"sampling": SamplingConfig(n=4, temperature=1.0, max_tokens=4096)}, "max_tokens=4096"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], match: str) -> None:
    config = GrpoConfig(output_uri="o", model_uri="m", manifest_uri="n", **changes)
    with pytest.raises(ChexoneError, match=match):
        driver.check(config)


def test_rows_without_a_reward_are_refused_before_anything_starts(tmp_path: Path) -> None:
    row = sample("view_matching", "yes", task="View Matching")
    manifest.write_samples(str(tmp_path), [row], {"seed": 1})
    config = GrpoConfig(output_uri="o", model_uri="m", manifest_uri=str(tmp_path))
    assert list(driver._samples(config)) == [row]
    published = config.model_copy(update={"rewards": RewardConfig(rules="original", report=0)})
    with pytest.raises(ChexoneError, match=r"1 rows of the tasks \{'View Matching': 1\}"):
        driver._samples(published)


class Interrupted(Exception):
    """Stands for whatever ends a driver between two steps."""


@pytest.mark.slow
def test_a_run_survives_the_loss_of_its_driver_and_of_a_worker(
    s3: Any,
    pool: Any,
    answering_model_uri: str,
    manifest_uri: str,
    engine_config: EngineConfig,
    image_config: ImageConfig,
) -> None:
    config = make_config(
        engine_config,
        image_config,
        output_uri=s3.folder("grpo"),
        model_uri=answering_model_uri,
        manifest_uri=manifest_uri,
    )
    first: list[dict[str, Any]] = []

    def interrupt(row: dict[str, Any]) -> None:
        first.append(row)
        if row["step"] == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        driver.train(config, pool, on_row=interrupt)
    assert [step for step, _ in checkpoint.states(config.output_uri)][-1] == 2

    second: list[dict[str, Any]] = []
    lost = pool.counts["engines_lost"]

    def lose_a_worker(row: dict[str, Any]) -> None:
        second.append(row)
        if row["step"] == 3:
            os.kill(min(processes("ray::RayTrainWorker")), signal.SIGKILL)

    uri = driver.train(config, pool, on_row=lose_a_worker)
    # Ray Train starts a new worker group, which reports step 3 again, and the loop goes on there.
    # The weights of step 3 were gone before any engine had them, and that costs no engine.
    assert pool.counts["engines_lost"] == lost
    assert [row["step"] for row in first + second] == [1, 2, 3, 4]
    place = storage.join(config.output_uri, checkpoint.METRICS)
    kept = [json.loads(line) for line in storage.read_bytes(place).decode().splitlines()]
    assert [row["step"] for row in kept] == [1, 2, 3, 4]

    for row in first + second:
        # Rollouts of step k carry version k - 1, and the trainer at k - 1 gives the same
        # log-probs: before any push (step 1) and after each of them, also after the resume.
        assert row["grpo/staleness_max"] == 0
        assert row["grpo/behaviour_gap"] < TOLERANCE
        assert row["grpo/num_failed_prompts"] == 0
    assert first[0]["grpo/kl"] == pytest.approx(0.0, abs=1e-6)
    assert second[-1]["grpo/kl"] > 1e-5, "the policy has not moved"
    assert any(row["grpo/grad_norm"] > 0 for row in first + second)

    assert pool.model_uri == uri and pool.version == STEPS
    assert_same_log_probs(config, pool, uri)
    assert_tower_unchanged(uri, answering_model_uri)
    start = time.monotonic()
    assert driver.train(config, pool) == uri
    assert time.monotonic() - start < 10


def processes(name: str) -> list[int]:
    """Processes called `name` that this test run has started."""
    mark = f"CHEXONE_TEST_RUN={os.environ['CHEXONE_TEST_RUN']}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().decode()
            if command.startswith(name) and mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def assert_same_log_probs(config: GrpoConfig, pool: Any, uri: str) -> None:
    """Engine and trainer give the tokens of fresh rollouts the same log-probs, token by token."""
    import torch
    from transformers import AutoProcessor

    from chexone_ray import images
    from chexone_ray.data.stream import read_samples
    from chexone_ray.engine.requests import RequestMaker
    from chexone_ray.training import forward
    from chexone_ray.training.packing import Pack, VisionLayout, collate, document
    from chexone_ray.training.trainer import MODEL_INPUTS

    folder = checkpoints.model_folder(uri)
    processor = AutoProcessor.from_pretrained(folder)
    model = forward.load_model(folder, dtype="float32", attention="sdpa").eval()
    maker = RequestMaker(uri, config.images, config.prompts)
    requests = maker.make(read_samples(config.manifest_uri, "train", (), 1))
    rollouts = pool.generate(requests, config.sampling)
    compared = 0
    for request, rollout in zip(requests, rollouts, strict=True):
        pictures = [images.from_png(png) for png in request.images]  # type: ignore[union-attr]
        for completion in rollout.completions:
            one = document(
                processor,
                request.prompt,  # type: ignore[union-attr]
                completion_ids=completion.token_ids,
                images=pictures,
            )
            prompt = one.num_tokens - len(completion.token_ids)
            assert tuple(one.input_ids[:prompt]) == rollout.prompt_token_ids
            batch = collate(Pack((one,)), VisionLayout.of(processor))
            with torch.no_grad():
                scored = model(**{k: v for k, v in batch.items() if k in MODEL_INPUTS})
            ours = scored.log_probs[0, prompt - 1 :]
            assert (ours - torch.tensor(completion.logprobs)).abs().max() < TOLERANCE
            assert completion.weight_version == STEPS
            compared += len(ours)
    assert compared > 100


def assert_tower_unchanged(uri: str, start_uri: str) -> None:
    """The frozen vision tower is bit-equal to the start, the language model is not."""
    import torch
    from safetensors.torch import load_file

    new, old = (
        load_file(Path(checkpoints.model_folder(place)) / "model.safetensors")
        for place in (uri, start_uri)
    )
    assert new.keys() == old.keys()
    frozen = [n for n in new if "visual." in n and "merger." not in n]
    assert frozen and all(torch.equal(new[name], old[name]) for name in frozen)
    assert any(not torch.equal(new[name], old[name]) for name in new if "layers" in name)
