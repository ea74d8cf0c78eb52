"""The card of a manifest: what is in it, where it comes from and who may use it, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chexone_ray.data.drops import VIEW_UNKNOWN, views_unknown
from chexone_ray.data.leaks import unmatched, untold
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.data.splits import SPLITS
from chexone_ray.log import RESEARCH_USE_ONLY

PICTURE_FILE = "composition.svg"
READ = {"images": "images", "reports": "report files", "boxes": "boxes"}
UNITS = ("patients", "studies", "images")


def render(body: Mapping[str, Any]) -> str:
    """The card of a manifest whose `manifest.json` is `body`."""
    counts = body["counts"]
    lines = ["# Data card", "", RESEARCH_USE_ONLY, ""]
    told = [f"{counts['rows']} questions", f"seed {body.get('seed', 'unknown')}"]
    told += [f"{body[f'num_{unit}']} {unit}" for unit in UNITS if f"num_{unit}" in body]
    lines.append(", ".join(told))
    lines += ["", *_sources(body), *_tables(counts)]
    lines += [*_traced(body), *_selected(body)]
    if "traced_by" not in body and "selected_from" not in body:
        lines += _of_archives(body)
    return "\n".join(lines).rstrip() + "\n"


def _traced(body: Mapping[str, Any]) -> Iterator[str]:
    if "traced_by" in body:
        asked, kept = body["traces"]["asked"], body["traces"]["kept"]
        yield (
            f"The reasoning was written by a model, {body['traced_by']}, which was told the "
            f"answers. Of {asked} questions that it was asked, {kept} have a trace that passed "
            "the filters; no person has read them."
        )
        yield ""


def _selected(body: Mapping[str, Any]) -> Iterator[str]:
    if "selected_from" in body:
        yield "A selection of another manifest, by how a model's answers to it differ."
        yield ""


def _of_archives(body: Mapping[str, Any]) -> Iterator[str]:
    """What `prepare` alone knows: the picture, who was held out, what is there twice or lost."""
    if body.get("kind") == "manifest":
        if empty := empty_splits(body["counts"]):
            yield f"**{empty[0].upper()}{empty[1:]}.**"
            yield ""
        yield f"![Tasks, data sets, lengths and boxes]({PICTURE_FILE})"
        yield ""
    config = body.get("config", {})
    names = [[s["adapter"] for s in config.get(of, ())] for of in ("sources", "held_out")]
    for warning in filter(None, (untold(*names), unmatched(names[0]))):
        yield f"**{warning[0].upper()}{warning[1:]}.**"
        yield ""
    yield from _read(body.get("read", {}))
    yield from _moved(body.get("moved", ()))
    yield from _duplicates(body.get("duplicates", {}))
    yield from _dropped(body.get("dropped", {}))


def _sources(body: Mapping[str, Any]) -> Iterator[str]:
    sources = body.get("config", {}).get("sources", ())
    if not sources:
        return
    yield "## Sources"
    yield ""
    yield "| data set | access | labels of the whole release | uncertain | kept in one split |"
    yield "|---|---|---|---|---|"
    for source in sources:
        spec = SOURCES[source["adapter"]]
        name = source.get("name")
        title = f"{name} ({spec.title[0].lower()}{spec.title[1:]})" if name else spec.title
        cells = (title, spec.access, spec.labels, source["uncertain"], spec.split_unit)
        yield f"| {' | '.join(cells)} |"
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


def empty_splits(counts: Mapping[str, Any]) -> str:
    """One sentence on splits of a manifest without a question to validate or to test on; empty
    where there are none."""
    told = {"validate": "validate_share", "test": "test_share"}
    empty = [split for split in told if not counts.get("split", {}).get(split)]
    if not empty:
        return ""
    return (
        f"no question is to {' or to '.join(empty)} on: raise "
        f"{' and '.join(told[split] for split in empty)}, or read more patients (an archive with "
        "splits of its own keeps them unless archive_splits=false)"
    )


def _read(found: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    if not found:
        return
    yield "## Read"
    yield ""
    yield f"| data set | {' | '.join(READ.values())} |"
    yield f"|---|{'---:|' * len(READ)}"
    for dataset, counts in found.items():
        yield f"| {dataset} | {' | '.join(str(counts.get(what, 0)) for what in READ)} |"
    yield ""


def _moved(moves: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not moves:
        return
    yield "## Held out"
    yield ""
    yield "A patient who is tested on in one data set is trained on in none."
    yield ""
    yield "| studies of | archive's split | here | because of | studies |"
    yield "|---|---|---|---|---:|"
    for row in moves:
        cells = (row["dataset"], row["given"] or "none", row["to"], row["because_of"])
        yield f"| {' | '.join(cells)} | {row['studies']} |"
    yield ""


def _duplicates(counts: Mapping[str, int]) -> Iterator[str]:
    if not any(counts.values()):
        return
    yield "## Films that are there twice"
    yield ""
    yield (
        f"{counts['exact']} pairs of equal files, {counts['alike']} pairs that look the same; "
        f"{counts['over_two_splits']} of all are over two splits. `duplicates.parquet` names them."
    )
    if crowd := counts.get("not_compared"):
        yield f"{crowd} films look like too many others to be compared."
    yield ""


def _dropped(dropped: Mapping[str, int]) -> Iterator[str]:
    yield "## Left out"
    yield ""
    if not dropped:
        yield "Nothing."
        return
    if unseen := dropped.get(VIEW_UNKNOWN):
        told = views_unknown(unseen)
        yield f"**{told[0].upper()}{told[1:]}.**"
        yield ""
    yield "| reason | count |"
    yield "|---|---:|"
    for reason, count in sorted(dropped.items(), key=lambda item: (-item[1], item[0])):
        yield f"| {reason} | {count} |"
