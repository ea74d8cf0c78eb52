"""The training side of GRPO: what every Ray Train worker runs. Torch is imported in here.

The reader of step batches is also where a worker meets the driver: before it asks for the batch of
the next step it hands in the weights and metrics of the last one. HF's trainer asks exactly once an
optimizer step, and after everything that belongs to the step before is done.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from chexone_ray import checkpoints, images
from chexone_ray.config import GrpoConfig
from chexone_ray.engine.transfer import pack_state
from chexone_ray.errors import ChexoneError
from chexone_ray.grpo.batches import PromptRow, StepBatch
from chexone_ray.grpo.ledger import TrainerReport
from chexone_ray.grpo.losses import grpo_loss
from chexone_ray.grpo.rollouts import Position
from chexone_ray.grpo.weights import parts, trainable_weights
from chexone_ray.training import checkpoint
from chexone_ray.training.launch import Mailbox
from chexone_ray.training.packing import Document, Pack, VisionLayout, collate, from_ids, prompt_ids

logger = logging.getLogger(__name__)

STAGE = "grpo"
POLL_S = 20.0
CALL_S = 60.0
"""Longest a call to the ledger may take beyond what it waits for."""


def loop(settings: dict[str, Any], mailbox: Mailbox) -> str:
    """The training loop of one worker; returns the model URI, or "" where the driver gave up.

    `settings` holds `config`, `run` (see `driver.identity`) and the `ledger` handle.
    """
    from transformers import AutoProcessor

    from chexone_ray.training import forward
    from chexone_ray.training.trainer import PackedTrainer

    config: GrpoConfig = settings["config"]
    folder = checkpoints.model_folder(config.model_uri)
    processor = AutoProcessor.from_pretrained(folder)
    load = partial(
        forward.load_model, dtype=config.trainer.dtype, attention=config.trainer.attention
    )
    model = load(folder)
    state = checkpoint.newest_state(config.output_uri, settings["run"])
    local, positions = checkpoint.fetch_state(state[1]) if state else (None, [])
    batches = StepBatches(
        config,
        processor,
        settings["ledger"],
        Reference(load(folder), config) if config.beta > 0 else None,
        step=state[0] if state else 0,
        position=Position(**positions[0]) if positions else Position(),
    )

    with checkpoint.node_folder() as scratch:
        trainer = PackedTrainer(
            model,
            batches,
            token_loss(config),
            stage=STAGE,
            config=config.trainer.model_copy(update={"log_steps": 1}),
            optim=config.optim,
            max_steps=config.steps,
            seed=config.seed,
            folder=scratch,
            temperature=config.sampling.temperature,
            on_metrics=batches.note_metrics,
            on_checkpoint=checkpoint.publisher(
                config, settings["run"], batches.state, config.steps
            ),
        )
        batches.model = trainer.model
        trainer.train(resume_from_checkpoint=None if local is None else str(local))
        if batches.ended:
            return ""
        batches.report(config.steps)
        return checkpoint.save_model(
            trainer,
            processor,
            config.output_uri,
            prompts=config.prompts,
            images=config.images,
            info={"stage": STAGE, "run": settings["run"], "steps": config.steps},
        )


def token_loss(config: GrpoConfig) -> Any:
    """The GRPO loss in the form that `PackedTrainer` takes."""

    def loss(log_probs: Any, entropy: Any, tracks: Mapping[str, Any]) -> Any:
        return grpo_loss(
            log_probs,
            tracks["advantages"],
            tracks["behaviour"],
            behaviour_cap=config.behaviour_cap,
            beta=config.beta,
            reference=tracks.get("reference"),
        )

    return loss


class Reference:
    """A frozen copy of the start checkpoint that scores the tokens of a pack."""

    def __init__(self, model: Any, config: GrpoConfig) -> None:
        from chexone_ray.training.trainer import MODEL_INPUTS

        self._model = model.requires_grad_(False).eval().to(_device(config))
        self._inputs = MODEL_INPUTS
        self._temperature = config.sampling.temperature

    def score(self, batch: Mapping[str, Any]) -> Any:
        """Log-probabilities of the labels, (1, T) like the pack's tracks, 0 off labels."""
        import torch

        device = self._model.device
        inputs = {
            name: value.to(device) if isinstance(value, torch.Tensor) else value
            for name, value in batch.items()
            if name in self._inputs
        }
        with torch.no_grad():
            scored = self._model(**inputs, temperature=self._temperature)
        return torch.nn.functional.pad(scored.log_probs, (1, 0))


