"""A suite from an archive in S3: its test split alone is prepared, given answers are measured."""

from __future__ import annotations

import io

import pyarrow.parquet as pq
import pytest

from chexone_ray import storage
from chexone_ray.config import EvaluateConfig, RayConfig
from chexone_ray.data import manifest, stream
from chexone_ray.evaluation.run import check, evaluate
from chexone_ray.evaluation.suite import load, place_of
from chexone_ray.evaluation.suite_rows import rows_of
from chexone_ray.exchange import prediction_rows
from tests.conftest import Bucket


@pytest.mark.slow
def test_two_settings_of_the_phantom_archive(s3: Bucket, ray_local: None, archive_uri: str) -> None:
    place = {
        "uri": storage.join(archive_uri, "mimic-cxr-jpg"),
        "boxes_uri": storage.join(archive_uri, "vindr-cxr"),
        "max_drop_share": 0.5,
    }
    config = EvaluateConfig(
        output_uri=s3.folder("suite"),
        suite="phantom",
        data={"presence": place, "grounding": place},
        models={"given": {"predictions_uri": s3.folder("given")}},
        bootstrap=50,
        randomisations=0,
        ray=RayConfig(address="local"),
    )
    check(config)
    sizes = {}
    for setting in load("phantom").settings:
        data = place_of(setting, config.data)
        if data is None:
            continue
        rows = rows_of(setting, data, config)
        found = manifest.load(rows.source_uri)
        assert {part.split for part in found.parts} == {"test"}
        assert found.info["dropped"]["study_of_other_split"] > found.info["num_studies"]
        samples = stream.read_samples(rows.manifest_uri, "test")
        assert {sample.kind for sample in samples} == {setting.name}
        said = (
            prediction_rows.said(s, f"\\boxed{{{s.answer}}}" if i % 2 else "?", "reasoning")
            for i, s in enumerate(samples)
        )
        prediction_rows.write(storage.join(s3.folder("given"), setting.name), said, "test")
        sizes[setting.name] = len(samples)
    evaluate(config)
    figures = storage.read_json(storage.join(config.output_uri, "table.json"))
    heads = {f["setting"]: f for f in figures if f["headline"] and not f["baseline"]}
    # Chance needs no training rows: presence has its yes and no, boxes have nothing to choose from.
    assert {(f["setting"], f["model"]) for f in figures if f["baseline"]} == {
        ("presence", "random")
    }
    assert {name: f["metric"] for name, f in heads.items()} == {
        "presence": "balanced accuracy",
        "grounding": "mean IoU (matched)",
    }
    assert heads["presence"]["num_rows"] == sizes["presence"]
    assert 0.2 < heads["presence"]["value"] < 0.8, "every second answer cannot be read"
    told_rows = storage.read_bytes(storage.join(config.output_uri, "rows.parquet"))
    rows_table = pq.read_table(io.BytesIO(told_rows), columns=["setting"])
    assert rows_table.column("setting").to_pylist().count("grounding") == sizes["grounding"]
    told = storage.read_json(storage.join(config.output_uri, "suite.json"))["settings"]
    assert {s["setting"]: s["status"] for s in told} == {
        "presence": "evaluated",
        "view": "not configured",
        "findings": "not configured",
        "grounding": "evaluated",
    }
