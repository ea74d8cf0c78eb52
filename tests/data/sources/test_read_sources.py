"""Several archives together: patients, splits, policies and what is there twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.build import read_sources
from chexone_ray.data.facts import facts
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef
from tests.data.sources.replicas import MIMIC_METADATA, mimic_source, write_table


def test_a_patient_of_two_archives_has_one_split_and_one_history(
    mimic_jpg: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    shutil.copytree(mimic_jpg, second)
    row = ["d9", "10000002", "50000009", "PA", "100", "80", "21490101", "120000"]
    write_table(second / "mimic-cxr-2.0.0-metadata.csv.gz", MIMIC_METADATA, [row])
    write_table(
        second / "mimic-cxr-2.0.0-split.csv",
        ["dicom_id", "study_id", "subject_id", "split"],
        [["d9", "50000009", "10000002", "test"]],
    )
    config = PrepareConfig(
        output_uri="x", sources=(mimic_source(mimic_jpg), mimic_source(second)), max_drop_share=1.0
    )
    patients, *_ = read_sources(config)
    seen = [[(item.study.study, item.study.archive_split) for item in p] for p in patients]
    assert seen == [
        [("50000001", "test"), ("50000002", "test")],
        [("50000009", "test"), ("50000003", "test")],
    ]


def test_a_study_that_is_there_twice_is_refused(mimic_jpg: Path, tmp_path: Path) -> None:
    config = PrepareConfig(
        output_uri="x",
        sources=(mimic_source(mimic_jpg), mimic_source(mimic_jpg)),
        max_drop_share=1.0,
    )
    with pytest.raises(
        ChexoneError, match=r"^3 studies of .*/mimic_jpg are there twice: list an arch"
    ):
        read_sources(config)
    copy = tmp_path / "copy"
    shutil.copytree(mimic_jpg, copy)
    config = PrepareConfig(
        output_uri="x", sources=(mimic_source(mimic_jpg), mimic_source(copy)), max_drop_share=1.0
    )
    with pytest.raises(
        ChexoneError, match=r"^3 studies of .*/copy are in .*/mimic_jpg too: keep one"
    ):
        read_sources(config)


@pytest.mark.parametrize(
    ("policy", "edema"), [("keep", -1), ("u-zeros", 0), ("u-ones", 1), ("u-ignore", None)]
)
def test_policies_for_uncertain_labels(stanford: Path, policy: str, edema: int | None) -> None:
    source = SourceConfig(adapter="chexpert", uri=str(stanford), uncertain=policy)  # type: ignore[arg-type]
    config = PrepareConfig(output_uri="unused-output", sources=(source,), max_drop_share=1.0)
    ((study,), *_) = [p for p in read_sources(config)[0] if p[0].study.patient == "patient00001"]
    assert study.study.labels["edema"] == edema
    assert study.study.labels["pleural effusion"] == 1 and study.study.labels["fracture"] == 0
    # The report hedges as the label does, and says more than the labels.
    told = study.complete(
        {0: ImageRef("x.jpg", "PA", "current", 10, 10)},
        "FINDINGS: Possible edema. Possible pneumonia. Pleural effusion. No pneumothorax.",
    )
    known = {name: fact.state for name, fact in facts(told, 0).items()}
    hedged = {"edema": edema, "pneumonia": edema}
    expected = {"fracture": 0, "pleural effusion": 1, "pneumothorax": 0} | hedged
    assert known == {name: state for name, state in expected.items() if state is not None}
