"""Turns of phrase that the rule labeller reads as a plainer one: double denials, doubt of a denial.

A frame becomes blanks and a plain cue ("no", "cannot exclude", or none at all) of the same length,
so that all places in the sentence stay. Our own, written from general knowledge of report
language. All patterns match lower-case text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chexone_ray.metrics.report_denial import GONE, SEEN

_FREE = (
    r"(?:without|(?:free|clear|devoid|bare|void|empty|innocent|rid) (?:of|from)|lacking(?: in)?"
    r"|spared(?: of| by| from)?|wanting|lacks?|absent|missing)"
)
_LEFT = rf"(?:{GONE}|improved|healed|closed|re-?expanded|absorbed|come out|been taken out)"
_SUBJECT = r"(?: (?!and\b|but\b|or\b|nor\b|no\b|not\b|so\b)[\w-]+){1,6}?"
_PLACE = (
    r"(?:lobe|lung|zone|film|rib|side|area|part|field|base|apex|region|hemithorax|angle|pleura"
    r"|cavity|space|quadrant|segment)s?"
)
_NOT_SURE = (
    r"(?:(?:(?:nobody|no one|no reader|none|who) (?:can|could|would|dares?(?: to)?)|cannot|can not|could not|am not|is not|are not|not|never|far from|hardly|impossible to"
    r"|unable to|not possible to|difficult to|hard to|unsafe to|reluctant to|unwise to|rash to)"
    r"(?: be)?(?: \w+ly| at all| entirely| quite| fully| altogether)? (?:sure|certain|confident"
    r"|convinced|persuaded|satisfied|say|state|assert|swear|vouch|promise|guarantee|affirm|tell"
    r"|be (?:sure|certain|confident)|assume|conclude|declare|claim)"
    r"|(?:doubtful|uncertain|unclear|open|debatable|unproven|not clear|not certain|unsure)"
    r"(?: to me)?)"
)
_NO = (
    r"(?:there (?:is|are|was|were) (?:really |truly |actually )?(?:no|not|none of|nothing of)"
    r"(?: (?:an?|any|some))?|no)"
)


@dataclass(frozen=True)
class Frame:
    """A turn of phrase, what must be in the text for it, and the cue that stands for it. A named
    group is kept before the cue ("neither base is clear of": the base)."""

    stems: tuple[str, ...]
    pattern: re.Pattern[str]
    cue: str = ""


def _frame(stems: str, pattern: str, cue: str = "") -> Frame:
    return Frame(tuple(stems.split(",")), re.compile(pattern), cue)


DOUBTED, DENIED = "cannot exclude", "no"

FRAMES = (
    _frame("not as,not so,not quite", r"\bnot (?:quite )?(?:as|so)\b(?= \w+ (?:as|now)\b)"),
    _frame(
        "malposition,migrat,displac,complicat,kink,fracture,dislodg,disconnect",
        r"\bno (?:evidence of |signs? of |suggestion of |\w+ )?(?=(?:\w+ )?(?:tube|line|catheter|lead|pacemaker|drain"
        r"|device|wire|stent)s?[ -](?:related |associated )?(?:malposition|migrat|displac|complicat|kink|fractur"
        r"|dislodg|disconnect))",
    ),
    _frame(
        "what ",
        r"\bwhat (?:looks like|appears to be|seems to be|resembles|might be taken for|could pass for|mimics) "
        r"(?P<k14>(?:[\w-]+ ){1,8}?)(?:is|are|turns out to be|proves to be) (?:only |merely |just )?(?:in fact )?"
        r"(?=the |an? |pleural|overl|skin|due )",
        "<no",
    ),
    _frame(
        "mean,imply,prove,signify,indicate",
        r"\bnot (?:necessarily )?(?:mean|imply|prove|signify|indicate)\b.*\b(?:none|no|not|absent|absence"
        r"|free)\b[^;.]*",
        "cannot be excluded",
    ),
    _frame(
        "not that,as absent", r"\bnot that there (?:is|are) no(?:t|ne)?\b|\bnot (?:as|so) absent\b"
    ),
    _frame(
        "evidence against,argument against",
        r"\b(?:no|little|without) (?:evidence|argument|sign)s? against\b",
        "poss",
    ),
    _frame(
        "evidence,sign,indication,proof,suggestion,hint",
        r"\bno (?:evidence|signs?|indication|proof|suggestion|hint) (?:that|of) (?P<k11>(?:the |its |this |any )?"
        r"(?:[\w-]+ ){0,4}?)(?:has |have |had |is |are |having |being )(?:been )?(?:\w+ly )?"
        rf"(?:{_LEFT}|clearing|resolving|going|improving|healing|shrinking|absent)\b",
    ),
    _frame(
        "call,describe,consider,regard,term,deem",
        r"\b(?:could|can|would|should|cannot)(?: not| hardly| scarcely|) (?:be )?(?:call|describe|consider|regard|term"
        r"|deem)(?:ed|d)? (?P<k12>(?:[\w-]+ ){0,4}?)(?:as )?(?:wholly |entirely |completely )?"
        rf"{_FREE}(?= \w)",
    ),
    _frame(
        "hardly,scarcely,barely",
        rf"\b(?:hardly|scarcely|barely) (?:an?|any) {_PLACE} (?:that |which )?(?:is|are|has|remains?)?"
        rf"(?: \w+ly)? ?(?:not|{_FREE})(?= \w)",
    ),
    _frame(
        "film,study,radiograph,x-ray,ct ",
        r"\b(?:earlier|old|prior|previous|last|first|former|outside)(?: \w+)? (?:film|study|radiograph|x-?ray|ct)"
        r" (?:does|did|do) not (?:show|reveal|contain|have|demonstrate|include)\b",
    ),
    _frame(
        "not be",
        rf"\b(?:would|might|could|may)(?: \w+)? not (?:necessarily )?be (?:\w+ly )?{SEEN}",
        "may hide",
    ),
    _frame(
        "not show,not appear,not register",
        r"\b(?:may|might|would|could) not (?:\w+ )?(?:show|appear|register)(?: up)?\b",
        "may hide",
    ),
    _frame(
        "rule ",
        rf"\b(?:cannot|can not|could not|not|unable to|impossible to|difficult to) rule"
        r" (?P<k13>(?!out\b|in\b)(?:[\w-]+ ){1,4}?)out\b",
        "<poss",
    ),
    _frame("nothing", r"\bnothing(?: \w+){0,3} to (?:exclude|rule out)\b", DOUBTED),
    _frame(
        "is all that,is what",
        r"\bis (?:now )?(?:all|what) (?:that )?(?:remains|is left|persists|there is left)(?: now)? of\b",
        DENIED,
    ),
    _frame(
        "be excluded,be ruled out,be rule",
        r"\b(?:(?:has|have|needs?|ought|is|are) to|should|must)(?: now| still)? be (?:\w+ly )?(?:excluded|ruled out)\b",
        "to be sought",
    ),
    _frame(
        "complete,full,total",
        r"\b(?:nearly|almost|near|all but|virtually|practically|not quite|not yet|far from|short of)"
        r"[ -](?:complete|full|total)(?: \w+)? (?:clearance|clearing|resolution|disappearance|resorption"
        r"|re-?absorption|regression|re-?expansion|drainage)(?: of)?\b",
    ),
    _frame(
        "where the,where an",
        r"\bwhere(?= (?:the|an?) [\w -]{3,30}? (?:was|were|had been|lay)\b.*\b(?:now|there (?:is|are))\b)",
        DENIED,
    ),
    _frame(
        "has ,have ,is ,are ",
        rf"\b{_NOT_SURE},? (?:that|whether|if) (?P<k10>(?:[\w-]+ ){{1,5}}?)(?:has|have|is|are) (?:\w+ly |been )*"
        rf"(?:{_LEFT}|not {SEEN}|absent|missing)\b",
        "<poss",
    ),
    _frame(
        "exclude,rule out,dismiss,deny",
        r"\b(?:inadequate|insufficient|not (?:good|adequate|sufficient|enough|reliable)|too \w+"
        r"|hesita\w+|reluctan\w+|loath|would not (?:like|wish|want|dare|presume)|limited|not suffice"
        r"|no basis|unwise|unsafe|rash|premature|bold|brave|optimistic)(?: \w+){0,2}? to (?:exclude"
        r"|rule out|dismiss|deny)\b",
        DOUBTED,
    ),
    _frame(
        "if there",
        r"\bif there (?:is|are|were|be)(?! one| any\W| some\W)(?: an?\b| any\b| some\b)?(?= )",
        "poss",
    ),
    _frame(
        "confirmed,proven,established",
        r"\b(?:suspected|possible|likely|probable|questioned|queried)(?:,| but|, but| though|, though)"
        r" (?:\w+ )?not (?:\w+ )?(?:confirmed|proven|established|certain)\b",
        "suspected",
    ),
    _frame(
        "none of the,not one of the,not all of the,no one of the",
        r"\b(?:none|not one|no one) of the (?P<k9>[\w -]{3,40}?) (?:is|are|looks like|represents?|has the"
        r" look of)(?= an?\b)",
        DENIED,
    ),
    _frame(
        "fail", r"\bnot (?:\w+ )?fail(?:s|ed)? to (?:show|reveal|demonstrate|see|notice|find)\b"
    ),
    _frame("-free", r"\bnot (?:\w+ly )?(?P<k0>[\w -]{0,24}?)-free\b"),
    _frame(
        "not mean,not imply,not prove,not signify,not indicate",
        r"\bnot (?:necessarily )?(?:mean|imply|prove|signify|indicate)\b[^;.]*",
    ),
    _frame(
        "agree,accept,concur,believe,think,hold,subscribe",
        r"\b(?:cannot|can not|could not|do not|does not|would not)(?: \w+ly)? (?:agree|accept|concur"
        r"|believe|think|hold|subscribe)(?: (?:with|to|the|a|an|this|that|view|reading|report|opinion"
        rf"|statement|claim)\b)* (?:{_NO}|(?P<k7>(?:[\w-]+ ){{1,5}}?)(?:is|are|has|have) (?:\w+ly |been )*"
        rf"(?:{_FREE}|{_LEFT}|not))(?= |\W*$)",
    ),
    _frame(
        "not that,n't that",
        r"\bnot that (?P<k8>(?:[\w-]+ ){1,5}?)(?:is|are|has|have) (?:not|absent|gone|resolved|cleared)"
        r"(?: there| present| seen)?\b",
    ),
    _frame("never", r"\bnever\b[^.;,]{0,40}\bwithout\b"),
    _frame(
        "not yet, not ,never",
        r"\b(?:not|never)(?: yet| fully| completely| entirely| quite| been| \w+ly)* (?:come out|been"
        r" (?:removed|taken out|withdrawn)|gone away|settled|re-?expanded|dried up|gone down)\b",
    ),
    _frame(
        "replac,place of,supplant,supersed,succeeded,where",
        r"\b(?:(?:has|have|had) (?:\w+ly |now )?(?:replaced|supplanted|superseded|succeeded|taken the"
        r" place of)|(?:now |today )?replac(?:es|ing)|now takes? the place of|in (?:the )?place of)\b"
        r"(?! by)",
        DENIED,
    ),
    # Doubt of a denial: "impossible to say that there is no".
    _frame(
        "cannot,can not,could not,am not,is not,are not, not ,never,far from,hardly,possible,unable"
        ",difficult,hard to,un,reluctant,rash,doubtful,open,debatable",
        rf"\b{_NOT_SURE},? (?:(?:that|whether|if|about|of|here|for certain|for sure|with \w+"
        rf"|from this \w+|on this \w+)\b,? )*{_NO}(?: more)?(?= )",
        DOUBTED,
    ),
    _frame(
        "free,clear,devoid,without,spared",
        rf"\b{_NOT_SURE}(?: with \w+| for \w+)?,?(?: that| whether| if) (?P<k1>(?:[\w-]+ ){{1,5}}?)(?:is|are|was|were) "
        r"(?:\w+ly )?(?:not )?(?:free|clear|devoid) (?:of|from)",
        DOUBTED,
    ),
    _frame(
        "absence,lack",
        r"\b(?:cannot|can not|could not|do not|not|unable to|impossible to|hard to|difficult to"
        r"|not possible to)(?: be)? (?:\w+ly )?(?:sure|certain|confident|convinced|guarantee|affirm"
        r"|confirm|prove|vouch|establish|assume|assert|warrant|certify|infer|conclude|demonstrate)\w*"
        r"(?: of| about| for)? (?:the |an? )?(?:absence|lack) of",
        DOUBTED,
    ),
    _frame(
        "absence,lack",
        r"\b(?:absence|lack) of (?P<k2>(?:[\w-]+ ){1,5}?)(?:is|has|was|remains?|seems?)(?: been)? "
        rf"(?:\w+ly )?(?:not|un|never|yet)(?: \w+ly| be| been| to be)*[ -]?(?:prov\w+|certain|sure"
        r"|confirm\w+|established|guaranteed|clear|demonstrated|assured|shown)",
        "doubtful",
    ),
    _frame(
        "neither,nor ",
        r"\b(?:can|could|may|possible to|able to) (?:be )?neither (?:be )?(?:rul\w+ in|confirm\w*"
        r"|prov\w+|includ\w+|affirm\w*|establish\w*|diagnos\w+) (?:n?or) (?:be )?(?:rul\w+ out"
        r"|exclud\w+|refut\w+|den\w+|disprov\w+|dismiss\w*)",
        DOUBTED,
    ),
    _frame(
        "neither,nor ",
        r"\bneither (?:rul\w+ in|confirm\w*|prov\w+|affirm\w*|establish\w*|support\w*|suggest\w*) "
        r"n?or (?:rul\w+ out|exclud\w+|refut\w+|den\w+|disprov\w+|dismiss\w*|contradict\w*)",
        DOUBTED,
    ),
    # A list that one cue leads.
    _frame(
        "following,these,those",
        r"\b(?:none|nil|not one|not any|no (?:sign|evidence|trace|suggestion|indication)s?) of (?:the "
        r"following|these|those)(?: (?:is|are|was|were))?(?: \w+ly)?(?: " + SEEN + r")?\s*:",
        DENIED,
    ),
    _frame(
        "following",
        r"\b(?:all of )?(?:the )?following(?: findings?| abnormalit\w+)? (?:is|are|was|were)"
        r"(?: all| both| \w+ly)? (?:absent|excluded|ruled out|not " + SEEN + r"|missing)\s*:",
        DENIED,
    ),
    _frame(
        "following",
        r"\b(?:all of )?(?:the )?following(?: findings?)? (?:cannot|can not|could not|may not)"
        r" be (?:\w+ly )?(?:excluded|ruled out|dismissed)\s*:",
        DOUBTED,
    ),
    # Double denials with the subject between.
    _frame(
        "neither,nor ,no , not ,never",
        rf"\b(?:nor|neither)(?: (?:is|are|was|were))?(?P<k3>{_SUBJECT})(?: (?:is|are|was|were))?"
        rf"(?: \w+ly)? {_FREE}(?= \w)",
    ),
    _frame(
        "nor ,neither",
        rf"\b(?:nor|neither)(?: (?:has|have|had|is|are))?(?P<k4>{_SUBJECT})"
        rf"(?: (?:has|have|had|is|are))?(?: yet| fully| completely| been| \w+ly)* {_LEFT}\b",
    ),
    _frame(
        "no ,not one,not a",
        rf"\b(?:none of the|no|not one|not a single)(?: [\w-]+){{0,2}}? {_PLACE}(?: (?:on|in|at|of) the [\w-]+(?: [\w-]+)?)?"
        r" (?:has been|have been|is|are|was|were|that is"
        rf"|which is|remains?)?(?: \w+ly)? ?{_FREE}(?= \w)",
    ),
    _frame(
        "no ,not ,never,nothing,nobody,none,without,hardly",
        r"\b(?:no|little|hardly any|there can be no|without)(?: \w+)? (?:disput\w+|question\w*"
        r"|deny\w*|denial|mistak\w+|ignor\w+|doubt\w*|gainsay\w*|overlook\w+|miss(?:ing)?|escap\w+"
        r"|argu\w+(?: with| about)?|hiding|get\w+ (?:away from|round|around)|contest\w*)"
        r"(?: (?:about|that|of|as to|but|as regards|regarding|concerning|over)\b)?(?= (?!or\b|that"
        r" the absence)\w)",
    ),
    _frame(
        "hide,disguise,mask,conceal",
        r"\b(?:nothing|no \w+) (?:can |could )?(?:hides?|disguises?|masks?|conceals?)\b",
    ),
    _frame(
        "suggest,indicat,show,evidence,sign,reason,proof,prove",
        r"\b(?:nothing|no \w+)(?: here| on this film)? (?:to |that |which )?(?:suggests?|indicates?"
        r"|shows?|proves?|of|support)(?: that)? (?P<k5>(?:the |its |this |any )?(?:[\w-]+ ){0,4}?)"
        rf"(?:has |have |had |is |are )(?:been )?(?:\w+ly )?(?:{_LEFT}|absent|not there)\b",
    ),
    _frame(
        "fail,refus,reluct,yet to,still to",
        r"\b(?:fail(?:s|ed|ing|ure)?|refus(?:es|ed|ing)|reluct\w+|(?:is|are|has|have) (?:yet|still))"
        r" to (?:\w+ly )?(?:clear|resolve|improve|respond|regress|disappear|re-?expand|decrease"
        r"|change|heal|go|subside|shrink|settle|be removed|vanish|close|absorb|abate|budge|drain)\b",
    ),
    _frame(
        "lack of,absence of,want of,without,no ",
        r"\b(?:lack|absence|want|failure) of (?:any |the )?(?:\w+ )?(?:improvement|change|progress"
        r"|progression|resolution|clearing|clearance|response|regression|re-?expansion|healing"
        r"|interval change|worsening|growth)(?: in| of)?\b",
    ),
    _frame(
        "comparison,prior,previous,earlier,old ,recent,lateral,other ,change",
        r"\b(?:no|without(?: an?| any)?) (?:relevant |available |recent |old )?(?:prior|previous"
        r"|earlier|old|comparison|recent|lateral|other|comparative) (?:film|stud|radiograph|exam"
        r"|image|imaging|view|x-?ray|cxr|ct)\w*",
    ),
    _frame(
        "come out,remov,withdraw,pulled,taken out, out",
        r"\b(?:may|can|could|should|might|must|will|ready|needs?|(?:is|are) to|due|for|plan\w*|wait\w*|ought)"
        r"(?: to)?(?: now| safely| probably| soon| be| then)* (?:come out|removed|removal|withdrawn"
        r"|withdrawal|pulled(?: back)?|taken out|advanced|repositioned|exchanged|go)\b"
        r"(?! of\b)",
    ),
    _frame(
        "abnormal",
        r"\bnot (?:of |at all |in any way |\w+ly )?abnormal(?:ly (?:wide|large|broad))?(?! \w+it)",
        "normal",
    ),
    _frame(
        "true,so,case,correct,wrong,false",
        r"\b(?:it|that) (?:is|was|would be|were) (?:\w+ly )?(?:not (?:true|so|the case|correct"
        r"|right|accurate|as (?:if|though))|untrue|wrong|false|incorrect|inaccurate|misleading"
        r"|a mistake|an error)(?: to (?:say|claim|state|call|think|suppose|pretend|maintain))?"
        rf"(?: that)?,? (?:{_NO}|(?P<k6>(?:[\w-]+ ){{1,5}}?)(?:is|are|has|have) (?:\w+ly )?(?:"
        rf"{_FREE}|{_LEFT}|not))(?= |\W*$)",
    ),
    _frame(
        "where ",
        r"\bwhere (?:previously |earlier )?(?:there (?:was|were) )?(?:none|nothing)\b[^.;,]*",
    ),
    # "Where there was consolidation there is now".
    _frame(
        "where ",
        r"\bwhere (?:once |formerly |previously |before )?(?:there |it )?(?:was|were|had been"
        r"|used to be|once was|showed|lay)\b(?: once| formerly)?(?=.*\b(?:now|there (?:is|are)"
        r"|today)\b)",
        DENIED,
    ),
    _frame(
        "place of",
        r"(?:^|(?<=[;,] ))in (?:the )?place of (?=(?:the|what|that|an?|its|former|earlier|previous)\b)",
        DENIED,
    ),
    _frame(
        "unable,cannot,can not,could not,fail,impossible,do not,did not,nowhere",
        r"\b(?:cannot|can not|could not|unable to|impossible to|not possible to|fail(?:s|ed)? to"
        r"|do not|did not|does not)(?: \w+ly| here| now)? (?:see|find|identify|detect|discern"
        r"|demonstrate|make out|recogni[sz]e|appreciate|spot|locate|trace|show|point to|perceive"
        r"|observe|visuali[sz]e|pick out|reveal|discover)\b(?! (?:the (?:tip|end|position|course)"
        r"|whether|if|past|beyond|through|behind|it|them|this|these|one|either|that)\b)",
        DENIED,
    ),
)
_STEMS = tuple({stem for frame in FRAMES for stem in frame.stems})
_ASIDE = re.compile(
    r", (?:however|though|therefore|moreover|then|also|fortunately|of course|for example|in fact|indeed"
    r"|in particular|again|too|incidentally|as yet|at present|at least|if anything|on balance|it must be"
    r" said|it seems|i think),(?= (?:of|is|are|was|were|be|been|any|in|on|has|have)\b)"
    r"|(?<=\bis), (?:however|though|therefore|moreover|then|also|fortunately|of course|in fact|indeed|again"
    r"|too|at present|on balance),|(?<=\bare), (?:however|though|therefore|moreover|then|also|in fact|indeed"
    r"|again|on balance),"
)
"""A word set between commas."""
_MAYBE = re.compile(
    r",( (?:possibly|perhaps|probably|conceivably|maybe|presumably|quite likely)),(?= )"
)
"""A hedge set between commas."""
_PARALLEL = re.compile(
    r"(?:,|,? and| just)? (?P<cue>(?:as|so|likewise|ditto|similarly) (?:has|have|is|are|was|were|did"
    r"|does|do)|likewise|ditto)(?= (?:the |an? |any |also )*\w)"
)
_DENIED_SO_FAR = re.compile(
    rf"\b(?:no|not|without|absent|excluded|ruled out|{GONE}|healed|re-?expanded|nil|never)\b"
)


def framed(text: str) -> str:
    """The text with its frames replaced by plain cues of the same length."""
    if text.count(",") > 1:
        text = _MAYBE.sub(r" \1 ", text)
        text = _ASIDE.sub(lambda match: " " * len(match.group()), text)
    present = {stem for stem in _STEMS if stem in text}
    for frame in FRAMES:
        if not present.isdisjoint(frame.stems):
            text = frame.pattern.sub(lambda match, cue=frame.cue: _cue(match, cue), text)
    if match := _PARALLEL.search(text):
        low, high = match.span("cue")
        if _DENIED_SO_FAR.search(text, 0, low):
            text = text[:low] + DENIED.rjust(high - low) + text[high:]
    return text


def _cue(match: re.Match[str], cue: str) -> str:
    """The kept group and the cue, at the end of as many characters as the match has."""
    kept = (match.group(match.lastgroup) or "") if match.lastgroup else ""
    if kept and cue.startswith("<"):
        return f"{cue[1:]} {kept.rstrip()}".rjust(len(match.group()))
    whole = f"{kept.rstrip()} {cue}" if kept and cue else kept.rstrip() or cue
    size = len(match.group())
    low = match.start(match.lastgroup) - match.start() if kept and match.lastgroup else 0
    if kept and low + len(whole) <= size:
        # Findings among the kept words stay where they stand.
        return " " * low + whole + " " * (size - low - len(whole))
    return whole.rjust(size) if len(whole) <= size else match.group()
