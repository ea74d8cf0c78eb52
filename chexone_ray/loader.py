"""Settings of a stage: its defaults, then TOML files left to right, then dotted flags.

    chexone sft --config base.toml mine.toml --optim.lr 2e-6 --trainer.use_gpu false

A later layer overrides single keys of a table, never the whole table. Nothing is read from the
environment. Texts of flags become values by the type of the field: `true`/`false`, numbers,
`a,b` or `[1, 2]` for lists, `{a = 1}` or `--key.a 1` for tables, `none` where nothing is allowed
(also as a text in TOML, which has no null). `--manifest` is short for `--manifest_uri`, and so on.
Words before the first flag are the value of the stage's `positional` list, where it has one.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from chexone_ray.config import Settings
from chexone_ray.errors import ChexoneError

S = TypeVar("S", bound=Settings)
Table = dict[str, Any]
MOST_TOLD = 8
"""Choices that are told without a guess at what was meant."""
SHORT = {"out": ("output_uri", "output")}


@dataclass(frozen=True)
class Arguments:
    """A command line, split into its layers."""

    words: tuple[str, ...] = ()
    """Before the first flag: entries of the list that the stage names as `positional`."""
    config: tuple[Path, ...] = ()
    flags: tuple[tuple[str, str | None], ...] = ()
    """Dotted key and text; None for a flag without a value."""
    print_config: bool = False
    help: bool = False


def load(model: type[S], arguments: Arguments) -> S:
    """The settings after all layers. Raises ChexoneError, one line for each thing that is wrong.

    `model_fields_set` of the result are the fields that a file or a flag gave something of.
    """
    if arguments.words and not model.positional:
        raise ChexoneError(
            f"{arguments.words[0]}: not expected here; settings are given as --key value"
        )
    values = _defaults(model)
    given: set[str] = set()
    for path in arguments.config:
        layer = _read(path)
        _check_keys(model, layer, str(path))
        _merge(values, _without_none_texts(model, layer))
        given.update(layer)
    for key, text in arguments.flags:
        _set_flag(model, values, key, text)
        given.add(_full_name(model, key).partition(".")[0])
    if arguments.words:
        values[model.positional] = list(arguments.words)
        given.add(model.positional)
    try:
        return model.model_validate({key: values[key] for key in values if key in given})
    except ValidationError as error:
        raise ChexoneError("\n".join(_lines(model, error))) from None


def parse(argv: Sequence[str]) -> Arguments:
    """Split `argv` into leading words, --config files, dotted flags, --print-config and --help."""
    config: list[Path] = []
    flags: list[tuple[str, str | None]] = []
    switches = {"--print-config": False, "--help": False}
    words = list(argv)
    leading: list[str] = []
    while words and not words[0].startswith("-"):
        leading.append(words.pop(0))
    while words:
        word = words.pop(0)
        word = "--help" if word == "-h" else word
        if not word.startswith("--") or word == "--":
            raise ChexoneError(f"{word}: not expected here; settings are given as --key value")
        name, equals, text = word.partition("=")
        if name in switches:
            switches[name] = True
        elif name == "--config":
            files = [text] if equals else []
            while words and not words[0].startswith("--"):
                files.append(words.pop(0))
            if not files:
                raise ChexoneError("--config needs at least one TOML file")
            config += [Path(f) for f in files]
        elif equals:
            flags.append((name[2:], text))
        else:
            value = words.pop(0) if words and not words[0].startswith("--") else None
            flags.append((name[2:], value))
    switched = (switches["--print-config"], switches["--help"])
    return Arguments(tuple(leading), tuple(config), tuple(flags), *switched)


# --- layers --------------------------------------------------------------------------------------


def _read(path: Path) -> Table:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise ChexoneError(f"--config {path}: no such file; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ChexoneError(f"--config {path}: cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise ChexoneError(f"--config {path}: not valid TOML: {error}") from None


def _defaults(model: type[Settings]) -> Table:
    """Defaults as nested tables: a stage's own default for a table differs from the table's."""
    return {
        name: field.default.model_dump()
        for name, field in model.model_fields.items()
        if isinstance(field.default, Settings)
    }


def _merge(values: Table, layer: Table) -> None:
    for key, value in layer.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _check_keys(model: type[Settings], layer: Table, source: str) -> None:
    known = [key for key, _ in fields(model)]
    for key, value in _walk(model, layer):
        if key not in known and not _inside_free_table(model, key):
            raise ChexoneError(f"{source}: unknown key {key}{_nearest(key, known)}")
        table = _table_of(_plain(_field(model, key)))
        if table is not None and not isinstance(value, dict):
            raise ChexoneError(f"{source}: {key} is a table, not {value!r}: write [{key}]")


def _walk(model: type[Settings], layer: Table, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in layer.items():
        yield prefix + name, value
        field = model.model_fields.get(name)
        table = _table_of(_plain(field)) if field else None
        if table is not None and isinstance(value, dict):
            yield from _walk(table, value, f"{prefix}{name}.")


def _without_none_texts(model: type[Settings], layer: Table) -> Table:
    """`layer` with "none" as None where the field may be None."""
    out: Table = {}
    for name, value in layer.items():
        field = model.model_fields[name]
        table = _table_of(_plain(field))
        if table is not None:
            out[name] = _without_none_texts(table, value)
        else:
            out[name] = None if value == "none" and _optional(field) else value
    return out


def _set_flag(
    model: type[Settings], values: Table, key: str, text: str | None, under: str = ""
) -> None:
    """Put the text of a flag into `values`. `under` is where these lie in the whole, for errors."""
    key = _full_name(model, key)
    known = [name for name, _ in fields(model)]
    if key not in known:
        parent = key.rpartition(".")[0]
        if _inside_free_table(model, key):
            _merge(values, _nested(key, _entry(model, parent, under + key, text)))
            return
        place = _table_entry(model, key)
        if place is None:
            raise ChexoneError(f"--{under}{key}: unknown setting{_nearest(key, known)}")
        inner: Table = {}
        _set_flag(place[1], inner, place[2], text, f"{under}{place[0]}.")
        _merge(values, _nested(place[0], inner))
        return
    field = _field(model, key)
    if _table_of(_plain(field)) is not None:
        name = f"--{under}{key}"
        raise ChexoneError(f"{name} is a table: set one of its keys, such as {name}.KEY VALUE")
    *parents, last = key.split(".")
    target = values
    for name in parents:
        if target.get(name) is None:
            target[name] = {}
        target = target[name]
    target[last] = _value(field, under + key, text)


def _full_name(model: type[Settings], key: str) -> str:
    head, _, rest = key.partition(".")
    head = head.replace("-", "_")
    for name in (head, f"{head}_uri", *SHORT.get(head, ())):
        if name in model.model_fields:
            return name + (f".{rest}" if rest else "")
    return key


def _short_names(model: type[Settings], key: str) -> list[str]:
    """Other flags that mean `key`, those that are not another setting's own."""
    names = [short for short, full in SHORT.items() if key in full] or [key.removesuffix("_uri")]
    return [name for name in names if name != key and _full_name(model, name) == key]


