"""Score of the rule labeller on made-up sentences; the conventions are in hard_sentences.md.

`python -m tests.metrics.labeller_score dev` prints the figures of one part, no sentence. Parts are
"dev" and "held-out" of hard_sentences.jsonl, "held-out 2" of held_out_2.jsonl, "practice" and
"check" of practice_sentences_1 and _2,
"practice 3" and "check 3" of practice_sentences_3.jsonl, and so on for 4 to 6.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chexone_ray.metrics.labeller import LABELS, PRESENT, read_report
from chexone_ray.metrics.signature import signature

Pair = tuple[str, int]
"""(label, state)"""


@dataclass(frozen=True)
class Line:
    """One sentence with the pairs that it tells and those that the labeller reads."""

    text: str
    topic: str
    gold: frozenset[Pair]
    said: frozenset[Pair]


@dataclass(frozen=True)
class Score:
    """Micro-averaged over (label, state) pairs."""

    right: int
    num_said: int
    num_gold: int

    @property
    def precision(self) -> float:
        """Right pairs / said pairs; 1 where nothing is said."""
        return self.right / self.num_said if self.num_said else 1.0

    @property
    def recall(self) -> float:
        """Right pairs / told pairs; 1 where nothing is told."""
        return self.right / self.num_gold if self.num_gold else 1.0


Row = Mapping[str, Any]
_DRAWN: Mapping[str, tuple[tuple[int, ...], int, int]] = {
    "": ((1, 2), 300, 440),
    " 3": ((3,), 200, 300),
    " 4": ((4,), 240, 20261204),
    " 5": ((5,), 240, 20261205),
    " 6": ((6,), 320, 20261206),
}
"""End of a part's name -> practice files, lines that rules were mended on, seed of the draw. The
other lines only guided, as figures."""


def load(part: str) -> list[Line]:
    """The lines of one part, read by the labeller. Implied denials are left out."""
    if part.startswith(("practice", "check")):
        rows = practice(part)
    elif part == "held-out 2":
        rows = _read("held_out_2")
    else:
        rows = [row for row in _read("hard_sentences") if row["half"] == part]
    return [
        Line(row["text"], row["topic"], frozenset(row["labels"].items()), said_pairs(row["text"]))
        for row in rows
    ]


def practice(part: str) -> list[Row]:
    """The lines of "practice" (looked at) or "check" (figures only), drawn with a fixed seed."""
    kind, number = part[:-2] if part[-2:] in _DRAWN else part, part[-2:]
    files, kept, seed = _DRAWN[number if number in _DRAWN else ""]
    rows = [row for file in files for row in _read(f"practice_sentences_{file}")]
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    return [rows[at] for at in sorted(order[:kept] if kind == "practice" else order[kept:])]


def _read(name: str) -> list[Row]:
    path = Path(__file__).with_name(f"{name}.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def said_pairs(text: str) -> frozenset[Pair]:
    """(label, state) of what the text itself names."""
    found = read_report(text)
    return frozenset((label, m.state) for label, m in found.items() if not m.implied)


def score(lines: Iterable[Line], of: Callable[[Pair], bool] = lambda pair: True) -> Score:
    """The score over the pairs that `of` keeps."""
    right = num_said = num_gold = 0
    for line in lines:
        said, gold = set(filter(of, line.said)), set(filter(of, line.gold))
        right, num_said = right + len(said & gold), num_said + len(said)
        num_gold += len(gold)
    return Score(right, num_said, num_gold)


def _of_state(state: int) -> Callable[[Pair], bool]:
    return lambda pair: pair[1] == state


def _of_label(label: str) -> Callable[[Pair], bool]:
    return lambda pair: pair[0] == label


def breakdown(lines: list[Line]) -> Mapping[str, Score]:
    """Scores over all pairs, the positives, each state, each label, each topic."""
    scores = {"all": score(lines), "positives": score(lines, _of_state(PRESENT))}
    for name, state in (("present", 1), ("denied", 0), ("uncertain", -1)):
        scores[f"state {name}"] = score(lines, _of_state(state))
    for label in LABELS:
        scores[f"label {label}"] = score(lines, _of_label(label))
    for topic in Counter(line.topic for line in lines):
        scores[f"topic {topic}"] = score([line for line in lines if line.topic == topic])
    return scores


def table(half: str) -> str:
    """The signature and the breakdown as text."""
    rows = [signature("labeller", set="hard sentences", half=half, average="micro", implied=False)]
    for name, s in breakdown(load(half)).items():
        rows.append(
            f"{name:36} precision {s.precision:.3f} recall {s.recall:.3f}"
            f"  ({s.right} right, {s.num_said} said, {s.num_gold} told)"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(table(sys.argv[1]) + "\n")
