"""Made-up archives of the sets about films of MIMIC-CXR, which lie in `films/`; see
`replicas_of_films`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.data.sources.replica_films import shoot
from tests.data.sources.replicas import film, write, write_rows

FILMS = {
    "k1": ("10000001", "50000001", "AP"),
    "k2": ("10000001", "50000001", "PA"),
    "k3": ("10000001", "50000002", "LL"),
    "k4": ("10000002", "50000003", "PA"),
    "k5": ("10000003", "50000004", "XTABLE"),
    "k6": ("10000004", "50000005", "AP"),
}
"""Film -> subject, study and view; the last has no file."""


def path_of(name: str) -> str:
    subject, study, _ = FILMS[name]
    return f"files/p{subject[:2]}/p{subject}/s{study}/{name}.jpg"


def write_films(root: Path) -> None:
    """MIMIC-CXR-JPG's metadata and films."""
    write(
        root / "films" / "mimic-cxr-2.0.0-metadata.csv",
        "dicom_id,subject_id,study_id,ViewPosition",
        *(f"{name},{','.join(told)}" for name, told in FILMS.items()),
    )
    names = list(FILMS)[:-1]
    shoot(*(Path(film(root / "films", *FILMS[name][:2], name)) for name in names))


def write_ms_cxr(root: Path) -> None:
    write_films(root)

    def row(category: str, text: str, name: str, box: str) -> str:
        return f"{category}; {text}; {path_of(name)}; {box}; 96; 96; {name}; train"

    first = row("Pleural Effusion", "small effusions", "k1", "10; 50; 20; 30")
    write_rows(
        root / "MS_CXR_Local_Alignment_v1.1.0.csv",
        "category_name,label_text,path,x,y,w,h,image_width,image_height,dicom_id,split",
        first,
        row("Pleural Effusion", "small effusions", "k1", "60; 50; 31; 30"),
        first,
        row("Edema", "Ödem", "k2", "0; 0; 90; 50"),
        row("Pneumonia", "patch", "k4", "5; 5; 9; 9"),
        row("Pneumonia", "patch", "k4", "5; 5; 0; 9"),
        row("Pneumothorax", "apical", "k5", "1; 2; 30; 40"),
        row("Pneumothorax", "apical", "k6", "1; 2; 30; 40"),
        first.replace(path_of("k1"), "odd.jpg"),
    )


def write_ms_cxr_t(root: Path) -> None:
    write_films(root)
    names = ("consolidation", "edema", "pleural_effusion", "pneumonia", "pneumothorax")
    columns = ",".join(f"{name}_progression" for name in names)
    write(
        root / "MS_CXR_T_temporal_image_classification_v1.0.0.csv",
        f"dicom_id,previous_dicom_id,study_id,subject_id,{columns}",
        "k3,k1,50000002,10000001,,improving,Worsening,stable,",
        "k3,k1,50000002,10000001,,improving,Worsening,stable,",
        "k4,k2,50000003,10000002,stable,,,größer,",
        "k5,nowhere,50000004,10000003,stable,,,,",
        "k6,k4,50000005,10000004,stable,,,,",
        "k5,k4,50000004,10000003,,,,,",
        ",k4,50000003,10000002,stable,,,,",
    )


def write_cxr_lt(root: Path) -> None:
    write_films(root)
    write(
        root / "train_labeled.csv",
        "dicom_id,subject_id,study_id,ViewPosition,age,Adenopathy,Normal,Fibrosis,Edema",
        "k1,10000001,50000001,AP,61,1.0,0.0,,-1",
        "k2,10000001,50000001,PA,61,1.0,0.0,,-1",
        "k1,10000001,50000001,AP,61,1.0,0.0,,-1",
        "k4,10000002,50000003,XX,61,0,1,0,0",
        ",10000002,50000003,PA,61,0,1,0,é",
    )
    write(root / "development.csv", "dicom_id,subject_id,study_id", "k5,10000003,50000004")
    write(
        root / "test.csv",
        "dicom_id,subject_id,study_id,Tuberculosis",
        "k6,10000004,50000005,1",
        "k3,10000001,50000001,1",
    )


def graph(region: str, box: list[int], text: str, term: str, prior: str = "") -> dict[str, Any]:
    """A scene graph of one sentence about one region."""
    sides = ("original_x1", "original_y1", "original_x2", "original_y2")
    change = ["comparison|yes|worsened"] if prior else []
    return {
        "objects": [{"bbox_name": region, **dict(zip(sides, box, strict=True))}],
        "attributes": [
            {
                "bbox_name": region,
                "phrases": [text],
                "attributes": [[term]],
                "comparison_cues": [change],
            }
        ],
        "relationships": [{"object_id": f"{prior}_{region}"}] if prior else [],
    }


