"""Reasoning traces for questions with a reference: a teacher writes, filters decide what stays.

The teacher's texts are kept as they come, in parts under `texts_uri`: a killed run goes on without
paying for them again, and other filters can be tried on them. A row whose teacher failed is asked
again by the next run. The result is a manifest whose rows have a trace and the mode "reasoning".
Rows go through part by part, in the manifest's order: memory holds the parts under way and counts.
What was made of each text lies under `verdicts`: a run that goes on judges only what it has not.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints, identity, storage
from chexone_ray.config import TraceConfig
from chexone_ray.data import manifest, stream
from chexone_ray.data.traces import best, has_reference, teacher_prompt
from chexone_ray.endpoints.chat_client import Asked
from chexone_ray.engine.scaling import parts_in_flight
from chexone_ray.errors import ChexoneError
from chexone_ray.parts import PartFolder, ahead, digest, numbered
from chexone_ray.records import Sample
from chexone_ray.tracing.teachers import Teacher, teacher_of
from chexone_ray.tracing.verdicts import VerdictFolder
from chexone_ray.tracing.yields import Yield, page, summary

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

logger = logging.getLogger(__name__)

REPORT_FILE, PAGE_FILE = "report.json", "report.md"
TEXTS_FOLDER, TEXTS_PREFIX = "texts", "texts"
SAVE_EVERY_S = 5.0
"""How much of the teacher's work a killed run may lose, with what is under way."""

MIN_SILENT = 16
"""Rows in a row, none of them answered, that end a run whatever share of failures is allowed."""

_SENT = frozenset({"output_uri", "texts_uri", "ray", "engine", "max_failure_rate"})
"""Places and how fast: what neither texts nor traces depend on."""

_JUDGED = frozenset({"filters", "keep_untraced"})
_PROBE = Sample("", "", "", "report", "train", "", "", (), "", "")


@dataclass(frozen=True)
class Part:
    """Consecutive rows and the number of the file that holds what was written about them."""

    number: int
    samples: Sequence[Sample]


def trace(config: TraceConfig, pool: EnginePool | None = None) -> str:
    """Ask, judge, keep; returns the URI of the traced manifest.

    Writes Parquet and `manifest.json` like `prepare`, the teacher's texts and the verdicts on them,
    `report.json` and `report.md` (also where nothing passed), the commit file last. A given `pool`
    gets the checkpoint loaded and stays up.

    Raises:
        ChexoneError: no rows, too many failures, no trace that passes, settings of the endpoint
            that cannot work, or results of other settings.
    """
    asking = _asking(config)
    settings_digest = digest([asking, config.filters.model_dump(mode="json"), config.keep_untraced])
    if identity.is_complete(
        config.output_uri, "config_digest", settings_digest, "traces", _deciding(config)
    ):
        logger.info("trace: %s is complete", config.output_uri)
        return config.output_uri
    total, skipped = _count(config)
    if not total:
        raise ChexoneError(
            f"{config.manifest_uri} has no rows with a reference of split={config.split} "
            f"and kinds={list(config.kinds) or 'all'}: check them"
        )
    texts_uri = config.texts_uri or storage.join(config.output_uri, TEXTS_FOLDER)
    folder = PartFolder(texts_uri, TEXTS_PREFIX, asking)
    there = folder.open()
    storage.record_settings(config.output_uri, config)
    writer = manifest.SampleWriter(config.output_uri)
    verdicts = VerdictFolder(config.output_uri, asking, config.filters)
    found = Yield()
    silent: Counter[str] = Counter()
    # Closed here: an error that somebody keeps would keep the engines too.
    with closing(_written(config, folder, there, pool)) as written:
        for part, asked in written:
            for sample in _judge(config, part, asked, verdicts, found):
                writer.add(sample)
            _tell(config, found, total)
            _check_failures(config, found, total)
            _check_answers(_who(config), part, asked, silent)
    verdicts.finish()
    counts = _report(config, found, skipped)
    if not found.kept:
        raise ChexoneError(
            f"trace: none of {total} rows has a trace that passes the filters "
            f"({dict(found.reasons.most_common(3))}): see {PAGE_FILE} in {config.output_uri}, the "
            f"texts in {texts_uri} and why each was dropped in {verdicts.uri}; loosen filters, "
            "raise sampling.n or sampling.max_tokens, or take another teacher"
        )
    _finish(config, writer, counts, settings_digest)
    return config.output_uri


