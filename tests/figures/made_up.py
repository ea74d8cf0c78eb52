"""Made-up results of every stage, as their stages write them, to draw figures from.

`python -m tests.figures.made_up FOLDER` writes a large set to look at: long names, six systems,
twelve settings, wide intervals, zeros.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from chexone_ray import boxes, images, storage, variance
from chexone_ray.answering import completed_row
from chexone_ray.config import FilterConfig, GrpoConfig, SftConfig
from chexone_ray.data import manifest, phantom
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.evaluation.rows import rows_schema
from chexone_ray.kinds import KINDS, form
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.metrics.overlap import matched_iou
from chexone_ray.parts import to_parquet
from chexone_ray.predict import result_schema
from chexone_ray.records import Box, Completion, ImageRef, Sample
from chexone_ray.rewards.score import Scored
from tests.figures.made_up_names import DATASETS, MODELS, REPORT_METRICS, SETTINGS, TOPICS
from tests.figures.made_up_study import write_responses


@dataclass(frozen=True)
class Size:
    """How much is made up."""

    films: int = 3
    rows: int = 60
    models: int = 2
    settings: int = 0
    kinds: tuple[str, ...] = ("presence", "side", "view", "findings", "grounding")
    steps: int = 30


LARGE = Size(12, 4000, 6, 12, tuple(KINDS), 300)


@dataclass(frozen=True)
class MadeFilm:
    """A drawn film on disk, and the boxes of what is on it."""

    ref: ImageRef
    boxes: tuple[Box, ...]


def films(folder: Path, number: int) -> list[MadeFilm]:
    """PNG files of random phantoms that have a box."""
    found: list[MadeFilm] = []
    seed = 0
    while len(found) < number:
        seed += 1
        drawn = phantom.random_phantom(seed, 224)
        if drawn.boxes and drawn.view != "LATERAL":
            place = folder / "films" / f"{seed}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(images.to_png(np.repeat(drawn.pixels[..., None], 3, axis=2)))
            ref = ImageRef(str(place), drawn.view, "current", 224, 224)
            found.append(MadeFilm(ref, drawn.boxes))
    return found


def sample(number: int, kind: str, shown: MadeFilm, **changes: Any) -> Sample:
    """One question; its text and answer fit its kind."""
    sort = form(kind)
    question = f"What does film {number} show? ({kind.replace('_', ' ')})"
    options: tuple[str, ...] = ()
    answer = "no"
    if sort == "options" and not KINDS[kind].classes:
        options = (
            "(A) pleural effusion",
            "(B) pneumothorax",
            "(C) cardiomegaly",
            "(D) none of them",
        )
        answer = options[number % 4]
    elif sort == "options":
        answer = KINDS[kind].classes[number % len(KINDS[kind].classes)]
    elif sort == "boxes":
        answer = boxes.encode(shown.boxes)
    elif sort in ("report", "text"):
        answer = "The heart is enlarged. Small left pleural effusion. No pneumothorax is seen. " * 2
    given = {
        "id": f"{kind}/{number}",
        "dataset": DATASETS[number % len(DATASETS)],
        "task": KINDS[kind].task,
        "kind": kind,
        "split": ("train", "train", "train", "validate", "test")[number % 5],
        "patient": f"p{number}",
        "study": f"s{number}",
        "images": (shown.ref,),
        "question": question,
        "answer": answer.strip(),
        "reasoning": "The left costophrenic angle is blunted, so there is fluid."
        * (number % 3 > 0),
        "mode": "reasoning" if number % 3 else "instruct",
        "options": options,
        "boxes": shown.boxes if sort == "boxes" else (),
    }
    return Sample(**{**given, **changes})


def write_manifest(uri: str, shown: Sequence[MadeFilm], size: Size) -> str:
    """A manifest by its own writer."""
    rng = np.random.default_rng(0)
    weight = 1 / (1 + np.arange(len(size.kinds)))
    kinds = rng.choice(size.kinds, size.rows, p=weight / weight.sum())
    named = rng.choice(DATASETS, size.rows, p=np.array([6, 4, 2, 2, 1, 1]) / 16)
    samples = (
        sample(n, str(kind), shown[n % len(shown)], dataset=str(named[n]))
        for n, kind in enumerate(kinds)
    )
    writer = manifest.SampleWriter(uri)
    for one in samples:
        writer.add(one)
    writer.finish({"seed": 0, **writer.units.info()})
    storage.write_json(f"{uri}/config.json", {"output_uri": uri})
    return uri


def write_filter(uri: str, manifest_uri: str, size: Size) -> str:
    """A filter's report by its own functions, over groups of random rewards."""
    rng = np.random.default_rng(1)
    groups = []
    for at, kind in enumerate(size.kinds[:14]):
        for number in range(40 + 30 * at):
            rewards = (
                rng.beta(1 + at % 4, 2, 8).round(2) if number % 4 else [float(number % 8 > 0)] * 8
            )
            shown = sample(number, kind, MadeFilm(ImageRef(""), ()))
            groups.append(variance.group_of(shown, [Scored(float(r), {}) for r in rewards]))
    config = FilterConfig(output_uri=uri, model_uri="m", manifest_uri=manifest_uri, min_std=0.1)
    kept = variance.keep(groups, config.min_std, {})
    report = {
        "prompts": len(groups),
        "kept": len(kept),
        "bin_width": variance.MAX_STD / variance.NUM_BINS,
        "kinds": variance.histogram(groups, kept),
    }
    storage.record_settings(uri, config)
    storage.write_json(f"{uri}/report.json", report)
    storage.write_bytes(f"{uri}/groups.parquet", b"")
    counts = {"split": {"train": len(kept)}}
    storage.write_json(f"{uri}/manifest.json", {"counts": counts})
    return uri


