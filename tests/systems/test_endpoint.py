"""`predict` over a real HTTP server that speaks the chat API."""

from __future__ import annotations

import base64
import io
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from chexone_ray import images, storage
from chexone_ray.config import PredictConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.predictions import status_of
from chexone_ray.predict import predict, result_schema
from chexone_ray.systems.table import ADAPTERS
from tests.chat_server import ChatServer, Reply, completion, failure

REPORT = "The heart is enlarged."


def films(tmp_path: Path, count: int, bad: int | None = None) -> str:
    """The question names the row by itself, so each film is in a folder of its own."""
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(count):
        film = np.full((56, 84, 3), number * 20, dtype=np.uint8)
        data = images.to_png(film)
        (folder / f"{number}.png").write_bytes(data[:40] if number == bad else data)
    return str(folder)


def config(tmp_path: Path, server: ChatServer, uri: str, **given: Any) -> PredictConfig:
    endpoint = {"url": server.url, "model": "m", **given.pop("endpoint", {})}
    return PredictConfig(
        **{
            "output_uri": str(tmp_path / "out"),
            "adapter": "endpoint",
            "images_uri": uri,
            "question": "Row 1. Describe the film.",
            "images": {"max_pixels": 12_544},
            "max_failure_rate": 1.0,
            **given,
        },
        endpoint=endpoint,
    )


def rows(uri: str) -> list[dict[str, Any]]:
    parts = storage.list_files(uri, ".parquet")
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def shade(body: dict[str, Any]) -> int:
    """The grey level of the film that a request holds."""
    from PIL import Image

    (url,) = (
        part["image_url"]["url"]
        for part in body["messages"][-1]["content"]
        if part["type"] == "image_url"
    )
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return int(np.asarray(picture).max())


def test_rows_of_an_endpoint_with_errors_retries_and_cost(tmp_path: Path) -> None:
    busy: set[int] = set()

    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        grey = shade(body)
        if grey == 20 and grey not in busy:  # film 1: the second try is answered
            busy.add(grey)
            return failure(429, "rate_limit_exceeded", retry_after_ms="10")
        if grey == 40:  # film 2
            return failure(400, "content_filter")
        if grey == 60:  # film 3
            return completion(["I'm sorry, but I cannot provide a diagnosis."])
        return completion([f"{REPORT} {grey}"])

    with ChatServer(script) as server:
        prices = {
            "usd_per_million_prompt_tokens": 2.0,
            "usd_per_million_completion_tokens": 10.0,
        }
        settings = config(tmp_path, server, films(tmp_path, 6, bad=5), endpoint=prices)
        uri = predict(settings)
        asked = len(server.bodies)
        assert predict(settings) == uri
        assert len(server.bodies) == asked == 6, "a complete run asks nothing"
    found = rows(uri)
    assert [row["id"] for row in found] == [f"{n}.png" for n in range(6)]
    assert [status_of(row) for row in found] == [
        *("answered", "answered", "failed", "refused", "answered", "failed")
    ]
    assert found[1]["predicted_answer"] == f"{REPORT} 20"
    assert found[2]["error"] == "endpoint: HTTP 400 content_filter"
    assert (found[2]["text"], found[2]["predicted_answer"]) == ("", None)
    assert found[5]["error"].startswith("image: ")
    assert [(row["num_prompt_tokens"], row["num_tokens"]) for row in found[:3]] == [
        *((700, 60), (700, 60), (0, 0))
    ]
    assert {row["mean_logprob"] for row in found} == {None}
    told = storage.committed(uri)
    assert told is not None
    kept = ("adapter", "parser", "model_digest")
    assert [told[name] for name in kept] == ["endpoint", "endpoint", "endpoint:m"]
    assert (told["failed"], told["prompt_tokens"], told["completion_tokens"]) == (2, 2800, 240)
    assert told["usd"] == pytest.approx(2800 * 2e-6 + 240 * 10e-6)
    assert pq.read_schema(storage.list_files(uri, ".parquet")[0]).names == result_schema().names


