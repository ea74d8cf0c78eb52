"""The card says where the rows come from, how many there are and what was left out."""

from __future__ import annotations

from typing import Any

from chexone_ray.data.card import render
from chexone_ray.log import RESEARCH_USE_ONLY

BODY: dict[str, Any] = {
    "seed": 3,
    "num_patients": 7,
    "num_images": 9,
    "config": {"sources": [{"adapter": "padchest", "uri": "s3://b/p", "uncertain": "u-ones"}]},
    "num_studies": 8,
    "counts": {
        "rows": 6,
        "dataset": {"train": {"padchest": 4}, "test": {"padchest": 2}},
        "task": {"train": {"View Classification": 3, "Close-Ended VQA": 1}, "test": {}},
        "kind": {"train": {"view": 3, "side": 1}, "test": {"view": 2}},
    },
    "dropped": {"image_missing": 1, "duplicate_row": 4},
}


def test_card_of_a_prepared_manifest() -> None:
    card = render(BODY)
    assert RESEARCH_USE_ONLY in card
    assert "6 questions, seed 3, 7 patients, 8 studies, 9 images" in card
    assert "| PadChest | agreement |" in card and "| u-ones | patient |" in card
    assert "s3://b/p" not in card, "where an archive lies is nobody's business"
    table = card.partition("| kind |")[2].partition("## ")[0].split()
    assert " ".join(table) == (
        "train | test | |---|---:|---:| | side | 1 | 0 | | view | 3 | 2 | | all | 4 | 2 |"
    )
    assert "| padchest | 4 | 2 |" in card and "| Close-Ended VQA | 1 | 0 |" in card
    assert card.index("| duplicate_row | 4 |") < card.index("| image_missing | 1 |")


def test_card_of_samples_without_archives() -> None:
    body = {"counts": BODY["counts"]}
    card = render(body)
    assert "Sources" not in card and "6 questions, seed unknown" in card
    assert card.endswith("## Left out\n\nNothing.\n")
