"""What one row adds to each metric, worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from chexone_ray import boxes
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.kinds import METRICS, is_correct
from chexone_ray.evaluation.predictions import Judged, Status
from chexone_ray.evaluation.text_rows import row_statistics
from chexone_ray.kinds import KINDS
from chexone_ray.metrics.detection import MAX_LABELS
from chexone_ray.metrics.label_f1 import UNANSWERED
from chexone_ray.metrics.labels import RULES
from chexone_ray.metrics.overlap import matched_iou
from chexone_ray.records import Box, Sample
from tests.samples import LEFT, NODULE, RIGHT, grounding

mean_iou = partial(matched_iou, labelled=True)


def test_presence_counts_each_class() -> None:
    metric, *_ = METRICS["presence"]
    assert list(metric.row(NODULE, "yes") or ()) == [1, 1, 0, 0]
    assert list(metric.row(NODULE, "no") or ()) == [0, 1, 0, 0]
    assert list(metric.row(replace(NODULE, answer="no"), "Yes.") or ()) == [0, 0, 0, 1]
    assert list(metric.row(replace(NODULE, answer="Yes."), "yes") or ()) == [1, 1, 0, 0]
    with pytest.raises(ChexoneError, match="perhaps"):
        metric.row(replace(NODULE, answer="perhaps"), "yes")
    # What could not be parsed is wrong, not left out.
    assert list(metric.row(NODULE, None) or ()) == [0, 1, 0, 0]


def test_iou_is_matched_and_needs_the_label() -> None:
    assert mean_iou([LEFT], [LEFT]) == 1.0
    assert mean_iou([LEFT, RIGHT], [RIGHT, LEFT]) == 1.0
    assert mean_iou([LEFT], [LEFT, RIGHT]) == 0.5
    assert mean_iou([], [LEFT]) == 0.0
    assert mean_iou([Box("effusion", LEFT.xyxy)], [LEFT]) == 0.0
    # A hundred boxes do not help.
    spray = [
        Box("nodule", (i / 10, j / 10, (i + 1) / 10, (j + 1) / 10))
        for i in range(10)
        for j in range(10)
    ]
    assert mean_iou(spray, [spray[7]]) == 0.01
    half = Box("nodule", (0.0, 0.0, 0.5, 0.25))
    assert mean_iou([half], [LEFT]) == pytest.approx(0.5)


def test_negatives_count_for_specificity_only() -> None:
    iou, _, specificity, *_ = METRICS["grounding"]
    assert iou.row(grounding(), "No nodule detected.") is None
    assert list(specificity.row(grounding(), "No nodule detected.") or ()) == [1.0, 1.0]
    assert list(specificity.row(grounding(), boxes.encode([LEFT])) or ()) == [0.0, 1.0]
    for junk in (None, "", "banana", "I see an effusion on the left [10,20,30,40]"):
        assert list(specificity.row(grounding(), junk) or ()) == [0.0, 1.0]
    # The reference's own words deny, whatever they are.
    odd = replace(grounding(), answer="Clear lungs")
    assert list(specificity.row(odd, "clear lungs.") or ()) == [1.0, 1.0]
    assert specificity.tested and not iou.tested
    assert specificity.row(grounding(LEFT), boxes.encode([LEFT])) is None


def test_findings_count_labels() -> None:
    metric, *_ = METRICS["findings"]
    truth = "There is a left pleural effusion. The heart is enlarged. No pneumothorax."
    sample = replace(NODULE, kind="findings", answer=truth)
    assert list(metric.row(sample, truth) or ()) == [2, 0, 0]
    said = "There is a pneumothorax. There is a left pleural effusion. The heart is normal in size."
    assert list(metric.row(sample, said) or ()) == [1, 1, 1]
    assert list(metric.row(sample, None) or ()) == [0, 0, 2]
    # No answer to a report without a label is one false positive; silence would be right there.
    normal = replace(sample, answer="The lungs are clear.")
    assert list(metric.row(normal, normal.answer) or ()) == [0, 0, 0]
    assert list(metric.row(normal, None) or ()) == list(metric.row(normal, " ") or ()) == [0, 1, 0]


DENIALS = ("No nodule detected.", "No nodules detected.", "No finding detected.", "None.")


@pytest.mark.parametrize(
    ("said", "denial"), [("", DENIALS[0]), ("banana", DENIALS[0]), *((None, no) for no in DENIALS)]
)
def test_failing_on_all_negatives_does_not_pay(said: str | None, denial: str) -> None:
    """Ten sick and ten normal studies; the ten normal ones are not answered, or with junk."""
    negative = replace(grounding(), answer=denial)
    sick = [(grounding(LEFT), boxes.encode([LEFT]))] * 10
    right = of("grounding", [*sick, *[(negative, "No nodule detected.")] * 10])
    failing = of("grounding", [*sick, *[(negative, said)] * 10])
    assert set(right.values()) == {1.0}
    # 10 hits, 10 false positives: 20 / 30; precision 1/2 at the first rank.
    for threshold in (0.3, 0.5, 0.75):
        assert failing[f"box F1 at IoU {threshold}"] == pytest.approx(2 / 3)
    for name in ("mAP at IoU 0.1-0.75 (any label)", "mAP at IoU 0.4 (mean of labels)"):
        assert failing[name] == pytest.approx(1 / 2)
    assert failing["specificity"] == 0
    # A second label, found once, is charged too where the reference denies neither by name.
    mass = Box("mass", LEFT.xyxy)
    more = [*sick, (grounding(mass), boxes.encode([mass])), *[(negative, said)] * 10]
    of_mass = 1 if "nodule" in denial else 1 / 11
    found = of("grounding", more)["mAP at IoU 0.4 (mean of labels)"]
    assert found == pytest.approx((1 / 2 + of_mass) / 2)


def test_failing_on_all_normal_reports_does_not_pay() -> None:
    ill = replace(NODULE, kind="findings", answer="There is a left pleural effusion.")
    normal = replace(NODULE, kind="findings", answer="The lungs are clear. No pneumothorax.")
    rows: list[tuple[Sample, str | None]] = [(ill, ill.answer)] * 10
    right = of("findings", rows + [(normal, normal.answer)] * 10)
    failing = of("findings", rows + [(normal, None)] * 10)
    assert (
        right["label F1 (micro)"]
        == right["F1-14 (macro, labels with support)"]
        == right["F1-5 (micro)"]
        == 1
    )
    assert failing["label F1 (micro)"] == failing["F1-5 (micro)"] == pytest.approx(20 / 30)
    # "no finding" is missed ten times: no false positive, its own F1 is 0.
    assert failing["F1-14 (micro)"] == pytest.approx(20 / 30)
    assert failing["F1-14 (macro, labels with support)"] == pytest.approx(1 / 2)
    # A fifth of each false positive is the effusion's: 20 / (20 + 2).
    assert failing["F1-5 (macro, labels with support)"] == pytest.approx(20 / 22)


def of(kind: str, rows: Sequence[tuple[Sample, str | None]]) -> dict[str, float]:
    """Metric -> its value over all rows that it applies to."""
    found = {}
    samples, answers = zip(*rows, strict=True)
    statuses: list[Status] = ["answered"] * len(rows)
    judged = Judged(samples, answers, tuple(statuses), ("",) * len(rows))
    for metric in METRICS[kind]:
        counted = [row for row in row_statistics(metric, judged) if row is not None]
        if not counted:
            continue
        sums = np.sum(counted, axis=0, dtype=float)
        found[metric.name] = float(metric.value(sums))
    return found


def test_all_metrics_of_boxes_by_hand() -> None:
    """One box found, one half found, one missed, a negative left alone: IoU 1, 0.5 and 0."""
    half = Box("nodule", (0.0, 0.0, 0.5, 0.25))
    rows = [
        (grounding(LEFT), boxes.encode([LEFT])),
        (grounding(LEFT), boxes.encode([half])),
        (grounding(LEFT), None),
        (grounding(), "No nodule detected."),
    ]
    found = of("grounding", rows)
    assert found["mean IoU (matched)"] == found["mean IoU (mask)"] == pytest.approx(0.5)
    assert found["IoU >= 0.5"] == pytest.approx(2 / 3)
    assert found["specificity"] == 1.0
    # Two of two boxes hit up to IoU 0.5, one of two above, three to be found.
    assert found["box F1 at IoU 0.3"] == found["box F1 at IoU 0.5"] == pytest.approx(4 / 5)
    assert found["box F1 at IoU 0.75"] == pytest.approx(2 / 5)
    # Both of the first rank: precision 1 up to recall 2/3 for five thresholds, 1/2 at recall 1/3
    # for the other three.
    assert found["mAP at IoU 0.1-0.75 (any label)"] == pytest.approx((5 * 2 / 3 + 3 / 6) / 8)


def test_precision_by_label_sees_names() -> None:
    """Of both labels and of three; where one is missed, of the mean over those that there are."""
    right = Box("Mass", (0.5, 0.5, 0.9, 0.9))
    both = replace(grounding(LEFT, right), kind="detection")
    swapped = boxes.encode([replace(LEFT, label="mass"), replace(right, label="nodule")])
    name = "mAP at IoU 0.4 (mean of labels)"
    found = of("detection", [(both, swapped)])
    assert found["mAP at IoU 0.1-0.75 (any label)"] == 1 and found[name] == 0
    assert of("detection", [(both, boxes.encode([LEFT, right]))])[name] == 1
    assert of("detection", [(both, boxes.encode([LEFT]))])[name] == pytest.approx(1 / 2)
    one = replace(grounding(LEFT), kind="detection")
    # Nodule: 2 of 2; mass: 0 of 1, whatever is made up of other names beside.
    other = boxes.encode([LEFT, Box("device", (0, 0, 1, 1))])
    assert of("detection", [(both, other), (one, other)])[name] == pytest.approx(1 / 2)
    # As many labels as phrases: none.
    phrases = [Box(f"phrase {i}", LEFT.xyxy) for i in range(MAX_LABELS + 1)]
    many = [(replace(grounding(phrase), kind="phrases"), "None.") for phrase in phrases]
    assert name not in of("phrases", many) and name in of("phrases", many[1:])
    assert name not in of("phrase_grounding", [(replace(one, kind="phrase_grounding"), "None.")])


def test_all_metrics_of_a_report_by_hand() -> None:
    truth = "There is a left pleural effusion. No pneumothorax."
    sample = replace(NODULE, kind="findings", answer=truth)
    perfect = of("findings", [(sample, truth)])
    # Of one label only: those that the reference never states are 0 in the macro F1 of all.
    assert perfect.pop("F1-14 (macro, all labels)") == pytest.approx(1 / 14)
    assert perfect.pop("F1-5 (macro, all labels)") == pytest.approx(1 / 5)
    assert list(perfect.values()) == pytest.approx([1.0] * len(perfect))
    empty = of("findings", [(sample, None)])
    assert set(empty.values()) == {0.0}
    both = of("findings", [(sample, truth), (sample, "There is a pneumothorax.")])
    # Labels: effusion found once of twice, pneumothorax made up once.
    assert both["F1-14 (micro)"] == pytest.approx(2 / (2 + 1 + 1))
    assert both["F1-14 (samples)"] == both["F1-5 (micro)"] - 1 / 6 == pytest.approx(0.5)
    assert both["F1-14 (weighted)"] == both["F1-5 (weighted)"] == pytest.approx(2 / 3)
    assert both["F1-5 (samples)"] == pytest.approx(0.5)
    assert both["BLEU-1 (corpus, ptb)"] < 1 < 1 + both["BLEU-2 (mean of pairs, rexrank)"]


def test_closed_questions_have_their_accuracy_and_f1_too() -> None:
    rows = [(NODULE, "yes"), (NODULE, "yes"), (NODULE, None), (replace(NODULE, answer="no"), "no")]
    assert of("presence", rows) == {
        "balanced accuracy": pytest.approx((2 / 3 + 1) / 2),
        "accuracy": 0.75,
        "macro F1": pytest.approx((4 / 5 + 1) / 2),
    }


def test_macro_f1_reads_answers_as_the_accuracy_does() -> None:
    no = replace(NODULE, answer="no")
    found = of("presence", [(NODULE, "The answer is yes"), (no, "The answer is no")])
    assert set(found.values()) == {1.0}
    unread = of("presence", [(NODULE, None), (no, None)])
    assert set(unread.values()) == {0.0}


def test_a_reference_that_names_no_option_makes_nothing_right() -> None:
    options = ("(A) edema", "(B) mass")
    odd = replace(NODULE, kind="choice", answer="Neither of these", options=options)
    assert not is_correct(odd, "banana") and not is_correct(odd, "(A)")
    assert is_correct(odd, "neither of these."), "its own words are right"
    assert is_correct(replace(odd, answer="(B)"), "mass")


def test_progression_is_also_a_mean_over_findings() -> None:
    def asked(name: str, answer: str) -> Sample:
        return replace(NODULE, id=f"d/s/progression/{name}", kind="progression", answer=answer)

    rows: list[tuple[Sample, str | None]] = [
        (asked("left edema", "better"), "better"),
        (asked("edema", "better"), "The answer is better"),
        (asked("edema", "same"), "same"),
        (asked("right pneumothorax", "better"), "same"),
        (asked("nail", "better"), None),
    ]
    found = of("progression", rows)
    assert METRICS["progression"][0].name == "macro accuracy"
    assert found["macro accuracy"] == pytest.approx((2 / 4 + 1) / 2)
    # edema 1, pneumothorax 0, all others together 0.
    assert found["macro accuracy (mean of findings)"] == pytest.approx(1 / 3)


def test_signatures_say_what_report_labels_are_read_from() -> None:
    by_name = {metric.name: metric.signature for metric in METRICS["findings"]}
    assert f"|labeller:{RULES}|uncertain:absent|" in by_name["label F1 (micro)"]
    assert "|reference:reference text or answer|" in by_name["label F1 (micro)"]
    sided = by_name["finding F1 (side, severity, region)"]
    assert "|attribute:0.333|other_side:0|uncertain:0.5|" in sided
    assert f"|labeller:{RULES}|" in sided and "|findings:rules " in sided
    assert f"|uncertain:present|no_answer:{UNANSWERED}|" in by_name["F1-14 (micro)"]
    assert "|reference:reference text or answer|" in by_name["F1-14 (macro, labels with support)"]
    assert "|labels:with support|" in by_name["F1-14 (macro, labels with support)"]
    assert "|no_finding:where normality is stated|" in by_name["F1-14 (samples)"]
    assert "|rows:with a label|" in by_name["F1-14 (samples)"]
    read_from = "|reference:reference text or answer|no_answer:an empty text|"
    for name in ("BLEU-4 (corpus, ptb)", "ROUGE-L (stemmed)", "ROUGE-L (no stemming)"):
        assert read_from in by_name[name]
    assert all(
        "|codec:percent with fractions|" in metric.signature for metric in METRICS["grounding"]
    )


def test_a_text_that_names_nothing_is_no_normal_film() -> None:
    normal = replace(NODULE, kind="findings", answer="The lungs are clear. The heart is normal.")
    names = ("F1-14 (macro, labels with support)", "F1-14 (micro)", "F1-14 (samples)")
    for junk in ("I cannot see the image.", "x", "History of CHF."):
        found = of("findings", [(normal, junk)])
        assert [found[name] for name in names] == [0, 0, 0]
    right = of("findings", [(normal, "Normal chest.")])
    assert [right[name] for name in names] == [1, 1, 1]
    # A reference without a label is no row of the mean of rows.
    bare = replace(normal, answer="Low lung volumes.")
    mean = of("findings", [(normal, "Normal chest."), (bare, bare.answer)])
    assert mean["F1-14 (samples)"] == 1


def test_every_metric_applies_by_the_row_alone() -> None:
    """Else two systems could not be compared row by row."""
    for kind, metrics in METRICS.items():
        answer = KINDS[kind].classes[0] if KINDS[kind].classes else NODULE.answer
        samples = [replace(NODULE, kind=kind, answer=answer)]
        if KINDS[kind].form == "boxes":
            samples = [replace(grounding(*found), kind=kind) for found in ((), (LEFT,))]
        for metric in metrics:
            for row in samples:
                said = (None, "", row.answer, "no", boxes.encode([RIGHT]))
                assert len({metric.row(row, answer) is None for answer in said}) == 1, metric
            assert metric.signature.count("|v:") == 1
