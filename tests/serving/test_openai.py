"""`chexone serve`, asked by the openai client: one start of the tiny model for all cases.

The last case ends the server; test_before_serving.py has the cases that need none.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from chexone_ray import checkpoints, images, prompts
from chexone_ray.config import (
    EngineConfig,
    ImageConfig,
    PredictConfig,
    PromptConfig,
    SamplingConfig,
)
from chexone_ray.evaluation.predictions import read_rows
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.predict import predict
from chexone_ray.records import Mode, Request

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

START_TIMEOUT_S = 400
STOP_TIMEOUT_S = 60
MAX_TOKENS = 24
PROMPTS = PromptConfig(system="", suffix="Reason step by step.")
QUESTIONS = ("Is there a pleural effusion?", "Which side is the nodule on?")
# Random weights repeat one word for ever; the penalty makes a text that depends on film and words.
PENALTY = 4.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """The process of `chexone serve` and its address."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def client(self) -> Any:
        from openai import OpenAI

        url = f"http://127.0.0.1:{self.port}/v1"
        return OpenAI(base_url=url, api_key="none", timeout=60, max_retries=0)

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, Any]:
        """Status, headers and parsed body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())

    def said(self) -> str:
        return self.log.read_text()[-3000:]


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model_uri: str,
    engine_config: EngineConfig,
    image_config: ImageConfig,
) -> Iterator[Server]:
    """`chexone serve` on a Ray of its own, as a user starts it."""
    port, log = free_port(), tmp_path_factory.mktemp("serve") / "log"
    flags: dict[str, object] = {"model": tiny_model_uri, "port": port}
    flags |= {"ray.address": "local", "ray.num_cpus": 2, "ray.object_store_gb": 0.3}
    flags |= {f"engine.{k}": v for k, v in engine_config.model_dump().items() if v is not None}
    flags |= {f"images.{k}": v for k, v in image_config.model_dump().items()}
    flags |= {f"prompts.{k}": v for k, v in PROMPTS.model_dump().items()}
    command = [sys.executable, "-m", "chexone_ray", "serve"]
    command += [f"--{key}={value}" for key, value in flags.items()]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
    server = Server(process, port, log)
    try:
        wait_until_up(server)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


def wait_until_up(server: Server) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.said()
        try:
            if server.request("GET", "/health")[0] == 200:
                return
        except (OSError, ValueError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"not up after {START_TIMEOUT_S} s:\n{server.said()}")


def film(seed: int, kind: str = "png") -> bytes:
    """A smooth random picture as the bytes of a PNG, JPEG or DICOM file."""
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 4), dtype=np.uint8)
    size = (150 + 7 * seed, 190)
    picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    sink = io.BytesIO()
    picture.save(sink, "PNG" if kind == "png" else "JPEG", quality=95)
    if kind != "dicom":
        return sink.getvalue()
    from chexone_ray.data.archive_dicom import dicom_bytes

    return dicom_bytes(
        np.asarray(picture), sink.getvalue(), 1, f"film{seed}", "p1", "s1", "20200102", "PA"
    )


FILMS = {"png": film(1), "jpeg": film(2, "jpeg"), "dicom": film(3, "dicom")}


def user(question: str, *films: bytes) -> dict[str, Any]:
    """A user message with films as data URIs."""
    uris = [f"data:;base64,{base64.b64encode(data).decode()}" for data in films]
    pictures: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": u}} for u in uris]
    return {"role": "user", "content": [*pictures, {"type": "text", "text": question}]}


@pytest.fixture(scope="session")
def expected(
    pool: EnginePool, model_folder: str, image_config: ImageConfig
) -> dict[tuple[str, str, Mode], str]:
    """What `engine.Engine` says to every film and question in both modes, greedily."""
    from transformers import AutoTokenizer

    pool.load(model_folder)
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    modes: tuple[Mode, Mode] = ("reasoning", "instruct")
    keys = [(name, question, mode) for name in FILMS for question in QUESTIONS for mode in modes]
    requests = [
        Request(
            f"{i}",
            prompts.render(tokenizer, prompts.messages(question, 1, mode, PROMPTS)),
            (images.to_png(images.decode(FILMS[name], image_config).pixels),),
        )
        for i, (name, question, mode) in enumerate(keys)
    ]
    sampling = SamplingConfig(max_tokens=MAX_TOKENS, repetition_penalty=PENALTY)
    rollouts = pool.generate(requests, sampling)
    assert not any(r.error for r in rollouts)
    return {key: r.completions[0].text for key, r in zip(keys, rollouts, strict=True)}


def ask(server: Server, name: str, messages: Sequence[dict[str, Any]], **settings: Any) -> Any:
    extra = {"repetition_penalty": PENALTY} | settings.pop("extra_body", {})
    return server.client.chat.completions.create(
        model=name, messages=list(messages), max_tokens=MAX_TOKENS, extra_body=extra, **settings
    )


@pytest.mark.slow
def test_both_names_and_the_health_route(server: Server, tiny_model_uri: str) -> None:
    assert [m.id for m in server.client.models.list()] == ["chexone", "chexone-instruct"]
    assert server.client.models.retrieve("chexone-instruct").mode == "instruct"
    status, headers, health = server.request("GET", "/health")
    assert status == 200 and health["status"] == "ok"
    assert health["notice"] == headers["X-Research-Use-Only"] == RESEARCH_USE_ONLY
    assert health["model_digest"] == checkpoints.model_digest(tiny_model_uri)


@pytest.mark.slow
def test_greedy_text_equals_the_engine(
    server: Server, expected: dict[tuple[str, str, Mode], str]
) -> None:
    names = {"reasoning": "chexone", "instruct": "chexone-instruct"}
    served = {}
    for name, question, mode in expected:
        answer = ask(server, names[mode], [user(question, FILMS[name])])
        served[name, question, mode] = answer.choices[0].message.content
    assert served == expected
    assert all(len(set(text)) > 10 for text in expected.values()), "too poor to compare"
    assert len(set(expected.values())) == len(expected), "texts depend on film, question and mode"


@pytest.mark.slow
def test_streamed_pieces_make_the_same_text(
    server: Server, expected: dict[tuple[str, str, Mode], str]
) -> None:
    with server.client.chat.completions.with_streaming_response.create(
        model="chexone",
        messages=[user(QUESTIONS[0], FILMS["dicom"])],
        max_tokens=MAX_TOKENS,
        stream=True,
        extra_body={"repetition_penalty": PENALTY},
    ) as raw:
        assert raw.headers["X-Research-Use-Only"] == RESEARCH_USE_ONLY
        lines = [line for line in raw.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    pieces = [c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]]
    assert sum(bool(p) for p in pieces) > 5
    assert "".join(pieces) == expected["dicom", QUESTIONS[0], "reasoning"]


@pytest.mark.slow
def test_mode_as_a_field_of_the_request(
    server: Server, expected: dict[tuple[str, str, Mode], str]
) -> None:
    message = [user(QUESTIONS[1], FILMS["jpeg"])]
    instruct = ask(server, "chexone", message, extra_body={"mode": "instruct"})
    assert instruct.choices[0].message.content == expected["jpeg", QUESTIONS[1], "instruct"]
    reasoning = ask(server, "chexone-instruct", message, extra_body={"mode": "reasoning"})
    assert reasoning.choices[0].message.content == expected["jpeg", QUESTIONS[1], "reasoning"]
    assert reasoning.usage.prompt_tokens > instruct.usage.prompt_tokens


@pytest.mark.slow
def test_greedy_unless_asked_otherwise(server: Server) -> None:
    message = [user(QUESTIONS[0], FILMS["png"])]
    greedy = {ask(server, "chexone", message).choices[0].message.content for _ in range(2)}
    sampled = ask(server, "chexone", message, temperature=2.0, seed=1, n=4)
    texts = {choice.message.content for choice in sampled.choices}
    assert len(greedy) == 1 and len(texts) > 1


@pytest.mark.slow
def test_two_films_and_an_earlier_turn(server: Server) -> None:
    turns = [
        user("What changed?", FILMS["png"], FILMS["jpeg"]),
        {"role": "assistant", "content": "better"},
        user("Where?"),
    ]
    answer = ask(server, "chexone", turns)
    one = ask(server, "chexone", [user("What changed?", FILMS["png"])])
    assert answer.choices[0].message.content
    assert answer.usage.prompt_tokens > one.usage.prompt_tokens + 10


def bad(**changes: Any) -> dict[str, Any]:
    return {"model": "chexone", "messages": [user("Effusion?", FILMS["png"])], **changes}


def address(url: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (bad(model="gpt"), 404, "use chexone or chexone-instruct"),
        (bad(mode="fast"), 400, "reasoning, instruct"),
        (bad(messages=[]), 400, 'role "user"'),
        (bad(messages=[{"role": "system", "content": "Hello"}]), 400, 'role "user"'),
        (bad(messages=[address("http://127.0.0.1/x.png")]), 400, "fetches no addresses"),
        (bad(messages=[user("?", FILMS["png"][:300])]), 400, "truncated"),
        (bad(messages=[user("?", FILMS["jpeg"][:900])]), 400, "truncated"),
        (bad(messages=[user("?", b"no image")]), 400, "not_an_image"),
        (bad(messages=[user("?", *[FILMS["png"]] * 3)]), 400, "at most 2"),
        (bad(messages=[user("<|im_end|>", FILMS["png"])]), 400, "control token"),
        (bad(messages=[user("word " * 2000, FILMS["png"])]), 400, "320"),
        (bad(chat_template="{{ 1 }}"), 400, "chat_template"),
        (bad(temperature=-1), 400, "temperature"),
        (bad(n="many"), 400, "n: "),
    ],
)
def test_bad_requests_are_answered_with_one_clear_line(
    server: Server, body: dict[str, Any], status: int, words: str
) -> None:
    got, headers, answer = server.request("POST", "/v1/chat/completions", json.dumps(body).encode())
    message = answer["error"]["message"]
    assert got == status, message
    assert words in message and len(message) < 300 and "\n" not in message
    assert headers["X-Research-Use-Only"] == RESEARCH_USE_ONLY


@pytest.mark.slow
def test_a_body_that_is_no_json_and_unknown_places(server: Server) -> None:
    status, _, answer = server.request("POST", "/v1/chat/completions", b"{")
    assert status == 400 and "not valid JSON" in answer["error"]["message"]
    assert server.request("GET", "/v1/models/gpt")[0] == 404
    assert server.request("GET", "/docs")[0] == 404


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["reasoning", "instruct"])
def test_predict_asks_it_as_any_client_does(server: Server, tmp_path: Path, mode: Mode) -> None:
    for name, data in FILMS.items():
        (tmp_path / name).write_bytes(data)
    model = "chexone" if mode == "reasoning" else "chexone-instruct"
    endpoint = {"url": f"http://127.0.0.1:{server.port}/v1", "model": model}
    asked = {"images_uri": str(tmp_path), "question": QUESTIONS[0], "mode": mode}
    drawn = {"sampling": {"max_tokens": MAX_TOKENS}, "images": {"max_pixels": 12_544}}
    ours = {"endpoint": endpoint, "adapter": "chexone"}
    given = {"output_uri": f"{tmp_path}-out"} | ours | asked | drawn
    rows = read_rows(predict(PredictConfig.model_validate(given)))
    for row in rows:
        message = user(QUESTIONS[0], FILMS[row["id"]])
        answer = ask(server, model, [message], extra_body={"repetition_penalty": 1.0})
        assert row["text"] == answer.choices[0].message.content
    assert len(rows) == len(FILMS)


@pytest.mark.slow
def test_sigterm_ends_everything_in_time(server: Server) -> None:
    before = descendants(server.process.pid)
    assert len(before) > 5, "Ray, the proxy, the ingress, the replica and vLLM's core"
    start = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(STOP_TIMEOUT_S) == 0, server.said()
    while (left := [pid for pid in before if is_alive(pid)]) and time.monotonic() - start < 60:
        time.sleep(0.2)
    assert left == []
    with pytest.raises(ConnectionError):
        server.request("GET", "/health")
    assert "Traceback" not in server.said()


def descendants(pid: int) -> set[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    parents = {int(p): int(q) for p, q in (line.split() for line in listed.stdout.splitlines())}
    found, grown = {pid}, True
    while grown:
        more = {p for p, q in parents.items() if q in found} - found
        found, grown = found | more, bool(more)
    return found - {pid}


def is_alive(pid: int) -> bool:
    """False for a process that only waits to be collected by its parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
