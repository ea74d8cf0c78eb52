"""How reference traces are worded; all of it our own.

A trace names the visible sign and where it lies, then the answer follows. The phrasings are few
and short on purpose: a small model must be able to learn them. The signs are those that phantom
films are drawn with, which no real source states; `stated.py` words what real sources do state.
"""

from __future__ import annotations

import random

_UNCOUNTED = frozenset(
    {
        "consolidation",
        "cardiomegaly",
        "edema",
        "atelectasis",
        "pneumonia",
        "infiltration",
        "calcification",
        "pleural thickening",
        "pulmonary fibrosis",
        "interstitial lung disease",
        "emphysema",
        "aortic enlargement",
        "mediastinal shift",
        "tuberculosis",
        "covid-19",
        "copd",
        "pleural other",
        "support devices",
    }
)

# Present: (on one side, on both sides, side unknown); absent: one sentence.
_SIGNS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "pleural effusion": (
        (
            "The {side} costophrenic angle is blunted.",
            "Both costophrenic angles are blunted.",
            "A costophrenic angle is blunted.",
        ),
        (
            "Fluid fills the {side} costophrenic angle.",
            "Fluid fills both costophrenic angles.",
            "Fluid fills a costophrenic angle.",
        ),
    ),
    "pneumothorax": (
        (
            "A pleural line with dark air beyond it lies on the {side}.",
            "Pleural lines with dark air beyond them lie on both sides.",
            "A pleural line with dark air beyond it is seen.",
        ),
        (
            "Dark air without lung markings lies on the {side}.",
            "Dark air without lung markings lies on both sides.",
            "Dark air without lung markings is seen.",
        ),
    ),
    "consolidation": (
        (
            "There is a dense patch in the {side} {area}.",
            "There are dense patches in both lungs.",
            "There is a dense patch in the lung.",
        ),
    ),
    "nodule": (
        (
            "There is a round spot in the {side} {area}.",
            "There are round spots in both lungs.",
            "There is a round spot in the lung.",
        ),
    ),
    "mass": (
        (
            "There is a large round density in the {side} {area}.",
            "There are large round densities in both lungs.",
            "There is a large round density in the lung.",
        ),
    ),
    "lung opacity": (
        (
            "There is an opacity in the {side} {area}.",
            "There are opacities in both lungs.",
            "There is an opacity in the lung.",
        ),
    ),
    "pneumonia": (
        (
            "There is a patchy density in the {side} {area}.",
            "There are patchy densities in both lungs.",
            "There is a patchy density in the lung.",
        ),
    ),
    "atelectasis": (
        (
            "The {side} {area} has lost volume.",
            "Both lungs have lost volume.",
            "Part of the lung has lost volume.",
        ),
    ),
    "edema": (("The lung vessels are blurred.",) * 3,),
    "cardiomegaly": (
        ("The heart takes up well over half of the chest width.",) * 3,
        ("The heart is much wider than half of the chest.",) * 3,
    ),
    "pacemaker": (
        (
            "A device box with a lead lies on the {side} chest.",
            "Device boxes lie on both sides of the chest.",
            "A device box with a lead lies on the chest.",
        ),
    ),
    "tube": (("A thin tube runs down the midline.",) * 3,),
    "chest tube": (
        (
            "A tube enters the {side} chest from the side and ends over the lung.",
            "Tubes enter both sides of the chest and end over the lungs.",
            "A tube enters the chest from the side and ends over the lung.",
        ),
    ),
}
_GENERIC_SIGN = (
    ("{Name} is seen on the {side}.", "{Name} is seen on both sides.", "{Name} is seen."),
)