def texts_schema() -> Any:
    """Arrow schema of a part of the teacher's texts; `row` is the place in the part."""
    import pyarrow as pa

    return pa.schema(
        [
            ("row", pa.int32()),
            ("id", pa.string()),
            ("texts", pa.list_(pa.string())),
            ("prompt_tokens", pa.int64()),
            ("completion_tokens", pa.int64()),
            ("error", pa.string()),
        ]
    )


# --- asking --------------------------------------------------------------------------------------


def _asking(config: TraceConfig) -> dict[str, Any]:
    """What the teacher's texts depend on: not how they are judged, made, paid for and sent."""
    chosen = identity.content(config, _SENT | _JUDGED | {"endpoint"})
    if config.endpoint is not None:
        chosen["endpoint"] = [config.endpoint.url, config.endpoint.model]
    else:
        chosen["model_digest"] = checkpoints.model_digest(config.teacher)
    return chosen | {
        "wording": digest([teacher_prompt(_PROBE, style) for style in ("plain", "numbered")]),
        "manifest": storage.committed(config.manifest_uri),
    }


def _deciding(config: TraceConfig) -> dict[str, Any]:
    """The settings that decide the traces, to name those that differ."""
    chosen = identity.content(config, _SENT)
    if config.endpoint is not None:
        chosen["endpoint"] = {"url": config.endpoint.url, "model": config.endpoint.model}
    return chosen


def _rows(config: TraceConfig) -> Iterator[Sample]:
    """The chosen rows of the manifest, those without a reference too."""
    return stream.iter_samples(config.manifest_uri, config.split, config.kinds, config.max_per_kind)


def _count(config: TraceConfig) -> tuple[int, int]:
    """How many rows have a reference, and how many have none."""
    found = Counter(map(has_reference, _rows(config)))
    return found[True], found[False]


def _parts(config: TraceConfig) -> Iterator[Part]:
    """The rows with a reference, cut into parts; read as they are needed."""
    rows = filter(has_reference, _rows(config))
    return (Part(*part) for part in numbered(rows, config.rows_per_part))


def _written(
    config: TraceConfig, folder: PartFolder, there: Set[int], pool: EnginePool | None
) -> Generator[tuple[Part, Mapping[int, Asked]], None, None]:
    """Every part in order with what the teacher wrote; `there` are the parts with texts already.

    The teacher comes up at the first row that lacks a text, so for complete parts not at all.
    """
    parts = (
        (part, _settled(folder, part) if part.number in there else {}) for part in _parts(config)
    )
    for part, asked in parts:
        if len(asked) < len(part.samples):
            break
        yield part, asked
    else:
        return
    logger.info(
        "trace: asking %s from row %d on", config.teacher, part.number * config.rows_per_part
    )
    with teacher_of(config, pool) as teacher:

        def work(item: tuple[Part, dict[int, Asked]]) -> tuple[Part, Mapping[int, Asked]]:
            return item[0], _ask(teacher, *item, folder)

        yield from ahead(chain([(part, asked)], parts), work, _in_flight(config))


