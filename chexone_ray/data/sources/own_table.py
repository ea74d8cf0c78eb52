"""A user's own images and reports: one table, one row an image.

`studies.csv` or `studies.jsonl` at the root. Needed: `image` (a path under the root, or a URI) and
`study`. Known besides: `patient` (the study by default), `date` (text that sorts), `view` (PA, AP,
frontal, lateral; `SourceConfig.default_view` where table and header tell none), `split`, and of the
study's first row `report`, or `findings`, `impression`, `indication`, `comparison`. A label is a
column `label:<finding>` with 1, 0, -1 or nothing; boxes are a column `boxes` with a JSON list of
{"label", "xyxy"} in pixels of the image. In JSON lines `labels` is a table, whose values may be
true and false too, and `boxes` a list.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chexone_ray import storage
from chexone_ray.check_line import CheckLine
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.cells import Corners, corners, label_state
from chexone_ray.data.sources.losses import Losses, Row
from chexone_ray.data.sources.own_columns import (
    LABEL_PREFIX,
    NEEDED,
    column_lines,
    finding_line,
    view_line,
)
from chexone_ray.data.sources.pending import PendingStudy, in_order
from chexone_ray.data.sources.report_sections import broken_at_headers
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.splits import is_split_name
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box, ImageRef, Study

DATASET = "own_table"
FILES = ("studies.csv", "studies.jsonl")
_REMEDY = (
    f"a table of your own needs the columns {' and '.join(NEEDED)}, so rename yours "
    "(docs/data.md lists the others)"
)
_MISSING = "docs/data.md says what a table of your own looks like"
TABLE = Table(FILES, NEEDED, remedy=_REMEDY)
_TOLD = 5
_VIEWS = {"pa": "PA", "ap": "AP", "frontal": "frontal", "lateral": "lateral"}


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies, by patient and date, and what was left out by reason.

    Raises ChexoneError where there is no table, a column is missing, or a split or a view has no
    known name.
    """
    uri = tables.require(source.uri, FILES, _MISSING)
    losses = Losses()
    rows: dict[str, dict[str, Row[Any]]] = {}
    odd_views: dict[str, list[str]] = defaultdict(list)
    for row in _rows(uri, losses):
        image, study = (str(row.get(name) or "") for name in TABLE.columns)
        if not image or not study:
            losses.lose("row_without_id", row.place)
            continue
        if archive_splits and row.get("split") and not is_split_name(str(row["split"])):
            raise ChexoneError(f'{uri} has split "{row["split"]}": use train, validate or test')
        if row.get("view") and str(row["view"]).strip().lower() not in _VIEWS:
            odd_views[str(row["view"])].append(row.place)
        films = rows.setdefault(study, {})
        if image in films:
            losses.lose("duplicate_row", row.place)
        films.setdefault(image, row)
    if odd_views:
        raise ChexoneError(_odd_views_told(uri, odd_views))
    found = [_study(source, name, rows[name], archive_splits, losses) for name in rows]
    return in_order(found), losses


def _odd_views_told(uri: str, places: Mapping[str, Sequence[str]]) -> str:
    told = [f'"{view}" ({len(found)} rows, first {found[0]})' for view, found in places.items()]
    more = f" and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return (
        f"{uri} has views {', '.join(told[:_TOLD])}{more}: use PA, AP, frontal or lateral, nothing "
        "where it is not known, and leave out rows of other projections"
    )


def look(source: SourceConfig, found: Sequence[PendingStudy]) -> Iterator[CheckLine]:
    """What `prepare --check` tells of the table besides what `studies` refuses."""
    uri = tables.require(source.uri, FILES, _MISSING)
    is_csv = _is_csv(uri)
    if is_csv:
        columns = list(tables.header(uri))
    else:
        columns = [name for row in json_files.read_lines(uri, Losses()) for name in row]
    yield from column_lines(columns, is_csv)
    yield from filter(None, (finding_line(found), view_line(source, found)))


