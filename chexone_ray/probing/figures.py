"""Answers of the probes -> figures about reasoning with intervals by patient. Pure.

Failed answers are in no figure, but counted; one that could not be read, or that was refused, is
wrong and changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chexone_ray.config import ProbeConfig
from chexone_ray.evaluation.same_answer import SAME_RULE
from chexone_ray.evaluation.statistics import (
    Array,
    Interval,
    bootstrap,
    paired_difference,
    patient_totals,
)
from chexone_ray.metrics.labels import RULES
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import mean_value
from chexone_ray.probing import probes

Row = Mapping[str, Any]
Statistic = Callable[[Row], "float | None"]
"""The value of a row, None where it has none."""

COLUMNS = (
    *("probe", "id", "dataset", "kind", "patient", "status", "error", "correct", "same_as_plain"),
    *("right_findings", "stated_findings", "agreement", "consistency"),
)
"""What the figures need of an answer's row."""
PERTURBED = (probes.BLANK, probes.SWAP)


@dataclass(frozen=True)
class Measure:
    """A metric: the mean over rows of one probe."""

    name: str
    mode: str
    probe: str
    value: Statistic
    signature: str


@dataclass(frozen=True)
class Figure:
    """One number with its 95 % interval."""

    model: str
    mode: str
    metric: str
    signature: str
    value: float
    low: float
    high: float
    num_rows: int
    num_patients: int


@dataclass(frozen=True)
class Gap:
    """mean(second) - mean(first) over the rows that have both, with its 95 % interval."""

    model: str
    first: str
    second: str
    value: float
    low: float
    high: float
    num_rows: int
    num_patients: int


def measures(config: ProbeConfig) -> tuple[Measure, ...]:
    """All metrics of the probes that were asked, in the order of the table."""
    cuts = [probes.cut_name(share) for share in config.cuts] if "cut" in config.probes else []
    changed = [
        name
        for name, asked in ((probes.BLANK, "blank"), (probes.SWAP, "swap"))
        if asked in config.probes
    ]
    found = [_factuality(), _stating(), _agreement()]
    if "samples" in config.probes:
        found.append(_consistency(config))
    found.append(_accuracy("accuracy", probes.PLAIN))
    if "instruct" in config.probes:
        found.append(_accuracy("accuracy", probes.INSTRUCT, mode="instruct"))
    longest = dict.fromkeys(cuts, config.answer_tokens)
    found += [
        _accuracy(f"accuracy, {name}", name, longest=longest.get(name))
        for name in (*changed, *cuts)
    ]
    occluded = (probes.LESION, probes.CONTROL) if "occlusion" in config.probes else ()
    found += [
        _flips(f"flip rate, {name}", name, longest.get(name))
        for name in (*changed, *occluded, *cuts)
    ]
    return tuple(found)


def gaps(config: ProbeConfig) -> Iterator[tuple[str, str]]:
    """Pairs of metrics (with the mode behind a bar) whose difference says something."""
    names = {f"{m.name}|{m.mode}" for m in measures(config)}
    plain = "accuracy|reasoning"
    none = f"accuracy, {probes.cut_name(0)}|reasoning"
    pairs = [
        ("accuracy|instruct", plain),
        *((f"accuracy, {name}|reasoning", plain) for name in PERTURBED),
        (none, plain),
        (f"flip rate, {probes.CONTROL}|reasoning", f"flip rate, {probes.LESION}|reasoning"),
    ]
    yield from (pair for pair in pairs if set(pair) <= names)


def figures(rows: Sequence[Row], model: str, config: ProbeConfig) -> list[Figure]:
    """A figure a metric that has a row."""
    found = []
    for measure in measures(config):
        values = _values(rows, measure)
        if not values:
            continue
        totals, num_patients = _totals([values], list(values))
        interval = bootstrap(totals[0], mean_value, config.bootstrap, config.seed)
        found.append(
            Figure(
                model,
                measure.mode,
                measure.name,
                measure.signature,
                *_ends(interval),
                num_rows=len(values),
                num_patients=num_patients,
            )
        )
    return found


def differences(rows: Sequence[Row], model: str, config: ProbeConfig) -> list[Gap]:
    """The pairs of `gaps`, each over the rows that have both."""
    by_name = {f"{measure.name}|{measure.mode}": measure for measure in measures(config)}
    found = []
    for first, second in gaps(config):
        before, after = (_values(rows, by_name[name]) for name in (first, second))
        common = [row for row in before if row in after]
        if not common:
            continue
        (start, end), num_patients = _totals([before, after], common)
        gap = paired_difference(start, end, mean_value, config.bootstrap, config.seed)
        found.append(
            Gap(
                model,
                _named(first),
                _named(second),
                *_ends(gap),
                num_rows=len(common),
                num_patients=num_patients,
            )
        )
    return found


