"""What is no figure of a manifest's held-out rows: other rows, a part of them, none at all."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chexone_ray import storage
from chexone_ray.config import EvaluateConfig, PredictConfig
from chexone_ray.data import manifest
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.harness import evaluate
from chexone_ray.exchange import prediction_rows
from chexone_ray.predict import result_schema
from chexone_ray.records import Sample
from tests.evaluation.test_harness import SAMPLE, run, write


def test_a_manifest_that_was_not_answered_is_refused(tmp_path: Path) -> None:
    def config(name: str, *samples: Sample) -> EvaluateConfig:
        uri = str(tmp_path / name)
        manifest.write_samples(uri, samples, {"seed": 0})
        return EvaluateConfig(
            output_uri=f"{uri}-out", manifest_uri=uri, predictions_uri={"a": said}, bootstrap=10
        )

    said = write(tmp_path / "a", ["normal"] * 2)
    asked = [replace(SAMPLE, id=name, patient=name) for name in ("000", "001")]
    train = replace(SAMPLE, id="t", patient="t", split="train")
    with pytest.raises(ChexoneError, match=r"2 of 2 evaluated rows are no .*, 000 first"):
        evaluate(config("other", SAMPLE, train))
    with pytest.raises(ChexoneError, match=r"1 of 2 evaluated rows are no .*, 001 first"):
        evaluate(config("trained-on", asked[0], replace(asked[1], split="train")))
    evaluate(config("right", *asked, train))
    # Rows that were not predicted would not count as wrong: they are refused.
    others = [replace(SAMPLE, id=name, patient=name, kind="side") for name in ("x", "y", "z")]
    with pytest.raises(ChexoneError, match=r"4 of the 6 rows of .*less \(split test\) are not in"):
        evaluate(config("less", *asked, train, replace(SAMPLE, id="002"), *others))


def test_a_part_that_predict_was_told_to_answer_is_noted(tmp_path: Path) -> None:
    samples = [replace(SAMPLE, id=str(i), patient=f"p{i}") for i in range(4)]
    sides = [replace(sample, id=f"s{sample.id}", kind="side") for sample in samples]
    late = replace(SAMPLE, id="v", split="validate")
    uri = str(tmp_path / "manifest")
    manifest.write_samples(uri, [*samples, *sides, late], {"seed": 0})

    def page(name: str, number: int, **told: Any) -> str:
        made = PredictConfig(output_uri="p", model_uri="m", manifest_uri=uri, **told)
        said = (prediction_rows.answered(s, "normal", "normal") for s in samples[:number])
        prediction_rows.write(str(tmp_path / name), said, "test")
        storage.commit(str(tmp_path / name), {"config": made.model_dump(mode="json")})
        evaluate(
            EvaluateConfig(
                output_uri=f"{tmp_path}/{name}-out",
                manifest_uri=uri,
                predictions_uri={"a": str(tmp_path / name)},
                bootstrap=10,
            )
        )
        return (tmp_path / f"{name}-out" / "table.md").read_text()

    told = page("two", 2, kinds=("heart_size",), max_per_kind=2)
    assert "as predict was told: heart\\_size 2 of 4, side 0 of 4." in told
    assert "heart\\_size 4" not in page("four", 4, kinds=("heart_size",)), "but that side is not"
    with pytest.raises(ChexoneError, match=r"1 of the 3 rows"):
        page("one", 2, kinds=("heart_size",), max_per_kind=3)
    with pytest.raises(ChexoneError, match=r"2 of the 4 rows"):
        page("kinds", 2, max_per_kind=2)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "no row is in them"),
        ([replace(SAMPLE, split="train")], "1 of 1 heart_size rows are training rows"),
        (
            [replace(SAMPLE, kind="findings", answer="")],
            "none of its 1 findings rows has a reference",
        ),
    ],
)
def test_rows_that_give_no_figure_are_refused(
    tmp_path: Path, samples: list[Sample], message: str
) -> None:
    rows = [prediction_rows.answered(s, "normal", "normal") for s in samples]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, result_schema()), sink)
    storage.write_bytes(str(tmp_path / "a" / "part-00000.parquet"), sink.getvalue())
    storage.commit(str(tmp_path / "a"), {})
    with pytest.raises(ChexoneError, match=message):
        run(tmp_path, {"a": str(tmp_path / "a")})
