"""Sentences that say that there is nothing to draw, and of what. Pure.

One rule for all: the reward, specificity, what a refusal is and what a trace agrees with.
"""

from __future__ import annotations

import re

from chexone_ray.answers import normalise
from chexone_ray.boxes import negative_label

_SEEN = (
    r"(?:detected|seen|visible|present|identified|found|noted|evident|visuali[sz]ed|demonstrated"
    r"|shown|appreciated|there)"
)
_THING = r"[a-z][a-z/() -]{1,80}?"
_DENIAL = re.compile(
    rf"(?:there (?:is|are) )?no (?:evidence of |signs? of )?({_THING})"
    rf"(?: (?:is |are |was |were )?(?:\w+ly )?{_SEEN})?"
    rf"|({_THING}) (?:is|are|was|were) (?:not {_SEEN}|absent)"
    rf"|(?:it is )?not {_SEEN}|(?:none|nothing)(?: (?:is |are |was )?{_SEEN})|none|nothing|absent"
)
_HERE = re.compile(
    r" (?:on|in) (?:this|the|these) (?:\w+ )?(?:images?|films?|x-rays?|radiographs?)$"
)
_NO_DENIAL = re.compile(
    r"\b(?:images?|films?|x-rays?|radiographs?|scans?|pictures?|views?|answers?|ideas?|doubt|clue"
    r"|questions?|problem|change|thanks?|but|however|except|other|only|although|though|i|we|you"
    r"|cannot|can|could|may|might|possibl[ey]|if|box(?:es)?)\b"
)
_PARTS = re.compile(r"\s*(?:,|/|\b(?:and/)?or\b|\band\b)\s*")
_PLACE = re.compile(r" (?:in|on|of|at|within|over) .*")
_NARROW = frozenset(
    ("left", "right", "bilateral", "both", "upper", "middle", "lower", "apical", "basal", "large")
)
_NARROW |= {"larger", "big", "small", "tiny", "new", "old", "further", "additional", "second"}
_NARROW |= {"calcified", "acute", "significant"}
"""Words that leave some of what a name stands for undenied: "no large nodule"."""


def denies(answer: str) -> bool:
    """True for a short sentence that says that there is nothing to draw, and says nothing else:
    "No nodule detected.", "There is no pleural effusion.", "None". "No, I cannot see it" is none,
    nor is a sentence about the image or with an exception."""
    return denied_name(answer) is not None


def denied_name(answer: str) -> str | None:
    """What such a sentence denies, in lower case: "pleural effusion", empty for "None"; None where
    `answer` is no denial."""
    text = _HERE.sub("", " ".join(answer.lower().split()).strip(" .\"'"))
    found = _DENIAL.fullmatch(text)
    if not found or _NO_DENIAL.search(text):
        return None
    return found[1] or found[2] or ""


def asked_name(reference: str) -> str:
    """What the right answer denies, in lower case: of `boxes.negative`, whatever its label is, or
    of another denial; empty where it names nothing."""
    return (negative_label(reference) or denied_name(reference) or "").lower()


def names(denied: str) -> list[str]:
    """The names in what is denied: "nodule or mass" has two."""
    return [name for name in map(normalise, _PARTS.split(denied.replace("(s)", ""))) if name]


def same_name(said: str, meant: str) -> bool:
    """True where denying `said` denies all of `meant`, in singular or plural.

    Two names are the same where they have one head noun, the last word, and one has all words of
    the other ("effusion", "pleural effusion"), unless those that `said` adds narrow it.
    """
    told = names(said)
    return bool(told) and all(any(_denies(one, name) for one in told) for name in names(meant))


def _denies(said: str, meant: str) -> bool:
    if said == meant:
        return True
    more, of = frozenset(said.split()) - frozenset(meant.split()), meant.split()
    words = _PLACE.sub("", said).split()
    if not _numbers(words[-1]) & _numbers(of[-1]):
        return False
    told, asked = frozenset(words[:-1]), frozenset(of[:-1])
    return (told <= asked or told >= asked) and not more & _NARROW


def _numbers(word: str) -> frozenset[str]:
    """A word as it stands and as the plural of it."""
    if word.endswith("y"):
        return frozenset((word, word[:-1] + "ies"))
    return frozenset((word, word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")))
