"""Words of the rule labeller that make a finding uncertain.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re

from chexone_ray.metrics.labeller.patterns import alternatives as _words
from chexone_ray.metrics.labeller.patterns import grouped

_HEDGE = (
    r"(?:probably|likely|possibly|presumably|perhaps|apparently|maybe|may have|might have"
    r"|seems? to have|appears? to have)"
)
_CANNOT = (
    r"(?:cannot|can not|could not|(?:is|was|be) not|may not|not|never|hard to|difficult to"
    r"|by no means|far from"
    r"|hardly|scarcely|impossible to|not possible to|unable to|neither)(?: \w+ly| yet| able| be"
    r"| been| to| with \w+| at present| on this \w+| from this \w+"
    r"| here| confirmed nor| confirmed or| proven nor| proven or)*"
)
_EXCLUDE = (
    r"(?:exclud\w+|rul(?:e|ed|ing) out|discount\w*|dismiss\w*|eliminat\w+|disprov\w+"
    r"|refut\w+|tell(?: (?:apart|whether|if|from))?|told(?: (?:apart|from))?"
    r"|distinguish\w*|separated?|differentiat\w+|written off|disregarded)"
)
_CAUSE = r"(?:represent|reflect|indicate|suggest|relate|mean|signify|stand for|denote|signal)"
UNCERTAIN_AFTER = grouped(
    rf"\b{_HEDGE} (?:there (?:is|are) )?(?:\w+ )?(?:no|not|free of|without|cleared|resolved"
    rf"|absent|gone)\b"
    rf"|\b(?:may|might|could)(?: also| well| equally| simply| instead| \w+ly)?(?: (?!not\b)\w+)? "
    r"(?:be|represent|reflect|indicate|suggest|relate|have|mean|due|hide|mask|conceal|obscure"
    r"|simulate|mimic|harbour|harbor|escape|stem)\b(?! (?:seen|increased|decreased|made))"
    rf"|\b(?:may|might|could) {_CAUSE}\b"
    rf"|\b{_CANNOT} {_EXCLUDE}"
    r"|\b(?:cannot|can not|not|never) (?:be |entirely |quite |wholly )*(?:sure|certain|confident"
    r"|convinced"
    r"|swear)\b(?:[\w ]{0,22}?\b(?:no|not|free of|absence of)\b)?|\b(?:awaits?|needs?|requires?"
    r"|pending) confirmation\b|\bwhether\b|\b(?:possible|questionable|suspected|equivocal"
    r"|uncertain|doubtful|potential):"
    r"|\b(?:thinks?|thinking) of\b|\bpreferred\b|\bpasses for\b|\blikeliest\b|\bi (?:think"
    r"|believe|guess|suppose|presume)\b|\bwith or without\b|\bif not\b|\bnot necessarily\b"
    r"|\bunsure\b|\bunclear (?:if"
    r"|whether)"
    r"|\bwonder\w*|\bhint(?:s|ing)? at\b|\bsmacks? of\b|\barguabl[ey]\b|\bundecided\b|\btoss-?up\b"
    r"|\b(?:torn|choice|lies|choose|distinguish|decide) between\b|\bspect(?:re|er) of\b"
    r"|\bnot (?:\w+ )?(?:unlikely|improbable|impossible|inconceivable|implausible|unthinkable)\b"
    r"|\b(?:one or more of|one or other of|any of|either of)\b|\bwould be (?:consistent"
    r"|compatible|in keeping"
    r"|suggestive)\b|\bwhat (?:looks like|appears to be|seems|might be|may be)\b|\blooks like\b"
    r"|\bdoubts? (?:about|as to|whether|if|that|there|over|remains?|persists?)\b"
    r"|\b(?:nothing|none|nobody|no one|no|neither|few)(?: \w+){0,4} (?:excludes?|rules? out)\b"
    r"|\btoo [\w-]+ to (?:exclude"
    r"|rule out)\b"
    r"|\b(?:shadow|vessel|artefact|artifact|fold|nipple|overlap|summation|rib end|joint"
    r"|cartilage|button"
    r"|scar|fat) (?:or|vs|versus) (?:an? |the )?(?=\w)"
    r"|\b(?:fails?|failed) to (?:exclude|rule out)\b"
    r"|\b(?:concerning|concern|concerns|suspicious|suspicion|worrisome|worrying|question"
    r"|possibility"
    r"|likelihood|chance|risk|raises?|raising|query|consider\w*|hint|hints|suggestion|impression"
    r"|thought|believed|felt) (?:for|of|at|to be|to represent|the (?:possibility|question"
    r"|suspicion))"
    r"\b|\b(?:raises?|considered|consider)\b"
    r"|\bsuggest(?:s|ing|ive(?: of)?|ed)?\b|\bfavou?r(?:s|ing|ed|able)?\b|\bless favou?red\b"
    r"|\b(?:suspected|suspect|probable|probably|likely|presumed|presumably|presumptive|differential"
    r"|diagnosis lies|either(?! (?:\w+ )?(?:lung|side|base|apex|zone|lobe|hemithorax|pleura|angle"
    r"|costo|cp|field|region|hilum)\w*\b)|conceivabl[ey]|unlikely|improbable|indeterminate for"
    r"|doubtful for)\b"
    r"|\b(?:possible|potential|likely|conceivable|probable) (?:causes?|explanations?|reasons?"
    r"|diagnos\w+|origins?"
    r"|sources?|culprits?)(?: (?:of|for) [\w -]{1,50}?)? (?:is|are|includes?|would be|being"
    r"|comprise)\b"
    r"|\bamong the (?:\w+ )?(?:possibilities|causes|explanations|diagnoses|candidates"
    r"|considerations)\b"
    r"[^.;,]*? (?:is|are)\b|\b(?:more|less) (?:probable|likely|plausible) than\b|\blikelier than\b"
    r"|\bpoints? (?:to|towards)\b|\bspeaks? (?:for|in favou?r of)\b|\bargues? for\b"
    r"|\bwould (?:\w+ )?support\b"
    r"|\bversus\b|\bvs\.?\s|\band/or\b|\bquery\b(?! (?:was|is|from|about))"
    r"|\bnot (?:\w+ly )?favou?red\b"
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
OPEN = (
    r"(?:possible|possibly|suspected|questioned|questionable|uncertain|equivocal|likely|probable"
    r"|a possibility|borderline|conceivable|indeterminate|presumed|unclear|unproven|doubtful"
    r"|unlikely"
    r"|improbable|considered|unsettled|undetermined|debatable|raised|entertained|not clear"
    r"|a consideration|a concern|in question|open to question|an open question|favou?red"
    r"|preferred|suggested"
    r"|conjectural|speculative|speculation|tentative|hypothetical|guesswork|a guess|not settled"
    r"|not proven"
    r"|yet to be (?:proven|confirmed|settled|proved)|to be (?:confirmed|proven|settled)"
    r"|unconfirmed|unsettled"
    r"|anybody's guess|contestable|ambiguous|inconclusive|under suspicion|postulated|feared"
    r"|thought likely|(?:with)?in the differential|on the cards|not certain|query|queried"
    r"|not favou?red"
    r"|(?:the|an?|my|our|still an?|also an?) (?:\w+ ){0,2}?(?:consideration|possibility|concern"
    r"|suspicion"
    r"|candidate|contender|worry|alternative|hypothesis|differential diagnosis|question mark)"
    r"|not (?:entirely |\w+ )?(?:favou?red|likely|probable)|a possibility|possible explanations?)"
)
_NO_NOUN = (
    r"(?!(?:(?<=likely)|(?<=possibly)|(?<=presumed)) (?!(?:on|in|at|but|and|given|though|here"
    r"|with|because|as|present"
    r"|there|for|if|since|when|from the|behind|within|to have)\b)\w)"
)
"""After "is likely": a noun, so that the doubt is of the nature."""
UNCERTAIN_BEFORE = grouped(
    rf"\b{_CANNOT} {_EXCLUDE}"
    rf"|\b(?:none|neither|nothing)(?: of (?:them|these|which))? (?:can|could"
    rf"|may) (?:\w+ )?be {_EXCLUDE}"
    r"|\b(?:cannot|can not|could not) be (?:\w+ly )?(?:assessed|judged|evaluated|determined"
    r"|ascertained|settled|established|proven|answered|decided)"
    rf"|\b(?:is|are|was|were|remains?|stays?|seems?|appears?|be|been)(?: \w+ly| only| more| less"
    rf"| all| both| each| most"
    rf"| also| still| thus)* {OPEN}\b{_NO_NOUN}"
    rf"|\bnot (?:\w+ )?(?:unlikely|improbable|impossible|inconceivable|implausible|unthinkable)\b"
    r"|\b(?:may|might|could)(?: well| also| still| yet| easily| \w+ly)* (?:be (?:\w+ly |also "
    r"|well )?"
    r"(?:present|there|hidden|missed|overlooked|seen|developing|forming|starting|lurking|masked"
    r"|obscured|occult|invisible|inapparent|undetected|unseen|inconspicuous|silent|responsible"
    r"|at play|concealed|concerned|the cause|to blame|a factor|early)"
    r"|exist|escape\w*|hide|lie|lurk|coexist|co-exist|contribute|be hiding|explain|account for"
    r"|cause"
    r"|give|produce|underlie|go unseen|go undetected|have (?:developed|formed|escaped"
    r"|been (?:missed"
    r"|overlooked)))\b"
    rf"|\b{_HEDGE} (?:\w+ )?(?:absent|resolved|cleared|gone|removed|normal)\b"
    rf"|[:;,=-]\s*(?:{OPEN}|cannot (?:tell|say|exclude|be\b)|can not (?:tell|say|exclude)|cannot be"
    r"|maybe|perhaps|\?|not excluded|not (?:\w+ly )?(?:ruled out)|poss)(?=\W*$|\s*[.,;)])"
    rf"|\((?:{OPEN})\)"
    r"|\((?:\s*\?|\s*\+\s*/\s*-|\s*possible|\s*probable|\s*equivocal|\s*uncertain)\s*\)"
    r"|\bwould (?:\w+ )?(?:fit|explain|account for|cause|produce|give|be in keeping"
    r"|be consistent)\b"
    r"|\b(?:probably|possibly|presumably|perhaps|maybe|conceivably)(?=\W*$)"
    r"|\b(?:suspected|questioned|queried) (?=(?:in|at|on|over|behind|along|near|within)\b)"
    r"|\bor (?:an? |the )?(?:\w+ )?(?:nipples?|vessels?|crowding|artefacts?|artifacts?"
    r"|skin ?folds?|shadow|rib end"
    r"|overlap"
    r"|summation|cartilage|button|scar|scarring|fat|inflammatory|inflammation|neoplastic"
    r"|malignan\w+"
    r"|aspiration|ha?emorrhage|contusion|infarct\w*|fibrosis|fibrotic|blood|drug|lymphangitis"
    r"|mucus|old change)\b"
    r"|\b(?:thought|considered|judged|felt|deemed|seems?|is|are|appears?) (?:the )?(?:more|less"
    r"|most|least|as)"
    r" (?:probable|likely|plausible|convincing)\b(?! (?:due|to (?:be|represent|reflect)|from"
    r"|because|an?\b"
    r"|atel|pneumon|edema|infect|scar|cons|effus|fibro|chronic|acute|art[ei]f))|\b(?:is|are"
    r"|seems?) (?:the )?likelie(?:r|st)\b"
    r"|\b(?:first|second|next|main|best|other|only) (?:thought|choice|guess|bet|idea|alternative)\b"
    r"|\b(?:is|are) (?:the|an|one) (?:other )?alternative\b"
    r"|\b(?:more|less) (?:probable|likely|plausible|favou?red) than\b"
    r"|\bas (?:the|an?|my) (?:\w+ )?(?:probable|likely|possible|presumed|working|provisional"
    r"|tentative"
    r"|presumptive) (?:diagnosis|cause|explanation|reading|culprit)\b"
    r"|\bqueried\b(?=\W*$)|,? (?:though|although|but) (?:\w+ )?(?:not|un)(?: \w+ly)? ?(?:certain"
    r"|sure"
    r"|proven|definite)\b"
    r"|\b(?:would|may|might|could) be (?:\w+ )?(?:hard|difficult|impossible) to (?:see|detect"
    r"|recogni[sz]e"
    r"|find|spot|make out|identify)\b"
    r"|\b(?:must|should|ought to|needs? to|has to|have to"
    r"|deserves? to) (?:\w+ )?be (?:\w+ly )?(?:borne in mind"
    r"|kept in mind|considered|entertained|thought of|suspected|queried|remembered|kept in view)\b"
    r"|\bwould (?:\w+ )?be (?:\w+ly )?(?:missed|overlooked|hidden|masked|obscured|invisible"
    r"|undetected|lost)\b"
    r"|\bcan (?:\w+ly )?be (?:missed|overlooked|hidden|masked|obscured)\b"
    r"|\bnot (?:\w+ )?(?:out of the question|beyond (?:the )?(?:possibility|possible|doubt))\b"
    r"|\b(?:with)?in the (?:realm|range|bounds) of (?:the )?possib\w+"
    r"|\bcomes? (?:in)?to (?:question|mind"
    r"|consideration)\b|\bor,? (?:(?:most|more|quite) )?(?:probably|likely|possibly"
    r"|perhaps),? (?:both|the two)\b"
    r"|\bor (?:an? (?:mixture|combination|mix) of )?(?:both|the two)\b"
    r"|\bi (?:think|believe|guess|suppose|presume)\b(?=\W*$)|\bpreferred (?:to|over)\b"
    r"|\bnot (?:an? |the )?(?:very |most |particularly )?(?:likely|probable|plausible)\b"
    r"|,? if not\b|\bif (?:any|present|real|there|at all)\b|\b(?:thought|believed|felt|assumed"
    r"|guessed)"
    r"(?: to be)? (?:present|there|likely|possible)\b|\bhinted at\b|\bsuspect\b(?=\W*$)"
    r"|\bas the (?:prime|main|likely|likeliest|leading|first|top|best|chief) (?:suspect|candidate"
    r"|suspicion|consideration|differential|diagnosis|guess|explanation)\b|\bin doubt\b|\bmoot\b"
    r"|\b(?:may|might) not be (?:real|true|genuine)\b|\b(?:probably|possibly|perhaps|likely"
    r"|maybe) (?:real|genuine|true)\b"
    r"|\b(?:seems?|appears?)(?: to be| to have been)? (?:excluded|ruled out)\b"
    r"|\b(?:all but|practically|virtually|nearly|almost|probably|largely"
    r"|as good as)(?: been)? (?:excluded|ruled out)\b"
    r"|\b(?:leads?|tops?|heads?|ranks?) (?:\w+ )?(?:in |on )?the (?:differential|list)\b"
    r"|\b(?:is|remains?) (?:an? )?(?:open(?! again)|guess|matter of \w+|moot)\b|\barguable\b"
    r"|\b(?:suspected|questioned|favou?red|possible|likely|probable|equivocal|unproven|questionable"
    r"|not excluded|uncertain|unlikely|indeterminate)(?=\s*[.;]?$)"
    r"|\bfavou?red (?:over|above|to)\b|\bversus\b|\bvs\.?\s|\band/or\b|\bas likely as\b"
    r"|\b(?:more|less) (?:likely )?than\b(?= (?:an? )?(?:\w+ )?(?:infection|pneumon|atelect|edema"
    r"|oedema|mass|consolid|effusion))"
)
"""Makes what stands before it uncertain."""
NATURE_STEMS = (
    *("certain", "clear", "indeterm", "know", "equivoc", "determin", "assess", "told", "judge"),
    *("debat", "doubt", "possib", "perhaps", "probab", "likely", "maybe", "might", "may be"),
    *("could be", "question", "presum", "whether", " if "),
)
"""A match of `OF_NATURE` holds one of these."""
OF_NATURE = grouped(
    r"\bage[- ](?:indeterminate|uncertain|unknown)\b|\bindeterminate[- ]age\b|"
    r"\b(?:perhaps|possibly|probably|maybe|presumably|likely) the (?:[\w-]+ ){1,5}?(?:has|have"
    r"|is|are) "
    r"(?:\w+ly |been |a little |somewhat |now )*(?:diminish|increas|decreas|chang|improv|wors"
    r"|larger|smaller"
    r"|less|more|grown|shrunk|progress|regress|better|bigger)\w*|"
    r"\b(?:cause|nature|size|origin|age|significance|extent|a?etiology|source|type|amount|volume"
    r"|number|chronicity|acuity|position)(?: (?:of|for) [\w -]+?)?(?: (?:is|are|remains?|was"
    r"|cannot be|can not be))?"
    r"(?: \w+ly)? (?:uncertain|unclear|indeterminate|unknown|not clear|equivocal|undetermined"
    r"|assessed"
    r"|determined|told|judged|debatable|doubtful)\b"
    r"|\b(?:(?:cannot|can not|unable to|hard to|impossible to|difficult to|not possible to|not"
    r"|un\w+)"
    r" (?:\w+ly )?(?:tell|say|know|judge|determine|be determined|clear|certain"
    r"|decide))?(?: \w+)? ?(?:whether|if)"
    r" (?:the|this|these|that) (?:[\w-]+ ){1,5}?(?:is|are|has|have) (?:\w+ly )?(?:new|recent|old"
    r"|acute|chronic"
    r"|larger|smaller|progress\w+|increas\w+|chang\w+|active|healed|benign|malignant|infective"
    r"|long-?standing|fresh|ancient|stable)\b"
    r"|\bof (?:\w+ )?(?:uncertain|unclear|indeterminate|unknown|questionable|equivocal|doubtful) "
    r"(?:\w+ )?(?:cause|nature|size|origin|age|significance|extent|a?etiology|source|type|acuity"
    r"|chronicity)\b"
    r"|\b(?:possibly|perhaps|probably|likely|maybe|might be|may be|could be)(?: a (?:little|bit"
    r"|touch|shade|trifle)|(?: (?!an?\b)\w+)?) (?:larger"
    r"|smaller|bigger|denser|fewer|older|wider|increased|decreased|loculated|old|chronic|acute"
    r"|healed"
    r"|calcified|benign|malignant|unchanged|worse|improved|partly|more|less|new"
    r"|slightly(?= \w+er\b))\b"
    r"|\b(?:indeterminate|uncertain|questionable) (?=(?:\w+ )?(?:nodule|mass|lesion"
    r"|opacit)\w* (?:of|in"
    r"|at|measur))"
)
"""Doubt about size, cause or nature: the finding is there."""
OR_LINK = re.compile(r"^[\s,]*(?:(?:and/)?or|and/or|/)\s+(?:an? |the |some |\w+ ){0,2}$")
"""Between two findings of which one is there."""
PROJECTED = re.compile(
    r"\b(?:due to|from|owing to|because of|on account of|accounted for by|explained by"
    r"|exaggerated by"
    r"|accentuated by|magnified by|artefact of|artifact of|effect of|reflects?|an effect of|by"
    r"|result of"
    r"|attributable to|attributed to|put down to|related to) (?:the |a |an )?(?:\w+ )?(?:\w+ )?"
    r"(?:projection|rotation|rotated|technique|positioning|ap|supine|magnification|inspiration"
    r"|low lung volumes?|shallow|portable|breath)"
    r"|\?\s*(?:due to |from )?(?:rotat|project|techni|position|supine|magnif|ap\b)"
    r"|\b(?:patient|film|chest|he|she) (?:is|was|being) (?:\w+ly )?(?:rotated|supine|lordotic)\b"
    r"|\b(?:may|might) not be (?:real|true|genuine)\b"
    r"|\b(?:projectional|positional|rotational|artefactual|artifactual|spurious|factitious)\b"
)
"""Enlargement that the film may have made."""
PASSIVE = re.compile(
    r"^(?!neither).*\b(?:is|was|be|been|not|never)\b.* ?(?:excluded|ruled out|discounted|dismissed"
    r"|eliminated|disproved|disproven|refuted|written off|disregarded)$"
)
"""Acts on the finding before it: "cannot be excluded"."""
ACTIVE = re.compile(r"(?:exclude|rule out|dismiss|discount|eliminate|disprove|refute)$")
OBJECT = re.compile(
    r"\s+(?!(?:on|in|at|from|with|by|here|without|but|and|due|because|given|for|as|though"
    r"|although|at|\w+ly|altogether|outright)\b)[a-z]"
)
"""After `ACTIVE`: doubt is of what follows alone."""
EXCLUDED = re.compile(
    r"\b(?:exclud\w+|rul(?:e|ed|ing) out|discounted|dismissed|ruled in|disproved)\b"
)
"""What "pneumonia cannot" takes over."""
NOT_EXCLUDED = re.compile(
    rf"\b{_CANNOT} {_EXCLUDE}"
    r"|\b(?:i (?:think|believe|guess|suppose|presume)|probably|presumably"
    r"|in all likelihood)(?=\W*$)"
)
"""Doubt that a "no" before the finding does not undo."""
DOUBTED_STEMS = (
    *("exclu", "rul", "discount", "dismiss", "elimin", "prov", "refut", "tell", "told", "disting"),
    *("separat", "different", "writt", "disreg", "absence", "confirm", "affirm", "establish"),
)
"""A match of `DOUBTED` holds one of these."""
DOUBTED = re.compile(
    r"\b(?:exclusion of|excluding|ruling out)\b.{0,160}\b(?:not (?:\w+ )?possible|impossible|unsafe"
    r"|unreliable|difficult|needs?"
    r"|requires?)\b"
    rf"|\b(?:neither|nor|none|no|not one|not all|not every|few|hardly any)\b.{{0,160}}\b(?:can"
    rf"|could|may"
    rf"|(?:is|are) to"
    rf"|should)(?: (?!not\b)[\w-]+){{0,5}}? be "
    rf"(?:\w+ly )?{_EXCLUDE}|\b(?:neither|none of)\b.{{0,160}}\b(?:is|are|was|were|has been"
    rf"|have been)"
    rf" (?:\w+ly )?{_EXCLUDE}"
    rf"|\b(?:absence|lack|failure)\b.{{0,160}}\b(?:does|do|did|can|will"
    rf"|would) not (?:\w+ )?{_EXCLUDE}"
    r"(?=\W*$| (?:it|this|that|them|one)\b)"
    r"|\b(?:no|neither|nor)\b.{0,160}\bcan be (?:\w+ly )?(?:ruled in|confirmed|proved|proven"
    r"|affirmed"
    r"|established)"
    r" n?or\b"
    r"|\babsence of\b.{0,160}\b(?:cannot|can not|not) be (?:\w+ly )?(?:guaranteed|affirmed|assured"
    r"|confirmed"
    r"|proven|vouched|certified|taken for granted|assumed|claimed|stated|inferred|concluded"
    r"|relied on)\b"
    r"|\babsence of\b.{0,160}\b(?:is|seems|remains) (?:\w+ )?(?:not certain|uncertain|doubtful"
    r"|unproven|open)\b"
)
"""Makes a whole clause uncertain."""
