"""Rule labeller for chest X-ray reports in English: text -> the 14 CheXpert labels.

One sentence at a time: phrases that mention a finding, then negation, uncertainty, side, severity
and change words in reach of each phrase. Pure, deterministic, no model. The label names are
CheXpert's in lower case; `Mention.name` keeps the finer word, such as "nodule" for "lung lesion".
The wording lists are our own, written from general knowledge of report language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

LABELS = (
    "no finding",
    "enlarged cardiomediastinum",
    "cardiomegaly",
    "lung opacity",
    "lung lesion",
    "edema",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural effusion",
    "pleural other",
    "fracture",
    "support devices",
)
"""CheXpert's 14 labels in file order, lower case."""

PRESENT, ABSENT, UNCERTAIN = 1, 0, -1
_HEART = "heart"
"""Pseudo-label of a plain mention of the heart: carries size and change, states no finding."""


@dataclass(frozen=True)
class Mention:
    """What a report says of one label: `state` 1 present, 0 absent, -1 uncertain."""

    state: int
    sides: frozenset[str] = frozenset()
    """"left", "right" or both."""
    severity: str = ""
    """"mild", "moderate", "severe" or empty."""
    name: str = ""
    """The finer finding, such as "pacemaker"; the label itself where there is none finer."""


@dataclass(frozen=True)
class Phrase:
    """One phrase of a report that mentions a label; `start` and `end` count in its sentence."""

    label: str
    name: str
    sentence: int
    start: int
    end: int
    state: int = PRESENT
    sides: frozenset[str] = frozenset()
    severity: str = ""
    change: str = ""
    """"better", "same", "worse" or empty."""


# --- phrases -------------------------------------------------------------------------------------

_MENTION_ROWS: tuple[tuple[str, str, str], ...] = (
    ("enlarged cardiomediastinum", "", r"(?:widened|wide|enlarged) (?:cardio)?mediastin\w+"),
    ("enlarged cardiomediastinum", "", r"mediastinal (?:widening|enlargement)"),
    (
        "enlarged cardiomediastinum",
        "",
        r"(?:cardio)?mediastin\w+(?: \w+)? (?:is|are|appears?|remains?) (?:\w+ly )?(?:widened|wide|enlarged)",
    ),
    ("cardiomegaly", "", r"cardiomegaly|cardiac enlargement"),
    (
        "cardiomegaly",
        "",
        r"enlarge(?:d|ment of the) (?:heart|cardiac (?:silhouette|contour|shadow))",
    ),
    ("lung lesion", "nodule", r"(?:micro)?nodul\w+(?: (?:opacit\w+|densit\w+|lesions?))?"),
    ("lung lesion", "mass", r"mass(?:es)?(?:[- ]like)?(?: (?:opacit\w+|lesions?))?"),
    ("lung lesion", "lesion", r"(?:coin|cavitary|pulmonary|lung) lesions?|tumou?rs?|neoplasms?"),
    ("lung opacity", "", r"opacit(?:y|ies)|opacifi\w+|infiltrat\w+|air-?\s?space disease"),
    ("lung opacity", "", r"haz(?:e|iness|y density)|interstitial (?:markings|changes)"),
    ("edema", "", r"o?edema|heart failure|chf"),
    ("edema", "", r"(?:pulmonary )?(?:vascular|venous)(?: \w+)? congestion|vascular congestion"),
    ("consolidation", "", r"consolidat\w+"),
    ("pneumonia", "", r"(?:broncho)?pneumonias?|infection|infectious process"),
    ("atelectasis", "", r"atelecta\w+|volume loss|(?:lobar )?collapse"),
    ("pneumothorax", "", r"pneumothora\w+|ptx"),
    ("pleural effusion", "", r"(?:pleural )?effusions?|pleural fluid|(?:hemo|hydro|haemo)thorax"),
    (
        "pleural effusion",
        "",
        r"blunt\w+ (?:of )?(?:the )?(?:\w+ )?(?:costophrenic|cp) (?:angles?|sulc\w+)",
    ),
    (
        "pleural effusion",
        "",
        r"(?:costophrenic|cp) (?:angles?|sulc\w+) (?:is|are|appears?|remains?) (?:\w+ly )?blunted",
    ),
    ("pleural other", "", r"(?:bi)?(?:pleural|apical) (?:thickening|plaques?|scar\w*)|fibrothorax"),
    ("fracture", "", r"fractur\w+"),
    ("support devices", "pacemaker", r"pacemakers?|pacers?|pacing (?:device|system|leads?|wires?)"),
    (
        "support devices",
        "pacemaker",
        r"(?:cardiac )?defibrillators?|icd|pulse generator|cardiac device",
    ),
    (
        "support devices",
        "tube",
        r"(?:(?:endotracheal|tracheostomy|nasogastric|orogastric|enteric|feeding|et|ng|og|dobhoff|chest|"
        r"thoracostomy|gastric|drainage|pleural) )?tubes?|ett|ngt|chest drains?|pigtail\w*",
    ),
    (
        "support devices",
        "line",
        r"(?:(?:central|venous|jugular|subclavian|arterial|dialysis|picc|iv|ij|midline) )+lines?|picc|"
        r"lines and tubes|(?:\w+ )?catheters?|port-a-cath|mediport|swan-ganz",
    ),
    (
        "support devices",
        "device",
        r"support (?:and monitoring )?devices?|sternal wires|hardware|prosthetic valve",
    ),
    (
        _HEART,
        "",
        r"(?:heart|cardiac|cardiomediastinal)(?: (?:size|silhouette|contours?|shadow|sizes))?|"
        r"cardiothoracic ratio|cardiopericardial silhouette",
    ),
)
_MENTIONS = tuple(
    (label, name or label, re.compile(rf"\b(?:{pattern})\b"))
    for label, name, pattern in _MENTION_ROWS
)

