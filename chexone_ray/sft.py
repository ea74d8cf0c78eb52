"""Manifest -> supervised checkpoint: Ray Train, DeepSpeed, images streamed by Ray Data.

Consumes a manifest and a base model; produces `<output_uri>/model`, metrics and resumable state.
A run that was killed goes on from its newest committed state, bit-equal to one that was not.
"""

from __future__ import annotations

import logging
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints, runtime, storage
from chexone_ray.config import SftConfig
from chexone_ray.training import checkpoint
from chexone_ray.training.launch import Fit, Mailbox, Row, fit

if TYPE_CHECKING:
    from chexone_ray.training.feed import Feed

logger = logging.getLogger(__name__)

STAGE = "sft"


def train(config: SftConfig, warm: Fit | None = None) -> str:
    """Train as `config` says and return the URI of the checkpoint, `<output_uri>/model`.

    `warm` are workers that `start_workers` brought up earlier. A finished run returns at once.
    """
    runtime.join(config.ray)
    uri = checkpoint.model_uri(config.output_uri)
    own = checkpoint.identity(config)
    if checkpoint.finished(config.output_uri, own):
        logger.info("%s is complete already", uri)
        if warm:
            warm.stop()
        return uri
    storage.record_settings(config.output_uri, config)
    fit_run = warm or start_workers(config)
    fit_run.go({"config": config, "run": own})
    result: str = fit_run.result(on_row=_show)
    return result


def start_workers(config: SftConfig) -> Fit:
    """Bring the workers of a later `train` up while the stage before still works."""
    return fit(loop, config.trainer, STAGE)


def _show(row: Row) -> None:
    """One progress line."""
    logger.info(
        "sft step %d of %d  loss %.4f  %.0f samples/s",
        row["step"],
        row["max_steps"],
        row["sft/loss"],
        row["sft/samples_per_s"],
    )


def loop(settings: dict[str, Any], mailbox: Mailbox) -> str:
    """The training loop of one worker; returns the model URI.

    `settings` holds `config` and `run` (see `identity`).
    """
    from transformers import AutoProcessor

    from chexone_ray.training import forward
    from chexone_ray.training.trainer import PackedTrainer, negative_log_likelihood

    config: SftConfig = settings["config"]
    run: dict[str, Any] = settings["run"]
    folder = checkpoints.model_folder(config.model_uri)
    processor = AutoProcessor.from_pretrained(folder)
    model = forward.load_model(
        folder, dtype=config.trainer.dtype, attention=config.trainer.attention
    )
    state = checkpoint.newest_state(config.output_uri, run)
    local, positions = checkpoint.fetch_state(state[1]) if state else (None, [])
    batches, max_steps = _open_feed(config, processor, positions)
    metrics = _metrics(config, batches.rank, state[0] if state else 0, max_steps, mailbox)

    publish = checkpoint.publisher(config, run, batches.state, max_steps)

    def save(step: int, place: Path) -> None:
        publish(step, place)
        if metrics:
            metrics.flush()

    with checkpoint.node_folder() as scratch:
        with closing(metrics) if metrics else nullcontext():
            trainer = PackedTrainer(
                model,
                batches,
                negative_log_likelihood,
                stage=STAGE,
                config=config.trainer,
                optim=config.optim,
                max_steps=max_steps,
                seed=config.seed,
                folder=scratch,
                on_metrics=metrics.add if metrics else None,
                on_checkpoint=save,
            )
            trainer.train(resume_from_checkpoint=None if local is None else str(local))
        info = {"stage": STAGE, "run": run, "steps": max_steps, "drops": batches.state()["drops"]}
        return checkpoint.save_model(
            trainer,
            processor,
            config.output_uri,
            prompts=config.prompts,
            images=config.images,
            info=info,
        )


def _open_feed(
    config: SftConfig, processor: Any, positions: list[dict[str, Any]]
) -> tuple[Feed, int]:
    """This rank's packs from the position to go on from, and the number of steps."""
    from chexone_ray.training import feed

    num_ranks = checkpoint.world_size()

    def build() -> tuple[list[Any], int]:
        groups = feed.row_groups(config.manifest_uri, config.split)
        order = feed.Order(tuple(groups), config.seed)
        mean = feed.mean_length(order, processor, config.prompts, config.images)
        steps, last = feed.plan(
            order, mean, config.trainer, epochs=config.epochs, max_steps=config.max_steps
        )
        first = max(0, min((p["chunk"] for p in positions), default=0)) // num_ranks * num_ranks
        return feed.stream(
            order, config.images, first=first, num_chunks=last - first, num_ranks=num_ranks
        ), steps

    shards, steps = checkpoint.on_first_rank(build)
    rank = checkpoint.ranks()[0]
    batches = feed.Feed(
        shards[rank],
        processor,
        rank=rank,
        num_ranks=num_ranks,
        prompt_config=config.prompts,
        kind_weights=dict(config.kind_weights),
        pack_tokens=config.trainer.pack_tokens,
        max_length=config.trainer.max_length,
        state=positions[rank] if positions else None,
    )
    return batches, steps


def _metrics(
    config: SftConfig, rank: int, step: int, max_steps: int, mailbox: Mailbox
) -> checkpoint.MetricLog | None:
    """The metric log of rank 0, which also tells the driver."""
    if rank:
        return None
    return checkpoint.MetricLog(
        config.output_uri, step, lambda row: mailbox.report({**row, "max_steps": max_steps})
    )
