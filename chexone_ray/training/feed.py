"""The manifest as an endless, exactly resumable stream of packs, read by Ray Data.

Epoch 0 is the manifest's own order; a later epoch permutes its row groups by the seed. The rows of
all epochs in a line are cut into chunks of equal length; chunk c belongs to rank c mod W. Ray Data
reads chunks (text and images, one block each) and its streaming split deals them out in turn. A
rank packs its own rows in order, so (chunk, row) is a place from which everything repeats.

Shape legend: W ranks, H and W' image height and width.
"""

from __future__ import annotations

import functools
import logging
import pickle
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chexone_ray import prompts, storage
from chexone_ray.config import ImageConfig, PromptConfig, TrainerConfig
from chexone_ray.data import manifest
from chexone_ray.data.stream import read_row_group
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.records import Sample, sample_from_row
from chexone_ray.training import packing

logger = logging.getLogger(__name__)

CHUNK_ROWS = 128
READ_THREADS = 8
MAX_DROP_SHARE = 0.05
"""A rank gives up when more of its rows than this cannot be used."""
STREAM_MARGIN = 1.5


@dataclass(frozen=True)
class RowGroup:
    """One Parquet row group of the manifest."""

    uri: str
    number: int
    num_rows: int


@dataclass(frozen=True)
class Chunk:
    """One block of the stream: rows with their images, each image once."""

    number: int
    samples: tuple[Sample, ...]
    films: dict[str, np.ndarray]
    """Image URI -> uint8 (H, W', 3), or (H, W') of a grey one, which is a third to carry."""
    problems: dict[str, str]
    """Image URI -> reason why it cannot be used."""

    def pixels(self, uri: str) -> np.ndarray:
        """An image as uint8 (H, W', 3)."""
        from chexone_ray import images

        return images.in_colour(self.films[uri])


def row_groups(manifest_uri: str, split: str) -> list[RowGroup]:
    """Row groups of the split in manifest order; reads the parts' footers.

    Raises ChexoneError where there is no complete manifest or no row of the split.
    """
    import pyarrow.parquet as pq

    groups = []
    for part in manifest.load(manifest_uri).of_split(split):
        uri = storage.join(manifest_uri, part.name)
        filesystem, path = storage.filesystem(uri)
        footer = pq.read_metadata(path, filesystem=filesystem)
        groups += [
            RowGroup(uri, number, footer.row_group(number).num_rows)
            for number in range(footer.num_row_groups)
        ]
    return groups


@dataclass(frozen=True)
class Order:
    """The endless order of rows: which rows chunk number c holds. Picklable and cheap."""

    groups: tuple[RowGroup, ...]
    seed: int
    chunk_rows: int = CHUNK_ROWS

    @functools.cached_property
    def num_rows(self) -> int:
        """Rows of one epoch."""
        return sum(group.num_rows for group in self.groups)

    def epoch(self, number: int) -> list[int]:
        """Numbers of the row groups in the order of that epoch."""
        order = list(range(len(self.groups)))
        if number:
            random.Random(f"{self.seed}/{number}").shuffle(order)
        return order

    def chunk(self, number: int) -> list[tuple[int, int, int]]:
        """(row group, first row, rows) of chunk `number`, which may run into the next epoch."""
        parts: list[tuple[int, int, int]] = []
        wanted = self.chunk_rows
        epoch, offset = divmod(number * self.chunk_rows, self.num_rows)
        while wanted:
            for group in self.epoch(epoch):
                rows = self.groups[group].num_rows
                if offset >= rows:
                    offset -= rows
                    continue
                taken = min(rows - offset, wanted)
                parts.append((group, offset, taken))
                wanted -= taken
                offset = 0
                if not wanted:
                    break
            epoch += 1
        return parts


def read_rows(order: Order, number: int) -> list[Sample]:
    """The samples of chunk `number`."""
    samples: list[Sample] = []
    for group, first, rows in order.chunk(number):
        place = order.groups[group]
        table = read_row_group(place.uri, place.number).slice(first, rows)
        samples += [sample_from_row(row) for row in table.to_pylist()]
    return samples