_NOT_A_MENTION = re.compile(
    r"\bpericardial effusions?|\bpleural lines?\b|\bsoft[- ]tissue (?:edema|mass\w*)|\bheart failure clinic"
    r"|\b(?:history|hx|h/o) of [\w\s]+?(?=[,.;]|$)|\b(?:evaluate|assess|query|rule out|r/o) (?:for )?[\w\s]+?(?=[,.;]|$)"
    r"|\bright heart border|\bleft heart border"
)

_NORMAL_ROWS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("lung opacity",),
        r"lungs? (?:fields? )?(?:(?:is|are|appears?|remains?|both|otherwise|now|well expanded and|grossly|"
        r"essentially) )*clear(?! of)|clear lungs?",
    ),
    (
        ("pleural effusion",),
        r"(?:costophrenic|cp) (?:angles?|sulc\w+|recess\w*) (?:(?:is|are|appears?|remains?) )+(?:\w+ly )?"
        r"(?:sharp|clear|preserved|free)|sharp (?:costophrenic|cp) (?:angles?|sulc\w+)",
    ),
    (
        ("pleural effusion", "pneumothorax"),
        r"pleural (?:spaces?|surfaces?) (?:(?:is|are|appears?|remains?) )+(?:clear|normal|unremarkable)",
    ),
    (
        ("enlarged cardiomediastinum",),
        r"(?:cardio)?mediastin\w+(?: and hilar)?(?: (?:silhouettes?|contours?|structures))? "
        r"(?:(?:is|are|appears?|remains?|both) )*(?:\w+ly )?(?:normal|unremarkable|within normal|not (?:widened|enlarged))"
        r"|(?:normal|unremarkable) (?:cardio)?mediastin\w+",
    ),
    (
        ("fracture",),
        r"(?:bon(?:es|y \w+)|osseous structures|ribs|bony thorax) (?:(?:is|are|appears?|remains?) )*"
        r"(?:\w+ly )?(?:intact|normal|unremarkable)|no (?:acute )?(?:osseous|bony) (?:\w+ )?(?:abnormalit\w+|lesion\w*)",
    ),
)
_NORMAL = tuple((labels, re.compile(rf"\b(?:{pattern})\b")) for labels, pattern in _NORMAL_ROWS)

# --- words that act on phrases -------------------------------------------------------------------