class StepBatches:
    """The packs of this rank, exactly `packs_per_step` a step.

    Consumes: step batches from the ledger, metric rows of the trainer on rank 0. Produces: collated
    packs; on rank 0 a `TrainerReport` before each step. Waits for: the driver, at most
    `step_timeout_s` a step. Unblocked by: `Ledger.put_batches` and `Ledger.close`.
    On failure: raises, so that Ray Train restarts the group from its last checkpoint; when the
    driver closed the ledger the packs end and `ended` holds the reason.
    """

    def __init__(
        self,
        config: GrpoConfig,
        processor: Any,
        ledger: Any,
        reference: Reference | None,
        *,
        step: int,
        position: Position,
    ) -> None:
        self.model: Any = None
        self.ended = ""
        self._config = config
        self._processor = processor
        self._layout = VisionLayout.of(processor)
        self._ledger = ledger
        self._reference = reference
        self._rank = checkpoint.ranks()[0]
        self._start = self._step = step
        self._position = position
        self._metrics: Mapping[str, float] = {}

    def state(self) -> dict[str, Any]:
        """The position in the prompts after the step that was taken last."""
        return {"epoch": self._position.epoch, "index": self._position.index}

    def note_metrics(self, step: int, row: Mapping[str, float]) -> None:
        """Keep the trainer's row of this step for the next report."""
        self._metrics = row

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Packs, step after step, until the driver ends the run."""
        while True:
            self.report(self._step)
            batch = self._take(self._step + 1)
            if batch is None:
                return
            self._step, self._position = batch.step, batch.position
            for pack in packs(batch, self._processor, self._layout):
                yield self._collate(pack)

    def report(self, step: int) -> None:
        """Hand the weights after `step` to the driver. Every rank calls it at the same step."""
        import ray

        started = step == self._start
        # At step 0 the engines hold these weights: they have loaded the same checkpoint.
        state = (
            trainable_weights(self.model, self._config.trainer.zero_stage, self._rank == 0)
            if step
            else {}
        )
        if self._rank == 0:
            weights = tuple(ray.put(pack_state(part)) for part in parts(state))
            report = TrainerReport(step, self._position, weights, dict(self._metrics), started)
            ray.get(self._ledger.put_report.remote(report), timeout=CALL_S)
        if started:
            # Only now are the batches of an earlier worker group gone from the ledger.
            checkpoint.barrier()

    def _take(self, step: int) -> StepBatch | None:
        import ray

        begin = time.monotonic()
        while True:
            answer = ray.get(
                self._ledger.take_batch.remote(step, self._rank, POLL_S), timeout=POLL_S + CALL_S
            )
            if isinstance(answer, str):
                self.ended = answer
                return None
            if answer:
                batch: StepBatch = ray.get(answer[0], timeout=self._config.step_timeout_s)
                return batch
            waited = time.monotonic() - begin
            logger.info(
                "rank %d waits for the rollouts of step %d: %.0f s", self._rank, step, waited
            )
            if waited > self._config.step_timeout_s:
                raise ChexoneError(
                    f"no rollouts for step {step} within step_timeout_s="
                    f"{self._config.step_timeout_s:g}: look at the engines' log or raise it"
                )

    def _collate(self, pack: Pack) -> dict[str, Any]:
        """Tensors of a pack, with the reference's log-probs as one more track."""
        tensors = collate(pack, self._layout)
        if self._reference is not None:
            tensors["reference"] = self._reference.score(tensors)
        return tensors


def packs(batch: StepBatch, processor: Any, layout: VisionLayout) -> Iterator[Pack]:
    """The packs of a batch with tracks `advantages` and `behaviour`, in order.

    A pack without rows holds one document without a label: every rank runs as many packs. Raises
    ChexoneError where trainer and engine disagree on a prompt's ids.
    """
    prompts = [_Prompt(row, processor) for row in batch.prompts]
    for rows in batch.packs:
        documents = tuple(
            from_ids(
                layout,
                prompts[row.prompt].token_ids,
                row.token_ids,
                images=prompts[row.prompt].images,
                keys=prompts[row.prompt].keys,
                tracks={"advantages": row.advantage, "behaviour": row.logprobs},
            )
            for row in rows
        )
        yield Pack(documents or (_filler(processor, layout),))


def _filler(processor: Any, layout: VisionLayout) -> Document:
    token = int(processor.tokenizer.eos_token_id)
    tracks = {"advantages": 0.0, "behaviour": 0.0}
    return from_ids(layout, [token], [token], tracks=tracks, weight=0.0)


class _Prompt:
    """A prompt as the trainer sees it: expanded ids, pixels, and keys that are equal for equal
    images. Raises where the engine used other ids, since its log-probs would belong to another
    text."""

    def __init__(self, row: PromptRow, processor: Any) -> None:
        self.images = tuple(images.from_png(png) for png in row.images)
        self.keys = tuple(hashlib.blake2b(png, digest_size=16).hexdigest() for png in row.images)
        self.token_ids = prompt_ids(processor, row.text, self.images)
        if tuple(self.token_ids) != tuple(row.token_ids):
            raise ChexoneError(
                f"trainer and engine disagree on a prompt: {len(self.token_ids)} and "
                f"{len(row.token_ids)} token ids; use one tokenizer, processor and max_pixels"
            )


def _device(config: GrpoConfig) -> Any:
    if not config.trainer.use_gpu:
        return "cpu"
    from ray.train.torch import get_device

    return get_device()
