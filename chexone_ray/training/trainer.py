"""The one trainer of SFT and GRPO: `transformers.Trainer` on packed rows with a pure loss.

Shape legend: T tokens of a pack, t its scored places (T - 1), about tokens 1 to T - 1.

The loss of an optimizer step is the sum over all tokens that carry a label, in all packs of all
ranks, divided by their number; HF counts them because a batch has `labels`.
"""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainingArguments

from chexone_ray.config import OptimConfig, TrainerConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.training import schedule
from chexone_ray.training.forward import Scored
from chexone_ray.training.packing import IGNORE

logger = logging.getLogger(__name__)

Batch = Mapping[str, Any]
Loss = Callable[[Tensor, Tensor | None, Mapping[str, Tensor]], tuple[Tensor, dict[str, Tensor]]]
"""(log_probs (1, t), entropy (1, t) or None, tracks name -> (1, t)) -> (loss of every token (1, t),
values of every token by name (1, t), logged as their token means). Places without a label are
masked afterwards."""
Metrics = dict[str, float]


class Batches(Protocol):
    """Consumes: whatever it reads. Produces: collated packs without end, each rank its own."""

    def __iter__(self) -> Iterator[dict[str, Any]]: ...

    def state(self) -> dict[str, Any]:
        """Where this rank stands, JSON-able: a new reader from here yields the next pack."""
        ...


def negative_log_likelihood(
    log_probs: Tensor, entropy: Tensor | None, tracks: Mapping[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of SFT; kind weights reach it through the `weight` track."""
    return -log_probs, {}


def deepspeed_config(config: TrainerConfig, optim: OptimConfig) -> dict[str, Any]:
    """DeepSpeed's settings for `config`. The optimizer is ours (torch's AdamW), on CPU and GPU."""
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": config.packs_per_step,
        "gradient_clipping": optim.max_grad_norm,
        "bf16": {"enabled": config.dtype == "bfloat16"},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": {
            "stage": config.zero_stage,
            "overlap_comm": config.use_gpu,
            # Against fragmentation of GPU memory; on a CPU only a copy of every gradient.
            "contiguous_gradients": config.use_gpu or config.zero_stage == 3,
            "reduce_bucket_size": 5e7,
            "allgather_bucket_size": 5e7,
            "round_robin_gradients": False,
            "stage3_gather_16bit_weights_on_model_save": True,
        },
        "steps_per_print": 10**9,
        "wall_clock_breakdown": False,
    }


def training_arguments(
    config: TrainerConfig, optim: OptimConfig, *, max_steps: int, seed: int, folder: Path
) -> TrainingArguments:
    """HF's settings. `folder` is local and holds checkpoints until they are uploaded."""
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=max_steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=config.packs_per_step,
        learning_rate=optim.lr,
        max_grad_norm=optim.max_grad_norm,
        seed=seed,
        bf16=config.dtype == "bfloat16",
        use_cpu=not config.use_gpu,
        deepspeed=deepspeed_config(config, optim),
        gradient_checkpointing=config.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        logging_steps=config.log_steps,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=config.save_steps,
        save_total_limit=1,
        eval_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        ignore_data_skip=True,
        average_tokens_across_devices=True,
        log_level="error",
    )


class _AfterStep(TrainerCallback):  # type: ignore[misc]
    """Calls a function after every optimizer step, on every rank."""

    def __init__(self, function: Callable[[int], None]) -> None:
        self.function = function

    def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        self.function(state.global_step)