_UNCERTAIN_AFTER = re.compile(
    r"\b(?:may|might|could)(?: also)?(?: \w+)? (?:be|represent|reflect|indicate|suggest|relate|have|mean|due)\b"
    r"|\b(?:may|might|could) (?:be|represent|reflect)\b"
    r"|\b(?:cannot|can ?not|could not|difficult to|not possible to) (?:be )?(?:entirely |completely |fully )?(?:exclude|rule out)"
    r"|\b(?:concerning|concern|suspicious|suspicion|worrisome) (?:for|of)\b|\bsuggest(?:s|ing|ive(?: of)?|ed)?\b"
    r"|\b(?:suspected|suspect|probable|probably|likely|presumed|presumably|differential)\b|\bversus\b|\bvs\.?\s"
)
_UNCERTAIN_WORD = re.compile(
    r"\b(?:possible|possibly|questionable|borderline|equivocal|potential|potentially|perhaps|doubtful|faint suggestion of)\b"
)
_UNCERTAIN_BEFORE = re.compile(
    r"\b(?:cannot|can ?not|could not) be (?:\w+ly )?(?:excluded|ruled out)|\b(?:is|are) not (?:\w+ly )?(?:excluded|ruled out)"
    r"|\b(?:is|are|remains?) (?:possible|suspected|questioned|questionable|uncertain|equivocal|likely|a possibility|borderline)\b"
    r"|\bversus\b|\bvs\.?\s"
)
_NEGATED_AFTER = re.compile(
    r"\b(?:no|not|without|neither|nor|free of|clear of|free from|negative for|absence of|absent|lack of|"
    r"devoid of|rather than|(?<!partial )(?<!near )(?<!near-)resolution of|removal of|excludes?|rules out)\b"
)
_NEGATED_BEFORE = re.compile(
    r"\b(?:is|are|was|were) (?:not|no longer|now absent|absent|excluded|ruled out|none)\b(?! changed| improved| excluded)"
    r"|\bno longer (?:\w+ )?(?:seen|visible|present|evident|identified|there|apparent|shown)\b|\bnone (?:seen|visible|present)?"
    r"|\b(?:not|never) (?:seen|visible|present|evident|identified|demonstrated|apparent|shown|detected)\b"
    r"|(?<!partially )(?<!partly )(?<!almost )(?<!nearly )(?<!incompletely )(?<!not )\b(?:resolved|cleared|disappeared)\b"
    r"|\b(?:has|have) been (?:removed|taken out|withdrawn)\b|\bwas removed\b|:\s*(?:none|no|absent|nil)\b"
)
_SIDE = re.compile(
    r"\b(?:(?P<both>bilateral\w*|both|bi-?basilar|bi-?basal|bi-?apical|either side)|"
    r"(?P<left>left|lingula\w*)|(?P<right>right))(?:-sided)?\b(?! (?:atri|ventric|main|heart|brachio|innominate))"
)
_SEVERITY = re.compile(
    r"\b(?:(?P<mild>mild|mildly|minimal|minimally|slight|slightly|trace|tiny|small|little|subtle|thin|faint)|"
    r"(?P<moderate>moderate|moderately|medium|moderate-sized)|"
    r"(?P<severe>severe|severely|large|big|marked|markedly|massive|extensive|gross|grossly))\b"
)
_QUALIFIER = r"(?:\w+ly|significant|interval|definite|substantial|appreciable|relevant|great|much|obvious|clear|major)"
_CHANGE = re.compile(
    rf"(?P<same>\b(?:no|not|without|nor|never)(?: {_QUALIFIER})* (?:chang\w+|improv\w+|increas\w+|decreas\w+|worsen\w+|progress\w+|differen\w+)"
    r"|\bunchanged\b|\bstable\b|\bstably\b|\bsimilar\b|\bthe same\b|\bas before\b|\bconstant\b|\bpersist\w*|\bunaltered\b|\bequal\b)"
    r"|(?P<better>\bimprov\w+|\bdecreas\w+|\bsmaller\b|\breduc\w+|\bresol\w+|\bclear(?:ed|ing)\b|\bless\b|\bregress\w+"
    r"|\bno longer\b|\bshrunk\b|\bshrinking\b|\bdiminish\w*|\blessen\w*|\bdisappeared\b)"
    r"|(?P<worse>\bworse\w*|\bincreas\w+|\blarger\b|\bbigger\b|(?<!no )\bnew\b|\bnewly\b|\bprogress\w+|\bdeveloped\b"
    r"|\bgrown\b|\bgrowing\b|\bmore (?:extensive|pronounced|prominent|marked|conspicuous|dense|severe)\b|\bdenser\b"
    r"|\b(?:has|have) enlarged\b|\bdeteriorat\w+)"
)
_STRONG_BREAK = re.compile(
    r"\b(?:but|however|although|though|except(?: for)?|apart from|aside from|other than|besides|yet|while|whereas|"
    r"which|because|otherwise)\b|[;:](?!\s*(?:none|no|absent|nil)\b)|,? and (?=(?:a|an|the|there|it|now|no)\b)"
    r"|, (?=(?:there|it|no|without|the|a|an|and the)\b)| with (?=(?:a|an|no)\b)| (?=without\b)"
)
_SOFT_BREAK = re.compile(
    r"(?:,| and) (?=(?:mild|mildly|small|moderate|large|tiny|trace|minimal|severe|left|right|bilateral|stable|"
    r"unchanged|persistent|new|interval|status|old)\b)"
)
_JOIN = re.compile(r",\s*(?:and|or|nor|with)\s|,\s|\s(?:and|or|nor|with|plus|as well as)\s")
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|shows?|seen|appears?|remains?|obscur\w+|represent\w*|reflect\w*|may|could)\b"
)
_BARE_JOIN = re.compile(
    r"^[,\s]*(?:(?:and|or|with|plus|associated|adjacent|underlying|overlying|accompanying|small|mild|moderate|"
    r"compressive|some|an?|the|as well as|also|subtle)[,\s]*)*$"
)
_GENERIC_CHANGE = re.compile(
    r"^(?:(?:there (?:is|has been) )?no (?:\w+ )*change\b|(?:otherwise |overall )?(?:unchanged|stable)\b)"
)
_PRONOUN = re.compile(r"^(?:it|this|these|they|both|the (?:finding|appearance|abnormality)s?)\b")
_SIDED = frozenset(LABELS[3:12]) | {"fracture", "support devices"}


