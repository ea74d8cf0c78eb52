"""Two denials that make an assertion: "no zone lacks nodules", "nor has the heart escaped".

Words of denial that stand before another one, with nothing but words of place between them, cancel
each other; both are blanked and what stands between them stays where it is. What a whole turn of
phrase says is in `turns_denial.py`. Our own, written from general knowledge of report
language. All patterns match lower-case text.
"""

from __future__ import annotations

import re

from chexone_ray.metrics.labeller.denial import GONE
from chexone_ray.metrics.labeller.patterns import holds

_OUTER = (
    r"(?:not (?:one|a single|a|an|any|all|every|both|each)(?: of)?|no one|nobody|nothing|nowhere"
    r"|no longer|no|not|never|neither|nor|none|hardly (?:a|any)|scarcely (?:a|any)|hardly|scarcely"
    r"|barely|few|by no means|far from|anything but|in no way)"
)
_FINDING = (
    r"\w*(?:opaci|effus|pneumo|lesion|nodul|fractur|edema|consolid|atelec|collaps|thicken|plaque"
    r"|infect|infiltr|cardiomeg|enlarge|widen|drain|tube|line\b|catheter|device|pacemaker|tumou?r"
    r"|evidence|sign|change|doubt|reason|shift|abnormal|reliab|certain|sure)"
)
_GAP = r"(?:(?!(?:and|but|or|nor|no|not|"
_GAP += r"(?<!dealing )(?<!consistent )(?<!compatible )(?<!faced )with|without|although|though"
_GAP += rf"|because|if|{_FINDING})\b)"
_GAP += rf"(?!{_FINDING})[\w'-]+ +){{0,11}}?"
LEFT_BEHIND = (
    rf"{GONE}|reversed|corrected|undone|abolished|dispersed|dissolved|faded|abated|settled|closed"
    rf"|sealed"
    r"|re-?expanded|dried up|melted(?: away)?|overcome|relieved"
)
_ESCAPED = (
    r"(?:(?:free|clear|devoid|bare|void|empty|innocent|rid|exempt|immune|safe) (?:of|from)"
    r"|(?<=no longer )not|(?<=never )not|without|lacking(?: in)?|spared(?: of| by| from| any)?"
    r"|unaffected by|untouched by"
    r"|unaccompanied by|unassociated with|uncomplicated by|unmarked by|wanting in|lacks?"
    r"|escap(?:es|ed|e|ing)|avoid(?:s|ed)?|absent|missing|negative for|overlook\w*|(?:be "
    r"|to )?miss(?:ed|es)?(?= (?:the|a|an|this|that|these)\b)|den(?:y|ies|ied)"
    r"|ignor\w+|disput\w+|(?:to )?contradict\w*|refut\w+|gainsa\w+|mistak\w+(?! (?:for|as)\b)"
    r"|fail\w* to (?:see|notice|show|demonstrate|reveal|detect|find|spot|recogni[sz]e)|shortage of"
    r"|scarcity of|dearth of|paucity of|(?:argue|speak|tell|militate|weigh)s? against|(?:that"
    r"|which|where)"
    r" (?:is|are|has|have|does|do|was|were)(?: \w+ly)? (?:not|no))"
)
_ABSENCE = r"(?:absence|lack|want|disappearance|resolution|clearance|clearing|removal)"
_DOUBLE = re.compile(
    rf"\b(?P<outer>{_OUTER}) +(?P<gap>{_GAP})(?P<inner>{_ESCAPED})\b"
    rf"(?! (?:\w+ )?(?:exclu|the (?:use|help)))"
)
_FALSE = (
    r"(?:(?:is|was|are|were|proves?|has been|have been|would be)(?: \w+ly| therefore"
    r"| thus)* (?:incorrect|wrong|untrue"
    r"|false|mistaken|in error|refuted|disproved|contradicted|unfounded|untenable|inaccurate"
    r"|erroneous"
    r"|a mistake|an error|no longer true|not (?:\w+ly )?(?:true|correct|right|so|the case|borne out"
    r"|tenable|accurate|supported|confirmed|justified))"
    r"|would (?:mislead|deceive|be (?:\w+ )?(?:misleading|deceptive|rash|folly))|misleads?"
    r"|(?:does|do|did) not (?:hold|stand|apply)(?: up)?"
    r"|(?:cannot|can not|could not) be (?:upheld|maintained|sustained|supported|true|accepted"
    r"|confirmed"
    r"|right|correct|shared))"
)
_CLAIM = re.compile(
    r"\b(?:(?:statement|claim|report|reading|impression|view|opinion|assertion|conclusion|idea"
    r"|notion"
    r"|verdict|remark|assurance|belief|assumption|phrase|wording)s?(?: that| of)?|that|to (?:say"
    r"|call|claim|report|state|declare|describe|consider"
    r"|regard|maintain|assert)) "
    r"(?:['\"]|(?:[\w-]+ ){0,6}?)(?P<outer>no|none|not|without|free (?:of|from)|clear (?:of|from)"
    r"|lacks?|lacking|devoid of|(?:the )?absence of)"
    rf"\b(?P<gap>[^.;:]*?)(?P<inner>{_FALSE})\b"
)
"""A denial that is called false."""
_WRONG_TO = re.compile(
    r"\b(?P<outer>(?:wrong|inaccurate|untrue|false|incorrect|mistaken|a mistake|an error|misleading"
    r"|unjustified|rash)"
    r" (?:to|that)|(?:hardly|not|no longer|scarcely|never|by no means"
    r"|far from) (?:\w+ )?(?:correct|true"
    r"|right|accurate|fair)"
    r" (?:that|to (?:say|claim|state|call|report)(?: that)?)|disagree(?:s|d)? that|(?:difficult"
    r"|hard|impossible) to (?:believe|argue|maintain|pretend|defend|uphold|imagine|accept"
    r"|credit)(?: that)?"
    r"|contests? that|reject\w* the (?:view|claim|idea|notion|reading) that|(?:unlike"
    r"|contrary to) the (?:\w+ )?"
    r"(?:report|view|claim|reading)(?: that| of)?)(?P<gap> (?:[\w-]+ ){0,6}?)(?P<inner>no|not"
    r"|(?:has|have|had|is|are|with) no|(?:the )?(?:absence|lack) of"
    r"|free (?:of|from)"
    r"|clear (?:of|from)|without|deny|exclude)\b"
)
_RELATIVE = re.compile(
    r"\b(?P<outer>no|not (?:one|a|a single|any)|hardly (?:a|any)"
    r"|nowhere) +(?P<gap>(?:[\w'-]+ +){0,6}?"
    r"(?:that|which|where|whose)\b(?: [\w-]+){0,4}? )(?P<inner>(?:is|are|has|have|does"
    r"|do)(?: \w+ly)? not)\b"
)
_LASTS = re.compile(
    r"\b(?:(?P<outer>none of|neither of|not one of|not all(?: of)?|nor (?:has|have|is|are))"
    r"(?P<gap> (?:(?!and\b|or\b|but\b)[\w-]+ ){1,6}?)"
    r"(?P<inner>(?:has |have |is |are )?(?:yet |now |been |\w+ly )*"
    rf"(?:{LEFT_BEHIND}))|(?P<outer2>(?:not|never|in no way|by no means|nowhere near|hardly"
    rf"|scarcely)"
    rf"(?: yet| been| \w+ly| quite| at all)* (?:{LEFT_BEHIND})))\b"
)
"""What has not gone."""
_OF_ABSENCE = re.compile(
    rf"\b(?P<outer>no|without(?: any)?|not (?:an?|the|any))"
    rf" +(?P<gap>)(?P<inner>(?:(?:evidence|signs?|hint|trace|proof|suggestion|indication|question"
    rf"|case) of )?(?:\w+ )?{_ABSENCE} of)\b"
)
_ATTRIBUTE = re.compile(
    r"\b(?:of (?:which|these|them|those)[ ,]+)?(?P<outer>(?:none|neither"
    r"|not one)(?: of\b)?)(?P<gap>(?: (?:which"
    r"|them|these|those|the two|the (?:\w+ ){0,2}\w+))?[ ,]+(?:(?:however|though|yet)[ ,]+)?)"
    r"(?P<inner>is|are|has|have|looks?|appears?|shows?)(?= (?:\w+ly )?"
    r"(?:cavit|calcif|spicul|displac|new|large|acute|tension|under tension|locul|heal|suspic"
    r"|malig|big"
    r"|recent|healing|grow|enlarg|chang|more than|over|above|wide|thick|active|worse|smaller|dense"
    r"|kink|malposition|misplac|blocked|coiled|fractured|broken|dislodged|out of place|solid"
    r"|measur|significant|loculat|mass-like|round|an air|air|fluid level))"
)
"""Denies an attribute of findings that are there: "of which none is cavitated"."""
_STOP = (
    r"(?:and|but|or|nor|no|not|since|after|when|because|with|although|though|until|while|as|if|now"
    r"|for|so|there|before|which (?:was|were)|that (?:was|were))"
)
_GONE_DENIED = re.compile(
    rf"\b(?:that|claim|statement|idea|view|report) (?P<gap>(?:the |this |any "
    rf"|an? )?(?:[\w-]+ ){{1,6}}?)"
    rf"(?P<outer>(?:has|have|is|are|was|were) (?:\w+ly |been |all )*(?:{LEFT_BEHIND}|absent|missing"
    rf"|lacking))"
    rf"(?P<rest>(?: (?!and\b|but\b|or\b)[\w-]+){{0,4}}? )(?P<inner>{_FALSE})\b"
    rf"|^\W*(?P<outer2>absent|missing|lacking|gone)(?= [^.;,]{{1,40}}? (?:is"
    rf"|are) (?P<inner2>not)\W*$)"
)
_SAID_GONE = re.compile(
    rf"\b(?P<outer>not|never|hardly|scarcely|barely|by no means|far from|anything but|nothing"
    rf"|nobody|no one|cannot|nowhere|in no (?:way|sense|respect)|at no time|(?:at|in|on) neither"
    rf"|no(?= (?:\w+ ){{1,2}}(?:in|of|on|from"
    rf"|that"
    rf"|which|where|whose)"
    rf" (?:which|whose|the|that|all)?))"
    rf"(?P<gap>(?: (?!{_STOP}\b)[\w'-]+){{0,11}}? )"
    rf"(?P<inner>(?:(?:has|have|had|is|are|being) )?(?:\w+ly |been |all |now |to be )*"
    rf"(?:{LEFT_BEHIND}|absent|missing|lacking|wanting|spared|escaped|avoided))\b(?! (?:of|from"
    rf"|to|with))"
)
"""A denied claim that a finding has gone, with the finding between: "it is not so that the effusion
has gone"."""
_CLAIM_STEMS = (
    "wrong",
    "false",
    "true",
    "correct",
    "mistake",
    "error",
    "disagree",
    "believe",
    "accept",
    "credit",
    "contest",
    "reject",
    "unlike",
    "contrary",
    "not",
    "refuted",
    "unfounded",
    "mislead",
    "argu",
    "maintain",
    "pretend",
    "defend",
    "uphold",
    "imagine",
)
_LASTS_STEMS = (
    "none of",
    "neither of",
    "not ",
    "nor ",
    "never",
    "no way",
    "no means",
    "hardly",
    "scarcely",
)
_OUTER_STEMS = (
    *_LASTS_STEMS,
    "nowhere",
    "neither",
    "not",
    "far from",
    "anything",
    "nothing",
    "nobody",
    "no ",
    "barely",
)
_OBJECT = re.compile(
    rf"\s*(?:(?:any|an?|the|new|acute|focal|evidence of|seen|longer)\s+)*(?:\w+ ){{0,2}}?{_FINDING}"
)
_INNER_STEMS = (
    *("free ", "clear ", "devoid", "bare ", "void ", "empty", "innocent", "rid of", "exempt"),
    *(
        "immune",
        "without",
        "lack",
        "spared",
        "unaff",
        "untou",
        "unacc",
        "unass",
        "uncomp",
        "unmark",
    ),
    *("wanting", "escap", "avoid", "absen", "missing", "negative for", "that ", "which ", "where "),
    *(
        "safe ",
        "overlook",
        "miss",
        "deny",
        "denie",
        "ignor",
        "disput",
        "contrad",
        "refut",
        "gainsa",
    ),
    *(
        "mistak",
        "fail",
        "shortage",
        "scarcity",
        "dearth",
        "paucity",
        " against",
        "want of",
        "disapp",
        "resol",
        "clearance",
        "clearing",
        "removal",
    ),
)


