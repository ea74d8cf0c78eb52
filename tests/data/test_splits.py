"""Splits by patient, and those of archives."""

from __future__ import annotations

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.splits import assign, most_held_out


def test_splits_by_patient() -> None:
    config = PrepareConfig(
        output_uri="x",
        sources=(SourceConfig(adapter="vindr_cxr", uri="x"),),
        test_share=0.3,
        validate_share=0.2,
    )
    assert assign("p", "valid", 0, config) == "validate"
    found = [assign(str(n), "", 0, config) for n in range(2000)]
    assert found == [assign(str(n), "", 0, config) for n in range(2000)]
    assert 0.27 < found.count("test") / 2000 < 0.33
    assert 0.17 < found.count("validate") / 2000 < 0.23
    unparted = [assign(str(n), "train_val", 0, config) for n in range(2000)]
    assert set(unparted) == {"train", "validate"}
    assert 0.17 < unparted.count("validate") / 2000 < 0.23


def test_a_patient_in_several_archive_splits_is_held_out() -> None:
    assert most_held_out(["train", "test", "validate"]) == "test"
    assert most_held_out(["train", "", "val"]) == "validate"
    assert most_held_out(["", ""]) == ""
    assert most_held_out(["train_val", ""]) == "train_val"
    assert most_held_out(["train_val", "test"]) == "test"
    assert most_held_out(["train_val", "train"]) == "train_val"
