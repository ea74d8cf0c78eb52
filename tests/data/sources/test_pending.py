"""Boxes and phrases of a study once the sizes of its images are known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.config import PrepareConfig
from chexone_ray.data import drops
from chexone_ray.data.ask import ask
from chexone_ray.data.blocks import Letter
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box, ImageRef, Phrase, Question, Study
from tests.data.sources.replicas import mimic_source, sized_film


def test_boxes_outside_their_image_are_dropped_and_a_little_overhang_is_cut() -> None:
    boxes = (
        Box("nodule", (-2, 10, 50, 52)),  # 50 pixels high: 2 pixels are more than 1 % of it
        Box("mass", (10, 10, 20, 52.1)),
        Box("edema", (10, 10, 1010, 20)),  # 1000 pixels wide: 1 % are 10
        Box("hernia", (10, 10, 1011, 20)),
    )
    study = Study("made_up", "p", "s", (ImageRef("x"),), boxes_complete=True, boxed=("mass", "a"))
    found = PendingStudy(study, boxes)
    assert found.count_boxes(sized_film(1000, 50)) == (4, 2)
    whole = found.complete(sized_film(1000, 50), "")
    assert [(box.label, box.xyxy) for box in whole.boxes] == [
        ("nodule", (0, 0.2, 0.05, 1)),
        ("edema", (0.01, 0.2, 1, 0.4)),
    ]
    assert (whole.boxes_complete, whole.boxed) == (False, ("a",))
    whole = PendingStudy(study, boxes[:1]).complete(sized_film(1000, 50), "")
    assert (whole.boxes_complete, whole.boxed) == (True, ("mass", "a"))
    assert found.count_boxes({}) == (0, 0) and found.complete({}, "").boxes_complete
    shares = PendingStudy(
        study,
        (Box("b", (0, 0, 1.011, 1)), Box("c", (0, 0, 1.009, 1))),
        (Phrase("x", (Box("d", (0, -0.02, 1, 1)),)), Phrase("y", (Box("e", (0, 0, 1, 1)),))),
        canonical=True,
    )
    assert shares.count_boxes(sized_film(1000, 1000)) == (4, 2)
    whole = shares.complete(sized_film(1000, 1000), "")
    assert [box.label for box in whole.boxes] == ["c"] and [p.text for p in whole.phrases] == ["y"]


def test_a_pack_of_resized_films_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.to_png(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    boxes = tuple(Box("nodule", (n, 0, n + 4, 4)) for n in (0, 2, 4, 40))
    refs = (ImageRef(str(tmp_path / "a.dicom"), "PA"),)
    pending = PendingStudy(Study("made_up", "p", "s", refs, boxes_complete=True), boxes)
    config = PrepareConfig(output_uri="x", sources=(mimic_source(tmp_path),), max_drop_share=0.2)
    _, _, block = ask([[[pending]]], 0, "unused", config)
    assert block.usable == {"made_up/images": 1, "made_up/boxes": 4}
    assert Letter("made_up", "box_outside_image", "s") in block.letters
    with pytest.raises(
        ChexoneError, match=r"^made_up: 1 of 4 boxes reach outside .* resized copies"
    ):
        drops.check_read([block], config)
    drops.check_read([block], config.model_copy(update={"max_drop_share": 0.25}))


def test_what_a_lost_image_or_box_takes_along_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.to_png(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    refs = (ImageRef(str(tmp_path / "a.png"), "PA"), ImageRef(str(tmp_path / "gone.png"), "PA"))
    many = tuple(map(str, range(27)))
    questions = (
        Question("both", "difference", "What is new?", ("nothing",)),
        Question("gone", "open_vqa", "What is there?", ("a nodule",), images=(1,)),
        Question("here", "open_vqa", "What is here?", ("a mass",), images=(0,)),
        Question("many", "closed_vqa", "Which one?", ("3",), many, images=(0,)),
    )
    phrases = (
        Phrase("a nodule", (Box("nodule", (0, 0, 4, 4), 1),), "nodule"),
        Phrase("a mass", (Box("mass", (0, 0, 4, 4)),), "mass"),
        Phrase("masses", (Box("mass", (0, 0, 4, 4)), Box("mass", (0, 0, 40, 4))), "mass"),
        Phrase("no box", (), "edema"),
    )
    pending = PendingStudy(Study("made_up", "p", "s", refs, questions=questions), (), phrases)
    config = PrepareConfig(output_uri="x", sources=(mimic_source(tmp_path),))
    rows, _, block = ask([[[pending]]], 0, "unused", config)
    lost = [(letter.reason, letter.place.removeprefix(f"{tmp_path}/")) for letter in block.letters]
    assert sorted(lost) == [
        ("box_outside_image", "s"),
        ("image_missing", "gone.png"),
        ("phrase_of_lost_box", "s/phrases[0]"),
        ("phrase_of_lost_box", "s/phrases[2]"),
        ("question_of_missing_image", "s/both"),
        ("question_of_missing_image", "s/gone"),
        ("question_with_too_many_options", "s/many"),
    ]
    asked = {row["id"].rsplit("/", 1)[1] for row in rows.to_pylist() if row["kind"] == "open_vqa"}
    assert asked == {"here"}
    empty = dict(Counter(reason for reason, _ in pending.losses({})))
    assert empty == {"question_of_missing_image": 4, "phrase_of_lost_box": 3}
