"""The row that the tests of rewards ask about."""

from __future__ import annotations

from dataclasses import replace

from chexone_ray.records import Sample

_ROW = Sample(
    id="s",
    dataset="d",
    task="t",
    kind="findings",
    split="train",
    patient="p",
    study="s",
    images=(),
    question="q",
    answer="a",
)


def made(answer: str, kind: str = "findings", **changes: object) -> Sample:
    """A training row of `kind` whose right answer is `answer`, with `changes` to its fields."""
    return replace(_ROW, answer=answer, kind=kind, **changes)  # type: ignore[arg-type]