def test_a_chat_is_ours_in_order_and_the_answers_are_read_by_the_adapter(tmp_path: Path) -> None:
    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        return completion(["<think>Wide.</think><answer>It is wide.</answer>", "no tags"])

    drawn = {"n": 2, "temperature": 0.5, "max_tokens": 50, "seed": 3}
    with ChatServer(script) as server:
        settings = config(
            tmp_path, server, films(tmp_path, 2), adapter="chestx_reasoner", sampling=drawn
        )
        found = rows(predict(settings))
        (first, second) = server.bodies
    assert [row["completion"] for row in found] == [0, 1, 0, 1]
    assert [row["predicted_answer"] for row in found] == ["It is wide.", None] * 2
    assert found[0]["predicted_reasoning"] == "Wide."
    system, user = first["messages"]
    adapter = ADAPTERS["chestx_reasoner"]
    assert adapter.prompts
    assert system == {"role": "system", "content": adapter.prompts.system}
    assert [part["type"] for part in user["content"]] == ["text", "image_url"]
    assert user["content"][0]["text"] == f"Row 1. Describe the film. {adapter.prompts.suffix}"
    assert (first["n"], first["temperature"], first["max_tokens"]) == (2, 0.5, 50)
    assert first["seed"] != second["seed"]


PRICES = {"usd_per_million_prompt_tokens": 100.0, "usd_per_million_completion_tokens": 0.0}
"""US$ 0.07 an answer."""


def test_a_run_goes_on_with_the_rows_that_failed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    down = [True]

    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        return failure(500) if down[0] and shade(body) >= 100 else completion([REPORT] * 2)

    uri = films(tmp_path, 8)
    with ChatServer(script) as server:
        settings = config(
            tmp_path,
            server,
            uri,
            max_failure_rate=0.1,
            rows_per_part=4,
            sampling={"n": 2, "temperature": 0.5},
            endpoint={"max_retries": 0, **PRICES},
        )
        with pytest.raises(ChexoneError, match=r"above predict\.max_failure_rate=0\.1.*is kept"):
            predict(settings)
        assert "10 answers of 127.0.0.1" in caplog.text and "US$ 0.3500" in caplog.text
        assert storage.committed(settings.output_uri) is None
        with pytest.raises(ChexoneError, match=r"other settings \(adapter"):
            predict(settings.model_copy(update={"adapter": "qwen3_vl"}))
        elsewhere = settings.endpoint.model_copy(update={"url": "http://127.0.0.1:9/v1"})  # type: ignore[union-attr]
        with pytest.raises(ChexoneError, match=r"other settings \(endpoint\.url\)"):
            predict(settings.model_copy(update={"endpoint": elsewhere}))
        down[0] = False
        before = len(server.bodies)
        told = storage.committed(predict(settings))
        again = [shade(body) for body in server.bodies[before:]]
    assert told is not None
    assert (told["rows"], told["failed"], told["resumed_parts"]) == (16, 0, 1)
    assert told["usd"] == pytest.approx(8 * 0.07)
    assert sorted(again) == [100, 120, 140]
    found = rows(settings.output_uri)
    assert [(row["id"], row["completion"]) for row in found] == [
        (f"{n}.png", c) for n in range(8) for c in range(2)
    ]


