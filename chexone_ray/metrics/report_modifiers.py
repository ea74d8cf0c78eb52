"""Words that act on findings in the rule labeller: denial, doubt, side, severity, change, reach.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re

from chexone_ray.metrics.report_words import alternatives as _words
from chexone_ray.metrics.report_words import grouped

# --- denial --------------------------------------------------------------------------------------

_SEEN = (
    r"(?:seen|visible|present|evident|identified|demonstrated|apparent|show[ns]?|detected|there"
    r"|appreciated|found|noted|observed|discern\w*|recogni[sz]\w+|made out|confirmed|depicted"
    r"|visuali[sz]ed|in evidence|perceive\w*|perceptible|revealed|displayed|suspected|suggested"
    r"|encountered|delineated|convincing|definite|obvious|a feature|on view|any more|anywhere"
    r"|exist\w*|inserted|placed|in place|in situ|put in|positioned)"
)
_GONE = (
    r"(?:removed|taken out|withdrawn|discontinued|explanted|pulled|extracted|resolved|cleared|drained"
    r"|gone|disappeared|vanished|evacuated|subsided)"
)
_STATUS = (
    r"(?:none(?! (?:on|at|in) the)|nil|absent|negative|neg|nothing(?=\W*$|\s*[.,;])|not (?:\w+ )?(?:seen|visible|present|evident"
    r"|identified|demonstrated|apparent|shown|detected|found|noted|there)|no(?: evidence)?(?=\W*$"
    r"|\s*[.,;)])|\(-\)|0(?=\W*$))"
)
AFFIRMED = grouped(
    r"\bnot (?:\w+ly |at all |quite |by any means )?(?:without|absent|lacking|devoid of|negligible"
    r"|inconspicuous|insignificant|inconsiderable|unimportant|unimpressive|negative(?: for)?|missing"
    r"|spared?|(?:free|clear) (?:of|from)|to be (?:overlooked|missed|denied|ignored|disputed))\b"
    r"|\b(?:neither|no|nor)(?: (?:the )?\w+){0,2} (?:is|are) (?:\w+ly )?(?:free|clear|devoid|spared) "
    r"(?:of|from)\b|\bnever (?:free|clear) (?:of|from)\b"
    r"|\b(?:nor (?:is|are)|not (?:one|a single|any)) (?:\w+ ){1,4}?(?:is |are )?(?:free|clear|devoid) "
    r"(?:of|from)\b"
    rf"|\b(?:not|never)(?: yet| fully| entirely| completely| wholly| quite| all)*(?: been)?"
    rf"(?: \w+ly)? {_GONE}\b"
    rf"|\bnot (?:\w+ )?{_SEEN} (?:previously|before|earlier|yesterday|then|last \w+)\b"
    r"|\b(?:no|little|without|beyond|not in|never in)(?: \w+)? (?:doubt|question|dispute|denying"
    r"|mistaking|denial|escaping|missing)\b(?:,? (?:about|that|of|as to|but))?"
    r"|\bno (?:good |\w+ )?reason (?:\w+ ){0,2}?(?:not to|to doubt|to question|to deny|against)\b"
    r"|\b(?:nobody|no one|no reader|no observer|none) (?:\w+ )?(?:overlook|miss|doubt|dispute|deny"
    r"|question|fail to see)\w*"
    r"|\b(?:cannot|can not|could not|should not|must not|will not|is not|not) (?:\w+ )?(?:be )?"
    r"(?:overlook|miss|deny|denied|ignor|disput|doubt|mistak\w*(?! (?:for|as)\b)|in doubt|in question|disprov|refut"
    r"|fail to (?:see|notice))\w*"
    r"|\b(?:hard|difficult|impossible) to (?:\w+ )?(?:miss|overlook|deny|ignore|dispute|refute)\b"
    r"|\b(?:never|(?:cannot|can not|could not) (?:say|claim|state|argue|maintain)"
    r"(?: that)?|(?:cannot|can not|could not) be (?:maintained|asserted|claimed|argued|called|said|termed|deemed|considered|described as"
    r"|regarded as|declared)(?: that| to be)?|(?:is|was) not (?:true|so|the case|correct|as if|as though)"
    r"(?: that)?|not (?:all|every|both|each)(?: of)?|(?:wrong|false|untrue|incorrect|mistake|error)"
    r" (?:to (?:say|claim|state|call|consider|think)(?: that)?|that)) (?P<kept>(?:\w+ ){0,6}?)(?:not|no|clear of|free of"
    rf"|absent|{_GONE})\b"
    r"|\b(?:wrong|mistake|error|folly|foolish|rash) to (?:deny|overlook|exclude|dismiss|ignore)\b"
    r"|\b(?:hardly|scarcely|barely|by no means|far from|anything but) (?:\w+ly )?(?:absent|lacking"
    r"|without|devoid of|negligible|(?:free|clear) (?:of|from))\b"
    r"|\b(?:no|not|nothing|none) (?:\w+ )?(?:more|less|other|fewer|smaller) than\b|\bnothing but\b"
    rf"|\bnot (?:\w+ )?{_SEEN} (?:on|in|at) (?:the |an |a )?(?:\w+ )?(?:earlier|previous|prior|last"
    r"|old|first|preceding|former|outside)\b|\bnot (?:previously|formerly) (?:seen|present|visible"
    r"|noted|there|shown|evident)\b|\b(?:previously|formerly) (?:absent|unseen|not \w+)\b"
    r"|\babsent (?:on|from) the (?:earlier|previous|prior|last|old|first)\b"
    rf"|\b(?P<tip>(?:tip|end|course|position|side-?\s?hole|termination)s?\b(?: of [^.;,]*?)? ?)"
    rf"(?:is not|are not|was not|cannot be|can not be|not|is|are) (?:\w+ly )?(?:{_SEEN}|included|traced)\b"
    r"|\bnot (?:\w+ ){1,2}?never\b|\bno \w+ to the contrary\b"
    r"|\bnot only\b|\bnot just\b|\bnot merely\b|\bnot (?:\w+ ){0,2}?fail(?:ed)? to\b|\bnot no\b"
    r"|\bnever fails? to\b|\bno (?:evidence of |sign of |\w+ )?(?:a |any )?complications? "
    r"(?:of|from|after|related to|with|following)\b"
    r"|\b(?:no|not|without) (?:\w+ )?(?:absence|lack) of\b|\bfar from (?:absent|clear of|free of)\b"
    r"|\b(?:almost|nearly|near|largely|mostly|partly|partially|incompletely|virtually|practically|mainly"
    rf"|all but|somewhat|by no means|far from|hardly|scarcely)(?: been)?(?: \w+ly)? {_GONE}\b"
    r"|\bneither (?:\w+ed|spread|grown|shrunk|better|worse) nor (?:\w+ed|spread|grown|shrunk|better|worse)\b"
    r"|\b(?:hardly|scarcely) (?:a |any )?doubt\b|\bno (?:ignoring|overlooking|escape from|arguing)\b"
    r"|\bno (?:lobe|lung|zone|film|rib|side|area|part|field|base|apex) without\b|\bnot (?:yet )?out\b(?! of)"
    r"|\bno sooner\b|\bno (?:\w+ ){1,5}?(?:is|are) without\b|\bnot until\b|\bnothing speaks against\b|\bnothing against\b"
)
"""Two denials that make an assertion, and "no" that denies something else."""
NEGATED_AFTER = grouped(
    r"\b(?:no(?! longer\b(?= (?:seen|vis|pres|evid|ident|there|app|shown|hid)))|not|without|w/o"
    r"|neither|nor|never|nil|none of|nothing|nowhere|free of|free from|clear of|void of"
    r"|negative for|neg for|neg|absence of|lack of|lacks?|lacking in|devoid of|rather than|innocent of"
    r"|bare of|clean of|empty of|rid of|exempt from|spared(?: of| from)?|escaped"
    r"|instead of|fail(?:s|ed)? to|failure to|declines? to"
    r"|(?<!partial )(?<!near )(?<!near-)(?<!near complete )(?<!near-complete )(?<!almost complete )"
    r"(?<!nearly complete )(?<!incomplete )(?<!subtotal )(?:resolution|disappearance) of"
    r"|(?<!partial )(?<!near )(?<!some )(?<!incomplete )(?:complete|full|total) (?:clearing|clearance)"
    r" of|removal of|excludes?|rules out|(?:speaks?|argues?|evidence|tells?|weighs?|militates?) against|zero|disproves?|denies"
    r"|(?:evidence|signs?|proof|indication) (?:is|are) (?:\w+ )?(?:wanting|lacking|missing|absent))\b"
    r"|(?:^|(?<=[.:;] )|(?<=the ))\W*(?:completely |fully )?resolved\b(?=\s+\w)"
    r"|(?:^|(?<=[.;] ))\W*(?:cleared|resolved|gone|removed|disappeared|looked for(?: but|,)? (?:and )?not found"
    r"|sought(?: but|,)? (?:and )?not found)[\w ]{0,40}:"
    r"|\b(?:is|are|were) (?:absent|not seen|not present|missing|excluded|ruled out):"
    r"|(?:^|(?<=[.:;] ))\W*(?:absent|gone|not seen|not present|none)\b(?!\W*$)"
)
"""Denies what follows, to the end of the clause."""
NEGATED_BEFORE = grouped(
    r"\b(?:is|are|was|were|be|been|remains?|being|becomes?|become) (?:\w+ly |now |all |also |both |since )*"
    r"(?:no longer|now absent|absent|excluded|ruled out|none|missing|lacking|wanting|gone|nil"
    r"|negative|denied|disproved|refuted|dispelled|over)\b"
    r"|\b(?:is|are|was|were) not(?= *(?:$|[,.;)]))"
    r"|\bno longer (?:\w+ ){0,2}?(?:seen|visible|present|evident|identified|there|apparent|shown"
    r"|noted|appreciated|detect\w+|demonstrated|visuali[sz]ed|in place|found|persists?|exists?)\b"
    r"|\bnone\b(?! (?:of|(?:on|at|in) the)\b)|(?<=: )none\b|\bnil(?=\W*$|\s*[,.;)])|\b(?:neg|negative)(?=\W*$|\s*[,.;)])"
    r"|\babsent\b|\blacking\b|\bunseen\b|\bremoval\b(?! of)|\bfruitless\b|\bin vain\b"
    r"|\bthing of the past\b|\bdried up\b|\bwithout (?:result|success|finding)\b"
    r"|\bthere (?:is|are|was) no(?:ne| (?:\w+ )?(?:sign|trace|evidence|hint|indication|suggestion|question))?"
    r"s?\b(?=\W*$|\s*[,;])|\bthere (?:is|are) not\b(?=\W*$)|\bnothing\b(?=\W*$)"
    r"|\bno (?:sign|trace|evidence|hint|indication)s?\b(?=\W*$|\s*[,;])"
    r"|\b(?:has|have|had|is|are|now|since|fully|completely) (?:\w+ly )?healed\b|(?<=: )healed\b"
    r"|\b(?:is|was|are|were|proved? to be|proves to be|turn(?:s|ed) out to be|represents?|corresponds? to)"
    r" (?:only |merely |just |in fact |really )?(?:an? |the )?(?:\w+ )?(?:nipples?|vessels?|skin ?folds?"
    r"|artefacts?|artifacts?|summation|rib ends?|cartilages?|buttons?|overlap|superimposition)\b"
    r"|\bin the negative\b|\bout of the question\b|\bis no more\b|\b(?:has|have) been (?:\w+ )?(?:replaced|succeeded) by\b"
    r"|\b(?:has|have) (?:made way|yielded)\b|\b(?:completely|fully|entirely) (?:drained|evacuated)\b"
    r"|\b(?:drained|evacuated|regressed) (?:dry|completely|entirely|fully|away)\b"
    r"|\b(?:completely|fully|entirely|totally) regressed\b|\b-ve\b"
    r"|\b(?:has|have|had|did|does|do) (?:not|never)(?: yet| since| again| so far)? (?:developed?"
    r"|appear(?:ed)?|form(?:ed)?|occur(?:red)?|recur(?:red)?|return(?:ed)?|come back|re-?accumulated?"
    r"|arisen|arise|reappear(?:ed)?|emerged?|followed|ensued)\b"
    rf"|\b(?:not|never|nowhere|cannot be|can not be) (?:\w+ly |yet |been |be |to be |at all |now "
    rf"|currently |any longer |on this film )*{_SEEN}\b"
    r"|\b(?:not|never|fails? to|failed to) (?:\w+ ){0,1}?(?:show|demonstrate|reveal|bear out|display"
    r"|confirm)(?=\W*$|\s*[,.;])"
    r"|(?<!partially )(?<!partly )(?<!almost )(?<!nearly )(?<!incompletely )(?<!not )(?<!largely )"
    r"(?<!mostly )(?<!mainly )(?<!wholly )(?<!not fully )(?<!not completely )(?<!not entirely )"
    r"(?<!never )(?<!substantially )(?<!essentially )"
    r"\b(?:resolved|cleared|disappeared|vanished|melted away|dissolved|subsided|gone away|gone"
    r"|dissipated|evaporated|given way|faded|absorbed|re-?absorbed|healed without trace)\b"
    r"(?! (?:partially|partly|incompletely|in part|to some extent|back|into|from the right|up to"
    r"|except|apart|on the (?:left|right)[\w ]* (?:remains?|persists?|but)))"
    r"|\b(?:has|have|had|was|were|been|is|are|now|since|being|all|both)(?: \w+ly)? (?:removed"
    r"|taken out|withdrawn(?! (?:by|to|into|slightly|a |\d))|discontinued|explanted|pulled(?! (?:back"
    r"|up|out of))|extracted)\b"
    r"|\b(?:resected|excised)\b"
    r"|\b(?:removed|withdrawn (?:entirely|completely)|taken out|explanted|discontinued)\b"
    r"|\bout\b(?=\W*$|\s*[,.;])|\b(?:is|are|now|been|come|both|all) out\b(?! of)"
    r"|\b(?:excluded|ruled out|discounted|dismissed)\b|\bis not the case\b|\bdoes not exist\b"
    rf"|[:;=\u2013-]\s*{_STATUS}|\(\s*[-\u2013]\s*\)|\(\s*(?:none|absent|nil|negative|no)\s*\)"
    r"|\?\s*(?:no|none|nil|not seen|absent|negative)\b"
)
"""Denies what stands before it."""
STILL_THERE = re.compile(
    r"\b(?:remains?|persists?|still|left behind|lingers?|stays?|is back|has returned|reappeared)\b"
    r"(?! (?:clear|free|resolved|absent|normal|gone))"
)
"""After "cleared", "resolved": not everywhere."""

# --- doubt ---------------------------------------------------------------------------------------

_HEDGE = (
    r"(?:probably|likely|possibly|presumably|perhaps|apparently|maybe|may have|might have"
    r"|seems? to have|appears? to have)"
)
_CANNOT = (
    r"(?:cannot|can not|could not|(?:is|was|be) not|may not|not|never|hard to|difficult to|by no means|far from"
    r"|hardly|scarcely|impossible to|not possible to|unable to|neither)(?: \w+ly| yet| able| be| been| to| with \w+| at present| on this \w+| from this \w+"
    r"| here| confirmed nor| confirmed or| proven nor| proven or)*"
)
_EXCLUDE = (
    r"(?:exclud\w+|rul(?:e|ed|ing) out|discount\w*|dismiss\w*|eliminat\w+|disprov\w+"
    r"|refut\w+|tell(?: (?:apart|whether|if|from))?|told(?: (?:apart|from))?"
    r"|distinguish\w*|separated?|differentiat\w+|written off|disregarded)"
)
_CAUSE = r"(?:represent|reflect|indicate|suggest|relate|mean|signify|stand for|denote|signal)"
UNCERTAIN_AFTER = grouped(
    rf"\b{_HEDGE} (?:\w+ )?(?:no|not|free of|without|cleared|resolved|absent|gone)\b"
    rf"|\b(?:may|might|could)(?: also| well| equally| simply| instead| \w+ly)?(?: (?!not\b)\w+)? "
    r"(?:be|represent|reflect|indicate|suggest|relate|have|mean|due|hide|mask|conceal|obscure"
    r"|simulate|mimic|harbour|harbor|escape|stem)\b(?! (?:seen|increased|decreased|made))"
    rf"|\b(?:may|might|could) {_CAUSE}\b"
    rf"|\b{_CANNOT} {_EXCLUDE}"
    r"|\b(?:cannot|can not|not|never) (?:be |entirely |quite |wholly )*(?:sure|certain|confident|convinced"
    r"|swear)\b(?:[\w ]{0,22}?\b(?:no|not|free of|absence of)\b)?|\bunsure\b|\bunclear (?:if|whether)"
    r"|\bwonder\w*|\bhint(?:s|ing)? at\b|\bsmacks? of\b|\barguabl[ey]\b|\bundecided\b|\btoss-?up\b"
    r"|\b(?:torn|choice|lies|choose|distinguish|decide) between\b|\bspect(?:re|er) of\b"
    r"|\bnot (?:\w+ )?(?:unlikely|improbable|impossible|inconceivable|implausible|unthinkable)\b"
    r"|\b(?:one or more of|one or other of|any of|either of)\b|\bwould be (?:consistent|compatible|in keeping"
    r"|suggestive)\b|\bwhat (?:looks like|appears to be|seems|might be|may be)\b|\blooks like\b"
    r"|\bdoubts? (?:about|as to|whether|if|that|over|remains?|persists?)\b"
    r"|\b(?:nothing|no|none)(?: \w+){0,2} excludes?\b|\btoo [\w-]+ to (?:exclude|rule out)\b"
    r"|\b(?:shadow|vessel|artefact|artifact|fold|nipple|overlap|summation|rib end|joint|cartilage|button"
    r"|scar|fat) (?:or|vs|versus) (?:an? |the )?(?=\w)"
    r"|\b(?:fails?|failed) to (?:exclude|rule out)\b"
    r"|\b(?:concerning|concern|concerns|suspicious|suspicion|worrisome|worrying|question|possibility"
    r"|likelihood|chance|risk|raises?|raising|query|consider\w*|hint|hints|suggestion|impression"
    r"|thought|believed|felt) (?:for|of|at|to be|to represent|the (?:possibility|question|suspicion))"
    r"\b|\b(?:raises?|considered|consider)\b"
    r"|\bsuggest(?:s|ing|ive(?: of)?|ed)?\b|\bfavou?r(?:s|ing|ed|able)?\b|\bless favou?red\b"
    r"|\b(?:suspected|suspect|probable|probably|likely|presumed|presumably|presumptive|differential"
    r"|diagnosis lies|either|conceivabl[ey]|unlikely|improbable|indeterminate for|doubtful for)\b"
    r"|\bversus\b|\bvs\.?\s|\band/or\b"
)
"""Makes what follows uncertain, to the end of the clause."""
UNCERTAIN_WORD = _words(
    r"poss(?:ible|ibly)?",
    r"prob",
    r"questionabl[ey]",
    "borderline",
    r"equivocal(?:ly)?",
    r"potential(?:ly)?",
    "perhaps",
    "maybe",
    "doubtful",
    "uncertain",
    "indeterminate",
    "ambiguous",
    "susp",
    r"(?:hint|suggestion|suspicion|question) of",
    r"apparent(?= (?:cardi|heart|enlarge|widen|mediast))",
)
"""Makes the next finding uncertain, up to a comma or "and"."""
_OPEN = (
    r"(?:possible|possibly|suspected|questioned|questionable|uncertain|equivocal|likely|probable"
    r"|a possibility|borderline|conceivable|indeterminate|presumed|unclear|unproven|doubtful|unlikely"
    r"|improbable|considered|unsettled|undetermined|debatable|raised|entertained|not clear"
    r"|a consideration|a concern|in question|open to question|an open question|favou?red|suggested"
    r"|postulated|feared|thought likely|(?:with)?in the differential|on the cards|not certain)"
)
UNCERTAIN_BEFORE = grouped(
    rf"\b{_CANNOT} {_EXCLUDE}"
    r"|\b(?:cannot|can not|could not) be (?:\w+ly )?(?:assessed|judged|evaluated|determined"
    r"|ascertained|settled|established|proven|answered|decided)"
    rf"|\b(?:is|are|was|were|remains?|stays?|seems?|appears?|be|been)(?: \w+ly| only| more| less| most"
    rf"| also| still| thus)* {_OPEN}\b"
    rf"|\bnot (?:\w+ )?(?:unlikely|improbable|impossible|inconceivable|implausible|unthinkable)\b"
    r"|\b(?:may|might|could)(?: well| also| still| yet| easily| \w+ly)* (?:be (?:\w+ly |also |well )?"
    r"(?:present|there|hidden|missed|overlooked|seen|developing|forming|starting|lurking|masked"
    r"|obscured|responsible|at play|concealed|concerned|the cause|to blame|a factor|early)"
    r"|exist|escape\w*|hide|lie|lurk|coexist|co-exist|contribute|be hiding|explain|account for|cause"
    r"|give|produce|underlie|go unseen|go undetected|have (?:developed|formed|escaped|been (?:missed"
    r"|overlooked)))\b"
    rf"|\b{_HEDGE} (?:\w+ )?(?:absent|resolved|cleared|gone|removed|normal)\b"
    rf"|[:;,=-]\s*(?:{_OPEN}|cannot (?:tell|say|exclude|be\b)|can not (?:tell|say|exclude)|cannot be"
    r"|maybe|perhaps|\?|not excluded|not (?:\w+ly )?(?:ruled out)|poss)(?=\W*$|\s*[.,;)])"
    r"|\((?:\s*\?|\s*\+\s*/\s*-|\s*possible|\s*probable|\s*equivocal|\s*uncertain)\s*\)"
    r"|\bwould (?:\w+ )?(?:fit|explain|account for|cause|produce|give|be in keeping|be consistent)\b"
    r"|\b(?:probably|possibly|presumably|perhaps|maybe|conceivably)(?=\W*$)"
    r"|\bor (?:an? |the )?(?:\w+ )?(?:nipple|vessel|artefact|artifact|skin ?fold|shadow|rib end|overlap"
    r"|summation|cartilage|button|scar|fat)\b"
    r"|\bcan (?:\w+ly )?be (?:missed|overlooked|hidden|masked|obscured)\b"
    r"|\bnot (?:\w+ )?(?:out of the question|beyond (?:the )?(?:possibility|possible|doubt))\b"
    r"|\bif (?:any|present|real|there|at all)\b|\b(?:thought|believed|felt|assumed|guessed)"
    r"(?: to be)? (?:present|there|likely|possible)\b|\bhinted at\b|\bsuspect\b(?=\W*$)"
    r"|\bas the (?:prime|main|likely|likeliest|leading|first|top|best|chief) (?:suspect|candidate"
    r"|suspicion|consideration|differential|diagnosis|guess|explanation)\b|\bin doubt\b|\bmoot\b"
    r"|\b(?:leads?|tops?|heads?|ranks?) (?:\w+ )?(?:in |on )?the (?:differential|list)\b"
    r"|\b(?:is|remains?) (?:an? )?(?:open|guess|matter of \w+|moot)\b|\barguable\b"
    r"|\b(?:suspected|questioned|favou?red|possible|likely|probable|equivocal|unproven|questionable"
    r"|not excluded|uncertain|unlikely|indeterminate)(?=\s*[.;]?$)"
    r"|\bfavou?red (?:over|above|to)\b|\bversus\b|\bvs\.?\s|\band/or\b|\bas likely as\b"
    r"|\b(?:more|less) (?:likely )?than\b(?= (?:an? )?(?:\w+ )?(?:infection|pneumon|atelect|edema"
    r"|oedema|mass|consolid|effusion))"
)
"""Makes what stands before it uncertain."""
OF_NATURE = grouped(
    r"\b(?:cause|nature|size|origin|age|significance|extent|a?etiology|source|type|amount|volume"
    r"|number|chronicity|acuity|position)(?: (?:of|for) [\w -]+?)? (?:is|are|remains?|was|cannot be|can not be)"
    r"(?: \w+ly)? (?:uncertain|unclear|indeterminate|unknown|not clear|equivocal|undetermined|assessed"
    r"|determined|told|judged|debatable|doubtful)\b"
    r"|\bof (?:\w+ )?(?:uncertain|unclear|indeterminate|unknown|questionable|equivocal|doubtful) "
    r"(?:\w+ )?(?:cause|nature|size|origin|age|significance|extent|a?etiology|source|type|acuity"
    r"|chronicity)\b"
    r"|\b(?:possibly|perhaps|probably|likely|maybe|might be|may be|could be)(?: \w+)? (?:larger"
    r"|smaller|bigger|denser|fewer|older|wider|increased|decreased|loculated|old|chronic|acute|healed"
    r"|calcified|benign|malignant|unchanged|worse|improved|partly|more|less|new|slightly)\b"
    r"|\b(?:indeterminate|uncertain|questionable) (?=(?:\w+ )?(?:nodule|mass|lesion|opacit)\w* (?:of|in"
    r"|at|measur))"
)
"""Doubt about size, cause or nature: the finding is there."""
OR_LINK = re.compile(r"^[\s,]*(?:(?:and/)?or|and/or|/)\s+(?:an? |the |some |\w+ ){0,2}$")
"""Between two findings of which one is there."""
ORGAN_HEAD = re.compile(
    r"(?:^|(?<=[.;] ))((?:the )?heart(?: size)?|cardiac (?:size|silhouette|shadow)|cardiomediastinal (?:silhouette|contours?)"
    r"|mediastinum|pleura|costophrenic angles|lungs?|ribs|bones)\s*[:=\u2013] "
)
"""A heading within a line."""
EXCEPT = re.compile(r"^\W*(?:apart from|except|save|barring|but for|other than|aside from)\b")
"""After "cleared", "resolved": not there."""
LEAD = re.compile(
    rf"(?:^|[.;,])\s*(?:(?:the following|these|those) (?:is|are|were) (?:absent|not seen|not present"
    r"|missing|excluded|ruled out)|"
    rf"{_STATUS}|{_OPEN}|not (?:\w+ly )?(?:excluded|ruled out)|(?:the )?differential"
    r"(?: diagnosis)?|excluded|ruled out|absent|no evidence of|negative for|without|no|not seen"
    r"|(?:cleared|resolved|gone|removed|disappeared|not found)[\w ]{0,40}|query|consider|cannot exclude|can not exclude)\s*$"
)
"""Before a colon: acts on what follows ("not excluded: effusion")."""
NOT_EXCLUDED = re.compile(rf"\b{_CANNOT} {_EXCLUDE}")
"""Doubt that a "no" before the finding does not undo."""
UNMOVED = re.compile(
    r"\b(?:neither|none of|not one of)\b(?=.*\b(?:has|have|is|are) (?:\w+ )?(?:changed|altered|moved|grown"
    r"|progressed|increased|decreased|worsened|improved|resolved|cleared|larger|smaller|new)\b)|\bnor\b"
    r"(?=.*\b(?:has|have|is|are) (?:\w+ )?(?:changed|altered|grown|progressed|increased|decreased|worsened"
    r"|improved|larger|smaller|new)\b)"
)
"""Denies a change, not the finding: "neither A nor B has grown"."""
DOUBTED = re.compile(
    r"\bexclusion of\b.*\b(?:not (?:\w+ )?possible|impossible|unsafe|unreliable|difficult|needs?|requires?)\b"
    r"|\babsence of\b.*\b(?:cannot|can not|not) be (?:\w+ly )?(?:guaranteed|affirmed|assured|confirmed"
    r"|proven|vouched|certified|taken for granted|assumed)\b"
    r"|\babsence of\b.*\b(?:is|seems|remains) (?:\w+ )?(?:not certain|uncertain|doubtful|unproven|open)\b"
)
"""Makes a whole clause uncertain."""
PROJECTED = re.compile(
    r"\b(?:due to|from|owing to|because of|on account of|accounted for by|explained by|exaggerated by"
    r"|accentuated by|magnified by|artefact of|artifact of|effect of|reflects?|an effect of|by|result of"
    r"|attributable to|attributed to|put down to|related to) (?:the |a |an )?(?:\w+ )?(?:\w+ )?"
    r"(?:projection|rotation|rotated|technique|positioning|ap|supine|magnification|inspiration"
    r"|low lung volumes?|shallow|portable|breath)"
    r"|\b(?:projectional|positional|rotational|artefactual|artifactual|spurious|factitious)\b"
)
"""Enlargement that the film may have made."""

# --- what is not told of this film ----------------------------------------------------------------

_TO_STOP = r"[^,.;:?]*?(?=[,.;:?]|\b(?:shows?|reveals?|but|is|are|which|there)\b|\band (?:not|found|none)\b|$)"
HISTORY = grouped(
    rf"\b(?:history|hx|h/o|pmh) (?:of )?{_TO_STOP}"
    r"|(?<!cannot )(?<!can not )(?<!could not )(?<!not )(?<!to )(?<!fully )(?<!completely )(?<!entirely )"
    rf"\b(?:evaluate|assess|query|rule out|r/o|ro"
    rf"|clinical question) (?:for )?{_TO_STOP}"
    r"|\b(?:checking|screening|searching|looking|work-?up|worry|clinical (?:suspicion|concern)"
    rf"|worried) (?:for|of|about) {_TO_STOP}"
    r"|(?<!possible )(?<!difficult )(?<!hard )(?<!able )(?<!failed )(?<!fails )(?<!fail )(?<!enough )"
    rf"(?<!insufficient )\b(?:to|for) (?:look for|exclude|rule out|evaluate|assess|confirm|detect|find|follow|ensure"
    rf"|document|verify|clarify|monitor|watch for|identify|establish) {_TO_STOP}"
    rf"|(?:^|(?<=[;,.:] ))(?:if|should|unless|in case of|when) (?!any\b|present\b|real\b|at all)"
    rf"{_TO_STOP}"
    r"|\b(?:before|awaiting|prior to|scheduled for|planned|candidate for) (?:\w+ ){0,3}?"
    r"(?:replacement|implant\w*|insertion|placement|surgery|transplant\w*|stent\w*)\b"
    r"|\b(?:treated|admitted|diagnosed|presents?|presenting|hospitali[sz]ed|transferred|seen"
    rf"|operated|known|complain\w+) (?:with|for|of|to have) {_TO_STOP}"
    r"|^\W*(?:follow-?\s?up|f/u|control|re-?evaluation|surveillance|work-?up|check|evaluation|assessment) (?:film )?(?:of|for|after)"
    rf" {_TO_STOP}"
    r"|\b(?:year-?\s?old|y/?o|patient|man|woman|male|female|boy|girl|child|smoker|gentleman|lady)\b"
    rf"[\w ]*? (?:with|has|had|after|following|known to have) {_TO_STOP}"
    r"|\b(?:repeat|follow-?up|further|additional|dedicated|later|next) (?:chest )?(?:film|ct|x-?ray"
    r"|radiograph|imaging|study|views?|exam\w*)\b[^.;]*?(?:advised|suggested|recommended|required"
    r"|needed|warranted|useful|helpful|indicated|planned|proposed|would help|may help)\b"
    r"|\b(?:mimic\w*|simulat\w+|resembl\w+|masquerad\w+ as|(?:taken|mistaken) for|passes for) "
    rf"{_TO_STOP}"
    r"|\b(?:note|ward|clinicians?|referrer|request|team|form|letter|colleagues?|physician|surgeon) (?:\w+ly )?"
    rf"(?:speaks?|asks?|asked|mentions?|queries|queried|wonders?|suspects?) (?:of|about|for|whether)?{_TO_STOP}"
    rf"|\b(?:mother|father|brother|sister|family)\b {_TO_STOP}"
    rf"|\b(?:question|issue|concern|worry|fear)s? (?:was|were|being) {_TO_STOP}"
    rf"|(?:^|(?<=[.;:] )|(?<=please )|(?<=kindly ))exclude {_TO_STOP}"
    r"|^\W*for [^.;:]*?(?:follow-?up|evaluation|assessment|review|control|check)\b"
    rf"|\b(?:previously|formerly) (?:full of|showing|with|harbouring) {_TO_STOP}"
    r"|\bin (?:childhood|infancy|youth|the past|(?:his|her|their) (?:\w+))\b"
)
"""What is asked or was once told, up to the next stop."""
HISTORY_HEAD = re.compile(
    r"^\W*(?:(?:clinical|relevant|brief|pertinent|past medical|past|medical|patient) )?(?:history"
    r"|indications?|information|details?|question|reason for (?:\w+ )?(?:\w+ )?(?:exam\w*|study|film"
    r"|request\w*|x-?ray|referral)|reason|request\w*|query|queries|pmhx?|hpi|cc|technique|comparison|compared (?:film"
    r"|study)|hx|referral|diagnosis on admission|context|background|anamnesis|purpose|previous (?:film"
    r"|study|exam\w*)|prior (?:film|study|exam\w*|studies))\s*[:\u2013]"
)
TOLD_HEAD = re.compile(
    r"(?:^|(?<=[.;?] ))(?:findings?|impression|opinion|answer|report|conclusion|interpretation|result"
    r"|reading|chest|lungs|today|film|summary|observation|comment|now|current)s?\s*[:\u2013]"
)
_OTHER_FILM = (
    r"(?:\b(?:ct|mri|mr|pet|pet-ct|ultrasound|sonogra\w+|echo\w*|bronchoscopy|scan|tomogra\w+)\b"
    r"|\b(?:first|earlier|previous|prior|last|old|outside|initial|preceding|admission|yesterday's"
    r"|former|prior|that|outside) (?:\w+ )?(?:film|study|exam\w*|radiograph|x-?ray|cxr|image|report"
    r"|ct|scan)s?\b|\b(?:film|radiograph|study) (?:of|from|dated)\b)"
)
_TOLD_THEN = (
    r"\b(?:showed|described|had|reported|revealed|demonstrated|noted|suggested|mentioned|raised"
    r"|there was|there were|was|were|queried|spoke of|found|documented|identified|questioned|read)\b"
)
EARLIER = grouped(
    rf"{_OTHER_FILM}(?:(?!\b(?:no longer|now|today|still|this)\b|[;]).)*?{_TOLD_THEN}"
    rf"|{_TOLD_THEN}(?:(?!\b(?:no longer|now|today|still|resolved|cleared|this|is|are)\b|[;.]).)*?"
    rf"\b(?:on|by|in|at) (?:the |an |a )?{_OTHER_FILM}"
    r"|\b(?:per|according to)(?: the)? (?:triage|clinic\w*|note|history|referr\w+|patient|ward|emergency"
    r"|outside|record\w*|chart)\b|\b(?:years?|months?) ago\b|\bin (?:19|20)\d\d\b|\bin (?:january|february|march|april|may|june|july"
    r"|august|september|october|november|december)\b|\blast (?:year|winter"
    r"|summer|spring|autumn)\b|\bas a child\b|\bclinically\b|\b(?:he|she) (?:had|has had|came|fell"
    r"|presents)\b|\b(?:fell|fall) (?:from|off|down)\b|\bhad been\b|\bused to (?:be|have|show)\b"
    r"|\bonce (?:was|were|had|there|held|showed)\b"
    r"|\b(?:is|are|be) (?:advised|recommended|suggested|warranted) (?:if|to|in case)\b"
)
"""Clauses that speak of another film or of the patient, not of this film."""
NOW_TOO = re.compile(
    r"\b(?:still|remains?|persist\w*|unchanged|again|stable|now|today|as before|the same|has (?:\w+ly )?"
    r"(?:increased|grown|decreased|improved|worsened))\b"
)
QUESTION = re.compile(r"\?(?!\s*(?:yes|present|positive))")
FULL_QUESTION = re.compile(
    r"^\W*(?:is|are|was|were|do|does|did|can|could|has|have|will|would|should|where|which|what|who|how"
    r"|why|when|on which|in which|name|at)\b"
)
"""Asked of the reader; what it names is taken as said, as a question for a model needs it."""

# --- side, severity, change -----------------------------------------------------------------------

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
    r"|\b(?:no|not|neither|nor) (?:\w+ly )?(?:larger|smaller|better|worse|bigger|denser|wider)\b"
    r"|\bnothing new (?:in|about|regarding)\b|\b(?:not|neither|nor|never) (?:\w+ )?(?:grown|shrunk"
    r"|altered|moved|regressed)\b|\bunchanged\b|\bstabl[ey]\b|\bsimilar\b|\bthe same\b|\bas before\b|\bconstant\b"
    r"|\bpersist\w*|\bunaltered\b|\bequal\b)"
    r"|(?P<better>\bimprov\w+|\bdecreas\w+|\bsmaller\b|\breduc\w+|\bresol\w+|\bclear(?:ed|ing)\b"
    r"|\bless\b|\bregress\w+|\bno longer\b|\bshrunk\b|\bshrinking\b|\bdiminish\w*|\blessen\w*"
    r"|\bdisappeared\b)"
    r"|(?P<worse>\bworse\w*|\bincreas\w+|\blarger\b|\bbigger\b|(?<!no )\bnew\b|\bnewly\b"
    r"|\bprogress\w+|\bdeveloped\b|\bgrown\b|\bgrowing\b"
    r"|\bmore (?:extensive|pronounced|prominent|marked|conspicuous|dense|severe)\b|\bdenser\b"
    r"|\b(?:has|have) enlarged\b|\bdeteriorat\w+)"
)
CHANGE_STEMS = tuple(
    (
        "chang new stabl same before clear increas decreas improv larger small less worse more progress"
        " resol persist simil differen constant unalter equal reduc regress longer shr dimin disapp bigger"
        " develop grow dens enlarg deterior altered moved"
    ).split()
)
"""Each match of `CHANGE` holds one of these."""
GENERIC_CHANGE = re.compile(
    r"^(?:(?:there (?:is|has been) )?no (?:\w+ )*change\b"
    r"|(?:otherwise |overall )?(?:unchanged|stable)\b)"
)
"""A sentence of its own that speaks of everything."""
PRONOUN = re.compile(r"^(?:it|this|these|they|both|the (?:finding|appearance|abnormality)s?)\b")

# --- how far words act ----------------------------------------------------------------------------

STRONG_BREAK = re.compile(
    r"\b(?:but|however|although|though|except(?: for)?|apart from|aside from|other than|save for|but for|excepting|excluding|with the exception of|besides|yet"
    r"|while|whereas|which|in contrast to|unlike|as opposed to|rather(?! than)|because(?! of)|otherwise)\b"
    rf"|[;:](?!\s*(?:{_STATUS}|{_OPEN}(?=\W*$|\s*[.,;)])|cannot (?:tell|say)|\?|none\b|neither\b))"
    r"|(?<=\([+-]\)),?"
    r"|,? and (?=(?:a|an|the|there|it|now|no)\b)"
    r"|, (?=(?:\w+ ){1,2}without\b)"
    r"|, (?=(?:there|it|no|without|the|a|an|and the)\b)"
    r"| with (?=(?:a|an|no|none)\b)| (?=without\b)"
)
"""A new clause begins."""
_ORGAN = r"(?:heart|mediastinum|lungs?|pleura|bones|ribs|trachea|hila|diaphragms?|aorta)"
SOFT_BREAK = re.compile(
    r"(?:,| and) (?=(?:mild|mildly|small|moderate|large|tiny|trace|minimal|severe|left|right"
    r"|bilateral|stable|unchanged|persistent|new|interval|status|old|definite|obvious|questionable"
    r"|possible|probable|suspected|moderately|chronic|healed|early|some|known)\b)"
    rf"|, (?={_ORGAN} (?!and\b|or\b|nor\b|failure\b|\w*nodul|mass)\w)"
    r"|, (?=(?:(?!and\b|or\b|nor\b|not\b)[\w-]+ ){1,4}?(?:noted|incidental\w*|of the (?:left|right)"
    r"|remains?|persists?|has|have|is|are) )"
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
FORWARD_STOP = re.compile(
    r"\b(?:after|following|since|despite|in spite of|status post|s/p|besides|in addition to|only"
    r"|related to|resulting from|caused by|adjacent to|in (?:the )?presence of|attributable to|beyond|more than|other than|to explain"
    r"|to account for)\b"
    r"|\b(?:is|are|was|were) (?:\w+ly )?(?:seen|present|identified|visible|noted|evident|found|shown"
    r"|demonstrated|detected)\b(?! (?:to|of|or|nor|for)\b)"
    r"|\b(?:hidden|masked|obscured|covered|concealed) (?:by|behind|under|beneath)\b"
    r"|\b(?:may|might|could|would) (?:\w+ )?(?:explain|account for|cause|give|produce|underlie)\b"
    r"|\w, (?:is|are|was|were|has|have|remains?)\b"
)
"""A denial or doubt before it does not reach what follows it."""
BACK = re.compile(
    r"^\W*(?:(?:and|but|then|now|today|currently|since then|meanwhile|on this film|here|on today's film)"
    r",? )*(?:it|this|these|they|both|those|that|each|either|neither|none|all|such|the (?:former"
    r"|finding|appearance|abnormality|same)s?|which)\b"
)
"""Speaks of the finding before it."""
STATUS = re.compile(
    rf"^\W*(?:(?:the )?answer (?:is|was) (?:no|negative)|{_STATUS}|no\b(?=\W*(?:$|[,.;]))|resolved|cleared|gone|removed|not (?:\w+ )?{_SEEN}"
    r"|no longer \w+|has (?:\w+ )?(?:resolved|cleared|gone|disappeared)|ruled out|excluded)"
)
CONFIRMED = re.compile(
    r"\b(?:is|are|was|were|now|been) (?:\w+ly |now |thereby )?(?:confirmed|proven|established|certain"
    r"|definite)\b"
)
"""After a doubtful finding: it is there."""
STATUS_YES = re.compile(
    r"^\W*(?:yes|present|positive|confirmed|(?:(?:but|and|yet|though|they|it) )*(?:are |is )?still "
    r"(?:there|present|seen|visible)|.*\b(?:of it|of them|some|traces?|residue|remnants?|it) (?:still )?"
    r"(?:persists?|remains?(?! (?:clear|free|normal))|lingers?|is left|are left)"
    r"|the (?:left|right|other|rest|remainder|latter|former)(?: ones?| side)? (?:persists?|has not|have not"
    r"|remains?(?! (?:clear|free|normal))|is still|is unchanged|is stable)|(?:it|this|they|these) (?:is|are"
    r"|has|have|remains?|persists?|still)\b(?! (?:not|no|never|been|since|now)\b).*"
    r"(?:there|present|visible|seen|persist\w*|remains?|confirmed))"
)
STATUS_OPEN = re.compile(rf"^\W*(?:{_OPEN}|cannot|can not|not excluded|maybe|perhaps|unclear)\b")
"""A sentence or clause that is a mere answer."""
