"""What crosses a stage or process boundary: frozen records and their Arrow schemas.

Boxes are canonical everywhere: (x1, y1, x2, y2) floats in 0-1 of the displayed original image,
half-open, origin at the upper left. Codecs in `boxes.py` turn them into a model's own notation.

What a driver holds by the million has slots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Mode = Literal["reasoning", "instruct"]
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Box:
    """One labelled box on image number `image` of its study or sample."""

    label: str
    xyxy: tuple[float, float, float, float]
    image: int = 0


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Where an image lies and what it shows. Sizes are pixels of the displayed original."""

    uri: str
    view: str = ""
    role: Literal["current", "prior"] = "current"
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Phrase:
    """A statement about a study that a data set ties to places, to a region or to a change."""

    text: str
    """As the data set has it; without surrounding space."""
    boxes: tuple[Box, ...] = ()
    """Where it is seen, by `Box.image`; their label is that of the phrase."""
    label: str = ""
    """The finding that it is about, lower case, or empty."""
    region: str = ""
    """The anatomy that it is about, lower case, or empty."""
    change: Literal["", "better", "same", "worse"] = ""
    """Against the prior images of the study."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a data set itself asks about a study, with its answer."""

    name: str
    """Tells the questions of a study apart; stable from release to release."""
    kind: Literal["closed_vqa", "open_vqa", "difference", "explanation", "text_qa", "entities"]
    text: str
    answers: tuple[str, ...]
    """One text, or of a question with options the texts of all the right ones."""
    options: tuple[str, ...] = ()
    """Option texts without letters, in the data set's order; empty for free answers."""
    images: tuple[int, ...] = ()
    """Which images of the study are shown, by number; all for none."""
    reasoning: str = ""
    """The data set's own explanation of the answer, or empty."""
    topic: str = ""
    """The data set's own category of the question as it writes it, or empty."""


@dataclass(frozen=True, slots=True)
class Study:
    """One study as a source adapter in `data/sources/` reads it from an archive."""

    dataset: str
    patient: str
    study: str
    images: tuple[ImageRef, ...]
    """Those of role "prior" first, where the data set itself pairs films; empty for texts alone."""
    date: str = ""
    """Sortable text; an earlier study of the same patient is the prior."""
    archive_split: str = ""
    """The archive's own split (train, validate, test) or empty."""
    findings: str = ""
    impression: str = ""
    indication: str = ""
    comparison: str = ""
    labels: Mapping[str, int | None] = field(default_factory=dict)
    """Label name -> 1 present, 0 absent, -1 uncertain, None not mentioned."""
    uncertain: Literal["keep", "u-zeros", "u-ones", "u-ignore"] = "keep"
    """What an uncertain statement of the report counts as; `labels` have it applied already."""
    boxes: tuple[Box, ...] = ()
    """Boxes of `images`, by `Box.image`."""
    boxes_complete: bool = False
    """True where every abnormality of the images was boxed, so a missing box is a negative."""
    boxed: tuple[str, ...] = ()
    """Findings of which every place was boxed, where that is not so of all abnormalities."""
    lost_boxes: tuple[tuple[str, int], ...] = ()
    """(label, image number) of boxes that cannot be used: those that are left are not all."""
    caption: str = ""
    """What a publication writes under the image, or empty."""
    phrases: tuple[Phrase, ...] = ()
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One question about one or more images with its reference answer: a row of the manifest."""

    id: str
    dataset: str
    task: str
    """One of the 36 task names of the original, such as "Close-Ended VQA"."""
    kind: str
    """The question's kind inside the task, such as "presence"; evaluation tables group by it."""
    split: Literal["train", "validate", "test"]
    patient: str
    study: str
    images: tuple[ImageRef, ...]
    question: str
    answer: str
    """The text that belongs in the final box, boxes in the `percent` codec."""
    reasoning: str = ""
    """A reference trace that leads to the answer, or empty."""
    mode: Mode = "reasoning"
    """The mode in which this row is trained."""
    options: tuple[str, ...] = ()
    """The options as shown, such as "(A) pleural effusion"; empty for free answers."""
    boxes: tuple[Box, ...] = ()
    reference: str = ""
    """The reference report text that rewards and metrics compare with, or empty."""
    topic: str = ""
    """The data set's own category of the question, such as a skill of ReXVQA, or empty."""


@dataclass(frozen=True)
class Request:
    """One prompt for the engine. `prompt` is the rendered chat text with one unexpanded image
    placeholder an image; `images` are PNG bytes already on the 28-pixel grid."""

    id: str
    prompt: str
    images: tuple[bytes, ...]


@dataclass(frozen=True)
class Completion:
    """One sampled answer. `logprobs` are of the processed (temperature-scaled) distribution."""

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: str
    weight_version: int


@dataclass(frozen=True)
class Rollout:
    """All completions of one request, with the expanded prompt ids that the engine used."""

    request_id: str
    prompt_token_ids: tuple[int, ...]
    completions: tuple[Completion, ...]
    error: str = ""
    """Why there are no completions, or empty."""


def sample_schema() -> Any:
    """The manifest Arrow schema, one column a field of `Sample`. Imports pyarrow on call."""
    import pyarrow as pa

    box = pa.struct(
        [("label", pa.string()), ("xyxy", pa.list_(pa.float32(), 4)), ("image", pa.int32())]
    )
    image = pa.struct(
        [
            ("uri", pa.string()),
            ("view", pa.string()),
            ("role", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
        ]
    )
    text = [
        (name, pa.string())
        for name in ("id", "dataset", "task", "kind", "split", "patient", "study")
    ]
    return pa.schema(
        [
            *text,
            ("images", pa.list_(image)),
            ("question", pa.string()),
            ("answer", pa.string()),
            ("reasoning", pa.string()),
            ("mode", pa.string()),
            ("options", pa.list_(pa.string())),
            ("boxes", pa.list_(box)),
            ("reference", pa.string()),
            ("topic", pa.string()),
        ]
    )


def sample_to_row(sample: Sample) -> dict[str, Any]:
    """A `Sample` as a plain row for Arrow."""
    return asdict(sample)


def sample_from_row(row: Mapping[str, Any]) -> Sample:
    """The inverse of `sample_to_row`; columns that are not fields of `Sample` are left out."""
    values = {name: row[name] for name in Sample.__dataclass_fields__ if name in row}
    values["images"] = tuple(ImageRef(**image) for image in row["images"])
    values["boxes"] = tuple(
        Box(box["label"], tuple(float(v) for v in box["xyxy"]), int(box["image"]))  # type: ignore[arg-type]
        for box in (() if row["boxes"] is None else row["boxes"])
    )
    values["options"] = tuple(() if row["options"] is None else row["options"])
    values["topic"] = row.get("topic") or ""  # not in tables of before there were topics
    return Sample(**values)