def write_sft(uri: str, manifest_uri: str, size: Size) -> str:
    """Settings and metric lines of a supervised run."""
    config = SftConfig(output_uri=uri, manifest_uri=manifest_uri)
    lines = [{"step": 10 * s, "sft/loss": 2 / s} for s in range(1, size.steps)]
    return _run(uri, config, lines)


def write_grpo(uri: str, manifest_uri: str, size: Size) -> str:
    """Settings and metric lines of a GRPO run: noisy rewards that rise, a KL that does too."""
    rng = np.random.default_rng(2)
    config = GrpoConfig(output_uri=uri, model_uri="s3://b/sft/model", manifest_uri=manifest_uri)
    lines = []
    for step in range(1, size.steps + 1):
        rise = 0.3 * step / size.steps
        line = {"step": step, "grpo/num_groups": 64, "grpo/kl": 0.0004 * step}
        for at, kind in enumerate(size.kinds[:5]):
            line[f"grpo/reward/kind/{kind}"] = 0.3 + 0.08 * at + rise + float(rng.normal(0, 0.04))
        line["grpo/reward"] = 0.5 + rise + float(rng.normal(0, 0.02))
        lines.append(line)
    return _run(uri, config, lines)


def _run(uri: str, config: Any, lines: Sequence[dict[str, Any]]) -> str:
    storage.record_settings(uri, config)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    storage.write_bytes(f"{uri}/metrics.jsonl", text.encode())
    return uri


# --- evaluation ----------------------------------------------------------------------------------


def settings(size: Size) -> dict[str, tuple[str, ...]]:
    """Setting -> kinds; one setting without a name for a plain run."""
    if not size.settings:
        return {"": size.kinds}
    return dict(list(SETTINGS.items())[: size.settings])


def write_evaluation(uri: str, shown: Sequence[MadeFilm], size: Size) -> str:
    """A table, its rows and reasoning.json, in the shape of `chexone evaluate`."""
    rng = np.random.default_rng(3)
    table, rows = [], []
    for setting, kinds in settings(size).items():
        for kind in kinds:
            table += _figures(setting, kind, "", size, rng)
            for topic in TOPICS.get(setting, ()):
                table += _figures(setting, kind, topic, size, rng)
            rows += _rows(setting, kind, shown, size, rng)
    storage.write_json(f"{uri}/table.json", table)
    storage.write_bytes(
        f"{uri}/rows.parquet", to_parquet(pa.Table.from_pylist(rows, rows_schema()))
    )
    quality = [
        _quality(model, mode, metric, rng)
        for metric in ("factuality", "self-consistency (1 - H / log 8)")
        for model in MODELS[: size.models]
        for mode in ("reasoning", "instruct")
        if metric.startswith("self") or mode == "reasoning"
    ]
    storage.write_json(f"{uri}/reasoning.json", quality)
    storage.commit(uri, {"figures": len(table)})
    return uri


def _quality(model: str, mode: str, metric: str, rng: np.random.Generator) -> dict[str, Any]:
    value = float(rng.uniform(0.2, 0.9))
    numbers = {"value": value, "low": max(0.0, value - 0.06), "high": min(1.0, value + 0.06)}
    told = {"model": model, "mode": mode, "metric": metric, "signature": f"{metric}|v:0"}
    return {**told, **numbers, "num_rows": 300}


def _figures(
    setting: str, kind: str, topic: str, size: Size, rng: np.random.Generator
) -> list[dict[str, Any]]:
    names = [metric.name for metric in METRICS[kind]]
    if form(kind) == "report":
        names += REPORT_METRICS
    found = []
    for at, name in enumerate(names):
        systems = [("majority", True), *((model, False) for model in MODELS[: size.models])]
        for number, (model, baseline) in enumerate(systems):
            value = 0.3 if baseline else 0.0 if number == 1 else float(rng.uniform(0.25, 0.95))
            half = 0.0 if value == 0 else 0.22 if setting.startswith("SLAKE") else 0.04
            found.append(
                {
                    "setting": setting,
                    "kind": kind,
                    "topic": topic,
                    "metric": name,
                    "signature": f"{name}|v:0",
                    "model": model,
                    "value": value,
                    "low": max(0.0, value - half),
                    "high": min(1.0, value + half),
                    "num_rows": 240,
                    "num_patients": 80,
                    "num_unparsed": 0,
                    "num_refused": 0,
                    "num_failed": 0,
                    "baseline": baseline,
                    "headline": at == 0,
                }
            )
    return found


