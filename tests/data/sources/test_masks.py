"""SIIM-ACR and CANDID-PTX: masks coded as run lengths."""

from __future__ import annotations

from pathlib import Path

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.registry import SOURCES
from tests.data.sources.replicas import read, write


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
        {"pneumothorax": 1, "chest tube": 1},
    ]
    assert [(box.label, box.xyxy) for box in found[1].pixel_boxes] == [
        ("pneumothorax", (10, 20, 14, 25)),
        ("chest tube", (10, 20, 14, 25)),
    ]