def sentences(text: str) -> list[str]:
    """Sentences of a report: split at full stops (not decimals), blank lines and list numbers."""
    parts: list[str] = []
    for block in re.split(r"\n\s*\n|\n\s*(?=\d+[.)]\s)|\n\s*[-*\u2022]\s", text):
        flat = " ".join(block.split())
        flat = re.sub(r"^\d+[.)]\s+", "", flat)
        parts += re.split(r"(?<=[.!?])\s+(?=[A-Z0-9(\"'])|(?<=[a-z)][.!?])\s+", flat)
    return [part.strip() for part in parts if re.search(r"\w", part)]


def read_report(text: str) -> dict[str, Mention]:
    """Label -> what the report says of it; labels that are not mentioned are left out.

    Several phrases of one label merge: present wins over uncertain over absent. "no finding" is 1
    where nothing but support devices is present or uncertain, and left out otherwise. An empty
    text gives an empty dict.
    """
    found: dict[str, Mention] = {}
    rank = {ABSENT: 0, UNCERTAIN: 1, PRESENT: 2}
    for phrase in phrases(text):
        if phrase.label == _HEART:
            continue
        mention = Mention(phrase.state, phrase.sides, phrase.severity, phrase.name)
        old = found.get(phrase.label)
        if old is None or rank[mention.state] > rank[old.state]:
            found[phrase.label] = mention
        elif mention.state == old.state:
            severity = old.severity or mention.severity
            found[phrase.label] = replace(old, sides=old.sides | mention.sides, severity=severity)
    for label, state in _heart_labels(text).items():
        if label not in found or rank[state] > rank[found[label].state]:
            found[label] = Mention(state, severity=_heart_severity(text), name=label)
    clear = all(
        mention.state == ABSENT for label, mention in found.items() if label != "support devices"
    )
    if clear and re.search(r"\w", text):
        found["no finding"] = Mention(PRESENT, name="no finding")
    return {label: found[label] for label in LABELS if label in found}


