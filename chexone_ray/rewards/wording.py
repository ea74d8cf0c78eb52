"""Whether a text is said once and in sentences: factors against a report that is repeated and
against its words in any order, and the words that prose is made of. Pure and deterministic.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from chexone_ray.metrics.factuality import repetition
from chexone_ray.metrics.tokens import words

REPEATED = 0.75
"""What a text that only repeats itself loses."""
SALAD = 0.7
"""What words of the reference in no order of it lose."""
FEW = 8
"""Fewer shared different words than that are no salad: "Cardiomegaly. Left effusion."."""
GLUE = frozenset(
    words("a an the is are was were has have been of in on at to from by with there this which")
)
"""Words that stand in sentences only."""
SENTENCES = 4
"""Shared different words of `GLUE` from which a text is one of sentences, whose pairs of words
return. A telegram ("Small effusion, right. Left zone consolidation, upper.") has fewer, and is
judged by what it states alone."""
_BORROWED = (0.5, 0.8)
"""Shares of the answer's words that the reference holds, between which the loss grows to all."""
_PAIRED = (0.12, 0.3)
"""Shares of the borrowed words that follow each other as in the reference, between which it ends.
Sentences that change places keep nearly all, a shuffled report has below 0.1."""

PLAIN = frozenset(
    words("""
    a an the this that these those it there here and or but with without of in on at to from by
    for into within over under above below along near between since than as which who is are was
    were be been has have had may might can could not no none both also again only more most
    less very now still old new same other otherwise seen noted present visible identified shown
    demonstrated evident observed appears appear appearing remains remain suggest suggests
    suggesting suggestive represent represents reflect reflects compatible consistent likely
    probable probably possible possibly suspected concerning due related associated adjacent
    overlying underlying place placed position positioned unchanged stable interval compared
    comparison prior previous increased decreased increasing decreasing improved improvement
    improving worsened worsening larger smaller resolved persistent chronic acute small tiny
    minimal mild mildly slight slightly moderate moderately large severe severely marked
    markedly extensive subtle trace patchy focal diffuse dense hazy linear size sized left right
    bilateral upper middle mid lower basal basilar bibasilar apical base bases apex lobe zone
    lung lungs heart cardiac chest side sided hemithorax field fields hilar perihilar tip ends
    end ending terminates terminating projects projecting carina stomach vena cava svc atrium cm
    mm normal clear unremarkable enlarged intact limits radiograph film view portable frontal ap
    pa lateral study patient
    """)
)
"""Words that a report is written in, beside the names of findings: "x" and "qqq" are none."""


def said_once(answer: str, reference: str) -> float:
    """1 - `REPEATED` x the four-word runs of the answer that came before, beyond their share in
    the reference."""
    distinct, usual = 1.0 - _repeated(answer), 1.0 - _repeated(reference)
    return 1.0 - REPEATED * (1.0 - min(distinct / usual, 1.0))


def in_order(answer: str, reference: str) -> float:
    """1 - `SALAD` for the words of the reference in another order; 1 for other words and telegrams,
    or where pairs of words follow each other as in the reference."""
    (said, said_pairs), (meant, meant_pairs) = _sets(answer), _sets(reference)
    both = said & meant
    if len(both) < FEW or len(both & GLUE) < SENTENCES:
        return 1.0
    borrowed = len(both) / len(said)
    paired = len(said_pairs & meant_pairs) / (len(both) - 1)
    return 1.0 - SALAD * _ramp(borrowed, *_BORROWED) * (1.0 - _ramp(paired, *_PAIRED))


@lru_cache(maxsize=4_096)
def _sets(text: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """Different words, and different pairs of words that follow each other."""
    said = words(text)
    return frozenset(said), frozenset(pairwise(said))


@lru_cache(maxsize=4_096)
def _repeated(text: str) -> float:
    return repetition(text)


def _ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)