def read_chunk(order: Order, number: int, images: ImageConfig) -> Chunk:
    """Chunk `number` with its images from storage, each read and decoded once.

    Raises ChexoneError where storage does not answer.
    """
    from chexone_ray import images as decoder

    samples = read_rows(order, number)
    uris = list(dict.fromkeys(image.uri for sample in samples for image in sample.images))

    def load(uri: str) -> np.ndarray | str:
        data = storage.read_if_there(uri)
        if data is None:
            return "missing"
        try:
            film = decoder.decode(data, images).film
        except ImageError as error:
            return error.reason
        one = film if film.ndim == 2 else decoder.grey(film)
        return film if one is None else one

    with ThreadPoolExecutor(READ_THREADS) as pool:
        loaded = dict(zip(uris, pool.map(load, uris), strict=True))
    return Chunk(
        number,
        tuple(samples),
        {uri: found for uri, found in loaded.items() if not isinstance(found, str)},
        {uri: found for uri, found in loaded.items() if isinstance(found, str)},
    )


def stream(
    order: Order, images: ImageConfig, *, first: int, num_chunks: int, num_ranks: int
) -> list[Any]:
    """One Ray Data iterator a rank over the chunks from `first` (a multiple of `num_ranks`).

    Every block is one row with column `chunk`, a pickled Chunk. Order is kept, so the split deals
    chunk c to rank c mod num_ranks; `Feed` checks that.
    """
    import ray

    from chexone_ray.training.pace import Pace

    def read(row: dict[str, Any]) -> dict[str, Any]:
        chunk = read_chunk(order, first + int(row["id"]), images)
        return {"chunk": pickle.dumps(chunk, protocol=5)}

    dataset = ray.data.range(num_chunks, override_num_blocks=num_chunks).map(read)
    dataset.context.execution_options.preserve_order = True
    dataset.context.enable_progress_bars = False
    dataset.context.custom_execution_callback_classes = [Pace]
    return list(dataset.streaming_split(num_ranks, equal=False))


@dataclass
class Position:
    """A place in one rank's stream: the row after (chunk, row) comes next."""

    chunk: int = -1
    row: int = -1
    drops: dict[str, int] = field(default_factory=dict)
    rows: int = 0


