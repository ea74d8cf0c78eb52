"""What a question is made from, and a question before it becomes a `Sample`."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from chexone_ray.data.facts import FRONTAL, Fact, evidence, facts, is_frontal
from chexone_ray.data.questions import wordings
from chexone_ray.data.signs import SIGNS, Signs
from chexone_ray.records import Box, ImageRef, Study

_VIEW_ORDER = (*FRONTAL, "lateral", "")
_AGE = re.compile(r"^_{2,}[ -]?(?:year|yr|y)s?[ -]?(?:old|o)\b\s*|^_{2,}\s*(?:yo|y/o)\b\s*", re.I)
_REDACTED = re.compile(r"_{2,}|\bXXXX\b|\[\*\*")
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}\b|\b\d{1,2}\s?[ap]\.?m\b", re.I)


@dataclass(frozen=True)
class Film:
    """One frontal image of a study and what is known of it."""

    image: ImageRef
    index: int
    known: dict[str, Fact]
    evidence: Mapping[str, Collection[int]]
    """Name -> all states that labels, boxes and the report give it."""

    def present(self) -> list[str]:
        return [name for name, fact in self.known.items() if fact.state == 1]

    def absent(self) -> list[str]:
        return [name for name, fact in self.known.items() if fact.state == 0]


@dataclass(frozen=True)
class Scene:
    """One study and what may be shown beside it. Every kind has an `rng` of its own."""

    study: Study
    film: Film | None
    prior: Study | None
    """The latest earlier study of the patient."""
    others: tuple[Study, ...]
    """Studies of other patients of the same data set and split, in a seeded order."""
    rng: random.Random
    num_wordings: int | None = None
    max_views: int = 1
    signs: Signs = SIGNS["stated"]
    """How a trace is worded."""

    def ask(self, kind: str, **fields: str) -> str:
        """One of the wordings of a kind."""
        return wordings.question(kind, self.rng, self.num_wordings, **fields)

    def views(self) -> tuple[ImageRef, ...]:
        """The film and the study's other images in the order PA, AP, lateral, unknown; at most
        `max_views`."""
        if self.film is None:
            return ()
        first = self.film.image
        rest = [image for image in current(self.study) if image is not first]
        rest.sort(key=lambda image: _VIEW_ORDER.index(image.view or ""))
        return (first, *rest)[: self.max_views]


@dataclass(frozen=True)
class Draft:
    """A question before it becomes a `Sample`; `key` tells the questions of a kind apart."""

    key: str
    question: str
    answer: str
    reasoning: str
    images: tuple[ImageRef, ...]
    options: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    reference: str = ""
    task: str = ""
    """Where it is not the task of the kind."""
    topic: str = ""
    """The data set's own category of the question, or empty."""


Drafts = Iterator[Draft]


def film_of(study: Study) -> Film | None:
    """The frontal image about which findings are asked (PA first), or None."""
    for view in FRONTAL:
        for index, image in enumerate(study.images):
            if image.view == view and image.role == "current":
                return Film(image, index, facts(study, index), evidence(study, index))
    return None


def lacks_view(study: Study) -> bool:
    """True where something is known of a study and not asked of its films, as none is known to be
    frontal and one is of an unknown view."""
    views = {image.view for image in current(study)}
    labelled = any(state is not None for state in study.labels.values())
    known = labelled or bool(study.boxes or study.findings or study.impression)
    return known and "" in views and not any(map(is_frontal, views))


def current(study: Study) -> tuple[ImageRef, ...]:
    """The images of the study itself."""
    return tuple(image for image in study.images if image.role == "current")


def tellable(text: str) -> str:
    """The text, or nothing where it holds what no film tells: a redaction mark, a time of day."""
    return "" if _REDACTED.search(text) or _CLOCK.search(text) else text


def indication_of(study: Study) -> str:
    """The indication without a redacted age at its start; empty where it is redacted otherwise."""
    text = _AGE.sub("", study.indication)
    text = tellable(text).strip()
    return text[:1].upper() + text[1:].removesuffix(".")
