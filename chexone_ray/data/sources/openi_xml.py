"""IU X-ray's original release: one XML file a report -> its sections, terms and films.

`ecgen-radiology/<n>.xml`: `uId id="CXR1"`, `AbstractText Label="FINDINGS"` and three sections more,
`MeSH` with a `major` term for each thing that people coded in the report (and `automatic` ones that
a program found, which count for nothing here), and a `parentImage id="CXR1_1_IM-0001-3001"` a film,
which is the name of its PNG file. Nothing in it tells a frontal film from a lateral one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from xml.etree import ElementTree

from chexone_ray import storage
from chexone_ray.data.sources.losses import Losses

FOLDERS = ("ecgen-radiology", "NLMCXR_reports/ecgen-radiology")
READ_THREADS = 16
SECTIONS = ("indication", "comparison", "findings", "impression")
_NUMBER = re.compile(r"(?:CXR)?(\d+)")
TERMS = {
    "cardiomegaly": "cardiomegaly",
    "consolidation": "consolidation",
    "emphysema": "emphysema",
    "fractures, bone": "fracture",
    "hernia, hiatal": "hernia",
    "infiltrate": "infiltration",
    "mass": "mass",
    "nodule": "nodule",
    "opacity": "lung opacity",
    "pleural effusion": "pleural effusion",
    "pneumonia": "pneumonia",
    "pneumothorax": "pneumothorax",
    "pulmonary atelectasis": "atelectasis",
    "pulmonary edema": "edema",
    "pulmonary emphysema": "emphysema",
    "pulmonary fibrosis": "pulmonary fibrosis",
    "thickening": "pleural thickening",
}
"""First part of a term such as "Opacity/lung/base/left" -> our name."""
_ONLY_OF = {"opacity": "lung", "thickening": "pleura"}
"""Terms that are ours where another part names this place."""
DOUBT = "borderline"
NORMAL = "normal"


@dataclass(frozen=True)
class Report:
    """One report: the number of its study, sections by name, coded terms and names of films."""

    uid: str
    place: str
    sections: dict[str, str]
    terms: tuple[str, ...]
    films: tuple[str, ...]


def report_files(root: str) -> list[str]:
    """The XML files of the release, in the order of their names; none where there is no folder."""
    for folder in FOLDERS:
        if found := storage.list_files(storage.join(root, folder), ".xml"):
            return sorted(found)
    return []


def reports(uris: Iterable[str], losses: Losses) -> Iterator[Report]:
    """The reports of those files that can be read and have a number, each once."""
    seen: set[str] = set()
    uris = list(uris)
    with ThreadPoolExecutor(READ_THREADS) as pool:
        for uri, data in zip(uris, pool.map(storage.read_bytes, uris), strict=True):
            try:
                root = ElementTree.fromstring(data)
            except ElementTree.ParseError:
                losses.lose("unparsable_row", uri)
                continue
            number = root.find("uId")
            uid = _NUMBER.fullmatch(number.get("id", "") if number is not None else "")
            if uid is None:
                losses.lose("row_without_id", uri)
            elif uid[1] in seen:
                losses.lose("duplicate_row", uri)
            else:
                seen.add(uid[1])
                yield _report(root, uid[1], uri)


def _report(root: ElementTree.Element, uid: str, uri: str) -> Report:
    told = {
        part.get("Label", "").lower(): "".join(part.itertext())
        for part in root.iter("AbstractText")
    }
    films = (image.get("id", "") for image in root.iter("parentImage"))
    return Report(
        uid=uid,
        place=uri,
        sections={name: told.get(name, "") for name in SECTIONS},
        terms=tuple(term.text or "" for term in root.iter("major")),
        films=tuple(dict.fromkeys(name for name in films if name)),
    )


def states(terms: Iterable[str]) -> dict[str, int | None]:
    """Labels of the coded terms of one report.

    A term says that its finding is there, "borderline" in it that this is in doubt. What no term
    names is open, as the coding need not be complete, but for a report that is coded as normal.
    """
    coded = [[part.strip().lower() for part in term.split("/")] for term in terms if term.strip()]
    if [NORMAL] in coded:
        return {**dict.fromkeys(TERMS.values(), 0), "no finding": 1} if len(coded) == 1 else {}
    found: dict[str, int | None] = {}
    for head, *parts in coded:
        name = TERMS.get(head)
        if name and _ONLY_OF.get(head, "") in ("", *parts):
            state = -1 if DOUBT in parts else 1
            found[name] = max(state, found.get(name) or state)
    return found | {"no finding": 0} if found else {}
