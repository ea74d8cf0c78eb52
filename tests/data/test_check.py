"""`prepare --check`, what `prepare` refuses by its settings, and the digest of the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chexone_ray import storage
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.ask import other_names
from chexone_ray.data.build import archive_digest, prepare, read_sources
from chexone_ray.data.check import answer
from chexone_ray.data.refuse import problems
from chexone_ray.errors import ChexoneError


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings(*sources: SourceConfig, **changes: Any) -> PrepareConfig:
    return PrepareConfig(output_uri="unused-output", sources=sources, check=True, **changes)


def own(root: Path, **changes: Any) -> SourceConfig:
    return SourceConfig(adapter="own_table", uri=str(root), **changes)


def check(capsys: pytest.CaptureFixture[str], *sources: Any, **changes: Any) -> tuple[Any, str]:
    return answer(settings(*sources, **changes)), capsys.readouterr().out


def test_names_with_dots_are_no_suffixes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert next(other_names("a/1.2.826")) == "a/1.2.826.jpg"
    assert list(other_names("a/1.2.826.JPG"))[1] == "a/1.2.826.dcm"
    rows = ("image,study", "1.2.826.1.jpg,s1", "1.2.826.2.jpg,s2", "1.2.826.3.jpg,s3")
    write(tmp_path / "studies.csv", *rows)
    write(tmp_path / "1.2.826.1.jpg")
    write(tmp_path / "1.2.826.2.dcm")
    code, said = check(capsys, own(tmp_path))
    assert code == 1 and "2 of 3 are there: fetch the other 1" in said
    assert f"(first {tmp_path}/1.2.826.3.jpg), or set max_drop_share=0.34 to prepare" in said
    write(tmp_path / "1.2.826.3.png")
    assert check(capsys, own(tmp_path))[0] == 0


def test_images_outside_of_the_archive_are_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    films = tmp_path / "films"
    names = [f"file://{films}/{name}" for name in ("a.png", "b.png", "deep/c.png")]
    rows = [f"{name},s{n}" for n, name in enumerate(names)]
    write(tmp_path / "own" / "studies.csv", "image,study", *rows, "d.png,s9")
    for place in (films / "a.png", films / "b.png", films / "deep" / "c.png"):
        write(place)
    write(tmp_path / "own" / "d.png")
    listed: list[str] = []
    list_files = storage.list_files

    def noted(uri: str) -> list[str]:
        listed.append(uri)
        return list_files(uri)

    monkeypatch.setattr(storage, "list_files", noted)
    code, said = check(capsys, own(tmp_path / "own"))
    assert code == 0 and "4 of 4 are there" in said
    assert listed == [str(tmp_path / "own"), f"file://{films}"], "each folder once"
    (films / "b.png").unlink()
    assert "3 of 4 are there" in check(capsys, own(tmp_path / "own"))[1]
    write(tmp_path / "own" / "studies.csv", "image,study", "https://films/a.png,s1")
    write(tmp_path / "own" / "studies.csv", "image,study", *(f"{n}.png,s{n}" for n in "43215"))
    said = check(capsys, own(tmp_path / "own"))[1]
    first = ", ".join(f"{tmp_path}/own/{n}.png" for n in "123")
    assert f"0 of 5 are there: fetch the other 5 (first {first})\n" in said
    write(tmp_path / "own" / "studies.csv", "image,study", "https://films/a.png,s1")
    code, said = check(capsys, own(tmp_path / "own"))
    assert code == 1 and "FAIL  images         https://films: scheme https://" in said


def test_an_archive_without_a_study_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "studies.csv", "image,study", "a.png,", "b.png,", "a.png,")
    code, said = check(capsys, own(tmp_path))
    assert code == 1
    assert "FAIL  studies        no study: mostly row_without_id (3 times)" in said
    write(tmp_path / "studies.csv", "image,study")
    assert "no study: the tables have no row" in check(capsys, own(tmp_path))[1]


def test_check_tells_what_prepare_would_refuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "studies.csv", "image,study", "a.png,s1")
    write(tmp_path / "a.png")
    assert check(capsys, own(tmp_path))[0] == 0
    code, said = check(capsys, own(tmp_path), own(tmp_path))
    assert code == 1 and "FAIL  sources        1 studies of the own_table archive" in said
    code, said = check(capsys, own(tmp_path), kinds=("views",))
    assert code == 1 and 'FAIL  settings       kind "views" is not known' in said
    both = [
        SourceConfig(adapter=name, uri=str(tmp_path))  # type: ignore[arg-type]
        for name in ("siim_acr", "rsna_pneumonia")
    ]
    code, said = check(capsys, *both)
    assert code == 1 and "rsna_pneumonia and siim_acr hold the same films" in said
    assert "hold the same films" not in check(capsys, *both, allow_overlap=True)[1]
    code, said = check(capsys, own(tmp_path, boxes_uri=str(tmp_path)))
    assert code == 1 and "boxes_uri has no effect on own_table" in said
    with pytest.raises(ChexoneError, match="set check=false to write a manifest"):
        prepare(settings(own(tmp_path)))


def test_settings_of_a_source_without_effect_are_refused(tmp_path: Path) -> None:
    mimic = SourceConfig(
        adapter="mimic_cxr_jpg", uri="unused", boxes_uri="unused", uncertain="u-ones"
    )
    assert not list(problems(settings(mimic, own(tmp_path, uncertain="u-ones"))))
    nih = SourceConfig(
        adapter="nih_chestxray14",
        uri="unused",
        boxes_uri="unused",
        images_uri="unused",
        uncertain="u-zeros",
    )
    assert [problem.partition(",")[0] for problem in problems(settings(nih))] == [
        "images_uri has no effect on nih_chestxray14",
        "boxes_uri has no effect on nih_chestxray14",
        'uncertain="u-zeros" has no effect on nih_chestxray14',
    ]
    with pytest.raises(ChexoneError, match="images_uri has no effect on nih_chestxray14"):
        read_sources(settings(nih))


def test_the_digest_is_of_all_tables_and_empty_without_the_archive(tmp_path: Path) -> None:
    header = "image_id,rad_id,class_name,x_min,y_min,x_max,y_max"
    annotations = tmp_path / "vindr" / "annotations" / "annotations_train.csv"
    write(annotations, header, "a,R1,No finding,,,,")
    vindr = SourceConfig(adapter="vindr_cxr", uri=str(tmp_path / "vindr"))
    write(tmp_path / "own" / "studies.csv", "image,study", "a.png,s1")
    both = archive_digest(settings(vindr, own(tmp_path / "own")))
    assert both not in ("", archive_digest(settings(vindr)))
    nlm = SourceConfig(adapter="nlm_tb", uri=str(tmp_path))
    assert archive_digest(settings(vindr, nlm)) == archive_digest(settings(vindr))
    boxed = own(tmp_path / "own", boxes_uri=str(tmp_path / "vindr"))
    assert archive_digest(settings(boxed)) not in (
        "",
        archive_digest(settings(own(tmp_path / "own"))),
    )
    annotations.unlink()
    assert archive_digest(settings(vindr, own(tmp_path / "own"))) == "", "all its tables may lack"
    assert archive_digest(settings(boxed)) == ""


@pytest.mark.parametrize(
    ("adapter", "file"),
    [
        ("openi", "ecgen-radiology/2.xml"),
        ("rad_restruct", "val_qa_pairs/2.json"),
        ("nih_chestxray14", "test_list.txt"),
        ("chexpert_plus", "chexbert_labels/report_fixed.json"),
        ("rsna_pneumonia", "pneumonia-challenge-dataset-mappings_2018.json"),
    ],
)
def test_files_that_decide_splits_and_labels_are_in_the_digest(
    tmp_path: Path, adapter: Any, file: str
) -> None:
    for name in (
        "Data_Entry_2017.csv",
        "df_chexpert_plus_240401.csv",
        "stage_2_train_labels.csv",
        "stage_2_detailed_class_info.csv",
        "ecgen-radiology/1.xml",
        "id_to_img_mapping_frontal_reports.json",
    ):
        write(tmp_path / name)
    config = settings(SourceConfig(adapter=adapter, uri=str(tmp_path)))
    before = archive_digest(config)
    write(tmp_path / file, "[]")
    added = archive_digest(config)
    write(tmp_path / file, "[1]")
    assert len({"", before, added, archive_digest(config)}) == 4
