"""What `prepare` refuses by its settings alone, before reading anything. `--check` tells it too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from chexone_ray import packed, storage
from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.leaks import numbers_of
from chexone_ray.data.questions import places
from chexone_ray.data.sources import own_table
from chexone_ray.data.sources.registry import SOURCES, overlapping
from chexone_ray.errors import ChexoneError
from chexone_ray.kinds import KINDS, unknown


def refuse(config: PrepareConfig) -> None:
    """Raises ChexoneError with the first of the `problems`."""
    for problem in problems(config):
        raise ChexoneError(problem)


def problems(config: PrepareConfig) -> Iterator[str]:
    """One line for each setting that is wrong or cannot take effect."""
    phased = [kind for phase in config.curriculum for kind in phase]
    yield from unknown([*config.kinds, *config.max_per_kind, *phased])
    for kind, count in Counter(phased).items():
        if count > 1:
            yield f'kind "{kind}" is in {count} phases of the curriculum: keep one'
    tasks = {kind.task for kind in KINDS.values()} | set(places.TASKS.values())
    named = {source.name for source in config.sources if source.name}
    for name in sorted(named & (KINDS.keys() | SOURCES.keys())):
        yield f'name "{name}" of a source is that of another data set or a kind: give it another'
    for name in sorted(config.mix.keys() - tasks - KINDS.keys() - SOURCES.keys() - named):
        yield f'mix "{name}" is no data set, task or kind: use names of the card of a manifest'
    if config.splits and "train" not in config.splits:
        for name in ("max_per_kind", "mix", "curriculum"):
            if getattr(config, name):
                yield f"{name} is of training rows and has no effect without split train: drop it"
    shared = overlapping(source.adapter for source in config.sources)
    if shared and not config.allow_overlap:
        yield (
            f"sources {' and '.join(shared)} hold the same films under other names, so a film "
            "could be trained on and tested on: keep one source, or set allow_overlap=true"
        )
    for source in (*config.sources, *config.held_out):
        yield from idle_settings(source)
        if storage.join(source.uri).rstrip("/") == storage.join(config.output_uri).rstrip("/"):
            yield (
                f"output_uri is the {source.adapter} archive {source.uri} itself: give the "
                "manifest a folder of its own"
            )
        if SOURCES[source.adapter].images_elsewhere and source.images_uri is None:
            yield (
                f"{source.adapter} has no images of its own: set images_uri to the root of the "
                "data set that has them (see docs/data.md)"
            )
    ours = {numbers_of(source.dataset) for source in config.sources}
    for source in config.held_out:
        if numbers_of(source.dataset) not in ours:
            yield (
                f"held_out {source.dataset} shares its patients with no source, so it keeps nobody "
                "out: remove it"
            )


def idle_settings(source: SourceConfig) -> Iterator[str]:
    """One line for each setting that has no effect on what the adapter of `source` reads."""
    name, spec = source.adapter, SOURCES[source.adapter]
    if source.images_uri and not spec.images_elsewhere:
        yield f"images_uri has no effect on {name}, which has its own images: remove it"
    if source.boxes_uri and not spec.boxes_elsewhere:
        yield f"boxes_uri has no effect on {name}, which reads no box file: remove it"
    if source.uncertain != "keep" and not spec.uncertain:
        yield (
            f'uncertain="{source.uncertain}" has no effect on {name}, which leaves nothing '
            "uncertain: remove it"
        )
    if source.packed and not spec.packable:
        yield (
            f"packed has no effect on {name}, which has no images or takes those in its folders: "
            "remove it, and unpack what you have"
        )
    if source.default_view and source.adapter != own_table.DATASET:
        yield f"default_view has no effect on {name}, which tells its views itself: remove it"
    if source.name and source.adapter != own_table.DATASET:
        yield f"name has no effect on {name}, which has one: remove it"
    for archive, count in Counter(source.packed).items():
        if problem := packed.refusal(archive):
            yield problem
        if count > 1:
            yield f'packed of {name} names "{archive}" {count} times: keep one'
