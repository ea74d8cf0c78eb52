"""Studies on the driver's disk: as they were put, none of them held."""

from __future__ import annotations

import gc
from pathlib import Path

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.build import read_sources
from chexone_ray.data.shelf import Patients, Shelf, ShelvedPatient
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.records import Box, ImageRef, Question, Study


def pending(number: int) -> PendingStudy:
    study = Study(
        "d",
        f"p{number // 2}",
        f"s{number}",
        (ImageRef(f"{number}.png", "PA"),),
        date=f"2020-01-0{number}",
        findings="Clear \u2013 no effusion." * number,
        labels={"edema": None, "fracture": -1},
        questions=(Question("0", "open_vqa", "Where?", ("left",)),),
    )
    return PendingStudy(study, pixel_boxes=(Box("edema", (1.0, 2.0, 3.0, 4.5)),), lost={0: "why"})


def test_studies_come_back_as_they_were_put_in_any_order() -> None:
    shelf = Shelf()
    entries = [shelf.put(pending(number)) for number in range(4)]
    assert [shelf.get(entries[number]) for number in (2, 0, 3)] == [
        pending(2),
        pending(0),
        pending(3),
    ]
    entries.append(shelf.put(pending(4)))  # after reading
    patients = Patients(
        shelf,
        [ShelvedPatient(tuple(entries[:2]), "test"), ShelvedPatient(tuple(entries[2:4]), "")],
    )
    assert patients[0] == [pending(0).with_split("test"), pending(1).with_split("test")]
    assert [studies[0].study.study for studies in patients] == ["s0", "s2"]
    assert len(patients[1:]) == 1 and patients[1:][0] == patients[1]
    assert (patients.shelved[1].dataset, patients.shelved[1].patient) == ("d", "p1")


def test_the_driver_holds_no_study_once_the_tables_are_read(tmp_path: Path) -> None:
    rows = [f"{n}.png,s{n},p{n % 50},FINDINGS: number {n}" for n in range(200)]
    (tmp_path / "studies.csv").write_text("\n".join(["image,study,patient,report", *rows]) + "\n")
    source = SourceConfig(adapter="own_table", uri=str(tmp_path))
    gc.collect()
    before = live()
    patients, *_ = read_sources(PrepareConfig(output_uri="unused-output", sources=(source,)))
    gc.collect()
    assert live() == before
    assert sum(map(len, patients)) == 200
    of = {studies[0].study.patient: studies for studies in patients}
    assert [item.study.study for item in of["p7"]] == ["s107", "s157", "s57", "s7"]


def live() -> int:
    return sum(isinstance(thing, PendingStudy) for thing in gc.get_objects())
