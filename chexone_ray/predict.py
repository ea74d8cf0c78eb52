"""Batch prediction: a manifest or a folder of images -> Parquet of answers, part by part.

Images are read and decoded by Ray tasks ahead of the engines, so many parts at a time as the
largest pool can work on. A part is committed as one file, so a killed run goes on with the first
part that is missing. An image that cannot be used is a row with an error, counted.

What an endpoint answers is paid for, so its parts are written also where the run ends in an error,
and the next run asks only about the rows that failed. In a finished folder it asks again about
those that failed for the server's sake (`chat_client.PASSING`).

Columns: those of the manifest (`reasoning` and `answer` are the reference; empty for a folder of
images) and `completion`, `text`, `predicted_reasoning`, `predicted_answer`, `parsed`,
`finish_reason`, `num_tokens`, `num_prompt_tokens`, `mean_logprob`, `error`. One row a completion.
What is asked and how the answers are read is the adapter's, see `systems/`.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints, identity, prompts, storage
from chexone_ray.answering import Row, answerer
from chexone_ray.config import PredictConfig
from chexone_ray.data import stream
from chexone_ray.endpoints.asked_again import Missing, again, by_sample
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
            self.tokens += tokens
            self.prompt_tokens += 0 if number else prompt
            if error:
                self.errors[error] += 1
                self.failed_samples += 1
                continue
            self.unparsed[kind] += not parsed
            self.finish_reasons[reason] += 1


def predict(config: PredictConfig, pool: EnginePool | None = None) -> str:
    """Answer every row; returns `config.output_uri`, committed.

    A given `pool` gets the checkpoint loaded and stays up; otherwise an own one is started.

    Raises:
        ChexoneError: no rows, more failures than `max_failure_rate`, or results of other settings.
    """
    config = settled(config)
    settings = _settings(config)
    folder = PartFolder(config.output_uri, "part", settings)
    finished = folder.is_complete()
    if finished and not _passing(config):
        logger.info("predict: %s is complete", config.output_uri)
        return config.output_uri
    start = time.monotonic()
    total = _count(config)
    num_parts = -(-total // config.rows_per_part)
    tally = Tally()
    done = folder.open()
    storage.record_settings(config.output_uri, config)
    whole = set()
    for number in sorted(done):
        table = folder.read(number)
        if not any(again(config, table.column("error").to_pylist(), finished)):
            whole.add(number)
            tally.add(table)
    if whole:
        logger.info("predict: %d of %d parts are there, going on", len(whole), num_parts)
    if len(whole) < num_parts:
        missing = _missing(config, folder, done, whole, finished)
        try:
            _fill(config, missing, folder, tally, total, pool)
        except ChexoneError as error:
            if not finished:
                raise
            logger.warning("predict: %s keeps rows that failed: %s", config.output_uri, error)
            tally = _kept(folder)
    summary = _summary(config, total, tally, num_parts) | {
        "model_digest": settings["model_digest"],
        "seconds": round(time.monotonic() - start, 1),
        "resumed_parts": len(whole),
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


def _passing(config: PredictConfig) -> bool:
    """Whether a finished folder has rows that an endpoint may answer now."""
    info = storage.committed(config.output_uri) or {}
    return any(again(config, list(info.get("errors", {})), finished=True))


def _missing(
    config: PredictConfig, folder: PartFolder, done: Set[int], whole: Set[int], finished: bool
) -> Iterator[Missing]:
    for number, samples in numbered(_samples(config), config.rows_per_part):
        if number in whole:
            continue
        known: list[list[Row]] = [[] for _ in samples]
        if number in done:
            found = by_sample(folder.read(number).to_pylist())
            redo = again(config, [rows[0]["error"] for rows in found], finished)
            known = [[] if one else rows for rows, one in zip(found, redo, strict=True)]
        yield Missing(number, samples, known)


def _kept(folder: PartFolder) -> Tally:
    tally = Tally()
    for number in sorted(folder.open()):
        tally.add(folder.read(number))
    return tally


def _table(rows: list[Row]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(rows, result_schema())


def _fill(
    config: PredictConfig,
    missing: Iterable[Missing],
    folder: PartFolder,
    tally: Tally,
    total: int,
    pool: EnginePool | None,
) -> None:
    """Answer and write what is missing, and count it in `tally`."""
    keeps = config.endpoint is not None
    in_flight = _in_flight(config)
    threads = ThreadPoolExecutor(in_flight, thread_name_prefix="parts")
    try:
        with answerer(config, pool, total) as answer:

            def work(part: Missing) -> tuple[int, int, Any]:
                def keep(rows: list[Row]) -> None:
                    folder.write(part.number, _table(part.filled(rows)))

                rows = answer(part.asked, keep)
                return part.number, len(part.samples), _table(part.filled(rows))

            finished = 0
            start = time.monotonic()
            for number, size, table in ahead(missing, work, in_flight, threads):
                tally.add(table)
                _check_failures(config, tally, total)
                if not keeps:  # after the check: a part that is written is not asked again
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
    except BaseException:
        threads.shutdown(wait=keeps, cancel_futures=True)  # they write what was paid for
        if keeps:
            _tell_cost(config, folder)
        raise


def _in_flight(config: PredictConfig) -> int:
    """Parts under way, so that there is work while the last rows of a part are waited for."""
    if config.endpoint is not None:
        return 1 + -(-config.endpoint.max_in_flight // config.rows_per_part)
    return parts_in_flight(config.engine, config.rows_per_part * config.sampling.n)


def _tell_cost(config: PredictConfig, folder: PartFolder) -> None:
    """What a run that ends in an error leaves; the next one counts it too."""
    assert config.endpoint is not None
    tally = _kept(folder)
    usd = config.endpoint.usd(tally.prompt_tokens, tally.tokens)
    logger.warning(
        "predict: %d answers of %s are kept, %d prompt and %d completion tokens, %s; the same "
        "command asks only about the other rows",
        sum(tally.rows.values()) - tally.failed_samples,
        config.endpoint.host,
        tally.prompt_tokens,
        tally.tokens,
        "no price set" if usd is None else f"US$ {usd:.4f}",
    )


def _check_failures(config: PredictConfig, tally: Tally, total: int) -> None:
    if tally.failed_samples > config.max_failure_rate * total:
        raise ChexoneError(
            f"predict: {tally.failed_samples} of {total} rows failed, above "
            f"predict.max_failure_rate={config.max_failure_rate}: "
            f"{dict(tally.errors.most_common(3))}"
            + ("; what was answered is kept" if config.endpoint is not None else "")
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
    if config.endpoint is not None:  # a name is one model on one server alone
        chosen["endpoint"] = {"url": config.endpoint.place}
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
