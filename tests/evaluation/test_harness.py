"""Predictions -> table and differences, with failures counted as wrong."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chexone_ray import boxes, storage
from chexone_ray.config import EvaluateConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation import harness
from chexone_ray.evaluation.harness import evaluate
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.predict import result_schema
from chexone_ray.records import Box, ImageRef, Sample, sample_to_row

SAMPLE = Sample(
    id="0",
    dataset="d",
    task="Close-Ended VQA",
    kind="heart_size",
    split="test",
    patient="p0",
    study="s",
    images=(ImageRef("x"),),
    question="How large is the heart?",
    answer="normal",
)


def write(folder: Path, answers: list[str | None], errors: dict[int, str] | None = None) -> str:
    """A committed predictions folder: row i of patient i // 2 with answer i (None: unparsed)."""
    rows: list[dict[str, Any]] = []
    for i, answer in enumerate(answers):
        sample = replace(SAMPLE, id=str(i), patient=f"p{i // 2}")
        rows.append(
            sample_to_row(sample)
            | {
                "completion": 0,
                "text": answer or "",
                "predicted_reasoning": "",
                "predicted_answer": answer,
                "parsed": answer is not None,
                "finish_reason": "stop",
                "num_tokens": 1,
                "mean_logprob": 0.0,
                "error": (errors or {}).get(i, ""),
            }
        )
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, result_schema()), sink)
    storage.write_bytes(str(folder / "part-00000.parquet"), sink.getvalue())
    storage.commit(str(folder), {})
    return str(folder)


def run(tmp_path: Path, predictions: dict[str, str]) -> Path:
    out = tmp_path / "evaluation"
    evaluate(
        EvaluateConfig(
            output_uri=str(out),
            manifest_uri=str(tmp_path / "manifest"),
            predictions_uri=predictions,
            baselines=False,
            bootstrap=200,
        )
    )
    return out


def test_table_counts_what_failed_as_wrong(tmp_path: Path) -> None:
    first = write(tmp_path / "a", ["normal", None, "enlarged", "Normal."], {2: "engine: x"})
    second = write(tmp_path / "b", ["normal"] * 4)
    out = run(tmp_path, {"a": first, "b": second})
    a, b = json.loads((out / "table.json").read_text())
    assert (a["model"], a["value"], a["num_rows"], a["num_patients"]) == ("a", 0.5, 4, 2)
    assert (a["num_unparsed"], a["num_failed"]) == (1, 1)
    # Each patient has one right row of two, so no draw differs.
    assert (a["low"], a["high"]) == (0.5, 0.5)
    assert (b["value"], b["num_unparsed"]) == (1.0, 0)
    (difference,) = json.loads((out / "differences.json").read_text())
    assert (difference["first"], difference["second"], difference["value"]) == ("a", "b", 0.5)
    assert RESEARCH_USE_ONLY in (out / "table.md").read_text()
    rows = pq.read_table(out / "rows.parquet").to_pylist()
    assert [r["statistics"] for r in rows if r["model"] == "a"] == [[1, 1], [0, 1], [0, 1], [1, 1]]


def test_unparsed_and_failed_are_counted_among_the_rows_of_the_metric() -> None:
    box = Box("nodule", (0.1, 0.1, 0.3, 0.3))
    boxed = replace(SAMPLE, kind="grounding", boxes=(box,))
    empty = replace(SAMPLE, kind="grounding", boxes=())
    rows = harness.Judged(
        (boxed, boxed, boxed, empty, empty),
        (None, None, boxes.encode([box]), None, "No nodule detected."),
        (False, True, False, False, False),
    )
    found = {m.name: harness._counted(m, rows) for m in METRICS["grounding"]}
    counts = {name: (c.num_rows, c.num_unparsed, c.num_failed) for name, c in found.items()}
    assert counts == {
        "mean IoU (matched)": (3, 1, 1),
        "IoU >= 0.5": (3, 1, 1),
        "specificity": (2, 1, 0),
    }


def test_models_must_have_answered_the_same_rows(tmp_path: Path) -> None:
    first = write(tmp_path / "a", ["normal"] * 4)
    second = write(tmp_path / "b", ["normal"] * 3)
    with pytest.raises(ChexoneError, match="different rows"):
        run(tmp_path, {"a": first, "b": second})


def test_an_unfinished_prediction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChexoneError, match="not complete"):
        run(tmp_path, {"a": str(tmp_path / "nothing")})
