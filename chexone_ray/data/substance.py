"""Does a trace speak of anything: a text that fits every question teaches nothing.

"What is asked about is settled by what is seen in that place." agrees with every answer and states
no finding that could be wrong. English only, our own lists.
"""

from __future__ import annotations

import re

from chexone_ray.metrics.tokens import words
from chexone_ray.records import Sample

_NAMED = re.compile(
    r"\b(?:lungs?|lob(?:es?|ar)|lingula\w*|pleura\w*|costophrenic|cardiophrenic|angles?|sulc\w+"
    r"|fissures?|(?:hemi)?diaphragm\w*|hil(?:a|ar|um)|perihilar|retrocardiac|mediastin\w+|hearts?"
    r"|cardi\w+|ventric\w+|atri(?:a|al|um)|aort\w+|trachea\w*|carina\w*|bronch\w+|airways?|ribs?"
    r"|clavic\w+|scapula\w*|stern\w+|spin(?:e|es|al)|vertebra\w*|humer\w+|shoulders?|bon(?:es?|y)"
    r"|thora\w+|chest wall|apex|apices|apical|bas(?:es|al|ilar)|vessels?|vascula\w+|arter\w+"
    r"|veins?|parenchym\w+|interstiti\w+|alveol\w+|soft tissues?|stomach|gastric|bowel|colon|liver"
    r"|spleen|abdom\w+|neck|breasts?|silhouettes?|contours?|markings|airspaces?"
    r"|opa(?:que|cit\w+|cifi\w+)|luc(?:ent|enc\w+)|densit\w+|shadows?|spots?|streak\w*|haz[ey]\w*"
    r"|air|gas|fluid|meniscus|nodul\w+|mass(?:es)?|calcifi\w+|tubes?|catheters?|wires?|leads?"
    r"|drains?|implants?|devices?|patch\w*|breastbone|projections?|poster\w+|anter\w+|lateral|frontal"
    r"|supine|upright|erect|magnif\w+)\b",
    re.IGNORECASE,
)
"""Places, signs, devices and views; what reports call findings the labeller knows."""

_GENERIC = frozenset(
    words("""
    abnormal abnormalities abnormality about above after again against also altogether and another
    answer answered any appear appearance appears are area areas ask asked asks assess be because
    been before below beside best better between borderline both box but can change changed check
    chest choice choices chosen clear clearly compare compatible condition consistent correct could
    depicted describe described describes diagnosis did does done each either evidence examination
    exhibit expected explain fact false film films find finding findings first fits follow following
    follows for from give given gives had has have here how identify image images impression indeed
    indicate indicated indicates interpretation into is isn its itself just kind known large last
    later left less like look looks lower made make makes matches matter may mention mentioned
    middle might more most much must name named near negative neither none nor normal not note noted
    nothing now observed one ones only option options or other others out over part patient patients
    picture place places point points positive possible presence present question questions
    radiograph radiographs rather reading reason region regions report reported request result right
    said same say says scan second section see seems seen settled several shall should show showed
    showing shown shows side sides sign signs since single site size some something state stated
    statement statements still study such suggest suggests supported sure take taken tell text than
    that the their them then there therefore these they thing things this those though thus true two
    under until upper use used very view views visible was way well were what when where whether
    which while who whole whose why will with within without word words worse would write xray yes
    you your zone zones
    """)
)
"""Words that stand in questions of every kind, so that sharing one says nothing."""
_SHORT = frozenset({"ap", "pa"})
_MIN_LETTERS = 3


def names_something(trace: str, sample: Sample) -> bool:
    """True where the trace names a place, a sign, a finding or a device, or a word that only this
    question, its options, answer or reference has.

    A careful trace need not say the name that is asked for: "the lung markings reach the chest
    wall" answers a question about a pneumothorax.
    """
    if _NAMED.search(trace):
        return True
    meant = " ".join((sample.question, *sample.options, sample.answer, sample.reference or ""))
    if _content(trace) & _content(meant):
        return True
    # Imported here: the labeller compiles a few hundred patterns.
    from chexone_ray.metrics.labeller import phrases

    return bool(phrases(trace))


def _content(text: str) -> set[str]:
    found = set(words(text)) - _GENERIC
    return {word for word in found if len(word) >= _MIN_LETTERS or word in _SHORT}
