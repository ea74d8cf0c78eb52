"""Radiology report text -> its sections, by headers at the start of a line.

Our own parser; the sections mean what they mean in the common MIMIC-CXR sectioning: several header
spellings lead to one section, "findings and impression" counts as impression, and a report that
has neither section gives its last paragraph, here as the impression, other than one that only says
who was told. A header that names the film ("PA AND LATERAL VIEWS OF THE CHEST") begins findings.
Other unknown headers in the findings are the parts of a structured report, and stay there as
"Lungs: Clear."; elsewhere their text ends up nowhere.

An indication or comparison ends at its first blank line: questions show it, and what follows it
without a header is the body of the report. That is the findings where the report has no section of
that name, and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECTIONS: dict[str, tuple[str, ...]] = {
    "findings": (
        "findings",
        "finding",
        "report",
        "chest",
        "ap chest",
        "pa chest",
        "chest ap",
        "chest pa and lateral",
        "chest two views",
        "two views of the chest",
        "one view of the chest",
        "single view of the chest",
        "portable chest",
        "frontal view of the chest",
        "frontal and lateral views of the chest",
        "portable ap chest radiograph",
    ),
    "impression": (
        "impression",
        "impressions",
        "conclusion",
        "conclusions",
        "summary",
        "opinion",
        "findings and impression",
        "findings impression",
        "impression and findings",
        "final impression",
        "impression and recommendation",
    ),
    "indication": (
        "indication",
        "indications",
        "history",
        "clinical history",
        "clinical information",
        "clinical indication",
        "reason for exam",
        "reason for examination",
        "reason for the exam",
        "reason",
        "patient history",
        "history and indication",
    ),
    "comparison": (
        "comparison",
        "comparisons",
        "comparison exam",
        "comparison study",
    ),
    "other": (
        "examination",
        "exam",
        "study",
        "technique",
        "procedure",
        "type of examination",
        "recommendation",
        "recommendations",
        "notification",
        "wet read",
        "final report",
        "addendum",
        "attending",
        "date",
        "notifications",
        "communication",
        "dictated by",
        "signed by",
        "electronically signed by",
        "interpreted by",
        "transcribed by",
    ),
}
_SECTION_OF = {header: section for section, headers in _SECTIONS.items() for header in headers}
_FILM = re.compile(
    r"(?=.*\b(?:chest|thorax|cxr)\b)(?:\b(?:ap|pa|lat(?:eral)?|frontal|portable|bedside|upright|erect"
    r"|semi(?:upright|erect)?|supine|decubitus|one|two|three|[1-3]|single|views?|images?|films?"
    r"|radiograph(?:s|y)?|x|rays?|xray|cxr|of|the|and|with|an?|chest|thorax)\b ?)+"
)
"""The words of a header that only names the film."""
_NOTIFICATION = re.compile(
    r"\b(?:(?:was|were|been) (?:informed|notified|paged|alerted|telephoned|discussed|communicated"
    r"|conveyed|relayed)|discussed with|communicated (?:to|with|by)|notified|telephoned"
    r"|(?:by|via|over)(?: the)? (?:tele)?(?:phone|page|pager))\b"
    r"|^(?:dictated|transcribed|(?:electronically )?signed|approved)\b",
    re.IGNORECASE,
)
"""Who was told of the report, when and how, or who signed it."""
_FIRST_SENTENCE_END = re.compile(r"(?<!\b[Dd]r\.)(?<=[.!?])\s")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_SHOWN = frozenset({"indication", "comparison"})
"""Sections that a question may show, so no word of the answer may be in them."""
_HEADER = re.compile(r"^[ \t]*([A-Z][A-Z0-9 /,&()'.-]{2,60}?)[ \t]*:", re.MULTILINE)
_MIXED_HEADER = re.compile(
    r"^[ \t]*(Findings?|Impressions?|Conclusions?|Indications?|Comparisons?|History)[ \t]*:",
    re.MULTILINE,
)


_INLINE_HEADER = re.compile(
    r"(?:^|\s+)((?:"
    + "|".join(
        header.upper().replace(" AND ", r"[\s/]+(?:AND|&)\s+").replace(" ", r"[\s/,]+")
        for header in sorted(_SECTION_OF, key=len, reverse=True)
    )
    + r")\s*:)"
)


@dataclass(frozen=True)
class Sections:
    """Sections of one report, white space folded; empty where absent."""

    findings: str = ""
    impression: str = ""
    indication: str = ""
    comparison: str = ""


def read_sections(text: str) -> Sections:
    """The sections of `text`. Later sections of one kind follow the earlier ones."""
    marks = sorted(
        [(found.start(), found.end(), found.group(1)) for found in _HEADER.finditer(text)]
        + [(found.start(), found.end(), found.group(1)) for found in _MIXED_HEADER.finditer(text)]
    )
    names = [header.upper() for _, _, header in marks]
    has_findings = any("FINDING" in name or _section(name) == "findings" for name in names)
    parts: dict[str, list[str]] = {}
    section = ""
    for number, (_, end, header) in enumerate(marks):
        stop = marks[number + 1][0] if number + 1 < len(marks) else len(text)
        known = _section(header)
        body, rest = text[end:stop], ""
        if known in _SHOWN:
            body, rest = _shown_paragraph(body, has_findings)
        body = _fold(body)
        if not known and section == "findings":
            body = _structured(header, body)
        else:
            section = known or "other"
        if body:
            parts.setdefault(section, []).append(body)
        if not has_findings:
            parts.setdefault("findings", []).extend(_told_paragraphs(rest))
    joined = {name: " ".join(bodies) for name, bodies in parts.items()}
    findings, impression = joined.get("findings", ""), joined.get("impression", "")
    if not findings and not impression and section not in _SHOWN:
        impression = _last_paragraph(text[marks[-1][1] :] if marks else text)
    return Sections(
        findings, impression, joined.get("indication", ""), joined.get("comparison", "")
    )


def broken_at_headers(text: str) -> str:
    """A report that is one line, with a line for each of its headers; others as they are."""
    text = text.strip()
    return text if "\n" in text else _INLINE_HEADER.sub(r"\n\1", text).strip()


def _section(header: str) -> str:
    """The section of a header, empty for an unknown one."""
    key = " ".join(re.sub(r"[^a-z0-9 ]", " ", header.lower().replace("&", " and ")).split())
    return _SECTION_OF.get(key, "findings" if _FILM.fullmatch(key) else "")


def _structured(header: str, body: str) -> str:
    """One part of structured findings as a sentence that still names what it is about."""
    if not body:
        return ""
    end = "" if body.endswith((".", "!", "?")) else "."
    return f"{_fold(header).capitalize()}: {body}{end}"


def _fold(text: str) -> str:
    """One line a paragraph, paragraphs one space apart."""
    return " ".join(text.split())


def _last_paragraph(text: str) -> str:
    """The last paragraph that is not about who was told."""
    return next(iter(reversed(_told_paragraphs(text))), "")


def _shown_paragraph(text: str, has_findings: bool) -> tuple[str, str]:
    """An indication or comparison up to its first blank line, and what follows.

    Where nothing stands beside the header, the next paragraph may be its own or the first of the
    findings: it counts as its own where the findings have a header, else it is left out.
    """
    first, *rest = _BLANK_LINE.split(text, maxsplit=1)
    if first.strip() or not rest:
        return first, "".join(rest)
    first, *rest = _BLANK_LINE.split(rest[0].lstrip(), maxsplit=1)
    return first if has_findings else "", "".join(rest)


def _told_paragraphs(text: str) -> list[str]:
    """The paragraphs, folded, other than those about who was told."""
    folded = (_fold(part) for part in _BLANK_LINE.split(text))
    return [
        part
        for part in folded
        if part and not _NOTIFICATION.search(_FIRST_SENTENCE_END.split(part, maxsplit=1)[0])
    ]
