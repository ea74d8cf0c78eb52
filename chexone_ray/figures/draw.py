"""`chexone figures`: result folders -> the ten figures, in three formats each, and compare.html.

Everything comes from result files; the films on the figures are read where the rows say they lie.
Equal files give equal bytes.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chexone_ray import __version__, storage
from chexone_ray.config import FiguresConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.figures import (
    compare,
    grounded,
    makeup,
    pipeline,
    qualitative,
    readers,
    reasoned,
    reinforced,
    scored,
)
from chexone_ray.figures.plates import Drawn, Skip
from chexone_ray.figures.runs import Runs, check, find, plain, sort_of
from chexone_ray.log import RESEARCH_USE_ONLY

logger = logging.getLogger(__name__)

LIST_FILE, PAGE_FILE = "figures.json", "compare.html"
FIGURES: Mapping[str, Callable[[Runs], Drawn]] = {
    "01-data-composition": makeup.draw,
    "02-pipeline": pipeline.draw,
    "03-vqa": scored.vqa,
    "04-accuracy-by-skill": scored.skills,
    "05-report-metrics": scored.reports,
    "06-grounding": grounded.draw,
    "07-reasoning": reasoned.draw,
    "08-reinforcement": reinforced.draw,
    "09-reader-study": readers.draw,
    "10-qualitative": qualitative.draw,
}


@dataclass(frozen=True)
class Listed:
    """What figures.json says of one figure or page."""

    name: str
    files: Mapping[str, str]
    """File name -> SHA-256."""
    drawn: Drawn


def draw(config: FiguresConfig) -> str:
    """Write NN-name.{pdf,svg,png}, compare.html and figures.json to `output_uri`; returns it.

    figures.json lists what each was made from, with digests, and what was skipped and why.

    Raises:
        ChexoneError: a URI is no result, a result file cannot be read, or `output_uri` holds the
            result of another stage.
    """
    runs = find(config.runs_uri)
    out = plain(config.output_uri)
    check(runs)
    for run in runs.items:
        if run.sort == "responses":
            readers.read(run)
        elif run.sort in ("evaluation", "reasoning"):
            reasoned.of_run(run)
    other = sort_of(out)
    if other:
        raise ChexoneError(f"output_uri {out} holds {other} results: give a folder of its own")
    _clear(out)
    storage.record_settings(out, config)
    done: list[Listed] = []
    skipped: dict[str, str] = {}
    for name, figure in FIGURES.items():
        try:
            drawn = figure(runs)
        except Skip as reason:
            skipped[name] = str(reason)
            logger.warning("figure %s is skipped: %s", name, reason)
            continue
        done.append(Listed(name, _write(out, name, drawn), drawn))
        logger.info("figure %s is drawn", name)
    try:
        page, drawn = compare.page(runs, config.cards_per_kind)
        files = _put(out, {PAGE_FILE: page})
        done.append(Listed(PAGE_FILE.partition(".")[0], files, drawn))
    except Skip as reason:
        skipped[PAGE_FILE] = str(reason)
        logger.warning("%s is skipped: %s", PAGE_FILE, reason)
    storage.write_json(storage.join(out, LIST_FILE), _listing(runs, done, skipped))
    storage.commit(out, {"figures": len(done), "skipped": skipped, "notice": RESEARCH_USE_ONLY})
    return out


def _clear(out: str) -> None:
    """Remove the figures of an earlier run, which may have had others."""
    storage.delete(storage.join(out, storage.COMMIT_FILE))
    place = storage.join(out, LIST_FILE)
    if storage.exists(place):
        for figure in storage.read_json(place)["figures"]:
            for name in figure["files"]:
                storage.delete(storage.join(out, name))


def _write(out: str, name: str, drawn: Drawn) -> dict[str, str]:
    """Page 1 as `name`, further ones as `name-2`, `name-3`."""
    files: dict[str, bytes] = {}
    for number, formats in enumerate(drawn.pages, 1):
        stem = name if number == 1 else f"{name}-{number}"
        files |= {f"{stem}.{extension}": data for extension, data in formats.items()}
    return _put(out, files)


def _put(out: str, files: Mapping[str, bytes]) -> dict[str, str]:
    for name, data in files.items():
        storage.write_bytes(storage.join(out, name), data)
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def _listing(runs: Runs, done: list[Listed], skipped: Mapping[str, str]) -> dict[str, Any]:
    digests: dict[str, str] = {}
    for listed in done:
        for uri in listed.drawn.made_from:
            if uri not in digests:
                digests[uri] = hashlib.sha256(storage.read_bytes(uri)).hexdigest()
    return {
        "notice": RESEARCH_USE_ONLY,
        "version": __version__,
        "runs": [{"uri": run.uri, "sort": run.sort, "name": run.name} for run in runs.items],
        "figures": [
            {
                "name": listed.name,
                "files": dict(listed.files),
                "made_from": [
                    {"uri": uri, "sha256": digests[uri]} for uri in listed.drawn.made_from
                ],
                "films_sha256": list(listed.drawn.films),
                "signatures": list(listed.drawn.signatures),
            }
            for listed in done
        ],
        "skipped": [{"name": name, "reason": reason} for name, reason in skipped.items()],
    }
