"""Does a completion decline to answer?

Many models add to a good answer that they are no doctor, so one sentence proves nothing: a refusal
begins with declining, and says nothing else that answers the question. Ways to decline have no
end, what a report speaks of has: a clause in which the writer denies something of himself and that
names nothing of a film declines; with such a name it does where the film as a whole or the task is
what he cannot do. tests/evaluation/refusal_texts.py has the texts that the rules were held to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from chexone_ray import boxes
from chexone_ray.answers import chosen_options
from chexone_ray.kinds import KINDS, form
from chexone_ray.metrics.denied import denies
from chexone_ray.metrics.labeller import read_report
from chexone_ray.metrics.labels import RULES
from chexone_ray.metrics.signature import rules_of
from chexone_ray.options import leading_class

_HERE = Path(__file__).parent
READING = rules_of(
    (
        *(
            _HERE.parent / f"{name}.py"
            for name in ("answers", "boxes", "kinds", "options", "prose", "sentences")
        ),
        _HERE.parent / "metrics" / "denied.py",
        _HERE / "refusals.py",
    ),
    RULES,
)
"""What answers are read by, options, boxes, denials and refusals, as signatures name it: with a
digest of these rules."""

_ADVERB = r"(?: (?:\w+ly|also|just|even|not))?"
_CANNOT = (
    r"(?:(?:\bI|,? and|,? or|,? so|^)" + _ADVERB + r" (?:cannot|can't|can not|could not|couldn't"
    r"|won't|will not)"
    r"|\b(?:I(?:'m| am| was)|and am|but am)" + _ADVERB + r" (?:unable|not able) to)"
)
_IMPERSONAL = r"^(?:sorry,? )?(?:cannot|can't|can not|unable to|not able to)"
_NO_VERB = (
    r"(?!(?:be|exclude|rule|confirm|appreciate|differentiate|distinguish|replace|say|call)\b)"
)
"""What reports say that they cannot do, whatever they do it to."""
_PERCEIVE = (
    r"(?:see|find|detect|identify|locate|visuali[sz]e|recogni[sz]e|discern|measure|make out|spot)"
)
_OPEN_VERB = _NO_VERB + r"[a-z]+(?: (?:on|at|to|with|about|up|into|out|for))?(?: you)?"
_FILMS = r"(?:images?|pictures?|photos?|photographs?|x-?rays?|radiographs?|films?|scans?)"
_THING = (
    rf"(?:{_FILMS}|stud(?:y|ies)|exams?|examinations?|contents?|files?|attachments?|requests?"
    r"|questions?|tasks?|prompts?|instructions?|diagnos[ie]s|interpretations?|advice|opinions?"
    r"|reports?|answers?|analys[ie]s|assessments?|evaluations?|descriptions?|information"
    r"|coordinates|box(?:es)?|help|assistance|impressions?|responses?|readings?|options?"
    r"|statements?|recommendations?|people|individuals|(?:medical|health) conditions)"
)
"""What is asked about and for, never what is seen on a film."""
_ASKED_FOR = re.compile(rf"\b{_THING}\b", re.IGNORECASE)
_WORD = (
    r"(?:yes or no |(?!(?:in|on|of|from|for|with|due|because|as|to|at|by|and|or|than|between|prior"
    r"|previous|earlier|comparison|lateral|no)\b)[\w'/-]+ )"
)
_OF_FILMS_AT_ALL = (
    r"(?:[\w-]+ ){1,5}(?:in|from|on|about|regarding|based on|using) (?:any |such )?"
    r"(?:(?:medical|clinical|diagnostic|radiolog\w+|radiographic|chest|x-?ray) ){0,3}"
    r"(?:images|pictures|photos|x-?rays|radiographs|films|scans|imaging)\b"
)
_WHOLE = rf"{_WORD}{{0,5}}?{_THING}\b(?! (?:quality|edges?|margins?|borders?)\b)"
_LEFT_OUT = (
    r"(?:$|(?:this|that|it|these|those|so|anything|further)\b"
    r"(?=\W*$|,| (?:from|for|as|because|based|without|or|and|at|request|here|now)\b)"
    r"|(?:from|based|without|using|until|unless|as|because|since|or|at this time)\b|[,:])"
)
_TASK_VERB = (
    r"(?:provide|offer|answer|assist|help|interpret|analy[sz]e|diagnose|comply|fulfil+|complete"
    r"|process|generate|proceed|continue|respond)"
)
_DECLINES = re.compile(
    rf"(?:{_CANNOT}|{_IMPERSONAL}){_ADVERB} (?:{_OPEN_VERB} (?:{_WHOLE}|{_OF_FILMS_AT_ALL})"
    r"|(?:help|assist|comply)\b)"
    rf"|{_CANNOT}{_ADVERB} (?!{_PERCEIVE}\b){_OPEN_VERB} ?{_LEFT_OUT}"
    rf"|{_IMPERSONAL}{_ADVERB} {_TASK_VERB} ?{_LEFT_OUT}",
    re.IGNORECASE,
)
_UNDECIDED = re.compile(
    rf"{_CANNOT}{_ADVERB} (?:determine|tell(?: you)?|say|decide|judge|know)"
    r" (?:whether|if|which|what|where)\b",
    re.IGNORECASE,
)
"""A refusal of a question with few answers; elsewhere a doubt about one finding."""
_NO_FILM = re.compile(
    rf"\bno {_WORD}{{0,2}}?{_FILMS} (?:was|were|is|are|has been|have been) (?:provided|attached"
    rf"|uploaded|shared|included|given)\b|\b{_FILMS} (?:(?:was|is|were|are|could) )?not (?:be )?"
    rf"(?:found|loaded|opened|accessible|accessed|received)\b"
    rf"|\baccess to {_WORD}{{0,3}}?{_FILMS} (?:was|is) denied\b",
    re.IGNORECASE,
)
_SELF = re.compile(r"\b(?:I|me|my|AI|our|assistant|(?:this|your|the) request)\b", re.IGNORECASE)
_NOT = re.compile(
    r"\b(?:not|cannot|no|unable|never|none|nothing|only (?:able|process|text)|rather|pass on"
    r"|declin\w+|refus\w+|refrain"
    r"|abstain|lacks?|without|against|beyond|outside|exceeds?|violat\w+|prevents?|prohibit\w*"
    r"|forbid\w*|restrict\w*|bars?|preclude\w*|impossible|inappropriate|unethical|unsafe)\b|n't\b",
    re.IGNORECASE,
)
_SEEN = re.compile(
    r"\b(?:lungs?|lobes?|bases?|basal|apex|apices|apical|heart|cardiac|mediastin\w+|hil(?:um|a|ar)"
    r"|ribs?|bones?|spine|\w*diaphragms?|angles?|sulc\w+|pleura\w*|costophrenic|airways?|trachea\w*"
    r"|tubes?|catheters?|lines?|leads?|devices?|tips?|nodules?|lesions?|opacit\w+|abnormality"
    r"|fractures?|evidence|acute|focal|interval|changes?|comparisons?|priors?|previous|earlier"
    r"|lateral|size|position|left|right|sides?|bilateral|definite|pathology|problems?)\b",
    re.IGNORECASE,
)
"""Words of reports, which a writer who only declines does not need."""
_OPINION = re.compile(
    r"\bI(?:'d)? (?:(?:can|cannot|can't|could|do|don't|not|would|am able to) )*"
    r"(?:think|believe|call"
    rf"|(?<=would )say|(?<='d )say|note|notice|observe|{_PERCEIVE})\b"
    rf"(?! (?:that )?I\b| (?!that\b)(?:(?:any|an|the|your) )?{_WORD}{{0,2}}?{_FILMS}\b)"
    r"|\bmy (?:impression|view|opinion|reading) is\b|\bin my (?:view|opinion)\b",
    re.IGNORECASE,
)
"""What a writer sees, or not, and makes of it."""
_AN_AI = re.compile(r"\bas an AI\b|\bI(?:'m| am) (?:just |only )?an AI\b", re.IGNORECASE)
_ONLY_AN_AI = re.compile(
    r"(?:please (?:note|be aware) that )?I(?:'m| am) (?:just |only )?an AI"
    r"(?: (?:language|chat|large|based|model|assistant|chatbot|system|program|tool))*"
    r"(?:,? (?:and )?not an? .*(?:radiologist|physician|doctor|professional|advice))?",
    re.IGNORECASE,
)
_ADVISES = re.compile(
    r"\b(?:consult|seek|see|contact|speak (?:to|with)|ask|advise|refer|reviewed|evaluated"
    r"|interpreted)\b",
    re.IGNORECASE,
)
_ADVISER = re.compile(
    r"\b(?:radiologists?|physicians?|doctors?|professionals?|providers?|specialists?|advice)\b",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:I(?:'m| am) (?:very |really )?sorry|sorry|apologies|I apologi[sz]e|thank you|thanks"
    r"|I understand"
    r"|please (?:provide|share|upload|consult|see|describe)|(?:could|can) you"
    r"|if you (?:have|need|can|could|would|want|provide|describe|share)|let me know|feel free"
    r"|disclaimer|of course|I(?:'d| would) be happy)\b.*",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:(?:unfortunately|sorry|I'm sorry|I am sorry|as an? |based on|from|without|with|at this"
    r"|currently|given|please note|disclaimer|I regret|I'm afraid|I am afraid|(?:al)?though|while"
    r"|I(?:'m| am) (?:not|just|only|an?)|so|therefore)\b.*)?",
    re.IGNORECASE,
)
"""What may stand before "I cannot" and says nothing."""
_NORMAL = re.compile(r"\b(?:normal|unremarkable|clear|no acute|within normal limits)\b", re.I)
_SPACE = re.compile(r"\s+")
_CUT = re.compile(
    r"(?<=[.!?])[*_\"')]*\s+|\n+|[;:]\s+|,?\s+\b(?:but|yet)\b,?\s+"
    r"|,\s+(?!(?:as|since|because|which|so|that|who|please|and|if|I)\b)"
    r"(?=[^,.;]*\b(?:is|are|shows?|looks?|appears?|seems?|demonstrates?|suggests?|reveals?)\b)"
    r"|,?\s*\b(?:however|nevertheless|that said)\b,?\s*",
    re.IGNORECASE,
)
"""Sentences, what follows a colon, "but" or "however", and a second main clause."""
_HEADER = re.compile(
    r"(?:findings|impression|answer|response|report|note|conclusion|assistant|disclaimer"
    r"|unfortunately|regrettably|error)",
    re.IGNORECASE,
)
_EMPTY = " .,:;!?*_#-\"'"


def refused(text: str, kind: str = "", options: Sequence[str] = ()) -> bool:
    """True where a completion says that it will not or cannot answer, and does not.

    What names an option, a class or a box as a whole is an answer, however it is worded. Else the
    clause that the text begins with declines, courtesies aside: the writer cannot or may not, and
    not a finding but the film, the task or a rule is what it is about. In the rest there is no
    option, box, denial of a box or finding, as the kind asks for; of other kinds there is no rest
    but advice. "I cannot exclude a small effusion" is an answer. To be asked only where no final
    box was found.
    """
    chosen, one_of = tuple(options), form(kind) == "options"
    if _names_one(text, kind, chosen):
        return False
    clauses = list(_clauses(text))
    opening = next((clause for clause in clauses if not _is_courtesy(clause)), "")
    if _declines_at(opening, one_of) is None and not _is_of_ai(opening):
        return False
    rest = [told for clause in clauses if (told := _without_declining(clause, one_of))]
    return not _answers(rest, kind, chosen)


def _names_one(text: str, kind: str, options: tuple[str, ...]) -> bool:
    """True where the text is one of the answers that the kind has, as its metric reads it."""
    if form(kind) == "boxes":
        return bool(boxes.decode(text) or denies(text))
    on_offer = frozenset[str]().union(*(chosen_options(option, options) for option in options))
    if on_offer and on_offer & chosen_options(text, options):
        return True
    return kind in KINDS and bool(leading_class(text, KINDS[kind].classes))


def _answers(rest: Sequence[str], kind: str, options: tuple[str, ...]) -> bool:
    known, text = KINDS.get(kind), ". ".join(rest)
    if known and known.form == "boxes":
        denied = any(denies(clause) and not _ASKED_FOR.search(clause) for clause in rest)
        return denied or bool(boxes.decode(text))
    if known and known.form == "report":
        return bool(_labels(text) or _NORMAL.search(text))
    if known and options:
        return _names_one(text, kind, options)
    if known and "no" in known.classes:  # a word of many sentences
        return any(leading_class(clause, known.classes) for clause in rest)
    if known and known.classes:
        return any(word in known.classes for word in re.findall(r"\w+", text.lower()))
    return any(not _is_advice(clause) for clause in rest)


def _labels(text: str) -> set[str]:
    return read_report(text).keys() - {"no finding"}


def _clauses(text: str) -> Iterator[str]:
    """Sentences, with what follows "but" and "however" as clauses of their own; no headers."""
    # One space or break each: runs of them would be read again from each of their places.
    told = _SPACE.sub(lambda gap: "\n" if "\n" in gap[0] else " ", text.replace("\u2019", "'"))
    told = re.sub(r"\n(?=[a-z])", " ", told)
    for clause in _CUT.split(told):
        clause = " ".join(clause.split()).strip(_EMPTY)
        if clause and not _HEADER.fullmatch(clause):
            yield clause


def _declines_at(clause: str, one_of: bool) -> int | None:
    """Where a clause begins to decline: at its start where the writer denies something of himself
    and nothing that could be on a film is named."""
    if _NO_FILM.search(clause) or (
        _SELF.search(clause)
        and _NOT.search(clause)
        and not (_SEEN.search(clause) or _OPINION.search(clause))
        and not _labels(clause)
    ):
        return 0
    patterns = (_DECLINES, _UNDECIDED) if one_of else (_DECLINES,)
    found = [match.start() for pattern in patterns if (match := pattern.search(clause))]
    return min(found, default=None)


def _without_declining(clause: str, one_of: bool) -> str:
    """What a clause says before it declines, empty where that is nothing."""
    if _is_courtesy(clause) or _is_of_ai(clause):
        return ""
    at = _declines_at(clause, one_of)
    if at is None:
        return clause
    before = clause[:at].strip(_EMPTY)
    return "" if _LEAD.fullmatch(before) else before


def _is_courtesy(clause: str) -> bool:
    return bool(_COURTESY.fullmatch(clause)) and _declines_at(clause, one_of=True) is None


def _is_advice(clause: str) -> bool:
    """True where a clause names whom to ask instead."""
    begins = _ADVISES.search(clause)
    return bool(begins and _ADVISER.search(clause, begins.end()))


def _is_of_ai(clause: str) -> bool:
    """True where an AI says no more than that it is one, or whom to ask instead."""
    if not _AN_AI.search(clause):
        return False
    return bool(_ONLY_AN_AI.fullmatch(clause) or _is_advice(clause))
