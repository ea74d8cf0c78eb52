"""Answer -> the options, or the class, that it names.

Strict rules (ours): the whole answer as an option, a list of keys or texts, then what running text
settles on (`prose.py`). A key goes before a text that is another option's: "A) pneumonia" and "B
pleural effusion" name A and B, whatever these options read. Only a bare "A" in front of such a text
is an article. Original rules: what the published reward code of CheXOne reads.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

from chexone_ray.kinds import KINDS
from chexone_ray.prose import KEY, settled
from chexone_ray.records import Sample

Rules = Literal["strict", "original", "tags"]

_SEPARATOR = r"\s*(?:(?:[,;/&+]|\band\b)\s*)+|\s+"
_MARKED_KEY = rf"\(\s*(?:{KEY})\s*\)[.:]?|(?:{KEY})[.:)]?"
_KEY_LIST = re.compile(rf"(?:{_MARKED_KEY})(?:(?:{_SEPARATOR})(?:{_MARKED_KEY}))*[.\s]*")
_ONE_KEY = re.compile(rf"\b(?:{KEY})\b")
_PREFIX = re.compile(
    r"^(?:(?:so|thus|therefore|hence|i\s+(?:think|believe|choose|pick|select))\b[,:]?\s*)*"
    r"(?:(?:(?:the|my)\s+)?(?:(?:correct|final|best|right)\s+)*(?:answers?|options?|choices?)\b\s*"
    r"(?:-\s)?|(?:correct|final)\s*(?=[:=])|it(?:'s\b|\u2019s\b|(?=\s+is\b))\s*)?(?:(?:is|are)\b)?\s*[:=]?\s*(?:(?:both|options?|choices?|only|definitely|certainly|clearly|probably)\b\s*)*",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"^(?:the\s+)?(?:(?:correct|final|best|right)\s+)*answer(?:\s+is\b|\s*[:=])\s*", re.IGNORECASE
)
_SUFFIX = re.compile(
    r"(?<!\s)\s+(?:(?:is|are|would\s+be)\s+(?:the\s+)?"
    r"(?:(?:correct|right|best|most\s+likely)\b(?:\s+(?:answers?|options?|choices?))?|answers?)"
    r"|(?:because|since)\b.*)[.!]?$",
    re.IGNORECASE | re.DOTALL,
)
_BULLET = re.compile(r"^[ \t]*[-\u2022][ \t]+", re.MULTILINE)
_BRACKET = re.compile(r"[()]")
_NUMBERED = re.compile(r"(?:^|(?<=[\s,;]))\(?([0-9]{1,2})[.):](?![0-9])[ \t]*")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_DASHES = dict.fromkeys(map(ord, "\u2010\u2012\u2013\u2212"), "-") | {0x2014: " - ", 0x2015: " - "}
_WRITTEN = str.maketrans(
    {"*": None, "`": None, "[": "(", "]": ")", "{": "(", "}": ")", "\u3002": ".", "\u3001": ","}
    | {"|": ","}
)
"""Emphasis, other brackets, bars and East Asian stops, as `unicodedata` leaves them."""
TEXT_COMMAND = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mathsf)\s*\{([^{}]*)\}")
_FENCE = re.compile(r"^\s*```[a-z]*\n|```$", re.IGNORECASE)
_QUOTED = re.compile(rf"([\"'])({KEY}|answers?|options?|choices?)\1", re.IGNORECASE)
_OWN_TEXT = re.compile(rf"({KEY})\s*[\s=:(\-]\s*([^\s,;|/&].*)", re.DOTALL)
_OPTION = re.compile(
    rf"\s*(?:\(\s*({KEY})\s*\)\s*(?:[.:=]|-(?=\s))?|({KEY})\s*[.):])\s*(.*)", re.DOTALL
)
_DOTTED = re.compile(r"[A-Za-z](?:\.[A-Za-z])+")
_VERDICT = re.compile(
    r"(.*[^\s:=\-])\s*[:=\-]\s*(yes|no|true|false|present|absent)", re.IGNORECASE | re.DOTALL
)
_GIVEN = ("yes", "true", "present")
_SPLIT = re.compile(r"[,;\n/&+]|\band\b", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\S)")
_SPACE = re.compile(r"\s+")
_YES_NO = ("yes", "no")
_CLASS_END = (
    r"(?=\s*$|\s*[,.;:!)\n\u2013\u2014]|\s+-\s|"
    r"\s+(?:there|it|they|this|these)\s+(?:is|are|was|were|has|have|does|do|did)(?:n't)?\b)"
)
_NOT_KNOWN = re.compile(
    r"\W*(?:but\s+)?i(?:'m|\s+am|\s+can|\s+could|\s+do)?\s*(?:not\b|n't\b|'t\b|unable\b|unsure\b)",
    re.IGNORECASE,
)
_EDGE = " \t\r\n.,;:!?\"'`*_$\u201c\u201d\u2018\u2019"
_LATER = (
    r"(?:[,.;!?\n/&(\u2013\u2014]|\s-\s|^\s*:)\s*"
    r"(?:(?:or|and|then|but|also|maybe|perhaps|possibly|probably|rather)\s+)*"
    r"({either})(?=\s*(?:[,.;:!?\n/&)\u2013\u2014]|$|\s-\s|\b(?:or|and)\b))"
)
"""A class word that is all of an item of a list or of a sentence."""
_ORIGINAL_BRACKETED = re.compile(r"\(([A-Za-z0-9])\)")
_ORIGINAL_MARKED = re.compile(r"\b([A-Za-z0-9])[.:\uff1a,\s]")
_ORIGINAL_ISOLATED = re.compile(r"\b([A-Za-z0-9])\b")


def chosen_options(
    answer: str, options: tuple[str, ...], rules: Rules = "strict"
) -> frozenset[str]:
    """The options that `answer` names, as upper-case keys ("A") or, where the options carry no key
    or there are none, as normalised text.

    Keys that are not on offer stay in the set, so that they cost something in a comparison. With
    keyed options an answer that names none of them gives the empty set; a leading article "A" is
    no key. Without options the whole answer, normalised, is the one choice.
    """
    if rules == "original":
        return original_options(answer)
    return _chosen(answer, tuple(options))


def choice_of(answer: str, sample: Sample) -> frozenset[str]:
    """The options or the class that `answer` to a row names, by the strict rules.

    Questions with few answers (`classes_of`) take the class word in front of an explanation: "Yes,
    there is an effusion." is yes. Of these and of side and heart size a sentence that names one
    class is read (`sentences.py`), everything else as by `chosen_options`.
    """
    # Imported here: what it reads denials with imports this module.
    from chexone_ray.sentences import CLASSES, class_in

    found = chosen_options(answer, sample.options)
    classes = classes_of(sample)
    spoken = frozenset(classes) or CLASSES.get(sample.kind, frozenset())
    if not spoken or (found and (sample.options or found <= spoken)):
        return found
    shown = frozenset(_shown(sample))
    if not shown <= spoken:  # words of its own
        spoken = frozenset()
    elif sample.options:
        spoken = shown
    word = leading_class(answer, classes) if classes else ""
    word = word or (class_in(answer, sample.question, spoken) if spoken else "")
    return chosen_options(word, sample.options) if word else found


def classes_of(sample: Sample) -> tuple[str, ...]:
    """All answers that a question can have, where they are few and known: those of its kind, or
    yes and no where its options, or without options its right answer, are of these."""
    kind = KINDS.get(sample.kind)
    if kind and kind.classes:
        return kind.classes
    return _YES_NO if set(_shown(sample)) <= set(_YES_NO) else ()


def _shown(sample: Sample) -> tuple[str, ...]:
    return _texts(sample.options) if sample.options else (normalise(sample.answer),)


@lru_cache(maxsize=4_096)
def _texts(options: tuple[str, ...]) -> tuple[str, ...]:
    keyed = _keyed(options)
    return tuple(keyed.values()) if keyed else tuple(map(normalise, options))


@lru_cache(maxsize=16_384)
def leading_class(answer: str, classes: tuple[str, ...]) -> str:
    """The class word that `answer` begins with, or empty.

    The word stands by itself before a stop, a comma or the like or the end ("No.", "Worse: ..."),
    or before "there is", "it does" and so on ("No there is no effusion"). "No acute disease" names
    no class: what it denies need not be what was asked for. Neither does an answer that goes on
    to say that it does not know, or that holds another class alone between stops, commas and the
    like ("yes, no", "better, or worse"). A class word with words of its own is an explanation:
    "Yes, no effusion on the right" is yes.
    """
    plain = plain_text(answer)
    bare = _PREFIX.sub("", plain)
    either = "|".join(map(re.escape, classes))
    led = re.match(rf"(?:the\s+)?({either}){_CLASS_END}", bare, re.IGNORECASE)
    if not led or _NOT_KNOWN.match(bare, led.end()):
        return ""
    # One space each: runs of them would be read again from each of their spaces.
    tail = _SPACE.sub(lambda gap: "\n" if "\n" in gap[0] else " ", bare[led.end() :])
    later = re.findall(_LATER.replace("{either}", either), tail, re.IGNORECASE)
    words = {word.lower() for word in (led.group(1), *later)}
    return words.pop() if len(words) == 1 else ""


def original_options(answer: str) -> frozenset[str]:
    """Option keys as the published reward reads them: the first of four rules that matches wins."""
    for pattern in (_ORIGINAL_BRACKETED, _ORIGINAL_MARKED, _ORIGINAL_ISOLATED):
        found = pattern.findall(answer)
        if found:
            return frozenset(found)
    return frozenset((answer,))


@lru_cache(maxsize=16_384)
def normalise(text: str) -> str:
    """Lower case, one space between words, no punctuation at the edges, no leading article."""
    plain = unicodedata.normalize("NFKC", text).translate(_INVISIBLE).translate(_DASHES)
    return _ARTICLE.sub("", _SPACE.sub(" ", plain).strip(_EDGE).lower())


def plain_text(answer: str) -> str:
    """Without emphasis and what `_as_read` drops, and no punctuation at the edges."""
    return _as_read(answer).translate(_WRITTEN).strip(_EDGE)


def _as_read(answer: str) -> str:
    """Without a code fence, LaTeX's commands for text and characters that are not seen."""
    plain = unicodedata.normalize("NFKC", answer).translate(_INVISIBLE)
    return TEXT_COMMAND.sub(r"\1", _FENCE.sub("", plain))