def phrases(text: str) -> list[Phrase]:
    """Every phrase of the report that mentions a label, with all that acts on it, in order."""
    result: list[Phrase] = []
    for number, sentence in enumerate(sentences(text)):
        lower = sentence.lower()
        here = _sentence_phrases(lower, number)
        if not here:
            result = _apply_back(lower, number, result)
        result += here
    return result


def changes(text: str) -> dict[str, str]:
    """Label -> "better", "same" or "worse" against the earlier film, where the report says so.

    A worse phrase wins over a better one, and that over the same. Change of the heart counts for
    "cardiomegaly". "It has increased." acts on the sentence before; a bare "No change." on all.
    """
    rank = {"same": 0, "better": 1, "worse": 2}
    found: dict[str, str] = {}
    for phrase in phrases(text):
        label = "cardiomegaly" if phrase.label == _HEART else phrase.label
        if phrase.change and rank[phrase.change] >= rank.get(found.get(label, ""), -1):
            found[label] = phrase.change
    return found


def heart_size(text: str) -> str | None:
    """The size class that a report gives the heart: "normal", "borderline", "enlarged" or None.

    The largest class wins where sentences differ.
    """
    classes = {_sentence_heart(sentence.lower()) for sentence in sentences(text)}
    for name in ("enlarged", "borderline", "normal"):
        if name in classes:
            return name
    return None


# --- one sentence --------------------------------------------------------------------------------


def _sentence_phrases(lower: str, number: int) -> list[Phrase]:
    masked = _NOT_A_MENTION.sub(lambda match: " " * len(match.group()), lower)
    spans = _clauses(masked)
    found = _find_mentions(masked, number)
    result: list[Phrase] = []
    for start, end in spans:
        inside = [phrase for phrase in found if start <= phrase.start < end]
        result += _judge(masked, start, end, inside)
    result = _place(masked, spans, result)
    for labels, pattern in _NORMAL:
        match = pattern.search(masked)
        if match and not re.search(r"\bnot\b", match.group().replace("not widened", "")):
            result += [
                Phrase(label, label, number, match.start(), match.end(), ABSENT)
                for label in labels
                if all(phrase.label != label for phrase in result)
            ]
    return sorted(result, key=lambda phrase: phrase.start)


def _find_mentions(text: str, number: int) -> list[Phrase]:
    """Phrases without overlap; the earlier row of the table wins."""
    taken: list[tuple[int, int]] = []
    found: list[Phrase] = []
    for label, name, pattern in _MENTIONS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if all(end <= low or start >= high for low, high in taken):
                taken.append((start, end))
                found.append(Phrase(label, name, number, start, end))
    return sorted(found, key=lambda phrase: phrase.start)


def _clauses(text: str) -> list[tuple[int, int]]:
    """Spans in which negation and uncertainty stay. A list that goes on to "or" is not broken."""
    cuts = {match.start() for match in _STRONG_BREAK.finditer(text)}
    for match in _SOFT_BREAK.finditer(text):
        if not re.search(r"\b(?:or|nor)\b", text[match.end() :]):
            cuts.add(match.start())
    edges = [0, *sorted(cuts - {0}), len(text)]
    return [(low, high) for low, high in pairwise(edges) if high > low]


def _judge(text: str, start: int, end: int, inside: list[Phrase]) -> list[Phrase]:
    """The state of every phrase of one clause. Change words ("no change in") do not negate."""
    clause = text[start:end]
    plain = _CHANGE.sub(
        lambda match: " " * len(match.group()) if match.lastgroup == "same" else match.group(),
        clause,
    )
    unsure = [match.end() for match in _UNCERTAIN_AFTER.finditer(plain)]
    unsure_words = [match.end() for match in _UNCERTAIN_WORD.finditer(plain)]
    unsure_back = [match.start() for match in _UNCERTAIN_BEFORE.finditer(plain)]
    for pattern in (_UNCERTAIN_BEFORE, _UNCERTAIN_AFTER):
        plain = pattern.sub(lambda match: " " * len(match.group()), plain)
    negated = [match.end() for match in _NEGATED_AFTER.finditer(plain)]
    negated_back = [match.start() for match in _NEGATED_BEFORE.finditer(plain)]
    result = []
    for index, phrase in enumerate(inside):
        low, high = phrase.start - start, phrase.end - start
        reach = _reach(clause, inside[index:], start)
        state = PRESENT
        if any(at <= low for at in negated) or any(high <= at <= reach for at in negated_back):
            state = ABSENT
        elif (
            any(at <= low for at in unsure)
            or any(at <= low and not _JOIN.search(clause[at:low]) for at in unsure_words)
            or any(high <= at <= reach for at in unsure_back)
        ):
            state = UNCERTAIN
        result.append(replace(phrase, state=state))
    return result


