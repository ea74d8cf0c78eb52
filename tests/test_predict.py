"""Rows, counts and resuming of batch prediction; the engine is the one seam."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from chexone_ray import answering, checkpoints, images, storage
from chexone_ray.answering import completed_row, failed_row
from chexone_ray.config import EngineConfig, ImageConfig, PredictConfig, SamplingConfig
from chexone_ray.errors import ChexoneError, StorageError
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.predict import Tally, folder_samples, predict, result_schema
from chexone_ray.records import Completion, ImageRef, Sample, sample_from_row
from tests import samples

SCRIPT = Path(__file__).parent / "engine" / "fake_predict.py"
NUM_FILMS, ROWS_PER_PART = 26, 4


def sample(mode: Any = "reasoning") -> Sample:
    return samples.sample(
        "presence",
        "yes",
        question="Is there an effusion?",
        images=(ImageRef("a.png"),),
        reasoning="The angle is blunt.",
        mode=mode,
    )


def completion(text: str, logprobs: tuple[float, ...] = (-0.5, -1.5)) -> Completion:
    return Completion(text, tuple(range(len(logprobs))), logprobs, "stop", 3)


def test_row_keeps_the_reference_beside_the_answer() -> None:
    row = completed_row(sample(), 2, completion("The angle is sharp. \\boxed{no}"))
    assert sample_from_row(row) == sample()
    assert (row["answer"], row["predicted_answer"]) == ("yes", "no")
    assert row["predicted_reasoning"].startswith("The angle is sharp")
    assert (row["completion"], row["parsed"], row["error"]) == (2, True, "")
    assert (row["num_tokens"], row["mean_logprob"]) == (2, -1.0)


def test_row_without_a_box_is_unparsed_in_reasoning_mode_only() -> None:
    row = completed_row(sample(), 0, completion("no"))
    assert (row["parsed"], row["predicted_answer"]) == (False, None)
    row = completed_row(sample("instruct"), 0, completion("no"))
    assert (row["parsed"], row["predicted_answer"]) == (True, "no")


def test_row_of_an_empty_completion() -> None:
    row = completed_row(sample(), 0, completion("", ()))
    assert (row["num_tokens"], row["mean_logprob"], row["parsed"]) == (0, None, False)


def test_rows_fit_the_schema_and_are_counted() -> None:
    import pyarrow as pa

    rows = [
        completed_row(sample(), 0, completion("\\boxed{no}"), num_prompt_tokens=7),
        completed_row(sample(), 1, completion("no"), num_prompt_tokens=7),
        failed_row(sample(), "image: truncated"),
    ]
    table = pa.Table.from_pylist(rows, result_schema())
    assert table.schema.metadata[b"notice"].decode() == RESEARCH_USE_ONLY
    tally = Tally()
    tally.add(table)
    assert (tally.rows["presence"], tally.unparsed["presence"], tally.tokens) == (3, 1, 4)
    assert tally.prompt_tokens == 7, "counted once a sample"
    assert tally.errors == {"image: truncated": 1}
    assert tally.failed_samples == 1
    assert tally.finish_reasons == {"stop": 2}


def films(folder: Path, count: int) -> None:
    """Films of distinct grey levels; number 5 is cut short."""
    folder.mkdir()
    for number in range(count):
        grey: np.ndarray[Any, Any] = np.full((56, 56, 3), number * 8, dtype=np.uint8)
        grey[:28] = 255 - number * 8
        data = images.to_png(grey)
        (folder / f"film-{number:02d}.png").write_bytes(data[:60] if number == 5 else data)
    (folder / "notes.txt").write_text("no film")


def test_folder_gives_one_sample_a_film_in_order(tmp_path: Path) -> None:
    films(tmp_path / "films", 3)
    found = folder_samples(str(tmp_path / "films"), "What is this?", "instruct")
    assert [s.id for s in found] == ["film-00.png", "film-01.png", "film-02.png"]
    assert {s.question for s in found} == {"What is this?"}
    assert {s.mode for s in found} == {"instruct"}
    assert folder_samples(str(tmp_path / "films"), None, "reasoning")[0].question


def test_an_error_of_one_part_ends_what_the_others_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def load(samples: Sequence[Sample], config: ImageConfig, stopped: threading.Event) -> list[Any]:
        """The first part fails; the others wait until nobody wants them."""
        if samples[0].id != "film-00.png" and stopped.wait(20):
            ended.set()
        raise StorageError("the store does not answer")

    films(tmp_path / "films", 10)
    monkeypatch.setattr(answering, "load_shared", load)
    monkeypatch.setattr(answering, "_renderer", lambda config, adapter: str)
    monkeypatch.setattr(checkpoints, "model_digest", lambda model: "digest")
    config = PredictConfig(
        output_uri=str(tmp_path / "out"),
        model_uri="model",
        images_uri=str(tmp_path / "films"),
        rows_per_part=4,
        engine=EngineConfig(num_gpus=0),
    )
    pool: Any = SimpleNamespace(images=config.images, model_uri="model", pristine=True)
    start = time.monotonic()
    with pytest.raises(StorageError):
        predict(config, pool)
    assert time.monotonic() - start < 10
    assert ended.wait(10)


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model folder; only its tokenizer and chat template matter here."""
    from chexone_ray.config import TinyModelConfig
    from chexone_ray.tiny_model import build

    place = tmp_path_factory.mktemp("model") / "tiny"
    return build(TinyModelConfig(output_uri=str(place), random=True))


