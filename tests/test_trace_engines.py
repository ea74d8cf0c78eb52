"""The stage `trace` on the engines of a pool: scripted ones, and once a real one."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest

from chexone_ray import images, storage
from chexone_ray.config import (
    EngineConfig,
    ImageConfig,
    SamplingConfig,
    TinyModelConfig,
    TraceConfig,
)
from chexone_ray.data import manifest, stream
from chexone_ray.engine.pool import EnginePool
from chexone_ray.engine.requests import SAMPLES_PER_TASK
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Completion, ImageRef, Request, Rollout
from chexone_ray.trace import trace
from tests.chat_server import ChatServer, completion
from tests.test_trace import GOOD, IMAGES, RIGHT, TOLD, WRONG, report, settings, write_manifest


class ScriptedEngine:
    """Writes one good text and one bad one, nothing but bad ones about row 1."""

    prompts: ClassVar[list[str]] = []

    async def start(self) -> None:
        """Nothing to load."""

    async def generate(
        self, requests: Sequence[Request], sampling: SamplingConfig
    ) -> list[Rollout]:
        self.prompts.extend(request.prompt for request in requests)
        return [
            Rollout(
                request.id,
                (0,) * 9,
                tuple(
                    Completion(text, (1, 2), (0.0, 0.0), "stop", 0)
                    for text in (WRONG, TOLD if request.id == "secret-1" else RIGHT)
                ),
            )
            for request in requests
        ]

    async def update_weights(self, weights: Any, version: int) -> None:
        """No weights."""

    async def load_checkpoint(self, uri: str, version: int) -> None:
        """No weights."""

    async def check(self) -> None:
        """It lives."""

    async def shutdown(self) -> None:
        """Nothing to end."""

    def kill(self) -> None:
        """Nothing to end."""


@pytest.mark.slow
def test_the_engines_of_a_pool_write(tmp_path: Path) -> None:
    from chexone_ray.tiny_model import build

    model = build(TinyModelConfig(output_uri=str(tmp_path / "tiny"), random=True))
    config = TraceConfig(
        output_uri=str(tmp_path / "traced"),
        manifest_uri=write_manifest(tmp_path, 5, bad=3),
        model_uri=model,
        rows_per_part=2,
        max_failure_rate=0.2,
        sampling=SamplingConfig(n=2, temperature=1.0),
        images=IMAGES,
        engine=EngineConfig(num_gpus=0, min_engines=1, max_engines=1),
    )
    ScriptedEngine.prompts.clear()
    with EnginePool(
        config.engine, model, config.images, factory=lambda uri, version: ScriptedEngine()
    ) as pool:
        trace(config, pool)
        assert trace(config, pool) == config.output_uri
        assert len(ScriptedEngine.prompts) == 4
        assert all("The right answer:\nyes" in prompt for prompt in ScriptedEngine.prompts)
        rows = stream.read_samples(config.output_uri, "train")
        assert [(row.id, row.reasoning) for row in rows] == [
            (f"secret-{number}", GOOD) for number in (0, 2, 4)
        ]
        told = report(config.output_uri)
        assert (told["failed"], told["prompt_tokens"], told["completion_tokens"]) == (1, 36, 16)
        assert told["teacher"] == model and told["usd"] is None
        strict = config.model_copy(
            update={"output_uri": str(tmp_path / "strict"), "max_failure_rate": 0.1}
        )
        with pytest.raises(ChexoneError, match="1 of 5 rows failed"):
            trace(strict, pool)


@pytest.mark.slow
def test_a_real_engine_writes_nothing_that_passes(
    pool: EnginePool,
    s3: Any,
    tiny_model_uri: str,
    manifest_uri: str,
    live_engine: EngineConfig,
    image_config: ImageConfig,
) -> None:
    config = TraceConfig(
        output_uri=s3.folder("traced"),
        manifest_uri=manifest_uri,
        model_uri=tiny_model_uri,
        max_per_kind=2,
        sampling=SamplingConfig(n=2, temperature=1.0, max_tokens=16, seed=1),
        images=image_config,
        engine=live_engine,
    )
    with pytest.raises(ChexoneError, match=r"none of \d+ rows has a trace .*'no_answer'"):
        trace(config, pool)
    samples = [s for s in stream.read_samples(manifest_uri, "train", (), 2) if s.answer]
    place = storage.join(config.output_uri, "texts", "texts-00000.parquet")
    rows = pq.read_table(io.BytesIO(storage.read_bytes(place))).to_pylist()
    assert [row["id"] for row in rows] == [sample.id for sample in samples]
    assert all(len(row["texts"]) == 2 and not row["error"] for row in rows)
    assert all(row["prompt_tokens"] and 0 < row["completion_tokens"] <= 32 for row in rows)


@pytest.mark.slow
def test_ray_decodes_the_films_of_a_large_part_for_an_endpoint(
    ray_local: None, tmp_path: Path
) -> None:
    rows = stream.read_samples(write_manifest(tmp_path, 1), "train")[:1]
    asked = []
    for number in range(2 * SAMPLES_PER_TASK):
        film = tmp_path / f"film-{number}.png"
        film.write_bytes(images.to_png(np.full((56, 56, 3), number, dtype=np.uint8)))
        question = f"Row {number}. {rows[0].question.partition('. ')[2]}"
        shown = (ImageRef(str(film)),)
        asked.append(replace(rows[0], id=f"secret-{number}", question=question, images=shown))
    manifest_uri = str(tmp_path / "many")
    manifest.write_samples(manifest_uri, asked, {"seed": 1})
    seen: dict[int, int] = {}

    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        url = body["messages"][0]["content"][0]["image_url"]["url"]
        pixels = images.decode(base64.b64decode(url.partition(",")[2]), IMAGES).pixels
        seen[row] = int(pixels[0, 0, 0])
        return completion([RIGHT])

    with ChatServer(script) as server:
        config = settings(tmp_path, server.url, manifest_uri, rows_per_part=128)
        trace(config)
    assert seen == {number: number for number in range(2 * SAMPLES_PER_TASK)}, "each its own film"
    assert report(config.output_uri)["kept"] == 2 * SAMPLES_PER_TASK
