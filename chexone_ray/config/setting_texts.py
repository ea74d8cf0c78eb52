"""What is wrong with settings, one line each, and what settings there are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from chexone_ray.config import Settings
from chexone_ray.config.setting_tree import (
    Table,
    defaults_of,
    entries,
    fields,
    nearest,
    optional,
    plain,
    short_names,
    table_of,
)

MOST_TOLD = 8
"""Choices that are told without a guess at what was meant."""


def lines(
    model: type[Settings], error: ValidationError, file: Table | None = None
) -> Iterator[str]:
    """One line for each thing that is wrong. `file`: all values are of one file, which is where to
    set what is missing, and entries of its lists are called by their name."""
    problems = error.errors(include_url=False)
    places = [problem["loc"] for problem in problems]
    for problem in problems:
        here = problem["loc"]
        if any(place[: len(here)] == here != place for place in places):
            continue  # a list that is too short because of what is wrong inside it
        key = ".".join(map(str, here) if file is None else _named(here, file))
        if problem["type"] == "missing":
            no_flag = file is not None or any(isinstance(part, int) for part in here)
            where = "the file" if file is not None else "a TOML file"
            yield f"{key} is required: {'' if no_flag else f'give --{key} or '}set it in {where}"
        elif problem["type"] == "value_error":
            place = f"{key}: " if len(here) > 1 else ""  # a table's own name is in its message
            yield place + problem["msg"].removeprefix("Value error, ")
        elif problem["type"] == "extra_forbidden":
            yield f"unknown key {key}{nearest(str(here[-1]), _beside(model, here))}"
        elif problem["type"] == "literal_error":
            yield f"{key}={problem['input']!r}: {_choice(problem)}"
        else:
            message = problem["msg"][0].lower() + problem["msg"][1:]
            yield f"{key}={problem['input']!r}: {message}"


def _named(place: tuple[int | str, ...], value: Any) -> Iterator[str]:
    for part in place:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):  # what is missing
            value = None
        name = value.get("name") if isinstance(part, int) and isinstance(value, dict) else None
        yield str(name or part)


def _beside(model: type[Settings], place: tuple[int | str, ...]) -> list[str]:
    """The keys that are known where an unknown one stands."""
    for part in place[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            kind = plain(model.model_fields[part])
            inner = next(iter(get_args(kind)), None) if get_origin(kind) is tuple else kind
            model = entries(model.model_fields[part]) or table_of(inner) or model
    return list(model.model_fields)


def _choice(problem: Any) -> str:
    """What to choose from: all names of a short list, the nearest of a long one."""
    names = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
    if len(names) <= MOST_TOLD:
        return f"use {' or '.join(names)}"
    given = str(problem["input"]).lower()
    near = [name for name in names if name.startswith(given)] if given else []
    near += difflib.get_close_matches(given, names, 1, 0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"not known; {hint}There are {', '.join(names)}"


def describe(model: type[Settings]) -> str:
    """Every setting with its type, default and description, for --help."""
    defaults = defaults_of(model)
    lines = []
    for key, field in fields(model):
        if table_of(plain(field)) is not None:
            if optional(field):
                lines += [f"  {key}  TABLE  (default: none)", f"      {field.description or ''}"]
            continue
        default = _default(field, key, defaults)
        names = ", ".join(f"--{name}" for name in (key, *short_names(model, key)))
        lines.append(f"  {names}  {_type_name(plain(field))}{default}")
        lines.append(f"      {field.description or ''}")
    return "\n".join(lines)


def _default(field: FieldInfo, key: str, defaults: Table) -> str:
    value: Any = defaults
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            if field.is_required():
                return "  (required)"
            value = field.default
            break
        value = value[part]
    if value is None:
        return "  (default: none)"
    return f"  (default: {value if value not in ('', (), {}) else 'empty'})"


def _type_name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "|".join(str(a) for a in get_args(kind))
    if get_origin(kind) is tuple:
        return "LIST"
    if get_origin(kind) is dict:
        return "TABLE"
    return {str: "TEXT", bool: "true|false", int: "INTEGER", float: "NUMBER"}.get(kind, str(kind))
