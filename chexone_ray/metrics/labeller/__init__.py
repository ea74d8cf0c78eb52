"""Rule labeller for chest X-ray reports in English: text -> the 14 CheXpert labels.

`reader.py` reads a text sentence by sentence, `terms.py` has what it finds, `words.py` and its
neighbours the words, `scope.py`, `denial.py`, `doubt.py` and theirs how far a word reaches.
docs/labeller.md has the conventions and the measured figures.
"""

from chexone_ray.metrics.labeller.reader import (
    CACHED_TEXTS,
    changes,
    heart_size,
    phrases,
    read_report,
    sentences,
)
from chexone_ray.metrics.labeller.terms import (
    ABSENT,
    HEART,
    LABELS,
    PRESENT,
    UNCERTAIN,
    Mention,
    Phrase,
)

__all__ = [
    "ABSENT",
    "CACHED_TEXTS",
    "HEART",
    "LABELS",
    "PRESENT",
    "UNCERTAIN",
    "Mention",
    "Phrase",
    "changes",
    "heart_size",
    "phrases",
    "read_report",
    "sentences",
]
