"""IU X-ray (OpenI): one or more views a study, with report sections.

Two forms. The table form: `indiana_reports.csv` and `indiana_projections.csv` at the root. The
original release: `ecgen-radiology/<n>.xml` (`openi_xml`), whose films have a view where
`indiana_projections.csv` lies beside it. Images anywhere below the root. Every study is its own
patient.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import openi_xml, tables
from chexone_ray.data.sources.losses import Losses, lose_strangers
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Study

DATASET = "openi"
REPORTS = Table(
    ("indiana_reports.csv",), ("uid", "indication", "comparison", "findings", "impression"), True
)
PROJECTIONS = Table(("indiana_projections.csv",), ("uid", "filename", "projection"), True)
_VIEWS = {"frontal": "frontal", "lateral": "lateral"}
_REDACTED = re.compile(r"\bX{3,}\b")
Films = dict[str, dict[str, str]]
"""Study -> file name of a film -> its view, or empty."""


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies with an image, by number, and what was left out by reason.

    Raises ChexoneError where neither form is there, or a table or a column of the one is missing.
    """
    root = source.uri
    losses = Losses()
    places = tables.files_by_name(root, ".png")
    if tables.find(root, REPORTS.names):
        found = _of_tables(root, places, losses)
    elif files := _files(root):
        found = _of_files(root, files, places, losses)
    else:
        names = f"{REPORTS.names[0]} and {openi_xml.FOLDERS[0]}/*.xml"
        raise ChexoneError(f"{root} holds neither {names}: {CSV_STEP}")
    return [found[uid] for uid in sorted(found)], losses


def _files(root: str) -> list[str]:
    """The reports of the original release, where they are what is read."""
    return [] if tables.find(root, REPORTS.names) else openi_xml.report_files(root)


def _of_tables(root: str, places: Mapping[str, str], losses: Losses) -> dict[str, PendingStudy]:
    films, rows = _projections(tables.rows(root, PROJECTIONS), losses)
    found: dict[str, PendingStudy] = {}
    for row in tables.rows(root, REPORTS):
        uid = row["uid"]
        if uid not in films:
            losses.lose("report_without_film", row.place)
        elif uid in found:
            losses.lose("duplicate_row", row.place)
        else:
            images = _images(root, films[uid], places)
            found[uid] = _study(uid, images, row, row.get("MeSH", "").split(";"))
    used = {(uid, name) for uid in found for name in films[uid]}
    lose_strangers(rows, used, "row_without_report", losses)
    return found


def _of_files(
    root: str, files: list[str], places: Mapping[str, str], losses: Losses
) -> dict[str, PendingStudy]:
    films, rows = _projections(tables.rows_if_there(root, PROJECTIONS), losses)
    found: dict[str, PendingStudy] = {}
    used: set[tuple[str, str]] = set()
    for report in openi_xml.reports(files, losses):
        known = films.get(report.uid, {})
        used |= {(report.uid, _table_name(name)) for name in report.films}
        views = {f"{name}.png": known.get(_table_name(name), "") for name in report.films}
        if views:
            images = _images(root, views, places)
            found[report.uid] = _study(report.uid, images, report.sections, report.terms)
        else:
            losses.lose("report_without_film", report.place)
    lose_strangers(rows, used, "row_without_report", losses)
    return found


def _table_name(name: str) -> str:
    """The table form's name of a film: CXR1_1_IM-0001-3001 is 1_IM-0001-3001.dcm.png."""
    return f"{name.partition('_')[2]}.dcm.png"


def _projections(
    table: tables.Rows, losses: Losses
) -> tuple[Films, dict[tuple[str, str], list[str]]]:
    """The films of each study with their views, and the place of the row of each."""
    films: Films = defaultdict(dict)
    rows: dict[tuple[str, str], list[str]] = {}
    for row in table:
        name = row["filename"]
        if not row["uid"] or not name:
            losses.lose("row_without_id", row.place)
        elif name in films[row["uid"]]:
            losses.lose("duplicate_row", row.place)
        else:
            rows[row["uid"], name] = [row.place]
            films[row["uid"]][name] = _VIEWS.get(row["projection"].lower(), "")
    return films, rows


def _images(root: str, views: Mapping[str, str], places: Mapping[str, str]) -> tuple[ImageRef, ...]:
    return tuple(
        ImageRef(places.get(name, storage.join(root, "images", name)), view)
        for name, view in sorted(views.items())
    )


def _study(
    uid: str, images: tuple[ImageRef, ...], told: Mapping[str, str], terms: Iterable[str]
) -> PendingStudy:
    return PendingStudy(
        Study(
            dataset=DATASET,
            patient=uid,
            study=uid,
            images=images,
            findings=_text(told["findings"]),
            impression=_text(told["impression"]),
            indication=_text(told["indication"]),
            comparison=_text(told["comparison"]),
            labels=openi_xml.states(terms),
        )
    )


def _text(section: str) -> str:
    """White space folded, what was redacted in the notation that the tasks know."""
    return _REDACTED.sub("___", " ".join(section.split()))


SPEC = Spec(
    title="IU X-ray (OpenI)",
    access="open",
    images="<filename> or NLMCXR_png/<id>.png in any folder below the root, PNG",
    labels="terms that people coded in the reports, where they are findings; report sections",
    uncertain=True,
    split_unit="study",
    tables=(REPORTS, PROJECTIONS),
    files=_files,
    read=studies,
    patients="openi",
)
