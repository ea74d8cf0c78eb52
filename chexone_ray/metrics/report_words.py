"""Findings of the rule labeller: how reports in English name them.

Our own, written from general knowledge of report language. All patterns match lower-case text. The
words that act on findings are in `report_modifiers.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chexone_ray.metrics.report_phrases import HEART, ONE


def alternatives(*patterns: str) -> re.Pattern[str]:
    """Any of the patterns, between word boundaries."""
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b")


def grouped(pattern: str) -> re.Pattern[str]:
    r"""The pattern with its alternatives that begin with a word boundary in one group, `\b(?:a|b)`.

    It tests the boundary once a place, not once an alternative: several times faster.
    """
    parts, depth, low, at = [], 0, 0, 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif char == "[":
            at = pattern.index("]", at + 2)
        elif char == "|" and depth == 0:
            parts.append(pattern[low:at])
            low = at + 1
        depth += (char == "(") - (char == ")")
        at += 1
    parts.append(pattern[low:])
    words = [part[2:] for part in parts if part.startswith(r"\b")]
    return re.compile(
        "|".join([rf"\b(?:{'|'.join(words)})", *(p for p in parts if p[:2] != r"\b")])
    )


def holds(text: str, stems: tuple[str, ...]) -> bool:
    """True where the text has one of the stems: many times faster than a pattern."""
    for stem in stems:  # noqa: SIM110 (any() of a generator takes three times as long)
        if stem in text:
            return True
    return False


@dataclass(frozen=True)
class Row:
    """Words for one label. A named group of the pattern that matches stands for the whole: what is
    said before it ("the mediastinum is not", then "widened") acts on it."""

    label: str
    name: str
    """The finer name, or empty."""
    stems: tuple[str, ...]
    """The pattern is tried only on texts that hold one of these."""
    pattern: re.Pattern[str]


_IS = r"(?:is|are|appears?|remains?|looks?|has|have|been|was|were|seems?|being)"
_ANGLE = r"(?:costophrenic|cp|posterior|lateral|both|the) (?:angles?|sulc\w+|recess\w*|gutters?)"
_NO_SCAR = (
    r"(?!(?: \w+){0,3}? (?:by|from|due to|owing to|because of|reflect\w+|is|caused by) (?:\w+ ){0,3}?"
    r"(?:thicken\w*|scar\w*|adhesions?|fibrosis|fat|peel|pleurisy|hyperinflation|emphysema))"
)
_CARDIAC = r"(?:silhouettes?|contours?|shadow|size|sizes)"
_MEDIASTINUM = r"(?:cardio)?mediastin(?:um|al (?:silhouettes?|contours?|shadow|borders?|width))"
_BONE = r"(?:ribs?|clavicles?|bones?|sternum|humerus|scapula|verteb\w+)"
_OF_LUNG = r"(?:lung|pulmonary|lobe|lobar|lobes|basal|basilar|bibasal|segment\w*)"

# --- mentions: an earlier row wins over a later one -----------------------------------------------

MENTIONS: tuple[Row, ...] = (
    Row(
        "enlarged cardiomediastinum",
        "",
        ("mediastin",),
        alternatives(
            r"(?:widened|wide|enlarged|broad(?:ened)?|prominent) (?:\w+ )?(?:cardio)?mediastin\w+",
            r"(?:cardio)?mediastin\w+ (?:and cardiac )?(?:widening|enlargement)",
            r"(?:widening|enlargement|broadening) of (?:the )?(?:\w+ )?(?:cardio)?mediastin\w+",
            r"(?:enlargement|widening|enlarged|large|wide) (?:of )?(?:the )?(?:heart|cardiac \w+)"
            r"(?:,|,? and|,? or|,? nor) (?:the )?(?P<too>mediastinum)",
            r"(?:widens?|widening|broadens?|broadening) (?:the |an? )?(?:\w+ )?(?:cardio)?mediastin\w+",
            rf"{_MEDIASTINUM}(?! (?:and|or)\b)(?: +(?!normal)[\w-]+){{0,6}}? +"
            r"(?P<at>widened|wide|wider|enlarged|broad|broadened|large|larger|prominent)(?! range)",
        ),
    ),
    Row(
        "cardiomegaly",
        "",
        ("cardiomeg", "enlarge", "heart", "cm"),
        alternatives(
            r"cardiomeg\w*",
            r"(?<!\d)(?<!\d )(?<!few )(?<!some )(?<!several )(?<!in )(?<!per )cm(?=\W*$|[,;]| w)",
            r"(?:cardiac|heart)(?: and mediastinal)? enlargement",
            r"(?:big|large|enlarged) heart",
            r"enlarge(?:d|ment of the) (?:heart|cardiac (?:silhouette|contour|shadow))",
        ),
    ),
    Row(
        "pleural effusion",
        "",
        ("fluid", "thorax", "effus", "empyema", "blunt", "angle", "sulc", "pleural", "eff"),
        alternatives(
            r"(?:pleural |parapneumonic |subpulmonic )?effusions?",
            r"(?:pleural|fissural|subpulmonic) (?:fluid|collections?)",
            r"(?:free |layering |loculated )?fluid (?:\w+ )?(?:in|within|along|around) (?:\w+ ){0,3}?"
            r"(?:pleura|pleural|fissures?|lung|thorax|hemithorax)(?: (?:space|cavity)s?)?",
            r"(?:pleural )?effs?",
            r"fluid (?:\w+ ){1,2}?(?:in|into|along|within) (?:\w+ ){0,2}?(?:pleura|pleural|fissures?)",
            r"pleural (?:spaces?|cavity|cavities) (?:\w+ ){0,2}?(?:contains?|holds?|filled with|full of)"
            r" (?:\w+ ){0,2}?(?P<liquid>fluid|blood|pus)",
            r"pleural (?:spaces?|cavity|cavities) (?:\w+ ){1,6}?(?P<fluid2>fluid)",
            r"fluid (?:at|over|above) (?:the |both |either |an? )?(?:\w+ )?(?:bas[ei]s?|lung base)",
            r"pleural (?:exudates?|transudates?|haematoma|hematoma|blood)",
            r"(?:costophrenic|cp) blunting",
            r"(?:hemo|haemo|hydro|pyo|chylo)thora\w+",
            r"(?P<fluid>hemo|haemo|hydro|pyo|chylo)[- ]?pneumothora\w+",
            r"empyema",
            rf"(?:blunt|oblitera|efface)\w* (?:of )?(?:(?:the|both|a) )?(?:\w+ )?{_ANGLE}{_NO_SCAR}",
            rf"{_ANGLE} (?:{_IS} )*(?:not )?(?:\w+ly )?(?P<blunt>blunt(?:ed)?|obliterated|effaced){_NO_SCAR}",
            rf"{_ANGLE} (?:blunting|effacement){_NO_SCAR}",
        ),
    ),
    Row(
        "lung lesion",
        "nodule",
        ("nod",),
        alternatives(r"(?:micro)?nodul\w+|nods?"),
    ),
    Row(
        "lung lesion",
        "mass",
        ("mass",),
        alternatives(r"mass(?:es)?(?:[- ]like)?(?! effect)(?: lesions?)?"),
    ),
    Row(
        "lung lesion",
        "lesion",
        ("lesion", "umo", "neopl", "metasta", "cancer", "carcino", "granulom", "malig"),
        alternatives(
            r"(?:space[- ]occupying |coin |cavitary |cavitating |pulmonary |lung |round |focal )*"
            r"lesions?",
            r"tumou?rs?",
            r"neoplasms?",
            r"metasta(?:sis|ses)",
            r"metastatic (?:disease|deposits?)",
            r"(?:lung |bronchial |bronchogenic )?(?:cancers?|carcinomas?)",
            r"granulomas?",
            r"granulomata",
            r"malignanc(?:y|ies)",
        ),
    ),
    Row(
        "lung opacity",
        "",
        (
            "opac",
            "infilt",
            "densit",
            "marking",
            "space",
            "haz",
            "interstit",
            "reticul",
            "shadowing",
            "ground",
            "white",
        ),
        alternatives(
            r"opacit(?:y|ies)",
            r"opacs?",
            r"infilts?",
            r"(?:patchy|hazy|lung|parenchymal|increased|focal|ill-defined|retrocardiac|alveolar|confluent"
            r"|nodular) densit(?:y|ies)",
            r"(?:increased|prominent|coarse|accentuated|heavy) (?:lung|pulmonary|bronchovascular) markings",
            r"opacifi\w+",
            r"infiltrat\w+",
            r"air-?\s?space (?:disease|shadow\w*|process\w*|chang\w+|filling|densit\w+)",
            r"haze",
            r"haziness",
            r"hazy (?:density|shadow\w*|area\w*|change)",
            r"(?:reticulo)?(?:interstitial|reticular|reticulonodular|bronchovascular)"
            r"(?: (?:lung|pulmonary))? (?:markings?|chang\w+|patterns?|disease|thickening"
            r"|prominence|shadow\w*|abnormalit\w+|process\w*|densit\w+|lines)",
            r"reticulations?",
            r"shadowing",
            r"ground[- ]glass(?: \w*chang\w+| densit\w+| attenuation)?",
            r"white-?\s?out",
        ),
    ),
    Row(
        "edema",
        "",
        ("dema", "failure", "chf", "lvf", "congest", "overload"),
        alternatives(
            r"(?:oe|e|o)dema(?:tous)?",
            r"(?:heart|cardiac|ventricular|pump) failure",
            r"(?<!respiratory )(?<!renal )(?<!kidney )(?<!liver )(?<!hepatic )(?<!organ )"
            r"(?<!multiorgan )failure(?! (?:to|of)\b)",
            r"chf",
            r"lvf",
            r"(?:pulmonary )?(?:vascular|venous)(?: \w+)? congestion",
            r"congestion",
            r"congested",
            r"congestive (?:chang\w+|failure)",
            r"(?:fluid|volume) overload",
        ),
    ),
    Row("consolidation", "", ("cons",), alternatives(r"consolidat\w+", r"consols?", r"cons")),
    Row(
        "pneumonia",
        "",
        ("pneumoni", "infecti", "pna"),
        alternatives(
            r"(?:broncho|pleuro)?pneumonias?",
            r"(?:super)?infections?",
            r"infectious process",
            r"pna",
            r"infecti(?:ous|ve)(?: (?:\w+ )?(?:process\w*|focus|foci|etiology|infiltrates?|change))?",
            r"pneumonic(?: \w*chang\w+)?",
        ),
    ),
    Row(
        "atelectasis",
        "",
        ("atel", "volume loss", "loss of volume", "lost", "collaps", "airless", "atx"),
        alternatives(
            r"atelecta\w+",
            r"atel",
            r"atx",
            r"volume loss",
            r"loss of volume",
            r"lost (?:\w+ )?volume",
            r"(?:lobar )?collapse[ds]?",
            r"airless",
        ),
    ),
    Row(
        "pneumothorax",
        "",
        ("pneumothora", "ptx", "pleural air", "pleural gas", "air in", "gas in", "pleural spa"),
        alternatives(
            r"(?:hemo|haemo|hydro|pyo|chylo)-?(?P<at>pneumothora\w+)",
            r"pneumothora\w+",
            r"ptx",
            r"pleural (?:spaces?|cavity|cavities) (?:\w+ ){0,2}?(?:contains?|holds?|filled with|full of)"
            r" (?:\w+ ){0,2}?(?P<gas>air|gas)",
            r"pleural (?:spaces?|cavity|cavities) (?:\w+ ){1,6}?(?P<air>air|gas)(?! fluid)",
            r"(?:air|gas) (?:\w+ )?(?:in|within|around) (?:\w+ ){0,2}?pleura",
            r"(?:free |intra)?pleural (?:air|gas)(?! fluid)",
            r"(?:air|gas) (?:\w+ )?(?:in|within) (?:\w+ )?(?:\w+ )?pleural (?:space|cavity)s?",
        ),
    ),
    Row(
        "pleural other",
        "",
        ("pleura", "fibrothorax", "plaque", "apical"),
        alternatives(
            r"(?:bi)?(?:pleural|apical|pleuroparenchymal|pleural[- ]based) (?:\w+ )?"
            r"(?:thickening|plaques?|scar\w*|peels?|rinds?|fibrosis|calcifications?|adhesions?|caps?)",
            r"fibrothorax",
            r"(?:thickening|scarring|calcification) of (?:the )?(?:\w+ )?pleura",
            rf"pleurae? (?:{_IS} )*(?:not )?(?:\w+ly )?(?P<at>thickened|thick|scarred|calcified)",
            r"(?:thickened|calcified|scarred) (?:\w+ )?pleura",
            r"pleura(?:l|e)?\b(?:\W+[a-z-]+){0,6}?\W+(?<!septal )(?<!bronchial )(?<!wall )(?<!skin )"
            r"(?<!interstitial )(?<!tracheal )(?<!fissural )(?P<thick>thickening)",
            r"(?<!aortic )(?<!atherosclerotic )(?<!coronary )plaques?",
        ),
    ),
    Row(
        "fracture",
        "",
        ("fract", "broken", "break", "fx", "crack"),
        alternatives(
            r"(?:micro)?fractur\w+",
            r"fxs?",
            rf"(?:broken|cracked) (?:\w+ )?{_BONE}",
            rf"(?:breaks?|crack) (?:\w+ )?(?:of|in|through|across) (?:\w+ ){{0,3}}?{_BONE}",
            rf"{_BONE} (?:{_IS} )+(?:not )?(?P<at>broken|cracked)",
        ),
    ),
    Row(
        "support devices",
        "pacemaker",
        ("pac", "defib", "icd", "generator", "device"),
        alternatives(
            r"pacemakers?",
            r"pacers?",
            r"pacing (?:device|system|leads?|wires?|electrodes?)",
            r"(?:cardiac )?(?:cardioverter[- ])?defibrillators?",
            r"a?icds?",
            r"pulse generator",
            r"cardiac device",
            r"ppm",
        ),
    ),
    Row(
        "support devices",
        "chest tube",
        ("chest", "drain", "thoracostomy", "pigtail", "intercostal"),
        alternatives(
            r"(?:chest|thoracostomy|pleural|intercostal|thoracic|mediastinal) "
            r"(?:tubes?|drain(?:s|age tubes?)?)",
            r"tube thoracostomy",
            r"pigtail\w*(?: (?:drains?|catheters?))?",
            r"drains?(?! (?:into|to))",
        ),
    ),
    Row(
        "support devices",
        "tube",
        ("tube", "ett", "ngt", "ogt", "cannula", "tracheostomy", "intubat", "dobhoff", "nett"),
        alternatives(
            r"(?:(?:endotracheal|tracheostomy|nasogastric|orogastric|enteric|feeding|dobhoff"
            r"|et|ng|og|gastric|drainage|gastrostomy|nasojejunal|tracheal|sump) )?tubes?",
            r"ett",
            r"ngt",
            r"ogt",
            r"dobhoff",
            r"tracheostomy(?: cannula)?",
            r"(?:tracheal )?cannulae?s?",
            r"(?<!was )intubated",
        ),
    ),
    Row(
        "support devices",
        "line",
        (
            "line",
            "picc",
            "cathet",
            "port",
            "swan",
            "cvc",
            "cvl",
            "hickman",
            "permcath",
            "sheath",
            "venous access",
            "guide",
            "vascath",
            "introducer",
            "mediport",
            "broviac",
        ),
        alternatives(
            r"(?:(?:central|venous|jugular|subclavian|arterial|dialysis|picc|iv|ij|midline|hickman"
            r"|femoral|pa|monitoring|support) )+lines?",
            r"piccs?",
            r"lines and tubes",
            r"(?:(?!(?:no|not|without|nor|or|and|any|neither|with|possible)\b)\w+ )?catheters?",
            r"guide-?wires?",
            r"(?<=a )ports?|(?<=the )ports?|(?<=right )ports?|(?<=left )ports?",
            r"port-?\s?a-?\s?cath",
            r"portacath",
            r"mediport",
            r"(?:chest|infusion|venous|implanted|implantable) ports?",
            r"swan-ganz",
            r"cv[cl]s?",
            r"lines?(?= (?:tips?|ends?|terminat\w+|in place|in situ|in (?:good|satisfactory)|remains?"
            r"|has been|was|stays?|reach\w*|does not reach|went|removed|out|unchanged)\b)",
            r"(?<=the )line(?! (?:of|over|at|along|parallel|is a|seen|in the|between)\b)",
            r"hickman",
            r"broviac",
            r"perm-?cath",
            r"vas-?cath",
            r"central venous access",
            r"(?:introducer )?sheaths?",
            r"(?<!pleural )(?<!kerley )(?<!kerley a )(?<!kerley b )(?<!septal )(?<!fracture )"
            r"(?<!paraspinal )(?<!junction )(?<!stripe )(?<!fissure )(?<!interstitial )"
            r"(?<!linear )(?<!b )lines(?! of\b)",
        ),
    ),
    Row(
        "support devices",
        "device",
        (
            "device",
            "wire",
            "hardware",
            "valve",
            "stent",
            "pump",
            "iabp",
            "lvad",
            "ecmo",
            "tav",
            "impella",
            "electrode",
            "recorder",
            "stimulator",
            "lead",
            "sternotomy",
            "cerclage",
            "apparatus",
            "prosthe",
            "shunt",
        ),
        alternatives(
            r"(?:life[- ])?support (?:and monitoring )?(?:devices?|apparatus)",
            r"(?:medical|monitoring|assist|implanted|implantable|indwelling|ventricular|foreign) "
            r"(?:\w+ )?devices?",
            r"(?:(?:sternal|sternotomy|cerclage|pacing|median) )+wires?",
            r"(?<!guide )(?<!guide-)wires",
            r"hardware",
            r"devices?",
            r"(?:prosthetic|mechanical|artificial|replaced|bioprosthetic|metallic) "
            r"(?:(?:heart|cardiac|aortic|mitral|tricuspid) )?valves?",
            r"(?:(?:aortic|mitral|tricuspid|heart) )?valve (?:replacements?|prosthes[ie]s|ring"
            r"|repair)",
            r"(?:valvular|valve|cardiac) prosthes[ie]s",
            r"stents?",
            r"(?:vp|ventriculo-?peritoneal) shunt",
            r"(?:intra-?aortic )?(?:balloon )?pumps?",
            r"iabp",
            r"lvad",
            r"(?:tavr|tavi)",
            r"ecmo",
            r"impella",
            r"electrodes?",
            r"(?:loop|event) recorder",
            r"(?:nerve |vagal |vagus )?stimulator",
            r"(?:cardiac |ecg |ekg |pacer )?leads",
            r"(?:pacemaker |pacer |icd |pacing )?lead(?= (?:tips?|fragment|ends?|projects?|fractures?)\b)",
        ),
    ),
    Row(
        HEART,
        "",
        ("heart", "cardi"),
        alternatives(
            rf"(?:heart|cardiac|cardiomediastinal)(?: {_CARDIAC})?",
            r"cardiothoracic ratio",
            r"cardiopericardial silhouette",
        ),
    ),
    Row(
        ONE,
        "",
        (" one",),
        re.compile(
            r"\b(?:(?:the|an?|another)(?: (?!no\b|this\b|that\b|each\b|any\b|every\b)[\w-]+){0,3}|has"
            r"|have|had|shows?) (?:ones|one(?! (?:of|side|lung|lobe|film|at|view|and)\b))\b"
        ),
    ),
)

TRAPS = grouped(
    r"\bpericardial (?:effusions?|fluid|thickening|calcification\w*)|\bpleural lines?\b"
    r"|\b(?:joint|knee|shoulder|hip|elbow|glenohumeral|middle ear) effusions?(?: of the \w+)?"
    r"|\beffusion (?:of|in) the (?:\w+ )?(?:shoulder|knee|hip|elbow|joint)"
    r"|\b(?:soft[- ]tissues?|subcutaneous|chest[- ]wall|ankle|leg|peripheral|facial|skin|cutaneous"
    r"|periorbital|laryngeal|marrow|bone marrow|lower extremity|pedal|cerebral|pitting) (?:o?edema"
    r"|mass\w*|infection\w*|nodul\w+|lesions?|tumou?rs?|metasta\w+|congestion|fluid|swelling)"
    r"|\bo?edema (?:of|in) the (?:\w+ )?(?:soft|skin|chest wall|neck|legs?|ankles?|arms?|face|larynx)"
    r"|\b(?:breast|mediastinal|thyroid|adrenal|abdominal|hepatic|liver|renal|splenic|neck|axillary"
    r"|pancreatic|thymic|body|muscle|cardiac|gastric|bon[ey]|osseous|rib|lytic|sclerotic|skeletal|skin"
    r"|vertebral|spinal|oesophageal|esophageal|cutaneous|bowel|brain|ovarian|atrial|paraspinal"
    r"|intracardiac)(?: (?!and|or|nor|no)\w+)? (?:mass\w*|nodul\w+|lesions?|tumou?rs?|metasta\w+|cancers?"
    r"|carcinomas?|neoplasms?|infections?|granulomas?|malignanc\w+)"
    r"|\b(?:mass|lump|nodule|tumou?r|lesion|cancer|carcinoma) (?:of|in) (?:the |her |his )?"
    r"(?:(?:left|right|anterior|posterior) )?(?:breast|mediastin\w+|thyroid|liver|neck|spine|bones?"
    r"|chest wall|skin|axilla|adrenal\w*|kidney|stomach|thymus)"
    r"|\b(?:mass|masses|lesions?) effect\b|\bmuscle mass\b|\bbody mass\b"
    r"|\b(?:phantom|pseudo|vanishing)[- ]?tumou?rs?|\bpseudo(?:mass|nodule|tumou?r|fracture"
    r"|pneumothorax)\b|\blymph nodes?\b"
    r"|\b(?:wound|urinary|urinary tract|skin|line|bone|joint|ear|viral|fungal)[- ]infections?"
    r"|\b(?:fractur\w+|broken|break)(?= (?:(?!and\b|or\b|with\b|but\b|near\b|by\b)\w+ ){0,4}?"
    r"(?:wires?|leads?|catheters?|tubes?|sutures?|screws?|plates?|stents?)\b)"
    r"|(?<=lead is )(?:fractured|broken)|(?<=leads are )(?:fractured|broken)"
    r"|(?<=catheter is )(?:fractured|broken)|(?<=lead has )(?:fractured|broken)"
    r"|(?<=wire )fractur\w+|(?<=wires )fractur\w+|(?<=lead )fractur\w+|(?<=catheter )fractur\w+"
    r"|(?<=hardware )fractur\w+|(?<=wire is )(?:fractured|broken)|(?<=wires are )(?:fractured|broken)"
    r"|(?<=wire has )fractured"
    r"|\b(?:vertebra\w*|tracheal|airway|bronchial|vertebral(?: \w+)?|circulatory|nasal) "
    r"(?:collapse|congestion)|\bcollapse of (?:the )?(?:\w+ )?(?:vertebra\w*|trachea|t\d+|l\d+)"
    r"|\bcollapsed (?:vertebra\w*|trachea)"
    r"|\bcollapsed \w+ vertebra|\bnodular (?:liver|spleen|thyroid|goit\w+|contour|diaphragm)"
    r"|\b(?:formerly|previously|once|earlier) (?:wide\w*|enlarged|large|dilated)\b"
    r"|\b(?:enlarged|wide|widened|large|dilated) (?:before|previously|earlier|yesterday)\b"
    r"|\b(?:right|left) heart border|\bpericardi\w+"
    r"|\b(?:heart|cardiac) (?:monitor\w*|surgery|rhythm|arrest|rate|sounds?|disease|apex)"
    r"|\bof (?:this|that) kind\b|\bx-?ray tube\b|\btube (?:voltage|current)\b|\btube shift\b"
    r"|\bnot only\b|\btubes? of\b"
    r"|\b(?:nipples?|skin|ecg|ekg|external|oxygen) (?:shadows?|markers?|tubing)\b"
)
"""Text in which a word of `MENTIONS` does not speak of the finding, or not of the chest."""
