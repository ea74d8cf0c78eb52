"""BIMCV-COVID19+ and BIMCV-COVID19-: PadChest's labels for patients tested for COVID-19.

`derivatives/labels/labels_covid19_posi.tsv` (or the name that a later iteration gives it): tab
separated, a row a study, ReportID being its session. Images in folders in the manner of BIDS:
`sub-S03542/ses-E07201/mod-rx/sub-S03542_ses-E07201_run-1_bp-chest_vp-pa_cr.png`, CT beside them in
`mod-ct/`. The labels say "covid 19" in words that were not seen in full: both spellings with and
without a hyphen are known here, and "uncertain" after it makes it so. A list that names no COVID-19
denies it in the negative set alone, and only where it names all that the film shows. Nothing tells
the order of a patient's sessions with certainty, so no study has a prior. Some films are stored
inverted or turned, which nothing here mends. Reports are Spanish and are not used.
"""

from __future__ import annotations

import re
from collections import defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import padchest, tables
from chexone_ray.data.sources.losses import Losses, Row
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef, Study

DATASET = "bimcv_covid19"
_NAMES = (
    "labels_covid19_posi.tsv",
    "labels_covid_posi.tsv",
    "Labels_covid_NEG_JAN21.tsv",
    "labels_SARS-cov-2_nega.tsv",
)
TABLE = Table(
    tuple(f"derivatives/labels/{name}" for name in _NAMES), ("PatientID", "ReportID", "Labels")
)
LABEL = "covid-19"
_POSITIVE = "_posi"
"""In the name of a table of patients whose test was positive."""
_COVID = re.compile(r"covid[ -]?19( uncertain)?")
_VIEWS = {"pa": "PA", "ap": "AP", "ll": "lateral"}
_VIEW = re.compile(r"_vp-([a-z]+)")
_FILM = re.compile(r"/(sub-[^/]+)/(ses-[^/]+)/mod-rx/[^/]+\.png$")
_OTHER = re.compile(r"/(sub-[^/]+)/(ses-[^/]+)/mod-(?!rx/)[^/]+/")
"""Files of a CT, which some sessions have alone."""


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All sessions with a film as studies, by patient and session, and what was left out by reason.

    Raises ChexoneError where the table or a column is missing.
    """
    root = source.uri
    table = tables.rows(root, TABLE, delimiter="\t")
    films: dict[tuple[str, str], list[str]] = defaultdict(list)
    others: set[tuple[str, str]] = set()
    for place in storage.list_files(root):
        if session := _FILM.search(place):
            films[session[1], session[2]].append(place)
        elif session := _OTHER.search(place):
            others.add((session[1], session[2]))
    losses = Losses()
    found: dict[tuple[str, str], PendingStudy] = {}
    seen: set[tuple[str, str]] = set()
    for row in table:
        key = (row["PatientID"], row["ReportID"])
        if not all(key):
            losses.lose("row_without_id", row.place)
        elif key in seen:
            losses.lose("duplicate_row", row.place)
        elif key not in films:
            missing = key not in others
            losses.lose(
                "study_without_film" if missing else "study_of_another_technique", row.place
            )
        else:
            found[key] = PendingStudy(_study(key, films[key], row, losses))
        seen.add(key)
    for key in sorted(films.keys() - seen):
        for place in films[key]:
            losses.lose("film_without_row", place)
    return [found[key] for key in sorted(found)], losses


def _study(key: tuple[str, str], places: list[str], row: Row[str], losses: Losses) -> Study:
    listed = padchest.read_list(row["Labels"])
    if listed is None:
        losses.lose("unknown_label", row.place)
    return Study(
        dataset=DATASET,
        patient=key[0],
        study=f"{key[0]}/{key[1]}",
        images=tuple(ImageRef(place, _view(place)) for place in places),
        labels={} if listed is None else _states(listed, losses, row.place, _is_positive(row.uri)),
    )


def _is_positive(uri: str) -> bool:
    """True for a table of the positive set, by its name."""
    return _POSITIVE in uri.rpartition("/")[2]


def _states(listed: list[str], losses: Losses, place: str, tested: bool) -> dict[str, int | None]:
    """COVID-19 is absent where the list names everything and without it, and the patient was not
    `tested` positive: a film that shows none of it does not say that a patient has none."""
    states = padchest.states_of(listed, losses, place)
    covid = [match for name in listed if (match := _COVID.fullmatch(name))]
    if padchest.EXCLUDED in listed:
        return states
    if covid:
        return states | {LABEL: 1 if any(not match[1] for match in covid) else -1}
    absent = padchest.names_everything(listed) and not tested
    return states | {LABEL: 0 if absent else None}


def _view(place: str) -> str:
    """The view in the file's name; some lateral films have none there."""
    part = _VIEW.search(place.rpartition("/")[2])
    return _VIEWS.get(part[1], "") if part else ""


SPEC = Spec(
    title="BIMCV-COVID19",
    access="agreement",
    images="sub-*/ses-*/mod-rx/*.png, 16-bit PNG",
    labels="PadChest's findings and COVID-19, by a model from Spanish reports",
    tables=(TABLE,),
    read=studies,
    packable=False,
    uncertain=True,
)
