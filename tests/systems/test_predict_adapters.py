"""`predict` with adapters on Ray: an actor of transformers, and vLLM with another family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chexone_ray import storage
from chexone_ray.config import PredictConfig
from chexone_ray.predict import check, predict, result_schema
from tests.systems.families import build
from tests.systems.test_families import film

torch = pytest.importorskip("torch")

COUNT = 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["radvlm", "medgemma_1_5", "qwen3_vl"])
def test_another_model_writes_the_same_predictions(
    name: str, ray_local: None, tmp_path: Path
) -> None:
    (tmp_path / "films").mkdir()
    for number in range(COUNT):
        data = film(number)
        (tmp_path / "films" / f"{number}.png").write_bytes(data[:50] if number == 3 else data)
    lean: dict[str, Any] = {"kv_cache_mb": 64, "enforce_eager": True, "lean": True}
    config = PredictConfig(
        output_uri=str(tmp_path / "out"),
        adapter=name,  # type: ignore[arg-type]
        model_uri=build(name.removesuffix("_1_5"), tmp_path / "model"),
        images_uri=str(tmp_path / "films"),
        max_failure_rate=0.2,
        rows_per_part=4,
        sampling={"max_tokens": 8},
        images={"max_pixels": 12_544},
        engine={
            **({"max_num_seqs": 4} if name != "qwen3_vl" else lean),
            "num_gpus": 0,
            "num_cpus": 1,
            "threads": 1,
            "max_engines": 1,
            "dtype": "float32",
            "max_model_len": 512,
            "max_images": 2,
            "start_timeout_s": 300,
        },
    )
    check(config)
    uri = predict(config)
    parts = storage.list_files(uri, ".parquet")
    rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
    assert [row["id"] for row in rows] == [f"{number}.png" for number in range(COUNT)]
    assert [row["id"] for row in rows if row["error"]] == ["3.png"]
    assert rows[3]["error"].startswith("image: ") and rows[3]["predicted_answer"] is None
    good = [row for row in rows if not row["error"]]
    assert len({row["text"] for row in good}) > 1
    assert all(1 <= row["num_tokens"] <= 8 and row["num_prompt_tokens"] > 8 for row in good)
    told = storage.committed(uri)
    assert told is not None
    assert (told["adapter"], told["failed"], told["mode"]) == (name, 1, "instruct")
    assert told["usd"] is None
    assert pq.read_schema(parts[0]).names == result_schema().names
