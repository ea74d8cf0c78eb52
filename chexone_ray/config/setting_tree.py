"""The settings of a stage as a tree of dotted keys, read off its model."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from chexone_ray.config import Settings

Table = dict[str, Any]
SHORT = {"out": ("output_uri", "output")}


def fields(model: type[Settings], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of the tree, dotted, tables before their keys."""
    for name, field in model.model_fields.items():
        yield prefix + name, field
        table = table_of(plain(field))
        if table is not None:
            yield from fields(table, f"{prefix}{name}.")


def field_of(model: type[Settings], key: str) -> FieldInfo:
    """The field at a dotted key."""
    head, _, rest = key.partition(".")
    field = model.model_fields[head]
    table = table_of(plain(field))
    return field_of(table, rest) if rest and table is not None else field


def plain(field: FieldInfo) -> Any:
    """The annotation without Annotated and None."""
    kind: Any = field.annotation
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(a for a in get_args(kind) if a is not type(None))
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def optional(field: FieldInfo) -> bool:
    """True where the field may be None."""
    return type(None) in get_args(field.annotation)


def table_of(kind: Any) -> type[Settings] | None:
    """The table that a plain annotation is, None for others."""
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def inside_free_table(model: type[Settings], key: str) -> bool:
    """True for `max_per_kind.presence`: an entry of a field that is a dict."""
    parent = key.rpartition(".")[0]
    known = dict(fields(model))
    return parent in known and get_origin(plain(known[parent])) is dict


def table_entry(model: type[Settings], key: str) -> tuple[str, type[Settings], str] | None:
    """`models.a.model_uri` as (`models.a`, the table that it is, `model_uri`), None for others."""
    head, name, inner = (*key.split(".", 2), "", "")[:3]
    table = entries(model.model_fields[head]) if head in model.model_fields else None
    return (f"{head}.{name}", table, inner) if table is not None and inner else None


def entries(field: FieldInfo) -> type[Settings] | None:
    """The table that each entry of a free table is, None where they are values."""
    kind = plain(field)
    return table_of(get_args(kind)[-1]) if get_origin(kind) is dict else None


def nearest(key: str, known: list[str]) -> str:
    """The end of an error about an unknown key: the known one most like it, else where all are."""
    near = difflib.get_close_matches(key, known, 1, 0.75)
    near += [k for k in known if k.rpartition(".")[2] == key.rpartition(".")[2]]
    near += difflib.get_close_matches(key, known, 1, 0.5)
    return f"; did you mean {near[0]}?" if near else "; see --help for all settings"


def or_uri(key: str, known: list[str]) -> str:
    """The end of an error about a table that was given a text: the URI that may have been meant."""
    return f"; did you mean {key}_uri?" if f"{key}_uri" in known else ""


def defaults_of(model: type[Settings]) -> Table:
    """Defaults as nested tables: a stage's own default for a table differs from the table's."""
    return {
        name: field.default.model_dump()
        for name, field in model.model_fields.items()
        if isinstance(field.default, Settings)
    }


def full_name(model: type[Settings], key: str) -> str:
    """The key that a flag means: "manifest" is "manifest_uri", "out" is "output_uri"."""
    head, _, rest = key.partition(".")
    head = head.replace("-", "_")
    for name in (head, f"{head}_uri", *SHORT.get(head, ())):
        if name in model.model_fields:
            return name + (f".{rest}" if rest else "")
    return key


def short_names(model: type[Settings], key: str) -> list[str]:
    """Other flags that mean `key`, those that are not another setting's own."""
    names = [short for short, full in SHORT.items() if key in full] or [key.removesuffix("_uri")]
    return [name for name in names if name != key and full_name(model, name) == key]
