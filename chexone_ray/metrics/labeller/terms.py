"""What the rule labeller finds: label names, states, and the phrase and mention that carry them."""

from __future__ import annotations

from dataclasses import dataclass

LABELS = (
    "no finding",
    "enlarged cardiomediastinum",
    "cardiomegaly",
    "lung opacity",
    "lung lesion",
    "edema",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural effusion",
    "pleural other",
    "fracture",
    "support devices",
)
"""CheXpert's 14 labels in file order, lower case."""

PRESENT, ABSENT, UNCERTAIN = 1, 0, -1
UNTOLD = 2
"""Never leaves the labeller: history, questions, earlier films, which a later word may settle."""

HEART = "heart"
"""Pseudo-label of a plain mention of the heart: carries size and change, states no finding."""
ONE = "one"
"""Pseudo-label of "the old one": stands for the finding before it."""


@dataclass(frozen=True)
class Mention:
    """What a report says of one label: `state` 1 present, 0 absent, -1 uncertain."""

    state: int
    sides: frozenset[str] = frozenset()
    """"left", "right" or both."""
    severity: str = ""
    """"mild", "moderate", "severe" or empty."""
    name: str = ""
    """The finer finding, such as "pacemaker"; the label itself where there is none finer."""
    implied: bool = False
    """A denial that follows from a text which does not name the finding ("lungs are clear")."""


@dataclass(frozen=True)
class Phrase:
    """One phrase of a report that mentions a label.

    `start` and `end` count in its sentence, in lower case with misspelt words mended.
    """

    label: str
    name: str
    sentence: int
    start: int
    end: int
    state: int = PRESENT
    sides: frozenset[str] = frozenset()
    severity: str = ""
    change: str = ""
    """"better", "same", "worse" or empty."""
    implied: bool = False
    """As in `Mention`."""
