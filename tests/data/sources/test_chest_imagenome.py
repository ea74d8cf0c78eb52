"""Chest ImaGenome's scene graphs and gold tables, on a made-up replica worked out by hand."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.scene_graphs import graph_phrases
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box, ImageRef, Phrase
from tests.data.sources.replicas import film, read, write, write_rows


def scene_graph(*attributes: dict[str, Any], prior: str = "", **boxes: list[object]) -> str:
    """A silver graph of the regions in `boxes`, whose names have "_" for a space."""
    sides = ("original_x1", "original_y1", "original_x2", "original_y2")
    return json.dumps(
        {
            "objects": [
                {"bbox_name": name.replace("_", " "), "x1": 1, **dict(zip(sides, box, strict=True))}
                for name, box in boxes.items()
            ],
            "attributes": list(attributes),
            "relationships": [{"object_id": f"{prior}_left lung"}] if prior else [],
        }
    )


def attribute(region: str, *told: tuple[str, list[str], list[str]]) -> dict[str, Any]:
    keys = ("phrases", "attributes", "comparison_cues")
    return {"bbox_name": region} | dict(zip(keys, map(list, zip(*told, strict=True)), strict=True))


OPACITY = "anatomicalfinding|yes|lung opacity"


EFFUSION = "anatomicalfinding|yes|pleural effusion"


@pytest.fixture
def imagenome(tmp_path: Path) -> Path:
    root = tmp_path / "imagenome"
    header = ",subject_id,study_id,dicom_id,path,ViewPosition"
    splits = root / "silver_dataset" / "splits"
    write(
        splits / "train.csv",
        header,
        "0,10000001,50000001,a1-a,x,AP",
        "1,10000001,50000002,a2,x,PA",
        "1,10000001,50000002,a2,x,PA",
        "2,10000006,50000010,gone,x,AP",
        "3,10000006,50000011,broken,x,AP",
        "4,10000006,,,x,AP",
    )
    write(splits / "valid.csv", header, "0,10000007,50000012,v1,x,SWIMMERS")
    write(splits / "images_to_avoid.csv", header, "0,10000002,50000003,b1,x,AP")
    graphs = root / "silver_dataset" / "scene_graph"
    lung = attribute(
        "left lung",
        ("Größere  effusion.", [OPACITY, EFFUSION], ["comparison|yes|worsened"]),
        ("Größere effusion.", [EFFUSION], []),
        ("No pneumothorax.", ["anatomicalfinding|no|pneumothorax"], []),
        ("Opacity, pneumonia or edema.", [OPACITY, "disease|yes|pneumonia",
          "anatomicalfinding|yes|pulmonary edema/hazy opacity"], []),
    )  # fmt: skip
    heart = attribute("cardiac silhouette", ("Heart as before.", [], ["comparison|yes|no change"]))
    write(
        graphs / "a2_SceneGraph.json",
        scene_graph(
            lung,
            heart,
            prior="a1-a",
            left_lung=[1200, 100, 2200, 1800],
            cardiac_silhouette=[900, 800, 900, 1500],
        ),
    )
    spot = attribute("right lung", ("Nodule.", ["anatomicalfinding|yes|lung lesion"], []))
    for name in ("a1-a", "v1", "b1"):
        write(graphs / f"{name}_SceneGraph.json", scene_graph(spot, right_lung=[10, 20, 30, 40]))
    write(graphs / "broken_SceneGraph.json", "{")
    return root


def test_chest_imagenome_silver(imagenome: Path, mimic: Path) -> None:
    found, dropped = read("chest_imagenome", imagenome, mimic)
    assert [(p.study.study, p.study.archive_split) for p in found] == [
        ("a1-a", "train"),
        ("a2", "train"),
        ("b1", "test"),
        ("v1", "valid"),
    ]
    assert dropped == {
        "box_row": 1,
        "duplicate_row": 2,
        "phrase_without_finding": 1,
        "row_without_id": 1,
        "scene_graph_missing": 1,
        "unparsable_row": 1,
    }
    first, second, _, odd = found
    assert first.study.images == (ImageRef(film(mimic, "10000001", "50000001", "a1-a"), "AP"),)
    lesion = Box("lung lesion", (10, 20, 30, 40))
    assert first.pixel_phrases == (Phrase("Nodule.", (lesion,), "lung lesion", "right lung"),)
    assert second.study.images == (
        ImageRef(film(mimic, "10000001", "50000001", "a1-a"), "AP", role="prior"),
        ImageRef(film(mimic, "10000001", "50000002", "a2"), "PA"),
    )
    lung = (1200.0, 100.0, 2200.0, 1800.0)
    assert second.pixel_phrases == (
        Phrase(
            "Größere effusion.",
            (Box("pleural effusion", lung, 1),),
            "pleural effusion",
            "left lung",
            "worse",
        ),
        Phrase("Opacity, pneumonia or edema.", (Box("left lung", lung, 1),), "", "left lung"),
        Phrase("Heart as before.", (), "", "cardiac silhouette", "same"),
    )
    assert odd.study.images[0].view == "" and odd.default_view == "frontal"


def test_a_sentence_about_several_regions_is_one_phrase() -> None:
    """Boxes that nest are the smallest one's, and a region without a box leaves the place open."""
    cues = ["comparison|yes|worsened"], ["comparison|yes|improved"]
    graph = scene_graph(
        attribute("left lung", ("Both effusions.", [EFFUSION], cues[0])),
        attribute("left lower lung zone", ("Both effusions.", [EFFUSION], cues[0])),
        attribute("right lung", ("Both effusions.", [EFFUSION], cues[1])),
        attribute("left lung", ("Effusion, opacity.", [EFFUSION], [])),
        attribute("right lung", ("Effusion, opacity.", [OPACITY], [])),
        attribute("trachea", ("Opacities.", [OPACITY], [])),
        attribute("right lung", ("Opacities.", [OPACITY], [])),
        left_lung=[60, 10, 90, 90],
        left_lower_lung_zone=[59, 60, 90, 90],
        right_lung=[10, 10, 40, 90],
    )
    label = "pleural effusion"
    lower, left = (59.0, 60.0, 90.0, 90.0), (60.0, 10.0, 90.0, 90.0)
    right = (10.0, 10.0, 40.0, 90.0)
    assert graph_phrases(json.loads(graph), Losses(), "g") == [
        Phrase("Both effusions.", (Box(label, lower), Box(label, right)), label),
        Phrase("", (), label, "left lung", "worse"),
        Phrase("", (), label, "left lower lung zone", "worse"),
        Phrase("", (), label, "right lung", "better"),
        Phrase("Effusion, opacity.", (Box(label, left), Box("lung opacity", right))),
        Phrase("Opacities.", (), "lung opacity"),
    ]


