"""Words of the rule labeller for broken bones.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

from chexone_ray.metrics.labeller.patterns import Row, alternatives

_IS = r"(?:is|are|appears?|remains?|looks?|has|have|been|was|were|seems?|being)"
_BONE = (
    r"(?:ribs?|collar-?\s?bones?|breast-?\s?bone|shoulder blades?|spine|spinous process\w*"
    r"|clavicles?|bones?|sternum|humerus|scapula|verteb\w+)"
)

FRACTURE = Row(
    "fracture",
    "",
    (
        *(
            "fract",
            "broken",
            "break",
            "fx",
            "crack",
            "cortical",
            "bony",
            "flail",
            "wedg",
            "callus",
        ),
        *(
            "cortex",
            "step",
            "compress",
            "height",
            "crush",
            "snapped",
            "union",
            "unite",
            "buckl",
        ),
        *("healed", "healing", "disrupt", "discontin", "fissured", "deform", "fragment"),
    ),
    alternatives(
        r"(?:micro)?fractur\w+",
        r"fxs?",
        rf"(?:broken|cracked) (?:\w+ )?{_BONE}",
        rf"(?:breaks?|cracks?) (?:\w+ )?(?:of|in|through|across) (?:\w+ ){{0,5}}?{_BONE}",
        rf"{_BONE} +(?:(?:that|which) +)?(?:{_IS} +)+(?:not )?(?:\w+ly )?(?P<at>broken"
        rf"|cracked)",
        r"(?:(?<=without )|(?<=free of )|(?<=free from )|(?<=no ))(?:bony "
        r"|cortical )?(?:breaks?|cracks?)"
        r"(?= in (?:the )?(?:\w+ )?(?:rib|bon)|\W*$)",
        r"broken bones?|flail (?:segment|chest)|wedge (?:compression|deformity)|callus",
        r"(?:cortical|bony) (?:break|breach|discontinuity|step(?:-?off)?|disruption|buckling"
        r"|injury)",
        rf"(?:steps?(?:-?offs?)?|breach|discontinuity|disruption|irregularity) (?:of|in|at"
        rf"|along)"
        rf" (?:the )?(?:\w+ ){{0,3}}?(?:{_BONE}|cortex)",
        r"(?:displaced|rib|bone|bony|cortical) (?:\w+ )?fragments?|compression (?:deformit(?:y"
        r"|ies)|injur(?:y|ies))",
        r"(?:vertebral|spinal) compression|hairline (?:cracks?|breaks?)",
        r"(?:vertebral (?:body )?)?height loss"
        r"|loss of (?:\w+ )?(?:vertebral (?:body )?)?height",
        rf"(?:healed|healing|united|malunited|un-?united|disrupted|fissured|snapped|buckled"
        rf"|crushed"
        rf"|compressed|wedged|biconcave) (?:(?:left|right|\w+th|second|third|upper"
        rf"|lower) )?{_BONE}",
        rf"{_BONE} (?:{_IS} )+(?:not )?(?:\w+ly )?(?P<un>snapped|buckled|crushed|disrupted"
        rf"|wedged)",
        rf"(?:non-?union|mal-?union|wedging|buckling"
        rf"|crushing) of (?:the )?(?:\w+ ){{0,3}}?{_BONE}",
        rf"{_BONE} (?:break|buckling|wedging|non-?union)",
        r"(?:post-?traumatic|healed) (?:\w+ )?deformit(?:y|ies)",
    ),
)
"""A row as in `report_words.MENTIONS`."""
