"""Result files -> summary.json and report.html."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from chexone_ray import storage
from chexone_ray.config import DemoConfig
from chexone_ray.demo import report
from chexone_ray.demo.recipe import Configs, Recipe
from chexone_ray.demo.showcase import content
from chexone_ray.evaluation.blind import SIDES_TOLD
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.predictions import read_rows
from chexone_ray.evaluation.statistics import Interval, paired_difference, patient_totals
from chexone_ray.kinds import spoken
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.metrics.summable import mean_value
from chexone_ray.records import sample_from_row
from chexone_ray.rewards.score import score

logger = logging.getLogger(__name__)

NUM_FIGURES = 10
PACKAGES = ("ray", "torch", "transformers", "trl", "deepspeed", "qwen-vl-utils", "pyarrow", "boto3")


def write(
    folder: Path,
    config: DemoConfig,
    recipe: Recipe,
    configs: Configs,
    results: Mapping[str, Mapping[str, Any]],
    total_s: float,
) -> dict[str, Any]:
    """Write summary.json and report.html into the run folder; returns the summary.

    `total_s` is the wall time of this call and of the interrupted ones before it. What has no
    value is NaN in the returned summary and null in the file.
    """
    evaluation_uri = configs.evaluate().output_uri
    table, differences = (
        [_with_nan(row) for row in storage.read_json(storage.join(evaluation_uri, name))]
        for name in ("table.json", "differences.json")
    )
    figures = [figure for figure in table if not figure["topic"]]
    seconds: dict[str, Any] = {
        "total": total_s,
        "stages": {
            name: {key: result[key] for key in ("start", "seconds", "starting")}
            for name, result in results.items()
        },
    }
    gain = sampled_gain(configs)
    checks = [
        *learned(recipe, figures),
        *reinforced(recipe, differences, gain),
        *_served(results["serve"]["served"]),
        Check("figures drawn of the run's own files", NUM_FIGURES, _num_drawn(results["figures"])),
        Check("minutes, all links", recipe.max_minutes, total_s / 60, direction="at most"),
    ]
    summary = {
        "passed": all(check.passed for check in checks),
        "notice": RESEARCH_USE_ONLY,
        "quick": config.quick,
        "seed": config.seed,
        "seconds": seconds,
        "thresholds": recipe.thresholds,
        "checks": [check.row() for check in checks],
        "metrics": figures,
        "differences": differences,
        "sampled_reward_gain": asdict(gain),
        "counts": {
            "archive": results["archive"]["counts"],
            "manifest": results["prepare"]["manifest"],
        },
        "served": results["serve"]["served"],
        "figures": results["figures"]["figures"],
        "versions": {name: version(name) for name in PACKAGES},
    }
    (folder / "report.html").write_text(report.render(content(configs, recipe, results, summary)))
    storage.write_json(str(folder / "summary.json"), summary)
    return summary


def _with_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table with what it holds as null, an undefined number, as NaN."""
    numbers = ("value", "low", "high")
    return {
        key: math.nan if key in numbers and value is None else value for key, value in row.items()
    }


def _num_drawn(result: Mapping[str, Any]) -> int:
    """Figures of the ten, in whatever formats and pages."""
    return len({name[:2] for name in result["figures"] if name[:2].isdigit()})


Direction: TypeAlias = Literal["at least", "above", "at most"]


@dataclass(frozen=True)
class Check:
    """What was asked for and what was reached. Counts are int, so they print as such."""

    name: str
    threshold: float
    reached: float
    interval: Interval | None = None
    direction: Direction = "at least"

    @property
    def passed(self) -> bool:
        """True where the bar was reached; a value that is not a number never reaches it."""
        if self.direction == "at most":
            return bool(self.reached <= self.threshold)
        if self.direction == "above":
            return bool(self.reached > self.threshold)
        return bool(self.reached >= self.threshold)

    def row(self) -> dict[str, Any]:
        """As it stands in summary.json."""
        return {
            "name": self.name,
            "direction": self.direction,
            "threshold": self.threshold,
            "reached": self.reached,
            "low": self.interval.low if self.interval else None,
            "high": self.interval.high if self.interval else None,
            "passed": self.passed,
        }


def learned(recipe: Recipe, figures: Sequence[Mapping[str, Any]]) -> list[Check]:
    """The headline of each kind after SFT against its threshold and against the best baseline.

    `figures` are rows of table.json without those of topics. The baseline that is told the sides of
    the boxes is no bar, as the models are not told them, nor is one without a value. A kind that
    was not asked reaches no value, so it fails.
    """
    nothing = {"metric": "headline", "value": math.nan, "low": math.nan, "high": math.nan}
    checks = []
    for kind, threshold in recipe.thresholds.items():
        rows = {row["model"]: row for row in figures if row["headline"] and row["kind"] == kind}
        row = rows.get("SFT", nothing)
        interval = Interval(row["value"], row["low"], row["high"])
        name = f"{spoken(kind)}: {row['metric']} after SFT"
        checks.append(Check(name, threshold, row["value"], interval))
        blind = [r["value"] for model, r in rows.items() if r["baseline"] and model != SIDES_TOLD]
        best = max((value for value in blind if not math.isnan(value)), default=0.0)
        if threshold > 0:
            name = f"{spoken(kind)}: lower end of that above the best baseline that is told nothing"
            checks.append(Check(name, best, row["low"], direction="above"))
    return checks


def reinforced(
    recipe: Recipe, differences: Sequence[Mapping[str, Any]], gain: Interval
) -> list[Check]:
    """The rise of the optimised reward, and the smallest change of any kind's headline.

    `differences` are rows of differences.json. A change without a value counts as the smallest, so
    that it fails.
    """
    changes = {
        row["kind"]: row["value"]
        for row in differences
        if (row["first"], row["second"]) == ("SFT", "GRPO")
        and row["metric"] == METRICS[row["kind"]][0].name
    } or {"none": math.nan}
    worst = min(changes, key=lambda kind: (not math.isnan(changes[kind]), changes[kind]))
    # The interval has to exclude 0 where a rise is asked for; of few patients there is none.
    bar = Check("GRPO: lower end of that rise's interval", 0.0, gain.low, direction="above")
    return [
        Check("GRPO: rise of the sampled held-out reward", recipe.grpo_gain, gain.value, gain),
        *([bar] if recipe.grpo_gain >= 0 else []),
        Check(
            f"GRPO: smallest change of any kind ({spoken(worst)})", -recipe.max_fall, changes[worst]
        ),
    ]


def _served(rows: Sequence[Mapping[str, Any]]) -> list[Check]:
    equal = sum(bool(row["equals_engine"]) for row in rows)
    streamed = min(row["num_chunks"] for row in rows)
    return [
        Check("served answers equal to the engine's", len(rows), equal),
        Check("fewest chunks of a streamed answer", 2, streamed),
    ]


def sampled_gain(configs: Configs) -> Interval:
    """Rise of the mean sampled reward from SFT to GRPO on the same held-out prompts, by patient."""
    totals = []
    for model in ("SFT", "GRPO"):
        rows = read_rows(configs.sampled(model).output_uri)
        samples = [sample_from_row(row) for row in rows]
        values = [
            (score(row["text"] or "", sample, configs.recipe.rewards).total, 1.0)
            for row, sample in zip(rows, samples, strict=True)
        ]
        patients = [sample.patient for sample in samples]
        totals.append(patient_totals(np.array(values), patients, sorted(set(patients))))
    return paired_difference(totals[0], totals[1], mean_value, 2000, configs.seed)
