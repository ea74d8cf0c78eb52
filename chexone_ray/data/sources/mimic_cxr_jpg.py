"""MIMIC-CXR-JPG: the archive's tables -> studies; images as JPG, or DICOM at the same paths.

Tables at the root (plain or .gz): metadata, split, chexpert, and optionally the hand labels of a
part of the test set. Images under `files/p10/p10000032/s50414267/<dicom_id>.jpg`, the report beside
the study's folder as `s50414267.txt` (also looked for under `mimic-cxr-reports/`).
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.facts import is_frontal
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import label_state
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy, in_order
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.sources.vindr_boxes import BoxFile, read_box_files
from chexone_ray.data.splits import is_split_name
from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.labeller import LABELS
from chexone_ray.records import Box, ImageRef, Study

DATASET = "mimic_cxr_jpg"
VERSIONS = ("2.0.0", "2.1.0")
_REPORT_FOLDERS = ("", "mimic-cxr-reports")
_COLUMNS = {label: label.title() for label in LABELS}


def _table(kind: str, columns: tuple[str, ...], optional: bool = False) -> Table:
    return Table(tuple(f"mimic-cxr-{v}-{kind}.csv" for v in VERSIONS), columns, optional)


METADATA = _table(
    "metadata",
    ("dicom_id", "subject_id", "study_id", "ViewPosition", "StudyDate", "StudyTime"),
)
SPLIT = _table("split", ("study_id", "split"), optional=True)
CHEXPERT = _table("chexpert", ("study_id", *_COLUMNS.values()))
_HAND_COLUMNS = _COLUMNS | {"lung opacity": "Airspace Opacity"}
HAND = _table("test-set-labeled", ("study_id", *_HAND_COLUMNS.values()), optional=True)
_VIEWS = {
    "PA": "PA",
    "AP": "AP",
    "LATERAL": "lateral",
    "LL": "lateral",
    "RL": "lateral",
    "POSTERO-ANTERIOR": "PA",
    "ANTERO-POSTERIOR": "AP",
}
_IMAGE_SUFFIXES = (".jpg", ".dcm", ".png")


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies, by patient and time, and counts of the rows left out by reason.

    Raises ChexoneError before any image is opened where a file or column that is needed is missing.
    """
    root = source.uri
    losses = Losses()
    metadata = tables.rows(root, METADATA)
    if not metadata.rows:
        raise ChexoneError(f"{metadata.uri} has no row: {CSV_STEP}")
    by_study: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in metadata:
        if not all(row.get(name) for name in ("dicom_id", "subject_id", "study_id")):
            losses.lose("row_without_id", row.place)
            continue
        films = by_study.setdefault((row["subject_id"], row["study_id"]), {})
        if row["dicom_id"] in films:
            losses.lose("duplicate_row", row.place)
        films.setdefault(row["dicom_id"], row)
    names = {study for _, study in by_study}
    split_of = _splits(root, names, losses) if archive_splits else {}
    labels = _labels(root, names, losses)
    boxes = read_box_files(source.boxes_uri, losses) if source.boxes_uri else None
    if boxes:
        boxes.lose_others({name for films in by_study.values() for name in films}, losses)
    suffix = _image_suffix(root, metadata.rows[0])
    reports = _report_root(root, by_study)
    found = [
        _study(root, reports, suffix, list(rows.values()), split_of, labels, boxes)
        for rows in by_study.values()
    ]
    return in_order(found), losses


def sort_time(date: str, time: str) -> str:
    """StudyDate and StudyTime as text that sorts; the time is a float without leading zeros."""
    whole, _, fraction = time.partition(".")
    return f"{date.partition('.')[0]:0>8} {whole:0>6}.{fraction:0<3}"


def _splits(root: str, names: Collection[str], losses: Losses) -> dict[str, str]:
    """Split of each study of those names; a study has a row a film."""
    remedy = "give the archive's split file or set archive_splits=false"
    table = tables.rows(root, SPLIT, remedy)
    split_of: dict[str, str] = {}
    for row in table:
        if not is_split_name(row["split"]):
            raise ChexoneError(
                f'{table.uri} has split "{row["split"]}": use train, validate or test'
            )
        if row["study_id"] in names:
            split_of[row["study_id"]] = row["split"]
        else:
            losses.lose("split_without_study", row.place)
    return split_of


