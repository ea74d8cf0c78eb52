"""Made-up archives of the sets of films with labels or boxes, one function a set.

Each has, where its layout allows them: a negative, a study of several boxes, a film without a file,
an uncertain label, an odd view, a 16-bit PNG or packed DICOM, text beyond ASCII, a row that is
there twice and one that cannot be read. No row says only what another one says, but for those of
`all_replicas.TOGETHER`.
"""

from __future__ import annotations

import json
from pathlib import Path

from chexone_ray.data.sources import ranzcr_clip
from chexone_ray.metrics.labeller import LABELS
from tests.data.sources.replica_films import shoot, shoot_deep
from tests.data.sources.replicas import LABEL_HEADER, cells, write, write_rows


def write_chexpert(root: Path) -> None:
    header = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{LABEL_HEADER}"
    top = "CheXpert-v1.0-small"
    sick = cells(edema="-1.0", pleural_effusion="1.0")
    twice = f"{top}/train/patient00001/study1/view1_frontal.jpg,Male,60,Frontal,AP,{sick}"
    write(
        root / "train.csv",
        header,
        twice,
        f"{top}/train/patient00001/study1/view2_lateral.jpg,Male,60,Lateral,,{sick}",
        twice,
        f"{top}/train/patient00002/study1/view1_frontal.jpg,Féminin,60,Frontal,LL,{cells()}",
        f"{top}/train/patient00003/study1/view1_frontal.jpg,Male,5,Frontal,PA,"
        + cells(no_finding="1.0"),
        f"nowhere.jpg,Male,60,Frontal,AP,{cells()}",
    )
    write(
        root / "valid.csv",
        header,
        f"{top}/valid/patient64541/study1/view1_frontal.jpg,Male,60,Frontal,PA,"
        + cells(pneumonia="0.0"),
    )
    write(
        root / "test_labels.csv",
        f"Path,{LABEL_HEADER.replace('Lung Opacity', 'Airspace Opacity')}",
        "test/patient64741/study1/view1_frontal.jpg," + cells(lung_opacity="1.0"),
    )
    shoot(
        *(
            root / place / "view1_frontal.jpg"
            for place in (
                "train/patient00001/study1",
                "train/patient00002/study1",
                "valid/patient64541/study1",
                "test/patient64741/study1",
            )
        ),
        root / "train/patient00001/study1/view2_lateral.jpg",
    )


def write_vindr(root: Path, folder: str = "annotations") -> None:
    write(
        root / folder / "annotations_train.csv",
        "image_id,rad_ID,class_name,x_min,y_min,x_max,y_max",
        "a,R1,Nodule/Mass,10,10,20,20",
        "a,R2,Nodule/Mass,11,11,21,21",
        "a,R1,Cardiomegaly,30,40,70,80",
        "a,R1,Cardiomegaly,30,40,70,80",
        "b,R1,Pleural effusion,50,50,9,9",
        "c,R1,No finding,,,,",
        "unlisted,R1,Nodule/Mass,1,1,9,9",
        ",R1,Nodule/Mass,1,1,9,9",
    )
    write(
        root / folder / "image_labels_train.csv",
        "image_id,rad_ID,Nodule/Mass,Cardiomegaly,No finding",
        "a,R1,1,1,0",
        "a,R2,1,0,0",
        "a,R3,0,0,1",
        "a,R3,0,0,1",
        "b,R1,0,0,0",
        "c,R1,0,0,1",
        "ü,R1,0,0,1",
        ",R1,0,0,1",
    )
    write(
        root / folder / "annotations_test.csv",
        "image_id,class_name,x_min,y_min,x_max,y_max",
        "t,Nodule/Mass,1,2,30,40",
        "t,Pneumothorax,5,5,50,60",
        "n,No finding,,,,",
    )
    shoot(*(root / "train" / f"{name}.dicom" for name in "abü"))
    shoot(root / "test" / "t.dicom", root / "test" / "n.dicom")


def write_vindr_pcxr(root: Path) -> None:
    write_vindr(root, "")


