"""`prepare` at growing size, and the stream of images into training against the obvious way.

Scale: `prepare` of an archive of films and reports in a local S3 server that gives about 10,000 and
100,000 questions, and (without pixels) of passages that give 1,000,000: questions a second, and the
peak memory of the driver, Ray and its workers together (proportional set size). Each size runs in a
process and a Ray of its own.

Stream: images a second from S3 to uint8 pixels on the 28-pixel grid beside their rows, in this
process: `training.feed.stream` on Ray Data with 2 CPUs, against a torch DataLoader of 2 workers
with boto3, Pillow and qwen_vl_utils' resize. One question an image; three epochs from the first
batch on, which leaves out the start of both; both sides in turn, medians.

The last lines are JSON; a ratio above 1 is in our favour. For the memory it is 1.3 over the growth
from 10,000 to 100,000 rows: above 1 means that memory does not grow with the archive.

    python benchmarks/prepare.py [--part scale|stream] [--rows 10000 100000] [--text_rows 1000000]
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow

from chexone_ray import log, storage
from chexone_ray.config import ImageConfig, PrepareConfig, RayConfig, SourceConfig
from chexone_ray.s3_server import LocalS3

logger = logging.getLogger(__name__)

SIZE = 112
IMAGES = ImageConfig(max_pixels=SIZE * SIZE)
STREAM_SIZE, STREAM_FILMS = 448, 1200
EPOCHS = 3
"""Of the films in one measurement."""
STREAM_IMAGES = ImageConfig(max_pixels=STREAM_SIZE * STREAM_SIZE)
QUESTIONS_A_STUDY = 19.5
"""About what prepare makes of one drawn film with its report."""
QUESTIONS_A_PASSAGE = 5
NUM_REPORTS = 200
MAX_GROWTH = 1.3


def write_films(folder: Path, num_studies: int, size: int, kinds: str = "report") -> None:
    """A table of one's own with one film a study, every film another one."""
    from chexone_ray.data.phantom import random_phantom, random_study
    from chexone_ray.data.phantom_report import write_report

    drawn = [random_phantom(seed, size) for seed in range(NUM_REPORTS)]
    rng = np.random.default_rng(0)
    (folder / "films").mkdir(parents=True, exist_ok=True)
    with (folder / "studies.jsonl").open("w") as table:
        for number in range(num_studies):
            item = drawn[number % NUM_REPORTS]
            grain = rng.integers(-6, 7, item.pixels.shape[:2], dtype=np.int16)
            film = np.clip(item.pixels[..., 0] + grain, 0, 255).astype(np.uint8)
            pillow.fromarray(film).save(folder / "films" / f"{number}.png", compress_level=1)
            row = {"image": f"films/{number}.png", "study": f"s{number}", "view": "PA"}
            if kinds == "report":
                told = write_report(random_study(number % NUM_REPORTS))
                row |= {"findings": told.findings, "impression": told.impression}
            table.write(json.dumps(row) + "\n")


