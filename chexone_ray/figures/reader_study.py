"""Responses of a reader study: the contract between the study's app, its analysis and figure 9.

A file `responses.jsonl`, one JSON object a line, one line for one answer of a reader to a case:

    reader       who, as a pseudonym: "resident-1"
    role         "resident" or "attending"
    case         which case; the same in all studies, so that a reader's times can be paired
    study        "draft"      the reader writes the report from nothing
                 "edit"       the reader edits a draft
                 "blind"      the reader prefers one of two reports, or neither
                 "reasoning"  the reader rates a model's reasoning
    source       whose draft or reasoning it is: "model", "resident", ...; empty for blind and draft
    choice       of blind: "model", "resident", "attending", another source that lines of the file
                 name, or "comparable"
    duration_s   of draft and edit: seconds from the case's appearance to its submission
    likert       statement -> 1 (strongly disagree) to 5 (strongly agree)
    edit_reason  of edit: "none", "content", "style" or "both"
    simulated    true where a program answered, not a person; never left out

A draft or an edit needs duration_s, an edit and a rating a source, blind a choice, a rating likert.
The same reader answers a case once a study and source. A single simulated line marks the figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chexone_ray.errors import ChexoneError

COMPARABLE = "comparable"
SOURCES = ("model", "resident", "attending")
"""Whose reports a blind choice may be between, besides the sources that a file names."""
EDIT_REASONS = ("none", "content", "style", "both")
Name = Annotated[str, Field(min_length=1)]


class Response(BaseModel):
    """One line; see the module for what its fields mean."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    reader: Name
    role: Literal["resident", "attending"]
    case: Name
    study: Literal["blind", "draft", "edit", "reasoning"]
    source: str = ""
    choice: Name | None = None
    duration_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    likert: dict[Name, Annotated[int, Field(ge=1, le=5)]] = {}
    edit_reason: Literal["none", "content", "style", "both"] | None = None
    simulated: bool

    @model_validator(mode="after")
    def _complete(self) -> Response:
        needed = {
            "blind": ("choice",),
            "draft": ("duration_s",),
            "edit": ("duration_s", "source"),
            "reasoning": ("likert", "source"),
        }[self.study]
        for name in needed:
            if not getattr(self, name):
                raise ValueError(f"{name} is missing: a response of study {self.study!r} has one")
        allowed = {"choice": ("blind",), "duration_s": ("draft", "edit"), "edit_reason": ("edit",)}
        for name, studies in allowed.items():
            if getattr(self, name) is not None and self.study not in studies:
                raise ValueError(f"{name} has no meaning in study {self.study!r}: leave it out")
        return self


def read(data: bytes, place: str) -> list[Response]:
    """The responses of a file, in order.

    Raises:
        ChexoneError: a line is no response, or the same question was answered twice; it names the
            line, the field and what is asked for.
    """
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError as error:
        raise ChexoneError(f"{place} is not UTF-8 ({error}): export the responses again") from None
    found: list[Response] = []
    places: dict[tuple[str, str, str, str], int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            response = Response.model_validate_json(line)
        except ValidationError as error:
            raise ChexoneError(f"{place} line {number}: {_told(error)}") from None
        key = (response.reader, response.case, response.study, response.source)
        if key in places:
            raise ChexoneError(
                f"{place} line {number}: the answer of line {places[key]} again (reader, case, "
                "study and source): keep one of them"
            )
        places[key] = number
        found.append(response)
    known = dict.fromkeys([*SOURCES, *(one.source for one in found if one.source), COMPARABLE])
    for (_, _, study, _), number, response in zip(places, places.values(), found, strict=True):
        if study == "blind" and response.choice not in known:
            raise ChexoneError(
                f"{place} line {number}: choice={response.choice!r} is none of the study: use "
                f"{' or '.join(known)}"
            )
    if not found:
        raise ChexoneError(f"{place} holds no response: export the responses again")
    return found


def any_simulated(responses: Sequence[Response]) -> bool:
    """True where a program gave any of the answers."""
    return any(response.simulated for response in responses)


def _told(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    if not field and problem["type"] != "value_error":
        return "no JSON object"
    if problem["type"] == "value_error":
        return problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{field} is missing"
    if problem["type"] == "extra_forbidden":
        return f"unknown field {field}"
    return f"{field}={problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
