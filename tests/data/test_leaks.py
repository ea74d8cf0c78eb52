"""One split a patient over all data sets, and what that moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.build import read_sources
from chexone_ray.data.card import render
from chexone_ray.data.check import answer, check_lines
from chexone_ray.data.leaks import (
    Move,
    held_out,
    numbers_of,
    report,
    settle,
    unmatched,
    untold,
)
from chexone_ray.data.refuse import problems
from chexone_ray.data.shelf import Entry
from chexone_ray.data.sources import chest_imagenome
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.splits import assign
from chexone_ray.errors import ChexoneError


def entry(dataset: str, study: str, split: str) -> Entry:
    return Entry("p", "", study, dataset, split, 0, 0)


def test_every_patient_goes_to_its_most_held_out_split() -> None:
    first = [entry("mimic_cxr_jpg", "1", "train"), entry("mimic_cxr_jpg", "2", "train")]
    patients = {
        ("mimic", "a"): [*first, entry("ms_cxr", "3", "test"), entry("cxr_lt", "4", "")],
        ("mimic", "b"): [entry("mimic_cxr_jpg", "5", "validate"), entry("cxr_lt", "6", "train")],
        ("mimic", "c"): [entry("mimic_cxr_jpg", "7", "train")],
        ("mimic", "d"): [entry("cxr_lt", "8", "")],
        ("nih", "a"): [entry("nih_chestxray14", "9", "train_val")],
    }
    held = {("mimic", "c"): ("test", "ms_cxr_t"), ("mimic", "z"): ("test", "ms_cxr_t")}
    settled, moves = settle(patients, held)
    assert [one.split for one in settled] == ["test", "validate", "test", "", "train_val"]
    assert moves == {
        Move("mimic_cxr_jpg", "train", "test", "ms_cxr"): 2,
        Move("cxr_lt", "", "test", "ms_cxr"): 1,
        Move("cxr_lt", "train", "validate", "mimic_cxr_jpg"): 1,
        Move("mimic_cxr_jpg", "train", "test", "ms_cxr_t"): 1,
    }
    rows = report(moves)
    assert [row["studies"] for row in rows] == [1, 1, 2, 1]
    card = render({"counts": {"rows": 1}, "moved": rows})
    assert "| cxr_lt | none | test | ms_cxr | 1 |" in card


def test_only_the_patients_of_the_wanted_splits_are_read(tmp_path: Path) -> None:
    rows = ["image,study,patient,split"]
    rows += [f"{s}.png,{s},p{s[0]},{split}" for s, split in (("1a", "train"), ("1b", "test"))]
    rows += ["2.png,2,p2,train", "3.png,3,p3,validate", "4.png,4,p4,test", "5.png,5,p5,train"]
    (tmp_path / "studies.csv").write_text("\n".join(rows) + "\n")
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    config = PrepareConfig(output_uri="x", sources=(source,), splits=("test",))
    patients, letters, moves = read_sources(config)
    found = {item.study.study for studies in patients for item in studies}
    assert found == {"1a", "1b", "4"}, "a patient who is tested on is read whole"
    assert [(one.reason, one.place, one.count) for one in letters] == [
        ("study_of_other_split", "train", 2),
        ("study_of_other_split", "validate", 1),
    ]
    assert sum(moves.values()) == 1
    assert len(read_sources(config.model_copy(update={"splits": ()}))[0]) == 5
    hashed = config.model_copy(update={"archive_splits": False, "test_share": 0.0})
    with pytest.raises(ChexoneError, match="no patient of the archives is in splits test"):
        read_sources(hashed)
    whole = config.model_copy(update={"archive_splits": False, "test_share": 1.0})
    assert len(read_sources(whole)[0]) == 5
    mixed = config.model_copy(update={"mix": {"view": 0.5}})
    assert list(problems(mixed)) == [
        "mix is of training rows and has no effect without split train: drop it"
    ]


def test_reports_of_chexpert_follow_the_patients_of_both_its_releases() -> None:
    """RadGraph names them beside MIMIC's, under names of its own."""
    assert {numbers_of(name) for name in ("chexpert", "chexpert_plus")} == {"chexpert"}
    patients = {
        ("chexpert", "patient00007"): [
            entry("chexpert", "1", "train"),
            entry("chexpert_plus", "2", "train"),
        ],
        ("mimic", "chexpert/patient7/study1"): [entry("radgraph", "3", "test")],
        ("mimic", "chexpert/odd"): [entry("radgraph", "4", "test")],
        ("chexpert", "patient00008"): [entry("chexpert", "5", "train")],
    }
    settled, moves = settle(patients, {("chexpert", "patient00008"): ("test", "chexpert_plus")})
    assert [one.split for one in settled] == ["test", "test", "test", "test"]
    assert moves == {
        Move("chexpert", "train", "test", "radgraph"): 1,
        Move("chexpert_plus", "train", "test", "radgraph"): 1,
        Move("chexpert", "train", "test", "chexpert_plus"): 1,
    }


