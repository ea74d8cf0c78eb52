"""Rollout groups -> what each training worker gets for one optimizer step. Pure, no tensors.

A worker trains on exactly `packs_per_step` packs a step (an empty pack is legal), so the rows are
balanced over ranks and packs by their number of tokens. Rows of one group are kept side by side,
because rows of a pack that show the same image share one pass through the vision tower.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

from chexone_ray.errors import ChexoneError
from chexone_ray.grpo.rollouts import Position, RolloutGroup

Row = TypeVar("Row")


@dataclass(frozen=True)
class PromptRow:
    """One prompt as the engine used it; `token_ids` are expanded, `images` are PNG bytes."""

    id: str
    text: str
    token_ids: tuple[int, ...]
    images: tuple[bytes, ...]


@dataclass(frozen=True)
class TrainRow:
    """One completion to train on. `prompt` is an index into `StepBatch.prompts`."""

    prompt: int
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """The engine's log-prob of each token, under the distribution that it sampled from."""
    advantage: float


@dataclass(frozen=True)
class StepBatch:
    """All rows of one rank for one optimizer step, in packs."""

    step: int
    position: Position
    """How far the prompts are consumed after this step; a checkpoint keeps it."""
    prompts: tuple[PromptRow, ...]
    packs: tuple[tuple[TrainRow, ...], ...]


@dataclass(frozen=True)
class PackCounts:
    """What packing did: trained tokens over all ranks, and what had to be left out."""

    num_train_tokens: int
    num_tokens: int
    fill: float
    """Tokens over the room of all packs."""
    num_groups_without_room: int


def step_batches(
    step: int,
    position: Position,
    groups: Sequence[RolloutGroup],
    advantages_P_G: Sequence[Sequence[float]],
    *,
    num_ranks: int,
    packs_per_rank: int,
    pack_tokens: int,
) -> tuple[list[StepBatch], PackCounts]:
    """One `StepBatch` a rank; ranks and packs are balanced to within about one row.

    Whole groups are left out, last first, where not all fit (groups are never trained in part).
    Raises `ChexoneError` where not a single group fits, or no completion has a token.
    """
    rows_P = [
        _rows(prompt, group, advantages)
        for prompt, (group, advantages) in enumerate(zip(groups, advantages_P_G, strict=True))
    ]
    if not any(rows_P):
        raise ChexoneError(
            f"grpo: all completions of step {step} are empty, so there is nothing to train on: "
            "look at what the checkpoint of model_uri answers (`chexone predict`)"
        )
    num_packs = num_ranks * packs_per_rank
    for num_groups in range(len(groups), 0, -1):
        used = [row for rows in rows_P[:num_groups] for row in rows]
        lengths = [_length(row, groups) for row in used]
        packs = fill_packs(used, lengths, num_packs, pack_tokens)
        if used and packs is not None:
            break
    else:
        raise ChexoneError(
            f"grpo: no group fits into {num_packs} packs of trainer.pack_tokens={pack_tokens}: "
            "raise trainer.pack_tokens or trainer.packs_per_step, or lower sampling.max_tokens"
        )
    tokens = sum(lengths)
    counts = PackCounts(
        num_train_tokens=sum(len(row.token_ids) for row in used),
        num_tokens=tokens,
        fill=tokens / (num_packs * pack_tokens),
        num_groups_without_room=len(groups) - num_groups,
    )
    share = packs_per_rank
    batches = [
        _batch(step, position, groups, packs[rank * share : (rank + 1) * share])
        for rank in range(num_ranks)
    ]
    return batches, counts


def fill_packs(
    rows: Sequence[Row], lengths: Sequence[int], num_packs: int, pack_tokens: int
) -> list[list[Row]] | None:
    """Rows of `lengths` tokens -> exactly `num_packs` packs of about equal length, or None.

    None where there is no room. Order is kept, so that neighbours share images: the cuts lie where
    the running total is nearest to an equal share. Where a pack would then pass `pack_tokens`, the
    longest row goes to the emptiest pack first instead.
    """
    ends = list(accumulate(lengths, initial=0))
    cuts = [0]
    for number in range(1, num_packs):
        share = ends[-1] * number / num_packs
        cuts.append(min(range(cuts[-1], len(ends)), key=lambda i: abs(ends[i] - share)))
    cuts.append(len(rows))
    if all(ends[b] - ends[a] <= pack_tokens for a, b in pairwise(cuts)):
        return [list(rows[a:b]) for a, b in pairwise(cuts)]
    packs: list[list[Row]] = [[] for _ in range(num_packs)]
    heap = [(0, index) for index in range(num_packs)]
    for length, row in sorted(zip(lengths, rows, strict=True), key=lambda item: -item[0]):
        load, index = heapq.heappop(heap)
        if load + length > pack_tokens:
            return None
        packs[index].append(row)
        heapq.heappush(heap, (load + length, index))
    return packs


def _rows(prompt: int, group: RolloutGroup, advantages_G: Sequence[float]) -> list[TrainRow]:
    """A row for each completion with a token; the engine may have cut one down to none."""
    return [
        TrainRow(prompt, completion.token_ids, completion.logprobs, advantage)
        for completion, advantage in zip(group.completions, advantages_G, strict=True)
        if completion.token_ids
    ]


def _length(row: TrainRow, groups: Sequence[RolloutGroup]) -> int:
    return len(groups[row.prompt].prompt_token_ids) + len(row.token_ids)


def _batch(
    step: int,
    position: Position,
    groups: Sequence[RolloutGroup],
    packs: Sequence[Sequence[TrainRow]],
) -> StepBatch:
    """The batch of one rank, with only the prompts that its rows use."""
    used = sorted({row.prompt for pack in packs for row in pack})
    index = {prompt: position for position, prompt in enumerate(used)}
    return StepBatch(
        step=step,
        position=position,
        prompts=tuple(
            PromptRow(
                groups[prompt].id,
                groups[prompt].prompt,
                groups[prompt].prompt_token_ids,
                groups[prompt].images,
            )
            for prompt in used
        ),
        packs=tuple(
            tuple(
                TrainRow(index[row.prompt], row.token_ids, row.logprobs, row.advantage)
                for row in pack
            )
            for pack in packs
        ),
    )