def settings(tmp_path: Path, model: str, **changes: Any) -> tuple[PredictConfig, Path]:
    config = PredictConfig(
        output_uri=str(tmp_path / "out"),
        model_uri=model,
        images_uri=str(tmp_path / "films"),
        rows_per_part=ROWS_PER_PART,
        max_failure_rate=0.1,
        images=ImageConfig(max_pixels=12_544),
        engine=EngineConfig(num_gpus=0, min_engines=1, max_engines=1, max_num_seqs=4),
        **changes,
    )
    path = tmp_path / "config.json"
    path.write_text(config.model_dump_json())
    return config, path


def start(path: Path, delay_s: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(SCRIPT), str(path), str(delay_s)])


def read_rows(uri: str) -> list[dict[str, Any]]:
    parts = storage.list_files(uri, ".parquet")
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


@pytest.mark.slow
def test_goes_on_after_kill_without_loss_or_repeats(tmp_path: Path, tokenizer_folder: str) -> None:
    films(tmp_path / "films", NUM_FILMS)
    config, path = settings(tmp_path, tokenizer_folder)
    first = start(path, 0.5)
    end = time.monotonic() + 120
    while len(storage.list_files(config.output_uri, ".parquet")) < 3:
        assert first.poll() is None, "it ended by itself"
        assert time.monotonic() < end
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait(timeout=10)
    kept = storage.list_files(config.output_uri, ".parquet")
    written = {part: Path(part).stat().st_mtime_ns for part in kept}
    assert 3 <= len(kept) < 7
    assert storage.committed(config.output_uri) is None

    assert start(path, 0.0).wait(timeout=120) == 0
    rows = read_rows(config.output_uri)
    assert [row["id"] for row in rows] == [f"film-{i:02d}.png" for i in range(NUM_FILMS)]
    assert {part: Path(part).stat().st_mtime_ns for part in kept} == written
    good = [row for row in rows if not row["error"]]
    assert len({row["predicted_answer"] for row in good}) == NUM_FILMS - 1
    assert [(row["id"], row["error"][:7]) for row in rows if row["error"]] == [
        ("film-05.png", "image: ")
    ]
    summary = storage.committed(config.output_uri)
    assert summary is not None
    assert summary["notice"] == RESEARCH_USE_ONLY
    assert len(summary["model_digest"]) == 64
    assert (summary["rows"], summary["failed"], summary["resumed_parts"]) == (26, 1, len(kept))
    assert summary["kinds"] == {"findings": {"rows": 26, "unparsed": 0}}
    assert json.loads((tmp_path / "out" / "predictions.json").read_text())["rows"] == 26
    assert start(path, 9.0).wait(timeout=120) == 0  # complete: asks no engine again


@pytest.mark.slow
def test_samples_several_and_refuses_other_settings(tmp_path: Path, tokenizer_folder: str) -> None:
    from chexone_ray.predict import predict

    films(tmp_path / "films", 5)
    sampling = SamplingConfig(n=3, temperature=1.0)
    config, path = settings(tmp_path, tokenizer_folder, sampling=sampling)
    assert start(path, 0.0).wait(timeout=120) == 0
    rows = read_rows(config.output_uri)
    assert [row["completion"] for row in rows] == [0, 1, 2] * 5
    assert len({row["id"] for row in rows}) == 5
    other = config.model_copy(update={"mode": "instruct"})
    with pytest.raises(ChexoneError, match="other settings"):
        predict(other)
    film = tmp_path / "films" / "film-00.png"
    film.write_bytes(images.to_png(np.full((56, 56, 3), 9, dtype=np.uint8)))
    with pytest.raises(ChexoneError, match="other settings"):
        predict(config)


@pytest.mark.slow
def test_too_many_failures_end_the_run(tmp_path: Path, tokenizer_folder: str) -> None:
    films(tmp_path / "films", 6)
    config, path = settings(tmp_path, tokenizer_folder)
    run = subprocess.run(
        [sys.executable, str(SCRIPT), str(path), "0"], capture_output=True, timeout=120, check=False
    )
    assert run.returncode != 0
    assert b"1 of 6 rows failed, above predict.max_failure_rate=0.1" in run.stderr
    assert storage.committed(config.output_uri) is None
