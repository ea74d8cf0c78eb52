"""Words of the rule labeller for broken bones.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

import re

from chexone_ray.metrics.labeller.patterns import Row, alternatives

_IS = r"(?:is|are|appears?|remains?|looks?|has|have|been|was|were|seems?|being)"
_BONE = (
    r"(?:ribs?|collar-?\s?bones?|breast-?\s?bone|shoulder blades?|spine|spinous process\w*"
    r"|clavicles?|bones?|sternum|humerus|scapula|verteb\w+|[tl]\d{1,2}\b)"
)

_DEVICE = re.compile(
    r"\b(?:wires?|leads?|catheters?|tubes?|sutures?|screws?|plates?|stents?|lines?|drains?|hardware"
    r"|rods?|electrodes?|cerclage|port|piccs?|clips?|staples?)"
    r"(?: (?:of|for|from|in) (?:the |an? |his |her )?(?:\w+ ){1,3}?| )"
    r"(?:(?:(?:is|are|has|have|was|were|appears?|looks?|seems?|remains?|one|be) )"
    r"(?:\w+ly |been |again |also |now |not |no longer |to be |to have )*)?$"
)


def of_device(text: str, start: int) -> bool:
    """Is what is broken at `start` a wire or a line: "the lead of the pacemaker is fractured"?"""
    return _DEVICE.search(text, max(0, start - 80), start) is not None


FRACTURE = Row(
    "fracture",
    "",
    (
        *(
            "fract",
            "broke",
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
        rf"(?:broken?|cracked|snapped) (?:\w+ ){{0,3}}?{_BONE}",
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
        r"(?:vertebral|spinal) compression|compression of (?:the )?(?:\w+ ){0,4}?(?:verteb\w+"
        r"|spine|[tl]\d{1,2})\b|hairline (?:cracks?|breaks?)",
        r"(?:vertebral (?:body )?)?height loss"
        r"|loss of (?:\w+ )?(?:vertebral (?:body )?)?height",
        rf"(?:healed|healing|united|malunited|un-?united|disrupted|fissured|snapped|buckled"
        rf"|crushed"
        rf"|compressed|wedged|biconcave) (?:(?:left|right|\w+th|second|third|upper"
        rf"|lower) )?{_BONE}",
        rf"{_BONE} (?:{_IS} )+(?:not )?(?:\w+ly )?(?P<un>snapped|buckled|crushed|disrupted"
        rf"|wedged)",
        rf"(?:non-?union|mal-?union|wedging|buckling"
        rf"|crushing|cracking|breaking) of (?:the )?(?:\w+ ){{0,3}}?(?:{_BONE}|cortex)",
        rf"{_BONE} (?:break|buckling|wedging|non-?union)",
        r"(?:post-?traumatic|healed) (?:\w+ )?deformit(?:y|ies)",
    ),
)
"""A row as in `words.MENTIONS`."""
