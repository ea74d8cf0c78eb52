"""Settings of a stage: its defaults, then TOML files left to right, then dotted flags.

    chexone sft --config base.toml mine.toml --optim.lr 2e-6 --trainer.use_gpu false

A later layer overrides single keys of a table, never the whole table. Nothing is read from the
environment. Texts of flags become values by the type of the field: `true`/`false`, numbers,
`a,b` or `[1, 2]` for lists, `{a = 1}` or `--key.a 1` for tables, `none` where nothing is allowed
(also as a text in TOML, which has no null). `--manifest` is short for `--manifest_uri`, and so on.
Words before the first flag are the value of the stage's `positional` list, where it has one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from chexone_ray.config import Settings
from chexone_ray.config.setting_texts import lines
from chexone_ray.config.setting_tree import (
    Table,
    defaults_of,
    entries,
    field_of,
    fields,
    full_name,
    inside_free_table,
    nearest,
    optional,
    or_uri,
    plain,
    table_entry,
    table_of,
)
from chexone_ray.errors import ChexoneError

S = TypeVar("S", bound=Settings)


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
    values = defaults_of(model)
    given: set[str] = set()
    for path in arguments.config:
        layer = _read(path)
        _check_keys(model, layer, str(path))
        _merge(values, _without_none_texts(model, layer))
        given.update(layer)
    for key, text in arguments.flags:
        if arguments.words and full_name(model, key) == model.positional:
            raise ChexoneError(
                f"{arguments.words[0]} and --{key}: both give {model.positional}; keep one of them"
            )
        _set_flag(model, values, key, text)
        given.add(full_name(model, key).partition(".")[0])
    if arguments.words:
        values[model.positional] = list(arguments.words)
        given.add(model.positional)
    try:
        return model.model_validate({key: values[key] for key in values if key in given})
    except ValidationError as error:
        raise ChexoneError("\n".join(lines(model, error))) from None


def load_file(model: type[S], path: Path, setting: str) -> S:
    """The settings of one TOML file that is no layer of `--config`; `setting` is what names it.

    Raises ChexoneError as `load` does, in the words of the file.
    """
    layer = _read(path, setting)
    _check_keys(model, layer, str(path))
    try:
        return model.model_validate(_without_none_texts(model, layer))
    except ValidationError as error:
        raise ChexoneError(
            "\n".join(f"{path}: {line}" for line in lines(model, error, layer))
        ) from None


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


def _read(path: Path, setting: str = "--config") -> Table:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise ChexoneError(f"{setting} {path}: no such file; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ChexoneError(f"{setting} {path}: cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise ChexoneError(f"{setting} {path}: not valid TOML: {error}") from None


def _merge(values: Table, layer: Table) -> None:
    for key, value in layer.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _check_keys(model: type[Settings], layer: Table, source: str) -> None:
    known = [key for key, _ in fields(model)]
    for key, value in _walk(model, layer):
        if key not in known and not inside_free_table(model, key):
            raise ChexoneError(f"{source}: unknown key {key}{nearest(key, known)}")
        table = table_of(plain(field_of(model, key)))
        if table is not None and not isinstance(value, dict):
            raise ChexoneError(
                f"{source}: {key} is a table, not {value!r}: write [{key}]{or_uri(key, known)}"
            )


def _walk(model: type[Settings], layer: Table, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in layer.items():
        yield prefix + name, value
        field = model.model_fields.get(name)
        table = table_of(plain(field)) if field else None
        if table is not None and isinstance(value, dict):
            yield from _walk(table, value, f"{prefix}{name}.")


def _without_none_texts(model: type[Settings], layer: Table) -> Table:
    """`layer` with "none" as None where the field may be None."""
    out: Table = {}
    for name, value in layer.items():
        field = model.model_fields[name]
        table = table_of(plain(field))
        if table is not None:
            out[name] = _without_none_texts(table, value)
        else:
            out[name] = None if value == "none" and optional(field) else value
    return out


def _set_flag(
    model: type[Settings], values: Table, key: str, text: str | None, under: str = ""
) -> None:
    """Put the text of a flag into `values`. `under` is where these lie in the whole, for errors."""
    key = full_name(model, key)
    known = [name for name, _ in fields(model)]
    if key not in known:
        parent = key.rpartition(".")[0]
        if inside_free_table(model, key):
            _merge(values, _nested(key, _entry(model, parent, under + key, text)))
            return
        place = table_entry(model, key)
        if place is None:
            raise ChexoneError(f"--{under}{key}: unknown setting{nearest(key, known)}")
        inner: Table = {}
        _set_flag(place[1], inner, place[2], text, f"{under}{place[0]}.")
        _merge(values, _nested(place[0], inner))
        return
    field = field_of(model, key)
    if table_of(plain(field)) is not None:
        name = f"--{under}{key}"
        raise ChexoneError(
            f"{name} is a table: set one of its keys, such as {name}.KEY VALUE{or_uri(key, known)}"
        )
    *parents, last = key.split(".")
    target = values
    for name in parents:
        if target.get(name) is None:
            target[name] = {}
        target = target[name]
    target[last] = _value(field, under + key, text)


def _nested(dotted: str, value: Any) -> Table:
    for name in reversed(dotted.split(".")):
        value = {name: value}
    return dict(value)


def _value(field: FieldInfo, key: str, text: str | None) -> Any:
    """The text of a flag as a value that pydantic then checks against the field."""
    kind = plain(field)
    if text is None:
        if kind is bool:
            return True
        raise ChexoneError(f"--{key} needs a value")
    if text == "none" and optional(field):
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
    return _toml(text, key) if entries(field_of(model, parent)) is not None else text
