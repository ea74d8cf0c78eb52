"""Text in which a word for a finding does not speak of it, for the rule labeller.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

from chexone_ray.metrics.report_patterns import grouped

TRAPS = grouped(
    r"\bpericardial (?:effusions?|fluid|thickening|calcification\w*)|\bpleural lines?\b"
    r"|\b(?:joint|knee|shoulder|hip|elbow|glenohumeral|middle ear) effusions?(?: of the \w+)?"
    r"|\beffusion (?:of|in) the (?:\w+ )?(?:shoulder|knee|hip|elbow|joint)"
    r"|\b(?:soft[- ]tissues?|subcutaneous|chest[- ]wall|ankle|leg|peripheral|facial|skin|cutaneous"
    r"|periorbital|laryngeal|marrow|bone marrow|lower extremity|pedal|cerebral|pitting) (?:o?edema"
    r"|mass\w*|infection\w*|nodul\w+|lesions?|tumou?rs?|metasta\w+|congestion|fluid|swelling)"
    r"|\bo?edema (?:of|in) the (?:\w+ )?(?:soft|skin|chest wall|neck|legs?|ankles?|arms?|face"
    r"|larynx)"
    r"|\b(?:breast|mediastinal|thyroid|adrenal|abdominal|hepatic|liver|renal|splenic|neck|axillary"
    r"|pancreatic|thymic|body|muscle|cardiac|gastric|bon[ey]|osseous|rib|lytic|sclerotic"
    r"|skeletal|skin"
    r"|vertebral|spinal|oesophageal|esophageal|cutaneous|bowel|brain|ovarian|atrial|paraspinal"
    r"|intracardiac)(?: (?!and|or|nor|no)\w+)? (?:mass\w*|nodul\w+|lesions?|tumou?rs?|metasta\w+"
    r"|cancers?"
    r"|carcinomas?|neoplasms?|infections?|granulomas?|malignanc\w+)"
    r"|\b(?:mass|lump|nodule|tumou?r|lesion|cancer|carcinoma) (?:of|in) (?:the |her |his )?"
    r"(?:(?:left|right|anterior|posterior) )?(?:breast|mediastin\w+|thyroid|liver|neck|spine|bones?"
    r"|chest wall|skin|axilla|adrenal\w*|kidney|stomach|thymus)"
    r"|\b(?:mass|masses|lesions?) effect\b|\bmuscle mass\b|\bbody mass\b"
    r"|\b(?:phantom|pseudo|vanishing)[- ]?tumou?rs?|\bpseudo(?:mass|nodule|tumou?r|fracture"
    r"|pneumothorax)\b|\blymph nodes?\b"
    r"|\b(?:wound|urinary|urinary tract|skin|line|bone|joint|ear|viral|fungal)[- ]infections?"
    r"|\b(?:fractur\w+|broken|break)(?= (?:(?!and\b|or\b|with\b|but\b|near\b|by\b)\w+ ){0,4}?"
    r"(?:wires?|leads?|catheters?|tubes?|sutures?|screws?|plates?|stents?)\b)"
    r"|(?<=lead is )(?:fractured|broken)|(?<=leads are )(?:fractured|broken)"
    r"|(?<=catheter is )(?:fractured|broken)|(?<=lead has )(?:fractured|broken)"
    r"|(?<=wire )fractur\w+|(?<=wires )fractur\w+|(?<=lead )fractur\w+|(?<=catheter )fractur\w+"
    r"|(?<=hardware )fractur\w+|(?<=wire is )(?:fractured|broken)|(?<=wires are )(?:fractured"
    r"|broken)"
    r"|(?<=wire has )fractured"
    r"|\b(?:vertebra\w*|tracheal|airway|bronchial|vertebral(?: \w+)?|circulatory|nasal) "
    r"(?:collapse|congestion)|\bcollapse of (?:the )?(?:\w+ )?(?:vertebra\w*|trachea|t\d+|l\d+)"
    r"|\bcollapsed (?:vertebra\w*|trachea)"
    r"|\bcollapsed \w+ vertebra|\bnodular (?:liver|spleen|thyroid|goit\w+|contour|diaphragm)"
    r"|\b(?:formerly|previously|once|earlier) (?:wide\w*|enlarged|large|dilated)\b"
    r"|\b(?:enlarged|wide|widened|large|dilated) (?:before|previously|earlier|yesterday)\b"
    r"|\b(?:right|left) heart border|\bpericardi\w+"
    r"|\b(?:heart|cardiac) (?:monitor\w*|surgery|rhythm|arrest|rate|sounds?|disease|apex)"
    r"|\bof (?:this|that) kind\b|\bx-?ray tube\b|\btube (?:voltage|current)\b|\btube shift\b"
    r"|\bnot only\b|\btubes? of\b"
    r"|\b(?:nipples?|skin|ecg|ekg|external|oxygen) (?:shadows?|markers?|tubing)\b"
)
"""Text in which a word of `MENTIONS` does not speak of the finding, or not of the chest."""