def _in_flight(config: TraceConfig) -> int:
    """Parts under way, so that a teacher has work while the last rows of a part are waited for."""
    if config.endpoint is not None:
        return 1 + -(-config.endpoint.max_in_flight // config.rows_per_part)
    return parts_in_flight(config.engine, config.rows_per_part * config.sampling.n)


def _ask(
    teacher: Teacher, part: Part, asked: dict[int, Asked], folder: PartFolder
) -> Mapping[int, Asked]:
    """Ask about the rows of a part that `asked` lacks; what comes is written now and then."""
    places = [place for place in range(len(part.samples)) if place not in asked]
    if not places:
        return asked
    saved = time.monotonic()

    def told(number: int, answer: Asked) -> None:
        nonlocal saved
        asked[places[number]] = answer
        if time.monotonic() - saved >= SAVE_EVERY_S:
            _save(folder, part, asked)
            saved = time.monotonic()

    try:
        teacher([part.samples[place] for place in places], told)
    finally:
        # Also where the teacher gave up: what it wrote before is paid for.
        if asked:
            _save(folder, part, asked)
    return asked


def _save(folder: PartFolder, part: Part, asked: Mapping[int, Asked]) -> None:
    import pyarrow as pa

    rows = [
        {"row": place, "id": part.samples[place].id, **asdict(asked[place])}
        for place in sorted(asked)
    ]
    folder.write(part.number, pa.Table.from_pylist(rows, texts_schema()))


def _settled(folder: PartFolder, part: Part) -> dict[int, Asked]:
    """Place -> what is known of it; without rows whose teacher failed, which are asked again."""
    return {
        row["row"]: Asked(
            tuple(row["texts"]), row["prompt_tokens"], row["completion_tokens"], row["error"]
        )
        for row in folder.read(part.number).to_pylist()
        if (not row["error"] or row["error"].startswith("image: "))
        # Which rows have a reference is ours to say, and may change from release to release.
        and row["row"] < len(part.samples)
        and row["id"] == part.samples[row["row"]].id
    }


# --- judging and writing -------------------------------------------------------------------------


def _judge(
    config: TraceConfig,
    part: Part,
    asked: Mapping[int, Asked],
    verdicts: VerdictFolder,
    found: Yield,
) -> Iterator[Sample]:
    """The rows that stay, with the trace that stays of each; counts all in `found`."""
    texts = [asked[place].texts for place in range(len(part.samples))]
    judged = verdicts.judge(part.number, part.samples, texts)
    for place, (sample, of_row) in enumerate(zip(part.samples, judged, strict=True)):
        chosen = best(of_row)
        found.add(sample.kind, asked[place], of_row, chosen)
        if chosen is not None:
            yield replace(sample, reasoning=chosen.trace, mode="reasoning")
        elif config.keep_untraced:
            yield replace(sample, reasoning="", mode="instruct")


def _tell(config: TraceConfig, found: Yield, total: int) -> None:
    usd = found.cost(config)
    logger.info(
        "trace: %d of %d rows done, %d kept, %d failed, %d prompt and %d completion tokens, %s",
        found.rows.total(),
        total,
        found.kept.total(),
        found.failed.total(),
        found.prompt_tokens,
        found.completion_tokens,
        "no price set" if usd is None else f"US$ {usd:.4f} so far",
    )


def _check_failures(config: TraceConfig, found: Yield, total: int) -> None:
    if found.failed.total() > config.max_failure_rate * total:
        raise ChexoneError(
            f"trace: {found.failed.total()} of {total} rows failed (asked: {_who(config)}), above "
            f"max_failure_rate={config.max_failure_rate}: {dict(found.errors.most_common(3))}; "
            "what was written is kept, and the same command asks only about the others"
        )


def _who(config: TraceConfig) -> str:
    """Whom the run asks, for messages."""
    return f"the endpoint {config.endpoint.host}" if config.endpoint else config.teacher


def _check_answers(who: str, part: Part, asked: Mapping[int, Asked], silent: Counter[str]) -> None:
    """End the run where nobody answers: in a long one the share of failures tells it hours late.

    `silent` holds the errors since the last answer, from part to part. Only a part without any
    answer ends the run, so that a short outage does not. Films that could not be read say nothing.
    """
    answers = [asked[place].error for place in range(len(part.samples))]
    told = [error for error in answers if not error.startswith("image: ")]
    for error in told:
        if error.startswith("endpoint: "):
            silent[error] += 1
        else:
            silent.clear()
    if silent.total() >= max(MIN_SILENT, len(told)) and told:
        raise ChexoneError(
            f"trace: {who} answered none of {silent.total()} rows in a row "
            f"({dict(silent.most_common(3))}): see that it runs, lower "
            "endpoint.max_in_flight, or raise endpoint.timeout_s; the same command goes on"
        )


def _report(config: TraceConfig, found: Yield, skipped: int) -> dict[str, Any]:
    """Write the yield; returns its counts."""
    counts = summary(config, found, skipped)
    storage.write_json(storage.join(config.output_uri, REPORT_FILE), counts)
    storage.write_bytes(storage.join(config.output_uri, PAGE_FILE), page(counts).encode())
    return counts


def _finish(
    config: TraceConfig,
    writer: manifest.SampleWriter,
    counts: Mapping[str, Any],
    settings_digest: str,
) -> None:
    info = manifest.selection_info(config.manifest_uri, writer.units) | {
        "config_digest": settings_digest,
        "traced_from": config.manifest_uri,
        "traced_by": config.teacher,
        "traces": {"asked": counts["rows"], "kept": counts["kept"], "yield": counts["yield"]},
    }
    writer.finish(info)
    logger.info(
        "trace: %d of %d rows have a trace; the manifest holds rows of split %s only",
        counts["kept"],
        counts["rows"],
        config.split,
    )