class PackedTrainer(Trainer):  # type: ignore[misc]
    """Consumes collated packs; produces trained weights in `model`, and metric rows.

    `on_metrics(step, row)` gets one row every `log_steps` on rank 0, keys `<stage>/<name>`.
    `on_checkpoint(step, folder)` gets every local resumable checkpoint, on every rank, after the
    folder is complete on this node. `after_step(step)` runs on every rank. A loss or a
    gradient that is not finite raises, and nothing is updated.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model: Any,
        batches: Batches,
        loss: Loss,
        *,
        stage: str,
        config: TrainerConfig,
        optim: OptimConfig,
        max_steps: int,
        seed: int,
        folder: Path,
        temperature: float = 1.0,
        entropy: bool = False,
        on_metrics: Callable[[int, Metrics], None] | None = None,
        on_checkpoint: Callable[[int, Path], None] | None = None,
        after_step: Callable[[int], None] | None = None,
    ) -> None:
        schedule.freeze(model, optim)
        arguments = training_arguments(config, optim, max_steps=max_steps, seed=seed, folder=folder)
        callbacks = [_AfterStep(f) for f in (self._check_gradient, after_step) if f]
        # HF wants a dataset although `get_train_dataloader` is ours.
        super().__init__(model, arguments, train_dataset=[0], callbacks=callbacks)
        from transformers import PrinterCallback

        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = True  # makes HF count the tokens of a whole step
        self.optimizer: Any
        self.lr_scheduler: Any
        self.batches, self.token_loss, self.stage = batches, loss, stage
        self.optim_config = optim
        self.temperature, self.entropy = temperature, entropy
        self.on_metrics, self.on_checkpoint = on_metrics, on_checkpoint
        self._window = _Window()

    # --- data ------------------------------------------------------------------------------------

    def get_train_dataloader(self) -> Any:
        """Our iterable as it is: it is sharded by rank and needs no device placement."""
        return _Endless(self.batches)

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """To the device; floats keep float32 (HF would cast advantages to bfloat16)."""
        device = self.args.device
        return {k: v.to(device) if isinstance(v, Tensor) else v for k, v in inputs.items()}

    # --- loss ------------------------------------------------------------------------------------

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, **kwargs: Any
    ) -> Tensor:
        """Sum of the token losses of one pack over the tokens of the step in all ranks' packs.

        Times the number of ranks, because DeepSpeed and DDP average gradients over ranks.
        """
        step = self.state.global_step
        scored: Scored = model(
            **{name: inputs[name] for name in MODEL_INPUTS if name in inputs},
            temperature=self.temperature,
            entropy=self.entropy,
            train_vision=step >= self.optim_config.vision_freeze_steps,
        )
        mask = inputs["labels"][:, 1:] != IGNORE
        tracks = {
            name: value[:, 1:]
            for name, value in inputs.items()
            if isinstance(value, Tensor) and name not in MODEL_INPUTS
        }
        per_token, values = self.token_loss(scored.log_probs, scored.entropy, tracks)
        per_token = (per_token * tracks["weight"]).masked_fill(~mask, 0.0)
        total = per_token.sum()
        if not bool(torch.isfinite(total)):
            raise ChexoneError(
                f"{self.stage}/loss is {total.item()} at step {step}: nothing was updated; "
                f"lower optim.lr={self.optim_config.lr} or look at the samples of this step"
            )
        with torch.no_grad():
            if scored.entropy is not None:
                values = {"entropy": scored.entropy, **values}
            self._window.add(inputs, mask, scored.log_probs.detach(), per_token.detach(), values)
        return total * self.args.world_size / kwargs["num_items_in_batch"]

    def _check_gradient(self, step: int) -> None:
        """A gradient that is not finite makes DeepSpeed skip the step without a word: end there."""
        norm = float(self.model_wrapped.get_global_grad_norm())
        if not math.isfinite(norm):
            raise ChexoneError(
                f"{self.stage}/grad_norm is {norm} at step {step}: nothing was updated; "
                f"lower optim.lr={self.optim_config.lr} or look at the samples of this step"
            )

    # --- optimizer -------------------------------------------------------------------------------

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """torch's fused AdamW on groups by learning rate and decay."""
        if self.optimizer is None:
            optim = self.optim_config
            groups = schedule.parameter_groups(self.model.named_parameters(), optim)
            self.optimizer = torch.optim.AdamW(groups, lr=optim.lr, betas=optim.betas, fused=True)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The schedule of `OptimConfig`, one factor a parameter group."""
        if self.lr_scheduler is None:
            optimizer = optimizer or self.optimizer
            functions = schedule.lambdas(
                optimizer.param_groups, self.optim_config, num_training_steps
            )
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, functions)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def floating_point_ops(self, inputs: Batch) -> int:
        """Not counted: HF would walk all parameters in every step."""
        return 0

    # --- metrics and checkpoints -----------------------------------------------------------------

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """One metric row of all ranks; HF's closing summary is left out."""
        if "loss" not in logs:
            return
        row = self._window.reduce(self.stage)
        row[f"{self.stage}/lr"] = logs["learning_rate"]
        row[f"{self.stage}/grad_norm"] = logs["grad_norm"]
        self._window = _Window()
        if self.on_metrics and self.is_world_process_zero():
            self.on_metrics(self.state.global_step, row)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.on_checkpoint:
            step = self.state.global_step
            folder = Path(self.args.output_dir) / f"checkpoint-{step}"
            self.on_checkpoint(step, folder)