def test_films_that_no_split_can_keep_apart_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert unmatched(["chexpert", "chexpert_plus", "padchest", "roco"]) == ""
    told = (
        "rsna_pneumonia and siim_acr share films under other names, and nothing tells "
        "which: a film may be trained on in one and tested on in another"
    )
    assert unmatched(["siim_acr", "rsna_pneumonia", "roco"]) == told
    assert unmatched(["nih_chestxray14", "rsna_pneumonia"]) == (
        "only RSNA's mapping file tells which of its patients are NIH's"
    )
    assert unmatched(["slake", "nih_chestxray14", "roco", "pmc_vqa"]).startswith(
        "nih_chestxray14, pmc_vqa, roco and slake share"
    )
    sources = [
        {"adapter": name, "uri": "/nowhere", "uncertain": "keep"}
        for name in ("siim_acr", "rsna_pneumonia")
    ]
    card = render({"counts": {"rows": 1}, "config": {"sources": sources}})
    assert f"**{told[0].upper()}{told[1:]}.**" in card
    config = PrepareConfig.model_validate(
        {
            "output_uri": "unused-output",
            "sources": sources,
            "check": True,
            "allow_overlap": True,
        }
    )
    assert answer(config) == 1
    assert f"warn  leaks          {told}\n" in capsys.readouterr().out


def table(root: Path, name: str, *lines: str) -> Path:
    root.mkdir(exist_ok=True)
    (root / name).write_text("\n".join(lines) + "\n")
    return root


def own(root: Path, *rows: str) -> SourceConfig:
    return SourceConfig(
        adapter="own_table",
        uri=str(table(root, "studies.csv", "image,study,patient,split", *rows)),
    )


def test_a_set_to_be_tested_on_later_keeps_its_patients_out(tmp_path: Path) -> None:
    source = own(tmp_path / "all", "a.png,1,p1,train", "b.png,2,p2,train", "c.png,3,p3,test")
    later = own(tmp_path / "later", "x.png,8,p2,", "y.png,9,p1,train", "z.png,7,p4,test")
    config = PrepareConfig(output_uri="unused-output", sources=(source,), held_out=(later,))
    assert held_out(config) == {
        ("own_table", "p1"): ("test", "own_table"),
        ("own_table", "p2"): ("test", "own_table"),
        ("own_table", "p4"): ("test", "own_table"),
    }
    patients, _, moves = read_sources(config)
    splits = {i.study.patient: i.study.archive_split for studies in patients for i in studies}
    assert splits == {"p1": "test", "p2": "test", "p3": "test"}
    assert moves == {Move("own_table", "train", "test", "own_table"): 2}
    by_hash = config.model_copy(update={"archive_splits": False})
    hashed = {p[0].study.patient: p[0].study.archive_split for p in read_sources(by_hash)[0]}
    assert hashed == {"p1": "test", "p2": "test", "p3": ""}
    assert assign("p2", "test", 0, by_hash) == "test", "also where splits are by hash"


