"""Misspelt words of a report, mended before the rule labeller reads it.

A word of six letters or more that lies one slip (a letter lost, doubled, changed, or two swapped)
from a word of `_WORDS`, with the same first and last letter, becomes that word.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = frozenset(
    """
    pleural effusion effusions pneumothorax pneumothoraces haemothorax hemothorax hydrothorax
    hydropneumothorax pneumonia pneumonias bronchopneumonia infection infiltrate infiltrates
    opacity opacities opacification consolidation consolidations consolidated atelectasis
    atelectases atelectatic collapse collapsed cardiomegaly cardiac cardiomediastinal mediastinum
    mediastinal enlarged enlargement widened widening oedema congestion congested nodule nodules
    nodular lesion lesions tumour fracture fractures fractured thickening plaque plaques
    catheter catheters pacemaker pacemakers device devices endotracheal nasogastric tracheostomy
    sternal silhouette costophrenic blunting blunted interstitial reticular airspace pulmonary
    vascular haziness change changed changes unchanged interval evidence resolved resolution
    cleared removed removal absent absence without negative possible possibly probable probably
    likely suspected suspicious equivocal excluded exclude normal stable improved increased
    decreased identified visible appreciated demonstrated
    """.split()
)
_OTHERS = frozenset(
    "hemithorax internal chance charge charged cleaned cleaved plural ascent devise enlarges legion".split()
)
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


_SHORT = {
    "hrt": "heart",
    "bilat": "bilateral",
    "bil": "bilateral",
    "clr": "clear",
    "unch": "unchanged",
}
_SHORT_WORD = re.compile(rf"\b(?:{'|'.join(_SHORT)})\b")


def mend(lower: str) -> str:
    """Lower-case text with misspelt words mended "isn't" written as "is not",
    and short forms in full."""
    plain = _SHORT_WORD.sub(lambda match: _SHORT[match.group()], _CONTRACTED.sub(" not", lower))
    return _LONG.sub(lambda match: _mended(match.group()), plain)
