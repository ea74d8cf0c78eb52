"""How a report is cut into words, which decides the value of a text metric: signatures name it.

Three conventions of the field, and the one of `rouge-score`. Each is a pure function of a text; an
empty text has no tokens.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import MappingProxyType

from chexone_ray.metrics.porter import stem

Tokens = tuple[str, ...]
Tokeniser = Callable[[str], Tokens]

_PTB = re.compile(
    r"n't\b|'(?:s|m|d|re|ve|ll)\b"  # what follows a cut contraction
    r"|\d+(?:[.,:/]\d+)+"  # 1.5, 1,200, 10:30, 3/4
    r"|\w+(?:[-/]\w+)*"  # words with hyphens and slashes inside, ___ of a removed name
    r"|[^\w\s.,;:?!'\"`()\[\]{}-]"  # %, +, = and the like are words of their own
)
_NOT = re.compile(r"(?<=\w)n't\b")
_ALPHANUMERIC = re.compile(r"[a-z0-9]+")

_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_SYMBOL = re.compile(r"([!-&(-+/:-@\[-`{-~])")
"""ASCII punctuation but for apostrophe, comma, hyphen and full stop."""
_STOP_AFTER_TEXT = re.compile(r"([^0-9])([.,])")
_STOP_BEFORE_TEXT = re.compile(r"([.,])([^0-9])")
_DASH_AFTER_DIGIT = re.compile(r"([0-9])-")


def ptb(text: str) -> Tokens:
    """Lower case, punctuation dropped: the COCO-caption line of papers, without its Java.

    That line runs Stanford's PTBTokenizer and drops a list of punctuation. Equal to it here:
    hyphenated and slashed words and numbers stay whole, "n't" and "'s" are cut off, symbols such as
    "%" stay. It differs where Stanford's knows a language: a full stop is always dropped here, also
    of "Dr." and "U.S."; brackets are dropped, not kept as "-lrb-"; no respelling of quotes,
    fractions or British words; of "cannot" and "gonna" nothing is cut. Reports hold few of these,
    but a figure of ours with "tok:ptb" is not to the last digit a figure of theirs.
    """
    lower = text.lower()
    if "n't" in lower:
        lower = _NOT.sub(" n't", lower)
    return tuple(_PTB.findall(lower))


def words(text: str) -> Tokens:
    """Words and punctuation apart, case kept: the rules of mteval's 13a, sacrebleu's default.

    Stands for the nltk-like tokenisers: nltk's `word_tokenize` cuts contractions too and leaves a
    full stop inside a line with its word.
    """
    line = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    if "&" in line:
        for entity, character in _ENTITIES:
            line = line.replace(entity, character)
    line = _SYMBOL.sub(r" \1 ", f" {line} ")
    line = _STOP_AFTER_TEXT.sub(r"\1 \2 ", line)
    line = _STOP_BEFORE_TEXT.sub(r" \1 \2", line)
    return tuple(_DASH_AFTER_DIGIT.sub(r"\1 - ", line).split())


def rexrank(text: str) -> Tokens:
    """Lower case, cut at spaces and before every full stop, so that those that end a sentence are
    tokens of their own; of "1.5" come "1" and ".5" (CXR-Report-Metric, ReXrank's script).

    As there, no other white space cuts: of "clear.\\nNo edema" come "clear", ".\\nno" and "edema".
    So a report with line breaks and the same without have other figures. A blank text has no
    tokens here; there a line break is one.
    """
    if not text.strip():
        return ()
    return tuple(token for token in text.lower().replace(".", " .").split(" ") if token)


def rouge(text: str) -> Tokens:
    """Lower case, runs of ASCII letters and digits, as `rouge-score` without its stemmer."""
    return tuple(_ALPHANUMERIC.findall(text.lower()))


def stemmed(tokens: Tokens) -> Tokens:
    """Porter's stem of every token of over three characters, as `rouge-score` with its stemmer."""
    return tuple([stem(token) if len(token) > 3 else token for token in tokens])


TOKENISERS: MappingProxyType[str, Tokeniser] = MappingProxyType(
    {"ptb": ptb, "words": words, "rexrank": rexrank, "rouge": rouge}
)
"""Name, as signatures print it -> function."""
