"""Prompts -> rollout groups: what the pool sampled, scored, with groups that teach nothing replaced.

Legend: `_P` over prompts, `_G` over the completions of one prompt.

The order of the prompts is a seeded permutation an epoch, so a place in it is (epoch, index) and a
run resumes from two numbers. Image bytes pass through here on their way to the pool and into step
batches; the driver function itself only ever sees the `Haul`'s numbers.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chexone_ray import images, prompts
from chexone_ray.config import GrpoConfig
from chexone_ray.data.stream import load_images
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.grpo.advantages import population_std
from chexone_ray.records import Completion, Request, Rollout, Sample
from chexone_ray.rewards.score import Scored, score

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from chexone_ray.engine.pool import EnginePool

logger = logging.getLogger(__name__)

IMAGE_CACHE_BYTES = 256 * 2**20
"""Prepared images kept between epochs and refills."""
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

    groups: list[RolloutGroup] = field(default_factory=list)
    flat_groups: list[RolloutGroup] = field(default_factory=list)
    """Groups whose reward std is at or below `min_reward_std`."""
    failures: Counter[str] = field(default_factory=Counter)
    refills: int = 0
    rollout_s: float = 0.0
    score_s: float = 0.0

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


class ImageCache:
    """Prepared PNG bytes of samples, the least recently used dropped above `max_bytes`."""

    def __init__(self, load: Callable[[Sample], tuple[bytes, ...]], max_bytes: int) -> None:
        self._load = load
        self._max_bytes = max_bytes
        self._entries: OrderedDict[tuple[str, ...], tuple[bytes, ...]] = OrderedDict()
        self._size = 0

    def get(self, sample: Sample) -> tuple[bytes, ...]:
        """The images of `sample`, from the cache or loaded. Raises what the loader raises."""
        key = tuple(image.uri for image in sample.images)
        if key in self._entries:
            self._entries.move_to_end(key)
            return self._entries[key]
        pngs = self._load(sample)
        self._entries[key] = pngs
        self._size += sum(map(len, pngs))
        while self._size > self._max_bytes and len(self._entries) > 1:
            _, old = self._entries.popitem(last=False)
            self._size -= sum(map(len, old))
        return pngs


class Roller:
    """Turns positions in the prompt order into scored rollout groups.

    Consumes: the samples, the tokenizer and a running engine pool. Produces: one `Haul` a step.
    Waits for: the pool, which bounds its own waits. Unblocked by: the pool's answers.
    On failure: a prompt whose image or generation failed is counted by reason and replaced; past
    `max_failure_rate` of all prompts asked it raises `ChexoneError`.
    """

    def __init__(
        self,
        config: GrpoConfig,
        samples: Sequence[Sample],
        tokenizer: PreTrainedTokenizerBase,
        pool: EnginePool,
    ) -> None:
        if not samples:
            raise ChexoneError(
                f"manifest_uri={config.manifest_uri} has no rows in split={config.split}: "
                "nothing to train on; check the split or the filter's rule"
            )
        self._config = config
        self._samples = samples
        self._tokenizer = tokenizer
        self._pool = pool
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="images")
        self._images = ImageCache(self._load, IMAGE_CACHE_BYTES)
        self._num_asked = 0
        self._num_failed = 0
        self._num_barren = 0

    def collect(self, position: Position) -> tuple[Haul, Position]:
        """The rollouts of one step, from `position` on, and the position after the last prompt used.

        Flat groups are replaced in at most `max_refills` further rounds; then the step goes on with
        fewer. A step in which no group differs at all trains on its flat groups (their advantages
        are zero, so only the KL term acts); `MAX_BARREN_STEPS` of those in a row raise.
        """
        haul = Haul()
        wanted = self._config.prompts_per_step
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

    def close(self) -> None:
        """Stop the image threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

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
        logger.warning("no group of %d differs in reward: this step learns nothing", haul.num_prompts)

    def _roll(self, asked: Sequence[tuple[int, int]], haul: Haul) -> list[RolloutGroup]:
        """Ask the pool for one round of prompts and score what comes back; failures are counted."""
        start = time.monotonic()
        prepared = self._threads.map(self._request, asked)
        requests = {r.id: (s, r) for s, r in prepared if isinstance(r, Request)}
        failures = Counter(["image"] * (len(asked) - len(requests)))
        rollouts = self._pool.generate([r for _, r in requests.values()], self._config.sampling)
        generated = time.monotonic()
        groups = []
        for rollout in rollouts:
            if rollout.error or not rollout.completions:
                failures["generation"] += 1
                logger.warning("a prompt failed in the engine: %s", rollout.error)
                continue
            groups.append(self._group(*requests[rollout.request_id], rollout))
        haul.rollout_s += generated - start
        haul.score_s += time.monotonic() - generated
        haul.failures += failures
        self._check_failures(len(asked), failures)
        return groups

    def _request(self, place: tuple[int, int]) -> tuple[Sample, Request | None]:
        """The request of one prompt, or None where its images cannot be used."""
        epoch, index = place
        sample = self._samples[index]
        try:
            pngs = self._images.get(sample)
        except ImageError as error:
            logger.warning("an image of a prompt cannot be used: %s", error.reason)
            return sample, None
        turns = prompts.messages(sample.question, len(pngs), sample.mode, self._config.prompts)
        text = prompts.render(self._tokenizer, turns)
        # The epoch is part of the id because the engine mixes the id into its sampling seed.
        return sample, Request(f"{sample.id}@{epoch}", text, pngs)

    def _load(self, sample: Sample) -> tuple[bytes, ...]:
        return tuple(images.to_png(pixels) for pixels in load_images(sample, self._config.images))

    def _group(self, sample: Sample, request: Request, rollout: Rollout) -> RolloutGroup:
        weights = self._config.rewards
        scores = tuple(score(c.text, sample, weights) for c in rollout.completions)
        return RolloutGroup(
            id=request.id,
            sample=sample,
            prompt=request.prompt,
            prompt_token_ids=rollout.prompt_token_ids,
            images=request.images,
            completions=rollout.completions,
            scores=scores,
        )

    def _check_failures(self, num_asked: int, failures: Counter[str]) -> None:
        self._num_asked += num_asked
        self._num_failed += failures.total()
        bound = self._config.max_failure_rate * max(self._num_asked, FAILURE_FLOOR)
        if self._num_failed > bound:
            raise ChexoneError(
                f"grpo: {self._num_failed} of {self._num_asked} prompts failed "
                f"(last round: {dict(failures)}), above max_failure_rate="
                f"{self._config.max_failure_rate}: see the warnings above for the reasons"
            )
