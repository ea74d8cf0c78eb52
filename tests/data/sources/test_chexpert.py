"""CheXpert v1, CheXpert Plus and BRAX, which have the same 14 labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import (
    chexpert,
)
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.errors import ChexoneError
from tests.data.sources.replicas import LABEL_HEADER, by_name, cells, write


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
