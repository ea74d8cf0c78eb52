"""The card of a manifest: what is in it, where it comes from and who may use it, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.splits import SPLITS
from chexone_ray.log import RESEARCH_USE_ONLY

UNITS = ("patients", "studies", "images")


def render(body: Mapping[str, Any]) -> str:
    """The card of a manifest whose `manifest.json` is `body`."""
    counts = body["counts"]
    lines = ["# Data card", "", RESEARCH_USE_ONLY, ""]
    told = [f"{counts['rows']} questions", f"seed {body.get('seed', 'unknown')}"]
    told += [f"{body[f'num_{unit}']} {unit}" for unit in UNITS if f"num_{unit}" in body]
    lines.append(", ".join(told))
    lines += ["", *_sources(body), *_tables(counts)]
    if "traced_by" in body:
        asked, kept = body["traces"]["asked"], body["traces"]["kept"]
        lines += [
            f"The reasoning was written by a model, {body['traced_by']}, which was told the "
            f"answers. Of {asked} questions that it was asked, {kept} have a trace that passed "
            "the filters; no person has read them.",
            "",
        ]
    if "selected_from" in body:
        lines += ["A selection of another manifest, by how a model's answers to it differ.", ""]
    elif "traced_by" not in body:
        lines += _dropped(body.get("dropped", {}))
    return "\n".join(lines).rstrip() + "\n"


def _sources(body: Mapping[str, Any]) -> Iterator[str]:
    sources = body.get("config", {}).get("sources", ())
    if not sources:
        return
    yield "## Sources"
    yield ""
    yield "| data set | access | labels | uncertain |"
    yield "|---|---|---|---|"
    for source in sources:
        spec = SOURCES[source["adapter"]]
        yield f"| {spec.title} | {spec.access} | {spec.labels} | {source['uncertain']} |"
    yield ""
    yield (
        "This manifest holds what is derived from those sets, report text among it: whoever may "
        "not use one of them may not use it either."
    )
    yield ""


def _tables(counts: Mapping[str, Any]) -> Iterator[str]:
    yield "## Questions"
    yield ""
    for name in ("dataset", "task", "kind"):
        by_split = counts.get(name, {})
        splits = [split for split in SPLITS if split in by_split]
        yield f"| {name} | {' | '.join(splits)} |"
        yield f"|---|{'---:|' * len(splits)}"
        for value in sorted({value for found in by_split.values() for value in found}):
            cells = (str(by_split[split].get(value, 0)) for split in splits)
            yield f"| {value} | {' | '.join(cells)} |"
        yield f"| all | {' | '.join(str(sum(by_split[split].values())) for split in splits)} |"
        yield ""


def _dropped(dropped: Mapping[str, int]) -> Iterator[str]:
    yield "## Left out"
    yield ""
    if not dropped:
        yield "Nothing."
        return
    yield "| of | reason | count |"
    yield "|---|---|---:|"
    for reason, count in sorted(dropped.items(), key=lambda item: (-item[1], item[0])):
        unit, _, rest = reason.partition("_")
        yield f"| {unit} | {rest} | {count} |"
