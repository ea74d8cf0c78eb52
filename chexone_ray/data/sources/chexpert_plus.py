"""CheXpert Plus: CheXpert's training studies with de-identified report sections.

`df_chexpert_plus_240401.csv` at the root; optionally `chexbert_labels/report_fixed.json` (JSON
lines, whatever its name says). Images under `PNG/` or the root itself: the table says `.jpg` even
where the release is `.png`, which `prepare` finds by itself.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from pathlib import PurePosixPath

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import film_view
from chexone_ray.data.sources.chexpert import PATIENTS
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy, in_order
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.splits import is_split_name
from chexone_ray.metrics.labeller import LABELS
from chexone_ray.records import ImageRef, Study

DATASET = "chexpert_plus"
TABLE = Table(
    ("df_chexpert_plus_240401.csv",),
    (
        "path_to_image",
        "frontal_lateral",
        "ap_pa",
        "deid_patient_id",
        "patient_report_date_order",
        "section_findings",
        "section_impression",
    ),
)
LABEL_FILE = Table(("chexbert_labels/report_fixed.json",), (), True)
_IMAGE_FOLDERS = ("PNG", "")
_STATES: dict[object, int] = {1: 1, 0: 0, -1: -1}
Key = tuple[str, str]


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies, by patient and order of their reports, and what was left out by reason.

    Raises ChexoneError where the table or a column is missing.
    """
    root = source.uri
    losses = Losses()
    films: dict[Key, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in tables.rows(root, TABLE):
        path = row["path_to_image"]
        if len(PurePosixPath(path).parts) < 3 or not row["deid_patient_id"]:
            losses.lose("row_without_id", row.place)
            continue
        key = (row["deid_patient_id"], PurePosixPath(path).parts[-2])
        if path in films[key]:
            losses.lose("duplicate_row", row.place)
        films[key].setdefault(path, row)
    names = {name for rows in films.values() for name in rows}
    labels = _labels(root, names, losses)
    folder = _image_folder(root, next(iter(films.values()), {}))
    found = [_study(folder, key, rows, labels, archive_splits) for key, rows in films.items()]
    return in_order(found), losses


def _image_folder(root: str, rows: dict[str, dict[str, str]]) -> str:
    """Where the images are, by the first of them, under whatever suffix."""
    folders = [storage.join(root, folder) for folder in _IMAGE_FOLDERS]
    stems = ((storage.join(f, path).rpartition(".")[0], f) for f in folders for path in rows)
    places = ((stem + suffix, f) for stem, f in stems for suffix in (".png", ".jpg", ".dcm"))
    return tables.first_there(places, root)


def _study(
    folder: str,
    key: Key,
    rows: dict[str, dict[str, str]],
    labels: dict[str, dict[str, int | None]],
    archive_splits: bool,
) -> PendingStudy:
    names = sorted(rows)
    first = rows[names[0]]
    split = first.get("split", "") if archive_splits else ""
    return PendingStudy(
        Study(
            dataset=DATASET,
            patient=key[0],
            study="/".join(key),
            images=tuple(ImageRef(storage.join(folder, name), _view(rows[name])) for name in names),
            date=first["patient_report_date_order"].partition(".")[0].zfill(6),
            archive_split=split if is_split_name(split) else "",
            findings=_text(first["section_findings"]),
            impression=_text(first["section_impression"]),
            indication=_text(first.get("section_clinical_history", "")),
            comparison=_text(first.get("section_comparison", "")),
            labels=labels.get(names[0], {}),
        )
    )


def _text(section: str) -> str:
    """White space folded: an empty section may be a bare newline."""
    return " ".join(section.split())


def _view(row: dict[str, str]) -> str:
    return film_view(row["frontal_lateral"], row["ap_pa"])


def _labels(root: str, images: Collection[str], losses: Losses) -> dict[str, dict[str, int | None]]:
    """Image of those -> label -> state, from the label file; empty without it."""
    found: dict[str, dict[str, int | None]] = {}
    for place, line in tables.lines(tables.find(root, LABEL_FILE.names)):
        try:
            row = json.loads(line)
            name = str(row["path_to_image"])
        except (ValueError, KeyError, TypeError):
            losses.lose("unparsable_row", place)
            continue
        if name not in images:
            losses.lose("label_without_study", place)
        elif name in found:
            losses.lose("duplicate_row", place)
        else:
            found[name] = {label: _STATES.get(row.get(label.title())) for label in LABELS}
    return found


SPEC = Spec(
    title="CheXpert Plus",
    access="registration",
    images="PNG/train/patient<n>/study<n>/view<n>_{frontal,lateral}.png",
    labels="14 labels with uncertainty by CheXbert; report sections",
    uncertain=True,
    tables=(TABLE, LABEL_FILE),
    read=studies,
    patients=PATIENTS,
)
