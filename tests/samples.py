"""A row of a manifest for tests that care about few of its fields; a nodule on either side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chexone_ray import boxes
from chexone_ray.records import Box, Sample


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


NODULE = sample("presence", "yes", question="Is there a nodule?")
LEFT = Box("nodule", (0.0, 0.0, 0.5, 0.5))
RIGHT = Box("nodule", (0.5, 0.0, 1.0, 0.5))


def grounding(*found: Box) -> Sample:
    """Where the nodules are, or that there is none."""
    answer = boxes.encode(found) if found else boxes.negative("nodule")
    return replace(NODULE, kind="grounding", answer=answer, boxes=found)