def _is_csv(uri: str) -> bool:
    return uri.removesuffix(".gz").endswith(".csv")


def _rows(uri: str, losses: Losses) -> Iterator[Row[Any]]:
    if _is_csv(uri):
        for cells in tables.read(uri, TABLE.columns, _REMEDY):
            labels = {
                name.removeprefix(LABEL_PREFIX): cell
                for name, cell in cells.items()
                if name.startswith(LABEL_PREFIX)
            }
            more = {"labels": labels, "boxes": _box_cell(cells, losses)}
            yield Row({**cells, **more}, cells.uri, cells.at)
    else:
        yield from json_files.read_lines(uri, losses)


def _box_cell(row: Row[str], losses: Losses) -> Any:
    try:
        return json.loads(row.get("boxes") or "[]")
    except ValueError:
        losses.lose("unparsable_row", row.place)
        return None


def _study(
    source: SourceConfig,
    name: str,
    films: Mapping[str, Row[Any]],
    archive_splits: bool,
    losses: Losses,
) -> PendingStudy:
    first = next(iter(films.values()))
    labels: dict[str, int | None] = {}
    for row in films.values():
        for label, state in _labels(row, losses):
            labels[label] = state if labels.get(label) is None else labels[label]
    boxes, lost_boxes = _all_boxes(films.values(), losses)
    return PendingStudy(
        Study(
            dataset=source.dataset,
            patient=str(first.get("patient") or name),
            study=name,
            images=tuple(
                ImageRef(
                    image if "://" in image else storage.join(source.uri, image),
                    _VIEWS.get(str(row.get("view") or "").strip().lower(), ""),
                )
                for image, row in films.items()
            ),
            date=str(first.get("date") or ""),
            archive_split=str(first.get("split") or "") if archive_splits else "",
            labels=labels,
            lost_boxes=lost_boxes,
            findings=_section(first, "findings"),
            impression=_section(first, "impression"),
            indication=_section(first, "indication"),
            comparison=_section(first, "comparison"),
        ),
        boxes,
        report=broken_at_headers(str(first.get("report") or "")),
        default_view=source.default_view,
    )


def _labels(row: Row[Any], losses: Losses) -> Iterator[tuple[str, int | None]]:
    told = row.get("labels") or {}
    if not isinstance(told, dict):
        losses.lose("unparsable_row", row.place)
        return
    for label, value in told.items():
        state = int(value) if isinstance(value, bool) else label_state(str(value))
        if state is None and value not in (None, ""):
            losses.lose("unknown_label", row.place)
        yield str(label).lower(), state


def _section(row: Mapping[str, Any], name: str) -> str:
    return " ".join(str(row.get(name) or "").split())


def _all_boxes(
    rows: Iterable[Row[Any]], losses: Losses
) -> tuple[tuple[Box, ...], tuple[tuple[str, int], ...]]:
    """The boxes of the images of a study, and (label, image) of those that could not be read."""
    found: list[Box] = []
    lost: list[tuple[str, int]] = []
    for image, row in enumerate(rows):
        boxes = row.get("boxes") or []
        if not isinstance(boxes, list):
            losses.lose("unparsable_row", row.place)
            continue
        for item in boxes:
            label = str(item.get("label") or "").lower() if isinstance(item, dict) else ""
            place = _corners(item) if label else None
            if place is not None:
                found.append(Box(label, place, image))
                continue
            losses.lose("box_row", row.place)
            if label:
                lost.append((label, image))
    return tuple(found), tuple(lost)


def _corners(item: Mapping[str, Any]) -> Corners | None:
    values = item.get("xyxy")
    return corners(values) if isinstance(values, list) else None


SPEC = Spec(
    title="A table of your own",
    access="own",
    images="as the table names them",
    labels="yours",
    uncertain=True,
    split_unit="patient where the table names it, else study",
    tables=(TABLE,),
    read=studies,
    look=look,
)
