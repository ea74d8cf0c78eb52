"""The answers that are given without the film: majority, chance, told sides."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from chexone_ray import boxes
from chexone_ray.evaluation.blind import SIDES_TOLD, baselines_of, pairwise_iou
from chexone_ray.evaluation.kinds import METRICS
from chexone_ray.metrics.overlap import matched_iou
from chexone_ray.records import Box, Sample
from tests.samples import LEFT, NODULE, RIGHT, grounding

mean_iou = partial(matched_iou, labelled=True)


def test_pairwise_iou_agrees_with_the_scalar_one() -> None:
    rng = np.random.default_rng(0)
    corners = np.sort(rng.random((12, 2, 2)), axis=1).reshape(12, 4)
    table = pairwise_iou(corners, corners)
    for i in range(12):
        for j in range(12):
            one, other = (Box("a", tuple(map(float, corners[k]))) for k in (i, j))  # type: ignore[arg-type]
            assert table[i, j] == pytest.approx(boxes.iou(one, other))


def test_baselines() -> None:
    train = [replace(NODULE, answer=a) for a in ("no", "yes", "no")]
    assert baselines_of("presence", train)["majority"](NODULE) == "no"
    many = [grounding(LEFT)] * 3 + [grounding(RIGHT)]
    answer = baselines_of("grounding", many)["best fixed box a label"](grounding(RIGHT))
    assert boxes.decode(answer)[0].xyxy == pytest.approx(LEFT.xyxy)
    told = baselines_of("grounding", many)[SIDES_TOLD]
    assert mean_iou(boxes.decode(told(grounding(RIGHT))), [RIGHT]) == 1
    assert mean_iou(boxes.decode(told(grounding(LEFT, RIGHT))), [LEFT, RIGHT]) == 1
    assert len(boxes.decode(told(grounding()))) == 1
    reports = [
        replace(NODULE, kind="findings", answer="There is a left pleural effusion."),
        replace(NODULE, kind="findings", answer="There is cardiomegaly."),
    ]
    everything = baselines_of("findings", reports)["all positive"](reports[0])
    metric, *_ = METRICS["findings"]
    assert list(metric.row(reports[0], everything) or ()) == [1, 1, 0]
    assert baselines_of("view", []) == {}


def test_boxes_told_nothing_take_their_label_from_the_question() -> None:
    """Three training boxes of nodules, one of a pleural effusion, one denial of a mass."""
    effusion = Box("pleural effusion", (0.0, 0.5, 0.5, 1.0))
    short = Box("effusion", RIGHT.xyxy)
    train = [grounding(LEFT)] * 3 + [grounding(effusion), grounding(short)]
    train.append(replace(grounding(), answer=boxes.negative("mass")))
    found = baselines_of("grounding", train)
    for name in ("best fixed box", "best fixed box a label", SIDES_TOLD):

        def label(question: str, *reference: Box, name: str = name) -> str:
            row = replace(grounding(*reference), question=question)
            return boxes.decode(found[name](row))[0].label

        assert label("Mark all that is abnormal.", effusion) == "nodule", "the commonest"
        assert label("Where is the Pleural Effusion?", LEFT) == "pleural effusion"
        assert label("Where is the mass?", LEFT) == "mass"
        assert label("Where is the nodularity?", effusion) == "nodule"
    asked = replace(grounding(LEFT), question="Where is the pleural effusion?")
    (box,) = boxes.decode(found["best fixed box a label"](asked))
    assert box.xyxy == pytest.approx(effusion.xyxy)


def test_baselines_that_know_the_question() -> None:
    train = [
        replace(NODULE, question=question, answer=answer)
        for question, answer in (("a?", "no"), ("a?", "no"), ("b?", "yes"), ("c?", "no"))
    ]
    answer = baselines_of("presence", train)["majority of the question"]
    assert [answer(replace(NODULE, question=q)) for q in ("a?", "b?", "new?")] == [
        "no",
        "yes",
        "no",
    ]

    def choice(answer: str, *names: str) -> Sample:
        options = tuple(f"({letter}) {name}" for letter, name in zip("AB", names, strict=True))
        return replace(NODULE, kind="choice", answer=answer, options=options)

    # nodule was right in 2 of 2, edema in 1 of 3, mass in 0 of 1
    lists = [
        choice("(A)", "nodule", "edema"),
        choice("(B)", "edema", "nodule"),
        choice("(A)", "edema", "mass"),
    ]
    pick = baselines_of("choice", lists)["likeliest option"]
    assert pick(choice("(A)", "mass", "edema")) == "(B)"
    assert pick(replace(lists[1], options=())) == "(A)", "the commonest answer"
    assert pick(choice("(B)", "mass", "never seen")) == "(A)"


@pytest.mark.parametrize("kind", ["presence", "choice", "grounding", "findings", "open_vqa"])
def test_majority_and_random_exist_for_every_kind(kind: str) -> None:
    answers = ["b", "b", "a"]
    train = [replace(NODULE, id=f"t{i}", kind=kind, answer=a) for i, a in enumerate(answers)]
    found = baselines_of(kind, train)
    assert found["majority"](NODULE) == "b"
    said = {found["random"](replace(NODULE, id=str(i), kind=kind)) for i in range(40)}
    assert said == {"a", "b"}


def test_random_is_uniform_and_seeded() -> None:
    options = ("(A) one", "(B) two", "(C) three", "(D) four")
    samples = [replace(NODULE, id=str(i), kind="choice", options=options) for i in range(2000)]
    train = [replace(NODULE, kind="choice", answer="(A)", options=options)] * 5
    pick = baselines_of("choice", train, seed=1)["random"]
    said = [pick(sample) for sample in samples]
    for letter in "ABCD":
        # 500 expected, standard deviation 19
        assert said.count(f"({letter})") == pytest.approx(500, abs=80)
    assert [pick(sample) for sample in reversed(samples)] == said[::-1], "whatever the order"
    assert [baselines_of("choice", train, seed=2)["random"](s) for s in samples] != said
    # A closed question is guessed by chance however uneven its training answers are.
    uneven = [replace(NODULE, answer=a) for a in ["yes"] * 99 + ["no"]]
    guess = baselines_of("presence", uneven)["random"]
    no = [guess(replace(NODULE, id=str(i))) for i in range(1000)].count("no")
    assert no == pytest.approx(500, abs=80)
