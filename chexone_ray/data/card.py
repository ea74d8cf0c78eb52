"""The card of a manifest: what is in it, where it comes from and who may use it, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.splits import SPLITS
from chexone_ray.log import RESEARCH_USE_ONLY


def render(body: Mapping[str, Any]) -> str:
    """The card of a manifest whose `manifest.json` is `body`."""
    counts = body["counts"]
    lines = ["# Data card", "", RESEARCH_USE_ONLY, ""]
    lines += [f"{counts['rows']} questions, seed {body.get('seed', 'unknown')}"]
    if "num_patients" in body:
        lines[-1] += f", {body['num_patients']} patients, {body['num_images']} images"
    lines += ["", *_sources(body), *_kinds(counts["kind"]), *_dropped(body.get("dropped", {}))]
    return "\n".join(lines).rstrip() + "\n"


def _sources(body: Mapping[str, Any]) -> Iterator[str]:
    sources = body.get("config", {}).get("sources", ())
    if not sources:
        return
    yield "## Sources"
    yield ""
    yield "| data set | access | labels | uncertain | kept in one split |"
    yield "|---|---|---|---|---|"
    for source in sources:
        spec = SOURCES[source["adapter"]]
        cells = (spec.title, spec.access, spec.labels, source["uncertain"], spec.split_unit)
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        "This manifest holds what is derived from those sets, report text among it: whoever may "
        "not use one of them may not use it either."
    )
    yield ""


def _kinds(kinds: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    splits = [split for split in SPLITS if split in kinds]
    yield "## Questions"
    yield ""
    yield f"| kind | {' | '.join(splits)} |"
    yield f"|---|{'---:|' * len(splits)}"
    for kind in sorted({kind for found in kinds.values() for kind in found}):
        yield f"| {kind} | {' | '.join(str(kinds[split].get(kind, 0)) for split in splits)} |"
    yield f"| all | {' | '.join(str(sum(kinds[split].values())) for split in splits)} |"
    yield ""


def _dropped(dropped: Mapping[str, int]) -> Iterator[str]:
    yield "## Left out"
    yield ""
    if not dropped:
        yield "Nothing."
        return
    yield "| reason | count |"
    yield "|---|---:|"
    for reason, count in sorted(dropped.items(), key=lambda item: (-item[1], item[0])):
        yield f"| {reason} | {count} |"