def outcomes(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Probe -> status -> answers."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row["probe"]][row["status"]] += 1
    return {probe: dict(sorted(found.items())) for probe, found in counts.items()}


def _values(rows: Sequence[Row], measure: Measure) -> dict[tuple[str, str], float]:
    """(patient, row id) -> the value of each row that has one."""
    found = {}
    for row in rows:
        if row["probe"] == measure.probe and row["status"] != "failed":
            value = measure.value(row)
            if value is not None:
                found[f"{row['dataset']}/{row['patient']}", row["id"]] = value
    return found


def _totals(
    systems: Sequence[Mapping[tuple[str, str], float]], rows: Sequence[tuple[str, str]]
) -> tuple[list[Array], int]:
    """(sum, count) by patient (P, 2) of each system, and P."""
    patients = [patient for patient, _ in rows]
    order = sorted(set(patients))
    totals = [
        patient_totals(np.array([(values[row], 1.0) for row in rows]), patients, order)
        for values in systems
    ]
    return totals, len(order)


def _ends(found: Interval) -> tuple[float, float, float]:
    """Every row that is drawn has a value, so no draw is undefined."""
    return found.value, found.low, found.high


def _factuality() -> Measure:
    def value(row: Row) -> float | None:
        stated = row["stated_findings"]
        return row["right_findings"] / stated if stated else None

    told = signature(
        "factuality",
        entities="CheXpert 14 stated as present",
        reference="answer and reports of the study",
        labeller=RULES,
        silent_trace="left out",
        average="mean of rows",
    )
    return Measure("factuality", "reasoning", probes.PLAIN, value, told)


def _stating() -> Measure:
    name = "traces that state a finding"

    def value(row: Row) -> float | None:
        stated = row["stated_findings"]
        return None if stated is None else float(stated > 0)

    told = signature(name, entities="CheXpert 14 stated as present", labeller=RULES)
    return Measure(name, "reasoning", probes.PLAIN, value, told)


def _agreement() -> Measure:
    name = "answer-trace agreement"
    told = signature(
        name,
        rules="docs/rewards.md trace_agreement",
        labeller=RULES,
        unparsed=0,
        free_text="left out",
    )
    return Measure(name, "reasoning", probes.PLAIN, lambda row: row["agreement"], told)


def _consistency(config: ProbeConfig) -> Measure:
    name = "self-consistency"
    sampling = config.sampling
    told = signature(
        name,
        formula="1 - H / log k",
        k=sampling.n,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        **SAME_RULE,
        unparsed="like no other",
        average="mean of rows",
    )
    return Measure(name, "reasoning", probes.PLAIN, lambda row: row["consistency"], told)


_CHANGES = {
    probes.BLANK: "mean grey",
    probes.SWAP: "another patient, same data set, kind and views, "
    "of another right answer to the same question where one is",
    probes.LESION: "boxes filled with the median around them",
    probes.CONTROL: "regions of the same size and like brightness",
}


def _settings(probe: str, longest: int | None) -> dict[str, str | int]:
    """What a probe changes: the image, or the longest answer in tokens behind a cut trace."""
    changed: dict[str, str | int] = {"image": _CHANGES[probe]} if probe in _CHANGES else {}
    return changed if longest is None else changed | {"answer_tokens": longest}


def _accuracy(
    name: str, probe: str, mode: str = "reasoning", longest: int | None = None
) -> Measure:
    told = signature(
        name,
        mode=mode,
        decoding="greedy",
        **_settings(probe, longest),
        options="exact set",
        boxes="mean IoU >= 0.5, or a denial where there is none",
        other_kinds="left out",
        unparsed="wrong",
    )
    return Measure(name, mode, probe, lambda row: _number(row["correct"]), told)


def _flips(name: str, probe: str, longest: int | None = None) -> Measure:
    told = signature(
        name, decoding="greedy", **_settings(probe, longest), **SAME_RULE, unparsed="changed"
    )

    def value(row: Row) -> float | None:
        same = _number(row["same_as_plain"])
        return None if same is None else 1.0 - same

    return Measure(name, "reasoning", probe, value, told)


def _number(value: bool | None) -> float | None:
    return None if value is None else float(value)


def _named(name: str) -> str:
    """ "accuracy|instruct" as it is printed."""
    metric, _, mode = name.partition("|")
    return f"{metric}, without reasoning" if mode == "instruct" else metric
