"""Cells of tables -> numbers, states, views and boxes; tables that are there or not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import box_of_size, corners, film_view, label_state, number
from chexone_ray.data.sources.spec import Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box
from tests.data.sources.replicas import write


def test_numbers_and_states_of_cells() -> None:
    assert [number(cell) for cell in ("1.50", " 2 ", 3, 0.1, "-1e2")] == [1.5, 2, 3, 0.1, -100]
    assert all(math.isnan(number(cell)) for cell in ("", "x", None, True, [1], "nan"))
    states = [label_state(cell) for cell in ("1.0", "0", "-1.0", "", "2", "0.5", "nan", "x")]
    assert states == [1, 0, -1, None, None, None, None, None]


@pytest.mark.parametrize(
    ("side", "projection", "view"),
    [
        ("Frontal", "AP", "AP"),
        ("frontal", "PA", "PA"),
        ("Frontal", "LL", "frontal"),
        ("Frontal", "", "frontal"),
        ("Lateral", "AP", "lateral"),
        ("", "PA", ""),
    ],
)
def test_views(side: str, projection: str, view: str) -> None:
    assert film_view(side, projection) == view


def test_boxes_need_an_area() -> None:
    assert box_of_size("nodule", 1.5, 2, 3, 4) == Box("nodule", (1.5, 2, 4.5, 6))
    for size in ((0, 4), (3, -1), (math.nan, 4), (3, math.inf)):
        assert box_of_size("nodule", 1, 2, *size) is None, size
    assert corners(["1", "2.5", 3, 4]) == (1, 2.5, 3, 4)
    for cells in (["1", "2", "3"], [3, 2, 1, 4], [1, 2, "x", 4], [1, 2, math.inf, 4], []):
        assert corners(cells) is None, cells


def test_a_table_that_may_lack_has_no_rows(tmp_path: Path) -> None:
    table = Table(("first.csv", "second.csv"), ("a",), True)
    none = tables.rows_if_there(str(tmp_path), table)
    assert (none.uri, list(none)) == ("", [])
    with pytest.raises(ChexoneError, match=r"first\.csv\[\.gz\] is missing: mend it"):
        tables.rows(str(tmp_path), table, "mend it")
    write(tmp_path / "second.csv", "a\tb", "1\t2")
    for found in (
        tables.rows(str(tmp_path), table, delimiter="\t"),
        tables.rows_if_there(str(tmp_path), table, "\t"),
    ):
        assert found.uri == str(tmp_path / "second.csv")
        assert list(found) == [{"a": "1", "b": "2"}]
    write(tmp_path / "first.csv", "b", "1")
    with pytest.raises(ChexoneError, match=r'first\.csv has no column "a"'):
        tables.rows_if_there(str(tmp_path), table)
