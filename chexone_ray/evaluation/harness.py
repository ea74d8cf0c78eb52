"""Predictions of several models on the same rows -> a table with intervals, and differences.

Whatever failed or could not be parsed counts as wrong and is reported beside the figure.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from chexone_ray import storage
from chexone_ray.config import EvaluateConfig
from chexone_ray.data import stream
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.constant import baselines_of
from chexone_ray.evaluation.kinds import METRICS, Metric
from chexone_ray.evaluation.predictions import read_rows
from chexone_ray.evaluation.statistics import Array, bootstrap, paired_difference, patient_totals
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.parts import to_parquet
from chexone_ray.records import Sample, sample_from_row

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """The rows of one model and kind. `answers[i]` is None where nothing could be parsed."""

    samples: tuple[Sample, ...]
    answers: tuple[str | None, ...]
    failed: tuple[bool, ...]


@dataclass(frozen=True)
class Counted:
    """What a metric makes of one model's rows: only those that it applies to are in the counts."""

    by_patient: Array
    """Statistics summed by patient (P, S), patients sorted."""
    num_rows: int
    num_unparsed: int
    num_failed: int


Totals: TypeAlias = Mapping[str, Counted]
"""By system."""


@dataclass(frozen=True)
class Figure:
    """One number of the table."""

    kind: str
    metric: str
    model: str
    value: float
    low: float
    high: float
    num_rows: int
    num_patients: int
    num_unparsed: int
    num_failed: int
    baseline: bool = False


@dataclass(frozen=True)
class Difference:
    """metric(second) - metric(first) on the same patients."""

    kind: str
    metric: str
    first: str
    second: str
    value: float
    low: float
    high: float


def evaluate(config: EvaluateConfig) -> str:
    """Write table.json, table.md, differences.json and rows.parquet to `output_uri`; returns it.

    Raises:
        ChexoneError: the models answered different rows, or a kind has no metric.
    """
    judged = {name: read_predictions(uri) for name, uri in config.predictions_uri.items()}
    _refuse_different_rows(judged)
    train: dict[str, list[Sample]] = defaultdict(list)
    if config.baselines:
        for sample in stream.read_samples(config.manifest_uri, "train"):
            train[sample.kind].append(sample)
    figures: list[Figure] = []
    differences: list[Difference] = []
    for kind in sorted({kind for rows in judged.values() for kind in rows}):
        by_model = {name: rows[kind] for name, rows in judged.items()}
        some = next(iter(by_model.values())).samples
        constant = {
            name: Judged(some, tuple(map(answer, some)), (False,) * len(some))
            for name, answer in baselines_of(kind, train[kind]).items()
        }
        for metric in METRICS[kind]:
            figures += _figures(kind, metric, _totals_of(metric, constant), config, True)
            totals = _totals_of(metric, by_model)
            figures += _figures(kind, metric, totals, config, False)
            differences += _differences(kind, metric, totals, config)
    _write(config, figures, differences, judged)
    return config.output_uri


def read_predictions(uri: str) -> dict[str, Judged]:
    """Rows of a committed predictions folder by kind, sorted by id, first completion only.

    Raises:
        ChexoneError: the folder is not committed, or holds a kind without a metric.
    """
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_rows(uri):
        if row["kind"] not in METRICS:
            raise ChexoneError(
                f"predictions {uri}: kind {row['kind']!r} has no metric; "
                f"known: {', '.join(METRICS)}"
            )
        if row["completion"] == 0:
            found[row["kind"]].append(row)
    return {kind: _judged(rows) for kind, rows in found.items()}


def _judged(rows: list[dict[str, Any]]) -> Judged:
    rows = sorted(rows, key=lambda row: str(row["id"]))
    return Judged(
        tuple(sample_from_row(row) for row in rows),
        tuple(None if row["error"] else row["predicted_answer"] for row in rows),
        tuple(bool(row["error"]) for row in rows),
    )


def _refuse_different_rows(judged: Mapping[str, Mapping[str, Judged]]) -> None:
    ids = {
        name: {sample.id for rows in kinds.values() for sample in rows.samples}
        for name, kinds in judged.items()
    }
    first, *others = ids
    for other in others:
        odd = sorted(ids[first] ^ ids[other])
        if odd:
            raise ChexoneError(
                f"models {first!r} and {other!r} answered different rows ({len(odd)} differ): "
                "use one manifest, split, kinds and max_per_kind"
            )


