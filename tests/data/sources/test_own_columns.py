"""What is told of a table of one's own that says less, or otherwise, than its author thinks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.ask import ask
from chexone_ray.data.build import read_sources
from chexone_ray.data.card import render
from chexone_ray.data.check import answer
from chexone_ray.data.drops import views_unknown
from chexone_ray.data.preflight import preflight
from chexone_ray.data.refuse import problems
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.errors import ChexoneError
from tests.data.sources.replicas import write


def config(root: Path, **changes: Any) -> PrepareConfig:
    source = SourceConfig(adapter="own_table", uri=str(root), **changes)
    return PrepareConfig(output_uri=str(root / "out"), sources=(source,), kinds=("presence",))


def film(place: Path, number: int = 0) -> None:
    pixels = (np.arange(64 * 64).reshape(64, 64) * (number + 1) % 251).astype(np.uint8)
    place.write_bytes(images.to_png(pixels))


def asked(settings: PrepareConfig) -> tuple[list[dict[str, Any]], dict[str, int]]:
    patients, *_ = read_sources(settings)
    rows, _, block = ask([[patients[n] for n in range(len(patients))]], 0, "unused", settings)
    return rows.to_pylist(), {letter.reason: letter.count for letter in block.letters}


def check(root: Path, capsys: pytest.CaptureFixture[str], **changes: Any) -> str:
    answer(config(root, **changes).model_copy(update={"check": True}))
    return capsys.readouterr().out


def test_films_without_a_view_are_told_and_asked_about_once_it_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "studies.csv", "image,study,label:edema", "a.png,s1,1", "b.dcm,s1,")
    film(tmp_path / "a.png")
    film(tmp_path / "b.dcm", 1)
    rows, lost = asked(config(tmp_path))
    assert not rows and lost == {"view_unknown": 1, "study_without_question": 1}
    said = check(tmp_path, capsys)
    assert "warn  views          2 of 2 images have no view, 1 of them no DICOM files" in said
    assert 'set default_view = "frontal"' in said
    rows, lost = asked(config(tmp_path, default_view="frontal"))
    assert [row["answer"] for row in rows] == ["yes"] and not lost
    assert rows[0]["images"][0]["view"] == "frontal"
    assert "views" not in check(tmp_path, capsys, default_view="frontal")


def test_only_a_study_that_has_something_to_ask_lacks_a_view(tmp_path: Path) -> None:
    rows = ("a.png,s1,", "b.png,s2,lateral", "c.png,s3,PA", "d.png,s3,")
    write(tmp_path / "studies.csv", "image,study,view,label:edema", *(f"{r},1" for r in rows[1:]))
    for number, name in enumerate("abcd"):
        film(tmp_path / f"{name}.png", number)
    assert asked(config(tmp_path))[1] == {"study_without_question": 1}, "the lateral film"
    write(tmp_path / "studies.csv", "image,study,view,label:edema", f"{rows[0]},", "c.png,s3,PA,1")
    assert asked(config(tmp_path))[1] == {"study_without_question": 1}, "nothing is known of it"


def test_the_card_tells_of_unknown_views() -> None:
    body = {"counts": {"rows": 0}, "dropped": {"view_unknown": 4}}
    told = views_unknown(4)
    assert "films of 4 studies" in told and f"**N{told[1:]}.**" in render(body)
    assert "known to be frontal" not in render(body | {"dropped": {"duplicate_row": 4}})


def test_views_of_other_names_are_refused(tmp_path: Path) -> None:
    rows = ("a,s1,oblique", "b,s2,foo", "c,s3,oblique", "d,s4, pa")
    write(tmp_path / "studies.csv", "image,study,view", *rows)
    with pytest.raises(
        ChexoneError,
        match=r'has views "oblique" \(2 rows, first .*studies\.csv:2\), "foo" \(1 rows, first '
        r".*studies\.csv:3\): use PA, AP, frontal or lateral",
    ):
        read_sources(config(tmp_path))
    write(tmp_path / "studies.csv", "image,study,view", rows[3])
    ((item,), _) = SOURCES["own_table"].read(config(tmp_path).sources[0], True)
    assert item.study.images[0].view == "PA"


def test_default_view_is_for_a_table_of_ones_own() -> None:
    source = SourceConfig(adapter="padchest", uri="unused", default_view="PA")
    told = list(problems(PrepareConfig(output_uri="unused-output", sources=(source,))))
    assert told == [
        "default_view has no effect on padchest, which tells its views itself: remove it"
    ]


def test_check_tells_columns_and_findings_that_may_be_mistyped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "image,study,View,lable:edema,label:plural efusion,label:Edema,label:Gout,scanner"
    write(tmp_path / "studies.csv", header, "a.png,s1,PA,1,1,0,1,X")
    said = check(tmp_path, capsys)
    assert (
        "ok    columns        read: image, study, label:plural efusion, label:Edema, label:" in said
    )
    assert (
        'warn  columns        not read: "View" (did you mean view?), "lable:edema" (did you mean '
        'label:edema?), "scanner"\n'
    ) in said
    assert (
        "warn  findings       asked for as written, as no list has them: "
        '"plural efusion" (did you mean pleural effusion?), "gout"\n'
    ) in said
    (tmp_path / "studies.csv").unlink()
    write(
        tmp_path / "studies.jsonl",
        '{"image": "a.png", "study": "s1", "labels": {"edema": 1}}',
        '{"image": "b.png", "study": "s2", "veiw": "PA", "label:edema": 1, "note": "x"}',
    )
    said = check(tmp_path, capsys)
    assert "ok    columns        read: image, study, labels\n" in said
    assert '"veiw" (did you mean view?)' in said and "findings " not in said


def test_columns_that_are_named_right_are_not_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "studies.csv", "image,study,view,label:nodule,scanner", "a.png,s1,PA,1,X")
    said = check(tmp_path, capsys)
    assert 'ok    columns        not read: "scanner"' in said and "warn" not in said


def test_a_column_of_another_name_is_to_be_renamed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "studies.csv", "path,study", "a.png,s1")
    remedy = r"needs the columns image and study, so rename yours"
    assert "needs the columns image and study" in check(tmp_path, capsys)
    with pytest.raises(ChexoneError, match=rf'has no column "image": .*{remedy}'):
        preflight(config(tmp_path))
