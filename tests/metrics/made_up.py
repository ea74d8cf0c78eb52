"""Made-up texts for comparisons with other packages, with all that trips tokenisers."""

from __future__ import annotations

import random

_WORDS = [
    "the",
    "The",
    "heart",
    "lungs",
    "effusion",
    "effusions",
    "effusion,",
    "opacity.",
    "opacities",
    "(mild)",
    "moderate/severe",
    "no",
    "No",
    "1.5",
    "cm",
    "2,300",
    "3-4",
    "left-sided",
    "isn't",
    "patient's",
    "50%",
    ">2",
    "a&b",
    "___",
    "\u2013",
    "na\u00efve",
    "T12.",
    "...",
    "--",
    "unchanged",
    "improving",
    "consolidation",
    "consolidations",
    "pneumothorax.",
    "seen.",
    "relational",
    "happy",
]


def texts(seed: int, num: int, longest: int = 30) -> list[str]:
    """`num` texts of 0 to `longest` words, some over several lines."""
    draw = random.Random(seed)
    return [
        draw.choice((" ", " ", "\n", "  ")).join(draw.choices(_WORDS, k=draw.randint(0, longest)))
        for _ in range(num)
    ]


def pairs(seed: int, num: int) -> list[tuple[str, str]]:
    """Predictions that share runs of words with their references, a few of them nothing or all."""
    draw = random.Random(seed)
    found = []
    for reference in texts(seed + 1, num):
        kept = [word for word in reference.split() if draw.random() < 0.8]
        at = draw.randint(0, len(kept))
        kept[at:at] = draw.choices(_WORDS, k=draw.randint(0, 6))
        found.append((draw.choice((" ".join(kept), " ".join(kept), reference, "")), reference))
    return found