def test_what_chest_imagenome_trains_on_is_not_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20 GB of graphs none is read: the lists and the gold tables tell who is tested on."""

    def unread(*_: object) -> None:
        raise AssertionError("a scene graph was read")

    monkeypatch.setattr(chest_imagenome, "_graphs", unread)
    splits = tmp_path / "silver_dataset" / "splits"
    splits.mkdir(parents=True)
    gold = tmp_path / "gold_dataset"
    header = ",subject_id,study_id,dicom_id,path,ViewPosition"
    table(splits, "train.csv", header, "0,p1,s1,t1,x,AP", "1,p2,s2,t2,x,AP", "2,p3,s3,t3,x,AP")
    table(splits, "valid.csv", header, "0,p4,s4,v1,x,AP")
    table(splits, "test.csv", header, "0,p5,s5,e1,x,AP")
    table(splits, "images_to_avoid.csv", header, "0,p6,s6,a1,x,AP", "0,p4,s7,a2,x,AP")
    columns = "image_id\tbbox\tattribute\tsentence\tcoord_original"
    rows = [f"{name}\tleft lung\tx\tOpacity.\t[1,2,3,4]" for name in ("t2.dcm", "m1", "stray")]
    table(gold, "gold_object_attribute_with_coordinates.txt", columns, *rows)
    films = table(
        tmp_path / "films",
        "mimic-cxr-2.0.0-metadata.csv",
        "dicom_id,subject_id,study_id",
        "m1,p7,s8",
    )
    source = SourceConfig(adapter="mimic_cxr_jpg", uri="unused")
    later = SourceConfig(adapter="chest_imagenome", uri=str(tmp_path), images_uri=str(films))
    config = PrepareConfig(output_uri="unused-output", sources=(source,), held_out=(later,))
    split_of = {number: split for (_, number), (split, _) in held_out(config).items()}
    assert split_of == dict.fromkeys(("p2", "p4", "p5", "p6", "p7"), "test")
    (splits / "images_to_avoid.csv").unlink()
    assert held_out(config)["mimic", "p4"] == ("validate", "chest_imagenome")
    line = list(check_lines(later, SOURCES["chest_imagenome"], True, is_held_out=True))[-1]
    assert line.text().endswith("4 held out; left out: 1 film_not_found")
    for path in (*splits.iterdir(), *gold.iterdir()):
        path.unlink()
    with pytest.raises(ChexoneError, match=r"train\.csv is missing or empty"):
        held_out(config)


def test_test_sets_that_a_run_does_not_know_of_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    both = (
        "patients of MS-CXR, MS-CXR-T and Chest ImaGenome's gold part are in training: name them "
        "in held_out to test on those sets"
    )
    assert untold(["mimic_cxr_jpg"]) == untold(["cxr_lt", "padchest"]) == both
    assert untold(["mimic_cxr_jpg", "ms_cxr"], ["chest_imagenome", "ms_cxr_t"]) == ""
    assert untold(["mimic_cxr_jpg", "ms_cxr"], ["chest_imagenome"]) == (
        "patients of MS-CXR-T are in training: name them in held_out to test on that set"
    )
    assert untold(["padchest"]) == untold(["ms_cxr"]) == ""
    assert untold(["mimic_cxr_jpg"], ["chest_imagenome"]) == (
        "patients of MS-CXR and MS-CXR-T are in training: name them in held_out to test on those "
        "sets"
    )
    source = {"adapter": "mimic_cxr_jpg", "uri": "/nowhere", "uncertain": "keep"}
    card = render({"counts": {"rows": 1}, "config": {"sources": [source]}})
    assert f"**P{both[1:]}.**" in card
    config = PrepareConfig.model_validate(
        {"output_uri": "unused", "sources": [source], "check": True}
    )
    assert answer(config) == 1
    assert f"warn  leaks          {both}\n" in capsys.readouterr().out


def test_a_held_out_set_of_other_patients_is_refused(tmp_path: Path) -> None:
    source = own(tmp_path / "all", "a.png,1,p1,train")
    other = SourceConfig(adapter="nih_chestxray14", uri="unused")
    config = PrepareConfig(output_uri="unused-output", sources=(source,), held_out=(other,))
    assert list(problems(config)) == [
        "held_out nih_chestxray14 shares its patients with no source, so it keeps nobody out: "
        "remove it"
    ]


def test_a_held_out_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = own(tmp_path / "all", "a.png,1,p1,train")
    gone = SourceConfig(adapter="own_table", uri=str(tmp_path / "gone"))
    config = PrepareConfig(output_uri="unused-output", sources=(source,), held_out=(gone,))
    with pytest.raises(ChexoneError, match="gone"):
        read_sources(config)
    empty = config.model_copy(update={"held_out": (own(tmp_path / "empty", ",1,p1,test"),)})
    with pytest.raises(ChexoneError, match=r"^held_out own_table .* no study: mostly row_without"):
        read_sources(empty)
