"""GRPO on one screen: rollouts by the engine pool, updates by Ray Train, one loop between them.

Consumes a manifest and a checkpoint; produces `<output_uri>/model`, metrics and resumable state.
Strictly synchronous: step k samples with the weights after step k - 1, so staleness is 0. Weight
version k is what the trainer holds after step k. The loop sees numbers and references only; what
it knows of the trainer is the last `TrainerReport`, so a restarted worker group, which reports an
earlier step, simply takes the loop back to that step.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints, runtime, storage
from chexone_ray.config import GrpoConfig
from chexone_ray.engine.lease import refuse_other_images
from chexone_ray.engine.resources import require_gpus
from chexone_ray.errors import ChexoneError, WeightsLost
from chexone_ray.grpo import worker
from chexone_ray.grpo.advantages import compute_advantages
from chexone_ray.grpo.batches import PackCounts, StepBatch, step_batches
from chexone_ray.grpo.ledger import TrainerReport
from chexone_ray.grpo.progress import step_metrics
from chexone_ray.grpo.rollouts import Haul, Position, Roller
from chexone_ray.grpo.workers import Workers
from chexone_ray.records import Sample
from chexone_ray.rewards.score import refuse_unscored
from chexone_ray.training import checkpoint
from chexone_ray.training.launch import Fit, fit

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

logger = logging.getLogger(__name__)

OnRow = Callable[[dict[str, Any]], None]


def train(
    config: GrpoConfig,
    pool: EnginePool | None = None,
    warm: Fit | None = None,
    on_row: OnRow | None = None,
) -> str:
    """Train as `config` says and return the URI of the checkpoint, `<output_uri>/model`.

    A given `pool` gets the checkpoint loaded, holds the trained weights afterwards and stays up;
    `warm` are workers that `start_workers` brought up earlier. `on_row` gets each metric row.
    A finished run returns at once; a killed one goes on from its newest state.
    Raises ChexoneError for settings that cannot work and when failures pass their bound.
    """
    check(config)
    config = checkpoints.as_trained(config)
    runtime.join(config.ray)
    uri = checkpoint.model_uri(config.output_uri)
    own = identity(config)
    if checkpoint.finished(config.output_uri, own):
        logger.info("%s is complete already", uri)
        if warm:
            warm.stop()
        return uri
    storage.record_settings(config.output_uri, config)
    samples, run = _samples(config), warm or start_workers(config)
    with (
        _engines(config, pool) as engines,
        Workers(config, own, run) as workers,
        closing(_roller(config, samples, engines)) as roller,
    ):
        report = workers.next_report()
        with closing(checkpoint.MetricLog(config.output_uri, report.step, on_row)) as rows:
            while report.step < config.steps:
                start = time.monotonic()
                sampled = _sample(engines, config, roller, report)
                if sampled is None:
                    report = workers.next_report()
                    rows.rewind(report.step)
                    continue
                haul, position, publish_s = sampled
                batches, counts = make_batches(config, report.step + 1, position, haul)
                workers.put(batches)
                roller.prefetch(position)
                put = time.monotonic()
                report = workers.next_report()
                if report.started:
                    rows.rewind(report.step)
                    continue
                times = _times(publish_s, start, put)
                row = step_metrics(report.step, haul, counts, report.metrics, times)
                _show(config, report.step, row)
                rows.add(report.step, row)
                if report.step % config.trainer.log_steps == 0:
                    rows.flush()
        workers.finish()
        if pool is not None:
            # What was published lies in the memory of workers that have just gone.
            pool.load(uri, config.steps)
    return uri


def start_workers(config: GrpoConfig) -> Fit:
    """Bring the workers of a later `train` up while the stage before still works."""
    return fit(worker.loop, config.trainer, worker.STAGE)


def identity(config: GrpoConfig) -> dict[str, Any]:
    """What decides the result of a run."""
    return checkpoint.identity(config, "engine", "step_timeout_s", "max_failure_rate")


def check(config: GrpoConfig) -> None:
    """Refuse settings that would fail, or silently do nothing, far into a run."""
    if config.engine.max_model_len > config.trainer.pack_tokens:
        raise ChexoneError(
            f"engine.max_model_len={config.engine.max_model_len} is above trainer.pack_tokens="
            f"{config.trainer.pack_tokens}: a rollout of that length fits no pack; lower the first"
        )
    if config.sampling.max_tokens >= config.engine.max_model_len:
        raise ChexoneError(
            f"sampling.max_tokens={config.sampling.max_tokens} leaves no room for a prompt within "
            f"engine.max_model_len={config.engine.max_model_len}: lower it"
        )
    if config.sampling.temperature == 0:
        raise ChexoneError("sampling.temperature=0 samples equal answers: set it above 0")


def make_batches(
    config: GrpoConfig, step: int, position: Position, haul: Haul
) -> tuple[list[StepBatch], PackCounts]:
    """The batch of each rank for `step`, from what was sampled for it."""
    groups = haul.trained
    advantages = compute_advantages([group.rewards for group in groups], config.advantage)
    batches, counts = step_batches(
        step,
        position,
        groups,
        advantages,
        num_ranks=config.trainer.num_workers,
        packs_per_rank=config.trainer.packs_per_step,
        pack_tokens=config.trainer.pack_tokens,
    )
    if counts.num_groups_without_room:
        logger.warning(
            "step %d: %d of %d groups have no room in the packs: raise trainer.packs_per_step",
            step,
            counts.num_groups_without_room,
            len(groups),
        )
    return batches, counts


@contextmanager
def _engines(config: GrpoConfig, pool: EnginePool | None) -> Iterator[EnginePool]:
    """The given pool, or an own one that ends with the run."""
    if pool is not None:
        refuse_other_images(config.images, pool)
        yield pool
        return
    from chexone_ray.engine.pool import EnginePool

    require_gpus(config.engine, config.ray, "engine.min_engines", config.engine.min_engines)
    with EnginePool(config.engine, config.model_uri, config.images) as own:
        yield own


def _samples(config: GrpoConfig) -> Sequence[Sample]:
    """The rows to train on. Raises ChexoneError before anything is started for those without a
    reward."""
    from chexone_ray.data.stream import Rows, iter_samples

    refuse_unscored(iter_samples(config.manifest_uri, config.split), config.rewards)
    return Rows(config.manifest_uri, config.split)


def _roller(config: GrpoConfig, samples: Sequence[Sample], engines: EnginePool) -> Roller:
    from chexone_ray.engine.requests import RequestMaker

    maker = RequestMaker(config.model_uri, config.images, config.prompts)
    return Roller(config, samples, maker, engines)


def _sample(
    engines: EnginePool, config: GrpoConfig, roller: Roller, report: TrainerReport
) -> tuple[Haul, Position, float] | None:
    """The rollouts with the reported weights, the position after them, and the seconds of the push.

    None where the weights are lost: rank 0 died with them, and its group restarts and reports anew.
    """
    start, step = time.monotonic(), report.step + 1
    try:
        _bring_up_to_date(engines, config, report)
        publish_s = time.monotonic() - start
        return *roller.collect(report.position), publish_s
    except WeightsLost as error:
        logger.warning("grpo step %d: %s", step, error)
        return None


def _bring_up_to_date(engines: EnginePool, config: GrpoConfig, report: TrainerReport) -> None:
    """Give the engines the weights that the trainer reported; at step 0 those of the checkpoint."""
    if report.weights:
        engines.publish(list(report.weights), report.step)
    elif (engines.model_uri, engines.version, engines.pristine) != (config.model_uri, 0, True):
        engines.load(config.model_uri, 0)
    engines.wait_ready()


def _times(publish_s: float, start: float, put: float) -> dict[str, float]:
    """Seconds of a step that ends now, begun at `start`, whose batches were there at `put`."""
    now = time.monotonic()
    return {"publish_s": publish_s, "train_s": now - put, "step_s": now - start}


def _show(config: GrpoConfig, step: int, row: dict[str, float]) -> None:
    logger.info(
        "grpo step %d of %d  reward %.3f  std %.3f  %.0f tokens a completion  %.1f s",
        step,
        config.steps,
        row["grpo/reward"],
        row["grpo/reward_std"],
        row["grpo/completion_tokens"],
        row["grpo/step_s"],
    )