def write_vinbigdata(root: Path) -> None:
    write(
        root / "train.csv",
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max",
        "a,Nodule/Mass,8,R1,10,10,20,20",
        "a,Nodule/Mass,8,R2,11,11,21,21",
        "a,Nodule/Mass,8,R2,11,11,21,21",
        "a,Pleural effusion,10,R1,50,50,90,90",
        "b,ILD,5,Ř3,,50,90,90",
        "c,No finding,14,R1,,,,",
        "d,ILD,5,R2,40,40,60,60",
        "gone,No finding,14,R1,,,,",
        ",No finding,14,R1,,,,",
    )
    shoot(*(root / "train" / f"{name}.dicom" for name in "abcd"))


def write_padchest(root: Path) -> None:
    write_rows(
        root / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv",
        ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,Projection,Report,Labels",
        "0; a.png; 1; 20100101; s1; p1; PA; neumonía; ['pneumonia', 'pleural effusion', ]",
        "1; b.png; 1; 20100101; s1; p1; L; neumonía; ['pneumonia', 'pleural effusion', ]",
        "2; a.png; 1; 20100101; s1; p1; PA; neumonía; ['pneumonia', 'pleural effusion', ]",
        "3; c.png; 2; 20120101; s2; p1; AP_horizontal; ; ['normal']",
        "4; d.png; 2; 20130101; s3; p2; COSTAL; ; ['normal']",
        "5; e.png; 2; 20130101; s4; p3; PA; ; ['unchanged']",
        "6; f.png; 2; 20130101; s5; p4; PA; ; __import__('os').abort()",
        "7; ; 2; 20130101; s6; p5; PA; ; ['normal']",
        "8; g.png; 2; 20130101; s7; p6; PA; ; ['exclude']",
    )
    for name in ("1/a.png", "1/b.png", "2/c.png", "2/e.png"):
        shoot_deep(root / name)


def write_bimcv(root: Path) -> None:
    write_rows(
        root / "derivatives" / "labels" / "Labels_covid_NEG_JAN21.tsv",
        ",PatientID,ReportID,Report,Labels,Localizations",
        "0; sub-S01; ses-E02; neumonía; ['pneumonia', 'COVID 19']; []",
        "1; sub-S01; ses-E01; dudoso; ['covid 19 uncertain', 'pleural effusion']; []",
        "2; sub-S02; ses-E03; normal; ['normal']; []",
        "2; sub-S02; ses-E03; normal; ['normal']; []",
        "3; sub-S03; ses-E04; ct; ['normal']; []",
        "4; sub-S04; ses-E05; roto; broken(); []",
        "5; ; ses-E06; ; []; []",
        delimiter="\t",
    )
    for where in (
        "sub-S01/ses-E02/mod-rx/sub-S01_ses-E02_run-1_bp-chest_vp-pa_cr.png",
        "sub-S01/ses-E01/mod-rx/sub-S01_ses-E01_run-1_bp-chest_cr.png",
        "sub-S02/ses-E03/mod-rx/sub-S02_ses-E03_run-1_bp-chest_vp-ap_cr.png",
        "sub-S04/ses-E05/mod-rx/sub-S04_ses-E05_run-1_bp-chest_vp-ll_cr.png",
        "sub-S09/ses-E09/mod-rx/sub-S09_ses-E09_run-1_bp-chest_vp-pa_cr.png",
    ):
        shoot_deep(root / where)


def write_brax(root: Path) -> None:
    columns = "PngPath,DicomPath,PatientID,PatientSex,AccessionNumber,StudyDate,ViewPosition"
    states = cells(edema="-1.0", pleural_effusion="1.0")
    first = f"png/a.png,dicom/a.dcm,p1,M,s1,20100101,PA,{states}"
    write(
        root / "master_spreadsheet_update.csv",
        f"{columns},{','.join(label.title() for label in LABELS)}",
        first,
        f"png/b.png,dicom/b.dcm,p1,M,s1,20100101,L,{states}",
        first,
        f"png/ç.png,dicom/c.dcm,p2,F,s2,20100102,AP LLD,{cells(no_finding='1.0')}",
        f"png/d.png,dicom/d.dcm,p3,F,s3,20100102,AP,{cells(pneumonia='0.0')}",
        f",,p4,F,s4,20100102,AP,{cells()}",
    )
    shoot(root / "png/a.png", root / "png/b.png", root / "png/ç.png")


