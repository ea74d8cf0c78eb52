"""Batch prediction: a manifest or a folder of images -> Parquet of answers, part by part.

Images are read and decoded by Ray tasks ahead of the engines, so many parts at a time as the
largest pool can work on. A part is committed as one file, so a killed run goes on with the first
part that is missing. An image that cannot be used is a row with an error, counted.

Columns: those of the manifest (`reasoning` and `answer` are the reference; empty for a folder of
images) and `completion`, `text`, `predicted_reasoning`, `predicted_answer`, `parsed`,
`finish_reason`, `num_tokens`, `num_prompt_tokens`, `mean_logprob`, `error`. One row a completion.
What is asked and how the answers are read is the adapter's, see `systems/`.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints, identity, prompts, storage
from chexone_ray.answering import answerer
from chexone_ray.config import PredictConfig
from chexone_ray.data import stream
from chexone_ray.engine.scaling import parts_in_flight
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.parts import PartFolder, ahead, digest, numbered
from chexone_ray.records import ImageRef, Mode, Sample, sample_schema
from chexone_ray.systems.choice import settled
from chexone_ray.systems.table import ADAPTERS

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".dcm", ".dicom", ""})
"""DICOM files often have no suffix at all."""
SUMMARY_FILE = "predictions.json"


@dataclass
class Tally:
    """Rows by outcome. `errors` by reason, `unparsed` and `rows` by question kind."""

    rows: Counter[str] = field(default_factory=Counter)
    unparsed: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    finish_reasons: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    prompt_tokens: int = 0
    failed_samples: int = 0

    def add(self, table: Any) -> None:
        """Count the rows of one part."""
        names = ["kind", "parsed", "error", "finish_reason", "num_tokens"]
        names += ["completion", "num_prompt_tokens"]
        for kind, parsed, error, reason, tokens, number, prompt in zip(
            *(table.column(name).to_pylist() for name in names), strict=True
        ):
            self.rows[kind] += 1
            if error:
                self.errors[error] += 1
                self.failed_samples += 1
                continue
            self.unparsed[kind] += not parsed
            self.finish_reasons[reason] += 1
            self.tokens += tokens
            self.prompt_tokens += 0 if number else prompt


def predict(config: PredictConfig, pool: EnginePool | None = None) -> str:
    """Answer every row; returns `config.output_uri`, committed.

    A given `pool` gets the checkpoint loaded and stays up; otherwise an own one is started.

    Raises:
        ChexoneError: no rows, more failures than `max_failure_rate`, or results of other settings.
    """
    config = settled(config)
    settings = _settings(config)
    folder = PartFolder(config.output_uri, "part", settings)
    if folder.is_complete():
        logger.info("predict: %s is complete", config.output_uri)
        return config.output_uri
    start = time.monotonic()
    total = _count(config)
    num_parts = -(-total // config.rows_per_part)
    tally = Tally()
    done = folder.open()
    storage.record_settings(config.output_uri, config)
    for number in sorted(done):
        tally.add(folder.read(number))
    if done:
        logger.info("predict: %d of %d parts are there, going on", len(done), num_parts)
    if len(done) < num_parts:
        parts = numbered(_samples(config), config.rows_per_part)
        missing = ((number, part) for number, part in parts if number not in done)
        _fill(config, missing, folder, tally, total, pool)
    summary = _summary(config, total, tally, num_parts) | {
        "model_digest": settings["model_digest"],
        "seconds": round(time.monotonic() - start, 1),
        "resumed_parts": len(done),
    }
    storage.write_json(storage.join(config.output_uri, SUMMARY_FILE), summary)
    folder.commit(summary)
    return config.output_uri


def check(config: PredictConfig) -> None:
    """What can be wrong before Ray is joined: no model there, no image in the folder."""
    config = settled(config)
    if config.endpoint is None:
        checkpoints.read_config(config.model_uri)
    if config.images_uri is not None:
        _count(config)


def result_schema() -> Any:
    """Arrow schema of a predictions part; its metadata carries the research-use label."""
    import pyarrow as pa

    return pa.schema(
        [
            *sample_schema(),
            ("completion", pa.int32()),
            ("text", pa.string()),
            ("predicted_reasoning", pa.string()),
            ("predicted_answer", pa.string()),
            ("parsed", pa.bool_()),
            ("finish_reason", pa.string()),
            ("num_tokens", pa.int32()),
            ("num_prompt_tokens", pa.int32()),
            ("mean_logprob", pa.float64()),
            ("error", pa.string()),
        ],
        metadata={"notice": RESEARCH_USE_ONLY},
    )


def _fill(
    config: PredictConfig,
    missing: Iterable[tuple[int, Sequence[Sample]]],
    folder: PartFolder,
    tally: Tally,
    total: int,
    pool: EnginePool | None,
) -> None:
    import pyarrow as pa

    with answerer(config, pool, total) as answer:

        def work(item: tuple[int, Sequence[Sample]]) -> tuple[int, int, list[dict[str, Any]]]:
            number, samples = item
            return number, len(samples), answer(samples)

        in_flight = parts_in_flight(config.engine, config.rows_per_part * config.sampling.n)
        finished = 0
        start = time.monotonic()
        for number, size, rows in ahead(missing, work, in_flight):
            table = pa.Table.from_pylist(rows, result_schema())
            tally.add(table)
            _check_failures(
                config, tally, total
            )  # first: a part that is written is not asked again
            folder.write(number, table)
            finished += size
            rate = finished / (time.monotonic() - start)
            logger.info(
                "predict: part %d written, %d samples, %.1f a second, %d failed",
                number,
                finished,
                rate,
                tally.failed_samples,
            )


def _check_failures(config: PredictConfig, tally: Tally, total: int) -> None:
    if tally.failed_samples > config.max_failure_rate * total:
        raise ChexoneError(
            f"predict: {tally.failed_samples} of {total} rows failed, above "
            f"predict.max_failure_rate={config.max_failure_rate}: "
            f"{dict(tally.errors.most_common(3))}"
        )


def _samples(config: PredictConfig) -> Iterator[Sample]:
    """The rows in order; memory holds a row group of a manifest at a time."""
    if config.images_uri is not None:
        yield from folder_samples(config.images_uri, config.question, config.mode)
        return
    assert config.manifest_uri is not None
    for sample in stream.iter_samples(
        config.manifest_uri, config.split, config.kinds, config.max_per_kind
    ):
        yield replace(sample, mode=config.mode)


def _count(config: PredictConfig) -> int:
    """How many rows there are. Raises ChexoneError for none."""
    if config.images_uri is not None:
        total = len(folder_samples(config.images_uri, config.question, config.mode))
        if not total:
            names = ", ".join(sorted(IMAGE_SUFFIXES - {""}))
            raise ChexoneError(
                f"predict: no image in {config.images_uri}: give a folder with files that end in "
                f"{names} or have no suffix"
            )
        return total
    assert config.manifest_uri is not None
    total = stream.count_samples(
        config.manifest_uri, config.split, config.kinds, config.max_per_kind
    )
    if not total:
        raise ChexoneError(
            f"predict: nothing to answer in {config.manifest_uri}: check the URI, predict.split "
            "and predict.kinds"
        )
    return total


def folder_samples(images_uri: str, question: str | None, mode: Mode) -> list[Sample]:
    """One sample an image file under a folder, by path; a report is asked for by default."""
    place = images_uri.rstrip("/") + "/"
    found = []
    for uri in storage.list_files(images_uri):
        name = uri.removeprefix(place)
        if PurePosixPath(name).suffix.lower() not in IMAGE_SUFFIXES:
            continue
        found.append(
            Sample(
                id=name,
                dataset="images",
                task="Findings Generation",
                kind="findings",
                split="test",
                patient=name,
                study=name,
                images=(ImageRef(uri),),
                question=question or prompts.FINDINGS_QUESTION,
                answer="",
                mode=mode,
            )
        )
    return found


def _settings(config: PredictConfig) -> dict[str, Any]:
    """What the rows depend on: not where they are made and how fast."""
    left_out = {"output_uri", "ray", "engine", "endpoint", "max_failure_rate", "trust_remote_code"}
    if config.endpoint is not None:
        left_out.add("model_uri")  # none
    chosen = identity.content(config, left_out)
    if config.manifest_uri:
        given: dict[str, Any] = {"manifest": storage.committed(config.manifest_uri)}
    else:
        assert config.images_uri is not None
        samples = folder_samples(config.images_uri, config.question, config.mode)
        names = {sample.id for sample in samples}
        files = [f for f in storage.describe_files(config.images_uri) if f[0] in names]
        given = {"files": digest(files)}
    return chosen | {"model_digest": _digest(config)} | given


def _digest(config: PredictConfig) -> str:
    if config.endpoint is not None:
        return f"endpoint:{config.endpoint.model}"
    return checkpoints.model_digest(config.model_uri)


def _summary(config: PredictConfig, total: int, tally: Tally, num_parts: int) -> dict[str, Any]:
    kinds: dict[str, dict[str, int]] = defaultdict(dict)
    for kind in sorted(tally.rows):
        kinds[kind] = {"rows": tally.rows[kind], "unparsed": tally.unparsed[kind]}
    return {
        "notice": RESEARCH_USE_ONLY,
        "model_uri": config.model_uri or _digest(config),
        "adapter": config.adapter,
        "parser": ADAPTERS[config.adapter].parser,
        "mode": config.mode,
        "samples": total,
        "rows": sum(tally.rows.values()),
        "parts": num_parts,
        "failed": tally.failed_samples,
        "errors": dict(tally.errors.most_common()),
        "finish_reasons": dict(tally.finish_reasons),
        "prompt_tokens": tally.prompt_tokens,
        "completion_tokens": tally.tokens,
        "usd": config.endpoint and config.endpoint.usd(tally.prompt_tokens, tally.tokens),
        "kinds": kinds,
        "config": config.model_dump(mode="json"),
    }
