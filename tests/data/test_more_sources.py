"""Adapters on made-up replicas with the traps of each release; numbers worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from chexone_ray import cli, loader
from chexone_ray.config import Adapter, PrepareConfig, SourceConfig
from chexone_ray.data.build import read_sources
from chexone_ray.data.facts import facts
from chexone_ray.data.sources import (
    chexpert,
    nih_chestxray14,
    ranzcr_clip,
    rsna_pneumonia,
)
from chexone_ray.data.sources.registry import SOURCES, overlapping
from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.labeller import LABELS
from chexone_ray.records import ImageRef, Study

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"
DOCS = Path(__file__).parents[2] / "docs" / "data.md"


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def by_name(found: list[Study]) -> dict[str, Study]:
    return {study.study: study for study in found}


@pytest.fixture
def nih(tmp_path: Path) -> Path:
    write(
        tmp_path / "Data_Entry_2017_v2020.csv",
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],",
        "00000002_001.png,Effusion|Infiltration,1,2,058Y,M,AP,2500,2048,0.168,0.168,",
        "00000002_000.png,No Finding,0,2,057Y,M,PA,2500,2048,0.168,0.168,",
        "00000002_000.png,No Finding,0,2,057Y,M,PA,2500,2048,0.168,0.168,",
        "00000003_000.png,Cardiomegaly|Plëura,0,3,40,F,PA,2500,2048,0.168,0.168,",
        "00000004_000.png,Nodule,0,4,40,F,XX,2500,2048,0.168,0.168,",
        ",Nodule,0,5,40,F,PA,2500,2048,0.168,0.168,",
    )
    write(
        tmp_path / "BBox_List_2017.csv",
        "Image Index,Finding Label,Bbox [x,y,w,h],,,",
        "00000002_001.png,Infiltrate,100.5,200.0,50.25,60.0,,,",
        "00000002_001.png,Effusion,10,20,30,40,,,",
        "00000002_001.png,Effusion,10,20,,40,,,",
        "00000099_000.png,Nodule,1,2,3,4,,,",
    )
    write(tmp_path / "train_val_list.txt", "00000002_000.png", "00000002_001.png")
    write(tmp_path / "test_list.txt", "00000004_000.png")
    write(tmp_path / "images_002" / "images" / "00000002_001.png", "")
    return tmp_path


def test_nih_labels_boxes_lists_and_what_is_left_out(nih: Path) -> None:
    source = SourceConfig(adapter="nih_chestxray14", uri=str(nih))
    found, dropped = nih_chestxray14.studies(source, archive_splits=True)
    assert [item.study.study for item in found] == [
        "00000002_000",
        "00000002_001",
        "00000003_000",
        "00000004_000",
    ]
    assert dropped == {
        "duplicate_row": 1,
        "row_without_id": 1,
        "unknown_label": 1,
        "box_row": 1,
        "box_without_image": 1,
    }
    first, second, odd, nodule = (item.study for item in found)
    assert (first.patient, first.date, first.archive_split) == ("00000002", "0000", "train_val")
    assert first.labels["no finding"] == 1 and first.labels["pleural effusion"] == 0
    assert {name for name, state in second.labels.items() if state} == {
        "pleural effusion",
        "infiltration",
    }
    assert len(second.labels) == 15
    assert odd.labels == {} and odd.archive_split == ""
    assert (nodule.images[0].view, nodule.archive_split) == ("", "test")
    boxes = [(box.label, box.xyxy) for box in found[1].pixel_boxes]
    assert boxes == [
        ("infiltration", (100.5, 200.0, 150.75, 260.0)),
        ("pleural effusion", (10.0, 20.0, 40.0, 60.0)),
    ]
    assert second.images[0].uri == str(nih / "images_002/images/00000002_001.png")
    assert first.images[0].uri == str(nih / "images/00000002_000.png"), "to be counted as missing"
    assert not nih_chestxray14.studies(source, archive_splits=False)[0][0].study.archive_split
    (nih / "test_list.txt").unlink()
    assert nih_chestxray14.studies(source, archive_splits=False)[0]
    with pytest.raises(ChexoneError, match=r"/test_list\.txt is missing .* archive_splits=false"):
        nih_chestxray14.studies(source, archive_splits=True)
    (nih / "train_val_list.txt").unlink()
    assert not nih_chestxray14.studies(source, archive_splits=True)[0][0].study.archive_split


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/real is absent")
def test_nih_reads_the_true_tables() -> None:
    source = SourceConfig(adapter="nih_chestxray14", uri=str(REAL / "nih_chestxray14"))
    found, dropped = nih_chestxray14.studies(source, archive_splits=True)
    assert len(found) > 400
    assert dropped["unknown_label"] == dropped["row_without_id"] == dropped["box_row"] == 0
    first = by_name([item.study for item in found])["00000001_000"]
    assert first.labels["cardiomegaly"] == 1 and sum(v or 0 for v in first.labels.values()) == 1
    assert first.images[0].uri.endswith("images/00000001_000.png")
    old = SourceConfig(adapter="nih_chestxray14", uri=str(REAL / "nih_chestxray14_sample"))
    assert nih_chestxray14.studies(old, archive_splits=True)[0]


LABEL_HEADER = ",".join(label.title() for label in LABELS)


def cells(**states: str) -> str:
    return ",".join(states.get(label.replace(" ", "_"), "") for label in LABELS)


@pytest.fixture
def stanford(tmp_path: Path) -> Path:
    root = "CheXpert-v1.0-small"
    header = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{LABEL_HEADER}"
    state = cells(edema="-1.0", pleural_effusion="1.0", fracture="0.0")
    write(
        tmp_path / "train.csv",
        header,
        f"{root}/train/patient00001/study2/view2_lateral.jpg,Male,60,Lateral,,{state}",
        f"{root}/train/patient00001/study2/view1_frontal.jpg,Male,60,Frontal,AP,{state}",
        f"{root}/train/patient00001/study2/view1_frontal.jpg,Male,60,Frontal,AP,{state}",
        f"{root}/train/patient00002/study1/view1_frontal.jpg,Féminin,60,Frontal,LL,{cells()}",
        f"nowhere.jpg,Male,60,Frontal,AP,{cells()}",
    )
    write(
        tmp_path / "valid.csv",
        header,
        f"{root}/valid/patient64541/study1/view1_frontal.jpg,Male,60,Frontal,PA,"
        + cells(no_finding="1.0"),
    )
    write(
        tmp_path / "test_labels.csv",
        f"Path,{LABEL_HEADER.replace('Lung Opacity', 'Airspace Opacity')}",
        "test/patient64741/study1/view1_frontal.jpg," + cells(lung_opacity="1.0"),
        "test/patient64741/study1/view2_lateral.jpg," + cells(lung_opacity="1.0"),
    )
    return tmp_path


def test_chexpert_views_labels_and_parts(stanford: Path) -> None:
    source = SourceConfig(adapter="chexpert", uri=str(stanford))
    found, dropped = chexpert.studies(source, archive_splits=True)
    assert dropped == {"duplicate_row": 1, "row_without_id": 1}
    studies = by_name([item.study for item in found])
    assert {name: study.archive_split for name, study in studies.items()} == {
        "patient00001/study2": "train",
        "patient00002/study1": "train",
        "patient64541/study1": "validate",
        "patient64741/study1": "test",
    }
    two = studies["patient00001/study2"]
    assert [image.view for image in two.images] == ["AP", "lateral"]
    assert two.images[0].uri == str(stanford / "train/patient00001/study2/view1_frontal.jpg")
    assert (two.labels["edema"], two.labels["pleural effusion"]) == (-1, 1)
    assert (two.labels["fracture"], two.labels["pneumonia"]) == (0, None)
    assert studies["patient00002/study1"].images[0].view == "frontal"
    expert = studies["patient64741/study1"]
    assert [image.view for image in expert.images] == ["frontal", "lateral"]
    assert expert.labels["lung opacity"] == 1


@pytest.mark.parametrize(
    ("policy", "edema"), [("keep", -1), ("u-zeros", 0), ("u-ones", 1), ("u-ignore", None)]
)
def test_policies_for_uncertain_labels(stanford: Path, policy: str, edema: int | None) -> None:
    source = SourceConfig(adapter="chexpert", uri=str(stanford), uncertain=policy)  # type: ignore[arg-type]
    config = PrepareConfig(output_uri="unused", sources=(source,))
    ((study,), *_) = [p for p in read_sources(config)[0] if p[0].study.patient == "patient00001"]
    assert study.study.labels["edema"] == edema
    assert study.study.labels["pleural effusion"] == 1 and study.study.labels["fracture"] == 0
    # The report hedges as the label does, and says more than the labels.
    told = study.complete(
        {0: ImageRef("x.jpg", "PA", "current", 10, 10)},
        "FINDINGS: Possible edema. Possible pneumonia. Pleural effusion. No pneumothorax.",
    )
    known = {name: fact.state for name, fact in facts(told, 0).items()}
    hedged = {"edema": edema, "pneumonia": edema}
    expected = {"fracture": 0, "pleural effusion": 1, "pneumothorax": 0} | hedged
    assert known == {name: state for name, state in expected.items() if state is not None}


def test_rsna_classes_and_boxes(tmp_path: Path) -> None:
    write(
        tmp_path / "stage_2_train_labels.csv",
        "patientId,x,y,width,height,Target",
        "b,10,20,30,40,1",
        "b,50.5,60,10,20,1",
        "b,10,20,30,40,1",
        "b,10,20,0,40,1",
        "a,,,,,0",
        "zz,1,2,3,4,1",
    )
    write(
        tmp_path / "stage_2_detailed_class_info.csv",
        "patientId,class",
        "b,Lung Opacity",
        "b,Lung Opacity",
        "a,Normal",
        "c,No Lung Opacity / Not Normal",
        "d,Größe",
    )
    source = SourceConfig(adapter="rsna_pneumonia", uri=str(tmp_path))
    found, dropped = rsna_pneumonia.studies(source, archive_splits=True)
    assert [item.study.study for item in found] == ["a", "b", "c"]
    assert dropped == {"box_row": 2, "duplicate_row": 1, "unknown_label": 1}
    assert [box.xyxy for box in found[1].pixel_boxes] == [(10, 20, 40, 60), (50.5, 60, 60.5, 80)]
    assert found[0].study.labels == {"lung opacity": 0, "no finding": 1}
    assert found[2].study.labels == {"lung opacity": 0, "no finding": 0}
    assert found[2].study.boxed == ("lung opacity",) and not found[2].study.boxes_complete
    assert found[0].study.images[0].uri == str(tmp_path / "stage_2_train_images/a.dcm")
    (tmp_path / "stage_2_detailed_class_info.csv").unlink()
    with pytest.raises(ChexoneError, match=r"detailed_class_info\.csv\[\.gz\] is missing"):
        rsna_pneumonia.studies(source, archive_splits=True)


def test_rsna_films_of_one_patient_of_nih(nih: Path, tmp_path: Path) -> None:
    write(tmp_path / "stage_2_train_labels.csv", "patientId,x,y,width,height,Target")
    rows = (f"{name},Normal" for name in "abcd")
    write(tmp_path / "stage_2_detailed_class_info.csv", "patientId,class", *rows)
    mapping = tmp_path / "pneumonia-challenge-dataset-mappings_2018.json"
    films = {"a": "00000004_003.png", "b": "00000004_001.png", "c": "odd", "zz": "00000009_000.png"}
    told = [{"subset_img_id": key, "img_id": name} for key, name in films.items()]
    mapping.write_text(json.dumps([*told, {"img_id": "00000009_000.png"}, 5]))
    rsna = SourceConfig(adapter="rsna_pneumonia", uri=str(tmp_path))
    found, dropped = rsna_pneumonia.studies(rsna, archive_splits=True)
    patients = {item.study.study: item.study.patient for item in found}
    assert patients == {"a": "00000004", "b": "00000004", "c": "c", "d": "d"}
    assert dropped == {"unparsable_row": 3, "film_without_patient": 2}
    other = SourceConfig(adapter="nih_chestxray14", uri=str(nih))
    config = PrepareConfig(output_uri="unused", sources=(rsna, other))
    (shared,) = (p for p in read_sources(config)[0] if p[0].study.patient == "00000004")
    assert {(item.study.dataset, item.study.archive_split) for item in shared} == {
        ("rsna_pneumonia", "test"),
        ("nih_chestxray14", "test"),
    }
    mapping.write_text("{}")
    with pytest.raises(ChexoneError, match="is no JSON list of films"):
        rsna_pneumonia.studies(rsna, archive_splits=True)
    mapping.write_text("[")
    with pytest.raises(ChexoneError, match="is no JSON "):
        rsna_pneumonia.studies(rsna, archive_splits=True)
    mapping.unlink()
    found, _ = rsna_pneumonia.studies(rsna, archive_splits=True)
    assert [item.study.patient for item in found] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("label", ["Pneumonia", "Lung Opacity", "No Finding"])
def test_all_14_labels_are_needed(stanford: Path, tmp_path: Path, label: str) -> None:
    source = SourceConfig(adapter="chexpert", uri=str(stanford))
    table = stanford / "train.csv"
    table.write_text(table.read_text().replace(label, "Other", 1))
    with pytest.raises(ChexoneError, match=rf'train\.csv has no column "{label}"'):
        chexpert.studies(source, archive_splits=True)
    header = "PngPath,DicomPath,PatientID,AccessionNumber,StudyDate,ViewPosition"
    labels = LABEL_HEADER.replace(label, "Other")
    write(tmp_path / "master_spreadsheet.csv", f"{header},{labels}")
    with pytest.raises(ChexoneError, match=f'has no column "{label}"'):
        SOURCES["brax"].read(SourceConfig(adapter="brax", uri=str(tmp_path)), True)


def test_every_adapter_is_a_setting_and_documented() -> None:
    assert set(get_args(Adapter)) == set(SOURCES)
    text = DOCS.read_text()
    for name, spec in SOURCES.items():
        section = text.partition(f"## {spec.title}")[2].partition("\n## ")[0]
        assert f"`{name}`" in section and spec.access in section, name
        assert f'adapter = "{name}"' in section, name
        for table in spec.tables:
            assert any(file.rpartition("/")[2] in section for file in table.names), table


def test_archives_of_the_same_films_are_refused(tmp_path: Path) -> None:
    from chexone_ray.data.build import prepare

    assert overlapping(["chexpert", "nih_chestxray14", "vindr_cxr", "chexpert"]) == []
    sources = tuple(
        SourceConfig(adapter=name, uri=str(tmp_path))
        for name in ("siim_acr", "vindr_cxr", "rsna_pneumonia")
    )
    config = PrepareConfig(output_uri=str(tmp_path / "out"), sources=sources)
    with pytest.raises(ChexoneError, match="rsna_pneumonia and siim_acr hold the same films"):
        prepare(config)
    with pytest.raises(ChexoneError, match="is missing"):
        prepare(config.model_copy(update={"allow_overlap": True}))


def test_check_tells_what_is_missing(
    nih: Path, stanford: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(adapter: str, uri: Path) -> tuple[int, str]:
        table = f"[{{adapter = '{adapter}', uri = '{uri}'}}]"
        words = ["--check", "--output_uri", "unused", "--sources", table]
        config = loader.load(PrepareConfig, loader.parse(words))
        return cli.run("prepare", config), capsys.readouterr().out

    code, said = check("nih_chestxray14", nih)
    assert code == 1
    assert "4 studies; left out: 1 box_row, 1 box_without_image, 1 duplicate_row" in said
    assert "FAIL  images         1 of 4 are there: fetch the other 3" in said
    for name in ("00000002_000", "00000003_000", "00000004_000"):
        write(nih / "images_001" / "images" / f"{name}.png", "")
    assert check("nih_chestxray14", nih)[0] == 0
    (nih / "Data_Entry_2017_v2020.csv").write_text("Image Index,Finding Labels\n")
    code, said = check("nih_chestxray14", nih)
    assert code == 1 and 'has no column "Follow-up #"' in said
    assert "skip  images" in said
    (stanford / "train.csv").unlink()
    code, said = check("chexpert", stanford)
    assert code == 1 and "FAIL  train.csv      missing: put train.csv under" in said


def test_chexpert_plus_sections_labels_and_suffixes(tmp_path: Path) -> None:
    write(
        tmp_path / "df_chexpert_plus_240401.csv",
        "path_to_image,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,"
        "section_findings,section_impression,section_clinical_history,section_comparison,split",
        'train/patient1/study7/view1_frontal.jpg,Frontal,AP,patient1,2,"\n",'
        "Small  effusion.,Fièvre,,train",
        "train/patient1/study7/view2_lateral.jpg,Lateral,,patient1,2,,Small  effusion.,,,train",
        "train/patient1/study3/view1_frontal.jpg,Frontal,PA,patient1,1,Clear lungs.,,,None,train",
        "train/patient1/study3/view1_frontal.jpg,Frontal,PA,patient1,1,Clear lungs.,,,None,train",
        "valid/patient2/study1/view1_frontal.jpg,Frontal,,patient2,1,,,,,valid",
        ",Frontal,AP,patient3,1,,,,,train",
    )
    write(
        tmp_path / "chexbert_labels" / "report_fixed.json",
        '{"path_to_image": "train/patient1/study7/view1_frontal.jpg", "Edema": -1.0, '
        '"Pleural Effusion": 1.0, "Fracture": null}',
        "{broken",
    )
    write(tmp_path / "PNG/train/patient1/study7/view1_frontal.png", "")
    source = SourceConfig(adapter="chexpert_plus", uri=str(tmp_path))
    found, dropped = SOURCES["chexpert_plus"].read(source, True)
    assert [item.study.study for item in found] == [
        "patient1/study3",
        "patient1/study7",
        "patient2/study1",
    ]
    assert dropped == {"duplicate_row": 1, "row_without_id": 1, "unparsable_row": 1}
    first, second, valid = (item.study for item in found)
    assert first.date < second.date, "the reports' order makes the first the prior of the second"
    assert (first.findings, first.comparison, first.images[0].view) == (
        "Clear lungs.",
        "None",
        "PA",
    )
    assert (second.findings, second.impression) == ("", "Small effusion.")
    assert second.indication == "Fièvre"
    assert (second.labels["edema"], second.labels["pleural effusion"]) == (-1, 1)
    assert second.labels["fracture"] is None
    assert second.images[0].uri == str(tmp_path / "PNG/train/patient1/study7/view1_frontal.jpg"), (
        "`prepare` tries the other suffixes"
    )
    assert (valid.archive_split, valid.images[0].view) == ("valid", "frontal")


def test_padchest_lists_projections_and_dates(tmp_path: Path) -> None:
    write(
        tmp_path / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv",
        ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,Projection,Labels",
        "0,b.png,0,20110102,s2,p1,L,\"['pleural effusion', ' cardiomegaly ', ]\"",
        "1,a.png,0,20110102,s2,p1,AP_horizontal,\"['pleural effusion', 'cardiomegaly']\"",
        "1,a.png,0,20110102,s2,p1,AP_horizontal,\"['pleural effusion', 'cardiomegaly']\"",
        "2,c.png,3,20100102,s1,p1,PA,['normal']",
        "3,d.png,3,20100102,s3,p2,PA,__import__('os').abort()",
        "4,e.png,3,20100102,s4,p3,COSTAL,['normal']",
        "5,f.png,3,20100102,s5,p4,PA,\"['niño', 'unchanged']\"",
        "6,,3,20100102,s6,p5,PA,['normal']",
    )
    source = SourceConfig(adapter="padchest", uri=str(tmp_path))
    found, dropped = SOURCES["padchest"].read(source, True)
    assert [item.study.study for item in found] == ["s1", "s2", "s3", "s5"]
    assert dropped == {
        "duplicate_row": 1,
        "labels_not_all_named": 1,
        "projection_not_used": 1,
        "row_without_id": 1,
        "unknown_label": 1,
    }
    normal, two, odd, other = (item.study for item in found)
    assert (normal.labels["no finding"], normal.labels["nodule"]) == (1, 0)
    assert [(image.view, image.uri) for image in two.images] == [
        ("AP", str(tmp_path / "0/a.png")),
        ("lateral", str(tmp_path / "0/b.png")),
    ]
    assert {name for name, state in two.labels.items() if state} == {
        "pleural effusion",
        "cardiomegaly",
    }
    assert odd.labels == {} and other.labels == {}


def test_brax_reads_whichever_images_are_there(tmp_path: Path) -> None:
    header = f"PngPath,DicomPath,PatientID,AccessionNumber,StudyDate,ViewPosition,{LABEL_HEADER}"
    write(
        tmp_path / "master_spreadsheet_update.csv",
        header,
        f"images/a.png,dicom/a.dcm,pá,x1,20200102,PA,{cells(edema='-1.0')}",
        f"images/b.png,dicom/b.dcm,pá,x1,20200102,RL,{cells(edema='-1.0')}",
        f"images/b.png,dicom/b.dcm,pá,x1,20200102,RL,{cells(edema='-1.0')}",
        f"images/c.png,dicom/c.dcm,pá,x0,20190102,AP LLD,{cells(no_finding='1')}",
        f",,pb,x3,20190102,AP,{cells()}",
    )
    write(tmp_path / "dicom" / "a.dcm", "")
    source = SourceConfig(adapter="brax", uri=str(tmp_path))
    found, dropped = SOURCES["brax"].read(source, True)
    assert [item.study.study for item in found] == ["x0", "x1"]
    assert dropped == {"duplicate_row": 1, "row_without_id": 1}
    assert [image.view for image in found[1].study.images] == ["PA", "lateral"]
    assert found[1].study.images[0].uri == str(tmp_path / "dicom/a.dcm")
    assert found[1].study.labels["edema"] == -1 and found[0].study.images[0].view == ""


def test_siim_runs_are_relative_and_go_down_the_columns(tmp_path: Path) -> None:
    from chexone_ray.data.sources import siim_acr

    # 8 x 8, gap 9 then 2 down: rows 1-2 of column 1; gap 6 then 2: rows 1-2 of column 2.
    mask = siim_acr.decode_runs("9 2 6 2", size=8)
    assert mask is not None and sorted(zip(*map(list, mask.nonzero()), strict=True)) == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
    ]
    for bad in ("9 2 6", "9 x", "", "60 9", "-3 4"):
        assert siim_acr.decode_runs(bad, size=8) is None, bad
    size = siim_acr.SIZE
    block = " ".join([f"{10 * size + 20} 5", *[f"{size - 5} 5"] * 3])  # columns 10-13, rows 20-24
    far = " ".join([f"{500 * size + 7} 4", *[f"{size - 4} 4"] * 3])  # columns 500-503, rows 7-10
    speck = f"{900 * size} 2"
    write(
        tmp_path / "train-rle.csv",
        "ImageId, EncodedPixels",
        f"b, {block}",
        f"b, {far}",
        f"b, {speck}",
        f"b, {block}",
        "a, -1",
        "ü, oops",
        ", -1",
    )
    write(tmp_path / "dicom-images-train/s/t/b.dcm", "")
    source = SourceConfig(adapter="siim_acr", uri=str(tmp_path))
    found, dropped = SOURCES["siim_acr"].read(source, True)
    assert [item.study.study for item in found] == ["a", "b"]
    assert dropped == {"duplicate_row": 1, "row_without_id": 1, "unparsable_row": 1}
    assert found[0].study.labels == {"pneumothorax": 0} and not found[0].pixel_boxes
    assert found[0].study.boxed == ("pneumothorax",) and not found[0].study.boxes_complete
    assert found[1].study.labels == {"pneumothorax": 1}
    assert [box.xyxy for box in found[1].pixel_boxes] == [(10, 20, 14, 25), (500, 7, 504, 11)]
    assert found[1].study.images[0].uri == str(tmp_path / "dicom-images-train/s/t/b.dcm")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_of_your_own(tmp_path: Path, kind: str) -> None:
    if kind == "csv":
        write(
            tmp_path / "studies.csv",
            "image,study,patient,date,view,split,report,label:Edema,boxes",
            'a/1.png,s1,p1,2020,PA,train,"FINDINGS: Größe normal. IMPRESSION: None.",0,',
            "a/2.dcm,s1,p1,2020,lateral,train,,,"
            '"[{""label"": ""Nodule"", ""xyxy"": [1, 2, 5, 9]}]"',
            "a/2.dcm,s1,p1,2020,lateral,train,,,",
            "s3://films/3.png,s0,p1,2019,Frontal,train,,-1,[{]",
            ",s9,p1,2019,PA,train,,,",
        )
    else:
        write(
            tmp_path / "studies.jsonl",
            '{"image": "a/1.png", "study": "s1", "patient": "p1", "date": 2020, "view": "PA", '
            '"split": "train", "report": "FINDINGS: Größe normal. IMPRESSION: None.", '
            '"labels": {"Edema": 0}}',
            '{"image": "a/2.dcm", "study": "s1", "view": "lateral", '
            '"boxes": [{"label": "Nodule", "xyxy": [1, 2, 5, 9]}]}',
            '{"image": "a/2.dcm", "study": "s1", "view": "lateral"}',
            '{"image": "s3://films/3.png", "study": "s0", "patient": "p1", "date": 2019, '
            '"view": "Frontal", "split": "train", "labels": {"Edema": -1}}',
            "[]",
            '{"study": "s9"}',
        )
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    found, dropped = SOURCES["own_table"].read(source, True)
    assert dropped == {"duplicate_row": 1, "row_without_id": 1, "unparsable_row": 1}
    earlier, later = found
    assert (earlier.study.study, earlier.study.date) == ("s0", "2019")
    assert earlier.study.images[0].uri == "s3://films/3.png"
    assert earlier.study.images[0].view == "frontal" and earlier.study.labels == {"edema": -1}
    assert [image.view for image in later.study.images] == ["PA", "lateral"]
    assert (later.study.patient, later.study.archive_split) == ("p1", "train")
    assert later.study.labels == {"edema": 0}
    assert [(b.label, b.xyxy, b.image) for b in later.pixel_boxes] == [("nodule", (1, 2, 5, 9), 1)]
    sized = (replace(image, width=10, height=20) for image in later.study.images)
    whole = later.complete(dict(enumerate(sized)), "")
    assert whole.boxes[0].xyxy == pytest.approx((0.1, 0.1, 0.5, 0.45))
    assert (whole.findings, whole.impression) == ("Größe normal.", "None.")


def test_a_table_of_your_own_that_is_wrong(tmp_path: Path) -> None:
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    with pytest.raises(ChexoneError, match=r"studies\.csv\[\.gz\] is missing"):
        SOURCES["own_table"].read(source, True)
    write(tmp_path / "studies.csv", "image,study,split", "a.png,s,evaluation")
    with pytest.raises(ChexoneError, match='split "evaluation": use train, validate or test'):
        SOURCES["own_table"].read(source, True)
    write(tmp_path / "studies.csv", "picture,study", "a.png,s")
    with pytest.raises(ChexoneError, match='has no column "image"'):
        SOURCES["own_table"].read(source, True)


def test_rexgradient_paths_views_and_priors(tmp_path: Path) -> None:
    def entry(**changes: object) -> dict[str, object]:
        return {
            "PatientID": "p1",
            "StudyDate": "20200102",
            "Findings": "Clear\n lungs, größer.",
            "Impression": None,
            "ImagePath": ["../deid_png/p1/a/b.png", "../deid_png/p1/a/c.png"],
            "ImageViewPosition": ["POSTERO_ANTERIOR", None],
        } | changes

    path = ["../deid_png/p1/a/b.png"] * 2
    studies = {
        "s2": entry(),
        "s1": entry(StudyDate="20190102", ImagePath=path, ImageViewPosition=["LL"]),
        "s3": entry(PatientID=""),
        "s4": None,
    }
    folder = tmp_path / "metadata"
    write(folder / "train_metadata_view_position.json", json.dumps(studies))
    write(folder / "valid_metadata_view_position.json", json.dumps({"v": entry(PatientID="p2")}))
    source = SourceConfig(adapter="rexgradient", uri=str(tmp_path))
    found, dropped = SOURCES["rexgradient"].read(source, True)
    assert [item.study.study for item in found] == ["s1", "s2", "v"]
    assert dropped == {"duplicate_row": 1, "row_without_id": 2}
    earlier, later, valid = (item.study for item in found)
    assert earlier.date < later.date and earlier.images[0].view == "lateral"
    assert [image.view for image in later.images] == ["PA", ""]
    assert later.images[1].uri == str(tmp_path / "deid_png/p1/a/c.png")
    assert (later.findings, later.impression) == ("Clear lungs, größer.", "")
    assert (later.archive_split, valid.archive_split) == ("train", "valid")
    write(folder / "test_metadata_view_position.json", "[]")
    with pytest.raises(ChexoneError, match="is no JSON object by study"):
        SOURCES["rexgradient"].read(source, True)


def test_openi_views_and_redactions(tmp_path: Path) -> None:
    write(
        tmp_path / "indiana_reports.csv",
        "uid,MeSH,Problems,image,indication,comparison,findings,impression",
        '1,normal,normal,X,XXXX-year-old,None.,"Größe normal, XXXX clear.",Normal.',
        "1,normal,normal,X,,,Again.,",
        "2,normal,normal,X,,,No film.,",
    )
    write(
        tmp_path / "indiana_projections.csv",
        "uid,filename,projection",
        "1,1_IM-0001-4001.dcm.png,Lateral",
        "1,1_IM-0001-3001.dcm.png,Frontal",
        "1,1_IM-0001-3001.dcm.png,Frontal",
        "3,3_IM-1.dcm.png,Frontal",
        ",4.png,Frontal",
    )
    write(tmp_path / "images_normalized" / "1_IM-0001-3001.dcm.png", "")
    source = SourceConfig(adapter="openi", uri=str(tmp_path))
    ((study,), dropped) = SOURCES["openi"].read(source, True)
    assert dropped == {
        "duplicate_row": 2,
        "row_without_id": 1,
        "row_without_report": 1,
        "study_without_image": 1,
    }
    assert study.study.findings == "Größe normal, ___ clear."
    assert study.study.indication == "___-year-old"
    assert [image.view for image in study.study.images] == ["frontal", "lateral"]
    assert "/images_normalized/" in study.study.images[0].uri
    assert study.study.images[1].uri == str(tmp_path / "images/1_IM-0001-4001.dcm.png")


def test_vinbigdata_merges_readers(tmp_path: Path) -> None:
    write(
        tmp_path / "train.csv",
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max",
        "b,Nodule/Mass,8,R1,10,10,20,20",
        "b,Nodule/Mass,8,R2,11,10,21,20",
        "b,Nodule/Mass,8,R2,11,10,21,20",
        "b,Pleural effusion,10,R1,50,50,90,90",
        "b,Pleural effusion,10,Ř3,,50,90,90",
        "a,No finding,14,R1,,,,",
    )
    source = SourceConfig(adapter="vinbigdata", uri=str(tmp_path))
    (normal, found), dropped = SOURCES["vinbigdata"].read(source, True)
    assert dropped == {"box_row": 1}
    assert normal.study.labels == {"nodule or mass": 0, "pleural effusion": 0, "no finding": 1}
    assert normal.study.boxes_complete
    assert found.study.labels == {"nodule or mass": 1, "pleural effusion": 1, "no finding": 0}
    assert not found.study.boxes_complete, "a box of it is lost"
    assert [(box.label, box.xyxy) for box in found.pixel_boxes] == [
        ("nodule or mass", (10, 10, 21, 20)),
        ("pleural effusion", (50, 50, 90, 90)),
    ]
    assert found.study.images[0].uri == str(tmp_path / "train/b.dicom")


def test_object_cxr_outlines(tmp_path: Path) -> None:
    write(
        tmp_path / "train.csv",
        "image_name,annotation",
        "b.jpg,0 10 20 30 40;2 5 5 9 5 7 11;9 1 2 3 4;1 4 4",
        "b.jpg,",
        "ä.jpg,",
        ",0 1 2 3 4",
    )
    write(tmp_path / "dev.csv", "image_name,annotation", "c.jpg,1 30 10 20 12")
    source = SourceConfig(adapter="object_cxr", uri=str(tmp_path))
    found, dropped = SOURCES["object_cxr"].read(source, True)
    assert [item.study.study for item in found] == ["c", "b", "ä"]
    assert dropped == {"box_row": 2, "duplicate_row": 1, "row_without_id": 1}
    assert [box.xyxy for box in found[1].pixel_boxes] == [(10, 20, 30, 40), (5, 5, 9, 11)]
    assert [item.study.labels["foreign object"] for item in found] == [1, 1, 0]
    assert {item.study.boxed for item in found} == {("foreign object",)}
    assert (found[0].study.archive_split, found[0].pixel_boxes[0].xyxy) == ("dev", (20, 10, 30, 12))


def test_candid_masks_and_reports(tmp_path: Path) -> None:
    size = 1024
    block = " ".join([f"{10 * size + 20} 5", *[f"{size - 5} 5"] * 3])
    write(
        tmp_path / "Pneumothorax_reports.csv",
        "SOPInstanceUID,StudyInstanceUID,EncodedPixels,Report",
        f'1.2,9.1,{block},"Größe normal.\n\nPneumothorax."',
        f'1.2,9.1,{block},"Größe normal."',
        "1.3,9.2,-1,Clear.",
        "1.4,9.3,odd,Clear.",
        ",9.4,-1,Clear.",
    )
    write(tmp_path / "Rib_fracture_mask_rle.csv", "anon_SOPUID,mask_rle", f"1.3,{block}")
    write(tmp_path / "dicom" / "1.2.dcm", "")
    source = SourceConfig(adapter="candid_ptx", uri=str(tmp_path))
    found, dropped = SOURCES["candid_ptx"].read(source, True)
    assert [item.study.study for item in found] == ["1.2", "1.3", "1.4"]
    assert dropped == {"duplicate_row": 1, "row_without_id": 1, "unparsable_row": 1}
    assert [item.study.labels for item in found] == [
        {"pneumothorax": 1},
        {"pneumothorax": 0, "fracture": 1},
        {},
    ]
    assert [item.study.boxed for item in found] == [
        ("pneumothorax",),
        ("pneumothorax", "fracture"),
        (),
    ]
    assert [(box.label, box.xyxy) for box in found[1].pixel_boxes] == [
        ("fracture", (10, 20, 14, 25))
    ]
    assert found[0].study.images[0].uri == str(tmp_path / "dicom/1.2.dcm")
    assert found[0].report.startswith("Größe normal.")


def test_nlm_tb_names(tmp_path: Path) -> None:
    for name in ("MCUCXR_0001_0.png", "CHNCXR_0327_1.png", "Thümbs.db", "deep/CHNCXR_0327_1.png"):
        write(tmp_path / "CXR_png" / name, "")
    source = SourceConfig(adapter="nlm_tb", uri=str(tmp_path))
    found, dropped = SOURCES["nlm_tb"].read(source, True)
    assert [(item.study.study, item.study.labels) for item in found] == [
        ("CHNCXR_0327", {"tuberculosis": 1}),
        ("MCUCXR_0001", {"tuberculosis": 0}),
    ]
    assert dropped == {"duplicate_row": 1, "file_of_another_name": 1}
    with pytest.raises(ChexoneError, match=r"holds no MCUCXR_\*\.png"):
        SOURCES["nlm_tb"].read(SourceConfig(adapter="nlm_tb", uri=str(tmp_path / "no")), True)


def test_covidx_lines(tmp_path: Path) -> None:
    write(
        tmp_path / "train.txt",
        "12 a.png positive rsna",
        "José María b.png negative cohen",
        "12 a.png positive rsna",
        "13 c.png maybe rsna",
        "14 d.png",
        "",
    )
    write(tmp_path / "test.txt", "15 e.png normal rsna")
    source = SourceConfig(adapter="covidx", uri=str(tmp_path))
    found, dropped = SOURCES["covidx"].read(source, True)
    assert [item.study.study for item in found] == ["test/e.png", "train/a.png", "train/b.png"]
    assert dropped == {"duplicate_row": 1, "unknown_label": 1, "unparsable_row": 1}
    normal, positive, negative = (item.study for item in found)
    assert normal.labels == {"covid-19": 0, "pneumonia": 0, "no finding": 1}
    assert (positive.patient, negative.patient) == ("rsna/12", "cohen/José María")
    assert (negative.labels, normal.archive_split) == ({"covid-19": 0}, "test")


def test_ranzcr_devices(tmp_path: Path) -> None:
    columns = [name for names in ranzcr_clip.DEVICES.values() for name in names]

    def row(name: str, patient: str, *present: str, odd: str = "0") -> str:
        cells = ["1" if column in present else odd for column in columns]
        return ",".join([name, *cells, patient])

    write(
        tmp_path / "train.csv",
        ",".join(["StudyInstanceUID", *columns, "PatientID"]),
        row("1.2", "pb", "ETT - Borderline", "CVC - Normal", "CVC - Abnormal"),
        row("1.2", "pb", "ETT - Borderline"),
        row("1.1", "pä"),
        row("1.3", "pc", odd="?"),
        row("", "pd"),
    )
    source = SourceConfig(adapter="ranzcr_clip", uri=str(tmp_path))
    found, dropped = SOURCES["ranzcr_clip"].read(source, True)
    assert dropped == {"duplicate_row": 1, "row_without_id": 1, "unparsable_row": 1}
    assert [item.study.study for item in found] == ["1.2", "1.1"]
    assert found[0].study.labels == {
        "endotracheal tube": 1,
        "nasogastric tube": 0,
        "central venous catheter": 1,
        "swan-ganz catheter": 0,
    }
    assert not any(found[1].study.labels.values())