def write_nih(root: Path) -> None:
    write(
        root / "Data_Entry_2017_v2020.csv",
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],",
        "00000002_000.png,No Finding,0,2,057Y,M,PA,2500,2048,0.168,0.168,",
        "00000002_001.png,Effusion|Infiltration,1,2,058Y,M,AP,2500,2048,0.168,0.168,",
        "00000002_000.png,No Finding,0,2,057Y,M,PA,2500,2048,0.168,0.168,",
        "00000003_000.png,Cardiomegaly|Plëura,0,3,40,F,PA,2500,2048,0.168,0.168,",
        "00000004_000.png,Nodule,0,4,40,F,XX,2500,2048,0.168,0.168,",
        ",Nodule,0,5,40,F,PA,2500,2048,0.168,0.168,",
    )
    write(
        root / "BBox_List_2017.csv",
        "Image Index,Finding Label,Bbox [x,y,w,h],,,",
        "00000002_001.png,Infiltrate,10.5,20.0,50.25,60.0,,,",
        "00000002_001.png,Effusion,10,20,30,40,,,",
        "00000002_001.png,Effusion,10,20,,40,,,",
        "00000099_000.png,Nodule,1,2,3,4,,,",
    )
    write(root / "train_val_list.txt", "00000002_000.png", "00000002_001.png", "00000077_000.png")
    write(root / "test_list.txt", "00000003_000.png", "00000004_000.png")
    shoot(*(root / f"images_001/images/{n}.png" for n in ("00000002_000", "00000003_000")))
    shoot_deep(root / "images_002/images/00000002_001.png")


def write_rsna(root: Path) -> None:
    write(
        root / "stage_2_train_labels.csv",
        "patientId,x,y,width,height,Target",
        "a,10,20,30,40,1",
        "a,50.5,60,10,20,1",
        "a,10,20,30,40,1",
        "b,,,,,0",
        "b,,,,,0",
        "c,,,,,0",
        "d,10,20,0,40,1",
        "stranger,1,2,3,4,1",
        "stranger,,,,,0",
    )
    write(
        root / "stage_2_detailed_class_info.csv",
        "patientId,class",
        "a,Lung Opacity",
        "a,Lung Opacity",
        "b,Normal",
        "c,No Lung Opacity / Not Normal",
        "d,Lung Opacity",
        "e,Größe",
    )
    films = {"a": "00000012_003.png", "b": "00000012_001.png", "c": "00000013_000.png"}
    known = [{"subset_img_id": key, "img_id": name} for key, name in films.items()]
    others = [{"subset_img_id": "zz", "img_id": "00000009_000.png"}, {"img_id": "odd"}, 5]
    mapping = json.dumps([*known, *known[:1], *others])
    write(root / "pneumonia-challenge-dataset-mappings_2018.json", mapping)
    shoot(*(root / f"stage_2_train_images/{name}.dcm" for name in "abd"))


def runs(column: int, row: int, width: int, height: int) -> str:
    """A rectangle of a 1024 x 1024 mask as SIIM-ACR codes it."""
    gap = f" {1024 - height} {height}"
    return f"{column * 1024 + row} {height}" + gap * (width - 1)


def write_siim(root: Path) -> None:
    write(
        root / "train-rle.csv",
        "ImageId, EncodedPixels",
        f"a, {runs(100, 200, 50, 80)}",
        f"a, {runs(700, 300, 40, 60)}",
        f"a, {runs(100, 200, 50, 80)}",
        "b, -1",
        "ü, oops",
        "gone, -1",
        ", -1",
    )
    shoot(*(root / f"dicom-images-train/s/t/{name}.dcm" for name in "abü"), side=1024)


def write_object_cxr(root: Path) -> None:
    write(
        root / "train.csv",
        "image_name,annotation",
        "a.jpg,0 10 20 30 40;2 5 5 9 5 7 11;9 1 2 3 4",
        "b.jpg,",
        "a.jpg,",
        "ä.jpg,1 30 10 20 12",
        "gone.jpg,",
        ",0 1 2 3 4",
    )
    write(root / "dev.csv", "image_name,annotation", "c.jpg,1 30 10 20 12")
    shoot(*(root / "train" / f"{name}.jpg" for name in "abä"), root / "dev" / "c.jpg")


