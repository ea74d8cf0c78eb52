"""Findings of the rule labeller: how reports in English name them.

Our own, written from general knowledge of report language. All patterns match lower-case text. The
words that act on findings are in `modifiers.py`.
"""

from __future__ import annotations

import re

from chexone_ray.metrics.labeller.bones import FRACTURE
from chexone_ray.metrics.labeller.devices import DEVICES
from chexone_ray.metrics.labeller.patterns import Row, alternatives
from chexone_ray.metrics.labeller.pleura import EFFUSION, PLEURA, PNEUMOTHORAX
from chexone_ray.metrics.labeller.terms import HEART, ONE

_CARDIAC = r"(?:silhouettes?|contours?|shadow|size|sizes)"
_MEDIASTINUM = r"(?:cardio)?mediastin(?:um|al (?:silhouettes?|contours?|shadow|borders?|width))"
# --- mentions: an earlier row wins over a later one -----------------------------------------------

MENTIONS: tuple[Row, ...] = (
    Row(
        "enlarged cardiomediastinum",
        "",
        ("mediast",),
        alternatives(
            r"(?:widened|wide|enlarged|broad(?:ened)?|prominent|bulky|expanded|distended|dilated"
            r"|generous|capacious|unfolded"
            r"|large) (?:\w+ )?(?:cardio)?mediast\w+",
            r"(?:cardio)?mediastin\w+ (?:and cardiac )?(?:widening|enlargement|broadening"
            r"|expansion)",
            r"(?:widening|enlargement|broadening|fullness|expansion|distension|bulging"
            r"|bulge)(?: (?:or|and"
            r"|nor) \w+)? of (?:the )?(?:\w+ )?(?:cardio)?mediastin\w+",
            r"(?:superior )?mediastinal fullness",
            r"(?:enlargement|widening|enlarged|large|wide) (?:of )?(?:the )?(?:heart|cardiac \w+)"
            r"(?:,|,? and|,? or|,? nor) (?:the )?(?P<too>mediastinum)",
            r"(?:widens?|widening|broadens?|broadening) (?:the "
            r"|an? )?(?:\w+ )?(?:cardio)?mediastin\w+",
            r"(?:prominence|increase|increased) (?:of"
            r"|in) (?:the )?(?:\w+ )?(?:cardio)?mediastin\w+",
            r"(?:cardio)?mediastinal prominence",
            r"(?:increased?|enlarged|raised)(?: in)? (?:the )?(?:transverse )?(?:diameter|size"
            r"|breadth"
            r"|width) of the (?:\w+ )?mediastinum",
            r"increased? (?:in )?(?:cardio)?mediastinal (?:width|size|diameter)",
            r"increased? (?:in )?(?:the )?width of the (?:\w+ )?mediastinum",
            rf"{_MEDIASTINUM}(?! (?:and|or)\b)(?:,? which"
            rf"|,[^,]{{0,30}},?)?(?: +(?!normal)[\w-]+){{0,6}}? +"
            r"(?P<at>widened|wide|wider|widens|enlarged|enlarging|broad|broadened|broader|large"
            r"|larger"
            r"|prominent|expanded|bulky|distended|dilated|generous|bulges|bulging)(?! range)",
        ),
    ),
    Row(
        "cardiomegaly",
        "",
        ("cardiomeg", "enlarge", "heart", "cm", "cardi", "ventric", "atrial", "ctr"),
        alternatives(
            r"cardiomeg\w*|(?:enlarged|dilated|hypertrophied) (?:left|right) (?:ventricle"
            r"|heart)",
            r"(?:left|right) (?:ventricle|heart) (?:is|appears|looks) (?:not )?(?:\w+ly )?"
            r"(?P<chamber>enlarged|dilated|hypertrophied)|(?:left|right) heart enlargement",
            r"(?:increased?|enlarged|raised|high)(?: in)?(?: the)? (?:transverse )?(?:heart size"
            r"|cardiac size"
            r"|cardiothoracic ratio|ctr|(?:transverse )?diameter of the heart|size of the heart)",
            r"(?:(?:left|right) (?:ventricular|atrial)|biventricular|biatrial|four-chamber"
            r"|ventricular)"
            r" (?:enlargement|dilata?tion|hypertrophy)",
            r"(?:globular|boot-shaped|water-?bottle|bulky|wide|widened|prominent|large|dilated"
            r"|oversized?|expanded|hypertrophied|broad(?:ened)?|huge|massive|generous)(?: sized"
            r"|-sized)?"
            r" (?:heart|cardiac (?:silhouettes?|shadows?|contours?|outlines?|size))",
            r"megacardia|cardiac hypertrophy",
            r"(?<!\d)(?<!\d )(?<!few )(?<!some )(?<!several )(?<!in )(?<!per )cm"
            r"(?=\W*$|[,;]| w| stable| unch| persist| \+| again)",
            r"(?:cardiac|heart)(?: and mediastinal)? enlargement",
            r"(?:big|large|enlarged|dilated) heart",
            r"(?:cardiac|heart) (?:dilata?tion|hypertrophy)",
            r"(?:dilated|enlarged) (?:cardiac|heart) chambers?|(?:cardiac )?chamber enlargement",
            r"(?:dilata?tion|enlargement|widening|prominence|expansion) of (?:the )?(?:heart"
            r"|cardiac (?:silhouette"
            r"|shadow|contour))",
            r"enlarge(?:d|ment of the) (?:heart|cardiac (?:silhouette|contour|shadow))",
        ),
    ),
    EFFUSION,
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
        (
            "lesion",
            "coin",
            "round",
            "spheric",
            "growth",
            "deposit",
            "lump",
            "umo",
            "neopl",
            "metasta",
            "cancer",
            "carcino",
            "granulom",
            "malig",
            "hamart",
            "primary",
            "tubercul",
            "secondaries",
            "lymphang",
            "spicul",
        ),
        alternatives(
            r"(?:space[- ]occupying |coin |cavitary |cavitating |pulmonary |lung |round |focal )*"
            r"lesions?",
            r"tumou?rs?|tuberculomas?",
            r"neoplas(?:ms?|tic (?:lesions?|process|disease|growth))",
            r"metasta(?:sis|ses)",
            r"(?:pulmonary|lung|intrapulmonary|secondary) (?:growths?|deposits?|lumps?)",
            r"(?:growths?|deposits?|lumps?|secondaries) (?:in|of|within) (?:the |both |either )?"
            r"(?:\w+ ){0,2}?(?:lungs?|lobe|zone|apex|base)",
            r"(?:pulmonary|lung) secondaries|lymphangitic (?:spread|carcinomatosis)",
            r"(?:coin(?:-like|-shaped)?|spherical) (?:shadows?|opacity|opacities|densit\w+)",
            r"(?:rounded|round|spiculated|coin-?shaped|nodular) (?:focus|foci|spots?|bod(?:y|ies))",
            r"(?:rounded|round) (?:shadow|density|opacity)(?= (?:of|in) the \w+ (?:lobe|lung))",
            r"metastatic (?:disease|deposits?)",
            r"(?:lung |bronchial |bronchogenic )?(?:cancers?|(?:adeno)?carcinomas?)",
            r"granulomas?",
            r"granulomata",
            r"malignanc(?:y|ies)",
            r"hamartomas?|(?:lung|bronchial) primary|primary (?:lung|bronchial) (?:cancer|tumou?r)",
        ),
    ),
    Row(
        "lung opacity",
        "",
        (
            "opac",
            "opaq",
            "infilt",
            "densit",
            "marking",
            "space",
            "haz",
            "interstit",
            "reticul",
            "shadow",
            "alveolar",
            "ground",
            "white",
            "septal",
            "kerley",
            "bronchov",
            "veil",
            "cloud",
            "atten",
            "honey",
        ),
        alternatives(
            r"(?:radi(?:o-?)?)?opacit(?:y|ies)|opacs?|infilts?|honeycombing",
            r"(?:veiling|clouding|cloudiness) (?:of|in|at|over) (?:the "
            r"|both )?(?:\w+ ){0,2}?(?:lungs?"
            r"|bas[ei]s?|zones?|lobes?|hemithora\w+)",
            r"(?:increased|abnormal) attenuation",
            r"(?:patchy|hazy|lung|parenchymal|increased|focal|ill-defined|retrocardiac|alveolar"
            r"|streaky|veil-like|vague"
            r"|confluent"
            r"|nodular) densit(?:y|ies)",
            r"(?:increased|prominent|coarse|accentuated|heavy) (?:(?:lung|pulmonary"
            r"|bronchovascular|basal"
            r"|bibasal|interstitial) )*markings",
            r"opacifi\w+",
            r"(?:hemithorax|lung|base|zone)s? (?:is|are) (?:\w+ )?(?P<opaque>opaque)"
            r"|lungs? (?P<white>opaque)",
            r"opaque (?:lung|hemithorax|area\w*|zone\w*|base\w*)",
            r"(?:prominent|thickened|coarsened|accentuated|increased) interstiti\w+(?: markings)?",
            r"(?:patchy|fluffy|ill-defined|alveolar|cloudy|confluent|hazy|reticular|linear"
            r"|interstitial"
            r"|streaky) shadows?|(?<!nipple )(?<!round )(?<!rounded )(?<!coin )shadows? (?:in"
            r"|at) (?:the |both |either )(?:\w+ ){1,2}?"
            r"(?:zones?|lobes?|lungs?|bas[ei]s?|apex|apices)",
            r"alveolar (?:filling|process|disease|pattern)",
            r"interstitial lung disease",
            r"infiltrat\w+",
            r"air-?\s?space (?:disease|shadow\w*|process\w*|chang\w+|filling|densit\w+)",
            r"haze",
            r"haziness|(?:lung |bronchovascular |interstitial |basal )?markings (?:(?:in|of|at"
            r"|over) "
            r"(?:the |both )?(?:\w+ ){1,2}?)?(?:is |are |appear |look |remain )"
            r"(?:\w+ly )?(?:coarse\w*|increased|prominent|accentuated|heavy|thickened)",
            r"hazy (?:\w+ )?(?:bases?|lungs?|zones?|fields?|hemithorax|appearance)",
            r"(?:lungs?|bases?|zones?|fields?|hemithorax) (?:is|are|looks?"
            r"|appears?) (?:\w+ )?(?P<hazy>hazy)",
            r"hazy (?:density|shadow\w*|area\w*|change)",
            r"(?:reticulo)?(?:interstitial|reticular|reticulonodular|bronchovascular)"
            r"(?: (?:lung|pulmonary))? (?:markings?|chang\w+|patterns?|disease|thickening"
            r"|prominence|shadow\w*|abnormalit\w+|process\w*|densit\w+|lines)",
            r"(?<!bone )(?<!tissue )(?<!calcific )densit(?:y|ies)(?= (?:at|in|over|behind"
            r"|projecting) (?:the )?"
            r"(?:\w+ )?(?:bas[ei]s?|lungs?|lobe|zone|hilum|apex|heart)\b)",
            r"increased (?:(?:r|l|right|left|basal|bibasal|basilar|retrocardiac|lower|upper|zone"
            r"|lobe) )+densit\w+",
            r"air-?\s?space dz",
            r"veils?(?= (?:over|across|of|in|on|at)\b)",
            r"reticulations?|bronchovascular prominence|septal (?:thickening|lines)"
            r"|kerley(?: \w)? lines",
            r"shadowing",
            r"ground[- ]glass(?: \w*chang\w+| densit\w+| attenuation)?",
            r"white(?:d|s)?-?\s?out",
        ),
    ),
    Row(
        "edema",
        "",
        (
            "dema",
            "failure",
            "chf",
            "ccf",
            "hf",
            "lvf",
            "congest",
            "overload",
            "decompens",
            "engorge",
            "wet",
            "plethor",
            "hypertens",
            "overhyd",
            "water",
        ),
        alternatives(
            r"(?:oe|e|o)dema(?:tous)?",
            r"(?:heart|cardiac|ventricular|pump) failure",
            r"(?<!respiratory )(?<!renal )(?<!kidney )(?<!liver )(?<!hepatic )(?<!organ )"
            r"(?<!multiorgan )failure(?! (?:to|of)\b)",
            r"[cl]cf|ccf|chf|hf",
            r"lvf|water-?logg(?:ed|ing)|water (?:on|in) (?:the |both )?lungs?",
            r"(?:pulmonary )?(?:vascular|venous)(?: \w+)? congestion",
            r"congestion",
            r"congested",
            r"congestive (?:chang\w+|failure)",
            r"(?:fluid|volume|circulatory) overload|wet lungs?|lungs? (?:is |are )?(?P<wet>wet)",
            r"(?:cardiac |heart )?decompensat\w+",
            r"(?:vascular |venous |vessel )?engorge\w+",
            r"congestive",
            r"(?:pulmonary |vascular )*plethora|(?:fluid )?overhydration",
            r"(?:pulmonary )?venous hypertension",
        ),
    ),
    Row("consolidation", "", ("cons",), alternatives(r"consolidat\w+", r"consols?", r"cons")),
    Row(
        "pneumonia",
        "",
        ("pneumoni", "infect", "abscess", " tb", "pna", "lrti", "tubercul", "chest sepsis"),
        alternatives(
            r"(?:broncho|pleuro)?pneumonias?",
            r"(?:super)?infections?",
            r"infectious process|pulmonary abscess|lung abscess(?:es)?|active tb",
            r"pna|l?lrti|pneumonitis|(?:pulmonary )?tuberculosis",
            r"infecti(?:ous|ve)(?: (?:process\w*|focus|foci|etiology"
            r"|change))?",
            r"(?:broncho)?pneumonic(?: \w*chang\w+)?",
            r"infected",
        ),
    ),
    Row(
        "atelectasis",
        "",
        (
            "atel",
            "volume loss",
            "loss of",
            "lost",
            "incomplet",
            "collaps",
            "airless",
            "unaer",
            "atx",
            "deflat",
            "inflat",
            "shrunk",
            "expand",
            "aerat",
            "shrink",
            "expans",
            "fleisch",
            "dystel",
            "volume",
        ),
        alternatives(
            r"atelecta\w+",
            r"atel",
            r"atx",
            r"volume loss",
            r"incomplete(?:ly)? (?:re-?)?(?:expan\w+|inflat\w+|aerat\w+)",
            r"loss of (?:\w+ )?volume",
            r"unaerated",
            r"lost (?:\w+ )?volume",
            r"(?:lobar )?collaps(?:e[ds]?|ing)",
            r"airless|dystelectas\w+|fleischner(?:'s)? lines?",
            r"(?:(?:poorly|badly|incompletely|partly|not) (?:aerated|expanded|inflated)|deflated"
            r"|shrunken|unexpanded|under-?inflated|non-?aerated"
            r"|under-?expanded) (?:\w+ ){0,3}?"
            r"(?:lung|lobe|lingula|base|segment)s?",
            r"(?:lungs?|lobes?|lingula|segments?) (?:is |are |has |have |remains? |looks? "
            r"|appears? )(?:not )?(?:\w+ly )*"
            r"(?P<shrunk>(?<=poorly )(?:re)?(?:aerated|expanded|inflated)|deflated|shrunken"
            r"|unexpanded|under-?inflated|non-?aerated)",
            r"(?:lungs?|lobes?) (?:is|are|has|have) (?P<unexpanded>not (?:been )?(?:fully "
            r"|completely |yet )+"
            r"(?:re-?)?(?:expanded|inflated|aerated))",
            r"(?:loss|lack) of aeration|(?:deflation|under-?(?:inflation|expansion|aeration)"
            r"|(?:poor|reduced|impaired) (?:aeration|expansion)"
            r"|shrinkage) of (?:the )?(?:\w+ ){1,3}?(?:lobe"
            r"|lung|base)",
            r"(?:reduced|reduction (?:of"
            r"|in)) (?:the )?(?:\w+ )?volume of the (?:\w+ ){1,3}?(?:lobe|lung)"
            r"|volume reduction",
        ),
    ),
    PNEUMOTHORAX,
    PLEURA,
    FRACTURE,
    *DEVICES,
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
            r"\b(?:(?:the|an?|another)(?: (?!no\b|this\b|that\b|each\b|any\b"
            r"|every\b)[\w-]+){0,3}|has"
            r"|have|had|shows?) (?:ones|(?<=[a-z]{3} )one(?= of (?:the|his"
            r"|her)\b)(?<!the one)(?<!has one)|one(?! (?:of|side|lung|lobe|film|at|view|and)\b))\b"
        ),
    ),
)
