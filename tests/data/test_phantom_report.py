"""Phantom reports: they say what is drawn, deny the rest, and stay short."""

from __future__ import annotations

import re

from chexone_ray.data.phantom import random_history
from chexone_ray.data.phantom_report import write_report
from chexone_ray.metrics import labeller

VISITS = [visit for seed in range(250) for visit in random_history(seed)]
LABELS = {
    "pleural effusion": "pleural effusion",
    "pneumothorax": "pneumothorax",
    "consolidation": "consolidation",
    "nodule": "lung lesion",
}


def test_findings_state_and_deny_exactly_what_is_drawn() -> None:
    for visit in VISITS:
        text = write_report(visit).findings
        read = labeller.read_report(text)
        for label, mention in LABELS.items():
            sides = {spec.side for spec in visit.specs if spec.label == label}
            assert read[mention].state == int(bool(sides)), text
            assert not sides or read[mention].sides == sides, text
        devices = {spec.label for spec in visit.specs} & {"pacemaker", "tube"}
        assert read["support devices"].state == int(bool(devices)), text
        assert labeller.heart_size(text) == visit.anatomy.heart_size, text


def test_the_course_is_told_in_follow_ups_only() -> None:
    for visit in VISITS:
        told = labeller.changes(write_report(visit).findings)
        if visit.change is None:
            assert told == {}
        else:
            spec, course = visit.change
            assert told == {LABELS[spec.label]: course}


def test_the_impression_names_the_positives() -> None:
    for visit in VISITS:
        text = write_report(visit).impression
        present = {k for k, m in labeller.read_report(text).items() if m.state == labeller.PRESENT}
        expected = {LABELS[spec.label] for spec in visit.specs if spec.label in LABELS}
        expected |= {"cardiomegaly"} if visit.anatomy.heart_size == "enlarged" else set()
        assert present - {"no finding"} == expected, text


def test_reports_are_short_varied_and_of_few_words() -> None:
    reports = [write_report(visit) for visit in VISITS]
    texts = [f"{report.findings} {report.impression}" for report in reports]
    assert max(len(text.split()) for text in texts) <= 70
    assert len({word for text in texts for word in re.findall(r"[a-z]+", text.lower())}) < 100
    assert len(set(texts)) > 0.5 * len(texts)
    assert reports[0] == write_report(VISITS[0])
    assert not any("{" in text or "  " in text for text in texts)