def write_ranzcr(root: Path) -> None:
    columns = [name for names in ranzcr_clip.DEVICES.values() for name in names]

    def row(name: str, patient: str, *present: str, odd: str = "0") -> str:
        states = ["1" if column in present else odd for column in columns]
        return ",".join([name, *states, patient])

    first = row("1.1", "p1", "ETT - Borderline", "CVC - Normal", "CVC - Abnormal")
    write(
        root / "train.csv",
        ",".join(["StudyInstanceUID", *columns, "PatientID"]),
        first,
        first,
        row("1.2", "pä"),
        row("1.3", "p3", "NGT - Incompletely Imaged"),
        row("1.4", "p4", odd="?"),
        row("", "p5"),
    )
    write_rows(
        root / "train_annotations.csv",
        "StudyInstanceUID,label,data",
        "1.1; ETT - Borderline; [[40, 10], [44, 30], [42, 50]]",
        "1.1; CVC - Normal; [[60, 10], [50, 40]]",
        "1.1; CVC - Abnormal; [[20, 10], [50, 60]]",
        "1.1; CVC - Abnormal; [[20, 10], [50, 60]]",
        "1.3; NGT - Incompletely Imaged; [[20, 10],",
        "1.3; Größe; [[20, 10], [50, 60]]",
        "9.9; CVC - Normal; [[60, 10], [50, 40]]",
        "; CVC - Normal; [[60, 10], [50, 40]]",
    )
    shoot(root / "train/1.1.jpg", root / "train/1.2.jpg")


def write_covidx(root: Path) -> None:
    write(
        root / "train.txt",
        "12 a.png positive rsna",
        "José María b.png negative cohen",
        "12 a.png positive rsna",
        "13 c.png maybe rsna",
        "14 d.png",
        "15 gone.png negative rsna",
    )
    write(root / "test.txt", "16 e.png normal rsna", "17 f.png pneumonia rsna")
    shoot(root / "train/a.png", root / "train/b.png", root / "test/e.png")
    shoot_deep(root / "test/f.png")


def write_nlm_tb(root: Path) -> None:
    shoot(*(root / f"CXR_png/MCUCXR_{n:04}_{n % 2}.png" for n in range(1, 4)))
    shoot(root / "CXR_png/CHNCXR_0001_1.png", root / "CXR_png/MCUCXR_0001_0.png")
    shoot_deep(root / "CXR_png/CHNCXR_0002_0.png")
    write(root / "CXR_png/Größe.txt", "no film")


def write_tbx11k(root: Path) -> None:
    names = ("ActiveTuberculosis", "ObsoletePulmonaryTuberculosis", "PulmonaryTuberculosis")
    categories = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    files = ("tb/tb0001.png", "health/h0001.png", "sick/ß0001.png", "tb/tb0002.png", "tb/gone.png")
    images: list[object] = [
        {"id": number, "file_name": name} for number, name in enumerate(files, start=1)
    ]
    images += [images[0], {"id": 9}, "odd"]
    marks = [
        {"image_id": image, "category_id": category, "bbox": box}
        for image, category, box in (
            (1, 1, [10, 20, 30, 40.5]),
            (1, 2, [50, 50, 20, 20]),
            (1, 2, [50, 50, 20, 20]),
            (4, 3, [1, 2, 30, 40]),
            (4, 9, [1, 2, 3, 4]),
            (99, 1, [1, 2, 3, 4]),
        )
    ]
    for part, found, boxes in (
        ("train", images, marks),
        ("val", [{"id": 1, "file_name": "sick/s9.png"}], []),
    ):
        content = {"categories": categories, "images": found, "annotations": boxes}
        write(root / f"annotations/json/TBX11K_{part}.json", json.dumps(content))
    shoot(*(root / "imgs" / name for name in (*files[:4], "sick/s9.png")))


def write_jsrt(root: Path) -> None:
    def line(name: str, size: str, x: str) -> str:
        return "\t".join([name, "5", size, "60", "男", x, "40", "malignant", "l.upper", "cancer"])

    write(
        root / "CLNDAT_EN.txt",
        line("JPCLN001.IMG", "3", "50"),
        line("JPCLN002.IMG", "2", "60"),
        line("JPCLN001.IMG", "3", "50"),
        line("JPCLN003.IMG", "", "60"),
        line("notes", "3", "50"),
    )
    write(root / "CNNDAT_EN.TXT", "JPCNN001.IMG 50 Female", "JPCNN002.IMG 51 Male")
    shoot(*(root / f"Nodule/JPCLN00{n}.png" for n in (1, 2, 3)))
    shoot_deep(root / "JPCNN001.png")
