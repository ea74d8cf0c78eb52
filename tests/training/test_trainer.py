"""The trainer in one process: its step equals one worked out with plain torch."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from chexone_ray.config import OptimConfig, TrainerConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.training import schedule
from chexone_ray.training.checkpoint import full_state
from chexone_ray.training.packing import IGNORE, Document, Pack, VisionLayout, collate
from chexone_ray.training.trainer import (
    MODEL_INPUTS,
    PackedTrainer,
    deepspeed_config,
    merge_rows,
    negative_log_likelihood,
    per_document,
)


@pytest.fixture(scope="session", autouse=True)
def one_process_group() -> Iterator[None]:
    """A gloo group of one, which DeepSpeed needs."""
    import torch.distributed as dist

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    values = {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "DS_ACCELERATOR": "cpu",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    dist.init_process_group("gloo")
    yield
    dist.destroy_process_group()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value


def settings(**changes: Any) -> TrainerConfig:
    return TrainerConfig(
        **{
            "num_workers": 1,
            "use_gpu": False,
            "threads": 1,
            "dtype": "float32",
            "attention": "sdpa",
            "zero_stage": 2,
            "gradient_checkpointing": False,
            "pack_tokens": 512,
            "max_length": 512,
            "packs_per_step": 2,
            "log_steps": 1,
            **changes,
        }
    )


class Repeated:
    """The same packs over and over."""

    def __init__(self, packs: list[list[Document]], layout: VisionLayout) -> None:
        self.packs = [collate(Pack(tuple(documents)), layout) for documents in packs]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            yield from (dict(batch) for batch in self.packs)

    def state(self) -> dict[str, Any]:
        return {}


def weighted(documents: list[Document], weights: list[float]) -> list[Document]:
    """Copies of `documents` with these loss weights."""
    return [
        Document(d.input_ids, d.labels, d.images, d.keys, weight=w, kind=d.kind)
        for d, w in zip(documents, weights, strict=True)
    ]


def by_hand(
    model: Any, batches: Repeated, optim: OptimConfig, steps: int
) -> list[tuple[float, float]]:
    """Train `model` with plain torch; (loss, gradient norm) of every step."""
    groups = schedule.parameter_groups(model.named_parameters(), optim)
    adam = torch.optim.AdamW(groups, lr=optim.lr, betas=optim.betas)
    functions = schedule.lambdas(adam.param_groups, optim, steps)
    peaks = [group["lr"] for group in adam.param_groups]
    rows = []
    for step in range(steps):
        for group, peak, function in zip(adam.param_groups, peaks, functions, strict=True):
            group["lr"] = peak * function(step)
        total, count = torch.zeros(()), 0
        for batch in batches.packs:
            inputs = {name: batch[name] for name in MODEL_INPUTS if name in batch}
            log_probs = model(**inputs, train_vision=step >= optim.vision_freeze_steps).log_probs
            total = total - (log_probs * batch["weight"][:, 1:]).sum()
            count += int((batch["labels"] != IGNORE).sum())
        (total / count).backward()
        for parameter in model.parameters():
            # DeepSpeed steps on flat groups: a parameter that waits has a gradient of zeros.
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), optim.max_grad_norm)
        adam.step()
        adam.zero_grad()
        rows.append((total.item() / count, float(norm)))
    return rows


@pytest.fixture(autouse=True)
def no_deepspeed_left() -> Iterator[None]:
    """transformers remembers ZeRO-3 for the process and would shard the next test's model."""
    yield
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()


