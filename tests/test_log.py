"""Log lines hold no identifier of a patient, no place of one film and no text of a report."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from chexone_ray import log

PACKAGE = Path(__file__).parents[1] / "chexone_ray"
CALLS = {"debug", "info", "warning", "error", "exception", "critical", "log", "timed"}
PRIVATE = {
    *("sample", "patient", "study", "subject", "image", "film", "request", "rollout", "completion"),
    *("samples", "patients", "studies", "images", "films", "requests", "rollouts", "completions"),
    *("question", "answer", "reasoning", "text", "prompt", "report", "findings", "impression"),
    *(".id", ".dicom_id", ".uri", ".name"),
}
"""Variables and attributes; with a dot only as an attribute: `uri` alone is a result folder's."""


def _log_calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute) and function.attr in CALLS:
                if isinstance(function.value, ast.Name) and function.value.id == "logger":
                    yield node
            elif isinstance(function, ast.Name) and function.id == "timed":
                yield node


def _named(call: ast.Call) -> Iterator[str]:
    """What a log call shows; what `len` counts and what is compared is not shown."""
    waiting: list[ast.AST] = list(call.args[1:]) if len(call.args) > 1 else list(call.args)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Compare):
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
            continue
        if isinstance(node, ast.Attribute):
            yield from (node.attr, f".{node.attr}")
        elif isinstance(node, ast.Name):
            yield node.id
        waiting.extend(ast.iter_child_nodes(node))


def test_no_log_call_shows_what_belongs_to_one_patient() -> None:
    calls = [(path, call) for path in sorted(PACKAGE.rglob("*.py")) for call in _log_calls(path)]
    assert len(calls) > 30
    for path, call in calls:
        shown = PRIVATE & set(_named(call))
        assert not shown, f"{path.name}:{call.lineno} logs {shown}"


def test_the_check_finds_what_it_is_for() -> None:
    def shown(line: str) -> set[str]:
        call = ast.parse(line).body[0]
        assert isinstance(call, ast.Expr) and isinstance(call.value, ast.Call)
        return PRIVATE & set(_named(call.value))

    assert shown("logger.info('%s', sample.images[0].uri)") == {"sample", "images", ".uri"}
    assert shown("logger.warning(f'{text}')") == {"text"}
    assert shown("logger.info('%d %s', len(samples), said == text)") == set()


def test_a_wait_is_told_of_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("chexone_ray.test")
    with caplog.at_level(logging.INFO):
        rare = log.Waiting(logger, "Godot", every_s=60)
        for _ in range(5):
            rare.remind()
        assert not caplog.messages
        log.Waiting(logger, "Godot", every_s=0).remind()
    assert caplog.messages == ["waiting for Godot since 0 s"]
