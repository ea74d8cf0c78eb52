"""What is asked of a finding one of whose boxes is lost: nothing that the others answer in part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.facts import facts
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.tasks import samples
from chexone_ray.records import Box, ImageRef, Study
from tests.data.sources import replicas_of_films as films
from tests.data.sources import replicas_of_reports as reports
from tests.data.sources.replicas import write

SOURCE = SourceConfig(adapter="own_table", uri="unused")
CONFIG = PrepareConfig(output_uri="unused-output", sources=(SOURCE,), instruct_share=0.0)
FILM = ImageRef("a.png", "PA", width=100, height=100)
STUDY = Study(
    dataset="own_table",
    patient="p",
    study="s",
    images=(FILM,),
    archive_split="train",
    findings="Multiple nodules in both lungs. Left pleural effusion.",
    boxes_complete=True,
)
RIGHT, LEFT = Box("nodule", (10, 70, 20, 80)), Box("nodule", (120, 70, 130, 80))
EFFUSION = Box("pleural effusion", (60, 80, 90, 95))
"""Left lies outside of the film."""


def told(study: Study) -> dict[tuple[str, str], str]:
    found = samples(study, None, 0, CONFIG)
    return {(sample.kind, sample.id.rsplit("/", 1)[1]): sample.answer for sample in found}


def test_a_finding_that_lost_a_box_has_neither_side_nor_boxes() -> None:
    whole = PendingStudy(STUDY, (RIGHT, EFFUSION)).complete({0: FILM}, "")
    assert told(whole)["side", "nodule"] == "right" and ("grounding", "nodule") in told(whole)
    part = PendingStudy(STUDY, (RIGHT, LEFT, EFFUSION)).complete({0: FILM}, "")
    assert part.lost_boxes == (("nodule", 0),) and len(part.boxes) == 2
    asked = told(part)
    assert not {("side", "nodule"), ("grounding", "nodule"), ("detection", "all")} & asked.keys()
    assert asked["presence", "nodule"] == "yes"
    assert asked["side", "pleural effusion"] == "left"
    assert ("grounding", "pleural effusion") in asked
    assert asked["grounded_diagnosis", "0"] == "nodule", "the box that is left is one"
    traces = [s.reasoning for s in samples(part, None, 0, CONFIG) if s.kind != "grounded_diagnosis"]
    assert not any("zone" in trace and "spot" in trace for trace in traces)


def test_a_coarse_box_that_is_lost_is_that_of_the_finer_name() -> None:
    outside = replace(LEFT, label="nodule or mass")
    part = PendingStudy(STUDY, (RIGHT, outside)).complete({0: FILM}, "")
    known = facts(part, 0)["nodule"]
    assert (known.side, known.zone, known.lost_box, known.state) == ("", "", True, 1)


def test_a_lost_box_contradicts_a_label_that_denies_the_finding() -> None:
    study = replace(STUDY, findings="", labels={"nodule": 0, "edema": 0})
    part = PendingStudy(study, (LEFT,)).complete({0: FILM}, "")
    assert set(facts(part, 0)) == {"edema"}


def test_a_box_lost_on_another_film_matters_there_alone() -> None:
    side = replace(FILM, uri="b.png", view="lateral")
    study = replace(STUDY, images=(side, FILM))
    boxes = (replace(RIGHT, image=1), replace(LEFT, image=0))
    both = PendingStudy(study, boxes).complete({0: side, 1: FILM}, "")
    assert both.lost_boxes == (("nodule", 0),) and facts(both, 1)["nodule"].side == "right"
    one = PendingStudy(study, boxes).complete({1: FILM}, "")
    assert one.lost_boxes == () and one.boxes[0].image == 0


def test_a_box_that_the_table_tells_wrong_is_lost_for_its_label(tmp_path: Path) -> None:
    write(
        tmp_path / "studies.jsonl",
        '{"image": "a.png", "study": "s", "view": "PA", "findings": "Two nodules.", '
        '"boxes": [{"label": "Nodule", "xyxy": [10, 70, 20, 80]}, '
        '{"label": "Nodule", "xyxy": [5]}, {"label": "mass", "xyxy": [9, 9, 9, 12]}, '
        '{"xyxy": [1, 2, 3, 4]}, 7]}',
    )
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    ((item,), lost) = SOURCES["own_table"].read(source, True)
    assert item.study.lost_boxes == (("nodule", 0), ("mass", 0)) and lost == {"box_row": 4}
    asked = told(item.complete({0: FILM}, ""))
    assert not {("side", "nodule"), ("grounding", "nodule")} & asked.keys()


def test_of_a_coarse_box_that_is_lost_any_finer_name_may_lack_one() -> None:
    study = replace(STUDY, findings="A nodule and a mass in the left lung.")
    outside = replace(LEFT, label="nodule or mass")
    part = PendingStudy(study, (RIGHT, outside)).complete({0: FILM}, "")
    known = facts(part, 0)
    assert {name for name in known if known[name].lost_box} == {"nodule", "mass"}
    assert {known["nodule"].state, known["mass"].state} == {1}


@pytest.mark.parametrize(
    ("adapter", "write_replica", "lost"),
    [
        ("vindr_cxr", films.write_vindr, {"b": "pleural effusion"}),
        ("vinbigdata", films.write_vinbigdata, {"b": "interstitial lung disease"}),
        ("nih_chestxray14", films.write_nih, {"00000002_001": "pleural effusion"}),
        ("object_cxr", films.write_object_cxr, {"a": "foreign object"}),
        ("ranzcr_clip", films.write_ranzcr, {"1.3": "nasogastric tube"}),
        ("mimic_cxr_jpg", reports.write_mimic_cxr_jpg, {"51000005": "nodule or mass"}),
    ],
)
def test_adapters_tell_the_findings_that_lost_a_box_in_their_tables(
    tmp_path: Path, adapter: Any, write_replica: Callable[[Path], None], lost: dict[str, str]
) -> None:
    write_replica(tmp_path)
    boxes = str(tmp_path / "boxes") if adapter == "mimic_cxr_jpg" else None
    source = SourceConfig(adapter=adapter, uri=str(tmp_path), boxes_uri=boxes)
    found, _ = SOURCES[adapter].read(source, False)
    told = {item.study.study: item.study.lost_boxes for item in found if item.study.lost_boxes}
    assert told == {study: ((label, 0),) for study, label in lost.items()}


def test_a_film_of_rsna_that_lost_one_of_two_boxes(tmp_path: Path) -> None:
    rows = ("a,1,2,30,40,1", "a,1,2,,40,1", "b,1,2,30,40,1")
    write(tmp_path / "stage_2_train_labels.csv", "patientId,x,y,width,height,Target", *rows)
    classes = ("a,Lung Opacity", "b,Lung Opacity")
    write(tmp_path / "stage_2_detailed_class_info.csv", "patientId,class", *classes)
    source = SourceConfig(adapter="rsna_pneumonia", uri=str(tmp_path))
    (part, whole), _ = SOURCES["rsna_pneumonia"].read(source, False)
    assert part.study.lost_boxes == (("lung opacity", 0),) and whole.study.lost_boxes == ()
    film = {0: replace(FILM, view="frontal")}
    assert ("grounding", "lung opacity") in told(whole.complete(film, ""))
    assert ("grounding", "lung opacity") not in told(part.complete(film, ""))
