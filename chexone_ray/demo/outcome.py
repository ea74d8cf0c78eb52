"""Result files -> summary.json and report.html."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from chexone_ray import storage
from chexone_ray.config import DemoConfig
from chexone_ray.demo.recipe import Configs, Recipe
from chexone_ray.demo.showcase import content
from chexone_ray.evaluation.constant import SIDES_TOLD
from chexone_ray.evaluation.predictions import read_rows
from chexone_ray.evaluation.statistics import Interval, paired_difference, patient_totals
from chexone_ray.figures import report
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.metrics.summable import mean_value
from chexone_ray.records import sample_from_row
from chexone_ray.rewards.score import score

logger = logging.getLogger(__name__)

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

    `total_s` is the wall time of this call and of the interrupted ones before it.
    """
    evaluation_uri = configs.evaluate().output_uri
    figures = storage.read_json(storage.join(evaluation_uri, "table.json"))
    differences = storage.read_json(storage.join(evaluation_uri, "differences.json"))
    seconds: dict[str, Any] = {
        "total": total_s,
        "stages": {
            name: {key: result[key] for key in ("start", "seconds", "starting")}
            for name, result in results.items()
        },
    }
    gain = sampled_gain(configs)
    checks = [
        *_learned(recipe, figures),
        *_reinforced(recipe, configs, differences, gain),
        *_served(results["serve"]["served"]),
        _check("minutes, all links", -recipe.max_minutes, -total_s / 60, shown=-1),
    ]
    summary = {
        "passed": all(check["passed"] for check in checks),
        "notice": RESEARCH_USE_ONLY,
        "quick": config.quick,
        "seed": config.seed,
        "seconds": seconds,
        "thresholds": recipe.thresholds,
        "checks": checks,
        "metrics": figures,
        "differences": differences,
        "sampled_reward_gain": asdict(gain),
        "counts": {
            "archive": results["archive"]["counts"],
            "manifest": results["prepare"]["manifest"],
        },
        "served": results["serve"]["served"],
        "versions": {name: version(name) for name in PACKAGES},
    }
    (folder / "report.html").write_text(report.render(content(configs, recipe, results, summary)))
    draft = folder / "summary.tmp"
    draft.write_text(json.dumps(summary, indent=1) + "\n")
    draft.replace(folder / "summary.json")
    return summary


def _check(
    name: str,
    threshold: float,
    reached: float,
    interval: Interval | None = None,
    *,
    shown: int = 1,
    above: bool = False,
) -> dict[str, Any]:
    """`reached` must be at least `threshold`, or `above` it; `shown` = -1 turns both for what must
    be at most."""
    low, high = (interval.low, interval.high) if interval else (None, None)
    return {
        "name": name if shown > 0 else f"{name} (at most)",
        "threshold": float(shown * threshold),
        "reached": float(shown * reached),
        "low": low,
        "high": high,
        "passed": bool(reached > threshold if above else reached >= threshold),
    }


def _learned(recipe: Recipe, figures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The headline of each kind after SFT against its threshold and against its best baseline."""
    checks = []
    for kind, threshold in recipe.thresholds.items():
        rows = [figure for figure in figures if figure["kind"] == kind]
        metric = rows[0]["metric"]
        rows = [row for row in rows if row["metric"] == metric]
        row = next(r for r in rows if r["model"] == "SFT")
        interval = Interval(row["value"], row["low"], row["high"])
        checks.append(_check(f"{kind}: {metric} after SFT", threshold, row["value"], interval))
        blind = [r["value"] for r in rows if r["baseline"] and r["model"] != SIDES_TOLD]
        best = max(blind, default=0.0)
        if threshold > 0:
            name = f"{kind}: lower end of that above the best image-blind baseline"
            checks.append(_check(name, best, row["low"]))
    return checks


def _reinforced(
    recipe: Recipe, configs: Configs, differences: Sequence[Mapping[str, Any]], gain: Interval
) -> list[dict[str, Any]]:
    lowest = min(0.0, recipe.grpo_gain)
    checks = [
        _check("GRPO: rise of the sampled held-out reward", recipe.grpo_gain, gain.value, gain),
        # The interval has to exclude 0 where a rise is asked for.
        _check("GRPO: lower end of that rise's interval", lowest, gain.low, above=True),
    ]
    falls = {
        row["kind"]: row["value"]
        for row in reversed(differences)
        if (row["first"], row["second"]) == ("SFT", "GRPO")
    }
    worst = min(falls, key=lambda kind: falls[kind])
    checks.append(
        _check(f"GRPO: smallest change of any kind ({worst})", -recipe.max_fall, falls[worst])
    )
    return checks


def _served(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    equal = sum(row["equals_engine"] for row in rows)
    streamed = min(row["num_chunks"] for row in rows)
    return [
        _check("served answers equal to the engine's", len(rows), equal),
        _check("fewest chunks of a streamed answer", 2, streamed),
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
