"""Simulated readers: seeded, marked, and led by how good the reports are."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

from chexone_ray.demo import readers
from chexone_ray.figures import reader_study
from chexone_ray.records import ImageRef, Sample, sample_to_row

TRUTH = "There is a small left pleural effusion. The heart is enlarged. No pneumothorax is seen."
SAMPLE = Sample(
    id="",
    dataset="d",
    task="Findings Generation",
    kind="findings",
    split="test",
    patient="p",
    study="s",
    images=(ImageRef("a.png"),),
    question="Write the findings.",
    answer=TRUTH,
)


def rows(said: str, trace: str = "There is a left pleural effusion. The heart is enlarged.") -> Any:
    return [
        sample_to_row(replace(SAMPLE, id=f"d/s{number}/findings/0"))
        | {"predicted_answer": said, "predicted_reasoning": trace}
        for number in range(25)
    ]


def read(said: str, seed: int = 0, **more: Any) -> list[reader_study.Response]:
    return reader_study.read(readers.responses(rows(said, **more), seed), "responses.jsonl")


def test_every_reader_answers_every_case_and_every_line_is_marked() -> None:
    found = read(TRUTH)
    assert all(response.simulated for response in found)
    assert {response.case for response in found} == {f"d/s{n}/findings/0" for n in range(20)}
    counts = Counter((response.study, response.role) for response in found)
    # Four residents and two attendings, twenty cases; attendings edit two drafts and write none.
    assert counts == {
        ("blind", "resident"): 80,
        ("blind", "attending"): 40,
        ("draft", "resident"): 80,
        ("edit", "resident"): 80,
        ("edit", "attending"): 80,
        ("reasoning", "resident"): 80,
        ("reasoning", "attending"): 40,
    }


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    first = readers.responses(rows(TRUTH), 0)
    assert first == readers.responses(rows(TRUTH), 0) != readers.responses(rows(TRUTH), 1)
    assert readers.responses(rows(""), 0) == b""
    assert all(json.loads(line)["simulated"] is True for line in first.splitlines())


def test_a_true_report_is_preferred_and_sooner_done_than_a_false_one() -> None:
    good, bad = read(TRUTH), read("There is a right pneumothorax. The heart is normal in size.")

    def share(found: list[reader_study.Response]) -> float:
        blind = [response.choice for response in found if response.study == "blind"]
        return sum(choice == "model" for choice in blind) / len(blind)

    def seconds(found: list[reader_study.Response]) -> float:
        times = [r.duration_s or 0.0 for r in found if r.study == "edit" and r.source == "model"]
        return sum(times) / len(times)

    assert share(good) > 0.3 > 0.05 > share(bad)
    assert seconds(good) < seconds(bad)
    reasons = Counter(r.edit_reason for r in good if r.study == "edit" and r.source == "model")
    assert reasons == {"none": 120}
    wrong = Counter(r.edit_reason for r in bad if r.study == "edit" and r.source == "model")
    assert wrong == {"both": 120}