def test_a_finished_run_asks_again_what_failed_for_the_servers_sake(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    down = [True]

    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        if shade(body) == 20:
            return failure(400, "content_filter")
        return failure(503) if down[0] and shade(body) == 40 else completion([REPORT])

    with ChatServer(script) as server:
        settings = config(
            tmp_path, server, films(tmp_path, 4, bad=3), endpoint={"max_retries": 0, **PRICES}
        )
        uri = predict(settings)
        first = storage.committed(uri)
    predict(settings)  # nobody listens: what is there stays
    assert "no server answers" in caplog.text
    assert first and storage.committed(uri) == first | {"seconds": pytest.approx(0, abs=60)}
    down[0] = False
    with ChatServer(script) as server:
        # The same server come back would have its old port.
        reached = settings.endpoint.model_copy(update={"url": server.url})  # type: ignore[union-attr]
        moved = settings.model_copy(update={"endpoint": reached, "output_uri": str(tmp_path / "b")})
        down[0] = True
        predict(moved)
        down[0] = False
        before = len(server.bodies)
        told = storage.committed(predict(moved))
        assert [shade(body) for body in server.bodies[before:]] == [40]
        predict(moved)
        assert len(server.bodies) == before + 1
    assert told and (told["failed"], told["usd"]) == (2, pytest.approx(0.14))
    assert [bool(row["error"]) for row in rows(moved.output_uri)] == [False, True, False, True]


@pytest.mark.parametrize("hint", [{}, {"retry_after_ms": "60"}])
def test_a_rate_limit_is_waited_out_and_nothing_is_paid_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hint: dict[str, str]
) -> None:
    monkeypatch.setattr("chexone_ray.endpoints.pacing.FIRST_PAUSE_S", 0.02)
    lock, taken, refused = threading.Lock(), list[float](), [0]

    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        """Two requests in 0.1 s, the others are refused."""
        with lock:
            now = time.monotonic()
            if len(taken) >= 2 and (now - taken[-2] < 0.1 or not refused[0]):
                refused[0] += 1
                return failure(429, "rate_limit_exceeded", **hint)
            taken.append(now)
        return completion([REPORT])

    with ChatServer(script) as server:
        endpoint = {"max_retries": 0, "timeout_s": 20}
        told = storage.committed(
            predict(config(tmp_path, server, films(tmp_path, 10), endpoint=endpoint))
        )
        assert server.answered.total() == len(taken) == 10
        assert server.asked.total() == 10 + refused[0] > 10
    assert told and told["failed"] == 0


@pytest.mark.parametrize("limit", [{"requests_per_minute": 300}, {"tokens_per_minute": 228_000}])
def test_requests_keep_to_the_limits_that_are_given(tmp_path: Path, limit: dict[str, int]) -> None:
    came: list[float] = []

    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        came.append(time.monotonic())
        return completion([REPORT])

    with ChatServer(script) as server:
        endpoint = {"max_in_flight": 1, **limit}
        predict(config(tmp_path, server, films(tmp_path, 4), endpoint=endpoint))
    assert came[-1] - came[0] > 0.4  # 0.2 s each: 60 / 300, and 60 * (700 + 60) / 228,000


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (failure(429, "insufficient_quota"), "endpoint: HTTP 429 insufficient_quota"),
        (failure(429, retry_after="86400"), "endpoint: HTTP 429"),
    ],
)
def test_a_limit_that_no_wait_helps_is_told_at_once(
    tmp_path: Path, reply: Reply, error: str
) -> None:
    with ChatServer(lambda row, count, body: reply) as server:
        found = rows(predict(config(tmp_path, server, films(tmp_path, 2))))
        assert len(server.bodies) == 2
    assert {row["error"] for row in found} == {error}


def test_answers_are_kept_as_they_come_and_before_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chexone_ray.answering.SAVE_EVERY_S", 0.0)
    valid, out = [False], str(tmp_path / "out")

    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        if valid[0] or shade(body) < 60:
            return completion([REPORT])
        server.wait_for(lambda: sum(not row["error"] for row in rows(out)) >= 2, 10)
        return failure(401)

    with ChatServer(script) as server:
        settings = config(tmp_path, server, films(tmp_path, 5), endpoint={"max_in_flight": 1})
        with pytest.raises(ChexoneError, match=r"check endpoint\.api_key_env"):
            predict(settings)
        assert [row["error"] for row in rows(out)] == [""] * 3 + ["endpoint: not asked"] * 2
        valid[0], before = True, len(server.bodies)
        predict(settings)
        assert [shade(body) for body in server.bodies[before:]] == [60, 80]