def _nested(dotted: str, value: Any) -> Table:
    for name in reversed(dotted.split(".")):
        value = {name: value}
    return dict(value)


def _value(field: FieldInfo, key: str, text: str | None) -> Any:
    """The text of a flag as a value that pydantic then checks against the field."""
    kind = _plain(field)
    if text is None:
        if kind is bool:
            return True
        raise ChexoneError(f"--{key} needs a value")
    if text == "none" and _optional(field):
        return None
    if get_origin(kind) in (tuple, dict):
        if text.lstrip()[:1] in ("[", "{"):
            return _toml(text, key)
        if get_origin(kind) is tuple:
            return [part.strip() for part in text.split(",") if part.strip()]
        raise ChexoneError(f"--{key} is a table: write --{key}.NAME VALUE or '{{NAME = VALUE}}'")
    return text


def _toml(text: str, key: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise ChexoneError(f"--{key} {text}: not a TOML value: {error}") from None


def _entry(model: type[Settings], parent: str, key: str, text: str | None) -> Any:
    """The text of a flag as an entry of a free table."""
    if text is None:
        raise ChexoneError(f"--{key} needs a value")
    return _toml(text, key) if _entries(_field(model, parent)) is not None else text


# --- the tree of fields --------------------------------------------------------------------------


def fields(model: type[Settings], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of the tree, dotted, tables before their keys."""
    for name, field in model.model_fields.items():
        yield prefix + name, field
        table = _table_of(_plain(field))
        if table is not None:
            yield from fields(table, f"{prefix}{name}.")


def _field(model: type[Settings], key: str) -> FieldInfo:
    head, _, rest = key.partition(".")
    field = model.model_fields[head]
    table = _table_of(_plain(field))
    return _field(table, rest) if rest and table is not None else field


def _plain(field: FieldInfo) -> Any:
    """The annotation without Annotated and None."""
    kind: Any = field.annotation
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(a for a in get_args(kind) if a is not type(None))
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def _optional(field: FieldInfo) -> bool:
    return type(None) in get_args(field.annotation)


def _table_of(kind: Any) -> type[Settings] | None:
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def _inside_free_table(model: type[Settings], key: str) -> bool:
    """True for `max_per_kind.presence`: an entry of a field that is a dict."""
    parent = key.rpartition(".")[0]
    known = dict(fields(model))
    return parent in known and get_origin(_plain(known[parent])) is dict


def _table_entry(model: type[Settings], key: str) -> tuple[str, type[Settings], str] | None:
    """`models.a.model_uri` as (`models.a`, the table that it is, `model_uri`), None for others."""
    head, name, inner = (*key.split(".", 2), "", "")[:3]
    table = _entries(model.model_fields[head]) if head in model.model_fields else None
    return (f"{head}.{name}", table, inner) if table is not None and inner else None


def _entries(field: FieldInfo) -> type[Settings] | None:
    """The table that each entry of a free table is, None where they are values."""
    kind = _plain(field)
    return _table_of(get_args(kind)[-1]) if get_origin(kind) is dict else None


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.75)
    near += [k for k in known if k.rpartition(".")[2] == key.rpartition(".")[2]]
    near += difflib.get_close_matches(key, known, 1, 0.5)
    return f"; did you mean {near[0]}?" if near else "; see --help for all settings"


# --- errors and help -----------------------------------------------------------------------------


def _lines(model: type[Settings], error: ValidationError) -> Iterator[str]:
    problems = error.errors(include_url=False)
    places = [problem["loc"] for problem in problems]
    for problem in problems:
        here = problem["loc"]
        if any(place[: len(here)] == here != place for place in places):
            continue  # a list that is too short because of what is wrong inside it
        key = ".".join(map(str, here))
        if problem["type"] == "missing":
            listed = any(isinstance(part, int) for part in here)
            yield f"{key} is required: {'' if listed else f'give --{key} or '}set it in a TOML file"
        elif problem["type"] == "value_error":
            place = f"{key}: " if len(here) > 1 else ""  # a table's own name is in its message
            yield place + problem["msg"].removeprefix("Value error, ")
        elif problem["type"] == "extra_forbidden":
            yield f"unknown key {key}{_nearest(str(here[-1]), _beside(model, here))}"
        elif problem["type"] == "literal_error":
            yield f"{key}={problem['input']!r}: {_choice(problem)}"
        else:
            message = problem["msg"][0].lower() + problem["msg"][1:]
            yield f"{key}={problem['input']!r}: {message}"


def _beside(model: type[Settings], place: tuple[int | str, ...]) -> list[str]:
    """The keys that are known where an unknown one stands."""
    for part in place[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            kind = _plain(model.model_fields[part])
            inner = next(iter(get_args(kind)), None) if get_origin(kind) is tuple else kind
            model = _entries(model.model_fields[part]) or _table_of(inner) or model
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
    defaults = _defaults(model)
    lines = []
    for key, field in fields(model):
        if _table_of(_plain(field)) is not None:
            if _optional(field):
                lines += [f"  {key}  TABLE  (default: none)", f"      {field.description or ''}"]
            continue
        default = _default(field, key, defaults)
        names = ", ".join(f"--{name}" for name in (key, *_short_names(model, key)))
        lines.append(f"  {names}  {_type_name(_plain(field))}{default}")
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