_NO_SIGNS: dict[str, tuple[str, ...]] = {
    "pleural effusion": ("Both costophrenic angles are sharp.",),
    "pneumothorax": ("Lung markings reach the chest wall.",),
    "consolidation": ("There is no dense patch in the lungs.",),
    "nodule": ("There is no round spot in the lungs.",),
    "mass": ("There is no large round density in the lungs.",),
    "lung opacity": ("There is no opacity in the lungs.",),
    "pneumonia": ("There is no patchy density in the lungs.",),
    "edema": ("The lung vessels are sharp.",),
    "cardiomegaly": ("The heart is not wide for the chest.",),
    "pacemaker": ("No device box lies on the chest.",),
    "tube": ("No tube is seen.",),
    "chest tube": ("No tube enters the chest from the side.",),
}

_HEART_SIGNS: dict[str, tuple[str, ...]] = {
    "normal": ("The heart takes up less than half of the chest width.",),
    "borderline": ("The heart takes up about half of the chest width.",),
    "enlarged": ("The heart takes up well over half of the chest width.",),
}
_VIEW_SIGNS: dict[str, tuple[str, ...]] = {
    "PA": ("The shoulder blades lie outside the lungs.",),
    "AP": ("The shoulder blades lie over the lungs.",),
    "lateral": ("The spine and the breastbone are seen from the side.",),
}
_CHANGE_SIGNS: dict[str, tuple[str, ...]] = {
    "better": ("The {name} is smaller on the second film.",),
    "same": ("The {name} has the same size on both films.",),
    "worse": ("The {name} is larger on the second film.",),
}
_GONE_OR_NEW: dict[str, tuple[str, ...]] = {
    "better": ("The {name} is gone on the second film.",),
    "same": ("The {name} is in place on both films.",),
    "worse": ("The {name} is new on the second film.",),
}
NAMES = frozenset(_SIGNS) | _UNCOUNTED
"""Findings that are worded in a way of their own."""
NORMAL_SIGN = "Both lungs are clear."
LARGE_HEART = "a wide heart"


def with_article(name: str) -> str:
    """ "a nodule", "an opacity"; names of conditions stay without."""
    if not name or name in _UNCOUNTED:
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def sign(name: str, side: str, zone: str, rng: random.Random) -> str:
    """The sentence for a finding that is present. `side` is "left", "right", "both" or empty."""
    one, both, unknown = rng.choice(_SIGNS.get(name, _GENERIC_SIGN))
    template = both if side == "both" else one if side else unknown
    area = f"{zone} zone" if zone else "lung"
    return template.format(side=side, area=area, Name=name[:1].upper() + name[1:])


def no_sign(name: str, rng: random.Random) -> str:
    """The sentence for a finding that is absent."""
    return rng.choice(_NO_SIGNS.get(name, (f"No sign of {name} is seen.",)))


def so_it_is(name: str) -> str:
    """What follows from the sign of a finding."""
    return f" This is {with_article(name)}."


def heart(size: str, rng: random.Random) -> str:
    """The sentence for a heart that is "normal", "borderline" or "enlarged"."""
    return rng.choice(_HEART_SIGNS[size])


def view(name: str, rng: random.Random) -> str:
    """What tells the view of a film."""
    return rng.choice(_VIEW_SIGNS[name])


def change(name: str, course: str, is_device: bool, rng: random.Random) -> str:
    """The sentence for a finding that is "better", "same" or "worse"."""
    signs = _GONE_OR_NEW if is_device else _CHANGE_SIGNS
    return rng.choice(signs[course]).format(name=name)


def nothing(denied: list[str], rng: random.Random) -> str:
    """The sign of a film of which the report states nothing as present."""
    return NORMAL_SIGN


def box_trace(name: str, places: list[tuple[str, str]]) -> str:
    """Where the boxes of a finding lie: `places` are (side, zone), sorted as the boxes are."""
    if name == "cardiomegaly":
        return "The wide heart lies in the middle."
    spots = " and ".join(
        f"in the {side} {zone} zone" if side else f"in the {zone} midline" for side, zone in places
    )
    if name == "chest tube":
        return f"A tube that enters from the side lies {spots}."
    subject = with_article(name)
    return f"There is {subject} {spots}."