def test_answers_that_are_there_or_under_way_outlive_another_rows_wrong_key(
    tmp_path: Path,
) -> None:
    refused = threading.Event()

    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        if shade(body) == 60:  # three are under way beside it
            server.wait_for(lambda: server.answered.total() == 1 and len(server.bodies) >= 4, 20)
            refused.set()
            return failure(401)
        if shade(body):  # one is answered before, the others after the refusal
            refused.wait(20)
            time.sleep(0.1)
        return completion([REPORT])

    with ChatServer(script) as server:
        settings = config(tmp_path, server, films(tmp_path, 8), endpoint={"max_in_flight": 4})
        with pytest.raises(ChexoneError, match=r"check endpoint\.api_key_env"):
            predict(settings)
        kept = rows(settings.output_uri)
        assert server.answered.total() == sum(not row["error"] for row in kept) >= 3
        assert {row["error"] for row in kept} == {"", "endpoint: not asked"}
        assert len(server.bodies) == 5, "nothing more is asked"


def test_a_server_that_writes_one_text_is_asked_for_the_others(tmp_path: Path) -> None:
    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        if count == 3 and "n3" not in seen:
            seen.add("n3")
            return failure(400, "content_filter")
        return completion([f"{REPORT} {count}"])

    seen = {"n3"}
    drawn = {"n": 3, "temperature": 0.5, "seed": 3}
    with ChatServer(script) as server:
        settings = config(tmp_path, server, films(tmp_path, 1), sampling=drawn)
        found = rows(predict(settings))
        assert [body["n"] for body in server.bodies] == [3, 1, 1]
        assert len({body["seed"] for body in server.bodies}) == 3
    assert [(row["completion"], row["text"]) for row in found] == [
        (number, f"{REPORT} {number + 1}") for number in range(3)
    ]
    assert (found[0]["num_prompt_tokens"], found[0]["num_tokens"]) == (2100, 60)
    seen.clear()
    with ChatServer(script) as server:
        (row,) = rows(
            predict(config(tmp_path, server, settings.images_uri or "", sampling=drawn,
                           output_uri=str(tmp_path / "b")))
        )  # fmt: skip
    assert row["error"] == "endpoint: HTTP 400 content_filter", "no row of fewer answers"
    assert (row["num_prompt_tokens"], row["num_tokens"]) == (1400, 120)


def test_an_error_in_one_part_keeps_the_answers_of_the_others(tmp_path: Path) -> None:
    release = threading.Event()

    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        if shade(body) == 40:
            return completion([REPORT])
        if shade(body) == 60:
            release.wait(20)
        server.wait_for(lambda: server.answered.total() == 1, 20)
        time.sleep(0.1)  # film 2 is answered, and first
        return failure(500)

    with ChatServer(script) as server:
        endpoint = {"max_retries": 0}
        settings = config(
            *(tmp_path, server, films(tmp_path, 4)),
            rows_per_part=2,
            max_failure_rate=0.1,
            endpoint=endpoint,
        )
        with pytest.raises(ChexoneError, match="2 of 4 rows failed"):
            predict(settings)
        release.set()
        kept = rows(settings.output_uri)
    assert [row["error"] for row in kept] == [
        *("endpoint: HTTP 500", "endpoint: HTTP 500", "", "endpoint: not asked")
    ]


@pytest.mark.parametrize(
    ("status", "told"), [(401, r"check endpoint\.api_key_env"), (308, r"correct endpoint\.url")]
)
def test_wrong_settings_end_the_run_with_the_remedy(tmp_path: Path, status: int, told: str) -> None:
    with (
        ChatServer(lambda row, count, body: failure(status)) as server,
        pytest.raises(ChexoneError, match=told),
    ):
        predict(config(tmp_path, server, films(tmp_path, 2)))
