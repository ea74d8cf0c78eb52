"""The prompts on which a checkpoint's own answers differ: n samples each, variance of the reward.

A group whose rewards are all equal has no advantage and teaches nothing in GRPO. As in the
published recipe, prompts are kept by the spread of their rewards; the quota by kind is ours.

Legend: `_G` over the completions of one prompt.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints, identity, storage
from chexone_ray.config import FilterConfig
from chexone_ray.data import manifest, stream
from chexone_ray.engine.lease import leased_pool
from chexone_ray.engine.scaling import parts_in_flight
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.parts import PartFolder, ahead, numbered, to_parquet
from chexone_ray.records import Sample
from chexone_ray.rewards.score import Scored, part_means, refuse_unscored, score_group

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool
    from chexone_ray.engine.requests import RequestMaker

logger = logging.getLogger(__name__)

GROUPS_FILE, REPORT_FILE = "groups.parquet", "report.json"
PROMPTS_PER_PART = 128
NUM_BINS = 10
MAX_STD = 0.5
"""The largest population standard deviation of numbers in 0-1."""


@dataclass(frozen=True)
class Group:
    """The rewards of one prompt's completions, or why there are none."""

    id: str
    kind: str
    mean: float
    variance: float
    rewards: tuple[float, ...]
    error: str = ""
    parts: tuple[tuple[str, float], ...] = ()
    """Mean of each part of the reward."""


def group_of(sample: Sample, scores_G: Sequence[Scored]) -> Group:
    """Mean and population variance; exactly 0 where all rewards are equal."""
    rewards_G = [scored.total for scored in scores_G]
    mean = statistics.fmean(rewards_G)
    equal = min(rewards_G) == max(rewards_G)
    variance = 0.0 if equal else statistics.fmean((r - mean) ** 2 for r in rewards_G)
    parts = tuple(part_means(scores_G).items())
    return Group(sample.id, sample.kind, mean, variance, tuple(rewards_G), parts=parts)


def keep(groups: Sequence[Group], min_std: float, quota: Mapping[str, int]) -> set[str]:
    """Ids of the groups to keep: std above `min_std`, then the `quota` of highest variance a kind.

    Ties go by id, so the choice depends on nothing else. A kind without quota keeps all.
    """
    varied: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        if not group.error and group.variance**0.5 > min_std:
            varied[group.kind].append(group)
    kept: set[str] = set()
    for kind, found in varied.items():
        found.sort(key=lambda g: (-g.variance, g.id))
        kept.update(g.id for g in found[: quota.get(kind, len(found))])
    return kept


def histogram(groups: Sequence[Group], kept: set[str]) -> dict[str, dict[str, Any]]:
    """A kind -> counts, mean reward and a histogram of the std in equal bins of 0-0.5.

    `zero` counts groups whose rewards are all equal; they are not in `bins`.
    """
    table: dict[str, dict[str, Any]] = {}
    for kind in sorted({g.kind for g in groups}):
        good = [g for g in groups if g.kind == kind and not g.error]
        bins = [0] * NUM_BINS
        for group in good:
            if group.variance > 0:
                place = int(group.variance**0.5 / MAX_STD * NUM_BINS)
                bins[min(place, NUM_BINS - 1)] += 1
        table[kind] = {
            "prompts": len(good),
            "failed": sum(g.kind == kind and bool(g.error) for g in groups),
            "zero": sum(g.variance == 0 for g in good),
            "kept": sum(g.id in kept for g in good),
            "mean_reward": statistics.fmean(g.mean for g in good) if good else None,
            "mean_std": statistics.fmean(g.variance**0.5 for g in good) if good else None,
            "mean_parts": _mean_parts(good),
            "bins": bins,
        }
    return table


def _mean_parts(groups: Sequence[Group]) -> dict[str, float]:
    """Mean of each part of the reward over the groups that it applies to."""
    values: dict[str, list[float]] = defaultdict(list)
    for group in groups:
        for name, value in group.parts:
            values[name].append(value)
    return {name: statistics.fmean(numbers) for name, numbers in sorted(values.items())}


def select(config: FilterConfig, pool: EnginePool | None = None) -> str:
    """Sample, score, keep; returns the URI of the smaller manifest.

    Writes Parquet and `manifest.json` like `prepare`, `groups.parquet` (every prompt asked) and
    `report.json`, the commit file last. A given `pool` gets the checkpoint loaded and stays up.

    Raises:
        ChexoneError: no rows, too many failures, nothing kept, or results of other settings.
    """
    if config.sampling.n < 2:
        raise ChexoneError(
            f"filter.sampling.n={config.sampling.n} gives no variance: set it to 2 or more"
        )
    config = checkpoints.as_trained(config)
    settings = _settings(config)
    folder = PartFolder(storage.join(config.output_uri, "progress"), "groups", settings)
    if identity.is_complete(
        config.output_uri, "config_digest", folder.settings_digest, "a selection", settings
    ):
        logger.info("filter: %s is complete", config.output_uri)
        return config.output_uri
    total = stream.count_samples(*_rows(config))
    if not total:
        raise ChexoneError(
            f"{config.manifest_uri} has no rows of filter.split={config.split} "
            f"and filter.kinds={list(config.kinds) or 'all'}: check them"
        )
    refuse_unscored(stream.iter_samples(*_rows(config)), config.rewards)
    groups = _sample_groups(config, total, folder, pool)
    kept = keep(groups, config.min_std, config.quota_per_kind)
    if not kept:
        raise ChexoneError(
            f"filter: none of {len(groups)} prompts has a reward std above "
            f"min_std={config.min_std}: lower it, raise sampling.temperature or sampling.n"
        )
    _write(config, groups, kept, folder.settings_digest)
    storage.delete(folder.uri)
    return config.output_uri


