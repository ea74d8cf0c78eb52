"""Made-up archives of the sets with reports or captions; see `replicas_of_films`."""

from __future__ import annotations

import json
from pathlib import Path

from chexone_ray.metrics.labeller import LABELS
from tests.data.sources.replica_films import shoot, shoot_deep
from tests.data.sources.replicas import LABEL_HEADER, cells, film, write, write_rows
from tests.data.sources.replicas_of_films import runs

REPORT = (
    " INDICATION: Cough.\n\n FINDINGS:\n\n Größe normal. There is a small right pleural effusion.\n"
    " No pneumothorax.\n\n IMPRESSION: Effusion.\n"
)


def write_mimic_cxr_jpg(root: Path) -> None:
    """Of the boxes under `boxes_uri` as well."""
    write(
        root / "mimic-cxr-2.0.0-metadata.csv",
        "dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime",
        "m1,11000001,51000001,PA,21500102,93012.5",
        "m2,11000001,51000001,LL,21500102,93012.5",
        "m3,11000001,51000002,AP,21510102,1500.25",
        "m1,11000001,51000001,PA,21500102,93012.5",
        "m4,11000002,51000003,XTABLE,21500101,120000",
        "m5,11000003,51000004,PA,21500101,120000",
        "m6,11000004,51000005,AP,21500101,120000",
        ",11000002,51000003,AP,21500101,120000",
    )
    write(
        root / "mimic-cxr-2.0.0-split.csv",
        "dicom_id,study_id,subject_id,split",
        "m1,51000001,11000001,train",
        "m2,51000001,11000001,train",
        "m3,51000002,11000001,train",
        "m4,51000003,11000002,validate",
        "m5,51000004,11000003,test",
        "zz,59999999,19999999,train",
    )
    labels = {
        "51000001": cells(pleural_effusion="1.0", edema="-1.0"),
        "51000002": cells(no_finding="1.0"),
        "59999999": cells(pneumonia="1.0"),
        "": cells(pneumonia="1.0"),
    }
    rows = [f"11000001,{study},{states}" for study, states in labels.items()]
    header = f"subject_id,study_id,{LABEL_HEADER}"
    write(root / "mimic-cxr-2.0.0-chexpert.csv", header, *rows, rows[0])
    write(
        root / "mimic-cxr-2.0.0-test-set-labeled.csv",
        f"study_id,{LABEL_HEADER.replace('Lung Opacity', 'Airspace Opacity')}",
        f"51000004,{cells(lung_opacity='1.0', pneumonia='-1.0')}",
    )
    write(
        root / "boxes" / "annotations_train.csv",
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max",
        "m1,R1,Pleural effusion,10,60,40,90",
        "m1,R1,Nodule/Mass,60,10,80,30",
        "m1,R1,Nodule/Mass,60,10,80,30",
        "m3,R1,No finding,,,,",
        "m6,R1,Nodule/Mass,60,x,80,30",
        "stranger,R1,Nodule/Mass,60,10,80,30",
        ",R1,Nodule/Mass,60,10,80,30",
    )
    for subject, study, *names in (
        ("11000001", "51000001", "m1", "m2"),
        ("11000001", "51000002", "m3"),
        ("11000002", "51000003", "m4"),
        ("11000003", "51000004", "m5"),
    ):
        shoot(*(Path(film(root, subject, study, name)) for name in names))
        write(Path(film(root, subject, study, "x")).parent.with_suffix(".txt"), REPORT)


def write_chexpert_plus(root: Path) -> None:
    header = (
        "path_to_image,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,"
        "section_findings,section_impression,section_clinical_history,split"
    )

    def row(place: str, view: str, patient: str, findings: str) -> str:
        return f"{place}; {view}; PA; {patient}; 1.0; {findings}; Größe normal.; Cough.; train"

    first = row(
        "train/patient00011/study1/view1_frontal.jpg", "Frontal", "patient00011", "Effusion."
    )
    places = [
        "train/patient00011/study1/view1_frontal.jpg",
        "train/patient00011/study1/view2_lateral.jpg",
        "train/patient00012/study1/view1_frontal.jpg",
    ]
    write_rows(
        root / "df_chexpert_plus_240401.csv",
        header,
        first,
        row(places[1], "Lateral", "patient00011", "Effusion."),
        first,
        row(places[2], "Frontal", "patient00012", "\n"),
        row("train/patient00013/study1/view1_frontal.jpg", "Frontal", "patient00013", "Clear."),
        row("odd.jpg", "Frontal", "patient00014", "Clear."),
    )
    states = {label.title(): None for label in LABELS} | {"Pleural Effusion": 1, "Edema": -1}
    told = [
        json.dumps({"path_to_image": place, **states})
        for place in (*places, "train/patient00099/study1/view1_frontal.jpg")
    ]
    write(root / "chexbert_labels/report_fixed.json", *told, told[0], "{broken")
    shoot(*((root / "PNG" / place).with_suffix(".png") for place in places))


