"""Manifest -> samples and pixels, in the manifest's order.

Large reads go through Ray Data (`read_manifest`, then `AddPixels` with `map_batches`); small ones
through `read_samples` and `load_images` in this process.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from chexone_ray import images, storage
from chexone_ray.config import ImageConfig
from chexone_ray.data import manifest
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.records import Sample, sample_from_row, sample_schema

READ_THREADS = 16
PIXELS_COLUMN, UNUSABLE_COLUMN = "pixels", "unusable"


def read_manifest(
    uri: str, split: str, kinds: Sequence[str] = (), epoch: int = 0, seed: int = 0
) -> Any:
    """Dataset of the rows of one split, columns of `sample_schema()`, one block a row group.

    Epoch 0 is in manifest order, a later one in a seeded permutation of the row groups. The order
    is kept to the consumer (`preserve_order`). Call it where Ray is connected.
    """
    import ray

    ray.data.DataContext.get_current().execution_options.preserve_order = True
    places = row_groups(uri, split, epoch, seed)
    dataset = ray.data.from_items(
        [{"uri": place, "row_group": number} for place, number in places],
        override_num_blocks=len(places),
    )
    return dataset.map_batches(
        read_row_groups,
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"kinds": tuple(kinds)},
    )


def row_groups(uri: str, split: str, epoch: int = 0, seed: int = 0) -> list[tuple[str, int]]:
    """(part URI, row group) of one split in the order in which `epoch` reads them."""
    places = [
        (storage.join(uri, part.name), number)
        for part in manifest.load(uri).of_split(split)
        for number in range(part.row_groups)
    ]
    if epoch:
        random.Random(f"{seed}/{epoch}").shuffle(places)
    return places


def read_row_groups(batch: Any, kinds: tuple[str, ...] = ()) -> Any:
    """Dataset step. Needs `uri` and `row_group`; gives the rows, with the columns of
    `sample_schema()`, of those kinds (all for none)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for row in batch.to_pylist():
        system, path = storage.filesystem(row["uri"])
        with system.open_input_file(path) as file:
            tables.append(pq.ParquetFile(file).read_row_group(row["row_group"]))
    table = pa.concat_tables(tables).cast(sample_schema())
    if kinds:
        table = table.filter(pa.compute.is_in(table["kind"], pa.array(kinds)))
    return table


def read_samples(
    uri: str,
    split: str,
    kinds: Sequence[str] = (),
    max_per_kind: int | None = None,
) -> list[Sample]:
    """Samples of one split in manifest order, at most the first `max_per_kind` of every kind."""
    import pyarrow as pa

    counts: Counter[str] = Counter()
    found = []
    for place, number in row_groups(uri, split):
        table = read_row_groups(
            pa.table({"uri": [place], "row_group": [number]}), kinds=tuple(kinds)
        )
        for row in table.to_pylist():
            counts[row["kind"]] += 1
            if max_per_kind is None or counts[row["kind"]] <= max_per_kind:
                found.append(sample_from_row(row))
    return found


def load_images(sample: Sample, config: ImageConfig) -> tuple[np.ndarray[Any, Any], ...]:
    """The images of one sample, in order: uint8 (H, W, 3) on the 28-pixel grid.

    Raises ImageError or ChexoneError where one cannot be used.
    """
    return tuple(
        images.decode(storage.read_bytes(image.uri), config).pixels for image in sample.images
    )


class AddPixels:
    """Dataset step for `map_batches(AddPixels(config), batch_format="pyarrow")`, as tasks.

    Needs `images`; adds `pixels` (list of PNG bytes on the 28-pixel grid, one an image, empty where
    one is unusable) and `unusable` (the reason, or empty). Every distinct file of a batch is read
    and decoded once, by threads; consumers count and skip the unusable rows.
    """

    def __init__(self, config: ImageConfig) -> None:
        self.config = config

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        wanted = [
            [image["uri"] for image in row or ()] for row in batch.column("images").to_pylist()
        ]
        distinct = sorted({uri for row in wanted for uri in row})
        with ThreadPoolExecutor(READ_THREADS) as pool:
            loaded = dict(zip(distinct, pool.map(self._load, distinct), strict=True))
        pixels: list[list[bytes]] = []
        reasons: list[str] = []
        for row in wanted:
            reason = next((r for r in map(loaded.__getitem__, row) if isinstance(r, str)), "")
            reasons.append(reason)
            pixels.append([] if reason else list(map(loaded.__getitem__, row)))  # type: ignore[arg-type]
        batch = batch.append_column(PIXELS_COLUMN, pa.array(pixels, pa.list_(pa.binary())))
        return batch.append_column(UNUSABLE_COLUMN, pa.array(reasons, pa.string()))

    def _load(self, uri: str) -> bytes | str:
        """PNG bytes of the resized image, or the reason why there are none."""
        try:
            return images.to_png(images.decode(storage.read_bytes(uri), self.config).pixels)
        except ImageError as error:
            return error.reason
        except ChexoneError:
            return "unreadable"
