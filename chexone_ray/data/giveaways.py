r"""Words by which a trace betrays that its writer was told the answer, or never saw the film.

English only, our own lists. Decided as follows:

- Any talk of *the* (this, a, radiology, ...) report counts, also "based on a report"; the verb does
  not ("I would report a nodule", "the patient reports pain"), nor does "no report of trauma", which
  speaks of a history.
- "The radiologist" and a radiologist's impression count; what radiologists generally look for does
  not, nor do the plain headings "Findings:" and "Impression:".
- "Reference" counts beside answer, label and the like, and alone as "the reference"; reference
  lines, points, films and "hilar reference" do not. "The correct answer is B" is how one concludes.
- A label counts as something that was given ("the label", "is labelled as cardiomegaly"); the
  letters on a film do not ("labelled L", "the label on the film").
- "Based on the provided image" is fine, "based on the provided information" is not.
"""

from __future__ import annotations

import re


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(alternatives)})", re.IGNORECASE)


_GIVEN = r"(?:reference|provided|supplied|given|stated|known|expected|gold(?:[- ]standard)?)"
_TOLD_OF = (
    r"(?:answer|report|impression|conclusion|diagnosis|label|response|annotation|caption)s?\b"
)
_NOT_OURS = (
    r"(?:lines?|points?|levels?|planes?|frames?|films?|images?|stud(?:y|ies)|radiographs?"
    r"|structures?|vessels?|marks?|markers?|sides?|heights?|widths?|sizes?|scale|values?)\b"
)
_MARKS = r"(?:ap|pa|lateral|left|right|l|r|portable|upright|supine|erect|semi-?erect|with|by|on)\b"
_PLACE = r"(?:film|image|corner|upper|left|right)\b"
_DATA = r"(?:(?:image|study|dataset|data set|class|disease|finding) )"

TOLD = _any(
    r"ground[- ]truth",
    rf"{_GIVEN} {_TOLD_OF}",
    r"the (?:provided|supplied|given|reference) (?:findings?|text|information|description"
    r"|statements?)\b",
    rf"the reference\b(?! {_NOT_OURS})",
    r"as (?:stated|given|provided|supplied|reported|documented)\b"
    r"(?! (?:above|earlier|before)\b)",
    r"(?:is|are|was|were|been) (?:reported|documented)\b",
    r"(?:i|we) (?:am|are|was|were|have been|'ve been) (?:told|given|provided|informed|supplied)\b",
    r"(?:the|reporting|interpreting|attending|reading|original) radiologists?\b",
    r"radiologist(?:'s|s'|\u2019s|s\u2019) (?:impression|report|read|reading|interpretation|note"
    r"|notes|findings?|description|conclusion|assessment)\b",
    rf"(?:the|this) {_DATA}?labels?\b(?! (?:on|at|in) the {_PLACE}| [\"'(])",
    rf"(?:is|are|was|were|been) labell?ed (?!(?:as )?(?:{_MARKS}|[\"'(]))",
    r"(?:according to|based on|per) (?:the )?(?:labels?|annotations?|caption)\b",
)
"""Speaks of an answer that was known beforehand."""

REPORT = _any(
    r"that report\b",
    r"(?:the|this|a|an|your|his|her|their|its|radiology|radiologic|radiological|radiographic"
    r"|original|official|formal|written|clinical|above|accompanying|corresponding|associated"
    r"|existing|prior|previous|x-?ray|cxr|imaging|medical|patient's|patient\u2019s|per|from)"
    r"(?: (?:radiology|radiologic|radiological|radiographic|original|official|formal|final|written"
    r"|clinical|accompanying|corresponding|attached|x-?ray|cxr|chest|imaging|medical|full)){0,3}"
    r" reports?\b",
    r"(?:findings|impression|indication) sections?\b",
    r"the (?:impression|findings|text|description) (?:states?|says?|notes?|mentions?|reads?"
    r"|describes?|specif(?:y|ies)|reports?|documents?)\b",
    r"(?:according to|as per|based on|stated in|mentioned in|noted in|described in) (?:the |this )?"
    r"(?:written )?(?:impression|text|description|findings section|dictation|narrative)\b",
)
"""Speaks of a report or another text beside the film."""

_FILM = r"(?:image|film|x-?ray|radiograph|picture|scan|photograph)s?\b"
_WORDS = r"(?:(?:the|this|these|that|any|an?|actual|provided|attached|your|chest|such) )*"
_OTHER = r"[- ](?:quality|findings?|signs?|art[ei]facts?|like)\b"
_SEE = r"(?:see|view|access|open|look at|analy[sz]e|interpret|examine|process|display|inspect)"

IMAGE_FREE = _any(
    rf"(?:can(?:not|'t|\u2019t| not)|could(?: not|n't|n\u2019t)|unable to|not able to"
    rf"|do(?: not|n't|n\u2019t)) (?:\w+ly )?{_SEE} {_WORDS}{_FILM}",
    rf"(?:no|without(?: (?:seeing|viewing|access to|having))?) {_WORDS}{_FILM}"
    r" (?:is|are|was|were|has been|have been)? ?"
    r"(?:provided|attached|available|given|shown|supplied|uploaded|included|accessible)\b",
    rf"(?:there (?:is|was) no|without (?:seeing|viewing|access to|having)|do not have|don't have"
    rf"|have no(?: access to)?|in the absence of) {_WORDS}{_FILM}(?!{_OTHER})",
    rf"{_FILM} (?:is|are|was|were|has|have|could|can)(?: not|n't|not)(?: be| been)?"
    r" (?:provided|attached|available|accessible|given|supplied|uploaded|viewed|displayed)\b",
    r"as an? (?:ai|artificial intelligence|(?:large )?(?:vision[- ])?language model|llm"
    r"|(?:text|virtual)[- ]?(?:based )?(?:model|assistant))\b",
    r"i am an? (?:ai|artificial intelligence|(?:large )?language model|llm|text[- ]based model)\b",
    r"based (?:\w+ly )?(?:on|upon) (?:(?:the|this|your|only) )*"
    r"(?:(?:provided|given|available|supplied|written|clinical) )*"
    r"(?:text\w*|information|descriptions?|statements?|questions?|answers?|context|prompt|wording"
    r"|options)\b(?! (?:in|on|from|of) (?:the|this) (?:image|film|radiograph|x-?ray))",
    r"assuming\b(?! an? (?:\w+[- ]?)?(?:shape|configuration|position|course|form|contour|\w+ed\b))",
    r"(?:i|we|i'll|i\u2019ll|let us|let's|let\u2019s|must|would|will) assume\b",
    r"hypothetical(?:ly)?\b",
    rf"{_FILM} (?:would|should|might|could) (?:\w+ly )?(?:show|demonstrate|reveal|display)\b",
)
"""Speaks as one who has no film before the eyes."""

_SPACE = re.compile(r"\s+")


def mentions_report(trace: str, text_shown: bool = False) -> bool:
    """True where the trace speaks of a report or of a known answer.

    With `text_shown` the question itself quotes a report, so that the trace may speak of it; of a
    known answer it may not even then.
    """
    flat = _SPACE.sub(" ", trace)
    return bool(TOLD.search(flat) or (not text_shown and REPORT.search(flat)))


def image_free(trace: str) -> bool:
    """True where the trace speaks as if there were no film."""
    return bool(IMAGE_FREE.search(_SPACE.sub(" ", trace)))
