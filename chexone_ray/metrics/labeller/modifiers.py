"""Words of the rule labeller: severity, change, and how far words act.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re

from chexone_ray.metrics.labeller.denial import SEEN, STATUS_WORDS
from chexone_ray.metrics.labeller.doubt import OPEN
from chexone_ray.metrics.labeller.patterns import alternatives as _words

# --- severity, change -----------------------------------------------------------------------------

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
    r"(?:chang\w+|improv\w+|increas(?!ed (?:\w+ )?(?:marking|densit|heart|cardiac|transverse"
    r"|width|mediast|interstit|lung|opac))\w+"
    r"|decreas\w+|worsen\w+|progress\w+|differen\w+"
    r"|clearing|clearance|resolution|regression|growth|reduction|shrinkage"
    r"|healing(?! (?:\w+ )?frac)|deterioration"
    r"|expansion|tendency to|signs? of (?:clearing|resol\w+|improvement|regress\w+|healing"
    r"|progress\w*|growth))"
    r"|\b(?:no|not|neither|nor) (?:\w+ly )?(?:larger|smaller|better|worse|bigger|denser|wider)\b"
    r"(?! than (?:the )?(?:normal|usual|expected|average|it (?:should|ought)))"
    r"|\bnothing new (?:in|about|regarding)\b|\b(?:not|neither|nor|never|fails? to)(?: \w+ly)?"
    r"(?: (?:appear|seem|look|prove|shown?|found|been (?:seen|shown|found)|thought|felt|judged)s?"
    r"(?: to (?:have|be)(?: \w+ly)?)?(?: \w+ly)?) (?:(?<=have )enlarged|grown?|chang\w+"
    r"|increas\w+|decreas\w+|improv\w+"
    r"|worsen\w+|progress\w+|larger|smaller|bigger|better|worse|denser|new)\b"
    r"|\b(?:not|neither|nor|never) (?:\w+ )?(?:grown|shrunk"
    r"|altered|moved|regressed)\b|\bunchanged\b|\bstabl[ey]\b|\bsimilar\b|\bthe same\b"
    r"|\bas before\b|\bconstant\b|\bstatic\b|\bsteady\b|\bidentical\b|\bno different\b|\b(?:has"
    r"|have) not (?:budged|altered)\b"
    r"|\bpersist\w*|\bunaltered\b|\bequal\b)"
    r"|(?P<better>\bimprov\w+|\bdecreas\w+|\bsmaller\b|\breduc\w+|\bresol\w+|\bclear(?:ed|ing)\b"
    r"|\bless\b|\bregress\w+|\bno longer\b|\bshrunk\b|\bshrinking\b|\bdiminish\w*|\blessen\w*"
    r"|\bdisappeared\b|\bbetter\b(?= (?:now|today|than (?:before|on|in)\b)|\W*$))"
    r"|(?P<worse>\bworse\w*|\bincreas\w+|\blarger\b|\bbigger\b|(?<!no )\bnew\b|\bnewly\b"
    r"|\bprogress\w+|\bdeveloped\b|\bgrown\b|\bgrowing\b"
    r"|\bmore (?:extensive|pronounced|prominent|marked|conspicuous|dense|severe)\b|\bdenser\b"
    r"|\b(?:has|have) enlarged\b|\bdeteriorat\w+)"
)
SIDE_BY_SIDE = re.compile(
    r" (?:(?:on|at|in|over) (?:the |its )?(?:\w+ ){0,2}?(?:left|right|base|bases|apex|apices|upper"
    r"|lower|periphery|centre)\b|than (?:on |at |in |that on |the one on )?(?:the |its )?(?:left"
    r"|right"
    r"|other|opposite)\b|,? left\b|,? right\b)"
    r"(?![^.;]*\b(?:than (?:before|on the (?:last|prior|previous|earlier)|it was|yesterday)|since"
    r"|compared|before|previous\w*|prior|earlier|yesterday|today|now|interval|last)\b)"
)
"""After "larger", "more marked": compares sides, not times."""
_COMPARES = r"larger|bigger|smaller|denser|worse|better|less|more [a-z]+"
SIDES_COMPARED = re.compile(rf"(?:{_COMPARES})\Z")
_STEMS = """
altered before better bigger budged chang clear clearing constant decreas dens deterior develop
differen dimin disapp enlarg equal expansion grow growth healing identical improv increas larger
less longer more moved new of persist progress reduc reduction regress regression resol same shr
shrink sign simil small stabl static steady tendency unalter wider worse
"""
CHANGE_STEMS = tuple(_STEMS.split())
"""Each match of `CHANGE` holds one of these."""
GENERIC_CHANGE = re.compile(
    r"^(?:(?:there (?:is|has been) )?no (?:\w+ )*change\b"
    r"|(?:otherwise |overall )?(?:unchanged|stable)\b)"
)
"""A sentence of its own that speaks of everything."""
PRONOUN = re.compile(r"^(?:it|this|these|they|both|the (?:finding|appearance|abnormality)s?)\b")

# --- how far words act ----------------------------------------------------------------------------

STRONG_BREAK = re.compile(
    r"\b(?:(?<!anything )(?<!nothing )(?<!all )(?<!none )but|however|although|though"
    r"|except(?: for)?|apart from|aside from|other than|save for"
    r"|but for|excepting|excluding|with the exception of|besides|yet"
    r"|while|whereas|which|in contrast to|unlike|as opposed to|rather(?! than)|because(?! of)"
    r"|otherwise|o/w)\b"
    rf"|[;:](?!\s*(?:{STATUS_WORDS}(?! (?:is|are|was|were)\b)|{OPEN}(?=\W*$|\s*[.,;)])"
    rf"|cannot (?:tell|say)|\?(?=\W*$|\s*[.,;)])|none\b"
    rf"|neither\b|(?:(?:all|both) )?(?:normal|unremarkable|enlarged|widened|wide|large)\b"
    r"(?=\W*$|\s*[.,;)]| (?:in|size|width|for|and) )))"
    r"|(?<=\([+-]\)),?"
    r"|,? and (?=(?:a|an|the|there|it|now|no|one|normal|clear|perhaps|possibly|probably|maybe)\b)"
    r"|, and (?=(?:\w+ ){1,3}?(?:that|which|is|has)\b)"
    r"| as (?=the (?:\w+ ){1,3}?(?:has|have|is|are)\b)| (?:now that|so that|so|until|when|once"
    r"|because|since)"
    r" (?=(?:the|there) (?:\w+ ){0,3}?(?:has|have|is|are|was)\b)| (?=there (?:is|are) now\b)"
    r"|,(?: and)? (?=(?:likewise|similarly|ditto|equally) (?:the|an?|for)\b)"
    r"|(?:,| and|, and) (?=(?:nor|so|neither|as) (?:is|are|was|were|has|have|can|could|may|does"
    r"|do|did)\b)"
    r"|(?<= )[-\u2013] (?=(?!(?:none|nil|no|absent|negative|neg|not"
    r"|normal)\b)(?:[\w-]+ ){1,5}(?:only|alone)\b)"
    r"|, (?=(?:where|when) )|, (?=(?:with (?!or\b|no\b|regard)|plus )\w)"
    r"|, (?:and )?(?=(?:development|appearance|onset|placement|insertion|introduction"
    r"|progression|recurrence"
    r"|persistence|formation) of\b)"
    r"|, (?=(?:merely|only|just|simply|instead|normal|clear|leaving|revealing|unmasking|uncovering"
    r"|exposing|giving way|replaced by|now) )"
    r"|\b(?:absent|present|none|nil|no|yes|neg|negative|normal|seen|clear|enlarged|unchanged|stable"
    r"|removed|out|in situ)(?P<slash> / )"
    r"| (?=(?:leaving|revealing|unmasking|uncovering) )"
    r"|, (?=(?:\w+ ){1,2}without\b)|(?:,| and|, and) (?=what (?:may|might|could|looks|appears"
    r"|seems)\b)"
    r"|(?:,|, and) (?=(?:(?!and\b|or\b|nor\b|not\b|no\b|but\b|is\b"
    r"|are\b)[\w-]+ ){1,5}?not (?:\w+ )?"
    r"(?:seen|shown|visible|present|identified|demonstrated|evident|found)\b(?!.*\b(?:or|nor)\b))"
    r"|, (?=(?:(?:again|also|still|now|then) )?(?:there|it|no|without|the|a|an|and the)\b)"
    r"| with (?=(?:a|an|no|none)\b)|(?<! or) (?=without\b(?! (?:\w+ ){1,2}(?:is|are|cannot|can"
    r"|may) ))"
)
"""A new clause begins."""
_ORGAN = r"(?:heart|mediastinum|lungs?|pleura|bones|ribs|trachea|hila|diaphragms?|aorta)"
SOFT_BREAK = re.compile(
    r" with (?=(?:definite|certain|obvious|undoubted|unequivocal|frank|known|established) )"
    r"|(?:,| and) (?=(?:mild|mildly|small|moderate|large|tiny|trace|minimal|severe|left|right"
    r"|bilateral|stable|unchanged|persistent|new|interval|status|old|definite|obvious|questionable"
    r"|possible|probable|suspected|moderately|chronic|healed|early|some|known)\b)"
    rf"|, (?={_ORGAN} (?!and\b|or\b|nor\b|all\b|failure\b|\w*nodul|mass)\w)"
    r"|, (?=(?:(?!and\b|or\b|nor\b|not\b)[\w-]+ ){1,4}?(?:noted|incidental\w*|of the (?:left|right)"
    r"|remains?|persists?|has|have|is|are|can|cannot|does|do)\b)"
    r"|, (?=(?:(?!and\b|or\b|nor\b|not\b|no\b)[\w-]+ ){1,4}?(?:unch\w*|stable|as before|the same"
    r"|still"
    r"|again|increas\w+|decreas\w+|improv\w+|wors\w+|bigger|larger|smaller|resolving|clearing|up"
    r"|down"
    r"|in situ|in place|present|removed|out|\+)(?=\W*$|[ ,;.]))"
    r"|, (?=(?:(?!and\b|or\b|nor\b|not\b|no\b)[\w-]+ ){1,4}?not\W*$)"
    r"|, (?=(?:certainly|definitely|clearly|undoubtedly|definite) )"
    r"|, (?=(?:cleared|resolved|clearing|resolving|improving|worsening|increasing|decreasing) )"
    r"|, (?=(?:perhaps|possibly|probably|maybe|likely|suspect|i suspect|query|consider|favou?r"
    r"|cannot exclude|can not exclude|could be|may be|might be) )"
    r"|, (?=(?:retained|residual|remaining|persisting|recurrent|resolving|healing|increasing"
    r"|worsening"
    r"|improving|enlarging|unresolved|ongoing|continuing|further|another) )"
    r"|, (?=(?:l|r|lt|rt|[rl][ulm]l|bibasal|bibasilar|bibasal|basal|basilar|apical|retrocardiac"
    r"|angles?"
    r"|lines?|ett|ngt|cardiomegaly|small|sl|pos|(?:present|positive)(?= for)?)\b)"
)
"""A new clause begins, unless a list goes on to "or"."""
MAIN_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|shows?|remains?|appears?|lies|persists?|cannot|can)\b"
)
AND_CLAUSE = re.compile(
    r",? and (?=(?:(?!and\b|or\b|nor\b|that\b|which\b|not\b|is\b|are\b|has\b)[\w-]+ ){1,6}?"
    r"(?:is|are|was|were|has|have|shows?|remains?|appears?|lies|persists?|cannot|can)\b)"
)
"""Before a second subject and its verb."""
SUBORDINATE = re.compile(r"\b(?:that|whether|if|neither|nor|which|both|one of|none of)\b")
OR = re.compile(r"\b(?:or|nor)\b")
JOIN = re.compile(r",\s*(?:and|or|nor|with)\s|,\s|\s(?:and|or|nor|with|plus|as well as)\s")
VERB = _words(
    r"is|are|was|were|has|have|had|shows?|seen|appears?|remains?|obscur\w+|represent\w*|reflect\w*",
    r"may|could",
)
BARE_JOIN = re.compile(
    r"^[,\s]*(?:(?:and|or|with|plus|associated|adjacent|underlying|overlying|accompanying|small"
    r"|mild"
    r"|moderate|compressive|some|an?|the|as well as|also|subtle)[,\s]*)*$"
)
"""Between two findings that share one side."""
LEADING_ADJECTIVES = re.compile(
    r"(?:\b(?:an?|the|left|right|bilateral|small|mild|moderate|large)\s+)*$"
)
OPENING = re.compile(
    r"^\W*(?:unaccompanied by|uncomplicated by|with neither|rather than|instead of|without"
    r"|in the absence of|with no|free of)\b[^,;:.]*,"
    r"(?!.*\b(?:or|nor)\b)"
)
"""An opening that denies: what follows its comma is a clause of its own, if it has a verb."""
OPENED = re.compile(
    r"^\W*what (?:was|were|used to be|had been)\b[^.;:]*?(?= (?:is|are) now\b)|"
    r"^\W*(?:rather than|instead of|no (?:the|that|what))\b[^,;:.]*?(?= there (?:is|are|has|have) )"
    r"|^\W*(?:because of|owing to|given|despite|in view of|from|due to|with|in) the (?:absence"
    r"|lack) of"
    r" (?:(?!the\b|and\b|or\b)[\w-]+ ){1,4}?(?=(?:the|this|these|there|an?) )"
)
"""An opening that denies, without a comma."""
SUBJECT = re.compile(
    r"\s*(?:the|an?|this|these|there|it|(?:(?!and\b)[\w-]+ ){1,4}(?:is|are|was|were|shows?|has|have"
    r"|blunts?|remains?))\b"
)
PARTED = re.compile(
    r"[;?(]|\b(?:with|from|due to|caused by|owing to|because of|whether|possibly|perhaps|probably"
    r"|presumably|either(?! (?:\w+ )?(?:lung|side|base|apex|zone|lobe|hemithorax|pleura|angle"
    r"|costo)))\b"
)
"""Between two findings that are no list."""
FORWARD_STOP = re.compile(
    r"\b(?:after|following|since|despite|in spite of|status post|s/p|besides|in addition to|only"
    r"|related to|resulting from|caused by|adjacent to|in (?:the )?presence of|attributable to"
    r"|beyond|other than|to explain"
    r"|to account for)\b"
    r"|\b(?:is|are|was|were) (?:\w+ly )?(?:seen|present|identified|visible|noted|evident|found"
    r"|shown"
    r"|demonstrated|detected)\b(?! (?:to|of|or|nor|for)\b)"
    r"|\b(?:hidden|masked|obscured|covered|concealed) (?:by|behind|under|beneath)\b"
    r"|\b(?:may|might|could|would) (?:\w+ )?(?:explain|account for|cause|give|produce|underlie)\b"
    r"|\b(?:accompan(?:y|ies)|complicates?|surrounds?)\b"
    r"|\b(?:accounts? for|explains?|causes?|underlies)\b"
    r"|(?<!that )(?<!think )(?<!believe )(?<!if )(?<!whether )(?<!where )(?<!say )(?<!bly"
    r" )(?<!perhaps )"
    r"(?<!likely )(?<!maybe )\bthere (?:is"
    r"|are|has|have|remains?)\b"
    r"|\b(?:is|are|has become|have become) now (?:\w+ly )?(?=(?:an?|the|only|mere\w*|just|some|few"
    r"|\w+ of|(?:\w+ )?(?:atelect|pneumon|o?edema|consolid|scar|fibro|collaps|thick|effus|fluid"
    r"|opaci)\w*)\b)"
    r"|\w, (?:is|are|was|were|has|have|remains?)\b|\band (?:is|are|has|have|lies|shows?)\b"
    r"|\band of (?:\w+ )?(?:normal|usual|average|ordinary|regular)\b"
)
"""A denial or doubt before it does not reach what follows it."""
JOINED = re.compile(
    r"(?:, and|,| and) (?:the|an?|his|her) [^;:]*?\b(?:have|are|were)\b (?:\w+ )*?(?:all|both"
    r"|now|since"
    r"|\w*ed|gone|absent|no|not|unchanged|stable|present)\b"
)
OPENER = re.compile(r"^\W*(?:but|while|whereas|although|though|however|yet)\b")
FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|show(?:s|ed)?|described|revealed|seen|appears?|remains?"
    r"|no|not"
    r"|without|neither|nor"
    r"|may|might"
    r"|could|but|there|with|persists?|lies|overl\w+|measur\w+|contains?)\b|[;:(]"
)
"""A stretch that is more than a name in a list."""
NOUN_AHEAD = re.compile(r"\b(?!there\b|it\b|that\b|and\b|but\b)[a-z]{3,} (?:is|are|was|were) $")
"""What "is not seen" speaks of, if it is no finding."""
BACK = re.compile(
    r"^\W*(?:(?:and|but|then|now|today|currently|since then|meanwhile|on this film|here"
    r"|there (?:is|are)"
    r"|on today's film|though|although|while|yet|however|equally|so)"
    r",? )*(?:it|same|one(?= (?:is|are|was|can|could|may|might|cannot|has)\b)|this|these|they"
    r"|both|those|that|each|either|neither|none|all|such|(?:is|are|was|were|has|have|cannot"
    r"|can not|could not|does|do)(?= (?:now |no |not |be |been |\w+ly )*\w+)|the (?:former"
    r"|finding|appearance|abnormality|same)s?|which)\b"
)
"""Speaks of the finding before it."""
STATUS = re.compile(
    rf"^\W*(?:(?:but|and|yet|though) )?(?:there (?:is|are|was|were) (?:not|none)(?=\W*$)"
    rf"|(?:the )?answer (?:is|was) (?:no"
    rf"|negative)"
    r"|nothing (?:of (?:it|them|this)|is left|remains|more)\b|"
    r"not (?:on|in) (?:this|the present|today's|either|these|any)\b|"
    r"not (?:an?|the (?:least|slightest)|any) (?:sign|trace|hint|suggestion|evidence)\b"
    r"|no (?:\w+ ){0,2}?(?:sign|trace|hint"
    r"|evidence|suggestion) of (?:it|this|them|these|same|that|either)\b|"
    r"(?:\w+ )?(?:evidence|signs?|features?|proof|trace)(?: of (?:same|it|this|these|that|which"
    r"|such))?"
    r" (?:is|are) (?:\w+ )?(?:wanting|lacking|absent|missing|not)\b|"
    r"(?:(?:the|this|today's|present|current) )*(?:film|radiograph|x-?ray|image|study|lungs?"
    r"|chest|ribs|bones|pleura|pleural spaces?|bases|angles|apices|costophrenic angles"
    r"|examination|i|we)s?(?: itself| now| today| however|,)* (?:shows?|reveals?|demonstrates?"
    r"|has|have"
    r"|contains?|finds?|sees?|bears?) (?:none|neither|nothing of|no such|no (?:sign|trace"
    r"|evidence) of (?:it"
    r"|this|either|any|these|them))\b|"
    r"(?:(?:the|this|today's|present|current|it|that|new) )*(?:film|radiograph|x-?ray|image"
    r"|study|one)?"
    r" ?(?:does|do|did) not(?=\W*$)|"
    r"(?:complete|full|total)(?: \w+)? (?:clearance|resolution|clearing|regression|disappearance"
    r"|re-?expansion)\b(?! of)|"
    rf"{STATUS_WORDS}|n(?=\W*$|[.,;])|no\b(?=\W*(?:$|[,.;]))"
    rf"|resolved|cleared|gone|removed|not (?:\w+ )?{SEEN}"
    r"|no longer \w+|has (?:\w+ )?(?:resolved|cleared|gone|disappeared)|ruled out|excluded)"
)
CONFIRMED = re.compile(
    r"\b(?:is|are|was|were|now|been) (?:\w+ly |now |thereby )?(?:confirmed|proven|established"
    r"|certain"
    r"|definite)\b"
)
"""After a doubtful finding: it is there."""
HEDGED = re.compile(
    r"\b(?:reservation|caveat|proviso)\b|\b(?:it|one|this|these|they|some|(?:small|subtle|early"
    r"|tiny|minor|minimal|discrete|faint) "
    r"(?:ones?|changes?|amounts?|lesions?|disease|signs?)) (?:could"
    r"|may|might|can"
    r"|would) (?:\w+ )?(?:be (?:\w+ly )?(?:missed|overlooked"
    r"|invisible|occult|inapparent|undetected|unseen|inconspicuous"
    r"|hidden|masked|obscured|present|there)|escape|hide|lurk|go unseen)\b"
)
"""After a denial: it is not sure."""
NOT_SAME = re.compile(
    r"\b(?:the same|that|this|so much) (?:cannot|can not|is not|does not"
    r"|could not) (?:be (?:said|true)|true"
    r"|apply|the case|hold)\b.*\b(?:left|right|other|opposite|contralateral)\b"
)
"""What was said of one side is not so on the other."""
OTHER_SIDE = re.compile(
    r"\b(?:the|on the|its) (?:left|right|other)\b(?!.*\b(?:not|no|none|neither|nor)\b)"
    r".*\b(?:(?:does|is|has|do|are|have)\W*$|(?:contains?|has|shows?|holds?|harbours?|carries"
    r"|bears)"
    r" (?:two|three|four|several|some|one|many|a few|plenty|multiple|both|an? (?:\w+ )?(?:one"
    r"|amount)|it|them)\b)"
)
"""After a denial: "on the left there is"."""
SIDE_NOT = re.compile(
    r"\W*(?:(?:but|and|while|whereas) )*(?:(?:that )?(?:on|in) )?the (?:left|right|other|lower"
    r"|upper)"
    r"(?: (?:one|side|lung|base|lobe|zone|half))? (?:is|are|has|does) not(?: so)?\W*$"
)
NOT_THERE = re.compile(
    r"\W*(?:but|and|though|only|just) (?:there is |only |just )*(?:an? (?:\w+ )?)?(?:one|some"
    r"|both) (?:on|at|in)"
    r" (?:the |its )?(?:left|right|other|base|apex|upper|lower)\b|\W*(?:(?:but|and|now"
    r"|today) )*there (?:is|are) (?:now |today )?(?:one|some|two"
    r"|several)(?= now| today|\W*$)|\W*(?:but|though|although|yet) (?:still )?not (?:entirely "
    r"|completely |yet |quite )?(?:on|in|at|from|over) "
    r"(?:the|its) (?:left|right|other|upper|lower|middle|base|apex|\w+ (?:lobe|zone|base|side))"
)
"""After "has cleared": not everywhere."""
STATUS_YES = re.compile(
    r"^\W*(?:(?:only|just|merely) )?(?:(?:(?:an? |one )?(?:small|large|moderate|tiny|mild|slight"
    r"|left|right|bilateral"
    r"|both sides|old|new|several|one|two|three|some|multiple|many|single|faint|basal|apical"
    r"|bibasal"
    r"|linear|patchy)\b"
    r"(?:[ ,]+[\w-]+){0,3}\W*$)|(?:but |and |yet |though |it |they |while |also )*(?:persists?"
    r"|lingers?|continues?"
    r"|(?:is|are|remains?) (?:still )?(?:there|present|seen|visible|evident|unchanged"
    r"|on the (?:left"
    r"|right)))\b|yes|y(?=\W*$|[.,;])|present|positive|confirmed|(?:(?:but|and|yet|though|they"
    r"|it) )*(?:are |is )?still "
    r"(?:there|present|seen|visible)|.*\b(?:of it|of them|some|traces?|residue|remnants?"
    r"|residual|residuum|remainder|wisp|part|little|streaks?"
    r"|it) (?:still )?"
    r"(?:persists?|remains?(?! (?:clear|free|normal))|lingers?|is left|are left)"
    r"|the (?:left|right|other|rest|remainder|latter|former)(?: ones?| side)? (?:persists?"
    r"|has not|have not"
    r"|remains?(?! (?:clear|free|normal))|is still|is unchanged|is stable)|(?:it|this|which|they"
    r"|these) (?:is|are"
    r"|has|have|remains?|persists?|still)\b(?! (?:not|no|never|been|since|now)\b).*"
    r"(?:there|present|visible|seen|persist\w*|remains?|confirmed))"
)
STATUS_OPEN = re.compile(
    rf"^\W*(?:{OPEN}|(?:minimal|small|tiny|little|trace|slight),? if any|cannot|can not"
    rf"|not excluded|maybe|perhaps|unclear)\b"
    r"|^\W*(?:(?:but|and|yet|though|although|it|they|one|this|these|nor|so|still|equally) )*"
    r"(?:(?:is|are|has|have|was|were) not (?:\w+ly |been |yet )*|(?:cannot|can not|could not"
    r"|may not|can) (?:\w+ly )?"
    r"be (?:\w+ly )?)(?:excluded|ruled out|dismissed|discounted)\b"
)
"""A sentence or clause that is a mere answer."""

_HEAD = (
    r"(?:heart(?: size)?|cardiac (?:size|silhouette|shadow|contours?)|ctr|cardiothoracic ratio"
    r"|cardiomediastinal (?:silhouette|contours?)|mediastin(?:um|al (?:contours?|silhouette|width"
    r"|outline|shadow))|hil(?:a|um)|trachea|pleura(?:e|l (?:spaces?|cavit(?:y|ies)))?"
    r"|(?:costophrenic |cp )?angles|lungs?|ribs"
    r"|bones)"
)
ORGAN_HEAD = re.compile(
    rf"(?:^|(?<=[.;,/] )|(?<=\) ))((?:the )?{_HEAD}(?:(?:, and|,| and| &|/) ?(?:the )?{_HEAD})*)"
    r"(?:\s*[:=\u2013]| -) "
)
"""A heading within a line."""
SAVE_FOR = re.compile(
    r"^\W*(?:apart from|except(?:ing)?(?: for)?|save(?: for)?|but for|other than|aside from"
    r"|barring) "
    r"(?:(?:in|at|on|over|along|for|near|perhaps) )*(?:the |an? |one |that |some |what )*(?:\w+ )?"
    r"(?:left|right|base|bases|apex|apices|lower|upper|middle|mid|lingula|retrocardiac|trace"
    r"|sliver|tiny"
    r"|small|little|minimal|few|focus|streak|rim|strip|area|corner|angle|periphery)\b"
)
"""After "no X": there it is."""
EXCEPT = re.compile(
    r"^\W*(?:apart from|except|save|barring|but for|other than|aside from)\b"
    r"(?!.*\b(?:atelect|scar|thicken|fibro|plaque))"
)
"""After "cleared", "resolved": not there."""
LEAD = re.compile(
    rf"(?:^|[.;,])\s*(?:(?:the following|these|those) (?:is|are|were) (?:absent|not seen"
    rf"|not present"
    r"|missing|excluded|ruled out)|"
    rf"{STATUS_WORDS}|{OPEN}|not (?:\w+ly |to be )?(?:excluded|ruled out)|(?:the )?differential"
    r"(?: diagnosis)?|excluded|ruled out|absent|no evidence of|negative for|without|no|not seen"
    r"|(?:cleared|resolved|gone|removed|disappeared|not found)[\w ]{0,40}|query|consider"
    r"|cannot exclude|can not exclude)\s*$"
)
"""Before a colon: acts on what follows ("not excluded: effusion")."""
