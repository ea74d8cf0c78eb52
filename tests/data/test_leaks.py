"""One split a patient over all data sets, and what that moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.build import read_sources
from chexone_ray.data.card import render
from chexone_ray.data.check import answer
from chexone_ray.data.leaks import Move, held_out, report, settle, untold
from chexone_ray.data.refuse import problems
from chexone_ray.data.shelf import Entry
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.splits import assign
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Study


def item(dataset: str, study: str, split: str) -> PendingStudy:
    return PendingStudy(
        Study(dataset, "p", study, (ImageRef(f"{study}.png"),), archive_split=split)
    )


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
    found = [
        replace(
            item(name, name, split), study=replace(item(name, name, split).study, patient=split)
        )
        for name, split in (("chest_imagenome", s) for s in ("train", "validate", "test"))
    ]
    spec = replace(SOURCES["chest_imagenome"], read=lambda *_: (found, Losses()))
    monkeypatch.setitem(SOURCES, "chest_imagenome", spec)
    source = SourceConfig(adapter="mimic_cxr_jpg", uri="unused")
    later = SourceConfig(adapter="chest_imagenome", uri="unused", images_uri="unused")
    config = PrepareConfig(output_uri="unused-output", sources=(source,), held_out=(later,))
    assert held_out(config) == {
        ("mimic", "validate"): ("validate", "chest_imagenome"),
        ("mimic", "test"): ("test", "chest_imagenome"),
    }


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
