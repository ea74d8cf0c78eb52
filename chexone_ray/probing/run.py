"""`chexone probe`: what a checkpoint's reasoning is worth, and if its answers rest on the film.

Each chosen row is asked greedily as it is, without reasoning, with its films blank, with those of
another patient, with the lesion or a control region occluded, and with its own trace cut short;
K answers are drawn at random. Answers are Parquet parts, so a killed run goes on where it was.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints, identity, storage
from chexone_ray.config import ProbeConfig, SamplingConfig
from chexone_ray.data import stream
from chexone_ray.engine.lease import leased_pool
from chexone_ray.engine.scaling import parts_in_flight
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.parts import PartFolder, ahead, numbered
from chexone_ray.probing import figures, page, perturbations, probes
from chexone_ray.probing.answers import Said, failure, plain_row, probe_row, read, schema
from chexone_ray.probing.probes import Case
from chexone_ray.records import Mode, Request

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool
    from chexone_ray.engine.requests import RequestMaker

logger = logging.getLogger(__name__)

Made = Request | ImageError


@dataclass(frozen=True)
class Ask:
    """One request of a case. `begun` is what the assistant was made to say before its answer."""

    case: Case
    probe: str
    made: Made
    mode: Mode = "reasoning"
    begun: str | None = None


def probe(config: ProbeConfig, pool: EnginePool | None = None) -> str:
    """Run the probes; returns the URI of the folder, its commit file written last.

    Writes Parquet parts (a row an answer, see `answers.schema`), reasoning.json, by_kind.json,
    differences.json and reasoning.md. A given `pool` gets the checkpoint loaded and stays up.

    Raises:
        ChexoneError: no rows, too many failures, or results of other settings.
    """
    config = checkpoints.as_trained(config)
    settings = _settings(config)
    folder = PartFolder(config.output_uri, "part", settings)
    if folder.is_complete():
        logger.info("probe: %s is complete", config.output_uri)
        return config.output_uri
    cases = _cases(config)
    done = folder.open()
    storage.record_settings(config.output_uri, config)
    parts = list(numbered(cases, config.rows_per_part))
    missing = [(number, part) for number, part in parts if number not in done]
    logger.info("probe: %d rows, %d of %d parts are there", len(cases), len(done), len(parts))
    if missing:
        _fill(config, missing, folder, len(cases), pool)
    rows = [
        row for number, _ in parts for row in folder.read(number, list(figures.COLUMNS)).to_pylist()
    ]
    _check_failures(config, rows, len(cases))
    model = config.model_name or model_name(config.model_uri)
    page.write(config.output_uri, rows, model, config)
    folder.commit(
        {
            "notice": RESEARCH_USE_ONLY,
            "model_uri": config.model_uri,
            "model_digest": settings["model_digest"],
            "rows": len(cases),
            "answers": figures.outcomes(rows),
        }
    )
    return config.output_uri


def model_name(uri: str) -> str:
    """The last part of the URI that says something: "grpo" of "runs/grpo/model"."""
    parts = [part for part in uri.split("/") if part]
    return parts[-2] if len(parts) > 1 and parts[-1] == "model" else parts[-1]


def _settings(config: ProbeConfig) -> dict[str, Any]:
    """What the result depends on: not where it runs and how fast."""
    chosen = identity.content(config, {"output_uri", "ray", "engine", "max_failure_rate"})
    return chosen | {
        "model_digest": checkpoints.model_digest(config.model_uri),
        "manifest": storage.committed(config.manifest_uri),
    }


def _cases(config: ProbeConfig) -> list[Case]:
    """The chosen rows with what the rest of their split tells of them."""
    chosen = stream.read_samples(
        config.manifest_uri, config.split, config.kinds, config.max_per_kind
    )
    if not chosen:
        raise ChexoneError(
            f"probe: nothing to ask in {config.manifest_uri}: check the URI, probe.split="
            f"{config.split} and probe.kinds={list(config.kinds) or 'all'}"
        )
    rows = stream.iter_samples(config.manifest_uri, config.split)
    found = probes.cases(chosen, rows, config.seed)
    for name, num in (
        ("swap", sum(bool(case.partner) for case in found)),
        ("occlusion", sum(bool(case.lesions) for case in found)),
    ):
        if name in config.probes:
            logger.info("probe: %d of %d rows can be asked for %s", num, len(found), name)
    return found


def _fill(
    config: ProbeConfig,
    missing: Iterable[tuple[int, Sequence[Case]]],
    folder: PartFolder,
    total: int,
    pool: EnginePool | None,
) -> None:
    import pyarrow as pa

    from chexone_ray.engine.requests import RequestMaker

    with (
        leased_pool(config, pool) as engines,
        closing(RequestMaker(config.model_uri, config.images, config.prompts)) as maker,
    ):

        def work(item: tuple[int, Sequence[Case]]) -> tuple[int, int, list[dict[str, Any]]]:
            number, cases = item
            return number, len(cases), list(_part(config, cases, engines, maker))

        asked = answers = 0
        failed: list[dict[str, Any]] = []
        start = time.monotonic()
        in_flight = parts_in_flight(config.engine, wave(config))
        for number, size, rows in ahead(missing, work, in_flight):
            folder.write(number, pa.Table.from_pylist(rows, schema()))
            asked += size
            answers += len(rows)
            failed += [row for row in rows if row["status"] == "failed"]
            logger.info(
                "probe: %d of %d rows asked, %.1f answers a second, %d failed",
                asked,
                total,
                answers / (time.monotonic() - start),
                len(failed),
            )
            _check_failures(config, failed, total)


def wave(config: ProbeConfig) -> int:
    """Sequences of a part that run together at the least."""
    sizes = [1 + sum(name in config.probes for name in ("instruct", "blank", "swap"))]
    sizes += [config.sampling.n] if "samples" in config.probes else []
    sizes += [len(config.cuts)] if "cut" in config.probes else []
    return config.rows_per_part * min(sizes)


def _check_failures(config: ProbeConfig, rows: Iterable[dict[str, Any]], total: int) -> None:
    failed = [row for row in rows if row["status"] == "failed"]
    num = len({row["id"] for row in failed})
    if num > config.max_failure_rate * total:
        reasons = Counter(row["error"] for row in failed)
        raise ChexoneError(
            f"probe: {num} of {total} rows have an answer that failed, above "
            f"probe.max_failure_rate={config.max_failure_rate}: {dict(reasons.most_common(3))}"
        )


def _part(
    config: ProbeConfig, cases: Sequence[Case], pool: EnginePool, maker: RequestMaker
) -> Iterator[dict[str, Any]]:
    """All answers to the cases: greedy ones first, then samples, then cut traces."""
    asks = list(_asks(config, cases, maker))
    greedy = SamplingConfig(max_tokens=config.sampling.max_tokens)
    said = _answers(pool, asks, greedy)
    plain = {
        ask.case.sample.id: (ask, one)
        for ask, (one,) in zip(asks, said, strict=True)
        if ask.probe == probes.PLAIN
    }
    good = [ask for ask, one in plain.values() if one.status != "failed"]
    drawn: dict[str, Sequence[Said]] = {}
    if "samples" in config.probes:
        samples = [replace(ask, probe=probes.SAMPLE) for ask in good]
        found = _answers(pool, samples, config.sampling.seeded(config.seed))
        drawn = {ask.case.sample.id: all_ for ask, all_ in zip(samples, found, strict=True)}
    for ask, one in plain.values():
        texts = drawn.get(ask.case.sample.id, ())
        yield plain_row(ask.case, one, texts)
        for number, text in enumerate(texts):
            yield probe_row(ask.case, probes.SAMPLE, number, text, one)
    more = [(ask, one) for ask, (one,) in zip(asks, said, strict=True) if ask.probe != probes.PLAIN]
    if "cut" in config.probes:
        cuts = [cut for ask in good for cut in _cuts(config, ask, plain[ask.case.sample.id][1])]
        short = SamplingConfig(max_tokens=config.answer_tokens)
        more += [(ask, one) for ask, (one,) in zip(cuts, _answers(pool, cuts, short), strict=True)]
    for ask, one in more:
        before = plain[ask.case.sample.id][1]
        yield probe_row(ask.case, ask.probe, 0, one, before)


def _asks(config: ProbeConfig, cases: Sequence[Case], maker: RequestMaker) -> Iterator[Ask]:
    """What is asked greedily. A case whose own films cannot be used has its plain request only."""
    swapped = [case for case in cases if case.partner and "swap" in config.probes]
    samples = [case.sample for case in cases]
    if "instruct" in config.probes:
        samples += [replace(case.sample, mode="instruct") for case in cases]
    samples += [replace(case.sample, images=case.partner) for case in swapped]
    made = maker.make(samples)
    for at, case in enumerate(cases):
        request = made[at]
        yield Ask(case, probes.PLAIN, request)
        if isinstance(request, ImageError):
            continue
        if "instruct" in config.probes:
            yield Ask(case, probes.INSTRUCT, made[len(cases) + at], "instruct")
        if "blank" in config.probes and request.images:
            yield Ask(case, probes.BLANK, probes.blanked(request))
        pair = probes.occluded(case, request, config.seed) if "occlusion" in config.probes else None
        for name, changed in zip((probes.LESION, probes.CONTROL), pair or (), strict=False):
            yield Ask(case, name, changed)
    usable = {
        case.sample.id for case, own in zip(cases, made, strict=False) if isinstance(own, Request)
    }
    for case, other in zip(swapped, made[len(made) - len(swapped) :], strict=True):
        if case.sample.id in usable:
            yield Ask(case, probes.SWAP, other)


def _cuts(config: ProbeConfig, ask: Ask, plain: Said) -> Iterator[Ask]:
    assert isinstance(ask.made, Request)
    for name, trace, request in probes.cut_requests(ask.made, plain.reasoning, config.cuts):
        yield Ask(ask.case, name, request, begun=trace)


def _answers(
    pool: EnginePool, asks: Sequence[Ask], sampling: SamplingConfig
) -> list[tuple[Said, ...]]:
    """`sampling.n` answers of each ask, or one that says why there are none."""
    good = [ask.made for ask in asks if isinstance(ask.made, Request)]
    rollouts = iter(pool.generate(good, sampling))
    answered: list[tuple[Said, ...]] = []
    for ask in asks:
        if isinstance(ask.made, ImageError):
            answered.append((failure(f"image: {ask.made.reason}"),))
            continue
        rollout = next(rollouts)
        if rollout.error or not rollout.completions:
            answered.append((failure(f"engine: {rollout.error or 'no completion'}"),))
            continue
        said = rollout.completions
        if ask.begun is not None:
            said = tuple(
                replace(one, text=perturbations.forced_text(ask.begun, one.text)) for one in said
            )
        answered.append(tuple(read(one, ask.mode, ask.case.sample) for one in said))
    return answered
