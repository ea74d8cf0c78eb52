"""What a probe's answer is worth: read, right or wrong, the same as another. Pure.

One row of the results is one answer; `schema` has its columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from chexone_ray.answers import Answer, chosen_options, normalise, parse
from chexone_ray.boxes import decode
from chexone_ray.evaluation.kinds import METRICS, is_correct
from chexone_ray.evaluation.predictions import Status, status_of
from chexone_ray.evaluation.probes import PLAIN, Case
from chexone_ray.kinds import form
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.metrics.consistency import flipped, self_consistency
from chexone_ray.metrics.factuality import entity_counts
from chexone_ray.metrics.labels import positive_labels
from chexone_ray.metrics.overlap import matched_iou
from chexone_ray.records import Completion, Mode, Sample
from chexone_ray.rewards.reasoning import agreement

SAME_IOU = 0.5
"""Matched IoU from which two answers of boxes are the same, and an answer is right."""
_RIGHT_BOXES = ("IoU >= 0.5", "specificity")
"""Metrics of the kinds of boxes that say whether a row with, and one without, a box is right."""


@dataclass(frozen=True)
class Said:
    """One answer. `answer` is None unless the status is "answered"."""

    text: str
    reasoning: str
    answer: str | None
    status: Status
    error: str = ""
    num_tokens: int = 0


def read(completion: Completion, mode: Mode, sample: Sample) -> Said:
    """An answer out of a completion; `text` may hold what the assistant was made to begin with."""
    parsed = parse(completion.text, mode)
    status = status_of(
        {
            "error": "",
            "text": completion.text,
            "mode": mode,
            "kind": sample.kind,
            "options": sample.options,
            "predicted_answer": parsed.answer,
            "finish_reason": completion.finish_reason,
        }
    )
    answer = parsed.answer if status == "answered" else None
    tokens = len(completion.token_ids)
    return Said(completion.text, parsed.reasoning, answer, status, "", tokens)


def failure(error: str) -> Said:
    """No answer, as the image or the engine failed."""
    return Said("", "", None, "failed", error)


def correct(sample: Sample, answer: str | None) -> bool | None:
    """Exactly the right options; boxes of a matched IoU of half or more, or no box where there is
    none. None for reports and free text, which are not right or wrong."""
    which = form(sample.kind)
    if which == "options":
        return is_correct(sample, answer)
    if which == "boxes":
        for metric in METRICS[sample.kind]:
            found = metric.row(sample, answer) if metric.name in _RIGHT_BOXES else None
            if found is not None:
                return bool(found[0])
    return None


def same_answer(sample: Sample, first: str, second: str) -> bool:
    """Whether two answers to a row say the same: its options, or normalised text; of reports the
    labels stated as present; of boxes a matched IoU of half or more, or none on either side."""
    which = form(sample.kind)
    if which == "report":
        return positive_labels(first) == positive_labels(second)
    if which == "boxes":
        drawn, again = decode(first), decode(second)
        if not drawn or not again:
            return bool(drawn) == bool(again)
        return matched_iou(drawn, again, labelled=True) >= SAME_IOU
    chosen = chosen_options(first, sample.options)
    if not chosen:  # neither names an option: it may still be another text
        return normalise(first) == normalise(second)
    return chosen == chosen_options(second, sample.options)


def plain_row(case: Case, said: Said, samples: Sequence[Said] = ()) -> dict[str, Any]:
    """The row of the plain answer, which also carries what its trace and its `samples`, drawn at
    random, are worth."""
    row = probe_row(case, PLAIN, 0, said, said)
    if said.status == "failed":
        return row
    sample = case.sample
    read_as = Answer(said.reasoning, said.answer, int(said.answer is not None))
    right, stated = entity_counts(said.reasoning, (sample, *case.reports))
    row |= {
        "right_findings": right,
        "stated_findings": stated,
        "agreement": agreement(read_as, sample),
    }
    if samples and all(one.status != "failed" for one in samples):
        answers = [one.answer for one in samples]
        row["consistency"] = self_consistency(answers, partial(same_answer, sample))
    return row


def probe_row(case: Case, probe: str, number: int, said: Said, plain: Said) -> dict[str, Any]:
    """The row of one answer; `number` counts the answers of one probe to one row."""
    sample = case.sample
    changed = flipped(plain.answer, said.answer, partial(same_answer, sample))
    failed = said.status == "failed"
    return {
        "probe": probe,
        "number": number,
        "id": sample.id,
        "dataset": sample.dataset,
        "kind": sample.kind,
        "patient": sample.patient,
        "text": said.text,
        "reasoning": said.reasoning,
        "answer": said.answer,
        "status": said.status,
        "error": said.error,
        "num_tokens": said.num_tokens,
        "correct": None if failed else correct(sample, said.answer),
        "same_as_plain": None if failed or changed is None else not changed,
    }


def schema() -> Any:
    """Arrow schema of a part. The last four are of plain rows only."""
    import pyarrow as pa

    return pa.schema(
        [
            ("probe", pa.string()),
            ("number", pa.int32()),
            *((name, pa.string()) for name in ("id", "dataset", "kind", "patient")),
            *((name, pa.string()) for name in ("text", "reasoning", "answer", "status", "error")),
            ("num_tokens", pa.int32()),
            ("correct", pa.bool_()),
            ("same_as_plain", pa.bool_()),
            ("right_findings", pa.int32()),
            ("stated_findings", pa.int32()),
            ("agreement", pa.float64()),
            ("consistency", pa.float64()),
        ],
        metadata={"notice": RESEARCH_USE_ONLY},
    )
