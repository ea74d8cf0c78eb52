"""The question kinds: which of the original's 36 tasks each belongs to, and the form of its answer.

The form decides how an answer is rewarded, judged and guessed at by baselines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Form = Literal["options", "boxes", "report", "text"]
"""A choice or a closed answer; boxes; report prose; other free text."""


@dataclass(frozen=True)
class Kind:
    """One kind. `task` is the name that most of its rows carry; see `data/questions/places.py`."""

    task: str
    form: Form
    classes: tuple[str, ...] = ()
    """All possible answers, where they are few: their recalls are averaged. Otherwise empty."""


_YES_NO = ("yes", "no")

KINDS: dict[str, Kind] = {
    "presence": Kind("Close-Ended VQA", "options", _YES_NO),
    "heart_size": Kind("Close-Ended VQA", "options"),
    "side": Kind("Close-Ended VQA", "options"),
    "choice": Kind("Image Classification", "options"),
    "multi_choice": Kind("Image Classification", "options"),
    "view": Kind("View Classification", "options"),
    "view_matching": Kind("View Matching", "options", _YES_NO),
    "image_text_matching": Kind("Image-Text Matching", "options", _YES_NO),
    "image_text_selection": Kind("Image-Text Selection", "options"),
    "progression": Kind("Temporal Image Classification", "options", ("better", "same", "worse")),
    "grounded_diagnosis": Kind("Grounded Diagnosis", "options"),
    "closed_vqa": Kind("Close-Ended VQA", "options"),
    "grounding": Kind("Abnormality Grounding", "boxes"),
    "detection": Kind("Abnormality Detection", "boxes"),
    "phrase_grounding": Kind("Phrase Grounding", "boxes"),
    "phrases": Kind("Phrase Extraction and Grounding", "boxes"),
    "findings": Kind("Findings Generation", "report"),
    "findings_indication": Kind("Findings Generation with Indication", "report"),
    "impression": Kind("Impression Generation", "report"),
    "impression_indication": Kind("Impression Generation with Indication", "report"),
    "report": Kind("Report Generation", "report"),
    "summary": Kind("Findings Summarization", "report"),
    "local_findings": Kind("Local Findings Generation", "report"),
    "local_impression": Kind("Local Impression Generation", "report"),
    "progression_findings": Kind("Progression Findings Generation", "report"),
    "progression_impression": Kind("Progression Impression Generation", "report"),
    "local_progression_findings": Kind("Local Progression Findings Generation", "report"),
    "local_progression_impression": Kind("Local Progression Impression Generation", "report"),
    "grounded_caption": Kind("Grounded Captioning", "report"),
    "phrase_extraction": Kind("Grounded Phrase Extraction", "text"),
    "caption": Kind("Caption Generation", "text"),
    "open_vqa": Kind("Open-Ended VQA", "text"),
    "difference": Kind("Difference VQA", "text"),
    "explanation": Kind("Natural Language Explanation", "text"),
    "text_qa": Kind("Text QA", "text"),
    "entities": Kind("Named Entity Recognition", "text"),
}


def unknown(kinds: Iterable[str]) -> Iterator[str]:
    """What to say of each kind that is not known, in the order of their names."""
    for kind in sorted(set(kinds) - KINDS.keys()):
        near = get_close_matches(kind, KINDS, 1, 0.5)
        meant = f"did you mean {near[0]}? " if near else ""
        yield f'kind "{kind}" is not known: {meant}There are {", ".join(KINDS)}'


def form(kind: str) -> Form | None:
    """The form of a kind's answers, None for a kind that is not known."""
    found = KINDS.get(kind)
    return found.form if found else None


def spoken(kind: str) -> str:
    """A kind as it is written for readers: "heart size"."""
    return kind.replace("_", " ")