def _counted(metric: Metric, rows: Judged) -> Counted:
    kept = [
        (f"{sample.dataset}/{sample.patient}", statistics, answer, failed)
        for sample, answer, failed in zip(rows.samples, rows.answers, rows.failed, strict=True)
        if (statistics := metric.row(sample, answer)) is not None
    ]
    if not kept:
        return Counted(np.zeros((0, 1)), 0, 0, 0)
    patients = [patient for patient, *_ in kept]
    values = np.array([statistics for _, statistics, *_ in kept], dtype=float)
    return Counted(
        patient_totals(values, patients, sorted(set(patients))),
        len(kept),
        sum(answer is None and not failed for *_, answer, failed in kept),
        sum(failed for *_, failed in kept),
    )


def _totals_of(metric: Metric, by_model: Mapping[str, Judged]) -> Totals:
    return {name: _counted(metric, rows) for name, rows in by_model.items()}


def _figures(
    kind: str, metric: Metric, totals: Totals, config: EvaluateConfig, baseline: bool
) -> list[Figure]:
    return [
        Figure(
            kind=kind,
            metric=metric.name,
            model=name,
            **asdict(bootstrap(found.by_patient, metric.value, config.bootstrap, config.seed)),
            num_rows=found.num_rows,
            num_patients=len(found.by_patient),
            num_unparsed=found.num_unparsed,
            num_failed=found.num_failed,
            baseline=baseline,
        )
        for name, found in totals.items()
        if found.num_rows
    ]


def _differences(
    kind: str, metric: Metric, totals: Totals, config: EvaluateConfig
) -> list[Difference]:
    """Every later model against every earlier one, in the order of `predictions_uri`."""
    names = [name for name, found in totals.items() if found.num_rows]
    return [
        Difference(
            kind,
            metric.name,
            first,
            second,
            **asdict(
                paired_difference(
                    totals[first].by_patient,
                    totals[second].by_patient,
                    metric.value,
                    config.bootstrap,
                    config.seed,
                )
            ),
        )
        for at, first in enumerate(names)
        for second in names[at + 1 :]
    ]


def markdown(figures: Sequence[Figure]) -> str:
    """The table as Markdown, one row a kind and metric, one column a system."""
    lines = [
        "| kind | metric | system | value | 95 % interval | rows | patients | unparsed | failed |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for f in figures:
        system = f"_{f.model}_" if f.baseline else f"**{f.model}**"
        lines.append(
            f"| {f.kind} | {f.metric} | {system} | {f.value:.3f} | {f.low:.3f} to {f.high:.3f} "
            f"| {f.num_rows} | {f.num_patients} | {f.num_unparsed} | {f.num_failed} |"
        )
    lines += [
        "",
        "Intervals: percentile bootstrap over patients. Italic: baselines without the image; what "
        "one is told of the answer is in its name.",
    ]
    return "\n".join([*lines, "", RESEARCH_USE_ONLY, ""])


def _rows_table(judged: Mapping[str, Mapping[str, Judged]]) -> bytes:
    import pyarrow as pa

    columns: dict[str, list[Any]] = defaultdict(list)
    for name, kinds in judged.items():
        for kind, rows in kinds.items():
            for sample, answer in zip(rows.samples, rows.answers, strict=True):
                columns["model"].append(name)
                columns["kind"].append(kind)
                columns["id"].append(sample.id)
                columns["patient"].append(sample.patient)
                columns["answer"].append(answer)
                for metric in METRICS[kind][:1]:
                    columns["statistics"].append(metric.row(sample, answer))
    return to_parquet(pa.table(dict(columns)))


def _write(
    config: EvaluateConfig,
    figures: Sequence[Figure],
    differences: Sequence[Difference],
    judged: Mapping[str, Mapping[str, Judged]],
) -> None:
    out = config.output_uri
    storage.delete(storage.join(out, storage.COMMIT_FILE))
    storage.record_settings(out, config)
    storage.write_json(storage.join(out, "table.json"), [asdict(figure) for figure in figures])
    storage.write_json(storage.join(out, "differences.json"), [asdict(d) for d in differences])
    storage.write_bytes(storage.join(out, "table.md"), markdown(figures).encode())
    storage.write_bytes(storage.join(out, "rows.parquet"), _rows_table(judged))
    storage.commit(out, {"figures": len(figures), "notice": RESEARCH_USE_ONLY})
    logger.info("evaluation of %s: %d figures in %s", ", ".join(judged), len(figures), out)
