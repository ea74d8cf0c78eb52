"""What the adapters of question sets share: rows -> the questions of each study."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.splits import most_held_out
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Question, Study

_OPTION_LETTER = re.compile(r"^\(?([A-Z])\s*[.:)]\s*")


class QuestionBook:
    """The questions of the studies (or images) of a set, in the order of its rows.

    A row that is there twice is counted as `duplicate_row`. Where a set puts one image's questions
    into several splits, those of the most held-out one stay: so no film is trained and tested on,
    and the questions that are tested on are those of the set's own test part. The others are
    lost as `question_of_held_out_image`.
    """

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._questions: dict[str, dict[str, tuple[str, Question, str]]] = {}

    def add(self, study: str, split: str, question: Question | None, place: str) -> None:
        """The question of the row at `place`, by its name; None for one without an answer, which is
        counted."""
        if question is None or not question.text or not question.answers:
            self._losses.lose("row_without_answer", place)
            return
        known = self._questions.setdefault(study, {})
        if question.name in known:
            self._losses.lose("duplicate_row", place)
        known.setdefault(question.name, (split, question, place))

    def __iter__(self) -> Iterator[tuple[str, str, tuple[Question, ...]]]:
        """(study, archive split, questions), by study."""
        for study, known in sorted(self._questions.items()):
            split = most_held_out(part for part, _, _ in known.values())
            kept = []
            for part, question, place in known.values():
                if most_held_out([part]) == split:
                    kept.append(question)
                else:
                    self._losses.lose("question_of_held_out_image", place)
            yield study, split, tuple(kept)

    def studies(
        self, dataset: str, images: Callable[[str], tuple[ImageRef, ...]]
    ) -> list[PendingStudy]:
        """A study of each, with the images of its name, for sets that tell of no patients: each is
        its own patient."""
        return [
            PendingStudy(
                Study(dataset, name, name, images(name), archive_split=split, questions=questions)
            )
            for name, split, questions in self
        ]


def answered(
    name: str, text: str, answer: str, closed: bool = False, topic: str = ""
) -> Question | None:
    """A question with one answer: closed where the set says so or the answer is yes or no."""
    told = yes_or_no(answer)
    if not answer:
        return None
    kind: Literal["closed_vqa", "open_vqa"] = "closed_vqa" if closed or told else "open_vqa"
    return Question(name, kind, text, (told or answer,), topic=topic)


def chosen(
    name: str, text: str, options: Sequence[str], letter: str, losses: Losses, place: str
) -> Question | None:
    """The question with lettered options of the row at `place`. `letter` is that of the right
    one, or its text.

    None, and counted, where the options are not distinct or none of them is the answer.
    """
    texts = tuple(_OPTION_LETTER.sub("", " ".join(option.split())) for option in options)
    if len(texts) < 2 or not all(texts) or len({option.lower() for option in texts}) < len(texts):
        losses.lose("options_not_distinct", place)
        return None
    told = " ".join(letter.split())
    found = _OPTION_LETTER.match(f"{told}." if len(told) == 1 else told)
    right = ord(found[1]) - ord("A") if found else -1
    if told and not 0 <= right < len(texts):
        folded = [option.lower() for option in texts]
        right = folded.index(told.lower()) if told.lower() in folded else -1
    if not 0 <= right < len(texts):
        losses.lose("answer_not_an_option" if told else "row_without_answer", place)
        return None
    return Question(name, "closed_vqa", text, (texts[right],), texts)


def yes_or_no(answer: str) -> str:
    """ "yes" or "no" for such an answer however it is written, else empty."""
    folded = answer.strip().rstrip(".").lower()
    return folded if folded in ("yes", "no") else ""


def text_name(*texts: str) -> str:
    """A name for a question of a set that numbers none: a digest of its text."""
    return hashlib.blake2b("\n".join(texts).encode(), digest_size=6).hexdigest()


def images_root(source: SourceConfig, owner: str) -> str:
    """`images_uri` of a set that asks about another one's images. Raises ChexoneError if unset."""
    if source.images_uri is None:
        raise ChexoneError(
            f"{source.adapter} has no images of its own: set images_uri to the root of {owner}"
        )
    return source.images_uri
