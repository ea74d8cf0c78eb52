"""ReXrank: the board's JSON -> a manifest, predictions -> a submission, a check of one.

The file is an object by study: `image_path`, `key_image_path`, `context` (one text with Age,
Gender, Indication and Comparison), `frontal_lateral`, `section_findings`, `section_impression`,
`report`, `split`, `subject_id`, and more in some sets, NaN among the values. A submission is the
same object with `model_prediction` added to each study.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chexone_ray import prompts, storage
from chexone_ray.config import RexrankExportConfig, RexrankImportConfig, RexrankValidateConfig
from chexone_ray.config.exchange import Track
from chexone_ray.data import manifest
from chexone_ray.data.questions.scene import indication_of
from chexone_ray.data.questions.wordings import QUESTIONS
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.predictions import read_rows, status_of
from chexone_ray.exchange import prediction_rows
from chexone_ray.exchange.json_text import read_object, same, text
from chexone_ray.records import ImageRef, Sample, Study

logger = logging.getLogger(__name__)

DATASET = "rexrank"
PREDICTION = "model_prediction"
NUM_LOOKING = 16
"""Films that are looked for at a time."""
KINDS: dict[Track, tuple[str, str]] = {
    "findings": ("findings", "Findings Generation"),
    "both": ("report", "Report Generation"),
}
"""Track -> kind and task of its rows."""
FAILED, REFUSED = "failed", "were declined by the model"
UNPARSED = "have a text without an answer"
NO_FINDINGS = "have nothing on this track"
REMEDIES = {
    FAILED: "predictions.json counts their errors: predict anew, or ",
    REFUSED: "",
    UNPARSED: "raise sampling.max_tokens of predict, set unparsed=text to submit the texts whole, "
    "or ",
    NO_FINDINGS: "an impression alone is no findings; predict on track both, or ",
}
"""Why a study has no text to submit -> what helps beside `missing`."""
Board = Mapping[str, Mapping[str, Any]]
_TAG = re.compile(r"\b(age|gender|sex|indication|comparison)\s*:", re.IGNORECASE)
_SECTION = re.compile(
    r"(?:^[\s*#]*|(?<=[.!?] )[*#]*)(?i:(findings|impression))\s*:"
    r"|\b(FINDINGS|IMPRESSION|Impression)\s*:"
)
"""A header at the start or after a sentence, or written as one: no "other findings: none"."""


# --- the board's file ----------------------------------------------------------------------------


def read_board(uri: str) -> dict[str, dict[str, Any]]:
    """The board's file by study, in its order.

    Raises:
        ChexoneError: another shape, a study that is there twice or has no image.
    """
    board = read_object(uri, "studies")
    for key, entry in board.items():
        paths = entry.get("image_path")
        if not isinstance(paths, list) or not all(isinstance(p, str) and p for p in paths):
            raise ChexoneError(f"{uri}: {key} has no list of image_path: check the file")
        if not paths:
            raise ChexoneError(f"{uri}: {key} has an empty image_path: check the file")
    return board


def context_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """The parts of `context` by tag in lower case, without empty ones."""
    told = text(dict(entry), "context")
    tags = list(_TAG.finditer(told))
    ends = [tag.start() for tag in tags[1:]] + [len(told)]
    parts = {
        tag.group(1).lower(): told[tag.end() : end].strip(" .;,")
        for tag, end in zip(tags, ends, strict=False)
    }
    return {name: part for name, part in parts.items() if part}


def study_of(key: str, entry: Mapping[str, Any], images_uri: str) -> Study:
    """One study of the board, the key image first. Relative paths are under `images_uri`."""
    paths: list[str] = entry["image_path"]
    views = entry.get("frontal_lateral")
    views = views if isinstance(views, list) else [views]
    shown = {
        path: ImageRef(_place(images_uri, path), _view(views[at] if at < len(views) else None))
        for at, path in enumerate(paths)
    }
    key_images = entry.get("key_image_path")
    key_images = key_images if isinstance(key_images, list) else [key_images]
    order = sorted(shown, key=lambda path: path not in key_images)
    context = context_of(entry)
    return Study(
        dataset=DATASET,
        patient=_patient(entry) or key,
        study=key,
        images=tuple(shown[path] for path in order),
        archive_split="test",
        findings=text(dict(entry), "section_findings"),
        impression=text(dict(entry), "section_impression"),
        indication=context.get("indication", ""),
        comparison=context.get("comparison", ""),
    )


def sample_of(study: Study, track: Track, context: bool, max_views: int) -> Sample:
    """The question for one study's report. Every study of the board has one, also without a
    reference: a submission needs them all."""
    kind, task = KINDS[track]
    question = QUESTIONS[kind][0]
    told = indication_of(study) if context else ""
    if told:
        asked = QUESTIONS["findings_indication"][0] if track == "findings" else question
        question = f"{prompts.INDICATION.format(indication=told)} {asked}"
    answer = study.findings
    if track == "both":
        answer = joined(study.findings, study.impression)
    return Sample(
        id=f"{DATASET}/{study.study}/{kind}/report",
        dataset=DATASET,
        task=task,
        kind=kind,
        split="test",
        patient=study.patient,
        study=study.study,
        images=study.images[:max_views],
        question=question,
        answer=answer,
        reference=answer,
    )


def joined(findings: str, impression: str) -> str:
    """Sections as the board writes them; an empty one is left out."""
    named = (("Findings", findings), ("Impression", impression))
    return " ".join(f"{name}: {told}" for name, told in named if told)


def sections(report: str) -> tuple[str, str]:
    """(findings, impression) of a text with such headers; without headers all is findings."""
    report = " ".join(report.split())
    heads = list(_SECTION.finditer(report))
    if not heads:
        return report, ""
    told = {"findings": report[: heads[0].start()].strip(" *#"), "impression": ""}
    ends = [head.start() for head in heads[1:]] + [len(report)]
    for head, end in zip(heads, ends, strict=True):
        name = (head.group(1) or head.group(2)).lower()
        told[name] = f"{told[name]} {report[head.end() : end].strip(' *#')}".strip()
    return told["findings"], told["impression"]


def _place(root: str, path: str) -> str:
    """A leading `../` is a prefix, as in other files of its makers."""
    return path if "://" in path else storage.join(root, path.removeprefix("../"))


def _view(value: Any) -> str:
    told = str(value or "").strip().lower()
    return told if told in ("frontal", "lateral") else ""


def _patient(entry: Mapping[str, Any]) -> str:
    value = entry.get("subject_id")
    return str(value) if isinstance(value, str | int) else ""


# --- in ------------------------------------------------------------------------------------------


def import_board(config: RexrankImportConfig) -> str:
    """The board's studies as a manifest to predict on, or the predictions in the file as a folder
    to evaluate; returns `config.output_uri`.

    Raises:
        ChexoneError: not the board's shape, a study without `model_prediction`, or none of the
            films of a manifest is under the given `images_uri`.
    """
    board = read_board(config.board_uri)
    root = config.images_uri or config.board_uri.rpartition("/")[0] or "."
    samples = {
        key: sample_of(study_of(key, entry, root), config.track, config.context, config.max_views)
        for key, entry in board.items()
    }
    blank = sum(not sample.answer for sample in samples.values())
    if blank:
        logger.warning("%d of %d studies have no reference on this track", blank, len(samples))
    logger.info("import: %d studies", len(samples))
    if config.what == "predictions":
        rows = _rows(board, samples, config)
        prediction_rows.write(config.output_uri, rows, config.board_uri, config, "sections")
        return config.output_uri
    if storage.committed(config.output_uri) is not None:
        raise ChexoneError(
            f"{config.output_uri} holds a result: give another output_uri or delete that folder"
        )
    _tell_missing({i.uri for sample in samples.values() for i in sample.images}, config, root)
    units = manifest.Units()
    for sample in samples.values():
        units.add(sample)
    info = {"kind": "manifest", "board": config.model_dump(mode="json", exclude={"output_uri"})}
    own = {"num_without_reference": blank, **units.info()}
    manifest.write_samples(config.output_uri, samples.values(), info | own)
    return config.output_uri


def _tell_missing(films: set[str], config: RexrankImportConfig, root: str) -> None:
    """Says how many films are not there; refuses a given `images_uri` that holds none of them."""
    with ThreadPoolExecutor(NUM_LOOKING, thread_name_prefix="films") as threads:
        missing = sum(not there for there in threads.map(storage.exists, sorted(films)))
    if films and missing == len(films) and config.images_uri is not None:
        raise ChexoneError(
            f"images_uri {root} holds none of the {missing} films of {config.board_uri}: give the "
            "folder that their paths start from"
        )
    if missing:
        logger.warning("%d of %d films are not under %s", missing, len(films), root)


def _rows(
    board: Board, samples: Mapping[str, Sample], config: RexrankImportConfig
) -> Iterator[dict[str, Any]]:
    if without := [k for k, e in board.items() if not isinstance(e.get(PREDICTION), str)]:
        many = f"{len(without)} of {len(board)} studies have no {PREDICTION}, {without[0]} first"
        raise ChexoneError(f"{config.board_uri}: {many}: check the file")
    for key, entry in board.items():
        findings, impression = sections(told := entry[PREDICTION])
        answer = findings if config.track == "findings" else joined(findings, impression)
        yield prediction_rows.answered(samples[key], told, answer or None)


# --- out -----------------------------------------------------------------------------------------


def export(config: RexrankExportConfig) -> str:
    """Write the submission and return its URI; beside it goes what `missing_uri` names.

    Raises:
        ChexoneError: a study without a prediction or, unless `missing` stands for it, without an
            answer, a prediction of a study that is not the board's, or another file at
            `output_uri`.
    """
    board = read_board(config.board_uri)
    told, stood_for = predictions_of(config)
    for key in told:
        if key not in board:
            raise ChexoneError(
                f"{config.predictions_uri}: {key} is not a study of {config.board_uri}: predict on "
                "the manifest of `chexone rexrank import` of that file"
            )
    missing = [key for key in board if key not in told]
    if missing:
        raise ChexoneError(
            f"{config.predictions_uri}: {len(missing)} of {len(board)} studies have no prediction, "
            f"the first is {missing[0]}: predict on all of them"
        )
    submission = {key: {**entry, PREDICTION: told[key]} for key, entry in board.items()}
    validate(board, submission, config.predictions_uri)
    _refuse_output(board, config)
    storage.write_bytes(config.output_uri, json.dumps(submission, indent=2).encode())
    storage.delete(missing_uri(config.output_uri))
    if stood_for:
        storage.write_json(missing_uri(config.output_uri), stood_for)
    for cause, keys in stood_for.items():
        logger.warning("submission: %d of %d studies %s", len(keys), len(told), cause)
    if config.track == "both":
        without = sum(not sections(one)[1] for one in told.values())
        logger.info("submission: %d of %d studies without an impression", without, len(told))
    return config.output_uri


def missing_uri(output_uri: str) -> str:
    """The file beside a submission that names the studies that `missing` stands for, by cause."""
    return f"{output_uri.removesuffix('.json')}.missing.json"


def _refuse_output(board: Board, config: RexrankExportConfig) -> None:
    """Raises ChexoneError for the board's own file and for one that is no submission to it."""
    out = config.output_uri
    if storage.split(out) == storage.split(config.board_uri):
        raise ChexoneError(f"output_uri {out} is the board's own file: give another")
    if not storage.exists(out):
        return
    try:
        validate(board, read_object(out, "studies"), out)
    except ChexoneError:
        raise ChexoneError(
            f"output_uri {out} holds something that is no submission to this board: give another "
            "or delete it"
        ) from None


