"""The view of a film from its DICOM header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from chexone_ray.config import ImageConfig
from chexone_ray.data.ask import Verified, verify
from chexone_ray.images import decode
from chexone_ray.records import ImageRef
from tests.films import CONFIG, WINDOW, film, ramp, written


def view(**elements: Any) -> str:
    data = film(ramp(), **WINDOW, **elements)
    found = {decode(written(data), CONFIG).provenance["view"]}
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    found.add(decode(written(data), CONFIG).provenance["view"])
    (one,) = found
    return str(one)


def code(value: str = "", meaning: str = "") -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = value, meaning, "SCT"
    return Sequence([item])


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        *(("PA", "PA"), ("AP", "AP"), ("LL", "lateral"), ("RL", "lateral")),
        *(("LATERAL", "lateral"), ("lateral ", "lateral"), ("LLD", "frontal")),
        *(("RLO", ""), ("", ""), ("ERECT", "")),
    ],
)
def test_view_position(position: str, expected: str) -> None:
    assert view(ViewPosition=position) == expected


@pytest.mark.parametrize(
    ("value", "meaning", "expected"),
    [
        ("R-10206", "antero-posterior", "AP"),
        ("399348003", "", "AP"),
        ("R-10214", "", "PA"),
        ("272479007", "postero-anterior", "PA"),
        ("R-10236", "left lateral", "lateral"),
        ("", "Right lateral", "lateral"),
        ("399033003", "frontal", "frontal"),
        ("R-10220", "left anterior oblique", ""),
    ],
)
def test_view_code_where_there_is_no_position(value: str, meaning: str, expected: str) -> None:
    assert view(ViewCodeSequence=code(value, meaning)) == expected
    assert view(ViewPosition="", ViewCodeSequence=code(value, meaning)) == expected


@pytest.mark.parametrize(
    ("directions", "expected"),
    [
        (["L", "F"], "frontal"),
        (["R", "F"], "frontal"),
        (["F", "L"], "frontal"),  # A film that lies on its side.
        (["A", "F"], "lateral"),
        (["P", "FR"], "lateral"),
        (["LA", "F"], ""),  # Turned by less than a quarter: an oblique film.
        (["L", "P"], ""),  # Seen from below.
        (["L"], ""),
        ("", ""),
    ],
)
def test_directions_where_there_is_neither(directions: Any, expected: str) -> None:
    assert view(PatientOrientation=directions) == expected


def test_the_first_that_tells_is_believed() -> None:
    assert view(ViewPosition="AP", ViewCodeSequence=code("R-10214")) == "AP"
    assert view(ViewCodeSequence=code("R-10214"), PatientOrientation=["A", "F"]) == "PA"
    assert view(ViewPosition="ERECT", ViewCodeSequence=code("R-10214")) == "PA"
    assert view(ViewCodeSequence=code("", "erect"), PatientOrientation=["A", "F"]) == "lateral"
    assert view(ViewPosition="LAO", PatientOrientation=["L", "F"]) == ""


def test_a_flip_that_was_done_is_not_done_again() -> None:
    turned = film(ramp(), FieldOfViewHorizontalFlip="YES", FieldOfViewRotation="90", **WINDOW)
    plain = decode(written(film(ramp(), **WINDOW)), CONFIG).pixels
    assert (decode(written(turned), CONFIG).pixels == plain).all()


@pytest.mark.parametrize(
    ("own", "elements", "default", "expected"),
    [
        ("lateral", {"ViewPosition": "PA"}, "PA", "lateral"),
        ("", {"ViewPosition": "AP"}, "PA", "AP"),
        ("", {}, "PA", "PA"),
        ("", {}, "lateral", "lateral"),
        ("", {"PatientOrientation": ["A", "F"]}, "PA", "lateral"),
        ("", {"PatientOrientation": ["L", "F"]}, "PA", "PA"),  # Says no more than frontal.
        ("", {"PatientOrientation": ["L", "F"]}, "", "frontal"),
        ("", {"PatientOrientation": ["L", "F"]}, "lateral", "frontal"),
    ],
)
def test_prepare_believes_the_archive_then_the_header(
    own: str, elements: dict[str, Any], default: str, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "film"  # Not every archive has suffixes.
    path.write_bytes(written(film(ramp(), **WINDOW, **elements)))
    found = verify(ImageRef(str(path), own), default, ImageConfig())
    assert isinstance(found, Verified)
    assert found.image.view == expected
