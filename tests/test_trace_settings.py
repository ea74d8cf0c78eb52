"""Who may be a teacher: consent for other hosts, where the key may stand, what has no effect."""

from __future__ import annotations

from typing import Any

import pytest

from chexone_ray.config import EndpointConfig, TraceConfig, loader
from chexone_ray.errors import ChexoneError

NEEDED = "--out o --manifest m"
LOCAL = f"{NEEDED} --endpoint.url http://127.0.0.1:8000/v1 --endpoint.model t"


def load(words: str) -> TraceConfig:
    return loader.load(TraceConfig, loader.parse(words.split()))


def refused(words: str) -> str:
    with pytest.raises(ChexoneError) as caught:
        load(words)
    return str(caught.value)


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1", "127.3.2.1:1", "[::1]:8000", "LOCALHOST"]
)
def test_this_machine_needs_no_consent(host: str) -> None:
    endpoint = EndpointConfig(url=f"http://{host}/v1", model="t")
    assert endpoint.is_local and not endpoint.send_reports


@pytest.mark.parametrize(
    "host",
    [
        "api.example.org",
        "10.0.0.7:8000",
        "192.168.1.2",
        "localhost.example.org",
        "127.0.0.1.example.org",
        "0.0.0.0",
        "[2001:db8::1]",
    ],
)
def test_other_hosts_need_consent(host: str) -> None:
    words = f"{NEEDED} --endpoint.url https://{host}/v1 --endpoint.model t"
    message = refused(words)
    assert "\n" not in message and "endpoint.send_reports=true" in message
    assert "which is not a loopback address: report text, questions, answers and films" in message
    config = load(f"{words} --endpoint.send_reports true")
    assert config.endpoint is not None and not config.endpoint.is_local


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (NEEDED, "give exactly one teacher, model_uri or endpoint"),
        (f"{LOCAL} --model m", "give exactly one teacher"),
        (f"{LOCAL} --engine.max_engines 2", "trace.engine has no effect with endpoint"),
        (f"{LOCAL} --sampling.top_k 5", "trace.sampling.top_k is not part of the chat API"),
        (f"{LOCAL} --sampling.repetition_penalty 1.1", "sampling.repetition_penalty"),
        (f"{LOCAL} --endpoint.usd_per_million_prompt_tokens 1", "set both or none"),
        (f"{LOCAL} --filters.min_words 500", "filters.min_words=500 is above"),
        (f"{LOCAL} --endpoint.url ftp://127.0.0.1", "no http:// or https:// address"),
        (f"{NEEDED} --endpoint.model t", "endpoint.url is required"),
    ],
)
def test_what_cannot_take_effect_is_refused(words: str, message: str) -> None:
    assert message in refused(words)


@pytest.mark.parametrize(
    "words",
    [
        "--endpoint.api_key_env sk-aSecret",
        "--endpoint.api_key_env aSecret",
        "--endpoint.url http://user:aSecret@127.0.0.1/v1",
        "--endpoint.url http://127.0.0.1/v1?key=aSecret",
    ],
)
def test_a_key_in_the_settings_is_refused_and_not_shown(words: str) -> None:
    assert "aSecret" not in refused(f"{LOCAL} {words}")


def test_cost_is_stated_where_prices_are() -> None:
    values: dict[str, Any] = {"url": "http://localhost/v1", "model": "t"}
    assert EndpointConfig(**values).usd(10, 10) is None
    priced = EndpointConfig(
        **values, usd_per_million_prompt_tokens=3.0, usd_per_million_completion_tokens=15.0
    )
    # 2 million in at 3, half a million out at 15
    assert priced.usd(2_000_000, 500_000) == pytest.approx(13.5)
