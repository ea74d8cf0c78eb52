"""docs/tasks.md names every kind beside its task."""

from __future__ import annotations

import re
from pathlib import Path

from chexone_ray.data.questions import places
from chexone_ray.kinds import KINDS

DOCS = Path(__file__).parents[2] / "docs" / "tasks.md"


def test_every_kind_stands_beside_its_task() -> None:
    task = ""
    told: dict[str, list[str]] = {}
    for line in DOCS.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        found = re.fullmatch(r"`(\w+)`", cells[2]) if len(cells) > 4 else None
        if found:
            task = cells[1] or task
            told.setdefault(found[1], []).append(task)
    assert {kind: tasks[0] for kind, tasks in told.items()} == {
        name: kind.task for name, kind in KINDS.items()
    }
    grounding = {name for tasks in told["grounding"] for name in tasks.split(", ")}
    assert grounding == {"Abnormality Grounding", *places.TASKS.values()}
