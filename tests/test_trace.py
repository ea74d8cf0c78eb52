"""The stage `trace` with a real HTTP endpoint: what is asked, kept, paid, repeated and logged."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from chexone_ray import images, storage
from chexone_ray.config import (
    EndpointConfig,
    ImageConfig,
    SamplingConfig,
    TraceConfig,
    TraceFilters,
)
from chexone_ray.data import manifest, stream
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Sample
from chexone_ray.trace import trace
from tests.chat_server import COMPLETION_TOKENS, PROMPT_TOKENS, ChatServer, completion, failure

SCRIPT = Path(__file__).parent / "trace_process.py"
GOOD = (
    "The left costophrenic angle is blunted and a meniscus climbs the chest wall, "
    "while the right angle stays sharp. Fluid lies in the left pleural space."
)
RIGHT, WRONG = f"{GOOD} \\boxed{{yes}}", f"{GOOD} \\boxed{{no}}"
TOLD = f"The report says so. {RIGHT}"
IMAGES = ImageConfig(max_pixels=12_544)


def write_manifest(folder: Path, count: int, bad: int | None = None) -> str:
    """`count` questions about one film; that of row `bad` is cut short, one more has no answer."""
    film = images.to_png(np.full((112, 84, 3), 90, dtype=np.uint8))
    (folder / "film.png").write_bytes(film)
    (folder / "bad.png").write_bytes(film[:50])
    rows = [
        Sample(
            id=f"secret-{number}",
            dataset="d",
            task="Close-Ended VQA",
            kind="presence",
            split="train",
            patient=f"p{number}",
            study=f"s{number}",
            images=(ImageRef(str(folder / ("bad.png" if number == bad else "film.png"))),),
            question=f"Row {number}. Is there a pleural effusion?",
            answer="yes",
            reasoning="An old trace.",
        )
        for number in range(count)
    ]
    rows.append(replace(rows[0], id="without", answer=""))
    uri = str(folder / "manifest")
    manifest.write_samples(uri, rows, {"seed": 1})
    return uri


def settings(folder: Path, url: str, manifest_uri: str, **changes: Any) -> TraceConfig:
    endpoint = {"url": url, "model": "teacher", "timeout_s": 20, **changes.pop("endpoint", {})}
    values: dict[str, Any] = {
        "output_uri": str(folder / "traced"),
        "manifest_uri": manifest_uri,
        "rows_per_part": 4,
        "images": IMAGES,
        **changes,
    }
    return TraceConfig(endpoint=EndpointConfig(**endpoint), **values)


def report(uri: str) -> dict[str, Any]:
    found: dict[str, Any] = storage.read_json(storage.join(uri, "report.json"))
    return found


# --- an endpoint ---------------------------------------------------------------------------------


def traced_twice(folder: Path) -> tuple[TraceConfig, ChatServer]:
    """Two texts a row about six rows, of which four have one that passes; then once more."""

    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        texts = {1: [WRONG, TOLD], 2: [TOLD, RIGHT], 3: ["", WRONG]}.get(row, [RIGHT, WRONG])
        time.sleep(0.05)  # so that two are under way together
        return completion(texts[: body["n"]])

    uri = write_manifest(folder, 6)
    with ChatServer(script) as server:
        config = settings(
            folder,
            server.url,
            uri,
            sampling=SamplingConfig(n=2, temperature=0.5, max_tokens=99),
            system="You read films.",
            endpoint={
                "api_key_env": "TEACHER_KEY",
                "max_in_flight": 2,
                "usd_per_million_prompt_tokens": 2.0,
                "usd_per_million_completion_tokens": 10.0,
            },
        )
        assert trace(config) == config.output_uri
        assert trace(config) == config.output_uri, "complete: nothing is asked"
    return config, server


@pytest.fixture
def teacher_key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TEACHER_KEY", "key-of-the-teacher")
    monkeypatch.setenv("OPENAI_LOG", "debug")
    return "key-of-the-teacher"


def test_an_endpoint_is_asked_once_a_row_with_film_and_answer(
    tmp_path: Path, teacher_key: str
) -> None:
    _, server = traced_twice(tmp_path)
    assert server.asked == dict.fromkeys(range(6), 1)
    assert server.most_together == 2
    assert {headers["authorization"] for headers in server.headers} == {f"Bearer {teacher_key}"}
    body = server.bodies[0]
    assert (body["model"], body["n"], body["temperature"]) == ("teacher", 2, 0.5)
    assert body["max_tokens"] == 99 and 0 <= body["seed"] < 2**31
    system, user = body["messages"]
    assert system == {"role": "system", "content": "You read films."}
    picture, text = user["content"]
    data = picture["image_url"]["url"].removeprefix("data:image/png;base64,")
    assert images.decode(base64.b64decode(data), IMAGES).pixels.shape == (112, 84, 3)
    assert "\\boxed{yes}" in text["text"]


def test_the_best_of_several_texts_stays_and_all_are_counted(
    tmp_path: Path, teacher_key: str
) -> None:
    config, _ = traced_twice(tmp_path)
    rows = stream.read_samples(config.output_uri, "train")
    assert [row.id for row in rows] == [f"secret-{i}" for i in (0, 2, 4, 5)]
    assert {(row.reasoning, row.mode, row.answer) for row in rows} == {(GOOD, "reasoning", "yes")}
    told = report(config.output_uri)
    assert (told["rows"], told["kept"], told["failed"], told["texts"]) == (6, 4, 0, 12)
    assert told["skipped_without_reference"] == 1
    assert {k: v for k, v in told["reasons"].items() if v} == {
        "no_answer": 1,
        "answer_disagrees": 5,
        "mentions_report": 2,
    }
    assert told["passed"] == 4 and told["kinds"]["presence"]["kept"] == 4
    assert told["prompt_tokens"] == 6 * PROMPT_TOKENS == 4200
    assert told["completion_tokens"] == 12 * COMPLETION_TOKENS == 720
    assert told["usd"] == pytest.approx(4200 * 2e-6 + 720 * 10e-6)
    card = storage.read_bytes(f"{config.output_uri}/CARD.md").decode()
    assert "written by a model, teacher, which was told the answers. Of 6 questions" in card
    info = manifest.load(config.output_uri).info
    assert info["traces"] == {"asked": 6, "kept": 4, "yield": 0.6667}
    assert [info[f"num_{unit}"] for unit in ("patients", "studies", "images")] == [4, 4, 1]


def test_what_is_shown_and_recorded_holds_no_key_and_no_text(
    tmp_path: Path, teacher_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        config, _ = traced_twice(tmp_path)
    page = storage.read_bytes(f"{config.output_uri}/report.md").decode()
    assert "4 of 6 rows have a trace that passed (66.7 %)" in page and "US$ 0.0156" in page
    recorded = Path(config.output_uri, "config.json").read_text()
    assert TraceConfig.model_validate_json(recorded) == config
    assert "US$ 0.0156 so far" in caplog.text
    for secret in (teacher_key, "secret-", "pleural", "blunted", "Row 1", "film.png"):
        for shown in (caplog.text, page, json.dumps(report(config.output_uri))):
            assert secret not in shown, secret
    assert teacher_key not in recorded


def test_errors_of_an_endpoint_are_repeated_then_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()

    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        if row == 0 and count == 1:
            return failure(429, "rate_limit_exceeded", retry_after="0.01")
        if row == 1:
            return failure(500)
        if row == 2:
            release.wait(30)
        if row == 3:
            return failure(400, "context_length_exceeded")
        return completion([RIGHT], usage=row != 4)

    uri = write_manifest(tmp_path, 7, bad=6)
    endpoint = {"max_retries": 1, "timeout_s": 1.2}
    with ChatServer(script) as server:
        config = settings(tmp_path, server.url, uri, endpoint=endpoint, max_failure_rate=0.6)
        try:
            trace(config)
        finally:
            release.set()
        assert server.asked == {0: 2, 1: 2, 2: 2, 3: 1, 4: 1, 5: 1}
    told = report(config.output_uri)
    assert told["errors"] == {
        "endpoint: HTTP 500": 1,
        "endpoint: timeout": 1,
        "endpoint: HTTP 400 context_length_exceeded": 1,
        "image: truncated": 1,
    }
    assert (told["kept"], told["failed"], told["rows_with_tokens_unknown"]) == (3, 4, 1)
    assert told["usd"] is None
    assert "quoted" not in caplog.text and "quoted" not in json.dumps(told)


def test_too_many_failures_end_the_run_and_only_they_are_asked_again(tmp_path: Path) -> None:
    broken = {1, 2, 5}

    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        return failure(503) if row in broken else completion([RIGHT])

    uri = write_manifest(tmp_path, 8)
    with ChatServer(script) as server:
        config = settings(
            tmp_path, server.url, uri, endpoint={"max_retries": 0}, max_failure_rate=0.25
        )
        with pytest.raises(ChexoneError, match=r"3 of 8 rows failed.*'endpoint: HTTP 503': 3"):
            trace(config)
        assert storage.committed(config.output_uri) is None
        broken.clear()
        trace(config)
        assert server.answered == dict.fromkeys(range(8), 1), "what was paid is not paid again"
        assert report(config.output_uri)["kept"] == 8

        # Other filters are tried on the same texts without asking anyone.
        other = config.model_copy(
            update={
                "output_uri": str(tmp_path / "other"),
                "texts_uri": storage.join(config.output_uri, "texts"),
                "filters": TraceFilters(min_words=25),
            }
        )
        trace(other)
        with pytest.raises(ChexoneError, match="none of 8 rows has a trace that passes"):
            trace(
                other.model_copy(
                    update={
                        "output_uri": str(tmp_path / "third"),
                        "filters": TraceFilters(min_words=99),
                    }
                )
            )
        assert server.answered.total() == 8
        with pytest.raises(ChexoneError, match="other settings"):
            trace(config.model_copy(update={"filters": other.filters}))


def test_settings_that_cannot_work_end_the_run_at_once(tmp_path: Path) -> None:
    uri = write_manifest(tmp_path, 8)
    with ChatServer(lambda row, count, body: failure(401)) as server:
        config = settings(tmp_path, server.url, uri, endpoint={"api_key_env": "NO_SUCH_KEY"})
        with pytest.raises(ChexoneError, match="NO_SUCH_KEY: no such environment variable"):
            trace(config)
        assert not server.asked
        config = settings(tmp_path, server.url, uri)
        with pytest.raises(ChexoneError, match=r"answers 401 .*does not take the key") as caught:
            trace(config)
        assert "quoted" not in str(caught.value)
        empty = config.model_copy(update={"kinds": ("view",)})
        with pytest.raises(ChexoneError, match="no rows with a reference"):
            trace(empty)


def test_an_endpoint_that_never_answers_ends_the_run_early(tmp_path: Path) -> None:
    uri = write_manifest(tmp_path, 40)
    with ChatServer(lambda row, count, body: failure(503)) as server:
        config = settings(
            tmp_path,
            server.url,
            uri,
            rows_per_part=16,
            max_failure_rate=1.0,
            endpoint={"max_retries": 0},
        )
        with pytest.raises(ChexoneError, match="answered none of 16 rows in a row"):
            trace(config)
        assert server.asked.keys() >= set(range(16)) and 39 not in server.asked


def test_rows_without_a_trace_stay_as_instruct_rows_where_asked_for(tmp_path: Path) -> None:
    uri = write_manifest(tmp_path, 3)
    script = lambda row, count, body: completion([WRONG if row == 1 else RIGHT])  # noqa: E731
    with ChatServer(script) as server:
        config = settings(tmp_path, server.url, uri, keep_untraced=True)
        trace(config)
    rows = stream.read_samples(config.output_uri, "train")
    assert [(row.mode, row.reasoning) for row in rows] == [
        ("reasoning", GOOD),
        ("instruct", ""),
        ("reasoning", GOOD),
    ]


def test_a_killed_run_goes_on_and_pays_nothing_twice(tmp_path: Path) -> None:
    stop, release = threading.Event(), threading.Event()

    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        if row >= 6 and not release.is_set():
            stop.set()
            release.wait(60)
        return completion([RIGHT])

    uri = write_manifest(tmp_path, 12)
    with ChatServer(script) as server:
        config = settings(tmp_path, server.url, uri, endpoint={"max_in_flight": 3})
        path = tmp_path / "config.json"
        path.write_text(config.model_dump_json())
        command = [sys.executable, str(SCRIPT), str(path)]
        environment = os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])}
        first = subprocess.Popen(command, env=environment)
        try:
            server.wait_for(lambda: stop.is_set() and saved(config) == {0, 1, 2, 3, 4, 5})
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait(timeout=10)
        assert server.answered == dict.fromkeys(range(6), 1)
        assert server.asked.keys() > server.answered.keys(), "some were under way"
        assert storage.committed(config.output_uri) is None
        release.set()
        server.wait_for(lambda: server._together == 0)
        before = server.asked.copy()
        # This would make the client log its requests.
        environment |= {"OPENAI_LOG": "debug"}
        second = subprocess.run(command, env=environment, capture_output=True, timeout=60)
        assert second.returncode == 0, second.stderr.decode()
        assert b"12 kept" in second.stderr
        assert b"pleural" not in second.stderr and b"Row" not in second.stderr
        again = server.asked - before
        assert again == dict.fromkeys(range(6, 12), 1), "the rows that were not saved, once each"
    told = report(config.output_uri)
    assert (told["kept"], told["completion_tokens"]) == (12, 12 * COMPLETION_TOKENS)
    rows = stream.read_samples(config.output_uri, "train")
    assert [row.id for row in rows] == [f"secret-{number}" for number in range(12)]


def saved(config: TraceConfig) -> set[int]:
    """The rows whose texts are on storage."""
    parts = storage.list_files(storage.join(config.output_uri, "texts"), ".parquet")
    tables = [pq.read_table(io.BytesIO(storage.read_bytes(part))) for part in parts]
    return {int(name[7:]) for table in tables for name in table["id"].to_pylist()}
