"""Word lists of the rule labeller: how reports in English speak of findings.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re

HEART = "heart"
"""Pseudo-label of a plain mention of the heart: carries size and change, states no finding."""


def _words(*alternatives: str) -> re.Pattern[str]:
    """Any of the alternatives, between word boundaries."""
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b")


_IS = r"(?:is|are|appears?|remains?)"
_ANGLE = r"(?:costophrenic|cp) (?:angles?|sulc\w+|recess\w*)"
_CARDIAC = r"(?:silhouettes?|contours?|shadow|size|sizes)"

# --- mentions: (label, finer name or empty, pattern); an earlier row wins over a later one --------

MENTIONS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "enlarged cardiomediastinum",
        "",
        _words(
            r"(?:widened|wide|enlarged) (?:cardio)?mediastin\w+",
            r"mediastinal (?:widening|enlargement)",
            rf"(?:cardio)?mediastin\w+(?: \w+)? {_IS} (?:\w+ly )?(?:widened|wide|enlarged)",
        ),
    ),
    (
        "cardiomegaly",
        "",
        _words(
            r"cardiomegaly",
            r"cardiac enlargement",
            r"enlarge(?:d|ment of the) (?:heart|cardiac (?:silhouette|contour|shadow))",
        ),
    ),
    (
        "lung lesion",
        "nodule",
        _words(r"(?:micro)?nodul\w+(?: (?:opacit\w+|densit\w+|lesions?))?"),
    ),
    ("lung lesion", "mass", _words(r"mass(?:es)?(?:[- ]like)?(?: (?:opacit\w+|lesions?))?")),
    (
        "lung lesion",
        "lesion",
        _words(r"(?:coin|cavitary|pulmonary|lung) lesions?", r"tumou?rs?", r"neoplasms?"),
    ),
    (
        "lung opacity",
        "",
        _words(
            r"opacit(?:y|ies)",
            r"opacifi\w+",
            r"infiltrat\w+",
            r"air-?\s?space disease",
            r"haze",
            r"haziness",
            r"hazy density",
            r"interstitial (?:markings|changes)",
        ),
    ),
    (
        "edema",
        "",
        _words(
            r"o?edema",
            r"heart failure",
            r"chf",
            r"(?:pulmonary )?(?:vascular|venous)(?: \w+)? congestion",
        ),
    ),
    ("consolidation", "", _words(r"consolidat\w+")),
    ("pneumonia", "", _words(r"(?:broncho)?pneumonias?", r"infection", r"infectious process")),
    ("atelectasis", "", _words(r"atelecta\w+", r"volume loss", r"(?:lobar )?collapse")),
    ("pneumothorax", "", _words(r"pneumothora\w+", r"ptx")),
    (
        "pleural effusion",
        "",
        _words(
            r"(?:pleural )?effusions?",
            r"pleural fluid",
            r"(?:hemo|hydro|haemo)thorax",
            rf"blunt\w+ (?:of )?(?:the )?(?:\w+ )?{_ANGLE}",
            rf"{_ANGLE} {_IS} (?:\w+ly )?blunted",
        ),
    ),
    (
        "pleural other",
        "",
        _words(r"(?:bi)?(?:pleural|apical) (?:thickening|plaques?|scar\w*)", r"fibrothorax"),
    ),
    ("fracture", "", _words(r"fractur\w+")),
    (
        "support devices",
        "pacemaker",
        _words(
            r"pacemakers?",
            r"pacers?",
            r"pacing (?:device|system|leads?|wires?)",
            r"(?:cardiac )?defibrillators?",
            r"icd",
            r"pulse generator",
            r"cardiac device",
        ),
    ),
    (
        "support devices",
        "tube",
        _words(
            r"(?:(?:endotracheal|tracheostomy|nasogastric|orogastric|enteric|feeding|dobhoff"
            r"|et|ng|og|chest|thoracostomy|gastric|drainage|pleural) )?tubes?",
            r"ett",
            r"ngt",
            r"chest drains?",
            r"pigtail\w*",
        ),
    ),
    (
        "support devices",
        "line",
        _words(
            r"(?:(?:central|venous|jugular|subclavian|arterial|dialysis|picc|iv|ij|midline) )+"
            r"lines?",
            r"picc",
            r"lines and tubes",
            r"(?:\w+ )?catheters?",
            r"port-a-cath",
            r"mediport",
            r"swan-ganz",
        ),
    ),
    (
        "support devices",
        "device",
        _words(
            r"support (?:and monitoring )?devices?",
            r"sternal wires",
            r"hardware",
            r"prosthetic valve",
        ),
    ),
    (
        HEART,
        "",
        _words(
            rf"(?:heart|cardiac|cardiomediastinal)(?: {_CARDIAC})?",
            r"cardiothoracic ratio",
            r"cardiopericardial silhouette",
        ),
    ),
)

NOT_A_MENTION = re.compile(
    r"\bpericardial effusions?|\bpleural lines?\b|\bsoft[- ]tissue (?:edema|mass\w*)"
    r"|\b(?:history|hx|h/o) of [\w\s]+?(?=[,.;]|$)"
    r"|\b(?:evaluate|assess|query|rule out|r/o) (?:for )?[\w\s]+?(?=[,.;]|$)"
    r"|\b(?:right|left) heart border"
)
"""Text in which a word of `MENTIONS` does not speak of the finding."""

_NORMAL_IS = rf"(?:{_IS} |both |otherwise |now |well expanded and |grossly |essentially )*"
NORMAL: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (
        ("lung opacity",),
        _words(rf"lungs? (?:fields? )?{_NORMAL_IS}clear(?! of)", r"clear lungs?"),
    ),
    (
        ("pleural effusion",),
        _words(
            rf"{_ANGLE} (?:{_IS} )+(?:\w+ly )?(?:sharp|clear|preserved|free)", rf"sharp {_ANGLE}"
        ),
    ),
    (
        ("pleural effusion", "pneumothorax"),
        _words(rf"pleural (?:spaces?|surfaces?) (?:{_IS} )+(?:clear|normal|unremarkable)"),
    ),
    (
        ("enlarged cardiomediastinum",),
        _words(
            r"(?:cardio)?mediastin\w+(?: and hilar)?(?: (?:silhouettes?|contours?|structures))? "
            rf"{_NORMAL_IS}(?:\w+ly )?"
            r"(?:normal|unremarkable|within normal|not (?:widened|enlarged))",
            r"(?:normal|unremarkable) (?:cardio)?mediastin\w+",
        ),
    ),
    (
        ("fracture",),
        _words(
            r"(?:bon(?:es|y \w+)|osseous structures|ribs|bony thorax) "
            rf"{_NORMAL_IS}(?:\w+ly )?(?:intact|normal|unremarkable)",
            r"no (?:acute )?(?:osseous|bony) (?:\w+ )?(?:abnormalit\w+|lesion\w*)",
        ),
    ),
)
"""(labels, pattern): sentences that deny labels without naming them."""

# --- words that act on mentions ------------------------------------------------------------------

UNCERTAIN_AFTER = re.compile(
    r"\b(?:may|might|could)(?: also)?(?: \w+)? "
    r"(?:be|represent|reflect|indicate|suggest|relate|have|mean|due)\b"
    r"|\b(?:may|might|could) (?:be|represent|reflect)\b"
    r"|\b(?:cannot|can ?not|could not|difficult to|not possible to) (?:be )?"
    r"(?:entirely |completely |fully )?(?:exclude|rule out)"
    r"|\b(?:concerning|concern|suspicious|suspicion|worrisome) (?:for|of)\b"
    r"|\bsuggest(?:s|ing|ive(?: of)?|ed)?\b"
    r"|\b(?:suspected|suspect|probable|probably|likely|presumed|presumably|differential)\b"
    r"|\bversus\b|\bvs\.?\s"
)
"""Makes what follows uncertain, to the end of the clause."""
UNCERTAIN_WORD = _words(
    "possible",
    "possibly",
    "questionable",
    "borderline",
    "equivocal",
    "potential",
    "potentially",
    "perhaps",
    "doubtful",
)
"""Makes the next finding uncertain, up to a comma or "and"."""
UNCERTAIN_BEFORE = re.compile(
    r"\b(?:cannot|can ?not|could not) be (?:\w+ly )?(?:excluded|ruled out)"
    r"|\b(?:is|are) not (?:\w+ly )?(?:excluded|ruled out)"
    r"|\b(?:is|are|remains?) (?:possible|suspected|questioned|questionable|uncertain|equivocal"
    r"|likely|a possibility|borderline)\b"
    r"|\bversus\b|\bvs\.?\s"
)
"""Makes what stands before it uncertain."""
NEGATED_AFTER = _words(
    "no",
    "not",
    "without",
    "neither",
    "nor",
    "free of",
    "free from",
    "clear of",
    "negative for",
    "absence of",
    "absent",
    "lack of",
    "devoid of",
    "rather than",
    "(?<!partial )(?<!near )(?<!near-)resolution of",
    "removal of",
    "excludes?",
    "rules out",
)
"""Denies what follows, to the end of the clause."""
NEGATED_BEFORE = re.compile(
    r"\b(?:is|are|was|were) (?:not|no longer|now absent|absent|excluded|ruled out|none)\b"
    r"(?! changed| improved| excluded)"
    r"|\bno longer (?:\w+ )?(?:seen|visible|present|evident|identified|there|apparent|shown)\b"
    r"|\bnone (?:seen|visible|present)?"
    r"|\b(?:not|never) (?:seen|visible|present|evident|identified|demonstrated|apparent|shown"
    r"|detected)\b"
    r"|(?<!partially )(?<!partly )(?<!almost )(?<!nearly )(?<!incompletely )(?<!not )"
    r"\b(?:resolved|cleared|disappeared)\b"
    r"|\b(?:has|have) been (?:removed|taken out|withdrawn)\b|\bwas removed\b"
    r"|:\s*(?:none|no|absent|nil)\b"
)
"""Denies what stands before it."""
SIDE = re.compile(
    r"\b(?:(?P<both>bilateral\w*|both|bi-?basilar|bi-?basal|bi-?apical|either side)"
    r"|(?P<left>left|lingula\w*)|(?P<right>right))(?:-sided)?\b"
    r"(?! (?:atri|ventric|main|heart|brachio|innominate))"
)
SEVERITY = re.compile(
    r"\b(?:(?P<mild>mild|mildly|minimal|minimally|slight|slightly|trace|tiny|small|little|subtle"
    r"|thin|faint)"
    r"|(?P<moderate>moderate|moderately|medium|moderate-sized)"
    r"|(?P<severe>severe|severely|large|big|marked|markedly|massive|extensive|gross|grossly))\b"
)
_QUALIFIER = (
    r"(?:\w+ly|significant|interval|definite|substantial|appreciable|relevant|great|much|obvious"
    r"|clear|major)"
)
CHANGE = re.compile(
    rf"(?P<same>\b(?:no|not|without|nor|never)(?: {_QUALIFIER})* "
    r"(?:chang\w+|improv\w+|increas\w+|decreas\w+|worsen\w+|progress\w+|differen\w+)"
    r"|\bunchanged\b|\bstabl[ey]\b|\bsimilar\b|\bthe same\b|\bas before\b|\bconstant\b"
    r"|\bpersist\w*|\bunaltered\b|\bequal\b)"
    r"|(?P<better>\bimprov\w+|\bdecreas\w+|\bsmaller\b|\breduc\w+|\bresol\w+|\bclear(?:ed|ing)\b"
    r"|\bless\b|\bregress\w+|\bno longer\b|\bshrunk\b|\bshrinking\b|\bdiminish\w*|\blessen\w*"
    r"|\bdisappeared\b)"
    r"|(?P<worse>\bworse\w*|\bincreas\w+|\blarger\b|\bbigger\b|(?<!no )\bnew\b|\bnewly\b"
    r"|\bprogress\w+|\bdeveloped\b|\bgrown\b|\bgrowing\b"
    r"|\bmore (?:extensive|pronounced|prominent|marked|conspicuous|dense|severe)\b|\bdenser\b"
    r"|\b(?:has|have) enlarged\b|\bdeteriorat\w+)"
)
GENERIC_CHANGE = re.compile(
    r"^(?:(?:there (?:is|has been) )?no (?:\w+ )*change\b"
    r"|(?:otherwise |overall )?(?:unchanged|stable)\b)"
)
"""A sentence of its own that speaks of everything."""
PRONOUN = re.compile(r"^(?:it|this|these|they|both|the (?:finding|appearance|abnormality)s?)\b")

# --- how far words act ---------------------------------------------------------------------------

STRONG_BREAK = re.compile(
    r"\b(?:but|however|although|though|except(?: for)?|apart from|aside from|other than|besides|yet"
    r"|while|whereas|which|because|otherwise)\b"
    r"|[;:](?!\s*(?:none|no|absent|nil)\b)"
    r"|,? and (?=(?:a|an|the|there|it|now|no)\b)"
    r"|, (?=(?:there|it|no|without|the|a|an|and the)\b)"
    r"| with (?=(?:a|an|no)\b)| (?=without\b)"
)
"""A new clause begins."""
SOFT_BREAK = re.compile(
    r"(?:,| and) (?=(?:mild|mildly|small|moderate|large|tiny|trace|minimal|severe|left|right"
    r"|bilateral|stable|unchanged|persistent|new|interval|status|old)\b)"
)
"""A new clause begins, unless a list goes on to "or"."""
JOIN = re.compile(r",\s*(?:and|or|nor|with)\s|,\s|\s(?:and|or|nor|with|plus|as well as)\s")
VERB = _words(
    r"is|are|was|were|has|have|had|shows?|seen|appears?|remains?|obscur\w+|represent\w*|reflect\w*",
    r"may|could",
)
BARE_JOIN = re.compile(
    r"^[,\s]*(?:(?:and|or|with|plus|associated|adjacent|underlying|overlying|accompanying|small|mild"
    r"|moderate|compressive|some|an?|the|as well as|also|subtle)[,\s]*)*$"
)
"""Between two findings that share one side."""
LEADING_ADJECTIVES = re.compile(
    r"(?:\b(?:an?|the|left|right|bilateral|small|mild|moderate|large)\s+)*$"
)

# --- the heart -----------------------------------------------------------------------------------

HEART_WORD = re.compile(
    r"\b(?:heart|cardiac (?:size|silhouette|contours?|shadow)|cardiomediastinal silhouette"
    r"|cardiothoracic ratio|cardiopericardial silhouette|cardiomegaly|cardiac enlargement)\b"
    r"(?! (?:failure|border))"
)
HEART_BORDERLINE = _words(
    r"borderline",
    r"(?:upper|high) (?:limits?|end|range) of (?:the )?normal",
    r"top[- ]normal",
    r"upper normal",
    r"at the (?:upper )?limits? of normal",
    r"high[- ]normal",
)
HEART_ENLARGED = _words(
    r"enlarged|enlargement|cardiomegaly",
    r"(?:is|appears?|remains?|looks) (?:\w+ly |too )?(?:large|big|wide|widened|dilated)",
    r"large (?:heart|cardiac)",
    r"increased (?:in )?(?:size|ratio)",
    r"above normal|wider than normal",
)
HEART_NORMAL = _words(r"normal|unremarkable|no cardiomegaly|no cardiac enlargement|no enlargement")
