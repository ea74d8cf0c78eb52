"""Misspelt words of a report, mended before the rule labeller reads it.

A word of six letters or more that lies one slip (a letter lost, doubled, changed, or two swapped)
from a word of `_WORDS`, with the same first and last letter, becomes that word.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LIST = """
absence absent airspace appreciated atelectases atelectasis atelectatic blunted blunting
bronchopneumonia cardiac cardiomediastinal cardiomegaly catheter catheters change changed
changes cleared collapse collapsed congested congestion consolidated consolidation
consolidations costophrenic decreased demonstrated device devices effusion effusions
endotracheal enlarged enlargement equivocal evidence exclude excluded fracture fractured
fractures haemothorax haziness hemothorax hydropneumothorax hydrothorax identified improved
increased infection infiltrate infiltrates interstitial interval lesion lesions likely
mediastinal mediastinum nasogastric negative nodular nodule nodules normal oedema opacification
opacities opacity pacemaker pacemakers plaque plaques pleural pneumonia pneumonias
pneumothoraces pneumothorax possible possibly probable probably pulmonary removal removed
resolution resolved reticular silhouette stable sternal suspected suspicious thickening
tracheostomy tumour unchanged vascular visible widened widening without
"""
_WORDS = frozenset(_LIST.split())
_OTHER_LIST = """
ascent chance charge charged cleaned cleaved devise enlarges hemithorax internal legion plural
"""
_OTHERS = frozenset(_OTHER_LIST.split())
"""Words of their own, one slip away from one of `_WORDS`."""
_LONG = re.compile(r"[a-z]{6,}")
_CONTRACTED = re.compile(r"(?<=[a-z])n['\u2019]t\b")
CACHED_WORDS = 8192


def _without_one(word: str) -> set[str]:
    """The word with one inner letter lost."""
    return {word[:at] + word[at + 1 :] for at in range(1, len(word) - 1)}


def _slips() -> dict[str, str]:
    """Misspelling -> word; a changed letter stands as "?"."""
    slips: dict[str, str] = {}
    for word in sorted(_WORDS):
        for at in range(1, len(word) - 1):
            slips[word[:at] + "?" + word[at + 1 :]] = word
            if at < len(word) - 2:
                slips[word[:at] + word[at + 1] + word[at] + word[at + 2 :]] = word
        slips |= dict.fromkeys(_without_one(word), word)
    return slips


_SLIPS = _slips()


@lru_cache(maxsize=CACHED_WORDS)
def _mended(word: str) -> str:
    if word in _WORDS or word in _OTHERS:
        return word
    if word in _SLIPS:
        return _SLIPS[word]
    for shorter in _without_one(word):
        if shorter in _WORDS:
            return shorter
    for at in range(1, len(word) - 1):
        changed = word[:at] + "?" + word[at + 1 :]
        if changed in _SLIPS:
            return _SLIPS[changed]
    return word


_SHORTS = """
hrt heart | ht heart | bilat bilateral | bil bilateral | b/l bilateral | clr clear | unch unchanged
enl enlarged | vasc vascular | cong congestion | inc increased | incr increased | decr decreased
pulm pulmonary | mediast mediastinal |
poss possible | prob probable | susp suspected | cmg cardiomegaly |
pnx pneumothorax | pntx pneumothorax | pthx pneumothorax | ptxs pneumothoraces | plr pleural
infiltr infiltrate
consolid consolidation | pneum pneumonia | atelect atelectasis | effus effusion | opac opacity
edem edema | fract fracture | nodul nodule | cardiomeg cardiomegaly | ddx differential | pos present
-ve negative | +ve positive | enlgmt enlargement
caths catheters | cath catheter | redist redistribution
cpa costophrenic angle | cpas costophrenic angles | cpangle costophrenic angle
extub extubated | nml normal | nrml normal | sm small | mod moderate
mult multiple | prev previous | thk thickening | thickg thickening | pl pleural | pleff effusion
w/ with | c/w consistent with | s/o suggestive of | e/o evidence of | n.a.d nad
abn abnormal | silh silhouette | intersti interstitial | resp respiratory
"""
_SHORT = dict(
    pair.strip().split(" ", 1) for line in _SHORTS.split("\n") for pair in line.split("|") if pair
)
_MEDIAST = re.compile(
    r"\bmediast\b(?=\W*$|\s*[:;,=?]| (?:is |looks |not )?(?:wide\w*|n|nl|nml|normal|ok|wnl|enl\w*"
    r"|broad\w*|prom\w*|unch\w*|stable|clear|slim)\b)"
)
_THICK = re.compile(
    r"(?<=\b)(pleural?|pl|apical|fissural) thick(?!\w)(?! (?:rind|peel|plaq|scar|cap))"
)
_CANT = re.compile(r"\bcan['\u2019]?t\b|\bcan not\b(?=\W*$)")
_BOX = re.compile(r"\[ ?(x?) ?\]|([\u2610\u2611\u2612])")
_MINUS = re.compile(r"(?<=[a-z]) ?-(?=\s*[,.;]|\s*$)")
_OR_NOT = re.compile(r"(?<!\()\+ ?/ ?-(?!\))")
_RULE_OUT = re.compile(r"(?:(?<=not )|(?<=n't )|(?<=unable to )|(?<=to fully ))r/?o\b")
_HASH = re.compile(r"#s?(?! ?\d+\b)(?=[\s.,;:)]|$)")
"""The sign for a fracture."""
_CODES = re.compile(r"\s*\((?:y ?/ ?n|yes ?/ ?no|\+ ?/ ?-)\)(?=\s*[:=])")
"""A form's hint how to fill it."""
_SHORT_WORD = re.compile(rf"(?<![\w/])(?:{'|'.join(map(re.escape, _SHORT))})(?![\w/])")


_SIGNS = re.compile(r"[#'\u2019/\[\u2610-\u2612(]|\bro\b|\bcan not\b")
"""Without one of these only words are mended."""


def _boxes(lower: str) -> str:
    """Ticked and empty boxes in words. They stand before their items if the text opens with one."""
    if "[" not in lower and not _BOX.search(lower):
        return lower
    ahead = _BOX.match(lower.strip())

    def said(match: re.Match[str]) -> str:
        ticked = match.group(1) == "x" or match.group(2) in ("\u2611", "\u2612")
        if ahead:
            return "; " if ticked else "; no "
        return "present;" if ticked else "none;"

    return _BOX.sub(said, lower)


def mend(lower: str) -> str:
    """Lower-case text with misspelt words mended, "isn't" written as "is not", and signs and
    short forms in full."""
    if _SIGNS.search(lower):
        lower = _CODES.sub("", _HASH.sub("fracture", lower))
        lower = _OR_NOT.sub("possible", _boxes(_CANT.sub("cannot", lower)))
        lower = _CONTRACTED.sub(" not", _RULE_OUT.sub("rule out", lower))
    if " -" in lower or "-." in lower:
        lower = _MINUS.sub(" negative", lower)
    if "thick" in lower or "mediast" in lower:
        lower = _THICK.sub(r"\1 thickening", _MEDIAST.sub("mediastinum", lower))
    plain = _SHORT_WORD.sub(lambda match: _SHORT[match.group()], lower)
    return _LONG.sub(lambda match: _mended(match.group()), plain)
