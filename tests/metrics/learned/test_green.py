"""GREEN asks a real HTTP server; what it makes of answers is worked out by hand."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from pydantic import ValidationError

from chexone_ray.config import EndpointConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.learned.green import ERRORS, green, green_signature, read_counts
from tests.chat_server import ChatServer, Reply, completion, failure


def counts(matched: int, **errors: int) -> str:
    return json.dumps({"matched": matched, **dict.fromkeys(ERRORS, 0), **errors})


def test_the_score_is_what_matches_over_that_and_the_errors() -> None:
    judged = read_counts(counts(3, missed_finding=1, wrong_place=2))
    assert judged.score == pytest.approx(3 / 6)
    assert judged.matched == 3 and judged.errors["wrong_place"] == 2
    assert read_counts(counts(4)).score == 1
    assert read_counts(counts(0, false_finding=2)).score == read_counts(counts(0)).score == 0


def test_the_last_whole_object_of_an_answer_counts() -> None:
    answer = f"First {counts(9)} but then:\n```json\n{counts(1, missed_finding=3)}\n``` {{}} {{x}}"
    assert read_counts(answer).score == pytest.approx(1 / 4)
    for text in (
        "",
        "no counts",
        "{}",
        '{"matched": 3}',
        counts(-1),
        counts(3).replace("3", '"three"'),
        counts(3).replace("3", "2.5"),
        counts(3).replace("3", "true"),
    ):
        judged = read_counts(text)
        assert judged.score is None and judged.problem == "answer: no counts", text


def test_pairs_are_asked_about_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    def script(row: int, count: int, body: dict[str, Any]) -> Reply:
        replies = {
            0: completion([counts(2, false_finding=2)]),
            1: failure(400, "too_long"),
            3: completion(["I would rather not."]),
        }
        return replies[row]

    predicted = ["Row 0. Edema {now}.", "Row 1. Effusion.", "  ", "Row 3. Nothing."]
    reference = ["No edema.", "Effusion.", "Normal.", "Normal."]
    with ChatServer(script) as server, caplog.at_level(logging.DEBUG, "chexone_ray"):
        judged = green(predicted, reference, EndpointConfig(url=server.url, model="judge"))
    assert [one.score for one in judged] == [0.5, None, 0.0, None]
    assert judged[1].problem == "endpoint: HTTP 400 too_long"
    assert judged[3].problem == "answer: no counts"
    assert sum(server.asked.values()) == 3, "an empty draft is not asked about"
    (body,) = [body for body in server.bodies if "Row 0." in json.dumps(body)]
    assert body["temperature"] == 0 and body["model"] == "judge"
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    asked = body["messages"][1]["content"]
    assert asked.endswith("Reference report:\nNo edema.\n\nDraft report:\nRow 0. Edema {now}.")
    assert all(name in asked for name in ERRORS)
    assert "edema" not in caplog.text.lower()


def test_wrong_settings_end_the_call() -> None:
    with (
        ChatServer(lambda row, count, body: failure(404)) as server,
        pytest.raises(ChexoneError, match=r"endpoint\.model=judge: it knows no such model"),
    ):
        green(["Row 0."], ["Normal."], EndpointConfig(url=server.url, model="judge"))


def test_reports_stay_here_without_consent() -> None:
    with pytest.raises(ValidationError, match=r"set endpoint\.send_reports=true if you may"):
        EndpointConfig(url="https://judge.example.org/v1", model="judge")


def test_pairs_have_two_sides() -> None:
    endpoint = EndpointConfig(url="http://127.0.0.1:9/v1", model="judge")
    with pytest.raises(ValueError, match="are no pairs"):
        green(["a"], [], endpoint)


def test_the_signature_names_judge_and_wording() -> None:
    endpoint = EndpointConfig(url="http://127.0.0.1:9/v1", model="judge-7b")
    parts = green_signature(endpoint).split("|")
    assert parts[:2] == ["GREEN", "judge:judge-7b"] and parts[3] == "decode:greedy"
    assert parts[2].startswith("prompt:") and len(parts[2]) == len("prompt:") + 8