def _reach(clause: str, following: list[Phrase], start: int) -> int:
    """How far to the right a word may stand that acts back on the first of `following`: past
    further phrases only while no verb stands between ("effusion and edema are not seen")."""
    for left, right in pairwise(following):
        if _VERB.search(clause[left.end - start : right.start - start]):
            return right.start - start
    return len(clause)


def _place(text: str, spans: list[tuple[int, int]], found: list[Phrase]) -> list[Phrase]:
    """Side, severity and change of each phrase from the words around it in the sentence."""
    segments = _segments(text, spans, found)
    placed = []
    for phrase, (low, high) in zip(found, segments, strict=True):
        sides = _sides(text[low:high]) if phrase.label in _SIDED else frozenset()
        severity = ""
        for match in _SEVERITY.finditer(text, low, high):
            if match.start() < phrase.start or not severity:
                severity = match.lastgroup or ""
        if phrase.state == ABSENT:
            severity = ""
        placed.append(
            replace(phrase, sides=sides, severity=severity, change=_change(text, low, high, phrase))
        )
    return _inherit(text, placed)


def _segments(
    text: str, spans: list[tuple[int, int]], found: list[Phrase]
) -> list[tuple[int, int]]:
    """The stretch of the sentence that belongs to each phrase: from the last join before it to the
    last join before the next one; stretches without a phrase fall to their neighbour."""
    cuts = [0]
    clause_starts = [low for low, _ in spans]
    for left, right in pairwise(found):
        between = text[left.end : right.start]
        clause = [at for at in clause_starts if left.end <= at <= right.start]
        joins = [left.end + match.start() for match in _JOIN.finditer(between)]
        if clause:
            cuts.append(clause[0])
        elif joins:
            cuts.append(joins[-1])
        else:
            adjectives = re.search(
                r"(?:\b(?:an?|the|left|right|bilateral|small|mild|moderate|large)\s+)*$", between
            )
            cuts.append(left.end + (adjectives.start() if adjectives else 0))
    cuts.append(len(text))
    return list(pairwise(cuts)) if found else []


def _sides(text: str) -> frozenset[str]:
    sides: set[str] = set()
    for match in _SIDE.finditer(text):
        sides |= {"left", "right"} if match.lastgroup == "both" else {str(match.lastgroup)}
    return frozenset(sides)


def _change(text: str, low: int, high: int, phrase: Phrase) -> str:
    matches = list(_CHANGE.finditer(text, low, high))
    if phrase.label == _HEART:
        # A heart that "is larger" changed; a heart "of increased size" may only be large.
        matches = [match for match in matches if match.group() != "increased"] or matches
    if not matches:
        return ""
    nearest = min(
        matches,
        key=lambda match: min(abs(match.start() - phrase.end), abs(phrase.start - match.end())),
    )
    kind = nearest.lastgroup or ""
    return "" if phrase.state == ABSENT and kind == "worse" else kind


