"""GREEN (Ostmeier et al. 2024): a language model counts what two reports share and do not.

score = matched / (matched + significant errors), 0 where nothing matches. The wording is our own
and the judge is whatever the endpoint serves, so the figures are not those of the published 7B
model; the signature names the judge and the wording. Report text goes to the endpoint: one on
another host is refused without `send_reports` (`EndpointConfig`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chexone_ray.config import EndpointConfig, SamplingConfig
from chexone_ray.endpoints.chat_client import Asked, Chat, ChatClient
from chexone_ray.metrics.learned import packages
from chexone_ray.metrics.signature import signature

NAME = "GREEN"
ERRORS = (
    "false_finding",
    "missed_finding",
    "wrong_place",
    "wrong_severity",
    "false_comparison",
    "missed_comparison",
)
SYSTEM = "You are a radiologist who checks a draft report of a chest film against the reference."
QUESTION = """\
Compare the draft with the reference report and count. Wording and order do not matter; only what \
would change how the patient is treated counts as an error.

matched: findings, normal ones too, that both reports state alike.
false_finding: the draft states a finding that the reference does not bear out.
missed_finding: the draft leaves out a finding of the reference.
wrong_place: a finding is given a wrong side or place.
wrong_severity: a finding is given a wrong severity or size.
false_comparison: the draft tells of a change or an earlier film that the reference does not.
missed_comparison: the draft leaves out a change that the reference tells.

Count each error under one name only. Answer with one JSON object that has exactly these seven \
names, each with a whole number, and nothing else.

Reference report:
{reference}

Draft report:
{predicted}"""
_OBJECT = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class Judged:
    """What the judge made of one pair."""

    score: float | None
    """In 0-1; None where it gave no counts. Such pairs are told of, not left out in silence."""
    matched: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    problem: str = ""
    """A short stable reason where there is no score."""


def green(
    predicted: Sequence[str],
    reference: Sequence[str],
    endpoint: EndpointConfig,
    max_tokens: int = 1024,
    keep: Callable[[int, Judged], None] = lambda place, judged: None,
) -> list[Judged]:
    """One a pair, asked greedily; an empty prediction scores 0 without being asked about.

    `keep` is called with the place and the judgement of each pair, as they come.

    Raises ChexoneError where the endpoint says that its settings are wrong.
    """
    packages.check_pairs(NAME, predicted, reference)
    found = [Judged(0.0)] * len(predicted)
    asked = [place for place, text in enumerate(predicted) if text.strip()]
    for place in sorted({*range(len(predicted))} - {*asked}):
        keep(place, found[place])
    chats = [_chat(place, predicted[place], reference[place]) for place in asked]

    def told(number: int, answer: Asked) -> None:
        found[asked[number]] = (
            Judged(None, problem=answer.error) if answer.error else read_counts(answer.texts[0])
        )
        keep(asked[number], found[asked[number]])

    sampling = SamplingConfig(temperature=0.0, max_tokens=max_tokens)
    with ChatClient(endpoint, sampling) as judge:
        judge.ask(chats, told)
    return found


def read_counts(text: str) -> Judged:
    """The score of the last JSON object with all seven counts that an answer holds."""
    for candidate in reversed(_OBJECT.findall(text)):
        try:
            counts = json.loads(candidate)
        except ValueError:
            continue
        wanted = [counts.get(name) for name in ("matched", *ERRORS)]
        if not all(type(count) is int and count >= 0 for count in wanted):
            continue
        matched, *errors = wanted
        score = matched / (matched + sum(errors)) if matched else 0.0
        return Judged(score, matched, dict(zip(ERRORS, errors, strict=True)))
    return Judged(None, problem="answer: no counts")


def green_signature(endpoint: EndpointConfig) -> str:
    """The judge's name and a digest of the wording."""
    return signature(NAME, judge=endpoint.model, prompt=_wording()[:8], decode="greedy")


def key_of(predicted: str, reference: str, endpoint: EndpointConfig, max_tokens: int) -> str:
    """A digest of all that the judgement of a pair depends on, the server's place left out."""
    told = [predicted.strip(), reference.strip(), endpoint.model, _wording(), max_tokens]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _wording() -> str:
    return hashlib.sha256(f"{SYSTEM}\n{QUESTION}".encode()).hexdigest()


def _chat(place: int, predicted: str, reference: str) -> Chat:
    """A question without films; its id tells nothing of the patient."""
    question = QUESTION.format(reference=reference.strip(), predicted=predicted.strip())
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    return Chat(f"pair-{place}", turns, ())