def predictions_of(config: RexrankExportConfig) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Study -> the text to submit, "Findings: ..." and, on the track of both, "Impression: ...";
    and cause -> the studies that `missing` stands for.

    Raises:
        ChexoneError: rows of another track, a study twice, or a row without an answer and no
            `missing`.
    """
    kind, _ = KINDS[config.track]
    stand_in = _submitted(config.missing, config.track)
    if config.missing and not stand_in:
        raise ChexoneError(
            f"missing={config.missing!r} is no text on track {config.track}: give a sentence"
        )
    found: dict[str, str] = {}
    missing: dict[str, list[str]] = {}
    for row in read_rows(config.predictions_uri):
        if row["kind"] != kind:
            raise ChexoneError(
                f"{config.predictions_uri} holds rows of kind {row['kind']!r}, track "
                f"{config.track} needs {kind!r}: check track"
            )
        if row["completion"]:
            continue
        key = row["study"]
        if key in found:
            raise ChexoneError(f"{config.predictions_uri}: {key} is answered twice: predict anew")
        found[key], cause = _told(row, config)
        if cause:
            missing.setdefault(cause, []).append(key)
            found[key] = stand_in
    for cause, keys in missing.items():
        if not stand_in:
            raise ChexoneError(
                f"{config.predictions_uri}: {len(keys)} of {len(found)} studies {cause}, the first "
                f"is {keys[0]}: {REMEDIES[cause]}set missing=TEXT to submit TEXT for such studies"
            )
    return found, missing


def _told(row: Mapping[str, Any], config: RexrankExportConfig) -> tuple[str, str]:
    """(the text to submit, why there is none): one of the two is empty."""
    status = status_of(row)
    whole = config.unparsed == "text" and (row["text"] or "").strip()
    if status in ("failed", "refused"):
        return "", FAILED if status == "failed" else REFUSED
    if status == "unparsed" and not whole:
        return "", UNPARSED
    told = _submitted(
        row["text"] if status == "unparsed" else row["predicted_answer"], config.track
    )
    return told, "" if told else NO_FINDINGS


def _submitted(told: str, track: Track) -> str:
    findings, impression = sections(told)
    return joined(findings, impression if track == "both" else "")


def validate(board: Board, submission: Board, name: str) -> None:
    """The submission has each study of the board, in its order, unchanged, with a prediction.

    Raises:
        ChexoneError: it has not; names the first study that is wrong.
    """
    for key, entry in board.items():
        if key not in submission:
            raise ChexoneError(f"{name}: {key} is missing: every study of the board is needed")
        given = dict(submission[key])
        told = given.pop(PREDICTION, None)
        if not isinstance(told, str) or not told.strip():
            raise ChexoneError(f"{name}: {key} has no text in {PREDICTION}: fill it")
        if not any(sections(told)):
            raise ChexoneError(f"{name}: {key} has headers alone in {PREDICTION}: fill it")
        plain = {field: value for field, value in entry.items() if field != PREDICTION}
        if not same(given, plain):
            odd = sorted({*given, *plain}, key=str)
            changed = [f for f in odd if not same(given.get(f, [None]), plain.get(f, [None]))]
            what = f"{changed[0]} is changed" if changed else "its fields are in another order"
            raise ChexoneError(f"{name}: {key}: {what}: only {PREDICTION} may be added")
    for key in submission:
        if key not in board:
            raise ChexoneError(f"{name}: {key} is not a study of the board: remove it")
    if list(submission) != list(board):
        at = next(a for a, b in zip(submission, board, strict=True) if a != b)
        raise ChexoneError(f"{name}: {at} is not at the board's place: keep the order")


def validate_files(config: RexrankValidateConfig) -> str:
    """Check a submission that is there; returns its URI."""
    board = read_board(config.board_uri)
    submission = read_object(config.submission_uri, "studies")
    validate(board, submission, config.submission_uri)
    logger.info("submission of %d studies is valid", len(board))
    return config.submission_uri