def _rows(
    setting: str, kind: str, shown: Sequence[MadeFilm], size: Size, rng: np.random.Generator
) -> list[dict[str, Any]]:
    found = []
    for number in range(4 * len(shown) if form(kind) == "boxes" else 5):
        asked = sample(number, kind, shown[number % len(shown)])
        for at, model in enumerate(MODELS[: size.models]):
            found.append(_row(setting, asked, model, at, rng))
    return found


def _row(
    setting: str, asked: Sample, model: str, at: int, rng: np.random.Generator
) -> dict[str, Any]:
    status = "unparsed" if at == 0 and rng.random() < 0.3 else "answered"
    right = bool(rng.random() < 0.3 + 0.12 * at)
    answer: str | None = (
        asked.answer if right else "(B) pneumothorax" if asked.options else "unclear"
    )
    predicted: tuple[Box, ...] = ()
    if form(asked.kind) == "boxes" and at:
        shift = rng.uniform(0, 0.25, 4) * (not right)
        predicted = tuple(_moved(box, shift) for box in asked.boxes)
        answer = boxes.encode(predicted)
    answer = None if status == "unparsed" else answer
    metric = METRICS[asked.kind][0].name
    value = float(right and status == "answered")
    if form(asked.kind) == "boxes":
        value = matched_iou(predicted, asked.boxes, labelled=True) if status == "answered" else 0.0
    trace = (
        "The heart takes up over half of the chest, and the left costophrenic angle is blunted. "
    )
    return {
        "model": model,
        "setting": setting,
        "dataset": asked.dataset,
        "task": asked.task,
        "kind": asked.kind,
        "topic": TOPICS.get(setting, ("",))[0],
        "id": asked.id,
        "patient": asked.patient,
        "study": asked.study,
        "status": status,
        "mode": "reasoning",
        "text": trace if answer is None else f"{trace}\\boxed{{{answer}}}",
        "error": "",
        "question": asked.question,
        "options": list(asked.options),
        "answer": asked.answer,
        "reference": asked.reference or asked.answer,
        "completions": [answer],
        "predicted_answer": answer,
        "predicted_reasoning": trace * (1 + 4 * at),
        "boxes": [_plain(box) for box in asked.boxes],
        "predicted_boxes": [_plain(box) for box in predicted],
        "images": [
            {"uri": i.uri, "view": i.view, "role": i.role, "width": i.width, "height": i.height}
            for i in asked.images
        ],
        "scores": [(metric, value)],
    }


def _moved(box: Box, shift: Any) -> Box:
    x1, y1, x2, y2 = (float(v) for v in np.clip(np.array(box.xyxy) + shift, 0, 1))
    return Box(box.label, (x1, y1, max(x2, x1 + 0.02), max(y2, y1 + 0.02)), box.image)


def _plain(box: Box) -> dict[str, Any]:
    return {"label": box.label, "xyxy": list(box.xyxy), "image": box.image}


def write_predictions(uri: str, shown: Sequence[MadeFilm], size: Size) -> str:
    """A committed predictions folder: one part, the rows by `predict`'s own function."""
    asked = [sample(n, kind, shown[n % len(shown)]) for n, kind in enumerate(size.kinds)]
    said = "The film was read. <answer>\\boxed{%s}</answer>"
    rows = [
        completed_row(one, 0, Completion(said % one.answer, (1, 2), (-0.1, -0.2), "stop", 0))
        for one in asked
    ]
    part = to_parquet(pa.Table.from_pylist(rows, result_schema()))
    storage.write_bytes(f"{uri}/part-00000.parquet", part)
    storage.write_json(f"{uri}/predictions.json", {"samples": len(rows), "rows": len(rows)})
    storage.commit(uri, {"notice": RESEARCH_USE_ONLY})
    return uri


def write_all(folder: Path, size: Size) -> list[str]:
    """Every stage's results under `folder`; their URIs."""
    shown = films(folder, size.films)
    root = str(folder)
    base = write_manifest(f"{root}/manifest", shown, size)
    selected = write_filter(f"{root}/selected", base, size)
    return [
        base,
        write_sft(f"{root}/sft", base, size),
        selected,
        write_grpo(f"{root}/grpo", selected, size),
        write_predictions(f"{root}/predictions/grpo", shown, size),
        write_evaluation(f"{root}/evaluation", shown, size),
        write_responses(f"{root}/study", *((5, 20) if size.settings else (3, 4))),
    ]


if __name__ == "__main__":
    sys.stdout.write(" ".join(write_all(Path(sys.argv[1]), LARGE)) + "\n")
