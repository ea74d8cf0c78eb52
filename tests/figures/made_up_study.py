"""A made-up reader study, as `chexone figures` reads it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from chexone_ray import storage

STATEMENTS = ("The draft helps to answer the indication", "The draft makes writing faster")


def responses(num_readers: int = 5, num_cases: int = 20) -> list[dict[str, Any]]:
    """Lines of responses.jsonl, answered by this program."""
    rng = np.random.default_rng(4)
    found: list[dict[str, Any]] = []
    for reader in range(1, num_readers + 1):
        role = "attending" if reader == num_readers else "resident"
        who = {"reader": f"{role}-{reader}", "role": role, "simulated": True}
        for case in range(num_cases):
            told = {**who, "case": f"case-{case}"}
            choice = str(rng.choice(["model", "resident", "comparable"], p=[0.35, 0.25, 0.4]))
            found.append({**told, "study": "blind", "choice": choice})
            found += _timed(told, role, rng)
            likert = {"The trace is factual": int(rng.integers(2, 6))}
            found.append({**told, "study": "reasoning", "source": "model", "likert": likert})
    return found


def _timed(told: dict[str, Any], role: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    scratch = float(rng.lognormal(5.3, 0.4))
    found = []
    if role == "resident":
        found.append({**told, "study": "draft", "duration_s": scratch})
    for source in ("model",) if role == "resident" else ("model", "resident"):
        likert = {name: int(rng.integers(1, 6)) for name in STATEMENTS}
        reason = str(rng.choice(["none", "content", "style", "both"]))
        edited = {"duration_s": scratch * float(rng.uniform(0.4, 1.1)), "edit_reason": reason}
        found.append({**told, "study": "edit", "source": source, "likert": likert, **edited})
    return found


def write_responses(uri: str, num_readers: int = 5, num_cases: int = 20) -> str:
    """A folder with responses.jsonl."""
    lines = [json.dumps(line) + "\n" for line in responses(num_readers, num_cases)]
    storage.write_bytes(f"{uri}/responses.jsonl", "".join(lines).encode())
    return uri
