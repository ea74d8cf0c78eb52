"""`predict`, `select` and `probe` through real engines on a real manifest in S3."""

from __future__ import annotations

import io
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from chexone_ray import images, storage
from chexone_ray.config import (
    EngineConfig,
    FilterConfig,
    ImageConfig,
    PredictConfig,
    ProbeConfig,
    PromptConfig,
    RewardConfig,
    SamplingConfig,
)
from chexone_ray.data import stream
from chexone_ray.errors import ChexoneError
from chexone_ray.predict import predict
from chexone_ray.probing.run import probe
from chexone_ray.records import Request, Rollout
from chexone_ray.variance import select

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

PROMPTS = PromptConfig(system="", suffix="Reason step by step.")


def read_rows(uri: str) -> list[dict[str, Any]]:
    parts = storage.list_files(uri, ".parquet")
    tables = [pq.read_table(io.BytesIO(storage.read_bytes(part))) for part in parts]
    return [row for table in tables for row in table.to_pylist()]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["reasoning", "instruct"])
def test_predict_over_a_manifest(
    pool: EnginePool,
    s3: Any,
    tiny_model_uri: str,
    manifest_uri: str,
    image_config: ImageConfig,
    live_engine: EngineConfig,
    mode: Any,
) -> None:
    config = PredictConfig(
        output_uri=s3.folder(f"predictions-{mode}"),
        model_uri=tiny_model_uri,
        manifest_uri=manifest_uri,
        split="train",
        max_per_kind=6,
        mode=mode,
        rows_per_part=16,
        sampling=SamplingConfig(max_tokens=16),
        images=image_config,
        prompts=PROMPTS,
        engine=live_engine,
    )
    assert predict(config, pool) == config.output_uri
    assert pool.model_uri == tiny_model_uri
    rows = read_rows(config.output_uri)
    samples = stream.read_samples(manifest_uri, "train", (), 6)
    assert [row["id"] for row in rows] == [sample.id for sample in samples]
    assert not [row["error"] for row in rows if row["error"]]
    assert {row["mode"] for row in rows} == {mode}
    assert all(row["num_tokens"] and row["mean_logprob"] < 0 for row in rows)
    if mode == "instruct":
        assert all(row["parsed"] for row in rows if row["text"].strip())
    summary = storage.committed(config.output_uri)
    assert summary is not None
    assert summary["kinds"].keys() == {sample.kind for sample in samples}


@pytest.mark.slow
def test_predict_over_a_folder_of_dicom_and_jpeg(
    pool: EnginePool,
    s3: Any,
    tiny_model_uri: str,
    archive_uri: str,
    image_config: ImageConfig,
    live_engine: EngineConfig,
) -> None:
    config = PredictConfig(
        output_uri=s3.folder("predictions-folder"),
        model_uri=tiny_model_uri,
        images_uri=archive_uri,
        question="Is there a pleural effusion?",
        max_failure_rate=0.5,
        rows_per_part=64,
        sampling=SamplingConfig(max_tokens=8),
        images=image_config,
        prompts=PROMPTS,
        engine=live_engine,
    )
    predict(config, pool)
    rows = read_rows(config.output_uri)
    good = [row for row in rows if not row["error"]]
    suffixes = {row["id"].rpartition(".")[2] for row in good}
    assert {"jpg", "dicom"} <= suffixes or {"jpg", "dcm"} <= suffixes
    assert {row["question"] for row in rows} == {config.question}
    failed = {row["error"] for row in rows} - {""}
    assert failed  # the archive holds unusable files on purpose
    assert all(error.startswith("image: ") for error in failed)