def undoubled(text: str) -> str:
    """The text with each pair of denials blanked."""
    if "none" in text or "neither" in text or "not one" in text:
        text = _ATTRIBUTE.sub(_blanked, text)
    if holds(text, _CLAIM_STEMS):
        text = _WRONG_TO.sub(_blanked, _CLAIM.sub(_blanked, text))
        text = _GONE_DENIED.sub(_blanked, text)
    if holds(text, _OUTER_STEMS):
        text = _SAID_GONE.sub(_said_gone, text)
    if holds(text, _LASTS_STEMS):
        text = _LASTS.sub(_blanked, text)
    if not holds(text, _INNER_STEMS):
        return text
    for pattern in (_DOUBLE, _RELATIVE, _OF_ABSENCE):
        text = pattern.sub(_blanked, text)
    return text


def _said_gone(match: re.Match[str]) -> str:
    """Blanked, unless the first word denies the finding itself: "no effusion" is no claim."""
    claims = re.search(
        r"\b(?:that|which|whose|say|claim|call|state|think|than|deal\w*)\b", match["gap"]
    )
    free = match["outer"] in ("nowhere", "at no time") or "neither" in match["outer"]
    if not claims and not free and _OBJECT.match(match["gap"]):
        return match.group()
    return _blanked(match)


def _blanked(match: re.Match[str]) -> str:
    whole, start = match.group(), match.start()
    for name in ("outer", "inner", "outer2", "inner2"):
        if name not in match.re.groupindex or match.group(name) is None:
            continue
        low, high = (at - start for at in match.span(name))
        kept = "is" if whole[low:high].startswith(("that is", "that are", "is ", "are ")) else ""
        whole = whole[:low] + kept.rjust(high - low) + whole[high:]
    return whole
