"""What can be told within seconds: are all tables there with their columns, can results be written.

Of a table no more than its beginning is read, so a mistake in the last source does not wait for the
tables of the first.
"""

from __future__ import annotations

import re
import uuid

from chexone_ray import storage
from chexone_ray.config import PrepareConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.sources.spec import Table
from chexone_ray.errors import ChexoneError

_JSON = re.compile(r"\.json(l|lines)?(\.(gz|zip))?$")
REMEDY = "is it the release that docs/data.md describes?"


def preflight(config: PrepareConfig) -> None:
    """Raises ChexoneError for the first table that is missing or lacks a column, of all sources and
    sets held out, and where `output_uri` cannot be written."""
    for source in (*config.sources, *config.held_out):
        for table in SOURCES[source.adapter].tables:
            if table_uri(source.uri, table) is None and not table.optional:
                place = storage.join(source.uri, table.names[0])
                raise ChexoneError(f"{place}[.gz] is {missing(source.uri, table)}")
    probe = storage.join(config.output_uri, f"_probe-{uuid.uuid4().hex}")
    storage.write_bytes(probe, b"")
    storage.delete(probe)


def table_uri(root: str, table: Table) -> str | None:
    """Where a table is, None where it is not. Raises ChexoneError where it lacks a column."""
    uri = tables.find(root, table.names)
    if uri is not None and table.columns and not _JSON.search(uri):  # there each entry names them
        tables.refuse_missing(uri, tables.header(uri), table.columns, table.remedy or REMEDY)
    return uri


def missing(root: str, table: Table) -> str:
    """What is to be done about a table that is not there."""
    remedy = f"put {' or '.join(table.names)} under {root}"
    return f"missing: {storage.bucket_problem(root) or remedy}"