def _inherit(text: str, placed: list[Phrase]) -> list[Phrase]:
    """Sides and change that two joined phrases share: "left effusion and atelectasis",
    "effusion and atelectasis on the left", "effusion and edema have improved"."""
    result = list(placed)
    for index in range(len(result) - 2, -1, -1):
        here, after = result[index], result[index + 1]
        between = text[here.end : after.start]
        if here.state != after.state or _VERB.search(between):
            continue
        tail = text[after.end :]
        if not here.sides and here.label in _SIDED and _sides(tail) and not _sides(between):
            result[index] = here = replace(here, sides=_sides(tail) & after.sides)
        if not here.change and _BARE_JOIN.match(between) and _CHANGE.search(tail):
            result[index] = replace(here, change=after.change)
    for index in range(1, len(result)):
        before, here = result[index - 1], result[index]
        if (
            before.sides
            and not here.sides
            and here.label in _SIDED
            and here.state == before.state
            and _BARE_JOIN.match(text[before.end : here.start])
        ):
            result[index] = replace(here, sides=before.sides)
    return result


def _apply_back(lower: str, number: int, before: list[Phrase]) -> list[Phrase]:
    """A sentence without a phrase: "It has increased.", "No change since the prior film."."""
    match = _CHANGE.search(lower)
    if match is None:
        return before
    kind = match.lastgroup or ""
    gone = bool(_NEGATED_BEFORE.search(lower))
    result = []
    for phrase in before:
        near = phrase.sentence == number - 1 and bool(_PRONOUN.match(lower))
        everything = bool(_GENERIC_CHANGE.match(lower)) and not phrase.change
        if phrase.state != ABSENT and (near or everything):
            phrase = replace(phrase, change=kind, state=ABSENT if gone and near else phrase.state)
        result.append(phrase)
    return result


# --- the heart -----------------------------------------------------------------------------------

_HEART_WORD = re.compile(
    r"\b(?:heart|cardiac (?:size|silhouette|contours?|shadow)|cardiomediastinal silhouette|"
    r"cardiothoracic ratio|cardiopericardial silhouette|cardiomegaly|cardiac enlargement)\b(?! (?:failure|border))"
)
_HEART_BORDERLINE = re.compile(
    r"\b(?:borderline|(?:upper|high) (?:limits?|end|range) of (?:the )?normal|top[- ]normal|upper normal|"
    r"at the (?:upper )?limits? of normal|high[- ]normal)\b"
)
_HEART_ENLARGED = re.compile(
    r"\b(?:enlarged|enlargement|cardiomegaly|large|big|widened|too wide|dilated|increased (?:in )?(?:size|ratio)|"
    r"above normal|wider than normal)\b"
)
_HEART_NORMAL = re.compile(
    r"\b(?:normal|unremarkable|not enlarged|not (?:\w+ )?large|no cardiomegaly|no cardiac enlargement|"
    r"no enlargement|without (?:cardiomegaly|enlargement))\b"
)


def _sentence_heart(lower: str) -> str | None:
    """The size class of one lower-case sentence."""
    classes = []
    for low, high in _clauses(lower):
        clause = lower[low:high]
        word = _HEART_WORD.search(clause)
        if not word:
            continue
        if _HEART_BORDERLINE.search(clause):
            classes.append("borderline")
            continue
        plain = _CHANGE.sub(" ", clause)
        enlarged = _HEART_ENLARGED.search(plain)
        negation = _NEGATED_AFTER.search(plain)
        if enlarged and negation and negation.start() < enlarged.start():
            classes.append("normal")
        elif enlarged and not (_UNCERTAIN_AFTER.search(plain) or _UNCERTAIN_WORD.search(plain)):
            back = _NEGATED_BEFORE.search(plain, enlarged.end())
            classes.append("normal" if back else "enlarged")
        elif not enlarged and _HEART_NORMAL.search(plain):
            classes.append("normal")
    return next((name for name in ("enlarged", "borderline", "normal") if name in classes), None)


def _heart_labels(text: str) -> dict[str, int]:
    size = heart_size(text)
    if size is None:
        return {}
    return {"cardiomegaly": {"enlarged": PRESENT, "borderline": UNCERTAIN, "normal": ABSENT}[size]}


def _heart_severity(text: str) -> str:
    for sentence in sentences(text):
        lower = sentence.lower()
        if _sentence_heart(lower) == "enlarged":
            word = _HEART_ENLARGED.search(lower)
            before = list(_SEVERITY.finditer(lower, 0, word.start() if word else 0))
            return (before[-1].lastgroup or "") if before else ""
    return ""
