"""Findings of other parts of the body, which the rule labeller passes over.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

from chexone_ray.metrics.labeller.patterns import grouped

_ORGAN = (
    r"(?:colon|colonic|colorectal|rectal|rectum|prostate|prostatic|bladder|uterine|cervical"
    r"|endometrial"
    r"|testicular|laryngeal|larynx|throat|pharyngeal|tongue|parotid|pituitary|head and neck"
    r"|kidney|breast"
    r"|stomach|gastric|liver|hepatic|pancreas|pancreatic|thyroid|ovary|ovarian|brain|cerebral"
    r"|skin|bowel"
    r"|oesophagus|oesophageal|esophagus|esophageal|gallbladder|spleen|splenic|adrenal|renal"
    r"|retrosternal"
    r"|substernal|muscle|soft tissue|scalp|wound|pocket|port[- ]site|exit[- ]site|scrotal"
    r"|scrotum|genital"
    r"|facial|eyelid|dependent|limb|arm|leg|foot|ankle|macular|dental|retinal|corneal|spine|thymus"
    r"|goitre|goiter|axilla|axillary)"
)
_BONE = (
    r"(?:humer(?:us|al)|clavicles?|clavicular|scapula\w*|femur|femoral|ribs?|rib cage|sternum"
    r"|sternal|vertebra\w*"
    r"|bones?|bony|osseous|spine|spinal|skeleton|iliac|pelvi\w+|glenoid|marrow)"
)
_GROWTH = (
    r"(?:cancers?|carcinomas?|malignanc\w+|tumou?rs?|neoplasms?|mass|masses|nodul\w+|lesions?"
    r"|metasta\w+"
    r"|deposits?|granulomas?|primary|lumps?)"
)
_OFF_FILM = (
    r"(?:hips?|femoral|femur|femurs|neck of (?:the )?femur|pelvis|pelvic|skull|wrist|radius"
    r"|radial|tibia|tibial"
    r"|fibula|ankle|jaw|mandible|mandibular|nasal|nose|facial|orbital|pubic|colles|hand|foot"
    r"|finger|leg|knee)"
)
ELSEWHERE_STEMS = (
    *("mass", "nodul", "lesion", "tumo", "cancer", "carcino", "metast", "malign", "infect", "dema"),
    *("congest", "plaque", "fractur", "opaci", "planned", "awaited", "scheduled", "to be ", "lump"),
    *(
        "deposit",
        "granul",
        "primary",
        "infiltr",
        "neopl",
        "swelling",
        "lytic",
        "scleroti",
        "blasti",
    ),
)
"""A match of `ELSEWHERE` holds one of these."""
ELSEWHERE = grouped(
    rf"\b{_ORGAN} (?:(?!lung|pulm|pleural)\w+ )?(?:{_GROWTH}|infections?|o?edema|congestion"
    rf"|plaques?|opacit\w+"
    rf"|swelling)\b"
    rf"|\b{_GROWTH},? (?:(?:of|in|within|from|arising (?:from|in)|originating (?:from|in)"
    rf"|involving) )"
    rf"(?:the |his |her |an? )?(?:(?:left|right|anterior|posterior|proximal|distal|upper|lower"
    rf"|head of the"
    rf"|neck of the|\w+th) )*(?:{_ORGAN}|{_BONE}|chest wall|mediastin\w+|diaphragm)\b"
    rf"|\b{_BONE} (?:\w+ )?(?:lesions?|metasta\w+|tumou?rs?|deposits?|mass|masses|infiltrat\w+)\b"
    r"|\b(?:lytic|sclerotic|blastic|destructive) (?:\w+ )?(?:lesions?|metasta\w+|deposits?)\b"
    r"|\bmass,? (?:thyroid|thymic|breast|hepatic) in origin\b"
    rf"|\binfections? of the (?:\w+ )?(?:{_ORGAN}|pacemaker|line|wound|device|port|pocket|bone"
    rf"|joint|urinary)\b"
    r"|\b(?:congested|congestion of the|congestive) (?:liver|hepat\w+|gastro\w+|bowel|nose"
    r"|sinus\w*|spleen)\b"
    rf"|\b{_OFF_FILM} (?:\w+ )?fractur\w+\b|\bfractur\w+ (?:of |to )?(?:the |his |her )?"
    rf"(?:(?:left|right|distal|proximal) )?{_OFF_FILM}\b"
    r"|\bcontrast (?:medium |agent )?opacif\w+|\bopacif\w+ (?:of )?(?:the )?(?:stomach|bowel"
    r"|oesophagus|esophagus"
    r"|sinus\w*|\w+ sinus\w*|kidneys?|vessels|mastoid\w*)\b|\blens opacit\w+"
    r"|\b(?:pacemaker|drain|tube|line|catheter|stent|valve|picc|port|icd)s? (?:insertion "
    r"|placement |implantation"
    r" )?(?:is |are )?(?:planned|to be (?:implanted|inserted|placed|fitted|sited)|awaited"
    r"|scheduled)\b"
)
"""A finding outside lung, pleura, mediastinum and the bones on the film, or not there yet."""
