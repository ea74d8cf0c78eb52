"""The labeller, the sections and the questions on phantom studies, whose truth is known."""

from __future__ import annotations

import pytest

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.facts import facts
from chexone_ray.data.phantom import PhantomStudy, random_history
from chexone_ray.data.phantom_report import write_report
from chexone_ray.data.tasks import samples
from chexone_ray.metrics.labeller import heart_size
from chexone_ray.records import ImageRef, Study

CONFIG = PrepareConfig(
    output_uri="unused-output", sources=(SourceConfig(adapter="mimic_cxr_jpg", uri="unused"),)
)
NAMES = ("pleural effusion", "pneumothorax", "consolidation", "nodule", "pacemaker", "tube")


def as_study(drawn: PhantomStudy, number: int) -> Study:
    report = write_report(drawn)
    views = tuple("lateral" if view == "LATERAL" else view for view in drawn.views)
    return Study(
        dataset="phantom",
        patient="p",
        study=f"s{number}",
        images=tuple(ImageRef(f"{number}-{i}.png", view) for i, view in enumerate(views)),
        date=str(number),
        archive_split="train",
        findings=report.findings,
        impression=report.impression,
    )


@pytest.mark.parametrize("start", range(0, 120, 20))
def test_reports_read_back_as_they_were_drawn(start: int) -> None:
    for seed in range(start, start + 20):
        prior: Study | None = None
        for number, drawn in enumerate(random_history(seed)):
            study = as_study(drawn, number)
            known = facts(study, 0)
            for name in NAMES:
                specs = [spec for spec in drawn.specs if spec.label == name]
                assert known[name].state == int(bool(specs)), (name, study.findings)
                if specs and name != "tube":
                    assert known[name].sides == {spec.side for spec in specs}
            assert heart_size(study.findings) == drawn.anatomy.heart_size
            told = [s for s in samples(study, prior, 0, CONFIG) if s.kind == "progression"]
            if drawn.change is not None and told:
                assert [sample.answer for sample in told] == [drawn.change[1]]
            assert drawn.change is not None or not told
            prior = study
