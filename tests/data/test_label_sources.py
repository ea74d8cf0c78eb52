"""More sets of labels and boxes, and captions, on made-up replicas worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.config import ImageConfig
from chexone_ray.data.sources import roco
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.records import Box, ImageRef, Study
from tests.data.replicas import film, png16, read, write, write_mimic, write_rows


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    return write_mimic(tmp_path / "mimic")


# --- VinDr-PCXR and CXR-LT -----------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "annotations"])
def test_vindr_pcxr_reads_as_its_sister(tmp_path: Path, folder: str) -> None:
    write(
        tmp_path / folder / "annotations_train.csv",
        "image_id,rad_ID,class_name,x_min,y_min,x_max,y_max,class_id",
        "b,R1,Bronchial thickening,10,20,30,40,1",
        "b,R1,Bronchial thickening,10,20,30,40,1",
        "b,R1,Ghost,30,20,10,40,2",
        "a,R1,No finding,,,,,0",
    )
    write(
        tmp_path / folder / "image_labels_train.csv",
        "image_id,rad_ID,No finding,Bronchitis",
        "b,R1,0.0,1.0",
        "a,R1,1.0,0.0",
        "ü,R1,1.0,0.0",
    )
    write(
        tmp_path / folder / "annotations_test.csv",
        "image_id,class_name,x_min,y_min,x_max,y_max",
        "t,Bronchitis,1,2,3,4",
    )
    write(tmp_path / "train" / "a.dicom", "")
    found, dropped = read("vindr_pcxr", tmp_path)
    assert [(p.study.study, p.study.archive_split) for p in found] == [
        ("a", "train"),
        ("b", "train"),
        ("t", "test"),
        ("ü", "train"),
    ]
    assert dropped == {"box_row": 1}
    assert found[0].study == Study(
        dataset="vindr_pcxr",
        patient="a",
        study="a",
        images=(ImageRef(str(tmp_path / "train" / "a.dicom")),),
        archive_split="train",
        labels={"no finding": 1, "bronchitis": 0},
        boxes_complete=True,
    )
    assert found[1].pixel_boxes == (Box("bronchial thickening", (10, 20, 30, 40)),)
    assert found[0].default_view == "frontal" and not found[3].study.boxes_complete


def test_cxr_lt_labels_by_name(tmp_path: Path, mimic: Path) -> None:
    write(
        tmp_path / "train_labeled.csv",
        "dicom_id,subject_id,study_id,ViewPosition,age,Adenopathy,Normal,Fibrosis,Edema",
        "a1-b,10000001,50000001,LATERAL,61,1.0,0.0,,-1",
        "a1-a,10000001,50000001,AP,61,1.0,0.0,,-1",
        "a1-a,10000001,50000001,AP,61,1.0,0.0,,-1",
        "é1,10000002,50000003,XX,61,0,1,0,0",
        ",10000002,50000003,PA,61,0,1,0,0",
    )
    write(tmp_path / "development.csv", "dicom_id,subject_id,study_id", "d,10000008,50000020")
    write(
        tmp_path / "test.csv",
        "dicom_id,subject_id,study_id,Tuberculosis",
        "t,10000009,50000021,1",
        "a2,10000001,50000001,1",
    )
    found, dropped = read("cxr_lt", tmp_path, mimic)
    assert dropped == {"duplicate_row": 2, "row_without_id": 1, "row_without_label": 1}
    first, normal, test = (item.study for item in found)
    assert first == Study(
        dataset="cxr_lt",
        patient="10000001",
        study="50000001",
        images=(
            ImageRef(film(mimic, "10000001", "50000001", "a1-a"), "AP"),
            ImageRef(film(mimic, "10000001", "50000001", "a1-b"), "lateral"),
        ),
        archive_split="train",
        labels={"adenopathy": 1, "edema": -1, "pulmonary fibrosis": None, "no finding": 0},
    )
    assert normal.labels["no finding"] == 1 and normal.images[0].view == ""
    assert (test.archive_split, test.labels) == ("test", {"tuberculosis": 1})


# --- labels and boxes ----------------------------------------------------------------------------


def test_bimcv_sessions_views_and_doubt(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "derivatives" / "labels" / "labels_covid_posi.tsv",
        ",PatientID,ReportID,Report,Labels,Localizations",
        "0; sub-S01; ses-E02; neumonía; ['pneumonia', 'COVID 19', ' loc right']; []",
        "1; sub-S01; ses-E01; dudoso; ['covid 19 uncertain', 'pleural effusion']; []",
        "2; sub-S02; ses-E03; normal; ['normal']; []",
        "2; sub-S02; ses-E03; normal; ['normal']; []",
        "3; sub-S03; ses-E04; ct; ['normal']; []",
        "4; sub-S04; ses-E05; roto; __import__('os').abort(); []",
        "5; ; ses-E06; ; []; []",
        delimiter="\t",
    )

    def place(subject: str, session: str, name: str) -> Path:
        return tmp_path / subject / session / "mod-rx" / f"{subject}_{session}_{name}.png"

    png16(place("sub-S01", "ses-E02", "run-1_bp-chest_vp-pa_cr"))
    for where in (
        place("sub-S01", "ses-E02", "run-2_bp-chest_vp-ll_dx"),
        place("sub-S01", "ses-E01", "run-1_bp-chest_cr"),
        place("sub-S02", "ses-E03", "run-1_bp-chest_vp-ap_cr"),
        place("sub-S04", "ses-E05", "run-1_bp-chest_vp-xx_cr"),
        place("sub-S09", "ses-E09", "run-1_bp-chest_vp-pa_cr"),
        tmp_path / "sub-S03" / "ses-E04" / "mod-ct" / "slice.png",
    ):
        write(where, "")
    found, dropped = read("bimcv_covid19", tmp_path)
    assert dropped == {
        "duplicate_row": 1,
        "film_without_row": 1,
        "row_without_id": 1,
        "study_without_film": 1,
        "unknown_label": 1,
    }
    doubt, sure, normal, odd = (item.study for item in found)
    assert (doubt.patient, doubt.study) == ("sub-S01", "sub-S01/ses-E01")
    assert [image.view for image in sure.images] == ["PA", "lateral"]
    assert sure.images[0].uri == str(place("sub-S01", "ses-E02", "run-1_bp-chest_vp-pa_cr"))
    assert (sure.labels["covid-19"], sure.labels["pneumonia"], sure.labels["nodule"]) == (1, 1, 0)
    assert (doubt.labels["covid-19"], doubt.labels["pleural effusion"]) == (-1, 1)
    assert doubt.images[0].view == ""
    assert (normal.labels["covid-19"], normal.labels["no finding"]) == (0, 1)
    assert odd.labels == {} and not sure.findings


def test_tbx11k_kinds_of_tuberculosis(tmp_path: Path) -> None:
    categories = [
        {"id": 1, "name": "ActiveTuberculosis"},
        {"id": 2, "name": "ObsoletePulmonaryTuberculosis"},
        {"id": 3, "name": "PulmonaryTuberculosis"},
    ]

    def mark(image: int, category: int, *bbox: object) -> dict[str, object]:
        return {"image_id": image, "category_id": category, "bbox": list(bbox)}

    train = {
        "categories": categories,
        "images": [
            {"id": 1, "file_name": "tb/tb0001.png"},
            {"id": 2, "file_name": "imgs/health/h0001.png"},
            {"id": 3, "file_name": "sick/ß0001.png"},
            {"id": 4, "file_name": "tb/tb0002.png"},
            {"id": 5, "file_name": "tb/tb0003.png"},
            {"id": 6},
        ],
        "annotations": [
            mark(1, 1, 100, 50, 60.5, 70),
            mark(1, 2, 10, 20, 30, 40),
            mark(1, 2, 10, 20, 30, 40),
            mark(4, 3, 1, 2, 3, 4),
            mark(4, 9, 1, 2, 3, 4),
            mark(4, 1, 1, 2, "x", 4),
            mark(99, 1, 1, 2, 3, 4),
            "odd",
        ],
    }
    val = {
        "categories": categories,
        "images": [
            {"id": 1, "file_name": "sick/s9.png"},
            {"id": 2, "file_name": "tb/tb0001.png"},
        ],
        "annotations": [],
    }
    folder = tmp_path / "annotations" / "json"
    write(folder / "TBX11K_train.json", json.dumps(train))
    write(folder / "TBX11K_val.json", json.dumps(val))
    found, dropped = read("tbx11k", tmp_path)
    assert dropped == {"box_row": 3, "duplicate_row": 2, "row_without_id": 1}
    healthy, val_sick, sick, both, doubt, unboxed = found
    kinds = ("active tuberculosis", "latent tuberculosis", "tuberculosis", "no finding")

    def states(item: PendingStudy) -> list[int | None]:
        return [item.study.labels.get(kind) for kind in kinds]

    assert both.study == Study(
        dataset="tbx11k",
        patient="tb/tb0001",
        study="tb/tb0001",
        images=(ImageRef(str(tmp_path / "imgs/tb/tb0001.png")),),
        archive_split="train",
        labels=dict(zip(kinds, (1, 1, 1, 0), strict=True)),
        boxes_complete=True,
    )
    assert both.pixel_boxes == (
        Box("active tuberculosis", (100, 50, 160.5, 120)),
        Box("latent tuberculosis", (10, 20, 40, 60)),
    )
    assert states(healthy) == [0, 0, 0, 1] and states(sick) == [0, 0, 0, 0]
    assert states(doubt) == [None, None, 1, 0] and states(unboxed) == [None, None, 1, 0]
    assert doubt.pixel_boxes == (Box("tuberculosis", (1, 2, 4, 6)),)
    assert not unboxed.study.boxes_complete and val_sick.study.archive_split == "val"
    write(folder / "TBX11K_val.json", "[]")
    with pytest.raises(ChexoneError, match="is no COCO file"):
        read("tbx11k", tmp_path)


def test_jsrt_nodules_become_squares(tmp_path: Path) -> None:
    rows = [
        "JPCLN001.IMG\t5\t35\t53\tMale\t1000\t700\tmalignant\tl.upper lobe\tBüchner",
        "JPCLN002.IMG\t2\t?\t60\tFemale\t500\t600\tbenign\tr.lower lobe\tscar",
        "JPCLN001.IMG\t5\t35\t53\tMale\t1000\t700\tmalignant\tl.upper lobe\tx",
        "notes",
        "",
    ]
    (tmp_path / "CLNDAT_EN.txt").write_bytes("\r".join(rows).encode())
    write(tmp_path / "CNNDAT_EN.TXT", "JPCNN001.IMG 23 female non-nodule", "")
    write(tmp_path / "films" / "JPCLN001.IMG", "")
    write(tmp_path / "converted" / "JPCNN001.png", "")
    found, dropped = read("jsrt", tmp_path)
    assert dropped == {"box_row": 1, "duplicate_row": 1, "row_without_id": 1}
    first, unknown, normal = found
    assert first.study == Study(
        dataset="jsrt",
        patient="JPCLN001",
        study="JPCLN001",
        images=(ImageRef(str(tmp_path / "films/JPCLN001.IMG")),),
        labels={"nodule": 1, "no finding": 0},
        boxes_complete=True,
    )
    (box,) = first.pixel_boxes  # 35 mm are 200 pixels
    assert box.label == "nodule" and box.xyxy == pytest.approx((900, 600, 1100, 800))
    assert not unknown.pixel_boxes and not unknown.study.boxes_complete
    assert unknown.study.images[0].uri == str(tmp_path / "JPCLN002.IMG"), "counted as missing"
    assert normal.study.labels == {"nodule": 0, "no finding": 1} and normal.study.boxes_complete
    assert normal.study.images[0].uri == str(tmp_path / "converted/JPCNN001.png")


def test_jsrt_films_without_a_header() -> None:
    words = np.full((2048, 2048), 4095, ">u2")
    words[:, 1024:] = 0
    data = words.tobytes()
    config = ImageConfig()
    assert images.size(data) == (2048, 2048)
    decoded = images.decode(data, config)
    assert decoded.provenance == {"format": "JSRT", "bits": 12}
    middle = decoded.pixels[decoded.pixels.shape[0] // 2]
    assert (middle[5].tolist(), middle[-5].tolist()) == ([0, 0, 0], [255, 255, 255])
    words[0, 0] = 4096
    for wrong in (words.tobytes(), data[:-2], data + b"\0\0"):
        with pytest.raises(ImageError):
            images.decode(wrong, config)
    small = ImageConfig.model_validate({"max_source_pixels": 1_000_000})
    with pytest.raises(ImageError, match="2048x2048 pixels"):
        images.decode(data, small)


@pytest.mark.parametrize(
    ("caption", "chest"),
    [
        ("Chest X-ray showing a cavity.", True),
        ("Posteroanterior radiograph of the chest.", True),
        ("Initial CXR with a left effusion.", True),
        ("Plain film: both lungs are clear.", True),
        ("Chest CT after the chest radiograph.", False),
        ("Radiograph of the knee.", False),
        ("Chest wall on ultrasound, X-ray normal.", False),
        ("Thoracic spine radiograph.", False),
        ("Effusion of the chest.", False),
    ],
)
def test_roco_captions_tell_a_chest_film(caption: str, chest: bool) -> None:
    assert roco.is_chest_film(caption) is chest


@pytest.mark.parametrize("folder", ["", "data"])
def test_roco_keeps_chest_films(tmp_path: Path, folder: str) -> None:
    write(
        tmp_path / folder / "train" / "radiology" / "captions.txt",
        "ROCO_00002\t Chest radiograph:  große Kaverne.",
        "ROCO_00002\t Chest radiograph again.",
        "ROCO_00003\tAxial CT of the abdomen.",
        "ROCO_00004",
        "",
    )
    write(
        tmp_path / folder / "validation" / "radiology" / "captions.txt",
        "ROCO_00001\tA chest x-ray.",
    )
    found, dropped = read("roco", tmp_path)
    assert dropped == {"caption_of_another_image": 1, "duplicate_row": 1, "unparsable_row": 1}
    first, second = (item.study for item in found)
    assert (first.study, first.archive_split) == ("ROCO_00001", "validation")
    assert second == Study(
        dataset="roco",
        patient="ROCO_00002",
        study="ROCO_00002",
        images=(ImageRef(str(tmp_path / folder / "train/radiology/images/ROCO_00002.jpg")),),
        archive_split="train",
        caption="Chest radiograph: große Kaverne.",
    )
    with pytest.raises(ChexoneError, match=r"captions\.txt is missing"):
        read("roco", tmp_path / "nowhere")


def test_candid_chest_tubes(tmp_path: Path) -> None:
    size = 1024
    block = " ".join([f"{10 * size + 20} 5", *[f"{size - 5} 5"] * 3])
    write(
        tmp_path / "Pneumothorax_reports.csv",
        "SOPInstanceUID,StudyInstanceUID,EncodedPixels,Report",
        "1.1,9.1,-1,Clear.",
        f"1.2,9.2,{block},Größer.",
    )
    write(
        tmp_path / "chest_tube.csv",
        "anon_SOPUID,anon_anno_ref,mask_rle",
        f"1.2,x,{block}",
        f"1.2,x,{block}",
        "1.1,x,odd",
        f"1.3,x,{block}",
    )
    found, dropped = read("candid_ptx", tmp_path)
    assert dropped == {"unparsable_row": 1, "duplicate_row": 1, "mask_without_image": 1}
    assert [item.study.labels for item in found] == [
        {"pneumothorax": 0},
        {"pneumothorax": 1, "tube": 1},
    ]
    assert [(box.label, box.xyxy) for box in found[1].pixel_boxes] == [
        ("pneumothorax", (10, 20, 14, 25)),
        ("tube", (10, 20, 14, 25)),
    ]
