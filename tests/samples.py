"""A row of a manifest for tests that care about few of its fields."""

from __future__ import annotations

from typing import Any

from chexone_ray.records import Sample


def sample(kind: str = "presence", answer: str = "a", **changes: Any) -> Sample:
    """A training row without films; `changes` are its other fields."""
    given: dict[str, Any] = {
        "id": "s",
        "dataset": "d",
        "task": "t",
        "split": "train",
        "patient": "p",
        "study": "s",
        "images": (),
        "question": "q",
    }
    return Sample(kind=kind, answer=answer, **given | changes)