def _rows(config: FilterConfig) -> tuple[str, str, Sequence[str], int | None]:
    """The candidates, as `stream` is asked for them."""
    return config.manifest_uri, config.split, config.kinds, config.max_candidates_per_kind


def _settings(config: FilterConfig) -> dict[str, Any]:
    """What the result depends on: not where it runs and how fast."""
    chosen = identity.content(config, {"output_uri", "ray", "engine", "max_failure_rate"})
    return chosen | {
        "model_digest": checkpoints.model_digest(config.model_uri),
        "manifest": storage.committed(config.manifest_uri),
    }


def _sample_groups(
    config: FilterConfig,
    total: int,
    folder: PartFolder,
    pool: EnginePool | None,
) -> list[Group]:
    """One group a sample, in order; parts that exist are read instead of sampled again."""
    from chexone_ray.engine.requests import RequestMaker

    done = folder.open()
    storage.record_settings(config.output_uri, config)
    num_parts = -(-total // PROMPTS_PER_PART)
    if len(done) < num_parts:
        parts = numbered(stream.iter_samples(*_rows(config)), PROMPTS_PER_PART)
        missing = ((number, part) for number, part in parts if number not in done)
        with (
            leased_pool(config, pool) as engines,
            closing(RequestMaker(config.model_uri, config.images, config.prompts)) as maker,
        ):
            _fill(config, missing, folder, engines, maker, total)
    groups = [
        Group(**{**row, "rewards": tuple(row["rewards"]), "parts": tuple(row.get("parts") or ())})
        for number in range(num_parts)
        for row in folder.read(number).to_pylist()
    ]
    _check_failures(config, Counter(g.error for g in groups if g.error), total)
    return groups


def _check_failures(config: FilterConfig, reasons: Counter[str], total: int) -> None:
    if reasons.total() > config.max_failure_rate * total:
        raise ChexoneError(
            f"filter: {reasons.total()} of {total} prompts failed, above filter.max_failure_rate="
            f"{config.max_failure_rate}: {dict(reasons.most_common(3))}"
        )


def _fill(
    config: FilterConfig,
    missing: Iterable[tuple[int, Sequence[Sample]]],
    folder: PartFolder,
    pool: EnginePool,
    maker: RequestMaker,
    total: int,
) -> None:
    import pyarrow as pa

    def work(item: tuple[int, Sequence[Sample]]) -> tuple[int, list[Group]]:
        return item[0], _groups(config, item[1], pool, maker)

    asked = 0
    start = time.monotonic()
    reasons: Counter[str] = Counter()
    in_flight = parts_in_flight(config.engine, PROMPTS_PER_PART * config.sampling.n)
    for number, groups in ahead(missing, work, in_flight):
        folder.write(number, pa.Table.from_pylist([asdict(g) for g in groups], _group_schema()))
        asked += len(groups)
        reasons.update(g.error for g in groups if g.error)
        logger.info(
            "filter: %d prompts sampled, %.1f a second, %d failed",
            asked,
            asked / (time.monotonic() - start),
            reasons.total(),
        )
        _check_failures(config, reasons, total)


def _groups(
    config: FilterConfig, samples: Sequence[Sample], pool: EnginePool, maker: RequestMaker
) -> list[Group]:
    made = maker.make(samples)
    good = [request for request in made if not isinstance(request, ImageError)]
    rollouts = iter(pool.generate(good, config.sampling.seeded(config.seed)))
    groups = []
    for sample, request in zip(samples, made, strict=True):
        if isinstance(request, ImageError):
            groups.append(_failed(sample, request.reason))
            continue
        rollout = next(rollouts)
        if rollout.error or not rollout.completions:
            groups.append(_failed(sample, rollout.error or "no completion"))
            continue
        texts = [completion.text for completion in rollout.completions]
        groups.append(group_of(sample, score_group(texts, sample, config.rewards)))
    return groups


def _failed(sample: Sample, reason: str) -> Group:
    return Group(sample.id, sample.kind, 0.0, 0.0, (), reason)


def _write(
    config: FilterConfig,
    groups: Sequence[Group],
    kept: set[str],
    settings_digest: str,
) -> None:
    import pyarrow as pa

    rows = [asdict(g) | {"kept": g.id in kept} for g in groups]
    table = pa.Table.from_pylist(rows, _group_schema(kept=True))
    storage.write_bytes(storage.join(config.output_uri, GROUPS_FILE), to_parquet(table))
    report = {
        "notice": RESEARCH_USE_ONLY,
        "model_uri": config.model_uri,
        "prompts": len(groups),
        "failed": sum(bool(g.error) for g in groups),
        "kept": len(kept),
        "bin_width": MAX_STD / NUM_BINS,
        "kinds": histogram(groups, kept),
    }
    storage.write_json(storage.join(config.output_uri, REPORT_FILE), report)
    writer = manifest.SampleWriter(config.output_uri)
    for sample in stream.iter_samples(*_rows(config)):
        if sample.id in kept:
            writer.add(sample)
    info = manifest.selection_info(config.manifest_uri, writer.units) | {
        "config_digest": settings_digest,
        "selected_from": config.manifest_uri,
        "selected_by": config.model_uri,
    }
    writer.finish(info)
    logger.info("filter: kept %d of %d prompts", len(kept), len(groups))


def _group_schema(kept: bool = False) -> Any:
    import pyarrow as pa

    fields = [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("mean", pa.float64()),
        ("variance", pa.float64()),
        ("rewards", pa.list_(pa.float64())),
        ("error", pa.string()),
        ("parts", pa.map_(pa.string(), pa.float64())),
    ]
    return pa.schema([*fields, ("kept", pa.bool_())] if kept else fields)
