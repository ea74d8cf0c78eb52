"""Findings that a text takes as there, whatever it denies or doubts of them.

"Behind the opacity", "within the areas of edema", "no evidence that the effusion has become
infected". Our own, written from general knowledge of report language. All patterns match
lower-case text.
"""

from __future__ import annotations

import re

from chexone_ray.metrics.labeller.terms import Phrase

_GIVEN = re.compile(
    r"\b(?:(?:adjacent|next|close|secondary) to|near|above|below|surrounding|with|within|in|behind"
    r"|beneath|over|under|around|beside|alongside|despite|given|explain\w*"
    r"|(?:explanation|cause|reason|account\w*|responsible|consideration|differential|possibilit\w+"
    r"|diagnosis|candidate)s? (?:for|of)|(?:distinguish|differentiate|separate|tell"
    r"|told|distinguished|separated) from"
    r"|(?:super)?(?:infection|pneumonia|aspiration) of|(?:on top|in (?:front|addition|association)"
    r"|on a background) (?:of|to|with)|(?:superimposed|superadded) (?:on|upon|to)|complicating"
    r"|(?:possib|likel|probab|conceiv|thought|suspect"
    r"|think|believe"
    r"|whether|if)\w*(?: that)?|(?:improv|increas|decreas|chang|worsen|progress"
    r"|reduc|growth)\w* (?:in|of)) the"
    r" (?:(?!and\b|or\b|but\b|nor\b|no\b|not\b|is\b|are\b|was\b|were\b|that\b|which\b|there\b"
    r"|absence\b|lack\b|case\b|setting\b|event\b|context\b|possib|question|suspic|of\b|for\b"
    r"|in\b|form\b|shape\b|expected\b|differential\b|includ|an?\b|the\b|mimic|simulat|remain"
    r"|may\b|suggest|reflect|represent"
    r"|has\b|have\b|lies\b)[\w-]+ ){0,4}$"
)
"""Before a finding that the text takes as there."""
_PART = (
    r"(?:areas?|regions?|zones?|sites?|beds?|background|midst|level|vicinity|neighbourhood"
    r"|neighborhood|margins?|edges?|shadow|cent(?:re|er)|part|middle|patch(?:es)?|foc(?:i|us))"
)
_AREA = re.compile(
    rf"\b(?:near|above|below|surrounding|within|inside|in|behind|beneath|over|under|around|beside"
    rf"|at|on|from) (?:the |an? |this |these |those )(?:[\w-]+ )?{_PART} of (?:the )?"
    rf"(?:(?!no\b|possib|suspec|question|presum|likely|probab)[\w-]+ ){{0,2}}$"
)
"""In part of a finding."""
_CLAIM = re.compile(
    r"\b(?:no|without|nothing|little|hardly|cannot|not|neither|nor|whether|if|unclear|possible"
    r"|possibly|possibility|suggest\w*|evidence|indication|sign)\b[^.;,]{0,40}"
    r"\b(?:that|whether|if|of|for) (?:the|this|these|those|his|her) "
    r"(?:(?!and\b|or\b|no\b|not\b|of\b|possib|suspec|alleg|presum|question)[\w-]+ ){0,3}$"
)
_BECOME = re.compile(
    r"(?:(?! and\b| or\b| not\b| no\b|,) [\w-]+){0,4}? (?:(?:has|have|had|is|are|was|were)"
    r"(?: \w+ly| now| since| been)* )?"
    r"(?:become|becoming|turned|turning|grown|growing|spread|spreading|changed|changing|enlarging"
    r"|increased|increasing|progress\w+|worsen\w*|developed|developing|broken down|cavitat\w+"
    r"|infected|super-?infected|loculat\w+|malignant|under tension|organi[sz]\w+|calcified"
    r"|displaced|recent|acute|larger|bigger|moved|migrated|kinked|malpositioned|misplaced)\b"
)
"""A change or an attribute of a finding that is there."""


def given(text: str, phrase: Phrase) -> bool:
    """Do denial and doubt leave the finding standing?"""
    low = max(0, phrase.start - 80)
    if " of " in text[low : phrase.start] and _AREA.search(text, low, phrase.start):
        return True
    if not re.search(r"\b(?:the|this|these|those|his|her) ", text[low : phrase.start]):
        return False
    if _GIVEN.search(text, low, phrase.start):
        return True
    return bool(_BECOME.match(text, phrase.end) and _CLAIM.search(text, low, phrase.start))