@pytest.mark.slow
def test_select_over_a_manifest(
    pool: EnginePool,
    s3: Any,
    tiny_model_uri: str,
    manifest_uri: str,
    image_config: ImageConfig,
    live_engine: EngineConfig,
) -> None:
    config = FilterConfig(
        output_uri=s3.folder("selected"),
        model_uri=tiny_model_uri,
        manifest_uri=manifest_uri,
        max_candidates_per_kind=6,
        sampling=SamplingConfig(n=4, temperature=1.0, max_tokens=16, seed=1),
        rewards=RewardConfig(),
        images=image_config,
        prompts=PROMPTS,
        engine=live_engine,
    )
    try:
        select(config, pool)
    except ChexoneError as error:
        # Random weights may answer every prompt equally badly; then the sampled groups are there.
        assert "has a reward std above" in str(error)
        place = storage.join(config.output_uri, "progress")
    else:
        place = config.output_uri
    groups = [row for row in read_rows(place) if "rewards" in row]
    samples = stream.read_samples(manifest_uri, "train", (), 6)
    assert sorted(row["id"] for row in groups) == sorted(sample.id for sample in samples)
    assert all(len(row["rewards"]) == 4 for row in groups)


class Recorder:
    """A pool that notes what it is asked and answers by the real one."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self.asked: list[tuple[Request, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def generate(self, requests: Sequence[Request], sampling: SamplingConfig) -> list[Rollout]:
        with self._lock:
            self.asked += [(request, sampling.n) for request in requests]
        return self._pool.generate(requests, sampling)


@pytest.mark.slow
def test_probe_over_a_manifest(
    pool: EnginePool,
    s3: Any,
    tiny_model_uri: str,
    manifest_uri: str,
    image_config: ImageConfig,
    live_engine: EngineConfig,
) -> None:
    config = ProbeConfig(
        output_uri=s3.folder("probes"),
        model_uri=tiny_model_uri,
        manifest_uri=manifest_uri,
        split="train",
        kinds=("presence", "grounding", "view", "findings"),
        max_per_kind=4,
        cuts=(0.0, 1.0),
        answer_tokens=8,
        rows_per_part=8,
        bootstrap=50,
        sampling=SamplingConfig(n=3, temperature=1.0, max_tokens=16),
        images=image_config,
        prompts=PROMPTS,
        engine=live_engine,
    )
    recorder: Any = Recorder(pool)
    assert probe(config, recorder) == config.output_uri
    rows = read_rows(config.output_uri)
    counts = Counter(row["probe"] for row in rows)
    assert counts["plain"] == counts["instruct"] == counts["blank image"] == 16
    assert counts["swapped image"] == 16 and counts["sample"] == 48
    assert 4 <= counts["lesion occluded"] == counts["control occluded"] <= 8
    assert counts["trace cut to 0 %"] == counts["trace cut to 100 %"] == 16
    assert {row["status"] for row in rows} <= {"answered", "unparsed", "refused"}
    assert all(row["num_tokens"] for row in rows)
    forced = [row for row in rows if row["probe"] == "trace cut to 0 %"]
    assert all(row["text"].startswith("\\boxed") for row in forced)

    # What reached the engines: of each row several films with one text, one of them blank.
    films: dict[str, dict[str, set[tuple[bytes, ...]]]] = defaultdict(lambda: defaultdict(set))
    for request, num in recorder.asked:
        if num == 1:
            films[request.id][request.prompt].add(request.images)
    for by_prompt in films.values():
        seen = max(by_prompt.values(), key=len)
        assert 3 <= len(seen) <= 5  # as it is, blank and swapped; lesion and control occluded
        flat = [all(len(set(images.from_png(p).flat)) == 1 for p in pngs) for pngs in seen]
        assert flat.count(True) == 1
        # The same text with the assistant's turn begun: the whole trace, and nothing.
        plain = next(prompt for prompt, found in by_prompt.items() if found is seen)
        assert by_prompt[plain + "\\boxed"] <= seen
        begun = [prompt for prompt in by_prompt if prompt.startswith(plain) and prompt != plain]
        assert len(begun) == 2 and all(prompt.endswith("\\boxed") for prompt in begun)

    found = {
        figure["metric"] for figure in storage.read_json(f"{config.output_uri}/reasoning.json")
    }
    assert {"accuracy", "self-consistency", "traces that state a finding"} <= found
