"""Reference traces that say no more than the source does: a label, a box, a word of the answer.

`wording.py` has the same functions with the signs that phantom films are drawn with. Of a real film
no source says that a costophrenic angle is blunted where it is labelled with an effusion.
"""

from __future__ import annotations

import random

from chexone_ray.data.wording import with_article

HEART = "cardiomegaly"
NORMAL_SIGN = "Nothing abnormal is seen."
LARGE_HEART = "an enlarged heart"
_HEART = {
    "normal": "The heart is normal in size.",
    "borderline": "The heart is borderline in size.",
    "enlarged": "The heart is enlarged.",
}
_ON_BOTH = ("{} is seen on both sides.", "{} on both sides.")
_CHANGES = {"better": "better", "same": "the same", "worse": "worse"}


def sign(name: str, side: str, zone: str, rng: random.Random) -> str:
    """The sentence for a finding that is present. `side` is "left", "right", "both" or empty."""
    if name == HEART:
        return _HEART["enlarged"]
    if side == "both":
        return rng.choice(_ON_BOTH).format(_capital(name))
    place = f" in the {' '.join(filter(None, (side, zone)))} zone" if zone else ""
    place = place or (f" on the {side}" if side else "")
    subject = with_article(name)
    return rng.choice((f"{_capital(subject)} is seen{place}.", f"There is {subject}{place}."))


def no_sign(name: str, rng: random.Random) -> str:
    """The sentence for a finding that is absent."""
    return "The heart is not enlarged." if name == HEART else f"No {name} is seen."


def so_it_is(name: str) -> str:
    """What follows from the sign of a finding: nothing, as it was named."""
    return ""


def heart(size: str, rng: random.Random) -> str:
    """The sentence for a heart that is "normal", "borderline" or "enlarged"."""
    return _HEART[size]


def view(name: str, rng: random.Random) -> str:
    """What tells a view: no source says it."""
    return ""


def change(name: str, course: str, is_device: bool, rng: random.Random) -> str:
    """The sentence for a finding that is "better", "same" or "worse"."""
    return f"The {name} is {_CHANGES[course]} on the second film."


def nothing(denied: list[str], rng: random.Random) -> str:
    """What a report says that states nothing as present: what it denies by name."""
    names = [name for name in denied if name != HEART]
    *first, last = names or [""]
    told = f"No {', '.join(first)} or {last} is seen." if first else f"No {last} is seen."
    return " ".join(([told] if names else []) + ([no_sign(HEART, rng)] if HEART in denied else []))


def box_trace(name: str, places: list[tuple[str, str]]) -> str:
    """Where the boxes of a finding lie: `places` are (side, zone), sorted as the boxes are."""
    if name == HEART:
        return _HEART["enlarged"]
    spots = " and ".join(
        f"in the {side} {zone} zone" if side else f"in the {zone} midline" for side, zone in places
    )
    return f"There is {with_article(name)} {spots}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
