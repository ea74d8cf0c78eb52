"""A real HTTP server that speaks the wire format of the OpenAI chat API, for tests.

What it answers is told by the question: a row is known by its marker, "Row 7.".
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

PROMPT_TOKENS, COMPLETION_TOKENS = 700, 60
"""What a request costs, per prompt and per completion."""

Reply = tuple[int, dict[str, str], dict[str, Any] | str]
"""Status, headers and body; a text is sent as a page."""
Script = Callable[[int, int, dict[str, Any]], Reply]
"""(row, how many times it was asked, request body) -> reply. May wait."""


def completion(texts: list[str], usage: bool = True) -> Reply:
    """A reply with these texts as choices."""
    body: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "teacher",
        "choices": [
            {
                "index": index,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
            for index, text in enumerate(texts)
        ],
    }
    if usage:
        spent = COMPLETION_TOKENS * len(texts)
        body["usage"] = {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": spent,
            "total_tokens": PROMPT_TOKENS + spent,
        }
    return 200, {}, body


def failure(status: int, code: str = "", **headers: str) -> Reply:
    """A reply with an error, whose message quotes what must not be logged."""
    return status, headers, {"error": {"message": "Row 0. quoted", "type": "x", "code": code}}


class ChatServer:
    """Listens on a free port of this machine while the block lasts; counts what was asked and what
    was answered (sent without error) by row."""

    def __init__(self, script: Script) -> None:
        self.asked: Counter[int] = Counter()
        self.answered: Counter[int] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        """Of each request, by lower-case name."""
        self.most_together = 0
        self._together = 0
        self._lock = threading.Lock()
        self._script = script
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Base of the API."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def wait_for(self, done: Callable[[], bool], limit_s: float = 60) -> None:
        """Wait until something is so."""
        end = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < end, (self.asked, self.answered)
            time.sleep(0.02)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                sent = self.rfile.read(length)
                if len(sent) < length:
                    return  # who asks is gone
                body = json.loads(sent)
                assert self.path == "/v1/chat/completions"
                row = int(re.findall(r"Row (\d+)\.", json.dumps(body))[0])
                with outer._lock:
                    outer.asked[row] += 1
                    outer.bodies.append(body)
                    outer.headers.append({k.lower(): v for k, v in self.headers.items()})
                    outer._together += 1
                    outer.most_together = max(outer.most_together, outer._together)
                    count = outer.asked[row]
                try:
                    status, headers, answer = outer._script(row, count, body)
                finally:
                    with outer._lock:
                        outer._together -= 1
                page = isinstance(answer, str)
                data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name.replace("_", "-"), value)
                    self.send_header("Content-Type", "text/html" if page else "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                    self.wfile.flush()
                except OSError:
                    return  # who asked is gone
                if status == 200:
                    with outer._lock:
                        outer.answered[row] += 1

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on standard error."""

        return Handler

    def __enter__(self) -> ChatServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
