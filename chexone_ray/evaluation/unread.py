"""Texts that no answer could be read of: many of them are a wrong setting more often than a model.

They count as wrong, so an import in the wrong mode gives a page of zeros that looks like a result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from chexone_ray.evaluation.predictions import Judged

MOST = 0.2
"""Share of a model's texts that may have no readable answer before it is told of."""
QUESTION = "is this --mode instruct or --rules tags?"


def told(unread: int, texts: int, what: str = "no answer that could be read") -> str:
    """What to say of so many unread texts of so many; empty where they are few."""
    return f"{unread} of {texts} texts have {what}" if unread > MOST * texts else ""


def notes(settings: Mapping[str, Mapping[str, Mapping[str, Judged]]]) -> list[str]:
    """What the page says of each setting's models, {setting: {model: {kind: rows}}}."""
    found = []
    for setting, models in settings.items():
        for model, kinds in models.items():
            line = _of_model(kinds.values())
            place = f"{model} in setting {setting}" if setting else model
            if line:
                found.append(f"{place}: {line}")
    return found


def _of_model(kinds: Iterable[Judged]) -> str:
    rows = [*kinds]
    counts = Counter(status for one in rows for status in one.statuses)
    unread, texts = counts["unparsed"], counts.total() - counts["failed"]
    strict = all("strict" in one.reading.get("parse", "") for one in rows)
    boxes = strict and all(one.reading.get("mode") == "reasoning" for one in rows)
    line = told(unread, texts, "no box" if boxes else "no answer that could be read")
    return line and f"{line}, and count as wrong: if they were imported, {QUESTION}"