def test_chest_imagenome_reads_the_zip_as_released(imagenome: Path, mimic: Path) -> None:
    folder = imagenome / "silver_dataset" / "scene_graph"
    before = read("chest_imagenome", imagenome, mimic)
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"scene_graph/{path.name}")
            path.unlink()
    assert read("chest_imagenome", imagenome, mimic) == before
    folder.with_suffix(".zip").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ChexoneError, match=r"scene_graph\.zip is a damaged zip file"):
        read("chest_imagenome", imagenome, mimic)


def test_chest_imagenome_gold_is_test_and_goes_first(imagenome: Path, mimic: Path) -> None:
    gold = imagenome / "gold_dataset"
    write_rows(
        gold / "gold_object_attribute_with_coordinates.txt",
        "patient_id,study_id,image_id,bbox,attribute,sentence,coord_original",
        f"1; 1; a2.dcm; left lung; {OPACITY}; Opacity, and effusion.; [1, 2, 3, 4]",
        f"1; 1; a2.dcm; left lung; {EFFUSION}; Opacity, and effusion.; [1, 2, 3, 4]",
        f"1; 1; a2.dcm; left lung; {EFFUSION}; Opacity, and effusion.; [1, 2, 3, 4]",
        f"1; 1; a2.dcm; right lung; {EFFUSION}; Effusion.; none",
        f"1; 1; stray.dcm; right lung; {EFFUSION}; Effusion.; [1, 2, 3, 4]",
        f"1; 1; ; right lung; {EFFUSION}; Effusion.; [1, 2, 3, 4]",
        delimiter="\t",
    )
    write_rows(
        gold / "gold_object_comparison_with_coordinates.txt",
        "current_image_id,previous_image_id,bbox,attribute,comparison,sentence,"
        "bbox_coord_original_subject",
        f"a2; a1-b; left lung; {EFFUSION}; improved; Opacity, and effusion.; [1, 2, 3, 4]",
        delimiter="\t",
    )
    found, dropped = read("chest_imagenome", imagenome, mimic)
    assert (dropped["film_not_found"], dropped["box_row"], dropped["row_without_id"]) == (1, 1, 2)
    by_hash, _ = read("chest_imagenome", imagenome, mimic, archive_splits=False)
    held_out = {"a1-a": "", "a2": "test", "b1": "test", "v1": ""}
    assert {p.study.study: p.study.archive_split for p in by_hash} == held_out
    (item,) = (p for p in found if p.study.study == "a2")
    assert item.study.archive_split == "test"
    assert [(i.uri, i.role) for i in item.study.images] == [
        (film(mimic, "10000001", "50000001", "a1-b"), "prior"),
        (film(mimic, "10000001", "50000002", "a2"), "current"),
    ]
    label = "pleural effusion"
    box = Box(label, (1, 2, 3, 4), 1)
    assert item.pixel_phrases == (
        Phrase("Opacity, and effusion.", (box,), label, "left lung", "better"),
        Phrase("Effusion.", (), label, "right lung"),
    )


def test_chest_imagenome_attributes_in_parts(tmp_path: Path, mimic: Path) -> None:
    write(
        tmp_path / "gold_dataset" / "gold_object_attribute_with_coordinates.txt",
        "image_id\tbbox\tlabel_name\trelation\tcategoryID\tsentence\tcoord_original",
        "b1.dcm\tright lung\tpneumonia\t1\tdisease\tPneumonia.\t[1, 2, 3, 4]",
        "b1.dcm\tright lung\tpneumothorax\t0\tanatomicalfinding\tNone.\t[1, 2, 3, 4]",
    )
    ((item,), dropped) = read("chest_imagenome", tmp_path, mimic)
    assert item.study.patient == "10000002" and dropped == {"phrase_without_finding": 1}
    assert [(p.text, p.label) for p in item.pixel_phrases] == [("Pneumonia.", "pneumonia")]
