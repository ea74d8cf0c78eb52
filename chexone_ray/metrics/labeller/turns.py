"""A turn of phrase of the rule labeller, and the parts that many of them share.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chexone_ray.metrics.labeller.denial import GONE

FREE = (
    r"(?:without|(?:free|clear|devoid|bare|void|empty|innocent|rid) (?:of|from)|lacking(?: in)?"
    r"|spared(?: of| by| from)?|wanting|lacks?|absent|missing)"
)
LEFT = rf"(?:{GONE}|improved|healed|closed|re-?expanded|absorbed|come out|been taken out)"
SUBJECT = r"(?: (?!and\b|but\b|or\b|nor\b|no\b|not\b|so\b)[\w-]+){1,6}?"
NOT_SURE = (
    r"(?:(?:there (?:is|can be) )?(?:no|little) (?:certainty|guarantee|assurance|proof|knowing)"
    r"|(?:(?:nobody|no one|no reader|none|who) (?:can|could|would|dares?(?: to)?)|cannot"
    r"|can not|could not|am not|is not|are not|not|never|far from|hardly|impossible to"
    r"|unable to|not possible to|difficult to|hard to|unsafe to|reluctant to|unwise to|rash to)"
    r"(?: be)?(?: \w+ly| at all| entirely| quite| fully| altogether)? (?:sure|certain|confident"
    r"|convinced|persuaded|satisfied|say|state|assert|swear|vouch|promise|guarantee|affirm|tell"
    r"|be (?:sure|certain|confident)|(?:convince|satisfy|persuade) (?:myself|ourselves|oneself"
    r"|anyone)|assume|conclude|declare|claim)"
    r"|(?:doubtful|uncertain|unclear|open|debatable|unproven|not clear|not certain|unsure)"
    r"(?: to me)?)"
)
NO = (
    r"(?:there (?:is|are|was|were) (?:really |truly |actually )?(?:no|not|none of|nothing of)"
    r"(?: (?:an?|any|some))?|no)"
)


@dataclass(frozen=True)
class Frame:
    """A turn of phrase, what must be in the text for it, and the cue that stands for it. A named
    group is kept before the cue ("neither base is clear of": the base)."""

    stems: tuple[str, ...]
    pattern: re.Pattern[str]
    cue: str = ""


def frame(stems: str, pattern: str, cue: str = "") -> Frame:
    return Frame(tuple(stems.split(",")), re.compile(pattern), cue)


DOUBTED, DENIED = "cannot exclude", "no"