# Under ZeRO-3 Adam counts the steps that a frozen tower waits, so there it does not wait.
@pytest.mark.parametrize(("zero_stage", "waits"), [(1, 2), (2, 2), (3, 0)])
def test_steps_equal_plain_torch(
    tiny_folder: str,
    processor: Any,
    documents: list[Document],
    tmp_path: Path,
    zero_stage: int,
    waits: int,
) -> None:
    from chexone_ray.training import forward

    # Packs of unequal length and weights: a mean of means or an unweighted sum would differ.
    rows = weighted(documents, [1.0, 0.5, 2.0, 1.0, 1.5])
    packs = Repeated([rows[:1], rows[1:]], VisionLayout.of(processor))
    optim = OptimConfig(lr=1e-3, vision_lr_scale=0.1, vision_freeze_steps=waits, warmup_ratio=0.25)
    mine = forward.load_model(tiny_folder, dtype="float32", attention="sdpa").train()
    expected = by_hand(mine, packs, optim, 4)
    found: list[dict[str, float]] = []
    trained = forward.load_model(tiny_folder, dtype="float32", attention="sdpa")
    trainer = PackedTrainer(
        trained,
        packs,
        negative_log_likelihood,
        stage="sft",
        config=settings(zero_stage=zero_stage),
        optim=optim,
        max_steps=4,
        seed=0,
        folder=tmp_path,
        on_metrics=lambda step, row: found.append(row),
    )
    trainer.train()
    for row, (loss, norm) in zip(found, expected, strict=True):
        assert row["sft/loss"] == pytest.approx(loss, rel=1e-5)
        assert row["sft/grad_norm"] == pytest.approx(norm, rel=1e-4)
    assert [row["sft/lr"] for row in found] == pytest.approx([1e-3, 1e-3, 7.5e-4, 2.5e-4])
    whole = full_state(trainer) or dict(trained.named_parameters())
    for name, theirs in mine.named_parameters():
        torch.testing.assert_close(whole[name], theirs.detach(), atol=2e-5, rtol=0, msg=name)


@pytest.mark.parametrize(
    ("token_loss", "match"),
    [
        (lambda log_probs: log_probs * float("nan"), r"sft/loss is nan at step 0.*optim\.lr"),
        # 0, but its derivative is infinity times 0
        (lambda log_probs: (log_probs * 0).sqrt(), r"sft/grad_norm is (inf|nan) at step 1.*optim"),
    ],
    ids=["loss", "gradient"],
)
def test_what_is_not_finite_updates_nothing(
    tiny_folder: str,
    processor: Any,
    documents: list[Document],
    tmp_path: Path,
    token_loss: Callable[[Any], Any],
    match: str,
) -> None:
    from chexone_ray.training import forward

    model = forward.load_model(tiny_folder, dtype="float32", attention="sdpa")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trainer = PackedTrainer(
        model,
        Repeated([documents], VisionLayout.of(processor)),
        lambda log_probs, entropy, tracks: (token_loss(log_probs), {}),
        stage="sft",
        config=settings(packs_per_step=1),
        optim=OptimConfig(lr=1e-2),
        max_steps=2,
        seed=0,
        folder=tmp_path,
    )
    with pytest.raises(ChexoneError, match=match):
        trainer.train()
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_per_document_sums_by_hand() -> None:
    # Documents of 3 and 2 tokens: scored places 1 2 | 3 4, place 3 is the second's first token.
    values = torch.tensor([[1.0, 2.0, 100.0, 4.0]])
    mask = torch.tensor([[True, True, False, True]])
    assert per_document(values, mask, [3, 2]).tolist() == [3.0, 4.0]


def test_rows_of_ranks_are_token_means() -> None:
    rows = [
        {
            "tokens": 10.0,
            "samples": 1.0,
            "labels": 2.0,
            "values": {"loss": 4.0},
            "kinds": {"side": [4.0, 2.0]},
        },
        {
            "tokens": 30.0,
            "samples": 3.0,
            "labels": 6.0,
            "values": {"loss": 4.0},
            "kinds": {"side": [2.0, 2.0], "presence": [2.0, 4.0]},
        },
    ]
    merged = merge_rows(rows, 2.0, "sft")
    assert merged["sft/loss"] == 1.0  # 8 over 8 tokens, not the mean of 2 and 2/3
    assert merged["sft/nll_side"] == 1.5
    assert merged["sft/nll_presence"] == 0.5
    assert merged["sft/tokens_per_s"] == 20.0
    assert merged["sft/samples_per_s"] == 2.0


def test_deepspeed_settings_follow_the_config() -> None:
    found = deepspeed_config(
        settings(zero_stage=3, packs_per_step=5), OptimConfig(max_grad_norm=0.5)
    )
    assert found["zero_optimization"]["stage"] == 3
    assert found["gradient_accumulation_steps"] == 5
    assert found["gradient_clipping"] == 0.5
    assert not found["bf16"]["enabled"]