class Feed:
    """Consumes chunks of one rank; produces collated packs without end.

    Waits for Ray Data. Rows that cannot be used (image, length) are counted by reason; more than
    MAX_DROP_SHARE of them end the run.
    """

    def __init__(
        self,
        shard: Any,
        processor: Any,
        *,
        rank: int,
        num_ranks: int,
        prompt_config: PromptConfig,
        kind_weights: dict[str, float],
        pack_tokens: int,
        max_length: int,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.shard, self.processor = shard, processor
        self.rank, self.num_ranks = rank, num_ranks
        self.prompt_config, self.kind_weights = prompt_config, kind_weights
        self.pack_tokens, self.max_length = pack_tokens, max_length
        self.position = Position(**(state or {}))
        self.layout = packing.VisionLayout.of(processor)
        self._drops = Counter(self.position.drops)
        self._rows = self.position.rows
        self._render = functools.lru_cache(maxsize=4096)(self._prompt)

    def state(self) -> dict[str, Any]:
        """The place after the last pack that was given out."""
        return dict(self.position.__dict__)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for packed in packing.pack(self._documents(), self.pack_tokens):
            chunk, row, rows, drops = packed.documents[-1].position
            self.position = Position(chunk, row, dict(drops), rows)
            yield packing.collate(packed, self.layout)

    def _documents(self) -> Iterator[packing.Document]:
        start = self.position
        for batch in self.shard.iter_batches(batch_size=1, prefetch_batches=1):
            chunk: Chunk = pickle.loads(batch["chunk"][0])
            if chunk.number % self.num_ranks != self.rank:
                raise RuntimeError(
                    f"chunk {chunk.number} came to rank {self.rank} of {self.num_ranks}: "
                    "Ray Data dealt blocks out of turn"
                )
            if chunk.number < start.chunk:
                continue
            skip = start.row + 1 if chunk.number == start.chunk else 0
            yield from self._of_chunk(chunk, skip)
        raise RuntimeError("the stream ended before the last step: its length was underestimated")

    def _of_chunk(self, chunk: Chunk, skip: int) -> Iterator[packing.Document]:
        """The usable rows of one chunk from row `skip` on, as documents."""
        samples = chunk.samples[skip:]
        tokenizer = self.processor.tokenizer
        texts = [prompts.target(s.answer, s.reasoning, s.mode) for s in samples]
        targets = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        for row, (sample, answer) in enumerate(zip(samples, targets, strict=True), start=skip):
            self._rows += 1
            bad = next(
                (chunk.problems[i.uri] for i in sample.images if i.uri in chunk.problems), ""
            )
            if bad:
                self._drop(f"image_{bad}")
                continue
            pixels = [chunk.pixels(image.uri) for image in sample.images]
            prompt = packing.expand(
                self._render(sample.question, len(pixels), sample.mode), pixels, self.layout
            )
            if len(prompt) + len(answer) + 1 > self.max_length:
                self._drop("too_long")
                continue
            yield packing.from_ids(
                self.layout,
                prompt,
                [*answer, tokenizer.eos_token_id],
                images=pixels,
                keys=[image.uri for image in sample.images],
                weight=self.kind_weights.get(sample.kind, 1.0),
                kind=sample.kind,
                position=(chunk.number, row, self._rows, tuple(self._drops.items())),
            )

    def _prompt(self, question: str, num_images: int, mode: Any) -> list[int]:
        """Unexpanded prompt ids."""
        turns = prompts.messages(question, num_images, mode, self.prompt_config)
        text = prompts.render(self.processor.tokenizer, turns)
        ids: list[int] = self.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _drop(self, reason: str) -> None:
        self._drops[reason] += 1
        dropped = sum(self._drops.values())
        if self._rows >= 200 and dropped > MAX_DROP_SHARE * self._rows:
            raise ChexoneError(
                f"{dropped} of {self._rows} rows cannot be used ({dict(self._drops)}): "
                "look at the images, or raise trainer.max_length"
            )


def mean_length(
    order: Order,
    processor: Any,
    prompt_config: PromptConfig,
    images: ImageConfig,
    max_samples: int = 2048,
) -> float:
    """Tokens of a row on average, from the text and declared image sizes of `max_samples` rows."""
    samples: list[Sample] = []
    number = 0
    while len(samples) < min(max_samples, order.num_rows):
        samples += read_rows(order, number)
        number += 1
    lengths = [sample_length(sample, processor, prompt_config, images) for sample in samples]
    return sum(lengths) / len(lengths)


def plan(
    order: Order, mean: float, trainer: TrainerConfig, *, epochs: float, max_steps: int | None
) -> tuple[int, int]:
    """(optimizer steps, chunks to offer) for `epochs` passes, or for `max_steps` where given.

    A pack closes when the next document does not fit, so it lacks half a document on average.
    Chunks are offered with a margin: what is not needed is not read.
    """
    packs = trainer.packs_per_step * trainer.num_workers
    rows_per_pack = max(1.0, trainer.pack_tokens / mean - 0.5)
    steps = max_steps or max(1, round(order.num_rows * epochs / (rows_per_pack * packs)))
    rows = steps * packs * (rows_per_pack + 1) * STREAM_MARGIN
    chunks = int(rows / order.chunk_rows) + 4
    return steps, (chunks // trainer.num_workers + 1) * trainer.num_workers


def sample_length(
    sample: Sample, processor: Any, prompt_config: PromptConfig, images: ImageConfig
) -> int:
    """Tokens of one row, without reading its images; an unknown size counts as the largest."""
    from chexone_ray.images import fit_to_grid

    tokenizer = processor.tokenizer
    turns = prompts.messages(sample.question, len(sample.images), sample.mode, prompt_config)
    text = prompts.render(tokenizer, turns)
    text += prompts.target(sample.answer, sample.reasoning, sample.mode)
    length = len(tokenizer(text, add_special_tokens=False)["input_ids"]) + 1
    for image in sample.images:
        area = images.max_pixels
        if image.width and image.height:
            height, width = fit_to_grid(
                image.height, image.width, images.max_pixels, images.min_pixels
            )
            area = height * width
        length += area // 784 - 1
    return length
