"""`prepare --check`: what is missing in the archives, before anything runs."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from chexone_ray import packed, storage
from chexone_ray.check_line import CheckLine
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.ask import AMBIGUOUS, other_names
from chexone_ray.data.build import read_sources
from chexone_ray.data.drops import no_study
from chexone_ray.data.leaks import unmatched, untold
from chexone_ray.data.packed_images import locate
from chexone_ray.data.preflight import missing, table_uri
from chexone_ray.data.refuse import problems
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.sources.spec import HeldOut, Spec, Table
from chexone_ray.errors import ChexoneError

_TOLD = 3


def answer(config: PrepareConfig) -> int | None:
    """The exit code of `prepare --check`, None where only `prepare` was asked for."""
    return check(config) if config.check else None


def check(config: PrepareConfig) -> int:
    """Print what `prepare` would refuse, then one line a table and one for the images of every
    archive; 1 where one fails, else 0."""
    failed = False
    for problem in problems(config):
        failed = True
        sys.stdout.write(f"{CheckLine('settings', 'FAIL', problem).text()}\n")
    sources, held = ([s.adapter for s in found] for found in (config.sources, config.held_out))
    for warning in filter(None, (untold(sources, held), unmatched(sources))):
        sys.stdout.write(f"{CheckLine('leaks', 'warn', warning).text()}\n")
    for source in (*config.sources, *config.held_out):
        spec = SOURCES[source.adapter]
        role = ", held out" if source in config.held_out else ""
        told = f"{spec.title}, {source.uri} (access: {spec.access}{role})"
        sys.stdout.write(f"{source.dataset}: {told}\n")
        is_held_out = source in config.held_out
        for line in check_lines(source, spec, config.archive_splits, is_held_out):
            failed |= line.state == "FAIL"
            sys.stdout.write(f"  {line.text()}\n")
    if not failed and len(set(sources)) < len(sources):
        try:
            read_sources(config)  # two archives of one data set may hold the same studies
        except ChexoneError as error:
            failed = True
            sys.stdout.write(f"{CheckLine('sources', 'FAIL', str(error)).text()}\n")
    return int(failed)


def check_lines(
    source: SourceConfig, spec: Spec, archive_splits: bool, is_held_out: bool = False
) -> Iterator[CheckLine]:
    """The tables with their columns, then what the adapter makes of them, then the image files; of
    a set that tells whom it holds out without being read, who that is."""
    whole = True
    for table in spec.tables:
        found = _table(source.uri, table)
        whole &= found.state != "FAIL"
        yield found
    if not whole:
        yield CheckLine("images", "skip", "the tables have to be there first")
        return
    if is_held_out and spec.test_patients:
        yield _held_out(source, spec.test_patients)
        return
    try:
        studies, dropped = spec.read(source, archive_splits)
    except ChexoneError as error:
        yield CheckLine("studies", "FAIL", str(error))
        return
    lost = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()))
    if not studies:
        yield CheckLine("studies", "FAIL", no_study(dropped))
        return
    yield CheckLine("studies", "ok", f"{len(studies)} studies; left out: {lost or 'nothing'}")
    if spec.look:
        yield from spec.look(source, studies)
    try:
        yield _images(source, locate(source, studies))
    except ChexoneError as error:
        yield CheckLine("images", "FAIL", str(error))


def _held_out(source: SourceConfig, test_patients: HeldOut) -> CheckLine:
    try:
        patients, lost = test_patients(source)
    except ChexoneError as error:
        return CheckLine("patients", "FAIL", str(error))
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(lost.items()))
    return CheckLine("patients", "ok", f"{len(patients)} held out; left out: {told or 'nothing'}")


def _table(root: str, table: Table) -> CheckLine:
    name = table.names[0]
    try:
        uri = table_uri(root, table)
    except ChexoneError as error:
        return CheckLine(name, "FAIL", str(error))
    if uri is None and table.optional:
        return CheckLine(name, "skip", "not there, and not needed")
    if uri is None:
        return CheckLine(name, "FAIL", missing(root, table))
    return CheckLine(name, "ok", uri)


def _images(source: SourceConfig, studies: Sequence[PendingStudy]) -> CheckLine:
    images = [
        (image.uri, item.lost.get(number, ""))
        for item in studies
        for number, image in enumerate(item.study.images)
    ]
    lost = Counter(reason for _, reason in images if reason)
    loose = [uri for uri, reason in images if not reason and not packed.split(uri)]
    gone = [uri for uri, reason in images if reason]
    gone += _absent(source, loose) if loose else []
    missing = len(gone)
    text = f"{len(images) - missing} of {len(images)} are there"
    if lost[AMBIGUOUS]:
        text += f" ({lost[AMBIGUOUS]} could be any of several files in the archives)"
    if missing:
        text += f": fetch the other {missing} (first {', '.join(sorted(gone)[:_TOLD])})"
        if missing < len(images):
            share = math.ceil(100 * missing / len(images)) / 100
            text += f", or set max_drop_share={share} to prepare from those that are there"
        return CheckLine("images", "FAIL", text)
    return CheckLine("images", "ok", text)


def _absent(source: SourceConfig, uris: Sequence[str]) -> list[str]:
    """Those of the URIs that are not there under the names that `prepare` tries; images outside of
    the archive are looked for in their own folders."""
    listed = [storage.join(root) for root in (source.uri, source.images_uri) if root]
    there = {uri for root in listed for uri in storage.list_files(root)}
    roots = tuple(f"{root}/" for root in listed)
    last = roots[0]
    for folder in sorted({f"{uri.rpartition('/')[0]}/" for uri in uris}):
        if not folder.startswith((*roots, last)):  # a listing reaches all depths
            there.update(storage.list_files(storage.join(folder)))
            last = folder
    return [uri for uri in uris if there.isdisjoint((uri, *other_names(uri)))]