@lru_cache(maxsize=4_096)
def _keyed(options: tuple[str, ...]) -> dict[str, str] | None:
    """Key -> normalised text; None where not every option carries a key of its own."""
    keyed = {}
    for option in options:
        found = _OPTION.fullmatch(option)
        if not found:
            return None
        keyed[(found.group(1) or found.group(2)).upper()] = normalise(found.group(3))
    return keyed if len(keyed) == len(options) else None


@lru_cache(maxsize=16_384)
def _chosen(answer: str, options: tuple[str, ...]) -> frozenset[str]:
    whole = normalise(answer)
    if not whole and not options:
        return frozenset()
    plain = _QUOTED.sub(r"\2", _as_read(answer)).translate(_WRITTEN).translate(_DASHES)
    plain = _inside(_BULLET.sub("", plain).strip(_EDGE))
    keyed = _keyed(options)
    told = _inside(_PREFIX.sub("", plain).strip(_EDGE))
    if not (keyed and any(map(str.isdigit, keyed))):
        plain, told = _unnumbered(plain).strip(_EDGE), _unnumbered(told).strip(_EDGE)
    bare = _inside(_SUFFIX.sub("", told).strip(_EDGE))
    if not options:
        return frozenset((normalise(_STATED.sub("", plain)) or whole,))
    if keyed is None:
        by_text = {normalise(option): normalise(option) for option in options}
        return _by_text(answer, by_text) or _by_text(bare, by_text)
    by_text = {text: key for key, text in keyed.items() if text}
    # The whole first: an option may read "2" or "A and B", which are keys too.
    for candidate in (plain, told, bare):
        exact = _part(candidate, keyed, by_text)
        if exact:
            return frozenset((exact,))
    for candidate in (plain, bare, bare.removeprefix("(").removesuffix(")")):
        if _KEY_LIST.fullmatch(candidate):
            return frozenset(key.upper() for key in _ONE_KEY.findall(candidate))
    if _DOTTED.fullmatch(bare) and set(bare.upper().split(".")) <= keyed.keys():
        return frozenset(bare.upper().split("."))
    listed = _by_text(answer, by_text) or _by_parts(bare, keyed, by_text)
    if listed:
        return listed
    given = _by_verdicts(bare, keyed, by_text)
    if given is not None:
        return given
    preamble = _PREFIX.match(plain)
    return settled(plain, preamble.end() if preamble else 0, keyed)