def write_chest_imagenome(root: Path) -> None:
    write_films(root)
    header = ",subject_id,study_id,dicom_id,path,ViewPosition"

    def row(name: str, view: str = "") -> str:
        subject, study, own = FILMS[name]
        return f"0,{subject},{study},{name},x,{view or own}"

    splits = root / "silver_dataset" / "splits"
    missing = "0,10000006,50000010,gone,x,AP"
    rows = (row("k1"), row("k3"), row("k3"), missing, "4,10000006,,,x,AP")
    write(splits / "train.csv", header, *rows)
    write(splits / "valid.csv", header, row("k4", "SWIMMERS"), row("k6"))
    write(splits / "images_to_avoid.csv", header, row("k5"), row("k5"))
    lesion, opacity = "anatomicalfinding|yes|lung lesion", "anatomicalfinding|yes|lung opacity"
    graphs = {
        "k1": graph("right lung", [10, 20, 30, 40], "Größere lesion.", lesion),
        "k3": graph("left lung", [50, 20, 90, 40], "Opacity.", opacity, prior="k1"),
        "k4": graph("left lung", [50, 20, 50, 40], "No edema.", "disease|no|edema"),
        "k5": graph("left lung", [50, 20, 90, 40], "Opacity.", opacity),
    }
    folder = root / "silver_dataset" / "scene_graph"
    for name, content in graphs.items():
        write(folder / f"{name}_SceneGraph.json", json.dumps(content))
    write(folder / "k6_SceneGraph.json", "{")
    write_rows(
        root / "gold_dataset" / "gold_object_attribute_with_coordinates.txt",
        "patient_id,study_id,image_id,bbox,attribute,sentence,coord_original",
        f"1; 1; k2.dcm; left lung; {opacity}; Opacity.; [10, 20, 30, 40]",
        f"1; 1; k2.dcm; left lung; {opacity}; Opacity.; [10, 20, 30, 40]",
        f"1; 1; k2.dcm; right lung; {lesion}; Lesion.; none",
        f"1; 1; stray.dcm; right lung; {lesion}; Lesion.; [10, 20, 30, 40]",
        f"1; 1; ; right lung; {lesion}; Lesion.; [10, 20, 30, 40]",
        delimiter="\t",
    )
    write_rows(
        root / "gold_dataset" / "gold_object_comparison_with_coordinates.txt",
        "current_image_id,previous_image_id,bbox,attribute,comparison,sentence,"
        "bbox_coord_original_subject",
        f"k2; k1; left lung; {opacity}; improved; Opacity.; [10, 20, 30, 40]",
        delimiter="\t",
    )


def write_mimic_cxr_vqa(root: Path) -> None:
    write_films(root)

    def row(idx: object, name: str, answer: object, **other: object) -> dict[str, object]:
        return {
            "idx": idx,
            "question": f"What of {idx}?",
            "semantic_type": "query",
            "template_arguments": {"object": {"0": "left lung", "1": "right lung"}},
            "answer": answer,
            "subject_id": FILMS[name][0],
            "image_path": path_of(name).removeprefix("files/"),
        } | other

    train = [
        row(0, "k1", ["yes"]),
        row(0, "k1", ["yes"]),
        row(1, "k1", ["edema", "größer"]),
        row(2, "k2", []),
        row(3, "k2", ["right lung"], semantic_type="choose"),
        row(4, "k4", ["no"], subject_id=""),
        row(5, "k4", None),
        "odd",
    ]
    parts = {"train": train, "valid": [row(0, "k4", ["no"])], "test": [row(0, "k6", ["no"])]}
    for part, rows in parts.items():
        write(root / "dataset" / f"{part}.json", json.dumps(rows))


def write_medical_diff_vqa(root: Path) -> None:
    write_films(root)
    write(
        root / "mimic_all.csv",
        "subject_id,study_id,dicom_id,view,study_order",
        "10000001,50000001,k1,antero-posterior,0",
        "10000001,50000002,k3,odd,1.0",
        "10000001,50000002,k3,odd,1.0",
        "10000002,50000003,k4,postero-anterior,",
        "10000004,50000005,k6,postero-anterior,2",
        "10000003,50000004,k5,postero-anterior,2",
        "10000003,,k5,postero-anterior,2",
    )
    change = "difference,what has changed compared to the reference image?"
    first = f"50000002,10000001,50000001,{change},the größer effusion is gone,train"
    write(
        root / "mimic_pair_questions.csv",
        "study_id,subject_id,ref_id,question_type,question,answer,split",
        first,
        first,
        f"50000001,10000001,50000002,{change},there is an effusion,train",
        "50000002,10000001,50000001,presence,is there effusion?,no,train",
        "50000002,10000001,50000001,level,how large?,,train",
        "50000003,10000002,50000001,location,where is it?,left,val",
        "50000005,10000004,50000001,view,which view?,ap,val",
        "50000009,10000001,50000001,view,which view?,ap,val",
        ",10000001,50000001,view,which view?,ap,val",
    )


def write_mimic_nle(root: Path) -> None:
    write_films(root)

    def line(number: int, study: str, *labels: int, nle: str = "Größe.") -> str:
        told = [int(label in labels) for label in range(10)]
        row = {"sentence_ID": f"{study}#{number}", "nle": nle, "report_ID": study}
        return json.dumps(row | {"patient_ID": "p10000001", "diagnosis_label": told})

    lines = [
        line(1, "s50000001", 8),
        line(1, "s50000001", 8),
        line(2, "s50000001", 0, 7, nle="Bands at the base."),
        line(3, "s50000001"),
        line(4, "s50000001", 8, nle=""),
        line(5, "s50000002", 8),
        line(6, "", 8),
        "{broken",
    ]
    write(root / "mimic-nle-train.json", *lines)
    write(root / "mimic-nle-dev.json", line(1, "s50000003", 4))
    write(root / "mimic-nle-test.json", line(1, "s50000005", 9))
