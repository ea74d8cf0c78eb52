"""What reaches an endpoint besides the question, and when a silent one ends the run."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import EndpointConfig, RayConfig
from chexone_ray.endpoints import connection
from chexone_ray.endpoints.chat_client import Asked
from chexone_ray.errors import ChexoneError
from chexone_ray.log import Waiting
from chexone_ray.records import Sample
from chexone_ray.trace import Part, _check_answers, trace
from tests.chat_server import ChatServer, completion, failure
from tests.test_trace import RIGHT, settings, write_manifest

AMBIENT = {
    "OPENAI_API_KEY": "ambient-key",
    "OPENAI_ADMIN_KEY": "ambient-admin",
    "OPENAI_ORG_ID": "ambient-organisation",
    "OPENAI_PROJECT_ID": "ambient-project",
    "OPENAI_CUSTOM_HEADERS": "X-Secret: ambient-header\nAuthorization: Bearer ambient-token\n"
    "User-Agent: ambient-agent\nHost: ambient.example.org",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/ambient",
    # Nobody listens there.
    **dict.fromkeys(
        ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9/ambient"
    ),
}

SAMPLE = Sample("s", "d", "t", "presence", "train", "p", "u", (), "Is there one?", "yes")


@pytest.mark.parametrize("key", ["named-key", None])
def test_nothing_but_the_named_key_is_taken_out_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TEACHER_KEY", str(key))
    with ChatServer(lambda row, count, body: completion([RIGHT])) as server:
        endpoint = {"api_key_env": "TEACHER_KEY"} if key else {}
        trace(settings(tmp_path, server.url, write_manifest(tmp_path, 2), endpoint=endpoint))
    assert len(server.headers) == 2
    for headers in server.headers:
        assert "ambient" not in json.dumps(headers)
        assert headers.keys() == {
            *("host", "authorization", "content-type", "content-length"),
            *("accept", "accept-encoding", "user-agent"),
        }
        assert headers["authorization"] == f"Bearer {key or 'none'}"
        assert headers["host"] == server.url.split("/")[2]


def test_a_host_elsewhere_gets_no_proxy_of_the_environment_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    url = "https://teacher.example.org/v1"
    client: Any = connection.client(EndpointConfig(url=url, model="t", send_reports=True))
    assert str(client.base_url) == f"{url}/"
    assert client._client.trust_env is False


# --- silence -------------------------------------------------------------------------------------


def part_of(number: int, errors: list[str]) -> tuple[Part, dict[int, Asked]]:
    return Part(number, [SAMPLE] * len(errors)), {
        place: Asked((), error=error) if error else Asked(("text",))
        for place, error in enumerate(errors)
    }


DOWN, FILM, WELL = "endpoint: HTTP 503", "image: truncated", ""


@pytest.mark.parametrize(
    ("parts", "ends_at"),
    [
        ([[DOWN] * 15, [DOWN]], 1),
        ([[DOWN] * 4] * 5, 3),
        ([[DOWN] * 16], 0),
        ([[DOWN] * 15 + [FILM]], None),  # 15 is too few to tell
        ([[DOWN] * 16 + [FILM]], 0),
        ([[WELL] + [DOWN] * 14, [DOWN] * 2], 1),  # the last short part counts
        ([[DOWN] * 15, [WELL], [DOWN] * 15], None),
        ([[WELL] + [DOWN] * 99], None),  # an outage that began in this part
        ([[WELL] + [DOWN] * 99, [FILM] * 4], None),
        ([[WELL] + [DOWN] * 99, [DOWN] * 3], 1),
        ([[DOWN] * 15, [FILM] * 4, [DOWN]], 2),
    ],
)
def test_errors_in_a_row_are_counted_over_parts(
    parts: list[list[str]], ends_at: int | None
) -> None:
    silent: Counter[str] = Counter()
    for number, errors in enumerate(parts):
        if number == ends_at:
            with pytest.raises(ChexoneError, match=r"host:1 answered none of \d+ rows in a row"):
                _check_answers("host:1", *part_of(number, errors), silent)
            return
        _check_answers("host:1", *part_of(number, errors), silent)


def test_small_parts_of_an_endpoint_that_never_answers_end_the_run(tmp_path: Path) -> None:
    with ChatServer(lambda row, count, body: failure(503)) as server:
        config = settings(
            tmp_path,
            server.url,
            write_manifest(tmp_path, 60),
            max_failure_rate=1.0,
            endpoint={"max_retries": 0},
        )
        with pytest.raises(ChexoneError, match="answered none of 16 rows in a row"):
            trace(config)
        assert 59 not in server.asked


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_a_port_where_nobody_listens_ends_the_run_before_a_row_is_asked(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{closed_port()}/v1"
    # Parts of that size want Ray, which comes after; there is none at that address.
    more = {"rows_per_part": 128, "ray": RayConfig(address="127.0.0.1:9")}
    config = settings(tmp_path, url, write_manifest(tmp_path, 20), **more)
    start = time.monotonic()
    with pytest.raises(ChexoneError, match=r"no server answers at 127\.0.*refused.*start it"):
        trace(config)
    assert time.monotonic() - start < 8, "16 rows with their repeats take far longer"
    with ChatServer(lambda row, count, body: completion([RIGHT])) as server:
        right = config.endpoint.model_copy(update={"url": server.url})  # type: ignore[union-attr]
        trace(config.model_copy(update={"endpoint": right, "rows_per_part": 4}))
        assert server.answered.total() == 20, "the right address is not refused for the wrong one"


def test_a_page_is_no_answer_in_the_openai_form_and_the_error_names_the_host(
    tmp_path: Path,
) -> None:
    with ChatServer(lambda row, count, body: (200, {}, "<html>Row 0. Hello</html>")) as server:
        config = settings(tmp_path, server.url, write_manifest(tmp_path, 3))
        with pytest.raises(ChexoneError) as caught:
            trace(config)
        told = str(caught.value)
        assert "{'endpoint: did not answer in the OpenAI form': 3}" in told
        assert f"3 of 3 rows failed (asked: the endpoint {server.url[7:-3]})" in told
        assert "Hello" not in told
        assert server.asked == {0: 1, 1: 1, 2: 1}


def test_the_line_that_tells_of_waiting_names_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("chexone_ray.endpoints.chat_client.Waiting", partial(Waiting, every_s=0.0))

    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        time.sleep(1.5)
        return completion([RIGHT])

    with caplog.at_level(logging.INFO), ChatServer(script) as server:
        trace(settings(tmp_path, server.url, write_manifest(tmp_path, 1)))
    assert f"waiting for {server.url[7:-3]}, 1 requests since" in caplog.text
