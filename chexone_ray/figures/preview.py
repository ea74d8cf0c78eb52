"""A sheet of a manifest's questions with films, boxes and answers, to look at before training.

It holds report text and films: it lies beside the manifest and goes where the manifest may go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest

from chexone_ray import images, storage
from chexone_ray.config import ImageConfig
from chexone_ray.data import manifest, stream
from chexone_ray.data.splits import SPLITS
from chexone_ray.errors import ImageError
from chexone_ray.figures.page import Card, Film, Said, cards, document, escape
from chexone_ray.kinds import KINDS
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.records import Sample, sample_from_row

FILE = "preview.html"
MAX_ROW_GROUPS = 40
"""Read at most, over all splits: rare kinds may then be missing from the sheet, which says how many
it shows."""
Place = tuple[str, int]
"""A part and a row group of it."""


def write(manifest_uri: str, num_per_kind: int, config: ImageConfig) -> str:
    """Write `preview.html` into a committed manifest's folder; returns its URI."""
    samples = choose(manifest_uri, num_per_kind)
    total = manifest.load(manifest_uri).info["counts"]["rows"]
    uri = storage.join(manifest_uri, FILE)
    storage.write_bytes(uri, render(samples, total, config).encode())
    return uri


def choose(manifest_uri: str, num_per_kind: int) -> list[Sample]:
    """Questions of every kind, each of another study, in turn of the splits, training first."""
    found: dict[tuple[str, str], dict[str, Sample]] = defaultdict(dict)
    splits = spread(manifest_uri)
    for split, places in splits.items():
        for uri, number in places:
            for row in stream.read_row_group(uri, number).to_pylist():
                of_kind = found[split, row["kind"]]
                if len(of_kind) < num_per_kind and row["study"] not in of_kind:
                    of_kind[row["study"]] = sample_from_row(row)
            if all(len(found[split, kind]) >= num_per_kind for kind in KINDS):
                break
    samples: list[Sample] = []
    for kind in KINDS:
        in_turn = zip_longest(*(found[split, kind].values() for split in splits))
        asked = [sample for turn in in_turn for sample in turn if sample]
        samples += asked[:num_per_kind]
    return samples


def spread(manifest_uri: str) -> dict[str, list[Place]]:
    """Split -> row groups to read, spread evenly over all of its parts, training first."""
    present = {part.split for part in manifest.load(manifest_uri).parts}
    most = max(1, MAX_ROW_GROUPS // len(present))
    found: dict[str, list[Place]] = {}
    for split in SPLITS:
        if split in present:
            places = stream.row_groups(manifest_uri, split)
            found[split] = places[:: -(-len(places) // most)]
    return found


def render(samples: Sequence[Sample], num_rows: int, config: ImageConfig) -> str:
    """The page, kind by kind."""
    by_kind: dict[str, list[Card]] = defaultdict(list)
    for sample in samples:
        by_kind[sample.kind].append(_card(sample, config))
    head = (
        f"<h1>Preview of a manifest</h1><p class='soft'>{len(samples)} of {num_rows} questions, "
        f"{len(by_kind)} kinds</p><p class='banner'>{escape(RESEARCH_USE_ONLY)}</p>"
    )
    parts = [cards(_title(kind), found, "") for kind, found in by_kind.items()]
    return document("Preview of a manifest", "\n".join((head, *parts)))


def _title(kind: str) -> str:
    return f"{kind.replace('_', ' ')} ({KINDS[kind].task})"


def _card(sample: Sample, config: ImageConfig) -> Card:
    told = f"{sample.dataset}, {sample.split}, {sample.mode}"
    try:
        pictures = stream.load_images(sample, config)
    except ImageError as error:
        return Card(
            (), sample.question, "", {f"{told}: image {error.reason}": Said("", sample.answer)}
        )
    films = []
    for at, (pixels, image) in enumerate(zip(pictures, sample.images, strict=True)):
        height, width = pixels.shape[:2]
        drawn = tuple(box for box in sample.boxes if box.image == at)
        caption = ", ".join(text for text in (image.role, image.view) if text)
        films.append(Film(images.to_png(pixels), width, height, caption, drawn))
    return Card(tuple(films), sample.question, "", {told: Said(sample.reasoning, sample.answer)})
