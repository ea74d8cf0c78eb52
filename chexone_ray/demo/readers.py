"""Simulated readers of the demo's own reports, so that figure 9 has responses to be drawn from.

No person reads the demo's films. Each response is a seeded draw around what the metrics say of the
model's report and of a resident's, which is the reference with sentences left out. The numbers say
nothing of people; every line is marked `simulated`, and the figure says so.
"""

from __future__ import annotations

import difflib
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from chexone_ray.answers import Answer
from chexone_ray.figures.reader_study import COMPARABLE, Response
from chexone_ray.metrics.labeller import read_report, sentences
from chexone_ray.metrics.tokens import rouge_l, words
from chexone_ray.records import Sample, sample_from_row
from chexone_ray.rewards import reasoning, report

NUM_CASES = 20
READERS: tuple[tuple[str, str], ...] = (
    *((f"resident-{number}", "resident") for number in range(1, 5)),
    *((f"attending-{number}", "attending") for number in range(1, 3)),
)
"""Reader and role."""
_LEFT_OUT = 0.25
"""Chance of each sentence that the resident leaves it out."""
_TASTE, _NOTICED = 0.15, 0.1
"""Spread of what a reader thinks of a report, and the difference that is noticed, on 0-1."""
_LOOK_S, _WORD_S, _SPREAD = 25.0, 1.5, 0.25
"""Seconds to look at the films and for each word written, and the spread of their logarithm."""
_CONTENT, _STYLE = 0.8, 0.9
"""Agreement of labels, and of words, below which a draft is edited for it."""


def responses(rows: Sequence[Mapping[str, Any]], seed: int) -> bytes:
    """responses.jsonl for the first cases among a model's predictions of findings.

    `rows` are of `predict.result_schema()`. Empty where no row has an answer.
    """
    cases = [row for row in rows if row["kind"] == "findings" and row["predicted_answer"]]
    lines = [
        json.dumps(response.model_dump(exclude_defaults=False, exclude_none=True))
        for row in cases[:NUM_CASES]
        for response in _case(sample_from_row(row), row, seed)
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _case(sample: Sample, row: Mapping[str, Any], seed: int) -> Iterator[Response]:
    """All answers to one case."""
    drafts = {
        "model": row["predicted_answer"],
        "resident": _shortened(sample.answer, random.Random(f"{seed}/{sample.id}/draft")),
    }
    worth = {source: _worth(text, sample) for source, text in drafts.items()}
    trace = Answer(row["predicted_reasoning"], row["predicted_answer"], 1)
    rated = {
        "factual": reasoning.factuality(trace, sample),
        "supports the answer": reasoning.agreement(trace, sample),
    }
    for reader, role in READERS:
        rng = random.Random(f"{seed}/{sample.id}/{reader}")
        told: dict[str, Any] = {"reader": reader, "role": role, "case": sample.id}
        told["simulated"] = True
        difference = worth["model"] - worth["resident"] + rng.gauss(0, _TASTE)
        better = "model" if difference > 0 else "resident"
        choice = better if abs(difference) > _NOTICED else COMPARABLE
        yield Response(**told, study="blind", choice=choice)
        if role == "resident":
            seconds = _seconds(len(words(sample.answer)), rng)
            yield Response(**told, study="draft", duration_s=seconds)
        for source in ("model",) if role == "resident" else ("model", "resident"):
            yield Response(
                **told,
                study="edit",
                source=source,
                duration_s=_seconds(_changed(drafts[source], sample.answer), rng),
                edit_reason=_reason(drafts[source], sample),
                likert={"makes writing faster": _likert(worth[source], rng)},
            )
        known = {name: _likert(value, rng) for name, value in rated.items() if value is not None}
        if known:
            yield Response(**told, study="reasoning", source="model", likert=known)


def _worth(text: str, sample: Sample) -> float:
    return report.reward(Answer("", text, 1), sample) or 0.0


def _shortened(text: str, rng: random.Random) -> str:
    """The reference as a hurried resident writes it: some sentences are missing, never all."""
    all_said = sentences(text)
    kept = [sentence for sentence in all_said if rng.random() > _LEFT_OUT]
    return " ".join(kept or all_said[:1])


def _seconds(num_words: int, rng: random.Random) -> float:
    return round((_LOOK_S + _WORD_S * num_words) * math.exp(rng.gauss(0, _SPREAD)), 1)


def _changed(draft: str, wanted: str) -> int:
    """Words of a draft that an edit to what is wanted takes out or puts in."""
    steps = difflib.SequenceMatcher(a=words(draft), b=words(wanted), autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for step, a, b, c, d in steps if step != "equal")


def _reason(draft: str, sample: Sample) -> Literal["none", "content", "style", "both"]:
    labels = report.label_f1(read_report(draft), read_report(sample.answer))
    content = labels is not None and labels < _CONTENT
    style = rouge_l(draft, sample.answer) < _STYLE
    if content:
        return "both" if style else "content"
    return "style" if style else "none"


def _likert(value: float, rng: random.Random) -> int:
    return max(1, min(5, round(1 + 4 * value + rng.gauss(0, 0.7))))
