"""Judgements that are paid for: asked once, of models alone, and kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import EvaluateConfig
from chexone_ray.data import manifest
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.harness import evaluate
from chexone_ray.exchange.prediction_rows import answered, write
from chexone_ray.metrics.learned.green import ERRORS
from chexone_ray.records import ImageRef, Sample
from tests.chat_server import ChatServer, Reply, completion, failure

SAMPLE = Sample(
    *("0", "d", "Findings Generation", "findings", "test", "p0", "s"),
    (ImageRef("x"),),
    "Write the findings.",
    "Small left effusion.",
)


def test_only_what_is_missing_is_asked_and_baselines_never(tmp_path: Path) -> None:
    rows = [replace(SAMPLE, id=str(n), patient=f"p{n}") for n in range(4)]
    train = replace(SAMPLE, id="t", patient="t", split="train", answer="Row 9. Edema.")
    manifest.write_samples(str(tmp_path / "manifest"), [*rows, train], {"kind": "manifest"})
    said = [f"Row {min(n, 2)}. Effusion." for n in range(4)]  # the last two are one pair
    write(
        str(tmp_path / "p"),
        [answered(*told) for told in zip(rows, said, said, strict=True)],
        "made up",
    )
    state = ["down"]

    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        if row and state[0] != "up":
            return failure(503) if row == 1 else failure(401 if state[0] == "wrong" else 400)
        judged = {"matched": 1, **dict.fromkeys(ERRORS, 0), "missed_finding": row}
        return completion([json.dumps(judged)])

    with ChatServer(script) as server:
        endpoint = {"url": server.url, "model": "judge", "max_retries": 0, "max_in_flight": 1}
        config = EvaluateConfig(
            output_uri=str(tmp_path / "out"),
            predictions_uri={"m": str(tmp_path / "p")},
            manifest_uri=str(tmp_path / "manifest"),
            bootstrap=10,
            randomisations=10,
            learned={"green": {"endpoint": endpoint}},
        )
        with pytest.raises(ChexoneError, match="no score to 3 of 4 rows of 'm'"):
            evaluate(config)
        assert dict(server.asked) == {0: 1, 1: 1, 2: 1}
        state[0] = "wrong"
        with pytest.raises(ChexoneError, match=r"check endpoint\.api_key_env"):
            evaluate(config)
        state[0] = "up"
        evaluate(config)
        evaluate(config)
        assert dict(server.asked) == {0: 1, 1: 3, 2: 3}
    table = json.loads((tmp_path / "out" / "table.json").read_text())
    found = {row["model"]: row["value"] for row in table if row["metric"] == "GREEN"}
    assert found == {"m": pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 3) / 4)}
    assert {"majority", "random"} < {row["model"] for row in table}
    kept = (tmp_path / "out" / "judgements.json").read_text()
    assert len(json.loads(kept)) == 3 and "ffusion" not in kept
