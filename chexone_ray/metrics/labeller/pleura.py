"""Words of the rule labeller for the pleura: fluid, air, thickening.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from chexone_ray.metrics.labeller.patterns import Row, alternatives
from chexone_ray.metrics.labeller.terms import UNCERTAIN, Phrase

_IS = r"(?:is|are|appears?|remains?|looks?|has|have|been|was|were|seems?|being)"
_ANGLE = (
    r"(?:(?:costophrenic|cp|posterior|lateral|both|the|left|right) )?(?:angles?|sulc\w+|recess\w*"
    r"|gutters?|sinus(?:es)?)"
)
_NO_SCAR = (
    r"(?!(?:,? \w+){0,3}? (?:by|from|due to"
    r"|owing to|because of|reflect\w*|is"
    r"|caused by) (?:\w+ ){0,3}?"
    r"(?:thicken\w*|scar\w*|adhesions?|fibrosis|fat|peel|pleurisy|hyperinflation|emphysema))"
)

EFFUSION = Row(
    "pleural effusion",
    "",
    (
        "fluid",
        "thorax",
        "effus",
        "empyema",
        "blunt",
        "angle",
        "sulc",
        "pleura",
        "eff",
        "htx",
        "menisc",
        "costoph",
        "sinus",
        "collection",
        "recess",
        "gutter",
    ),
    alternatives(
        r"(?:pleural |parapneumonic |subpulmonic )?effusions?",
        r"(?:pleural|fissural|subpulmonic|parapneumonic|interlobar) (?:fluid|collections?)",
        r"(?<!air )(?<!gas )(?:loculated|encysted|basal|fluid) collections?",
        rf"(?:filling|filling-?\s?in|blurring) of (?:the |both )?(?:\w+ )?{_ANGLE}{_NO_SCAR}",
        rf"(?:filled-?\s?in|indistinct|blurred) (?:\w+ )?(?:costophrenic|cp) (?:angles?"
        rf"|sulc\w+){_NO_SCAR}",
        r"pseudo-?tumou?rs? (?:of|in) the (?:\w+ )?fissure",
        r"(?:free |layering |loculated )?fluid (?:\w+ )?(?:in|within|along"
        r"|around) (?:(?!neither\b|no\b)\w+ ){0,3}?"
        r"(?:pleura|pleural|fissures?|lung|thorax|hemithorax)(?: (?:space|cavity)s?)?",
        r"(?:pleural )?effs?|htx",
        r"fluid in (?:the |both |either )?(?:\w+ )?pleural (?:cavity|cavities|spaces?|sac)",
        r"(?<!air )(?<!gas )(?:loculated |fluid )?collections? (?:in|of"
        r"|within) the (?:\w+ )?pleura(?:l (?:space|cavity))?",
        r"pleural (?:liquid|pus)|meniscus(?: sign)?"
        r"|loss of (?:the )?(?:\w+ )?costophrenic (?:angles?|sulc\w+)",
        r"fluid (?:(?!nor\b|or\b|and\b)\w+ ){1,2}?(?:in|into|along"
        r"|within) (?:\w+ ){0,2}?(?:pleura|pleural"
        r"|fissures?)",
        r"pleural (?:spaces?|cavity|cavities) (?:\w+ ){0,2}?(?:contains?|holds?|filled with"
        r"|full of)"
        r" (?:\w+ ){0,2}?(?P<liquid>fluid|blood|pus)",
        r"pleural (?:spaces?|cavity|cavities) (?:\w+ ){1,6}?(?P<fluid2>fluid)",
        r"fluid (?:at|over|above) (?:the |both |either |an? )?(?:\w+ )?(?:bas[ei]s?|lung base)",
        r"pleural (?:exudates?|transudates?|haematoma|hematoma|blood)",
        r"(?:costophrenic|cp) blunting",
        r"(?:hemo|haemo|hydro|pyo|chylo)thora\w+",
        r"(?P<fluid>hemo|haemo|hydro|pyo|chylo)[- ]?pneumothora\w+",
        r"empyema",
        r"(?<!air-)(?<!air )(?<!air/)fluid(?! (?:overload|levels?|balance|status|intake"
        r"|filled))(?!-)",
        r"ha?ematothora\w+",
        r"blood in (?:the )?(?:\w+ )?(?:pleura\w*|chest|hemithorax|thorax)",
        rf"(?:blunt|oblitera|efface)\w* (?:of )?(?:(?:the|both"
        rf"|a) )?(?:\w+ )?{_ANGLE}{_NO_SCAR}",
        rf"{_ANGLE} +(?:(?:sharp|clear|preserved|crisp|free|normal)[^.;]{{0,40}}?(?:,|\band"
        rf"|\bbut) )?"
        rf"(?:(?:on )?(?:the )?(?:left|right|one"
        rf"|both)(?: one)? )?(?:{_IS} )*(?:not )?(?:\w+ly )?(?P<blunt>blunt(?:ed)?|filled[- ]in"
        rf"|lost"
        rf"|obliterated"
        rf"|effaced){_NO_SCAR}",
        rf"{_ANGLE} +(?:blunting|effacement){_NO_SCAR}",
    ),
)
PNEUMOTHORAX = Row(
    "pneumothorax",
    "",
    (
        "pneumothora",
        "ptx",
        "pleural air",
        "pleural gas",
        "air ",
        "gas ",
        "lung ",
        "visceral ",
        "pleural spa",
        "deep sul",
    ),
    alternatives(
        r"(?:hemo|haemo|hydro|pyo|chylo)-?(?P<at>pneumothora\w+)",
        r"pneumothora\w+",
        r"ptx|(?:air|gas) collections? (?:in|of|within) (?:the )?(?:\w+ )?pleura(?:l (?:space"
        r"|cavity|sac))?"
        r"|(?:air|gas) (?:\w+ ){0,3}?between (?:the )?lung and (?:the )?(?:chest|thoracic) wall"
        r"|deep sulcus sign|(?:lung|visceral) (?:edge|margin|line"
        r"|border) (?:[\w-]+ ){0,6}?(?:from|off) the"
        r" (?:chest|thoracic|rib|inner|lateral)",
        r"pleural (?:spaces?|cavity|cavities) (?:\w+ ){0,2}?(?:contains?|holds?|filled with"
        r"|full of)"
        r" (?:\w+ ){0,2}?(?P<gas>air|gas)",
        r"pleural (?:spaces?|cavity|cavities) (?:[\w,]+ ){1,6}?(?P<air>air|gas)(?! fluid)",
        r"(?:air|gas) (?:(?!or\b|nor\b|and\b|not\b|no\b)\w+ ){0,6}?(?:in|within|around|to"
        r"|into|inside) "
        r"(?:\w+ ){0,2}?(?:pleura|pleural (?:space|cavity|cavities|spaces|sac))",
        r"(?:free |intra)?pleural (?:air|gas)(?! fluid)",
        r"(?:air|gas)(?=(?:,| or| nor| and)(?: \w+){1,4} (?:in|within) (?:the|either"
        r"|both) (?:\w+ )?pleura)",
        r"(?:air|gas) (?:\w+ )?(?:in|within) (?:\w+ )?(?:\w+ )?pleural (?:space|cavity)s?",
    ),
)
PLEURA = Row(
    "pleural other",
    "",
    (
        "pleur",
        "fibrothorax",
        "plaque",
        "apical",
        "thick",
        "scar",
        "rind",
        "peel",
        "adhesion",
        "cap",
        "mesothel",
    ),
    alternatives(
        r"(?:bi)?(?:pleural|apical|pleuroparenchymal|pleural[- ]based) (?:\w+ )?"
        r"(?:thickening|plaques?|scar\w*|peels?|rinds?|fibrosis|calcifications?|adhesions?"
        r"|bands?|strands?"
        r"|caps?)",
        r"(?:post-?\s?)?pleuri\w+ (?:\w+ ){0,2}?(?P<pleuritic>thickening|scar\w*|fibrosis"
        r"|calcification)",
        r"(?:(?:pleural|fibrous|thick) )?(?:rinds?|peels?)|thickened (?:\w+ )?fissures?"
        r"|fissural thickening|(?:apical )?(?:fibrous |pleural )?apical caps?|(?:pleural"
        r"|apical) capping"
        r"|mesotheliomas?|pleural (?:\w+ )?(?:encasement|irregularit\w+|nodularit\w+|deposits?"
        r"|symphysis"
        r"|sequelae|residua|masses|mass|tumou?rs?)",
        r"(?:angles?|sulc\w+|recess\w*) [^.;]{0,40}?(?:by|from|to|with"
        r"|of) (?:\w+ ){0,3}?(?P<scar>scar\w*"
        r"|thickening|adhesions?)",
        r"(?P<blunts>scar\w*|thickening|adhesions?|fibrosis) (?:[\w-]+ ){0,5}?(?:blunt"
        r"|obliterat|effac|clos|fill)\w*"
        r" (?:\w+ ){0,4}?(?:angles?|sulc\w+|recess\w*)",
        r"(?<!pericardial )(?<!abdominal )(?<!peritoneal )(?<!bowel )adhesions?|fibrothorax"
        r"|pachypleur\w*|pleural (?:\w+ )?(?:tags?|tenting"
        r"|fibrous change"
        r"|reaction|rim)|(?:residual|old|chronic|post-?\w+|fibrotic|scarred|calcific|reactive"
        r"|marked) pleural"
        r" (?:chang\w+|disease)",
        r"pleuroparenchymal (?:\w+ )?(?:scar\w*|chang\w+)|thickening of the (?:\w+ )?fissures?",
        r"(?:thickening|scarring|scars?|calcification|plaques?|fibrosis|adhesions?) (?:of|on|in"
        r"|along|between) (?:the )?(?:\w+ )?pleurae?",
        rf"pleurae? (?:(?:over|at|along|of|on|in|around|above"
        rf"|behind) (?:[\w-]+ ){{1,4}}?)?(?:(?:{_IS}|may be|might be|could be"
        rf"|seems to be) )*(?:not \w+ but )?(?:not )?(?:\w+ly )?(?P<at>thickened|thick"
        rf"|scarred|calcified)",
        r"(?:thick|thickened|calcified|scarred) (?:\w+ )?pleura(?:e|l (?:reflections?|surfaces?"
        r"|layers?"
        r"|membranes?|margins?))?",
        r"pleural thickness (?:is |are |appears? |not |\w+ly )*(?:increased|abnormal)"
        r"|increased? (?:in )?(?:the )?pleural thickness",
        r"thickening (?:of|on|in|along|at) (?:the |both |its )?(?:[\w-]+ ){0,4}?(?:pleurae?"
        r"|angles?|sulc\w+"
        r"|recess\w*|fissures?|apex|apices)\b",
        rf"fissures? (?:{_IS} )+(?:not )?(?:\w+ly )?(?P<fissure>thick(?:ened)?)",
        rf"pleural (?:surfaces?|membranes?|lines?|layers?"
        rf"|margins?) (?:{_IS} )*(?:(?:smooth|thin|even|regular|normal)(?:,| and|, and| but) )?"
        rf"(?:not )?(?:\w+ly )?(?P<layer>thick(?:ened)?|calcified"
        rf"|scarred)",
        r"pleura(?:l"
        r"|e)?\b(?:\W+[a-z-]+){0,6}?\W+(?<!septal )(?<!bronchial )(?<!wall )(?<!skin )"
        r"(?<!interstitial )(?<!tracheal )(?<!fissural )(?P<thick>thickening)",
        r"(?<!aortic )(?<!atherosclerotic )(?<!coronary )(?<!atheromatous )plaques?(?! (?:of"
        r"|in) the (?:\w+ )?(?:aort|arch|carot|coron))",
    ),
)
"""Rows as in `words.MENTIONS`."""


def explained(text: str, found: Sequence[Phrase]) -> list[Phrase]:
    """The phrases, where a blunted angle that fluid or thickening may have caused is as the"
    " fluid is:
    "blunted, from either fluid or scar"."""
    fluids = [p for p in found if p.label == EFFUSION.label]
    scars = [p for p in found if p.label == PLEURA.label]
    if not fluids or not scars:
        return list(found)
    cause = fluids[-1] if len(fluids) > 1 else scars[-1]
    if cause.state != UNCERTAIN and len(fluids) < 2:
        return list(found)
    return [
        replace(phrase, state=cause.state)
        if phrase in fluids
        and phrase is not cause
        and re.match(r"blunt|oblit|effac", text[phrase.start : phrase.end])
        else phrase
        for phrase in found
    ]