MODEL_INPUTS = (
    "input_ids",
    "position_ids",
    "labels",
    "lengths",
    "image_index",
    "pixel_values",
    "image_grid_thw",
)


class _Endless:
    """An iterable without a length, which HF takes for a stream."""

    def __init__(self, batches: Iterable[dict[str, Any]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.batches)


class _Window:
    """Sums over the packs of this rank since the last metric row."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.tokens = self.labels = self.samples = 0
        self.sums: dict[str, float] = defaultdict(float)
        self.kinds: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.waiting: list[tuple[list[str], list[int], Tensor, Tensor]] = []
        self.values: dict[str, list[Tensor]] = defaultdict(list)

    def add(
        self,
        inputs: Batch,
        mask: Tensor,
        log_probs: Tensor,
        per_token: Tensor,
        values: Mapping[str, Tensor],
    ) -> None:
        """Keep small tensors on the device: nothing is copied to the host before `reduce`."""
        self.tokens += inputs["input_ids"].shape[1]
        self.samples += len(inputs["lengths"])
        self.waiting.append(
            (
                inputs["kinds"],
                inputs["lengths"],
                per_document(log_probs, mask, inputs["lengths"]),
                per_document(mask.to(log_probs.dtype), mask, inputs["lengths"]),
            )
        )
        self.values["loss"].append(per_token.sum())
        for name, value in values.items():
            self.values[name].append(value.masked_fill(~mask, 0.0).sum())

    def reduce(self, stage: str) -> Metrics:
        """The row over all ranks; every rank calls it at the same step."""
        seconds = time.perf_counter() - self.start
        labels = 0.0
        for kinds, _, sums, counts in self.waiting:
            for kind, log_prob, count in zip(kinds, sums.tolist(), counts.tolist(), strict=True):
                self.kinds[kind][0] -= log_prob
                self.kinds[kind][1] += count
                labels += count
        mine = {
            "tokens": float(self.tokens),
            "samples": float(self.samples),
            "labels": labels,
            "values": {name: float(torch.stack(v).sum()) for name, v in self.values.items()},
            "kinds": dict(self.kinds),
        }
        rows: list[Any] = [mine]
        if dist.is_initialized() and dist.get_world_size() > 1:
            rows = [None] * dist.get_world_size()
            dist.all_gather_object(rows, mine)
        return merge_rows(rows, seconds, stage)


def per_document(values: Tensor, mask: Tensor, lengths: list[int]) -> Tensor:
    """Sums of (1, t) values with a label over the documents of a pack: (documents,)."""
    documents = torch.repeat_interleave(
        torch.arange(len(lengths), device=values.device),
        torch.tensor(lengths, device=values.device),
    )[1:]
    masked = values[0].masked_fill(~mask[0], 0.0)
    return masked.new_zeros(len(lengths)).index_add_(0, documents, masked)


def merge_rows(rows: list[Any], seconds: float, stage: str) -> Metrics:
    """Token means over all ranks, `<stage>/loss`, `<stage>/loss_<kind>`, and rates."""
    labels = max(1.0, sum(row["labels"] for row in rows))
    merged: Metrics = {}
    for name in rows[0]["values"]:
        merged[f"{stage}/{name}"] = sum(row["values"][name] for row in rows) / labels
    for kind in sorted({kind for row in rows for kind in row["kinds"]} - {""}):
        found = [row["kinds"][kind] for row in rows if kind in row["kinds"]]
        merged[f"{stage}/nll_{kind}"] = sum(f[0] for f in found) / max(
            1.0, sum(f[1] for f in found)
        )
    merged[f"{stage}/tokens_per_s"] = sum(row["tokens"] for row in rows) / seconds
    merged[f"{stage}/samples_per_s"] = sum(row["samples"] for row in rows) / seconds
    return merged
