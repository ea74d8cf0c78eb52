"""What `prepare --check` tells of a table that a person wrote: a mistyped name is no error there.

A column of another name is not read, and a finding of another name is asked for as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath

from chexone_ray.check_line import CheckLine
from chexone_ray.config import SourceConfig
from chexone_ray.data.facts import FINER
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.wording import NAMES
from chexone_ray.metrics.labeller import LABELS

NEEDED = ("image", "study")
COLUMNS = (
    *NEEDED,
    *("patient", "date", "view", "split", "boxes"),
    *("report", "findings", "impression", "indication", "comparison"),
)
LABEL_PREFIX = "label:"
LABELS_KEY = "labels"
"""In JSON lines, where the labels are a table."""
FINDINGS = frozenset(
    {*LABELS, *FINER, *NAMES, *(name for finer in FINER.values() for name in finer)}
    | {"clavicle fracture", "rib fracture", "enlarged pulmonary artery", "hernia", "lung cavity"}
    | {"lung cyst", "lung tumor", "nodule or mass", "other lesion", "foreign object", "scoliosis"}
    | {"fibrosis", "hiatal hernia"}
)
"""Names of findings that other sources use too."""
DICOM = (".dcm", ".dicom")
_TOLD = 8


def column_lines(columns: Iterable[str], is_csv: bool) -> Iterator[CheckLine]:
    """Which of the columns are read, and which are not."""
    columns = list(dict.fromkeys(columns))
    readable = [*COLUMNS, *([] if is_csv else [LABELS_KEY])]

    def is_read(name: str) -> bool:
        return name in readable or (is_csv and name.startswith(LABEL_PREFIX))

    read = [name for name in columns if is_read(name)]
    yield CheckLine("columns", "ok", f"read: {', '.join(read)}")
    ignored = [name for name in columns if name and not is_read(name)]
    if ignored:
        meant = {name: _meant_column(name, readable, is_csv) for name in ignored}
        mistyped = any(meant.values())
        told = f"not read: {_with_guesses(meant)}"
        yield CheckLine("columns", "warn" if mistyped else "ok", told)


def finding_line(studies: Sequence[PendingStudy]) -> CheckLine | None:
    """The findings that no other source names; None where there are none."""
    named = {name for item in studies for name in item.study.labels}
    named |= {box.label for item in studies for box in item.pixel_boxes}
    unknown = sorted(named - FINDINGS)
    if not unknown:
        return None
    told = _with_guesses({name: _closest(name, FINDINGS) for name in unknown})
    return CheckLine("findings", "warn", f"asked for as written, as no list has them: {told}")


def view_line(source: SourceConfig, studies: Sequence[PendingStudy]) -> CheckLine | None:
    """How many images have no view but what their header may tell; None where all have one."""
    images = [image for item in studies for image in item.study.images]
    without = [image.uri for image in images if not image.view]
    if not without or source.default_view:
        return None
    bare = sum(PurePosixPath(uri).suffix.lower() not in DICOM for uri in without)
    told = f"{len(without)} of {len(images)} images have no view, {bare} of them no DICOM files"
    remedy = (
        "nothing is asked of a film that is not known to be frontal: fill the column view, or set "
        'default_view = "frontal" if all of them are'
    )
    return CheckLine("views", "warn", f"{told}: {remedy}")


def _meant_column(name: str, readable: Sequence[str], is_csv: bool) -> str:
    prefix, colon, finding = name.partition(":")
    if is_csv and colon and _closest(f"{prefix}:", [LABEL_PREFIX]):
        return f"{LABEL_PREFIX}{finding.strip()}"
    return _closest(name, readable)


def _closest(name: str, names: Iterable[str]) -> str:
    return next(iter(get_close_matches(" ".join(name.lower().split()), sorted(names), 1, 0.75)), "")


def _with_guesses(meant: dict[str, str]) -> str:
    told = [f'"{name}" (did you mean {guess}?)' for name, guess in meant.items() if guess]
    told += [f'"{name}"' for name, guess in meant.items() if not guess]
    more = len(told) - _TOLD
    return ", ".join(told[:_TOLD]) + (f" and {more} more" if more > 0 else "")
