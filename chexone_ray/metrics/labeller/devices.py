"""Support devices of the rule labeller: how reports in English name them.

Our own, written from general knowledge of report language. All patterns match lower-case text.
"""

from __future__ import annotations

from chexone_ray.metrics.labeller.patterns import Row, alternatives

DEVICES: tuple[Row, ...] = (
    Row(
        "support devices",
        "pacemaker",
        ("pac", "defib", "icd", "generator", "device", "crt", "ppm"),
        alternatives(
            r"pacemakers?",
            r"pacers?",
            r"pacing (?:device|system|leads?|wires?|electrodes?)",
            r"(?:cardiac )?(?:cardioverter[- ])?defibrillators?",
            r"a?icds?|crt-?[dp]?",
            r"pulse generator",
            r"cardiac device",
            r"ppm",
        ),
    ),
    Row(
        "support devices",
        "chest tube",
        ("chest", "drain", "thoracostomy", "pigtail", "intercostal", "icc"),
        alternatives(
            r"(?:chest|thoracostomy|pleural|intercostal|thoracic|mediastinal) "
            r"(?:tubes?|drain(?:s|age tubes?)?)",
            r"tube thoracostomy",
            r"pigtail\w*(?: (?:drains?|catheters?))?",
            r"drains?(?! (?:into|to))|u?icc",
        ),
    ),
    Row(
        "support devices",
        "tube",
        (
            "tube",
            "ett",
            "ngt",
            "ogt",
            "cannula",
            "trach",
            "intubat",
            "dobhoff",
            "nett",
            " ng ",
            " og ",
            " et ",
        ),
        alternatives(
            r"(?:(?:endotracheal|tracheostomy|nasogastric|orogastric|enteric|feeding|dobhoff"
            r"|et|ng|og|gastric|drainage|gastrostomy|nasojejunal|tracheal|sump) )?tubes?",
            r"ett",
            r"ngt",
            r"ogt",
            r"dobhoff",
            r"tracheostomy(?: cannula)?|trach",
            r"(?:tracheal )?cannulae?s?",
            r"(?:interval|recent|after|post|following|since|new|\w*bronchial|main-?\s?stem|right"
            r"|left"
            r"|\w*tracheal|oesophageal|esophageal|selective|low|deep|high) intubation",
            r"(?<!was )(?<!not )intubated|(?:ng|et|og)(?= (?:in|tip|ends|at) )",
        ),
    ),
    Row(
        "support devices",
        "line",
        (
            "line",
            "picc",
            "cathet",
            "port",
            "swan",
            "cvc",
            "cvl",
            "hickman",
            "permcath",
            "sheath",
            "venous access",
            "guide",
            "vascath",
            "introducer",
            "mediport",
            "broviac",
            "tlc",
            "ij",
            " sc ",
            "subcl",
        ),
        alternatives(
            r"(?:(?:central|venous|jugular|subclavian|arterial|dialysis|picc|iv|ij|midline|hickman"
            r"|femoral|pa|monitoring|support) )+lines?",
            r"piccs?",
            r"lines and tubes|(?<=there is a )line|(?<=no )lines?(?! of)|lines?(?=\s*:)",
            r"(?:(?!(?:no|not|without|nor|or|and|any|neither|with|possible)\b)\w+ )?catheters?",
            r"guide-?wires?",
            r"(?<!ap )(?<!pa )ports?(?! (?:film|x-?ray|cxr|chest|ap\b|site|of\b|wine))",
            r"port-?\s?a-?\s?cath|(?:[rl]|lt|rt) port",
            r"portacath",
            r"mediport",
            r"(?:chest|infusion|venous|implanted|implantable) ports?",
            r"swan-ganz",
            r"cv[cl]s?",
            r"lines?(?= (?:tips?|ends?|terminat\w+|in place|in situ|in (?:good|satisfactory)"
            r"|remains?"
            r"|has been|was|stays?|reach\w*|does not reach|went|removed|out|unchanged)\b)",
            r"(?<=the )line(?! (?:of|over|at|along|parallel|is a|seen (?!yesterday|previously"
            r"|earlier|before|on)|in the|between)\b)",
            r"lines?(?= (?:in|via|from|through|into) (?:the |an? )?(?:(?:left|right|upper"
            r"|internal|lower) )*"
            r"(?:subclav|jugular|svc|ij\b|femoral|brachio|vena|caval|superior vena|atri|neck))",
            r"(?<=post )line|(?<=after )line|(?<=tip of )lines?|tlc|[rl]?ij(?= (?:in|at|to|tip"
            r"|line|c))"
            r"|(?:[rl]|right|left|rt|lt) (?:ij|scv?|subclavian|femoral)(?=,| (?:in|at|to|tip"
            r"|ends|line))"
            r"|vasc?ath|groshong|tunn?elled line",
            r"hickman",
            r"broviac",
            r"perm-?cath",
            r"vas-?cath",
            r"central venous access",
            r"(?:introducer )?sheaths?",
            r"(?<!pleural )(?<!kerley )(?<!kerley a )(?<!kerley b )(?<!septal )(?<!fracture )"
            r"(?<!paraspinal )(?<!junction )(?<!stripe )(?<!fissure )(?<!interstitial )"
            r"(?<!linear )(?<!b )lines(?! of\b)",
        ),
    ),
    Row(
        "support devices",
        "device",
        (
            "device",
            "wire",
            "hardware",
            "valve",
            "stent",
            "pump",
            "iabp",
            "lvad",
            "ecmo",
            "tav",
            "annulo",
            "occlud",
            "temporary",
            "epicard",
            "retained",
            "pacing",
            "vad",
            "implant",
            "impella",
            "electrode",
            "recorder",
            "stimulator",
            "lead",
            "sternotomy",
            "cerclage",
            "apparatus",
            "prosthe",
            "shunt",
            "staple",
            "clip",
            "plate",
            "watchman",
            " rod",
            "sutur",
            "screw",
            "fixation",
            "osteosyn",
            "graft",
            "probe",
        ),
        alternatives(
            r"(?:life[- ])?support (?:and monitoring )?(?:devices?|apparatus)",
            r"(?:medical|monitoring|assist|implanted|implantable|indwelling|ventricular|foreign) "
            r"(?:\w+ )?devices?",
            r"(?:(?:sternal|sternotomy|cerclage|pacing|median) )+wires?",
            r"(?<!guide )(?<!guide-)wires",
            r"hardware",
            r"(?:sternal|sternotomy) sutures?",
            r"devices?",
            r"(?:prosthetic|mechanical|artificial|replaced|bioprosthetic|metallic) "
            r"(?:(?:heart|cardiac|aortic|mitral|tricuspid) )?valves?",
            r"(?:(?:aortic|mitral|tricuspid|heart) )?valve (?:replacements?|prosthes[ie]s|ring"
            r"|repair)",
            r"(?:valvular|valve|cardiac) prosthes[ie]s|valve(?= (?:in situ|in place|in position"
            r"|is seated))",
            r"stents?",
            r"annuloplasty rings?",
            r"(?:septal |vascular )?occluders?",
            r"(?:temporary |epicardial |retained )+(?:pacing )?wires?",
            r"(?:ventricular )?assist pump",
            r"(?:biological|tissue|porcine) valves?",
            r"pacing box",
            r"vads?",
            r"implants?(?! (?:of|into))",
            r"(?:vp|ventriculo-?peritoneal) shunt",
            r"(?:intra-?aortic )?(?:balloon )?pumps?",
            r"iabp",
            r"lvad",
            r"(?:tavr|tavi)|(?:skin |surgical )staples|mitra-?\s?clip|mitral clip|valve rings?"
            r"|(?:rib|spinal|fixation|metal|clavicular) plates?"
            r"|watchman|(?:spinal|harrington) rods?",
            r"ecmo",
            r"impella",
            r"electrodes?",
            r"(?:loop|event) recorder",
            r"(?:nerve |vagal |vagus )?stimulator",
            r"(?:cardiac |ecg |ekg |pacer )?leads",
            r"(?:ventricular|atrial|rv|ra|lv|shock|epicardial|coronary sinus|transvenous"
            r"|pacer) lead",
            r"(?:metal(?:lic)?|bone|pedicle|orthopa?edic|spinal|fixation) (?:screws?|implants?)"
            r"|(?:screws? and plates?|plates? and screws?)|internal fixation"
            r"|osteosynthe\w+(?: plates?)?"
            r"|endo-?grafts?|bioprosthes[ie]s|(?:oesophageal|esophageal|temperature) probe",
            r"(?:an?|the|one|pacing|pacemaker) lead(?! (?:to|in|time)\b)",
            r"(?:pacemaker |pacer |icd |pacing )?lead(?= (?:tips?|fragment|ends?|projects?"
            r"|fractures?)\b)",
        ),
    ),
)
"""Rows as in `words.MENTIONS`."""
