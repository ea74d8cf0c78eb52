"""What reaches an endpoint besides the question, and when a silent one ends the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import EndpointConfig
from chexone_ray.teachers import _client
from chexone_ray.trace import trace
from tests.chat_server import ChatServer, completion
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
    client: Any = _client(EndpointConfig(url=url, model="t", send_reports=True))
    assert str(client.base_url) == f"{url}/"
    assert client._client.trust_env is False