def _inside(text: str) -> str:
    """What brackets hold that are around all of a text: "(A, C)", "(answer: (A, C))"."""
    if text[:1] != "(" or text[-1:] != ")":
        return text
    depth = 0
    for mark in _BRACKET.finditer(text):
        depth += 1 if mark[0] == "(" else -1
        if not depth:
            return text[1:-1].strip(_EDGE) if mark.end() == len(text) else text
    return text


def _unnumbered(text: str) -> str:
    """A list that is numbered 1, 2 and so on from its start, one item a line, without numbers."""
    marks = list(_NUMBERED.finditer(text))
    in_order = [int(mark[1]) for mark in marks] == list(range(1, len(marks) + 1))
    return _NUMBERED.sub("\n", text) if marks and not marks[0].start() and in_order else text


def _by_text(answer: str, by_text: dict[str, str]) -> frozenset[str]:
    """Options whose text the answer is, alone or as a list of nothing but option texts."""
    whole = normalise(answer)
    if whole in by_text:
        return frozenset((by_text[whole],))
    parts = [part for part in map(normalise, _SPLIT.split(answer)) if part]
    if parts and all(part in by_text for part in parts):
        return frozenset(by_text[part] for part in parts)
    return frozenset()


def _by_parts(answer: str, keyed: dict[str, str], by_text: dict[str, str]) -> frozenset[str]:
    """Options of a list where every part is a key, a text or a key with its own text: "B pneumonia"
    is option B only where option B reads "pneumonia"."""
    found = set()
    for part in _SPLIT.split(answer):
        if part.strip(_EDGE):
            found.add(_part(part.strip(_EDGE), keyed, by_text))
    return frozenset(key for key in found if key) if None not in found else frozenset()


def _by_verdicts(
    answer: str, keyed: dict[str, str], by_text: dict[str, str]
) -> frozenset[str] | None:
    """The options that a list of nothing but options with a verdict each says yes to ("A: yes", "B:
    no"); None where the answer is no such list, or the options themselves are verdicts."""
    found = set()
    for part in filter(None, (part.strip(_EDGE) for part in _SPLIT.split(answer))):
        said = _VERDICT.fullmatch(part)
        key = _part(said[1].strip(_EDGE), keyed, by_text) if said else None
        if said is None or key is None or said[2].lower() in by_text:
            return None
        if said[2].lower() in _GIVEN:
            found.add(key)
    return frozenset(found)


def _part(part: str, keyed: dict[str, str], by_text: dict[str, str]) -> str | None:
    if part.upper() in keyed:
        return part.upper()
    text = normalise(part)
    if text in by_text:
        return by_text[text]
    for written in (_OPTION, _OWN_TEXT):
        found = written.fullmatch(part)
        if found:
            *keys, own = found.groups()
            key = next(key for key in keys if key).upper()
            texts = (normalise(own), normalise(own.removesuffix(")")))
            if key in keyed and (not own or any(text in by_text for text in texts)):
                return key
    return None
