"""Trained weights in Hugging Face layout, resumable state, and the metric rows of a run.

<output_uri>/model/            the final checkpoint, commit file last
<output_uri>/state/step-N/     what a killed run goes on from, commit file last
<output_uri>/metrics.jsonl     one row every `trainer.log_steps`
<output_uri>/tensorboard/      the same for TensorBoard
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chexone_ray import checkpoints, storage
from chexone_ray.config import GrpoConfig, ImageConfig, PromptConfig, SftConfig
from chexone_ray.downloads import download
from chexone_ray.errors import ChexoneError
from chexone_ray.identity import content, differing
from chexone_ray.log import RESEARCH_USE_ONLY

logger = logging.getLogger(__name__)

MODEL = "model"
STATE = "state"
METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"


def model_uri(output_uri: str) -> str:
    """Where the final checkpoint of a run lies."""
    return storage.join(output_uri, MODEL)


def identity(config: SftConfig | GrpoConfig, *left_out: str) -> dict[str, Any]:
    """What decides a run's result: the content of model and manifest, and the settings.

    Left out are the places, the named fields and what may differ after a restart.
    """
    values = content(config, {"ray", "output_uri", *left_out})
    for name in ("save_steps", "keep_checkpoints", "log_steps", "max_failures", "start_timeout_s"):
        values["trainer"].pop(name)
    return values | checkpoints.inputs(config.model_uri, config.manifest_uri)


def finished(output_uri: str, run: Mapping[str, Any]) -> bool:
    """True where this run has already written its model.

    `run` is what decides the result (resolved settings and digests of the inputs). Raises
    ChexoneError where the place holds the result or the state of another run.
    """
    info = storage.committed(model_uri(output_uri))
    if info is None:
        for _, uri in states(output_uri)[-1:]:
            _same_run(storage.committed(uri) or {}, run, uri)
        return False
    return _same_run(info, run, model_uri(output_uri))


def _same_run(info: Mapping[str, Any], run: Mapping[str, Any], uri: str) -> bool:
    found = info.get("run")
    wanted = json.loads(json.dumps(run))
    if found != wanted:
        names = differing(found or {}, wanted)
        raise ChexoneError(
            f"{uri} is from a run with other settings or inputs ({', '.join(names)}): "
            "choose another output_uri or delete it"
        )
    return True


# --- the model -----------------------------------------------------------------------------------


def save_model(
    trainer: Any,
    processor: Any,
    output_uri: str,
    *,
    prompts: PromptConfig,
    images: ImageConfig,
    info: Mapping[str, Any],
) -> str:
    """Write the trained model to `<output_uri>/model` and return that URI. Every rank calls it.

    safetensors, configuration, generation settings, tokenizer, chat template, processor and our
    prompt and image settings; `info` goes into the commit file, which rank 0 writes last. What an
    interrupted writer left is removed first.
    """
    uri = model_uri(output_uri)
    state = full_state(trainer)
    if trainer.is_world_process_zero():
        with tempfile.TemporaryDirectory(prefix="chexone-model-") as name:
            folder = Path(name)
            trainer.model.save_pretrained(folder, state_dict=state)
            processor.save_pretrained(folder)
            checkpoints.write_settings(folder, prompts, images)
            if storage.committed(uri) is None:
                storage.delete(uri)
            storage.upload(folder, uri)
        storage.commit(uri, {**info, "notice": RESEARCH_USE_ONLY})
    barrier()
    return uri


def full_state(trainer: Any) -> dict[str, Any] | None:
    """The whole state dict where parameters are sharded (ZeRO-3, on rank 0), else None."""
    engine = getattr(trainer, "deepspeed", None)
    if engine is None or engine.zero_optimization_stage() < 3:
        return None
    state: dict[str, Any] | None = engine._zero3_consolidated_16bit_state_dict()
    return state


# --- resumable state -----------------------------------------------------------------------------


def publisher(
    config: SftConfig | GrpoConfig,
    run: dict[str, Any],
    position: Callable[[], dict[str, Any]],
    last_step: int,
) -> Callable[[int, Path], None]:
    """A function (step, local folder) that publishes states of a run on every rank.

    Not that of the last step: the model itself follows, and there is nothing to go on with.
    """

    def publish(step: int, folder: Path) -> None:
        if step < last_step:
            publish_state(
                folder,
                config.output_uri,
                step,
                position(),
                keep=config.trainer.keep_checkpoints,
                run=run,
            )

    return publish


def publish_state(
    folder: Path,
    output_uri: str,
    step: int,
    position: Mapping[str, Any],
    *,
    keep: int,
    run: Mapping[str, Any],
) -> None:
    """Upload one resumable checkpoint and commit it, then remove the oldest. Every rank calls it.

    `folder` is this node's part (HF's checkpoint folder), `position` this rank's place in the
    data. The first rank of every node uploads; rank 0 commits after all have.
    """
    rank, local_rank = ranks()
    (folder / f"position-{rank}.json").write_text(json.dumps(position))
    barrier()
    uri = storage.join(output_uri, STATE, f"step-{step}")
    if local_rank == 0:
        storage.upload(folder, uri)
    barrier()
    if rank == 0:
        storage.commit(uri, {"step": step, "world_size": world_size(), "run": dict(run)})
        remove_old_states(output_uri, keep)
    barrier()


def states(output_uri: str) -> list[tuple[int, str]]:
    """(step, URI) of the committed states, oldest first."""
    found = []
    for uri in storage.list_files(storage.join(output_uri, STATE), storage.COMMIT_FILE):
        step = re.search(r"/step-(\d+)/[^/]+$", uri)
        if step:
            found.append((int(step[1]), uri.rsplit("/", 1)[0]))
    return sorted(found)


def remove_old_states(output_uri: str, keep: int) -> None:
    """Leave the newest `keep` states; what goes loses its commit file first."""
    for _, uri in states(output_uri)[:-keep]:
        storage.delete(storage.join(uri, storage.COMMIT_FILE))
        storage.delete(uri)


def newest_state(output_uri: str, run: Mapping[str, Any]) -> tuple[int, str] | None:
    """(step, URI) of the state to go on from, or None. Raises where it is of another run."""
    found = states(output_uri)
    if not found:
        return None
    step, uri = found[-1]
    info = storage.committed(uri) or {}
    _same_run(info, run, uri)
    if info.get("world_size") != world_size():
        raise ChexoneError(
            f"{uri} was written by {info.get('world_size')} workers, this run has {world_size()}: "
            "set trainer.num_workers back or choose another output_uri"
        )
    return step, uri


def fetch_state(uri: str) -> tuple[Path, list[dict[str, Any]]]:
    """A local copy of a state and the data positions of all ranks."""
    folder = download(uri)
    positions = [
        json.loads((folder / f"position-{rank}.json").read_text()) for rank in range(world_size())
    ]
    return folder, positions


# --- metrics -------------------------------------------------------------------------------------


class MetricLog:
    """Metric rows of one run, on rank 0.

    Consumes rows. Produces metrics.jsonl (written whole at every `flush`, since object stores do
    not append) and a TensorBoard event file. A run that goes on from step N keeps the rows up to N;
    its event file tells TensorBoard to drop what older ones hold beyond.
    """

    def __init__(
        self, output_uri: str, step: int = 0, on_row: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        self.output_uri, self.on_row = output_uri, on_row
        self.rows: list[dict[str, Any]] = []
        place = storage.join(output_uri, METRICS)
        if step and storage.exists(place):
            old = map(json.loads, storage.read_bytes(place).decode().splitlines())
            self.rows = [row for row in old if row["step"] <= step]
        self.folder = tempfile.TemporaryDirectory(prefix="chexone-tensorboard-")
        self.writer = self._writer(step)

    def _writer(self, step: int) -> Any:
        from tensorboardX import SummaryWriter

        return SummaryWriter(self.folder.name, purge_step=step + 1, filename_suffix=f".from-{step}")

    def rewind(self, step: int) -> None:
        """Forget the rows after `step`: the run goes on from there."""
        self.rows = [row for row in self.rows if row["step"] <= step]
        self.writer.close()
        self.writer = self._writer(step)

    def add(self, step: int, row: Mapping[str, float]) -> None:
        """Keep one row; keys are `<stage>/<name>`."""
        self.rows.append({"step": step, **{k: round(v, 8) for k, v in row.items()}})
        for name, value in row.items():
            self.writer.add_scalar(name, value, step)
        if self.on_row:
            self.on_row(self.rows[-1])

    def flush(self) -> None:
        """Write everything so far to the output URI."""
        lines = "".join(json.dumps(row) + "\n" for row in self.rows)
        storage.write_bytes(storage.join(self.output_uri, METRICS), lines.encode())
        self.writer.flush()
        storage.upload(Path(self.folder.name), storage.join(self.output_uri, TENSORBOARD))

    def close(self) -> None:
        """Flush and let go of the local files."""
        self.writer.close()  # before the upload: its flush leaves rows that are still queued
        self.flush()
        self.folder.cleanup()


# --- ranks ---------------------------------------------------------------------------------------


def ranks() -> tuple[int, int]:
    """(rank, rank on this node); zeros outside a worker group."""
    import os

    import torch.distributed as dist

    if not dist.is_initialized():
        return 0, 0
    return dist.get_rank(), int(os.environ.get("LOCAL_RANK", "0"))


def world_size() -> int:
    """Ranks of the worker group; 1 outside of one."""
    import torch.distributed as dist

    return dist.get_world_size() if dist.is_initialized() else 1


def barrier() -> None:
    """Wait for all ranks, as long as the process group's timeout."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.barrier()


def on_first_rank(build: Callable[[], Any]) -> Any:
    """What `build` returns on rank 0, on every rank; it must pickle. Rank 0's error goes to all."""
    import torch.distributed as dist

    if not dist.is_initialized():
        return build()
    letter: list[Any] = [None, None]
    if dist.get_rank() == 0:
        try:
            letter = [build(), None]
        except Exception as error:
            letter = [None, error]
    dist.broadcast_object_list(letter, src=0)
    if letter[1] is not None:
        raise letter[1]
    return letter[0]


@contextmanager
def node_folder() -> Iterator[Path]:
    """A temporary folder of one path on every rank, shared by the ranks of a node."""
    folder = Path(tempfile.gettempdir()) / on_first_rank(
        lambda: f"chexone-train-{uuid.uuid4().hex}"
    )
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        yield folder
    finally:
        if ranks()[1] == 0:
            shutil.rmtree(folder, ignore_errors=True)