def write_passages(folder: Path, num_rows: int) -> None:
    """Texts with questions in RadQA's form."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("dev", "test"):
        (folder / f"{part}.json").write_text('{"data": []}')
    with (folder / "train.json").open("w") as file:
        file.write('{"data": [')
        for number in range(-(-num_rows // QUESTIONS_A_PASSAGE)):
            text = f"Passage {number}. The heart is large. There is a small effusion on the left."
            asked = [
                {
                    "id": f"{number}-{n}",
                    "question": f"What is said in sentence {n}?",
                    "answers": [{"text": "The heart is large.", "answer_start": 10}],
                    "is_impossible": False,
                }
                for n in range(QUESTIONS_A_PASSAGE)
            ]
            document = {"title": str(number), "paragraphs": [{"context": text, "qas": asked}]}
            file.write((", " if number else "") + json.dumps(document))
        file.write("]}")


def family_pss(pid: int) -> float:
    """MB of a process and all that descend from it; shared pages count once."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    waiting, total = [pid], 0
    while waiting:
        one = waiting.pop()
        waiting += parents.get(one, [])
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def run_apart(config: PrepareConfig) -> dict[str, float]:
    """`prepare` in a process of its own: rows, seconds, MB at the peak."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", config.model_dump_json()],
        stdout=subprocess.PIPE,
        text=True,
    )
    peak = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.5):
            peak = max(peak, family_pss(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert process.stdout is not None
    told = process.stdout.read()
    done.set()
    watcher.join()
    if process.wait():
        raise SystemExit(f"prepare ended with {process.returncode}")
    found = json.loads(told.splitlines()[-1])
    logger.info(
        "%d rows in %.1f s (%.1f s with the start of Ray), peak %.0f MB",
        found["rows"],
        found["seconds"],
        time.perf_counter() - start,
        peak,
    )
    return {**found, "peak_mb": peak}


def child(config: PrepareConfig) -> None:
    """What `run_apart` starts."""
    from chexone_ray import runtime
    from chexone_ray.data import manifest
    from chexone_ray.data.build import prepare

    log.configure()
    runtime.join(config.ray)
    start = time.perf_counter()
    uri = prepare(config)
    seconds = time.perf_counter() - start
    rows = manifest.load(uri).info["counts"]["rows"]
    sys.stdout.write(json.dumps({"rows": rows, "seconds": seconds}) + "\n")


def settings(bucket: str, name: str, adapter: str, **changes: Any) -> PrepareConfig:
    """Of an archive in the bucket."""
    source = SourceConfig(adapter=adapter, uri=storage.join(bucket, name))  # type: ignore[arg-type]
    return PrepareConfig(
        output_uri=storage.join(bucket, f"{name}-manifest"),
        sources=(source,),
        ray=RayConfig(address="local", num_cpus=2, object_store_gb=1.0),
        **{"images": IMAGES, **changes},
    )


def scale(bucket: str, rows: list[int], text_rows: int) -> Iterator[dict[str, Any]]:
    """Rows a second and memory at every size, then the growth."""
    peaks = []
    for number in rows:
        found = run_apart(settings(bucket, f"films-{number}", "own_table"))
        peaks.append(found["peak_mb"])
        yield figure(f"prepare, {number} rows", found, "with pixels")
    if text_rows:
        found = run_apart(settings(bucket, "passages", "radqa"))
        yield figure(f"prepare, {text_rows} rows", found, "without pixels")
    if len(peaks) > 1:
        yield {
            "benchmark": f"prepare: peak memory at {rows[-1]} rows and at {rows[0]}",
            "ours": round(peaks[-1]),
            "other": round(peaks[0]),
            "ratio": round(MAX_GROWTH * peaks[0] / peaks[-1], 2),
            "unit": f"MB; ratio is {MAX_GROWTH} over the growth",
        }


def figure(name: str, found: dict[str, float], what: str) -> dict[str, Any]:
    """One line of the scale part; there is nothing to compare with."""
    return {
        "benchmark": name,
        "ours": round(found["rows"] / found["seconds"], 1),
        "other": None,
        "ratio": None,
        "unit": f"questions/s {what}; {round(found['rows'])} rows, peak {found['peak_mb']:.0f} MB",
    }


def stream(bucket: str, repeat: int) -> dict[str, Any]:
    """Images a second, ours and the DataLoader's in turn."""
    from chexone_ray import runtime
    from chexone_ray.data.build import prepare
    from chexone_ray.training import feed

    config = settings(
        bucket,
        "stream",
        "own_table",
        images=STREAM_IMAGES,
        kinds=("view",),
        validate_share=0.0,
        test_share=0.0,
    )
    runtime.join(config.ray)
    uri = prepare(config)
    order = feed.Order(tuple(feed.row_groups(uri, "train")), 0)
    uris = [sample.images[0].uri for n in range(-(-order.num_rows // order.chunk_rows))
            for sample in feed.read_rows(order, n)][: order.num_rows]  # fmt: skip
    loader = data_loader(uris)
    ours_of(order)  # both start their workers, which stay
    other_of(loader)
    ours, other = [], []
    for _ in range(repeat):
        ours.append(ours_of(order))
        other.append(other_of(loader))
        logger.info("ours %.1f, DataLoader %.1f images/s", ours[-1], other[-1])
    runtime.leave()
    mine, theirs = statistics.median(ours), statistics.median(other)
    return {
        "benchmark": "prepare: images from S3 to rows, against a DataLoader with boto3",
        "ours": round(mine, 1),
        "other": round(theirs, 1),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, other, strict=True)), 2),
        "unit": f"images/s, 2 processes, {STREAM_SIZE} x {STREAM_SIZE}",
    }


