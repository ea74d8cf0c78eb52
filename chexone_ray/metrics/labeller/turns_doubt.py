"""Turns of phrase that leave open whether a finding is there.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

from chexone_ray.metrics.labeller.denial import SEEN
from chexone_ray.metrics.labeller.turns import DOUBTED, LEFT, NO, NOT_SURE, frame

DOUBT_TURNS = (
    frame(
        "preclud,prevent,forbid,hamper,hinder,impede",
        r"\b(?:preclud|prevent|forbid|hamper|hinder|imped)\w* (?:the |an? |safe |reliable "
        r"|us from |me from )*"
        r"(?:exclusion of|excluding|ruling out|dismissing)\b",
        DOUBTED,
    ),
    frame(
        "said,considered,regarded,taken",
        r"\b(?:cannot|can not|could not) be (?:\w+ly )?(?:said|considered|regarded"
        r"|taken)(?: to be| as)?"
        r" (?:\w+ly )?(?:excluded|ruled out)\b",
        "cannot be excluded",
    ),
    frame(
        "mean,imply,prove,signify,follow",
        r"\b(?:does|do|did|need|would|should) not (?:\w+ )?(?:mean|imply|prove|signify"
        r"|follow)(?: that)?"
        r" (?:there (?:is|was|are|can be) )?(?:no|not an?)(?= (?!\w+ (?:was|were)\b)\w)",
        DOUBTED,
    ),
    frame(
        "neither",
        r"\b(?:excludes?|rul(?:es?|ing) out|excluding) neither (?P<k38>(?:[\w-]+ ){1,4}?)nor\b",
        f"<{DOUBTED}",
    ),
    frame(
        "whether, if ",
        r"\b(?:not (?:possible|easy|feasible)|impossible|difficult|hard|unable|not able"
        r"|i am not able"
        r"|one is not able|no way|nothing|no saying|no telling|no means)(?: for me| here)?"
        r"(?: to| of)?(?: (?:say|tell|know|decide|judge|determine|see|establish|show|settle"
        r"|saying|telling|knowing|deciding))?(?: \w+){0,3}? (?:whether|if)\b(?! there)",
        "whether",
    ),
    frame(
        "ruled in,confirmed,proven,proved,established,neither",
        r"\b(?:(?:cannot|can not|could not) be (?:\w+ly )?(?:ruled in|confirmed|proven|proved"
        r"|established) n?or"
        r" (?:be )?(?:ruled )?(?:out|excluded|refuted|denied|dismissed)"
        r"|neither (?:\w+ly )?(?:seen|shown|visible"
        r"|present|evident|confirmed|proven|established|identified"
        r"|ruled in) n?or (?:\w+ly )?(?:excluded|ruled out"
        r"|refuted|disproved|dismissed|excludable))\b",
        "cannot be excluded",
    ),
    frame(
        "absent,excluded,resolved,gone,cleared,free ",
        r"\bnot (?:unequivocally|definitely|definitively|certainly|convincingly|demonstrably"
        r"|confidently"
        r"|reliably|positively|safely|unambiguously|conclusively|provably) (?:absent|resolved"
        r"|gone|cleared"
        r"|excluded)\b",
        "cannot be excluded",
    ),
    frame(
        "comment,statement,judgement,opinion",
        r"\bno (?:comment|statement|judgement|opinion) (?:can be|is) (?:made|possible|given"
        r"|offered)"
        r" (?:about|on|as to|regarding|concerning)(?: the presence of)?",
        "poss",
    ),
    frame(
        "allow,permit,enable,suffic,justif,let us,let me,help",
        r"\b(?:not|cannot|hardly|scarcely|neither|nor|never)(?: \w+ly)? (?:allow|permit|enable"
        r"|suffice|justify|let us"
        r"|let me|help)s?(?: (?!exclu|rul|dismiss)[\w]+){0,3}? (?:the |an? "
        r"|to )?(?:\w+ )?(?:exclusion of|exclude|excluding|rule out|ruling out|dismiss)\b",
        DOUBTED,
    ),
    frame(
        "allow,permit,enable,let ",
        r"\b(?:not|cannot|hardly|scarcely|neither|nor|never)(?: \w+ly)? (?:allow|permit|enable"
        r"|let)s? (?P<k20>(?:[\w-]+ ){1,6}?)"
        r"(?:to )?(?:be )?(?:\w+ly )?(?:excluded|ruled out|dismissed)\b",
        "<poss",
    ),
    frame(
        "if any,or no ",
        r"\b(?:little|minimal|scant|few|slight),? (?:if any,?|or no)(?= \w)",
        "poss",
    ),
    frame(
        "mean,imply,prove,signify,indicate",
        r"\bnot (?:necessarily )?(?:mean|imply|prove|signify|indicate)\b.*\b(?:none|no|not"
        r"|absent|absence"
        r"|free)\b[^;.]*",
        "cannot be excluded",
    ),
    frame(
        "evidence against,argument against",
        r"\b(?:no|little|without) (?:evidence|argument|sign)s? against\b",
        "poss",
    ),
    frame("exclusion", r"\b(?:no|without) (?:\w+ )?exclusion of\b", DOUBTED),
    frame(
        "not be,not necessarily",
        rf"\b(?:would|might|may)(?: \w+)? not (?:necessarily )?be (?:\w+ly )?{SEEN}",
        "may hide",
    ),
    frame(
        "not show,not appear,not register",
        r"\b(?:may|might|would|could) not (?:\w+ )?(?:show|appear|register)(?: up)?\b",
        "may hide",
    ),
    frame(
        "rule ",
        r"\b(?:cannot|can not|could not|not|unable to|impossible to|difficult to) rule"
        r" (?P<k13>(?!out\b|in\b)(?:[\w-]+ ){1,4}?)out\b",
        "<poss",
    ),
    frame(
        "nothing,no way,no means,no possib,no basis,no ground",
        r"\b(?:nothing|no (?:way|means|possibility|basis|grounds?))(?: \w+){0,3}? (?:exclud(?:e"
        r"|ing)|rul(?:e|ing) out)\b",
        DOUBTED,
    ),
    frame(
        "be excluded,be ruled out,be rule",
        r"\b(?:(?:has|have|needs?|ought|is|are) to|should|must)(?: now"
        r"| still)? be (?:\w+ly )?(?:excluded|ruled out)\b",
        "to be sought",
    ),
    frame(
        "sure,certain,confident,convince,persuade,satisf, say,state,assert,swear,vouch,promise"
        ",guarantee,affirm,tell,assum,conclude,declare,claim,doubtful,unclear,open,debatable"
        ",unproven,not clear,proof,knowing,assurance",
        rf"\b{NOT_SURE},? (?:that|whether|if) (?P<k10>(?:[\w-]+ ){{1,5}}?)(?:has|have|is"
        rf"|are) (?:\w+ly |been )*"
        rf"(?:{LEFT}|not {SEEN}|not \w+ed|not (?:wide|large|big|broad|dilated|full)|absent"
        rf"|missing)\b",
        "<poss",
    ),
    frame(
        "exclude,rule out,dismiss,deny",
        r"\b(?:inadequate|insufficient|not (?:good|adequate|sufficient|enough|reliable)|too \w+"
        r"|hesita\w+|reluctan\w+|loath|would not (?:like|wish|want|dare|presume)|limited"
        r"|not suffice"
        r"|no basis|unwise|unsafe|rash|premature|bold|brave|optimistic)(?: \w+){0,2}? to (?:exclude"
        r"|rule out|dismiss|deny)\b",
        DOUBTED,
    ),
    frame(
        "if there",
        r"\b(?<!as )if there (?:is|are|were|be)(?! one| any\W| some\W)(?: an?\b| any\b"
        r"| some\b)?(?= )",
        "poss",
    ),
    frame(
        "confirmed,proven,established",
        r"\b(?:suspected|possible|likely|probable|questioned|queried)(?:,| but|, but| though"
        r"|, though)"
        r" (?:\w+ )?not (?:\w+ )?(?:confirmed|proven|established|certain)\b",
        "suspected",
    ),
    frame(
        "sure,certain,confident,convince,persuade,satisf, say,state,assert,swear,vouch,promise"
        ",guarantee,affirm,tell,assum,conclude,declare,claim,doubtful,unclear,open,debatable"
        ",unproven,not clear,proof,knowing,assurance",
        rf"\b{NOT_SURE},? (?:(?:that|whether|if|about|of|here|for certain|for sure|with \w+"
        rf"|from this \w+|on this \w+)\b,? )*{NO}(?: more)?(?= )",
        DOUBTED,
    ),
    frame(
        "sure,certain,confident,convince,persuade,satisf, say,state,assert,swear,vouch,promise"
        ",guarantee,affirm,tell,assum,conclude,declare,claim,doubtful,unclear,open,debatable"
        ",unproven,not clear,proof,knowing,assurance",
        rf"\b{NOT_SURE}(?: with \w+| for \w+)?,?(?: that| whether"
        rf"| if) (?P<k1>(?:[\w-]+ ){{1,5}}?)(?:is|are|was|were) "
        r"(?:\w+ly )?(?:not )?(?:free|clear|devoid) (?:of|from)",
        DOUBTED,
    ),
    frame(
        "absence,lack",
        r"\b(?:cannot|can not|could not|do not|not|unable to|impossible to|hard to|difficult to"
        r"|not possible to)(?: be)? (?:\w+ly )?(?:sure|certain|confident|convinced|guarantee|affirm"
        r"|confirm|prove|vouch|establish|assume|assert|warrant|certify|infer|conclude"
        r"|demonstrate)\w*"
        r"(?: of| about| for)? (?:the |an? )?(?:absence|lack) of",
        DOUBTED,
    ),
    frame(
        "absence,lack",
        r"\b(?:absence|lack) of (?P<k2>(?:[\w-]+ ){1,5}?)(?:is|has|was|remains?|seems?)(?: been)? "
        r"(?:\w+ly )?(?:not|un|never|yet)(?: \w+ly| be| been| to be)*[ -]?(?:prov\w+|certain|sure"
        r"|confirm\w+|established|guaranteed|clear|demonstrated|assured|shown)",
        "is doubtful",
    ),
    frame(
        "neither,nor ",
        r"\b(?:can|could|may|possible to|able to) (?:be )?neither (?:be )?(?:rul\w+ in|confirm\w*"
        r"|prov\w+|includ\w+|affirm\w*|establish\w*|diagnos\w+) (?:n?or) (?:be )?(?:rul\w+ out"
        r"|exclud\w+|refut\w+|den\w+|disprov\w+|dismiss\w*)",
        DOUBTED,
    ),
    frame(
        "neither,nor ",
        r"\bneither (?:rul\w+ in|confirm\w*|prov\w+|affirm\w*|establish\w*|support\w*|suggest\w*) "
        r"n?or (?:rul\w+ out|exclud\w+|refut\w+|den\w+|disprov\w+|dismiss\w*|contradict\w*)",
        DOUBTED,
    ),
    frame(
        "following",
        r"\b(?:all of )?(?:the )?following(?: findings?)? (?:cannot|can not|could not|may not)"
        r" be (?:\w+ly )?(?:excluded|ruled out|dismissed)\s*:",
        DOUBTED,
    ),
)
