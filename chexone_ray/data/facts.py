"""What is known of one film: label columns, report and boxes brought together, name by name.

Names are lower-case findings, finer than CheXpert's labels where the report or the boxes are
("nodule", "pacemaker"). A name that two sources contradict each other on is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from chexone_ray.config import Uncertain
from chexone_ray.metrics.denials import APART, denials
from chexone_ray.metrics.labeller import phrases, read_report
from chexone_ray.records import Box, Study

FINER = {
    "lung lesion": ("nodule", "mass", "lesion"),
    "nodule or mass": ("nodule", "mass"),
    "support devices": ("pacemaker", "tube", "chest tube", "line", "device"),
}
"""Coarse label -> finer names; "no lung lesion" also means "no nodule"."""
VAGUE = {
    "lung opacity": ("consolidation", "nodule", "mass", "edema", "pneumonia", "atelectasis"),
    "tube": ("chest tube",),
}
"""Labels that say less than others which the report settles; not asked for beside those. A "tube"
of a report may be the chest tube that a data set labels, or another."""
COARSE = {
    name: tuple(label for label, finer in FINER.items() if name in finer)
    for names in FINER.values()
    for name in names
}
UNCERTAIN_AS: dict[Uncertain, int | None] = {"u-zeros": 0, "u-ones": 1, "u-ignore": None}
"""Policy -> the state of what is uncertain; "keep" keeps it."""
NOT_ASKED = frozenset({"no finding", "other disease", "other diseases", "other lesion", "device"})

UPPER_ZONE_END, MID_ZONE_END = 0.35, 0.54
"""Heights (0-1 of the film) that part the lung zones of a frontal film."""
MIDLINE = (0.46, 0.54)
"""A box whose centre lies here has no side."""


@dataclass(frozen=True)
class Fact:
    """One finding of one film: `state` 1 present, 0 absent, -1 uncertain."""

    state: int
    sides: frozenset[str] = frozenset()
    """Patient's "left" and "right"."""
    boxes: tuple[Box, ...] = field(default=())
    lost_box: bool = False
    """True where a further box of it is lost, so that neither its boxes nor its sides are all."""

    @property
    def side(self) -> str:
        """ "left", "right", "both" or empty where unknown."""
        return "both" if len(self.sides) == 2 else next(iter(self.sides), "")

    @property
    def zone(self) -> str:
        """ "upper", "mid" or "lower" where one box tells it."""
        return zone_of(self.boxes[0]) if len(self.boxes) == 1 and not self.lost_box else ""


def side_of(box: Box) -> str:
    """The patient's side of a box on a frontal film: the patient's right is the viewer's left."""
    centre = (box.xyxy[0] + box.xyxy[2]) / 2
    if MIDLINE[0] < centre < MIDLINE[1]:
        return ""
    return "right" if centre < MIDLINE[0] else "left"


def zone_of(box: Box) -> str:
    """ "upper", "mid" or "lower" by the height of the box's centre."""
    centre = (box.xyxy[1] + box.xyxy[3]) / 2
    return "upper" if centre < UPPER_ZONE_END else "mid" if centre < MID_ZONE_END else "lower"


FRONTAL = ("PA", "AP", "frontal")
"""Best first; "frontal" is PA or AP where the archive does not tell which."""


def is_frontal(view: str) -> bool:
    """True for a film whose left half shows the patient's right side."""
    return view in FRONTAL


def facts(study: Study, image: int) -> dict[str, Fact]:
    """Name -> fact for image number `image` of the study, in a fixed order.

    Sides come from boxes on a frontal film where there are any, else from the report. A coarse
    label gives way to its finer names where one of them is known. A finding that lost a box on the
    image is there, and has no side.
    """
    reported = _reported(study)
    boxed = _boxed(study, image, reported)
    gone = [label for label, at in study.lost_boxes if at == image]
    lost = {name for label in gone for name in (label, *FINER.get(label, ()))}
    told = evidence(study, image)
    names = told.keys() - NOT_ASKED
    names -= {coarse for coarse, finer in (FINER | VAGUE).items() if names & set(finer)}
    known: dict[str, Fact] = {}
    for name in sorted(names):
        if len(told[name]) != 1:
            continue
        sides = reported[name].sides if name in reported else frozenset()
        boxes = tuple(boxed.get(name, ()))
        if boxes and is_frontal(study.images[image].view):
            sides = frozenset(side for side in map(side_of, boxes) if side)
        if name in lost:
            sides = frozenset()
        known[name] = Fact(next(iter(told[name])), sides, boxes, name in lost)
    return known


