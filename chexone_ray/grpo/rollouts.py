"""Prompts -> rollout groups: sampled by the pool, scored, groups that teach nothing replaced.

Legend: `_P` over prompts, `_G` over the completions of one prompt.

The order of the prompts is a seeded permutation an epoch, so a place in it is (epoch, index) and a
run resumes from two numbers. Image bytes pass through here on their way to the pool and into step
batches; the driver function itself only ever sees the `Haul`'s numbers.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from chexone_ray.config import GrpoConfig
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.grpo.advantages import population_std
from chexone_ray.records import Completion, Request, Rollout, Sample
from chexone_ray.rewards.score import Scored, score_rollouts

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

logger = logging.getLogger(__name__)


class MakesRequests(Protocol):
    """What the roller needs of `engine.requests.RequestMaker`."""

    def make(self, samples: Sequence[Sample]) -> Sequence[Request | ImageError]:
        """One request a sample, in order, or why its images cannot be used."""

    def close(self) -> None:
        """Nothing more is wanted: a call that waits raises."""


REQUEST_CACHE_BYTES = 256 * 2**20
"""Images of prepared requests kept between epochs and refills."""
FAILURE_FLOOR = 100
"""The share of failures is judged as if at least this many prompts had been asked, so that one
failure among the first few does not end a run."""
MAX_BARREN_STEPS = 10
"""Steps in a row without any group to learn from, after which the run ends."""


@dataclass(frozen=True)
class Position:
    """How far the prompts are consumed: `index` of them in epoch number `epoch`."""

    epoch: int = 0
    index: int = 0


@dataclass(frozen=True)
class RolloutGroup:
    """One prompt with all its completions and their rewards; trained on whole or not at all."""

    id: str
    sample: Sample
    prompt: str
    prompt_token_ids: tuple[int, ...]
    images: tuple[bytes, ...]
    completions: tuple[Completion, ...]
    scores: tuple[Scored, ...]

    @property
    def rewards(self) -> tuple[float, ...]:
        """Total reward of each completion."""
        return tuple(scored.total for scored in self.scores)

    @property
    def reward_std(self) -> float:
        """Population standard deviation of the rewards."""
        return population_std(self.rewards)


@dataclass
class Haul:
    """The rollouts of one step: groups to train on, groups that were dropped, and the counts."""

    wanted: int
    """Groups asked for."""
    groups: list[RolloutGroup] = field(default_factory=list)
    flat_groups: list[RolloutGroup] = field(default_factory=list)
    """Groups whose reward std is at or below `min_reward_std`."""
    failures: Counter[str] = field(default_factory=Counter)
    refills: int = 0
    rollout_s: float = 0.0
    score_s: float = 0.0

    @property
    def trained(self) -> list[RolloutGroup]:
        """The groups of the optimizer step: those that differ, or flat ones if none does."""
        return self.groups or self.flat_groups[: self.wanted]

    @property
    def num_prompts(self) -> int:
        """Prompts asked, failed ones included."""
        return len(self.groups) + len(self.flat_groups) + self.failures.total()


def take(
    num_samples: int, position: Position, count: int, seed: int
) -> tuple[list[tuple[int, int]], Position]:
    """The next `count` prompts as (epoch, sample index), and the position after them.

    Each epoch is its own permutation of `num_samples`, seeded by `seed` and the epoch alone, so any
    position is reached without replaying what came before.
    """
    if num_samples < 1:
        raise ValueError("no samples to take prompts from")
    taken: list[tuple[int, int]] = []
    epoch, index = position.epoch, position.index
    while len(taken) < count:
        order = list(range(num_samples))
        random.Random(f"{seed}/{epoch}").shuffle(order)
        part = order[index : index + count - len(taken)]
        taken += [(epoch, sample) for sample in part]
        index += len(part)
        if index >= num_samples:
            epoch, index = epoch + 1, 0
    return taken, Position(epoch, index)


def split_flat(
    groups: Sequence[RolloutGroup], min_reward_std: float
) -> tuple[list[RolloutGroup], list[RolloutGroup]]:
    """(groups whose rewards differ by more than `min_reward_std`, the others), order kept."""
    kept = [group for group in groups if group.reward_std > min_reward_std]
    flat = [group for group in groups if group.reward_std <= min_reward_std]
    return kept, flat


class RequestCache:
    """Requests of samples with their images, the least recently used dropped above `max_bytes`.

    Threads may share it; two that miss the same sample at the same time both prepare it. Samples
    whose images cannot be used are tried again when they come again.
    """

    def __init__(self, maker: MakesRequests, max_bytes: int) -> None:
        self._maker = maker
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, Request] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, samples: Sequence[Sample]) -> list[Request | ImageError]:
        """One request a sample, in order, or why its images cannot be used."""
        with self._lock:
            found: dict[str, Request | ImageError] = {
                sample.id: self._entries[sample.id]
                for sample in samples
                if sample.id in self._entries
            }
        missing = list({sample.id: sample for sample in samples if sample.id not in found}.values())
        found |= zip((sample.id for sample in missing), self._maker.make(missing), strict=True)
        with self._lock:
            for sample in samples:
                self._keep(sample.id, found[sample.id])
        return [found[sample.id] for sample in samples]

    def _keep(self, name: str, request: Request | ImageError) -> None:
        if isinstance(request, ImageError):
            return
        if name not in self._entries:
            self._entries[name] = request
            self._size += sum(map(len, request.images))
        self._entries.move_to_end(name)
        while self._size > self._max_bytes and len(self._entries) > 1:
            _, old = self._entries.popitem(last=False)
            self._size -= sum(map(len, old.images))


class Roller:
    """Turns positions in the prompt order into scored rollout groups.

    Consumes: the samples, their requests and a running engine pool. Produces: one `Haul` a step.
    Waits for: the pool, which bounds its own waits. Unblocked by: the pool's answers.
    On failure: a prompt whose image or generation failed is counted by reason and replaced; past
    `max_failure_rate` of all prompts asked it raises `ChexoneError`.
    """

    def __init__(
        self,
        config: GrpoConfig,
        samples: Sequence[Sample],
        maker: MakesRequests,
        pool: EnginePool,
    ) -> None:
        if not samples:
            raise ChexoneError(
                f"manifest_uri={config.manifest_uri} has no rows in split={config.split}: "
                "nothing to train on; check the split or the filter's rule"
            )
        self._config = config
        self._samples = samples
        self._maker = maker
        self._pool = pool
        self._requests = RequestCache(maker, REQUEST_CACHE_BYTES)
        self._background = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._num_asked = 0
        self._num_failed = 0
        self._num_barren = 0

    def collect(self, position: Position) -> tuple[Haul, Position]:
        """The rollouts of one step from `position` on, and the position after the last prompt.

        Flat groups are replaced in at most `max_refills` further rounds; then the step goes on with
        fewer. A step in which no group differs at all trains on its flat groups (their advantages
        are zero, so only the KL term acts); `MAX_BARREN_STEPS` of those in a row raise.
        """
        wanted = self._config.prompts_per_step
        haul = Haul(wanted)
        for round_ in range(1 + self._config.max_refills):
            asked, position = take(
                len(self._samples), position, wanted - len(haul.groups), self._config.seed
            )
            groups = self._roll(asked, haul)
            kept, flat = split_flat(groups, self._config.min_reward_std)
            haul.groups += kept
            haul.flat_groups += flat
            haul.refills = round_
            if len(haul.groups) == wanted:
                break
        self._check_signal(haul)
        return haul, position

    def prefetch(self, position: Position) -> None:
        """Prepare the images of the next step's prompts in the background."""
        coming, _ = take(
            len(self._samples), position, self._config.prompts_per_step, self._config.seed
        )
        self._background.submit(self._requests.get, [self._samples[i] for _, i in coming])

    def close(self) -> None:
        """Stop the thread that prepares requests, and what it waits for."""
        self._maker.close()
        self._background.shutdown(wait=False, cancel_futures=True)

    def _check_signal(self, haul: Haul) -> None:
        if haul.groups:
            self._num_barren = 0
            return
        self._num_barren += 1
        if self._num_barren >= MAX_BARREN_STEPS or not haul.flat_groups:
            raise ChexoneError(
                f"grpo: {self._num_barren} steps in a row without a group whose rewards differ by "
                f"more than min_reward_std={self._config.min_reward_std}: run the variance filter "
                "on this checkpoint, raise sampling.temperature or lower min_reward_std"
            )
        logger.warning(
            "no group of %d differs in reward: this step learns nothing", haul.num_prompts
        )

    def _roll(self, asked: Sequence[tuple[int, int]], haul: Haul) -> list[RolloutGroup]:
        """Ask the pool for one round of prompts and score what comes back; failures are counted."""
        start = time.monotonic()
        samples = [self._samples[index] for _, index in asked]
        pairs: list[tuple[Sample, Request]] = []
        failures: Counter[str] = Counter()
        for (epoch, _), sample, made in zip(
            asked, samples, self._requests.get(samples), strict=True
        ):
            if isinstance(made, ImageError):
                failures[f"image: {made.reason}"] += 1
            else:
                # The engine mixes the id into its seed: with the epoch in it, a prompt that comes
                # again is sampled anew.
                pairs.append((sample, replace(made, id=f"{sample.id}@{epoch}")))
        sampling = self._config.sampling.seeded(self._config.seed)
        rollouts = self._pool.generate([request for _, request in pairs], sampling)
        generated = time.monotonic()
        good = []
        for (sample, request), rollout in zip(pairs, rollouts, strict=True):
            if rollout.error or not rollout.completions:
                failures[f"engine: {rollout.error or 'no completion'}"] += 1
            else:
                good.append((sample, request, rollout))
        groups = self._score(good)
        haul.rollout_s += generated - start
        haul.score_s += time.monotonic() - generated
        haul.failures += failures
        self._check_failures(len(asked), failures)
        return groups

    def _score(self, good: Sequence[tuple[Sample, Request, Rollout]]) -> list[RolloutGroup]:
        """Groups with their rewards; few groups are scored in place, many on Ray tasks."""
        scores_P = score_rollouts(
            [(sample, [c.text for c in rollout.completions]) for sample, _, rollout in good],
            self._config.rewards,
        )
        return [
            RolloutGroup(
                id=request.id,
                sample=sample,
                prompt=request.prompt,
                prompt_token_ids=rollout.prompt_token_ids,
                images=request.images,
                completions=rollout.completions,
                scores=scores,
            )
            for (sample, request, rollout), scores in zip(good, scores_P, strict=True)
        ]

    def _check_failures(self, num_asked: int, failures: Counter[str]) -> None:
        self._num_asked += num_asked
        self._num_failed += failures.total()
        if failures:
            logger.warning(
                "%d of %d prompts failed: %s", failures.total(), num_asked, dict(failures)
            )
        bound = self._config.max_failure_rate * max(self._num_asked, FAILURE_FLOOR)
        if self._num_failed > bound:
            raise ChexoneError(
                f"grpo: {self._num_failed} of {self._num_asked} prompts failed "
                f"(last round: {dict(failures)}), above max_failure_rate="
                f"{self._config.max_failure_rate}"
            )
