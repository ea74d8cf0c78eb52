"""What labels of a data set mean, and which sets share films or name no patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chexone_ray.config import SourceConfig
from chexone_ray.data.facts import facts
from chexone_ray.data.sources import padchest
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.registry import FAMILIES, SOURCES
from chexone_ray.records import ImageRef


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_which_archives_name_no_patients() -> None:
    units = {name: spec.split_unit for name, spec in SOURCES.items()}
    films = {"siim_acr", "vindr_cxr", "vinbigdata", "object_cxr", "nlm_tb", "vindr_pcxr"}
    films |= {"jsrt", "tbx11k", "roco", "slake", "vqa_rad", "medvqa_2019"}
    assert {name for name, unit in units.items() if unit == "film"} == films
    assert {name for name, unit in units.items() if unit == "study"} == {"openi", "candid_ptx"}
    assert units["rsna_pneumonia"] == "patient with the mapping file, else film"


def test_which_archives_hold_the_same_films() -> None:
    assert sorted(map(sorted, FAMILIES)) == [
        ["bimcv_covid19", "covidx"],
        ["chexpert", "chexpert_plus"],
        ["covidx", "nih_chestxray14", "ranzcr_clip", "rsna_pneumonia", "siim_acr"],
        ["vinbigdata", "vindr_cxr"],
    ]


@pytest.mark.parametrize(
    ("listed", "present", "unsettled"),
    [
        (
            ["laminar atelectasis", "multiple nodules", "apical pleural thickening"],
            {"atelectasis", "nodule", "pleural thickening"},
            set(),
        ),
        (["total atelectasis"], {"atelectasis"}, set()),
        (["lobar atelectasis", "segmental atelectasis"], {"atelectasis"}, set()),
        (["loculated pleural effusion"], {"pleural effusion"}, set()),
        (["hydropneumothorax"], {"pleural effusion", "pneumothorax"}, set()),
        (["atypical pneumonia"], {"pneumonia"}, set()),
        (["dual chamber device"], set(), {"pacemaker"}),
        (["copd signs"], set(), {"emphysema"}),
        (["subcutaneous emphysema"], set(), set()),
        (
            ["alveolar pattern"],
            {"infiltration"},
            {"consolidation", "pneumonia", "edema"},
        ),
        (["consolidation"], {"consolidation", "infiltration"}, {"pneumonia"}),
        (["normal"], {"no finding"}, set()),
    ],
)
def test_padchest_labels_by_the_tree_of_the_set(
    listed: list[str], present: set[str], unsettled: set[str]
) -> None:
    counts = Losses()
    states = padchest.states_of(listed, counts, "x")
    assert {name for name, state in states.items() if state == 1} == present
    assert {name for name, state in states.items() if state is None} == unsettled
    assert len(states) == len(padchest.FINDINGS) + 1 and not counts


def test_padchest_lists_that_do_not_name_everything() -> None:
    counts = Losses()
    for listed in (["unchanged"], ["suboptimal study"], []):
        assert padchest.states_of(listed, counts, "x") == {}
    assert padchest.states_of(["unchanged", "cardiomegaly"], counts, "x") == {"cardiomegaly": 1}
    assert padchest.states_of(["exclude", "cardiomegaly"], counts, "x") == {}
    assert counts == {"labels_not_all_named": 4, "labels_excluded": 1}


def test_what_a_table_of_your_own_says_otherwise_is_counted(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {
            "labels": {
                "edema": True,
                "mass": False,
                "hernia": "yes",
                "nodule": 0.7,
                "fracture": None,
            }
        },
        {"labels": ["edema"], "boxes": 5},
        {"labels": {"edema": "inf"}, "findings": "One line.\u2028The next.\u0085The last."},
    ]
    rows = [{"image": f"{n}.png", "study": f"s{n}"} | line for n, line in enumerate(lines)]
    told = [json.dumps(row, ensure_ascii=False) for row in rows]
    (tmp_path / "studies.jsonl").write_text("\r\n".join(told), encoding="utf-8")
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    (first, second, third), dropped = SOURCES["own_table"].read(source, True)
    assert dropped == {"unknown_label": 3, "unparsable_row": 2}
    assert first.study.labels == {
        "edema": 1,
        "mass": 0,
        "hernia": None,
        "nodule": None,
        "fracture": None,
    }
    assert second.study.labels == {} and not second.pixel_boxes
    assert third.study.findings == "One line. The next. The last."
    (tmp_path / "studies.jsonl").unlink()
    write(tmp_path / "studies.csv", "image,study,label:edema,boxes", "a.png,s,maybe,5")
    _, dropped = SOURCES["own_table"].read(source, True)
    assert dropped == {"unknown_label": 1, "unparsable_row": 1}


def test_vinbigdata_readers_vote(tmp_path: Path) -> None:
    write(
        tmp_path / "train.csv",
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max",
        *(f"a,No finding,14,R{n},,,," for n in (1, 2, 3)),
        "b,ILD,5,R1,10,10,20,20",  # the two others saw nothing here, and have no row
        "c,ILD,5,R1,10,10,20,20",
        "c,ILD,5,R1,50,50,60,60",  # one reader twice is one vote
        "c,Nodule/Mass,8,R2,10,10,20,20",
        "c,Nodule/Mass,8,R3,70,70,80,80",
    )
    source = SourceConfig(adapter="vinbigdata", uri=str(tmp_path))
    found, _ = SOURCES["vinbigdata"].read(source, True)
    assert [item.study.labels for item in found] == [
        {"interstitial lung disease": 0, "nodule or mass": 0, "no finding": 1},
        {"interstitial lung disease": -1, "nodule or mass": 0, "no finding": 0},
        {"interstitial lung disease": -1, "nodule or mass": 1, "no finding": 0},
    ]
    image = {0: ImageRef("c.dicom", "PA", "current", 100, 100)}
    assert set(facts(found[2].complete(image, ""), 0)) == {"nodule or mass"}
