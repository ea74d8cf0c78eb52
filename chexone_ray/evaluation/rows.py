"""`rows.parquet`: what every model said to every sample, with what each metric makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from chexone_ray import boxes
from chexone_ray.evaluation.metric import Metric, RowsStatistics, reference_of, row_value
from chexone_ray.evaluation.predictions import Judged, Written
from chexone_ray.evaluation.text_rows import Computed
from chexone_ray.kinds import form
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.parts import to_parquet
from chexone_ray.records import sample_schema

OF_SAMPLE = ("dataset", "task", "kind", "topic", "id", "patient", "study")
TEXTS = ("model", "setting", *OF_SAMPLE, "status", "mode", "text", "error", "question")


def rows_schema() -> Any:
    """Arrow schema of the file: one row a model and sample."""
    import pyarrow as pa

    of_sample = sample_schema()
    box, image = of_sample.field("boxes").type, of_sample.field("images").type
    return pa.schema(
        [
            *((name, pa.string()) for name in TEXTS),
            ("options", pa.list_(pa.string())),
            ("answer", pa.string()),
            ("reference", pa.string()),
            ("predicted_answer", pa.string()),
            ("predicted_reasoning", pa.string()),
            ("completions", pa.list_(pa.string())),
            ("boxes", box),
            ("predicted_boxes", box),
            ("images", image),
            ("scores", pa.map_(pa.string(), pa.float64())),
        ],
        metadata={"notice": RESEARCH_USE_ONLY},
    )


def rows_table(
    settings: Mapping[str, Mapping[str, Mapping[str, Judged]]],
    statistics: Mapping[tuple[str, str], Computed],
) -> bytes:
    """Parquet of setting -> model -> kind -> rows; `statistics` of (setting, kind), all models."""
    import pyarrow as pa

    schema = rows_schema()
    tables = [  # one by one, as rows are far larger as Python objects
        pa.Table.from_pylist(
            list(_rows(setting, model, judged, statistics[setting, kind])), schema=schema
        )
        for setting, models in settings.items()
        for model, kinds in models.items()
        for kind, judged in sorted(kinds.items())
    ]
    return to_parquet(pa.concat_tables(tables) if tables else schema.empty_table())


def _rows(
    setting: str, model: str, judged: Judged, statistics: Computed
) -> Iterator[dict[str, Any]]:
    of_metrics = [(metric, statistics.rows[model][metric.name]) for metric in statistics.metrics]
    for at, (sample, answer, status, reasoning) in enumerate(
        zip(judged.samples, judged.answers, judged.statuses, judged.reasonings, strict=True)
    ):
        written = judged.written[at] if judged.written else Written(answer or "", "", sample.mode)
        with_boxes = answer is not None and form(sample.kind) == "boxes"
        yield {
            "model": model,
            "setting": setting,
            **{name: getattr(sample, name) for name in OF_SAMPLE},
            "status": status,
            **asdict(written),
            "question": sample.question,
            "options": list(sample.options),
            "answer": sample.answer,
            "reference": reference_of(sample),
            "predicted_answer": answer,
            "predicted_reasoning": reasoning,
            "completions": list(judged.completions[at]) if judged.completions else [answer],
            "boxes": [asdict(box) for box in sample.boxes],
            "predicted_boxes": [asdict(b) for b in boxes.decode(answer)]
            if with_boxes and answer
            else [],
            "images": [asdict(image) for image in sample.images],
            "scores": list(_scores(of_metrics, at)),
        }


def _scores(
    metrics: Sequence[tuple[Metric, RowsStatistics]], at: int
) -> Iterator[tuple[str, float]]:
    for metric, rows in metrics:
        value = row_value(metric, rows[at])
        if value is not None:
            yield metric.name, value
