"""Answers of a form in words that the rule labeller reads: "edema [no]", "cardiomegaly: y".

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re

_YES = r"(?:yes|y|pos|positive|present|\+|1)"
_NO = r"(?:no|n|none|nil|neg|negative|absent|-|0)"
_BRACKET = re.compile(rf"\s*\[\s*(?:(?P<yes>{_YES})|(?P<no>{_NO}))\s*\][,;]?")
_NAME = r"[a-z][a-z /-]{2,40}?"
_FIELD = re.compile(
    rf"(?P<name>\b{_NAME}) ?[:=] ?(?:(?P<yes>{_YES})|(?P<no>{_NO}))"
    rf"(?P<end>(?=\s*(?:[;,.|]|$))|(?= {_NAME} ?[:=]))"
)
"""A field that is followed by a stop or by the next field."""

_PARTS = re.compile(
    rf"\s+/\s+(?={_NAME} ?[:=])|\s*\|\s*(?=[a-z])"
    r"|, (?=[a-z]+(?: [a-z]+)? ?=)|(?<=[a-z])=(?=[a-z])"
)
"""Between two fields."""
_BARE_YES = re.compile(r"(?:^|[,;.] )[a-z][a-z -]{2,40} (?:yes|y)(?=\s*(?:[,;.]|$))")
_BARE = re.compile(
    r"(?:(?<=^)|(?<=[,;.] ))(?P<name>[a-z][a-z -]{2,40}?) (?:(?P<yes>yes|y)|(?P<no>no|n|nil|none))"
    r"(?=\s*(?:[,;.]|$)),?"
)
"""A field without a colon: "effusion no, consolidation yes"."""


def forms(lower: str) -> str:
    """The text with the answers of its form as "present" or "none", each with a stop behind it.
    Answers in brackets stand before their items if the text opens with one."""
    if "[" in lower:
        ahead = _BRACKET.match(lower.strip())

        def said(match: re.Match[str]) -> str:
            if ahead:
                return "; " if match.group("yes") else "; no "
            return ": present;" if match.group("yes") else ": none;"

        lower = _BRACKET.sub(said, lower)
    if "(x)" in lower or "( )" in lower:
        lower = re.sub(r" ?\( ?\),?", ": none;", re.sub(r" ?\(x\),?", ": present;", lower))
    if "=" in lower or "/" in lower or "|" in lower:
        lower = _PARTS.sub(lambda match: ": " if match.group() == "=" else "; ", lower)
    if " y" in lower and _BARE_YES.search(lower):
        lower = _BARE.sub(_answer, lower)
    if ":" in lower or "=" in lower:
        lower = _FIELD.sub(_answer, lower)
    return lower


def _answer(match: re.Match[str]) -> str:
    stop = "" if re.match(r"\s*(?:[;,.|]|$)", match.string[match.end() :]) else ";"
    return f"{match['name']}: {'present' if match['yes'] else 'none'}{stop}"