def write_rexgradient(root: Path) -> None:
    def entry(patient: str, *names: str, **changes: object) -> dict[str, object]:
        return {
            "PatientID": patient,
            "StudyDate": "20200102",
            "Findings": "Lungs are clear, größer. No pleural effusion.",
            "Impression": None,
            "Indication": "Cough.",
            "ImagePath": [f"../deid_png/{patient}/a/{name}.png" for name in names],
            "ImageViewPosition": ["POSTERO_ANTERIOR", "LATERAL"][: len(names)],
        } | changes

    train = {
        "s1": entry("x1", "r1", "r2"),
        "s2": entry("x1", "r3", StudyDate="20210102", Impression="Nodule."),
        "s3": entry("x2", "r4", "r4", ImageViewPosition=["LAO", None]),
        "s4": entry("", "r5"),
        "s5": None,
    }
    for part, entries in (("train", train), ("valid", {"v1": entry("x3", "gone")})):
        write(root / f"metadata/{part}_metadata_view_position.json", json.dumps(entries))
    for place in ("x1/a/r1", "x1/a/r2", "x1/a/r3", "x2/a/r4"):
        shoot_deep(root / "deid_png" / f"{place}.png")


def write_openi(root: Path) -> None:
    write(
        root / "indiana_reports.csv",
        "uid,MeSH,Problems,image,indication,comparison,findings,impression",
        '1,normal,normal,X,XXXX-year-old,None.,"Größe normal, lungs clear.",Normal.',
        "1,normal,normal,X,,,Again.,",
        "2,normal,normal,X,,,No film.,",
        "5,Cardiomegaly,Cardiomegaly,X,,,Heart is enlarged.,",
        "6,normal,normal,X,,,Lungs are clear.,Normal.",
    )
    write(
        root / "indiana_projections.csv",
        "uid,filename,projection",
        "1,1_IM-0001-4001.dcm.png,Lateral",
        "1,1_IM-0001-3001.dcm.png,Frontal",
        "1,1_IM-0001-3001.dcm.png,Frontal",
        "3,3_IM-0001-1001.dcm.png,Frontal",
        "5,5_IM-0001-1001.dcm.png,Oblique",
        "6,gone.png,Frontal",
        ",4.png,Frontal",
    )
    for name in ("1_IM-0001-4001", "1_IM-0001-3001", "5_IM-0001-1001"):
        shoot(root / "images_normalized" / f"{name}.dcm.png")


def openi_report(
    uid: str, sections: dict[str, str], terms: tuple[str, ...], films: tuple[str, ...]
) -> str:
    """One XML file of the original release."""
    texts = "".join(f'<AbstractText Label="{k}">{v}</AbstractText>' for k, v in sections.items())
    coded = "".join(f"<major>{term}</major>" for term in terms)
    images = "".join(
        f'<parentImage id="{name}"><figureId>F1</figureId></parentImage>' for name in films
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="{uid}"/><MedlineCitation>'
        f"<Article><Abstract>{texts}</Abstract></Article></MedlineCitation>"
        f"<MeSH>{coded}<automatic>pneumothorax</automatic></MeSH>{images}</eCitation>"
    )


def write_openi_xml(root: Path) -> None:
    """The original release, with the views of the table form for one study."""
    normal = {
        "COMPARISON": "None.",
        "INDICATION": "XXXX-year-old with cough",
        "FINDINGS": "Größe normal,\n lungs clear.",
        "IMPRESSION": "Normal chest x-XXXX.",
    }
    large = {"FINDINGS": "", "IMPRESSION": "Heart is enlarged. Small effusion."}
    two = ("CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001")
    files = {
        "1": openi_report("CXR1", normal, ("normal",), (*two, two[0])),
        "2": openi_report("CXR2", normal, ("normal",), ()),
        "5": openi_report(
            "CXR5",
            large,
            ("Cardiomegaly/borderline", "Pleural Effusion/left/small", "Opacity/heart"),
            ("CXR5_5_IM-0001-1001",),
        ),
        "6": openi_report("CXR6", {}, (), ("CXR6_gone",)),
        "7": openi_report("CXR1", normal, ("normal",), two),
        "8": openi_report("", normal, ("normal",), two),
        "9": "<eCitation><uId",
    }
    for name, text in files.items():
        write(root / "ecgen-radiology" / f"{name}.xml", text)
    write(
        root / "indiana_projections.csv",
        "uid,filename,projection",
        "1,1_IM-0001-4001.dcm.png,Lateral",
        "1,1_IM-0001-3001.dcm.png,Frontal",
        "1,1_IM-0001-5001.dcm.png,Frontal",
        "3,3_IM-0001-1001.dcm.png,Frontal",
    )
    shoot(*(root / "NLMCXR_png" / f"{name}.png" for name in (*two, "CXR5_5_IM-0001-1001")))


