"""IU X-ray (OpenI) in its table form: two or more views a study, with report sections.

`indiana_reports.csv` and `indiana_projections.csv` at the root, images anywhere below it. The
original XML does not tell a frontal film from a lateral one, so this form is needed. Every study is
its own patient.
"""

from __future__ import annotations

import re
from collections import defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef, Study

DATASET = "openi"
REPORTS = Table(
    ("indiana_reports.csv",), ("uid", "indication", "comparison", "findings", "impression")
)
PROJECTIONS = Table(("indiana_projections.csv",), ("uid", "filename", "projection"))
_VIEWS = {"frontal": "frontal", "lateral": "lateral"}
_REDACTED = re.compile(r"\bX{3,}\b")


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies with an image, by number, and what was left out by reason.

    Raises ChexoneError where a table or a column is missing.
    """
    root = source.uri
    losses = Losses()
    places = tables.files_by_name(root, ".png")
    films: dict[str, dict[str, ImageRef]] = defaultdict(dict)
    rows: dict[str, list[str]] = defaultdict(list)
    for row in tables.rows(root, PROJECTIONS):
        name = row["filename"]
        if not row["uid"] or not name:
            losses.lose("row_without_id", row.place)
            continue
        if name in films[row["uid"]]:
            losses.lose("duplicate_row", row.place)
        else:
            rows[row["uid"]].append(row.place)
        uri = places.get(name, storage.join(root, "images", name))
        films[row["uid"]][name] = ImageRef(uri, _VIEWS.get(row["projection"].lower(), ""))
    found: dict[str, PendingStudy] = {}
    for row in tables.rows(root, REPORTS):
        uid = row["uid"]
        if uid not in films:
            losses.lose("report_without_film", row.place)
        elif uid in found:
            losses.lose("duplicate_row", row.place)
        else:
            found[uid] = PendingStudy(
                Study(
                    dataset=DATASET,
                    patient=uid,
                    study=uid,
                    images=tuple(film for _, film in sorted(films[uid].items())),
                    findings=_text(row["findings"]),
                    impression=_text(row["impression"]),
                    indication=_text(row["indication"]),
                    comparison=_text(row["comparison"]),
                )
            )
    for uid in sorted(films.keys() - found.keys()):
        for place in rows[uid]:
            losses.lose("row_without_report", place)
    return [found[uid] for uid in sorted(found)], losses


def _text(section: str) -> str:
    """White space folded, what was redacted in the notation that the tasks know."""
    return _REDACTED.sub("___", " ".join(section.split()))


SPEC = Spec(
    title="IU X-ray (OpenI)",
    access="open",
    images="<filename> in any folder below the root, PNG",
    labels="none; report sections",
    uncertain=True,
    split_unit="study",
    tables=(REPORTS, PROJECTIONS),
    read=studies,
    patients="openi",
)
