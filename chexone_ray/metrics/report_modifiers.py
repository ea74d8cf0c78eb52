"""Words of the rule labeller: what is not told, side, severity, change, and how far words act.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re

from chexone_ray.metrics.report_denial import SEEN, STATUS_WORDS
from chexone_ray.metrics.report_doubt import OPEN
from chexone_ray.metrics.report_patterns import alternatives as _words
from chexone_ray.metrics.report_patterns import grouped

# --- what is not told of this film ----------------------------------------------------------------

_TO_STOP = (
    r"[^,.;:?]*?(?=[,.;:?]|\b(?:shows?|reveals?|but|is|are|which|there)\b"
    r"|\band (?:not|found|none)\b|$)"
)
HISTORY = grouped(
    r"\b(?:after|following) (?:an? |the )?"
    r"(?:old|previous|prior|former|past|remote|ancient) (?!films?\b|stud|exam|radiog|x-?ray|imag)[^.,;:]*|"
    r"^\W*had (?:an? )[^.;:]*|"
    r"\bquery (?=[^.;:]*\b(?:patient|man|woman|male|female|child|smoker|lady|gentleman|ward|unit)\b)"
    r"[^.;:]*|"
    rf"\b(?:history|hx|h/o|pmh) (?:of )?{_TO_STOP}"
    r"|\b(?<!cannot )(?<!can not )(?<!could not )(?<!not )(?<!to )(?<!fully )(?<!completely"
    r" )(?<!entirely )"
    rf"(?:evaluate|assess|rule out|r/o|ro"
    rf"|clinical question) (?:for )?{_TO_STOP}"
    r"|\b(?:checking|screening|searching|looking|work-?up|worry|clinical (?:suspicion|concern"
    r"|correlation)"
    rf"|worried) (?:for|of|about) {_TO_STOP}"
    r"|\b(?<!possible )(?<!difficult )(?<!hard )(?<!able )(?<!failed )(?<!fails )(?<!fail"
    r" )(?<!enough )"
    rf"(?<!insufficient )(?:to|for) (?:look for|exclude|rule out|evaluate|assess|confirm"
    rf"|detect|find|follow|ensure"
    rf"|document|verify|clarify|monitor|watch for|identify|establish) {_TO_STOP}"
    rf"|\b(?:(?<=[;,.:] )|(?<!.))(?:if|should|unless|in case of|when) (?!any\b|present\b|real\b|at all)"
    rf"{_TO_STOP}"
    r"|\b(?:before|awaiting|prior to|scheduled for|planned|candidate for) (?:\w+ ){0,3}?"
    r"(?:replacement|implant\w*|insertion|placement|surgery|transplant\w*|stent\w*)\b"
    r"|\b(?:treated|admitted|diagnosed|presents?|presenting|hospitali[sz]ed|transferred|seen"
    rf"|operated|known|complain\w+) (?:with|for|of|to have) {_TO_STOP}"
    r"|^\W*(?:follow-?\s?up|f/u|control|re-?evaluation|surveillance|work-?up|check|evaluation"
    r"|assessment) (?:film )?(?:of|for|after)"
    rf" {_TO_STOP}"
    r"|\b(?:year-?\s?old|y/?o|patient|man|woman|male|female|boy|girl|child|smoker|gentleman|lady)\b"
    rf"[\w ]*? (?:with|has had|has known|has a history of|had|after|following"
    rf"|known to have) {_TO_STOP}"
    r"|\b(?:repeat|follow-?up|further|additional|dedicated|later|next) (?:chest )?(?:film|ct|x-?ray"
    r"|radiograph|imaging|study|views?|exam\w*)\b[^.;]*?(?:advised|suggested|recommended|required"
    r"|needed|warranted|useful|helpful|indicated|planned|proposed|would help|may help)\b"
    r"|\b(?:mimic\w*|simulat\w+|resembl\w+|imitat\w+|posing as|pos(?:es|ed) as|feign\w*|(?:misread|misinterpreted|misconstrued) as|masquerad\w+ as|(?:taken|mistaken) for|masks as) "
    rf"{_TO_STOP}"
    r"|\b(?:note|ward|clinicians?|gp|doctor|nurse|referrer|request|team|form|letter|reports?(?= from| of the)|colleagues?"
    r"|physician"
    r"|surgeon) (?:\w+ly )?"
    rf"(?:[\w-]+ ){{0,5}}?(?:speaks?|asks?|asked|mentions?|queries|queried|wonders?|suspects?) (?:of|about|for"
    rf"|whether)?{_TO_STOP}"
    rf"|\b(?:mother|father|brother|sister|family)\b {_TO_STOP}"
    rf"|\b(?:question|issue|concern|worry|fear|suspicion)s? (?:was|were|being) {_TO_STOP}"
    r"|\b(?:question|concern|suspicion|query) (?:of|for|about|regarding) [^.,;:]*?\braised by\b[^.,;:]*"
    r"|^\W*(?:previous|prior|past|remote|old|known|earlier) [^.;:]*?\b(?:treated|operated|resected"
    r"|irradiated|surgery|repaired|chemotherapy|radiotherapy|lobectomy|pneumonectomy)\b"
    r"|\b(?:(?<=, )|(?<=\. )|(?<!.))(?:previous|prior|past) (?:(?!is\b|are\b|has\b|have\b|now\b|no\b"
    r"|with\b|granulom|fractur|calcif|scar|sterno|un|stable|seen\b|again\b|still\b|not\b|resol|clear|gone|remov|better|worse|smaller|larger)"
    r"[\w-]+ ?){1,5}(?=[.,;]|$)"
    r"|\b(?:looking|searching|sought|screened|checked)(?: \w+ly)? for(?: an?)? [^.;:]*?(?=[.;:]|$|\b(?:i find|none"
    r"|but|shows?|and find)\b)"
    rf"|\b(?:(?<!.)|(?<=[.;:] )|(?<=please )|(?<=kindly ))exclude {_TO_STOP}"
    r"|^\W*for [^.;:]*?(?:follow-?up|evaluation|assessment|review|control|check)\b"
    r"|\b(?:accounts?(?:ing)? for|explains?|causes?|caus(?:ing)|giv(?:es?|ing)(?: rise to)?|produc(?:es?|ing)"
    r"|creat(?:es?|ing)|leav\w+) (?:the|an?) (?:\w+ )?(?:apparent|impression|appearance|illusion|semblance|false"
    rf"|look) {_TO_STOP}"
    r"|\b(?:previously|formerly|once|initially|earlier) (?:attributed|ascribed|put down|assigned|diagnosed|treated"
    rf"|labelled|called|mistaken|queried|suspected)(?: to| as| to be| for)? {_TO_STOP}"
    rf"|\b(?:previously|formerly) (?:full of|showing|with|harbouring) {_TO_STOP}"
)
"""What is asked or was once told, up to the next stop."""
HISTORY_HEAD = re.compile(
    r"^\W*(?:(?:clinical|relevant|brief|pertinent|past medical|past|medical|patient) )?(?:history"
    r"|indications?|information|details?|question|reason for (?:\w+ )?(?:\w+ )?(?:exam\w*|study"
    r"|film"
    r"|request\w*|x-?ray|referral)|reason|request\w*|query|queries|pmhx?|hpi|cc|technique"
    r"|comparison|compared (?:film"
    r"|study)|hx|referral|diagnosis on admission|context|background|anamnesis|purpose"
    r"|previous (?:film"
    r"|study|exam\w*)|prior (?:film|study|exam\w*|studies))\s*[:\u2013]"
)
TOLD_HEAD = re.compile(
    r"(?:^|(?<=[.;?] ))(?:findings?|impression|opinion|answer|report|conclusion|interpretation"
    r"|result"
    r"|reading|chest|lungs|today|film|summary|observation|comment|now|current)s?\s*[:\u2013]"
)
_OTHER_FILM = (
    r"(?:\b(?:ct|mri|mr|pet|pet-ct|ultrasound|sonogra\w+|echo\w*|bronchoscopy|scan|tomogra\w+|mammogra\w+|scintigra\w+|(?:prior|previous|earlier) (?:imaging|images?|films))\b"
    r"|\b(?:first|earlier|previous|prior|last|old|outside|initial|preceding|admission|yesterday's"
    r"|former|prior|that|outside) (?:\w+ )?(?:film|study|exam\w*|radiograph|x-?ray|cxr|image|report"
    r"|ct|scan)s?\b|\b(?:film|radiograph|study) (?:of|from|dated|taken)\b"
    r"|\bthe (?:prior|previous|last)(?= (?:described|showed|had|reported|noted|suggested|mentioned|raised)\b))"
)
_TOLD_THEN = (
    r"\b(?:showed|described|had|reported|revealed|demonstrated|noted|suggested|mentioned|raised"
    r"|there was|there were|was|were|queried|spoke of|found|documented|identified|questioned"
    r"|read)\b"
)
EARLIER = grouped(
    rf"{_OTHER_FILM}(?:(?!\b(?:no longer|now|today|still|this)\b|[;]).)*?{_TOLD_THEN}"
    rf"|{_TOLD_THEN}(?:(?!\b(?:no longer|now|today|still|resolved|cleared|this|is|are)\b|[;.]).)*?"
    rf"\b(?:on|by|in|at) (?:the |an |a )?{_OTHER_FILM}"
    r"|\b(?:per|according to)(?: the)? (?:triage|clinic\w*|note|history|referr\w+|patient|ward"
    r"|emergency"
    r"|outside|record\w*|chart)\b|\bas a (?:child|boy|girl|youth|young \w+)\b|\bin (?:childhood"
    r"|infancy|youth|the past|(?:his|her|their) \w+)\b"
    r"|\b(?:days?|weeks?|months?) (?:after|following) (?:an? |the )?(?:\w+ )?(?:pneumonia"
    r"|pneumothorax|infection|fracture|heart failure)\b|\bclinically\b|\b(?:he|she) (?:had"
    r"|has had|came|fell"
    r"|presents)\b|\b(?:fell|fall) (?:from|off|down)\b|\bhad been\b|\b(?:initially|originally"
    r"|on admission|on arrival|at the outset)\b|\byesterday there (?:was|were)\b|\bused to (?:be"
    r"|have|show)\b"
    r"|\b(?:should|must|needs? to|has to|have to|ought to|to) (?:now |still |then )?be (?:\w+ly )?"
    r"(?:sought|looked for|considered in follow-up)\b"
    r"|\b(?:previously|formerly)\b,? (?:(?:the|there|his|her|an?) )(?:[\w-]+ ){0,4}?(?:was|were|had)\b"
    r"|\b(?:apparent|seeming|supposed) (?:[\w-]+ ){1,6}?(?:is|are|being|was|were) (?:\w+ly )?(?:due to"
    r"|attributable to|from|caused by|accounted for by|explained by|produced by|projected|an?|the"
    r"|only|merely|just|artefact\w*|artifact\w*|spurious|projectional)\b(?! (?:the |ap |a )*(?:rotat|project|posit"
    r"|techn|ap\b|supine|magnif))"
    r"|\b(?<!that )(?<!which )(?:was|were) (?:seen|present|noted|visible|there|shown) (?:before|previously|earlier"
    r"|then|yesterday|last \w+)\b"
    r"|\b(?:was|were|had been) (?:queried|asked about|the (?:\w+ )?(?:question|worry|concern|query|issue|fear))\b"
    r"|\b(?:is|are|being|was|were|turns out to be|proves to be|represents?)(?: \w+ly| only| merely| just)? (?:due"
    r" to |attributable to |produced by |caused by |from |accounted for by |explained by |put down to |that of "
    r"|projection of )?(?:(?:the|an?|her|his|overlying|superimposed|calcified|normal) )*(?:[\w-]+ )?(?:soft tissues?"
    r"|breasts?|breast tissue|pectoral\w*|clothing|hair|braids?|gallstones?|buttons?|gown|mastectomy|fat pads?"
    r"|muscles?|mammary|costal cartilages?|osteophytes?|jewellery|necklace|film fault|motion)\b(?! (?:cancer|carc))"
    r"|\b(?:is|are|lies|lie|being)(?: \w+ly)? (?:due to |in |within |that of |part of )?(?:the|a|his|her) (?:\w+ )?(?:spleen"
    r"|liver|stomach|bowel|gallbladder|skin|goitre|goiter|thyroid|aorta|kidney|oesophagus|esophagus|scapula"
    r"|chest wall|vertebra\w*|azygos\w*|hernia|clavicle|manubrium|sternum|diaphragm|nipple)\b(?=\W*$|\s*[,;.])"
    r"|\bonce (?:was|were|had|there|held|showed)\b"
    r"|\b(?:is|are|be) (?:advised|recommended|suggested|warranted) (?:if|to|in case)\b"
)
"""Clauses that speak of another film or of the patient, not of this film."""
THAN = re.compile(r"\b(?:than|as)(?: (?:it|they|that|those))? $")
"""Before "was on the earlier film": tells of this one."""
PAST_TIME = grouped(
    r"\b(?:years?|months?|weeks?|days?|hours?) ago\b|\bin (?:19|20)\d\d\b"
    r"|\bin (?:january|february|march|april|may|june|july"
    r"|august|september|october|november|december)\b|\blast (?:year|winter"
    r"|summer|spring|autumn)\b"
)
"""Makes a clause one of the past, if it has no verb of the present."""
PRESENT_VERB = re.compile(
    r"\b(?:is|are|has|have|shows?|again|there is|new|than|since|recurred|returned|not|no|grown|remains?)\b"
)
NOW_TOO = re.compile(
    r"\b(?:still|remains?|persist\w*|unchanged|again|stable|now|today|as before|same|as (?:last"
    r"|ever|in|on)"
    r"|has (?:\w+ly )?"
    r"(?:increased|grown|decreased|improved|worsened))\b"
)
QUESTION = re.compile(r"\?(?!\s*(?:yes|present|positive))")
FULL_QUESTION = re.compile(
    r"^\W*(?:is|are|was|were|do|does|did|can|could|has|have|will|would|should|where|which|what"
    r"|who|how"
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
    r"(?:chang\w+|improv\w+|increas(?!ed (?:\w+ )?(?:marking|densit|heart|cardiac|transverse|width|mediast|interstit|lung|opac))\w+"
    r"|decreas\w+|worsen\w+|progress\w+|differen\w+"
    r"|clearing|clearance|resolution|regression|growth|reduction|shrinkage|healing(?! (?:\w+ )?frac)|deterioration"
    r"|expansion|tendency to|signs? of (?:clearing|resol\w+|improvement|regress\w+|healing"
    r"|progress\w*|growth))"
    r"|\b(?:no|not|neither|nor) (?:\w+ly )?(?:larger|smaller|better|worse|bigger|denser|wider)\b"
    r"|\bnothing new (?:in|about|regarding)\b|\b(?:not|neither|nor|never) (?:\w+ )?(?:grown|shrunk"
    r"|altered|moved|regressed)\b|\bunchanged\b|\bstabl[ey]\b|\bsimilar\b|\bthe same\b"
    r"|\bas before\b|\bconstant\b|\bstatic\b|\bsteady\b|\bidentical\b|\bno different\b|\b(?:has"
    r"|have) not (?:budged|altered)\b"
    r"|\bpersist\w*|\bunaltered\b|\bequal\b)"
    r"|(?P<better>\bimprov\w+|\bdecreas\w+|\bsmaller\b|\breduc\w+|\bresol\w+|\bclear(?:ed|ing)\b"
    r"|\bless\b|\bregress\w+|\bno longer\b|\bshrunk\b|\bshrinking\b|\bdiminish\w*|\blessen\w*"
    r"|\bdisappeared\b)"
    r"|(?P<worse>\bworse\w*|\bincreas\w+|\blarger\b|\bbigger\b|(?<!no )\bnew\b|\bnewly\b"
    r"|\bprogress\w+|\bdeveloped\b|\bgrown\b|\bgrowing\b"
    r"|\bmore (?:extensive|pronounced|prominent|marked|conspicuous|dense|severe)\b|\bdenser\b"
    r"|\b(?:has|have) enlarged\b|\bdeteriorat\w+)"
)
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
    r"\b(?:but|however|although|though|except(?: for)?|apart from|aside from|other than|save for"
    r"|but for|excepting|excluding|with the exception of|besides|yet"
    r"|while|whereas|which|in contrast to|unlike|as opposed to|rather(?! than)|because(?! of)"
    r"|otherwise|o/w)\b"
    rf"|[;:](?!\s*(?:{STATUS_WORDS}(?! (?:is|are|was|were)\b)|{OPEN}(?=\W*$|\s*[.,;)])|cannot (?:tell|say)|\?(?=\W*$|\s*[.,;)])|none\b"
    rf"|neither\b|(?:(?:all|both) )?(?:normal|unremarkable|enlarged|widened|wide|large)\b"
    r"(?=\W*$|\s*[.,;)]| (?:in|size|width|for|and) )))"
    r"|(?<=\([+-]\)),?"
    r"|,? and (?=(?:a|an|the|there|it|now|no|one|normal|clear|perhaps|possibly|probably|maybe)\b)"
    r"|, and (?=(?:\w+ ){1,3}?(?:that|which|is|has)\b)"
    r"| as (?=the (?:\w+ ){1,3}?(?:has|have|is|are)\b)| (?:now that|so that|so|until|when|once|because|since)"
    r" (?=(?:the|there) (?:\w+ ){0,3}?(?:has|have|is|are|was)\b)| (?=there (?:is|are) now\b)"
    r"|, (?=(?:where|when) )|, (?=(?:with (?!or\b|no\b|regard)|plus )\w)"
    r"|, (?=(?:merely|only|just|simply|instead|normal|clear|leaving|revealing|unmasking|uncovering"
    r"|exposing|giving way|replaced by|now) )"
    r"|\b(?:absent|present|none|nil|no|yes|neg|negative|normal|seen|clear|enlarged|unchanged|stable"
    r"|removed|out|in situ)(?P<slash> / )"
    r"| (?=(?:leaving|revealing|unmasking|uncovering) )"
    r"|, (?=(?:\w+ ){1,2}without\b)"
    r"|, (?=(?:there|it|no|without|the|a|an|and the)\b)"
    r"| with (?=(?:a|an|no|none)\b)|(?<! or) (?=without\b)"
)
"""A new clause begins."""
_ORGAN = r"(?:heart|mediastinum|lungs?|pleura|bones|ribs|trachea|hila|diaphragms?|aorta)"
SOFT_BREAK = re.compile(
    r"(?:,| and) (?=(?:mild|mildly|small|moderate|large|tiny|trace|minimal|severe|left|right"
    r"|bilateral|stable|unchanged|persistent|new|interval|status|old|definite|obvious|questionable"
    r"|possible|probable|suspected|moderately|chronic|healed|early|some|known)\b)"
    rf"|, (?={_ORGAN} (?!and\b|or\b|nor\b|all\b|failure\b|\w*nodul|mass)\w)"
    r"|, (?=(?:(?!and\b|or\b|nor\b|not\b)[\w-]+ ){1,4}?(?:noted|incidental\w*|of the (?:left|right)"
    r"|remains?|persists?|has|have|is|are) )"
    r"|, (?=(?:(?!and\b|or\b|nor\b|not\b|no\b)[\w-]+ ){1,4}?(?:unch\w*|stable|as before|the same|still"
    r"|again|increas\w+|decreas\w+|improv\w+|wors\w+|bigger|larger|smaller|resolving|clearing|up|down"
    r"|in situ|in place|present|removed|out|\+)(?=\W*$|[ ,;.]))"
    r"|, (?=(?:certainly|definitely|clearly|undoubtedly|definite) )"
    r"|, (?=(?:cleared|resolved|clearing|resolving|improving|worsening|increasing|decreasing) )"
    r"|, (?=(?:perhaps|possibly|probably|maybe|likely) )"
    r"|, (?=(?:l|r|lt|rt|[rl][ulm]l|bibasal|bibasilar|bibasal|basal|basilar|apical|retrocardiac|angles?"
    r"|lines?|ett|ngt|cardiomegaly|small|sl|pos|positive(?= for)?)\b)"
)
"""A new clause begins, unless a list goes on to "or"."""
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
    r"^\W*(?:unaccompanied by|uncomplicated by|with neither|rather than|instead of|without|in the absence of|with no|free of)\b[^,;:.]*,"
    r"(?!.*\b(?:or|nor)\b)"
)
"""An opening that denies: what follows its comma is a clause of its own, if it has a verb."""
OPENED = re.compile(
    r"^\W*(?:rather than|instead of|no (?:the|that|what))\b[^,;:.]*?(?= there (?:is|are|has|have) )"
)
"""An opening that denies, without a comma."""
SUBJECT = re.compile(
    r"\s*(?:the|an?|this|these|there|it|(?:(?!and\b)[\w-]+ ){1,4}(?:is|are|was|were|shows?|has|have"
    r"|blunts?|remains?))\b"
)
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
    r"|\w, (?:is|are|was|were|has|have|remains?)\b"
)
"""A denial or doubt before it does not reach what follows it."""
GIVEN = re.compile(
    r"\b(?:(?:adjacent|next|close|secondary) to|near|above|below|surrounding|within|in|behind|beneath|over|under|around|beside|alongside|despite|given|explain\w*"
    r"|(?:explanation|cause|reason|account\w*|responsible|consideration|differential|possibilit\w+"
    r"|diagnosis|candidate)s? (?:for|of)|(?:distinguish|differentiate|separate|tell|distinguished|separated) from"
    r"|(?:infection|pneumonia|aspiration) of|(?:possib|likel|probab|conceiv|thought|suspect|think|believe"
    r"|whether|if)\w*(?: that)?|(?:improv|increas|decreas|chang|worsen|progress"
    r"|reduc|growth)\w* (?:in|of)) the"
    r" (?:(?!and\b|or\b|but\b|nor\b|no\b|not\b|is\b|are\b|was\b|were\b|that\b|which\b|there\b"
    r"|absence\b|lack\b|case\b|setting\b|event\b|context\b|possib|question|suspic|of\b|for\b"
    r"|in\b|form\b|shape\b|expected\b|differential\b|includ|an?\b|the\b|mimic|simulat|remain|may\b|suggest|reflect|represent"
    r"|has\b|have\b|lies\b)[\w-]+ ){0,4}$"
)
"""Before a finding that the text takes as there."""
JOINED = re.compile(
    r"(?:, and|,| and) (?:the|an?|his|her) [^;:]*?\b(?:have|are|were)\b (?:\w+ )*?(?:all|both|now|since"
    r"|\w*ed|gone|absent|no|not|unchanged|stable|present)\b"
)
FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|shows?|seen|appears?|remains?|no|not|without|neither|nor|may|might"
    r"|could|but|there|with|persists?|lies|overl\w+|measur\w+|contains?)\b|[;:(]"
)
"""A stretch that is more than a name in a list."""
ELIDED = re.compile(
    r"\b(?:cannot|can not|could not|(?:is|are|was|were|has|have|does|do|did|may) not)(?: be)?\W*$"
)
"""A clause that ends before its verb."""
BACK = re.compile(
    r"^\W*(?:(?:and|but|then|now|today|currently|since then|meanwhile|on this film|here"
    r"|there (?:is|are)"
    r"|on today's film|though|although|while|yet|however|equally|so)"
    r",? )*(?:it|same|one(?= (?:is|are|was|can|could|may|might|cannot|has)\b)|this|these|they|both|those|that|each|either|neither|none|all|such|the (?:former"
    r"|finding|appearance|abnormality|same)s?|which)\b"
)
"""Speaks of the finding before it."""
STATUS = re.compile(
    rf"^\W*(?:(?:but|and|yet|though) )?(?:there (?:is|are|was|were) (?:not|none)(?=\W*$)|(?:the )?answer (?:is|was) (?:no"
    rf"|negative)"
    r"|nothing (?:of (?:it|them|this)|is left|remains|more)\b|"
    r"not (?:on|in) (?:this|the present|today's|either|these|any)\b|"
    r"not (?:an?|the (?:least|slightest)|any) (?:sign|trace|hint|suggestion|evidence)\b|no (?:sign|trace|hint"
    r"|evidence|suggestion) of (?:it|this|them|these|same|that|either)\b|"
    r"(?:\w+ )?(?:evidence|signs?|features?|proof|trace)(?: of (?:same|it|this|these|that|which|such))?"
    r" (?:is|are) (?:\w+ )?(?:wanting|lacking|absent|missing|not)\b|"
    r"(?:(?:the|this|today's|present|current) )*(?:film|radiograph|x-?ray|image|study|lungs?|chest"
    r"|examination|i|we)s?(?: itself| now| today| however|,)* (?:shows?|reveals?|demonstrates?|has|have"
    r"|contains?|finds?|sees?|bears?) (?:none|neither|nothing of|no such|no (?:sign|trace|evidence) of (?:it"
    r"|this|either|any|these|them))\b|"
    r"(?:(?:the|this|today's|present|current|it|that|new) )*(?:film|radiograph|x-?ray|image|study|one)?"
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
    r"\b(?:it|one|this|these|they|some|small ones?) (?:could|may|might|can|would) (?:\w+ )?(?:be (?:\w+ly )?(?:missed|overlooked"
    r"|hidden|masked|obscured|present|there)|escape|hide|lurk|go unseen)\b"
)
"""After a denial: it is not sure."""
NOT_SAME = re.compile(
    r"\b(?:the same|that|this|so much) (?:cannot|can not|is not|does not|could not) (?:be (?:said|true)|true"
    r"|apply|the case|hold)\b.*\b(?:left|right|other|opposite|contralateral)\b"
)
"""What was said of one side is not so on the other."""
OTHER_SIDE = re.compile(
    r"\b(?:the|on the|its) (?:left|right|other)\b(?!.*\b(?:not|no|none|neither|nor)\b)"
    r".*\b(?:does|is|has|do|are|have)\W*$"
)
"""After a denial: "on the left there is"."""
STATUS_YES = re.compile(
    r"^\W*(?:(?:but |and |yet |though |it |they |while |also )*(?:persists?|lingers?|continues?"
    r"|(?:is|are|remains?) (?:still )?(?:there|present|seen|visible|evident|unchanged|on the (?:left"
    r"|right)))\b|yes|y(?=\W*$|[.,;])|present|positive|confirmed|(?:(?:but|and|yet|though|they|it) )*(?:are |is )?still "
    r"(?:there|present|seen|visible)|.*\b(?:of it|of them|some|traces?|residue|remnants?|residual|residuum|remainder|wisp|part|little|streaks?"
    r"|it) (?:still )?"
    r"(?:persists?|remains?(?! (?:clear|free|normal))|lingers?|is left|are left)"
    r"|the (?:left|right|other|rest|remainder|latter|former)(?: ones?| side)? (?:persists?"
    r"|has not|have not"
    r"|remains?(?! (?:clear|free|normal))|is still|is unchanged|is stable)|(?:it|this|they"
    r"|these) (?:is|are"
    r"|has|have|remains?|persists?|still)\b(?! (?:not|no|never|been|since|now)\b).*"
    r"(?:there|present|visible|seen|persist\w*|remains?|confirmed))"
)
STATUS_OPEN = re.compile(
    rf"^\W*(?:{OPEN}|cannot|can not|not excluded|maybe|perhaps|unclear)\b"
    r"|^\W*(?:(?:but|and|yet|though|although|it|they|one|this|these|nor|so|still|equally) )*"
    r"(?:(?:is|are|has|have|was|were) not (?:\w+ly |been |yet )*|(?:cannot|can not|could not|may not|can) (?:\w+ly )?"
    r"be (?:\w+ly )?)(?:excluded|ruled out|dismissed|discounted)\b"
)
"""A sentence or clause that is a mere answer."""

_HEAD = (
    r"(?:heart(?: size)?|cardiac (?:size|silhouette|shadow|contours?)|ctr|cardiothoracic ratio"
    r"|cardiomediastinal (?:silhouette|contours?)|mediastin(?:um|al (?:contours?|silhouette|width"
    r"|outline|shadow))|hil(?:a|um)|trachea|pleurae?|costophrenic angles|lungs?|ribs|bones)"
)
ORGAN_HEAD = re.compile(
    rf"(?:^|(?<=[.;,] )|(?<=\) ))((?:the )?{_HEAD}(?:(?:, and|,| and| &|/) ?(?:the )?{_HEAD})*)"
    r"\s*[:=\u2013] "
)
"""A heading within a line."""
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