def ours_of(order: Any) -> float:
    """Images a second out of Ray Data's stream."""
    import pickle

    from chexone_ray.training import feed

    num_chunks = EPOCHS * order.num_rows // order.chunk_rows
    (shard,) = feed.stream(order, STREAM_IMAGES, first=0, num_chunks=num_chunks, num_ranks=1)
    chunks = (
        pickle.loads(batch["chunk"][0])
        for batch in shard.iter_batches(batch_size=1, prefetch_batches=1)
    )
    return steady(len([chunk.pixels(uri) for uri in chunk.films]) for chunk in chunks)


def steady(sizes: Iterator[int]) -> float:
    """Images a second after the first batch: a training run starts its stream once, and then reads
    for hours."""
    next(sizes)
    start = time.perf_counter()
    count = sum(sizes)
    return count / (time.perf_counter() - start)


class S3Films:
    """The obvious dataset: one film an item, a boto3 client a worker."""

    def __init__(self, uris: list[str]) -> None:
        self.uris = uris
        self._client: Any = None

    def __len__(self) -> int:
        return len(self.uris)

    def __getitem__(self, number: int) -> np.ndarray:
        import boto3
        from qwen_vl_utils.vision_process import smart_resize

        if self._client is None:
            self._client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        bucket, _, key = self.uris[number].removeprefix("s3://").partition("/")
        data = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        picture = pillow.open(io.BytesIO(data)).convert("RGB")
        height, width = smart_resize(
            picture.height,
            picture.width,
            28,
            STREAM_IMAGES.min_pixels,
            STREAM_IMAGES.max_pixels,
        )
        return np.asarray(picture.resize((width, height)))


def data_loader(uris: list[str]) -> Any:
    """A DataLoader of two workers that outlive an epoch."""
    from torch.utils.data import DataLoader

    return DataLoader(
        S3Films(uris),  # type: ignore[arg-type]
        batch_size=32,
        num_workers=2,
        collate_fn=list,
        multiprocessing_context="forkserver",
        persistent_workers=True,
    )


def other_of(loader: Any) -> float:
    """Images a second out of the DataLoader."""
    return steady(len(batch) for _ in range(EPOCHS) for batch in loader)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("scale", "stream"))
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--text_rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(PrepareConfig.model_validate_json(options.child))
        return
    log.configure()
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        # All before the server starts: it does not look again at folders that it has listed.
        folder = Path(place) / "bench"
        if options.part != "stream":
            for number in options.rows:
                write_films(folder / f"films-{number}", round(number / QUESTIONS_A_STUDY), SIZE)
            write_passages(folder / "passages", options.text_rows)
        if options.part != "scale":
            write_films(folder / "stream", STREAM_FILMS, STREAM_SIZE, kinds="view")
        with LocalS3(Path(place)) as server:
            os.environ.update(server.environment())
            bucket = server.create_bucket("bench")
            if options.part != "stream":
                lines += scale(bucket, options.rows, options.text_rows)
            if options.part != "scale":
                lines.append(stream(bucket, options.repeat))
    for line in lines:
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