def _labels(root: str, names: Collection[str], losses: Losses) -> dict[str, dict[str, int | None]]:
    """Study of those names -> label -> 1, 0, -1 or None. By name: the file is in alphabetical
    order.

    Of a study that was labelled by hand, nothing that the rules say counts.
    """
    labels: dict[str, dict[str, int | None]] = {}
    for spec, columns in ((CHEXPERT, _COLUMNS), (HAND, _HAND_COLUMNS)):
        read = tables.rows_if_there if spec.optional else tables.rows
        seen: set[str] = set()
        for row in read(root, spec):
            study = row["study_id"]
            if study not in names:
                losses.lose("label_without_study", row.place)
            elif study in seen:
                losses.lose("duplicate_row", row.place)
            else:
                seen.add(study)
                labels[study] = {name: label_state(row[cell]) for name, cell in columns.items()}
    return labels


def _study(
    root: str,
    reports: str,
    suffix: str,
    rows: list[dict[str, str]],
    split_of: dict[str, str],
    labels: dict[str, dict[str, int | None]],
    boxes: BoxFile | None,
) -> PendingStudy:
    rows = sorted(rows, key=lambda row: row["dicom_id"])
    first = rows[0]
    study = first["study_id"]
    folder = study_folder(first["subject_id"], study)
    images = tuple(
        ImageRef(storage.join(root, folder, f"{row['dicom_id']}{suffix}"), view_of(row))
        for row in rows
    )
    known: dict[str, int | None] = dict(labels.get(study, {}))
    found: list[Box] = []
    complete = False
    lost: tuple[tuple[str, int], ...] = ()
    if boxes is not None:
        ids = [row["dicom_id"] for row in rows]
        lost = tuple(one for i, name in enumerate(ids) for one in boxes.lost_boxes(name, i))
        read = [i for i, dicom_id in enumerate(ids) if dicom_id in boxes.boxes]
        found = [
            Box(box.label, box.xyxy, i)  # the file knows images by name, a study by number
            for i in read
            for box in boxes.boxes[ids[i]]
        ]
        frontal = [i for i, image in enumerate(images) if is_frontal(image.view)]
        complete = bool(frontal) and all(boxes.is_complete(ids[i]) for i in frontal)
        if complete:
            absent = boxes.names - {box.label for box in found}
            known |= {name: 0 for name in sorted(absent) if known.get(name) is None}
    return PendingStudy(
        Study(
            dataset=DATASET,
            patient=first["subject_id"],
            study=study,
            images=images,
            date=min(sort_time(row["StudyDate"], row["StudyTime"]) for row in rows),
            archive_split=split_of.get(study, ""),
            labels=known,
            boxes_complete=complete,
            lost_boxes=lost,
        ),
        pixel_boxes=tuple(found),
        report_uri=storage.join(reports, f"{folder}.txt"),
    )


def study_folder(subject: str, study: str) -> str:
    """Where the images of a study are under the archive's root."""
    return f"files/p{subject[:2]}/p{subject}/s{study}"


def view_of(row: dict[str, str]) -> str:
    """The view that a metadata row tells, or empty."""
    for column in ("ViewPosition", "ViewCodeSequence_CodeMeaning"):
        view = _VIEWS.get(row.get(column, "").strip().upper())
        if view:
            return view
    return ""


def _image_suffix(root: str, row: dict[str, str]) -> str:
    """What the archive's images are."""
    stem = storage.join(root, study_folder(row["subject_id"], row["study_id"]), row["dicom_id"])
    return tables.first_there(((stem + s, s) for s in _IMAGE_SUFFIXES), _IMAGE_SUFFIXES[0])


def _report_root(root: str, studies_: dict[tuple[str, str], dict[str, dict[str, str]]]) -> str:
    """Where the reports are: beside the images or in their own folder, by the first few studies."""
    first = [f"{study_folder(subject, study)}.txt" for subject, study in islice(studies_, 5)]
    folders = [storage.join(root, folder) for folder in _REPORT_FOLDERS]
    places = ((storage.join(folder, name), folder) for folder in folders for name in first)
    return tables.first_there(places, root)


SPEC = Spec(
    title="MIMIC-CXR-JPG (and MIMIC-CXR)",
    access="credentialed",
    images="files/p10/p10000032/s50414267/<dicom_id>.{jpg,dcm}",
    labels="14 labels with uncertainty, by rules from reports; by hand for part of the test set",
    uncertain=True,
    boxes_elsewhere=True,
    tables=(METADATA, SPLIT, CHEXPERT, HAND),
    read=studies,
    patients="mimic",
)
