"""PadChest: one study of one or more 16-bit PNGs; findings by physicians or by a model.

`PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv[.gz]` at the root, images in
`<ImageDir>/<ImageID>`. Its reports are Spanish and stemmed, so only the labels are read.
"""

from __future__ import annotations

import ast
from collections import defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses, Row
from chexone_ray.data.sources.pending import PendingStudy, in_order
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef, Study

DATASET = "padchest"
TABLE = Table(
    ("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv",),
    (
        "ImageID",
        "ImageDir",
        "StudyDate_DICOM",
        "StudyID",
        "PatientID",
        "Projection",
        "Labels",
    ),
)
VIEWS = {"PA": "PA", "AP": "AP", "AP_horizontal": "AP", "L": "lateral"}
"""Projection -> view. COSTAL shows ribs; EXCLUDE and UNK are no chest films or unknown."""
_PATTERNS = (
    "interstitial pattern",
    "ground glass pattern",
    "reticular interstitial pattern",
    "reticulonodular interstitial pattern",
    "miliary opacities",
    "alveolar pattern",
)
FINDINGS = {
    "atelectasis": (
        "atelectasis",
        "total atelectasis",
        "lobar atelectasis",
        "segmental atelectasis",
        "laminar atelectasis",
        "round atelectasis",
        "atelectasis basal",
    ),
    "cardiomegaly": ("cardiomegaly",),
    "consolidation": ("consolidation", "air bronchogram"),
    "emphysema": ("emphysema",),
    "hernia": ("hiatal hernia",),
    "infiltration": ("infiltrates", *_PATTERNS, "consolidation", "air bronchogram"),
    "mass": (
        "mass",
        "pulmonary mass",
        "mediastinal mass",
        "pleural mass",
        "breast mass",
        "soft tissue mass",
    ),
    "nodule": ("nodule", "multiple nodules"),
    "pacemaker": ("pacemaker",),
    "pleural effusion": (
        "pleural effusion",
        "loculated pleural effusion",
        "loculated fissural effusion",
        "hydropneumothorax",
        "empyema",
        "hemothorax",
    ),
    "pleural thickening": (
        "pleural thickening",
        "apical pleural thickening",
        "calcified pleural thickening",
    ),
    "pneumonia": ("pneumonia", "atypical pneumonia"),
    "pneumothorax": ("pneumothorax", "hydropneumothorax"),
    "edema": ("pulmonary edema",),
    "pulmonary fibrosis": ("pulmonary fibrosis",),
}
"""Our name -> the labels that say that it is there, by the tree of the set's 174 labels."""
OPEN = {
    "atelectasis": ("volume loss", "hypoexpansion", "hypoexpansion basal"),
    "cardiomegaly": ("pericardial effusion",),
    "consolidation": ("alveolar pattern", "infiltrates", "increased density"),
    "emphysema": ("copd signs", "bullas", "hyperinflated lung", "air trapping"),
    "infiltration": ("increased density",),
    "nodule": ("pseudonodule", "granuloma", "calcified granuloma", "miliary opacities"),
    "pacemaker": ("electrical device", "dual chamber device", "single chamber device", "dai"),
    "pleural effusion": ("costophrenic angle blunting",),
    "pleural thickening": (
        "pleural plaques",
        "calcified pleural plaques",
        "fissure thickening",
        "minor fissure thickening",
        "major fissure thickening",
        "costophrenic angle blunting",
    ),
    "pneumonia": ("infiltrates", "consolidation", "air bronchogram", "alveolar pattern"),
    "edema": (
        "heart insufficiency",
        "hilar congestion",
        "kerley lines",
        "vascular redistribution",
        "central vascular redistribution",
        "interstitial pattern",
        "alveolar pattern",
    ),
    "pulmonary fibrosis": (
        "fibrotic band",
        "interstitial pattern",
        "reticular interstitial pattern",
        "reticulonodular interstitial pattern",
        "post radiotherapy changes",
        "asbestosis signs",
        "tuberculosis sequelae",
    ),
}
"""Our name -> the labels that leave it open: with one of them it is neither absent nor present.
The set counts a two-chamber device as no kind of pacemaker, as it may be a defibrillator."""
PARTIAL = frozenset({"unchanged", "suboptimal study"})
"""With one of these, or with none at all, a list does not name all that the film shows."""
EXCLUDED = "exclude"
NORMAL = "normal"


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies, by patient and date, and what was left out by reason.

    Labels are of the study: those of its first row that can be read. Raises ChexoneError where the
    table or a column is missing.
    """
    root = source.uri
    losses = Losses()
    films: dict[tuple[str, str], dict[str, Row[str]]] = defaultdict(dict)
    for row in tables.rows(root, TABLE):
        key = (row["PatientID"], row["StudyID"])
        if not all((*key, row["ImageID"])):
            losses.lose("row_without_id", row.place)
        elif row["Projection"] not in VIEWS:
            losses.lose("projection_not_used", row.place)
        else:
            if row["ImageID"] in films[key]:
                losses.lose("duplicate_row", row.place)
            films[key].setdefault(row["ImageID"], row)
    found = [_study(root, key, rows, losses) for key, rows in films.items()]
    return in_order(found), losses


def _study(
    root: str, key: tuple[str, str], rows: dict[str, Row[str]], losses: Losses
) -> PendingStudy:
    images = [
        ImageRef(storage.join(root, row["ImageDir"], name), VIEWS[row["Projection"]])
        for name, row in sorted(rows.items())
    ]
    labels: dict[str, int | None] = {}
    for row in rows.values():
        names = read_list(row["Labels"])
        if names is not None:
            labels = states_of(names, losses, row.place)
            break
    else:
        losses.lose("unknown_label", next(iter(rows.values())).place)
    return PendingStudy(
        Study(
            dataset=DATASET,
            patient=key[0],
            study=key[1],
            images=tuple(images),
            date=min(row["StudyDate_DICOM"] for row in rows.values()),
            labels=labels,
        )
    )


def read_list(text: str) -> list[str] | None:
    """A cell such as "['nodule', ' loc right', ]": its names, cleaned; None where it is no list.

    Read as a literal, never evaluated.
    """
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(found, list):
        return None
    return [name for item in found if (name := " ".join(str(item).lower().split()))]


def finding_of(name: str) -> str:
    """The finding that a label of the tree is a kind of, or the label itself."""
    return next((finding for finding, settling in FINDINGS.items() if name in settling), name)


def names_everything(listed: list[str]) -> bool:
    """True for a list that names all that the film shows, so that a finding that is not in it is
    absent."""
    names = set(listed)
    return bool(names) and not names & {EXCLUDED, *PARTIAL}


def states_of(listed: list[str], losses: Losses, place: str) -> dict[str, int | None]:
    """The labels of the list of names at `place`; what it does not name is absent where it names
    everything."""
    names = set(listed)
    if EXCLUDED in names:
        losses.lose("labels_excluded", place)
        return {}
    states: dict[str, int | None] = {}
    for finding, settling in FINDINGS.items():
        is_open = bool(names & set(OPEN.get(finding, ())))
        states[finding] = 1 if names & set(settling) else None if is_open else 0
    if not names_everything(listed):
        losses.lose("labels_not_all_named", place)
        return {finding: 1 for finding, state in states.items() if state}
    return states | {"no finding": int(listed == [NORMAL])}


SPEC = Spec(
    title="PadChest",
    access="agreement",
    images="<ImageDir>/<ImageID>, 16-bit PNG",
    labels="174 findings: 27 % by physicians, the others by a model from Spanish reports",
    tables=(TABLE,),
    read=studies,
    patients="padchest",
)
