"""PadChest and BIMCV-COVID19, which has its labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import (
    padchest,
)
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.registry import SOURCES
from tests.data.sources.replicas import png16, read, write, write_rows


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


def test_bimcv_sessions_views_and_doubt(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "derivatives" / "labels" / "labels_covid_posi.tsv",
        ",PatientID,ReportID,Report,Labels,Localizations",
        "0; sub-S01; ses-E02; neumonía; ['pneumonia', 'COVID 19', ' loc right']; []",
        "1; sub-S01; ses-E01; dudoso; ['covid 19 uncertain', 'pleural effusion']; []",
        "2; sub-S02; ses-E03; normal; ['normal']; []",
        "2; sub-S02; ses-E03; normal; ['normal']; []",
        "3; sub-S03; ses-E04; ct; ['normal']; []",
        "3; sub-S05; ses-E04; sin placa; ['normal']; []",
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
        "study_of_another_technique": 1,
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
    assert (normal.labels["covid-19"], normal.labels["no finding"]) == (None, 1)
    assert odd.labels == {} and not sure.findings


@pytest.mark.parametrize(
    ("table", "listed", "state"),
    [
        ("Labels_covid_NEG_JAN21.tsv", "['normal']", 0),
        ("labels_SARS-cov-2_nega.tsv", "['pneumonia']", 0),
        ("Labels_covid_NEG_JAN21.tsv", "[]", None),
        ("Labels_covid_NEG_JAN21.tsv", "['unchanged']", None),
        ("Labels_covid_NEG_JAN21.tsv", "['pneumonia', 'suboptimal study']", None),
        ("Labels_covid_NEG_JAN21.tsv", "['exclude']", None),
        ("Labels_covid_NEG_JAN21.tsv", "['exclude', 'covid 19']", None),
        ("Labels_covid_NEG_JAN21.tsv", "['unchanged', 'covid 19']", 1),
        ("labels_covid19_posi.tsv", "['normal']", None),
        ("labels_covid19_posi.tsv", "['pneumonia', 'covid 19 uncertain']", -1),
        ("labels_covid_posi.tsv", "[]", None),
    ],
)
def test_bimcv_denies_covid_only_where_it_is_known(
    tmp_path: Path, table: str, listed: str, state: int | None
) -> None:
    """A patient of the positive set has it, whatever a film shows."""
    write_rows(
        tmp_path / "derivatives" / "labels" / table,
        ",PatientID,ReportID,Labels",
        f"0; sub-S01; ses-E02; {listed}",
        delimiter="\t",
    )
    write(tmp_path / "sub-S01" / "ses-E02" / "mod-rx" / "sub-S01_ses-E02_vp-pa_cr.png", "")
    ((item,), _) = read("bimcv_covid19", tmp_path)
    assert item.study.labels.get("covid-19") == state