def evidence(study: Study, image: int) -> dict[str, frozenset[int]]:
    """Name -> the states that labels, boxes and the report give it; several contradict each other.

    A report that denies all acute findings, or all, denies those that it does not name; so does a
    label "no finding".
    """
    reported = _reported(study)
    labelled = {name: state for name, state in study.labels.items() if state is not None}
    boxed = _boxed(study, image, reported)
    gone = {_finer_name(label, reported) for label, at in study.lost_boxes if at == image}
    denied = denials(_text(study))
    found: dict[str, frozenset[int]] = {}
    for name in {*reported, *labelled, *boxed}:
        states = {1} if name in boxed or name in gone else set()
        if name in labelled:
            states.add(labelled[name])
        if name in reported:
            states.add(reported[name].state)
        elif denied(name):
            states.add(0)
        if any(labelled.get(label) == 0 for label in COARSE.get(name, ())):
            states.add(0)
        if labelled.get("no finding") == 1 and name not in APART:
            states.add(0)
        found[name] = frozenset(states)
    return found


def contradicts(text: str, uncertain: Uncertain, states: Mapping[str, Collection[int]]) -> bool:
    """True where a text denies a finding that is there by one of `states`, or states one that is
    not."""
    told = stated(text, uncertain)
    told.pop("no finding", None)  # concluded from the others
    if any(fact.state != -1 and 1 - fact.state in states.get(n, ()) for n, fact in told.items()):
        return True
    denied = denials(text)
    return any(1 in found and name not in told and denied(name) for name, found in states.items())


def stated(text: str, uncertain: Uncertain) -> dict[str, Fact]:
    """Name -> fact without boxes, of what a text states or denies by name."""
    return _decided(_from_report(text), uncertain)


def _text(study: Study) -> str:
    return " ".join((study.findings, study.impression))


def _reported(study: Study) -> dict[str, Fact]:
    return stated(_text(study), study.uncertain)


def _boxed(study: Study, image: int, reported: dict[str, Fact]) -> dict[str, list[Box]]:
    found: dict[str, list[Box]] = {}
    for box in study.boxes:
        if box.image == image:
            found.setdefault(_finer_name(box.label, reported), []).append(box)
    return found


def _finer_name(label: str, reported: dict[str, Fact]) -> str:
    """The one finer name of a coarse box label that the report states, else the label itself."""
    stated = [name for name in FINER.get(label, ()) if name in reported and reported[name].state]
    return stated[0] if len(stated) == 1 else label


def _decided(reported: dict[str, Fact], policy: Uncertain) -> dict[str, Fact]:
    """The facts of a report with its uncertain ones as the policy for labels has them."""
    to = UNCERTAIN_AS.get(policy, -1)
    states = {name: to if fact.state == -1 else fact.state for name, fact in reported.items()}
    return {
        name: replace(reported[name], state=state)
        for name, state in states.items()
        if state is not None
    }


def _from_report(text: str) -> dict[str, Fact]:
    """Name -> fact without boxes, from the words of a report."""
    found = {
        label: Fact(mention.state, mention.sides)
        for label, mention in read_report(text).items()
        if label not in FINER
    }
    rank = {0: 0, -1: 1, 1: 2}
    for phrase in phrases(text):
        if phrase.label not in FINER:
            continue
        name = phrase.name if phrase.name in FINER[phrase.label] else phrase.label
        old = found.get(name)
        if old is None or rank[phrase.state] > rank[old.state]:
            found[name] = Fact(phrase.state, phrase.sides)
        elif phrase.state == old.state:
            found[name] = Fact(old.state, old.sides | phrase.sides)
    return found


# --- prior films ---------------------------------------------------------------------------------

_PRIOR_WORDS = re.compile(
    r"\b(?:prior|previous(?:ly)?|earlier|compar\w+|again|still|unchanged|stable|persist\w*"
    r"|interval|since|new|newly|improv\w+|worse\w*|increas\w+|decreas\w+|larger|smaller|resol\w+|progress\w+|developed"
    r"|as before|no longer|(?:no|not|without)(?: \w+)? chang\w+"
    r"|(?:little|slight|minimal|minor|significant|substantial|marked|appreciable|any) change"
    r"|(?:has|have|had)(?: \w+ly| not)? changed|changed (?:since|from)"
    r"|re-?(?:demonstrat|expan|accumulat|position)\w+|remov(?:ed|al)|recurren(?:t|ce)|extubat\w+"
    r"|withdrawn|pulled back|(?:was|were|been)(?: \w+ly)? (?:advanced|retracted|exchanged)"
    r"|yesterday|interim|last (?:chest )?(?:film|exam|examination|study|radiograph|x-?ray|cxr|scan)"
    r"|has (?:been )?(?:cleared|removed|grown)|remains?)\b",
    re.IGNORECASE,
)


def speaks_of_prior(sentence: str) -> bool:
    """True for a sentence that compares with an earlier film."""
    return _PRIOR_WORDS.search(sentence) is not None


def without_prior(text: str, split: list[str]) -> str | None:
    """`split` (the sentences of `text`) without those that speak of an earlier film.

    None where that loses a finding that the report states as present: such a report cannot be
    told from one film.
    """
    kept = " ".join(sentence for sentence in split if not speaks_of_prior(sentence))

    def present(report: str) -> set[tuple[str, frozenset[str]]]:
        found = read_report(report)
        return {
            (label, m.sides) for label, m in found.items() if m.state == 1 and label != "no finding"
        }

    return kept if kept and present(kept) == present(" ".join(split)) else None