def write_candid(root: Path) -> None:
    write_rows(
        root / "Pneumothorax_reports.csv",
        "SOPInstanceUID,StudyInstanceUID,EncodedPixels,Report",
        f"1.1; 9.1; {runs(100, 200, 50, 80)}; {REPORT}",
        f"1.1; 9.1; {runs(700, 300, 40, 60)}; {REPORT}",
        f"1.1; 9.1; {runs(100, 200, 50, 80)}; {REPORT}",
        "1.2; 9.2; -1; Lungs are clear.",
        "1.3; 9.3; oops; Lungs are clear.",
        "1.4; 9.4; -1; Lungs are clear.",
        "; 9.5; -1; Lungs are clear.",
    )
    write(
        root / "Rib_fracture_mask_rle.csv",
        "anon_SOPUID,mask_rle",
        f"1.2,{runs(10, 20, 30, 40)}",
        f"1.2,{runs(10, 20, 30, 40)}",
        f"7.7,{runs(10, 20, 30, 40)}",
    )
    write(root / "chest_tube.csv", "anon_SOPUID,mask_rle", f"1.1,{runs(500, 500, 20, 90)}")
    shoot(*(root / "films" / f"1.{number}.dcm" for number in (1, 2, 3)), side=1024)


def write_padchest_gr(root: Path) -> None:
    def sentence(text: str, **more: object) -> dict[str, object]:
        return {"sentence_en": text, "sentence_es": "Texto.", "abnormal": bool(more)} | more

    effusion = sentence(
        "Größere effusion.",
        labels=["pleural effusion"],
        boxes=[[0.1, 0.6, 0.4, 0.9], [0.6, 0.7, 0.9, 0.95]],
        locations=["loc basal bilateral"],
        progression="worsened",
    )
    bad = sentence("Nodule.", labels=["nodule"], boxes=[[0.5, 0.5, 0.5, 0.6]])
    entries: list[object] = [
        {
            "StudyID": "g2",
            "ImageID": "gb.png",
            "PreviousImageID": "ga.png",
            "findings": [effusion, bad, {"sentence_en": None}],
        },
        {"StudyID": "g1", "ImageID": "gc.png", "findings": [sentence("Normal heart.")]},
        {"StudyID": "g1", "ImageID": "gc.png", "findings": []},
        {"StudyID": "g3", "ImageID": "gd.png", "findings": []},
        {"StudyID": "g4", "ImageID": "gone.png", "findings": [sentence("Normal lungs.")]},
        {"StudyID": "", "ImageID": "ge.png"},
        "no study",
    ]
    write(root / "grounded_reports_20240819.json", json.dumps(entries))
    write(
        root / "master_table.csv",
        "StudyID,ImageID,PatientID,split,label",
        "g2,gb.png,q1,validation,pleural effusion",
        "g2,gb.png,q1,validation,nodule",
        "g1,gc.png,q2,test,Normal",
        "g4,gone.png,q3,train,Normal",
        "g9,gz.png,q4,train,Normal",
    )
    for name in ("ga", "gb", "gc"):
        shoot_deep(root / "Padchest_GR_files" / f"{name}.png")


def write_roco(root: Path) -> None:
    write(
        root / "train/radiology/captions.txt",
        "ROCO_00002\tChest radiograph:  große Kaverne.",
        "ROCO_00002\tChest radiograph:  große Kaverne.",
        "ROCO_00003\tAxial CT of the abdomen.",
        "ROCO_00005\tChest radiograph without a finding.",
        "ROCO_00004",
    )
    write(root / "validation/radiology/captions.txt", "ROCO_00001\tA chest x-ray with a nodule.")
    shoot(root / "train/radiology/images/ROCO_00002.jpg")
    shoot(root / "validation/radiology/images/ROCO_00001.jpg")


def write_own_table(root: Path) -> None:
    header = "image,study,patient,date,view,split,report,label:nodule,label:edema,boxes"
    boxes = json.dumps(
        [
            {"label": "nodule", "xyxy": [10, 10, 30, 30]},
            {"label": "nodule", "xyxy": [50, 50, 70, 70]},
            {"label": "nodule", "xyxy": [5, 5, 5, 9]},
        ]
    )
    write_rows(
        root / "studies.csv",
        header,
        f"o1.png; o1; o; 1; PA; train; FINDINGS: Größe normal. Two nodules.; 1; -1; {boxes}",
        "o2.png; o1; o; 1; lateral; ; ; ; ; ",
        "o1.png; o1; o; 1; PA; train; ; ; ; ",
        "o3.png; o2; o; 2; AP; ; FINDINGS: No nodule. IMPRESSION: Clear.; 0; maybe; ",
        "o4.png; o3; q; 1; PA; ; FINDINGS: Clear.; 0; 0; {broken",
        "gone.png; o4; r; 1; PA; ; FINDINGS: Clear.; ; ; ",
        "; o5; r; 1; PA; ; ; ; ; ",
    )
    shoot(root / "o1.png", root / "o3.png", root / "o4.png")
    shoot_deep(root / "o2.png")
