"""Double denials, and turns of phrase that deny.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

from chexone_ray.metrics.labeller.denial import SEEN
from chexone_ray.metrics.labeller.turns import DENIED, FREE, LEFT, NO, SUBJECT, frame

_GO = (
    r"(?:clear|resolve|disappear|vanish|subside|go(?: away)?|settle|absorb|re-?expand|close|seal"
    r"|regress|heal|drain|recede)"
)
DENIAL_TURNS = (
    frame(
        "expanded,inflated,aerated",
        r"\b(?P<k35>(?:lungs?|lobes?|lingula|segments?|bases?) (?:is|are|has|have) )(?:still "
        r"|yet )?"
        r"(?:not|never)(?: \w+ly| yet| been| quite)* (?:re-?)?(?:expanded|inflated|aerated)\b",
        "unexpanded",
    ),
    frame(
        "all but,all except,all bar,all save,everything but,everything except",
        r"\b(?:all|everything) (?:but|except|bar|save)(?: for)?(?P<k36> (?:an?|some|the|one|a few) "
        rf"[^.;,]*?)(?:has|have|is|are|was|were)(?: \w+ly| been| now)* {LEFT}\b",
    ),
    frame(
        "resolution,clearing,clearance,disappear,regression,drainage,absorption,evacuation,expansion",
        r"\b(?:resolution|clearing|clearance|disappearance|regression|drainage|(?:re)?absorption"
        r"|evacuation"
        r"|re-?expansion) of (?P<k37>(?:[\w-]+ ){1,6}?)(?:is|remains|was|has been)(?: still"
        r"| as yet| yet"
        r"| only| \w+ly)? (?:incomplete|partial|under ?way|ongoing|in progress|slow|delayed"
        r"|awaited|pending"
        r"|poor|not (?:\w+ )?(?:complete|total|full|achieved|finished|over)|far from complete)\b",
    ),
    frame(
        "doubt,question,uncertainty,dispute",
        r"\bnot (?:the|an?|any|even an?) (?:(?:\w+ )?(?:shadow|hint|trace|moment"
        r"|bit) of )?(?:an? )?(?:\w+ )?"
        r"(?:doubt|question|uncertainty|dispute)\b(?: (?:that|about|of|as to|but))?",
    ),
    frame(
        "miss,overlook,ignore,dispute,doubt,deni",
        r"\b(?:not|hardly|scarcely|never) (?:one|something|an? \w+) (?:that|which|to) (?:(?:can"
        r"|could|would"
        r"|should|is to) )?(?:be )?(?:easily |\w+ly )?(?:miss|overlook|ignore|dispute|doubt|deny"
        r"|denie)\w*\b",
    ),
    frame("way out", r"\bon (?:its|the|their) way out\b"),
    frame(
        "fail,neglect",
        r"\b(?:has|have|had|did|does|do)(?: not|) ?(?<=not )(?:\w+ly )?(?:fail(?:ed)?"
        r"|neglect(?:ed)?)"
        rf" to (?:\w+ly )?{_GO}\b|\b(?:has|have|had) never failed to {_GO}\b",
        "has resolved",
    ),
    frame(
        "no longer,never,not ,nowhere,at no,in no",
        r"\b(?:no longer|never|not|nowhere|(?:at|in|on) (?:no|neither) \w+) (?:is|are|was|were"
        r"|can|do"
        rf"|does|has|have)(?: there| it| one| he| she)?(?P<k34> (?:\w+ ){{0,3}}?)(?:no|without"
        rf"|{FREE})(?= \w)",
    ),
    frame(
        "not of,not from",
        r"\b(?P<k32>(?:free|clear|devoid|bare|void|empty|rid) (?:of|from)\b[^.;:]{1,120}?)"
        r"(?:,? (?:but|though|yet|although)|,) not (?:of|from)\b",
        "but",
    ),
    frame(
        "none,neither,not one",
        r"\b(?:none|neither|not one)(?: of (?:which|these|them|those))?,? (?:(?:is|are|was|were"
        r"|being) )?"
        r"(?:\w+ly )?(?:associated|accompanied|complicated|followed|surrounded|coupled|combined"
        r"|connected) (?:with|by)(?: any| an?)?(?= )",
        DENIED,
    ),
    frame(
        "only,alone",
        rf"\bonly (?P<k33>(?:the |one )?(?:[\w-]+ ){{0,3}}?)(?:has|have|is|are)(?: \w+ly| been"
        rf"| now)*"
        rf" {LEFT}\b",
    ),
    frame(
        "only,alone",
        rf"\b(?:(?:has|have|is|are) )?(?:\w+ly |been |now )*{LEFT} (?:(?:only|just|merely"
        rf"|solely) (?:on|in|at|from|over) (?:the |one )?"
        r"(?:\w+ ){0,2}\w+|(?:on|in|at|from|over) (?:the |one )(?:\w+ ){1,3}?(?:only|alone))\b",
    ),
    frame(
        "fail",
        r"\b(?:no|not one|not a single|neither|none of (?:the|these)|never)(?: (?!and\b|or\b"
        r"|nor\b|but\b)[\w-]+)"
        r"{0,4}? fail(?:s|ed)? to (?:show|reveal|demonstrate|display|include|contain|disclose)\b",
    ),
    frame(
        "denying,overlooking,ignoring,disputing,doubting,missing",
        r"\b(?:denying|overlooking|ignoring|disputing|doubting"
        r"|missing) (?P<k30>(?:[\w-]+ ){1,5}?)(?:is|would be) "
        r"(?:not (?:\w+ )?possible|impossible|wrong|out of the question|(?:an? )?(?:mistake"
        r"|error|folly))\b",
    ),
    frame(
        "absence of,lack of",
        r"\b(?:absence|lack) of (?P<k31>(?:[\w-]+ ){1,5}?)(?:is|was) (?:not|no longer) (?:what"
        r"|seen|shown"
        r"|the case|apparent|evident"
        r"|found|true)\b[^.;,]*",
    ),
    frame(
        "call,consider,term,regard,describ,deem",
        r"\b(?:cannot|can not|could not|(?:can|could|would) (?:hardly|scarcely|never|not)"
        r"|is not to|hardly to"
        r"|should not) (?:\w+ly )?be (?:\w+ly )?(?:called|considered|termed|regarded as"
        r"|described as|deemed)"
        r"(?: as)?(?= (?:of |within |as |quite |\w+ly )?(?:normal|narrow|slim|small|clear|sharp"
        r"|unremarkable"
        r"|large|wide|enlarged))",
        "is not",
    ),
    frame(
        "not ,absent,missing,lacking,excluded,ruled out",
        rf"(?:^|(?<=[.;:] ))\W*(?:not (?:\w+ )?{SEEN}|absent|missing|lacking|excluded|ruled out)\b"
        r"(?:(?!\b(?:there|previous|prior|earlier|last|now|but|it|this is)\b)[^.;:])*? (?:is|are)"
        r"(?= (?!not\b|no\b|now\b|also not\b|seen\b)[a-z])",
        DENIED,
    ),
    frame(
        "one of ",
        rf"\b(?<!not )(?<!no )one of the (?P<k15>(?:[\w-]+ ){{1,3}}?)(?:has|have) (?:\w+ly "
        rf"|been )*{LEFT}\b",
    ),
    frame("not as,not so,not quite", r"\bnot (?:quite )?(?:as|so)\b(?= \w+ (?:as|now)\b)"),
    frame(
        "malposition,migrat,displac,complicat,kink,fracture,dislodg,disconnect",
        r"\bno (?:evidence of |signs? of |suggestion of |\w+ )?(?=(?:\w+ )?(?:tube|line|catheter"
        r"|lead|pacemaker|drain"
        r"|device|wire|stent)s?[ -](?:related |associated )?(?:malposition|migrat|displac"
        r"|complicat|kink|fractur"
        r"|dislodg|disconnect))",
    ),
    frame(
        "what ",
        r"\bwhat (?:looks like|appears to be|seems to be|resembles|might be taken for"
        r"|could pass for|mimics) "
        r"(?P<k14>(?:[\w-]+ ){1,8}?)(?:is|are|turns out to be|proves to be) (?:only |merely "
        r"|just )?(?:in fact )?"
        r"(?=the |an? |pleural|overl|skin|due )",
        "<no",
    ),
    frame(
        "not that,as absent", r"\bnot that there (?:is|are) no(?:t|ne)?\b|\bnot (?:as|so) absent\b"
    ),
    frame(
        "evidence,sign,indication,proof,suggestion,hint",
        r"\bno (?:evidence|signs?|indication|proof|suggestion|hint) (?:that|of) (?P<k11>(?:the "
        r"|its |this |any )?"
        r"(?:[\w-]+ ){0,4}?)(?:has |have |had |is |are |having |being )(?:been )?(?:\w+ly )?"
        rf"(?:{LEFT}|clearing|resolving|going|improving|healing|shrinking|absent)\b",
    ),
    frame(
        "film,study,radiograph,x-ray,ct ",
        r"\b(?:earlier|old|prior|previous|last|first|former|outside)(?: \w+)? (?:film|study"
        r"|radiograph|x-?ray|ct)"
        r" (?:does|did|do) not (?:show|reveal|contain|have|demonstrate|include)\b",
    ),
    frame(
        "is all that,is what",
        r"\bis (?:now )?(?:all|what) (?:that )?(?:remains|is left|persists"
        r"|there is left)(?: now)? of\b",
        DENIED,
    ),
    frame(
        "complete,full,total",
        r"\b(?:nearly|almost|near|all but|virtually|practically|not quite|not yet|far from"
        r"|short of)"
        r"[ -](?:complete|full|total)(?: \w+)? (?:clearance|clearing|resolution|disappearance"
        r"|resorption"
        r"|re-?absorption|regression|re-?expansion|drainage)(?: of)?\b",
    ),
    frame(
        "where the,where an",
        r"\bwhere(?= (?:the|an?) [\w -]{3,30}? (?:was|were|had been|lay)\b.*\b(?:now|there (?:is"
        r"|are))\b)",
        DENIED,
    ),
    frame(
        "none of the,not one of the,not all of the,no one of the",
        r"\b(?:none|not one|no one) of the (?P<k9>[\w -]{3,40}?) (?:is|are|looks like"
        r"|represents?|has the"
        r" look of)(?= an?\b)",
        DENIED,
    ),
    frame(
        "call,describe,consider,regard,term,deem",
        r"\b(?:(?:could|can|would|should)(?: not| hardly| scarcely)|cannot) (?:be )?(?:call"
        r"|describe|consider|regard|term"
        r"|deem)(?:ed|d)? (?P<k12>(?:[\w-]+ ){0,4}?)(?:as )?(?:wholly |entirely |completely )?"
        rf"{FREE}(?= \w)",
    ),
    frame("fail", r"\bnot (?:\w+ )?fail(?:s|ed)? to (?:show|reveal|demonstrate|see|notice|find)\b"),
    frame("-free", r"\bnot (?:\w+ly )?(?P<k0>[\w -]{0,24}?)-free\b"),
    frame(
        "not mean,not imply,not prove,not signify,not indicate",
        r"\bnot (?:necessarily )?(?:mean|imply|prove|signify|indicate)\b[^;.]*",
    ),
    frame(
        "agree,accept,concur,believe,think,hold,subscribe",
        r"\b(?:cannot|can not|could not|do not|does not|would not)(?: \w+ly)? (?:agree|accept"
        r"|concur"
        r"|believe|think|hold|subscribe)(?: (?:with|to|the|a|an|this|that|view|reading|report"
        r"|opinion"
        rf"|statement|claim)\b)* (?:{NO}|(?P<k7>(?:[\w-]+ ){{1,5}}?)(?:is|are|has"
        rf"|have) (?:\w+ly |been )*"
        rf"(?:{FREE}|{LEFT}|not))(?= |\W*$)",
    ),
    frame(
        "not that,n't that",
        r"\bnot that (?P<k8>(?:[\w-]+ ){1,5}?)(?:is|are|has|have) (?:not|absent|gone|resolved"
        r"|cleared)"
        r"(?: there| present| seen)?\b",
    ),
    frame(
        "not yet, not ,never",
        r"\b(?:not|never)(?: yet| fully| completely| entirely| quite| been| \w+ly)* (?:come out"
        r"|been"
        r" (?:removed|taken out|withdrawn)|gone away|settled|re-?expanded|dried up|gone down)\b",
    ),
    frame(
        "replac,place of,supplant,supersed,succeeded,where",
        r"\b(?:(?:has|have|had) (?:\w+ly |now )?(?:replaced|supplanted|superseded|succeeded"
        r"|taken the"
        r" place of)|(?:now |today )?replac(?:es|ing)|now takes? the place of"
        r"|in (?:the )?place of)\b"
        r"(?! by)",
        DENIED,
    ),
    frame(
        "following,these,those",
        r"\b(?:none|nil|not one|not any|no (?:sign|evidence|trace|suggestion"
        r"|indication)s?) of (?:the "
        r"following|these|those)(?: (?:is|are|was|were))?(?: \w+ly)?(?: " + SEEN + r")?\s*:",
        DENIED,
    ),
    frame(
        "following",
        r"\b(?:all of )?(?:the )?following(?: findings?| abnormalit\w+)? (?:is|are|was|were)"
        r"(?: all| both| \w+ly)? (?:absent|excluded|ruled out|not " + SEEN + r"|missing)\s*:",
        DENIED,
    ),
    frame(
        "neither,nor ,no , not ,never",
        rf"\b(?:nor|neither)(?: (?:is|are|was|were))?(?P<k3>{SUBJECT})(?: (?:is|are|was|were))?"
        rf"(?: \w+ly)? {FREE}(?= \w)",
    ),
    frame(
        "nor ,neither",
        rf"\b(?:nor|neither)(?: (?:has|have|had|is|are))?(?P<k4>{SUBJECT})"
        rf"(?: (?:has|have|had|is|are))?(?: yet| fully| completely| been| \w+ly)* {LEFT}\b",
    ),
    frame(
        "no ,not ,never,nothing,nobody,none,without,hardly",
        r"\b(?:no|little|hardly any|there can be no|without)(?: \w+)? (?:disput\w+|question\w*"
        r"|deny\w*|denial|mistak\w+|ignor\w+|doubt\w*|gainsay\w*|overlook\w+|miss(?:ing)?|escap\w+"
        r"|uncertainty|ambiguity|hesitation|room for doubt|argu\w+(?: with| about)?|hiding"
        r"|get\w+ (?:away from|round|around)|contest\w*)"
        r"(?: (?:about|that|of|as to|but|as regards|regarding|concerning|over)\b)?(?= (?!or\b|that"
        r" the absence)\w)",
    ),
    frame(
        "hide,disguise,mask,conceal",
        r"\b(?:nothing|no \w+) (?:can |could )?(?:hides?|disguises?|masks?|conceals?)\b",
    ),
    frame(
        "suggest,indicat,show,evidence,sign,reason,proof,prove",
        r"\b(?:nothing|no \w+)(?: here| on this film)? (?:to |that |which )?(?:suggests?|indicates?"
        r"|shows?|proves?|of|support)(?: that)? (?P<k5>(?:the |its |this |any )?(?:[\w-]+ ){0,4}?)"
        rf"(?:has |have |had |is |are )(?:been )?(?:\w+ly )?(?:{LEFT}|absent|not there)\b",
    ),
    frame(
        "fail,refus,reluct,yet to,still to",
        r"\b(?:fail(?:s|ed|ing|ure)?|refus(?:es|ed|ing)|reluct\w+|(?:is|are|has|have) (?:yet"
        r"|still))"
        r" to (?:\w+ly )?(?:clear|resolve|improve|respond|regress|disappear|re-?expand|decrease"
        r"|change|heal|go|subside|shrink|settle|be removed|vanish|close|absorb|abate|budge"
        r"|drain)\b",
    ),
    frame(
        "lack of,absence of,want of,failure of,without,no ",
        r"\b(?:lack|absence|want|failure) of (?:any |the )?(?:\w+ )?(?:improvement|change|progress"
        r"|progression|resolution|clearing|clearance|response|regression|re-?expansion|healing"
        r"|interval change|worsening|growth)(?: in| of)?\b",
    ),
    frame(
        "comparison,prior,previous,earlier,old ,recent,lateral,other ,change",
        r"\b(?:no|without(?: an?| any)?) (?:relevant |available |recent |old )?(?:prior|previous"
        r"|earlier|old|comparison|recent|lateral|other|comparative) (?:film|stud|radiograph|exam"
        r"|image|imaging|view|x-?ray|cxr|ct)\w*",
    ),
    frame(
        "come out,remov,withdraw,pulled,taken out, out",
        r"\b(?:may|can|could|should|might|must|will|ready|needs?|(?:is|are) to|due|for|plan\w*"
        r"|wait\w*|ought)"
        r"(?: to)?(?: now| safely| probably| soon| be| then)* (?:come out|removed|removal|withdrawn"
        r"|withdrawal|pulled(?: back)?|taken out|advanced|repositioned|exchanged|go)\b"
        r"(?! of\b)",
    ),
    frame(
        "abnormal",
        r"\bnot (?:of |at all |in any way |\w+ly )?abnormal(?:ly (?:wide|large|broad))?(?! \w+it)",
        "normal",
    ),
    frame(
        "true,so,case,correct,wrong,false",
        r"\b(?:it|that) (?:is|was|would be|were) (?:\w+ly )?(?:not (?:true|so|the case|correct"
        r"|right|accurate|as (?:if|though))|untrue|wrong|false|incorrect|inaccurate|misleading"
        r"|a mistake|an error)(?: to (?:say|claim|state|call|think|suppose|pretend|maintain))?"
        rf"(?: that)?,? (?:{NO}|(?P<k6>(?:[\w-]+ ){{1,5}}?)(?:is|are|has|have) (?:\w+ly )?(?:"
        rf"{FREE}|{LEFT}|not))(?= |\W*$)",
    ),
    frame(
        "where ",
        r"\bwhere (?:previously |earlier )?(?:there (?:was|were) )?(?:none|nothing)\b[^.;,]*",
    ),
    frame(
        "where ",
        r"\bwhere (?:once |formerly |previously |before )?(?:there |it )?(?:was|were|had been"
        r"|used to be|once was|showed|lay)\b(?: once| formerly)?(?=.*\b(?:now|there (?:is|are)"
        r"|today)\b)",
        DENIED,
    ),
    frame(
        "place of",
        r"(?:^|(?<=[;,] ))in (?:the )?place of (?=(?:the|what|that|an?|its|former|earlier"
        r"|previous)\b)",
        DENIED,
    ),
    frame(
        "unable,cannot,can not,could not,fail,impossible,do not,did not,nowhere",
        r"\b(?<!not )(?:cannot|can not|could not|unable to|impossible to|not possible to"
        r"|fail(?:s|ed)? to"
        r"|do not|did not|does not)(?: \w+ly| here| now)? (?:see|find|identify|detect|discern"
        r"|demonstrate|make out|recogni[sz]e|appreciate|spot|locate|trace|show|point to|perceive"
        r"|observe|visuali[sz]e|pick out|reveal|discover)\b(?! (?:the (?:tip|end|position|course)"
        r"|whether|if|past|beyond|through|behind|it|them|this|these|one|either|that)\b)",
        DENIED,
    ),
)
