"""Settings of the commands that read and write the files of others."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from chexone_ray.config.tables import PositiveInt, Settings, Uri

Track = Literal["findings", "both"]


class RexrankImportConfig(Settings):
    """ReXrank board file -> manifest to predict on, or predictions of the system in it."""

    board_uri: Uri = Field(description="The board's JSON, with model_prediction for predictions.")
    output_uri: Uri = Field(description="Where the manifest or the predictions go.")
    images_uri: Uri | None = Field(
        None, description="Root of the image paths; the folder of the board file by default."
    )
    track: Track = Field("findings", description="Findings, or findings and impression.")
    what: Literal["manifest", "predictions"] = Field(
        "manifest", description="A manifest, or the predictions that the file holds."
    )
    context: bool = Field(True, description="Tell the indication in the question.")
    max_views: PositiveInt = Field(4, description="Most images of a study, the key image first.")


class RexrankExportConfig(Settings):
    """Predictions and the board's JSON -> a ReXrank submission."""

    predictions_uri: Uri = Field(description="Predictions on the manifest of `rexrank import`.")
    board_uri: Uri = Field(description="The board's JSON.")
    output_uri: Uri = Field(description="Where the submission goes, a JSON file.")
    track: Track = Field("findings", description="Findings, or findings and impression.")
    unparsed: Literal["refuse", "text"] = Field(
        "refuse", description="Text without an answer: end with an error, or submit it as it is."
    )
    missing: str = Field(
        "",
        description="Text for studies that failed, were refused or have no answer on the track; "
        "without it they end with an error.",
    )


class RexrankValidateConfig(Settings):
    """Check a ReXrank submission against the board's JSON."""

    board_uri: Uri = Field(description="The board's JSON.")
    submission_uri: Uri = Field(description="The submission, a JSON file.")


class RexvqaExportConfig(Settings):
    """Predictions and ReXVQA's questions -> its option letters by question."""

    predictions_uri: Uri = Field(description="Predictions on ReXVQA.")
    questions_uri: Uri = Field(description="ReXVQA's JSON, such as metadata/test_vqa_data.json.")
    output_uri: Uri = Field(description="Where the answers go, a JSON file.")
    unanswered: Literal["refuse", "empty"] = Field(
        "refuse", description='Question without one known option: end with an error, or write "".'
    )


class ResultsImportConfig(Settings):
    """Results of the original's scripts, or ReXVQA answers, -> predictions to evaluate."""

    results_uri: Uri = Field(
        description="JSON-lines or a JSON array of records with `response`, or {question: letter}."
    )
    output_uri: Uri = Field(description="Where the predictions go.")
    manifest_uri: Uri | None = Field(
        None, description="Manifest whose rows were answered, by id; else the records' own answers."
    )
    rows_of_uri: Uri | None = Field(
        None,
        description="Predictions whose rows were answered, instead of all rows of a manifest; "
        "answers to others are left out.",
    )
    split: Literal["train", "validate", "test"] = Field(
        "test", description="Split of the manifest."
    )
    questions_uri: Uri | None = Field(
        None, description="ReXVQA's JSON, for {question: letter}: it says what a letter stands for."
    )
    kind: str | None = Field(
        None, description="Question kind of records; by task name and options by default."
    )
    mode: Literal["reasoning", "instruct"] = Field(
        "reasoning", description="In instruct mode a text without a box is the answer as a whole."
    )
    rules: Literal["strict", "tags"] = Field(
        "strict", description="Where the answer is: in a box, or in <answer> tags or a box."
    )

    @model_validator(mode="after")
    def _effects(self) -> ResultsImportConfig:
        if self.manifest_uri is None and "split" in self.model_fields_set:
            raise ValueError("results import: split has no effect without manifest_uri: drop it")
        if self.manifest_uri is not None and self.rows_of_uri is not None:
            raise ValueError("results import: rows_of and manifest_uri both give rows: drop one")
        for name in ("manifest_uri", "rows_of_uri"):
            if getattr(self, name) is not None and self.kind is not None:
                raise ValueError(f"results import: kind has no effect with {name}: drop it")
        return self
