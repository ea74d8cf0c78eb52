"""Prompt order, refilling and failure counting, with a scripted pool and real rewards."""

from collections.abc import Sequence

import pytest

from chexone_ray.config import GrpoConfig, SamplingConfig
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.grpo.rollouts import (
    MAX_BARREN_STEPS,
    Position,
    RequestCache,
    Roller,
    take,
)
from chexone_ray.records import Completion, ImageRef, Request, Rollout, Sample

RIGHT, WRONG = "The sinus is blunt. \\boxed{yes}", "The sinus is sharp. \\boxed{no}"


def sample(number: int, uri: str = "film") -> Sample:
    return Sample(
        id=f"s{number}",
        dataset="phantom",
        task="Close-Ended VQA",
        kind="presence",
        split="train",
        patient=f"p{number}",
        study=f"t{number}",
        images=(ImageRef(uri),),
        question="Is there a pleural effusion?",
        answer="yes",
    )


class Maker:
    """Requests without a model; an image called "bad" cannot be used."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def make(self, samples: Sequence[Sample]) -> list[Request | ImageError]:
        self.made += [sample.id for sample in samples]
        return [
            ImageError("truncated", "ends early")
            if sample.images[0].uri == "bad"
            else Request(sample.id, sample.question, (b"x" * 40,))
            for sample in samples
        ]


class ScriptedPool:
    """Answers each prompt by its sample's name: "mixed", "same" or "broken"."""

    def __init__(self, behaviour: dict[str, str]) -> None:
        self.behaviour = behaviour
        self.asked: list[str] = []
        self.seeds: list[int | None] = []

    def generate(self, requests: Sequence[Request], sampling: SamplingConfig) -> list[Rollout]:
        self.seeds.append(sampling.seed)
        return [self._answer(request, sampling.n) for request in requests]

    def _answer(self, request: Request, n: int) -> Rollout:
        self.asked.append(request.id)
        how = self.behaviour.get(request.id.split("@")[0], "mixed")
        if how == "broken":
            return Rollout(request.id, (), (), "engine lost")
        texts = [RIGHT] * n if how == "same" else [RIGHT, WRONG] * (n // 2)
        completions = tuple(Completion(text, (5, 6), (-0.1, -0.2), "stop", 0) for text in texts)
        return Rollout(request.id, (1, 2, 3), completions)


def roller(pool: ScriptedPool, num: int, **changes: object) -> Roller:
    values: dict[str, object] = {
        "output_uri": "out",
        "model_uri": "model",
        "manifest_uri": "manifest",
        "prompts_per_step": 3,
        "max_refills": 2,
        "sampling": SamplingConfig(n=4, temperature=1.0),
    }
    config = GrpoConfig(**(values | changes))  # type: ignore[arg-type]
    samples = [sample(number) for number in range(num)]
    return Roller(config, samples, Maker(), pool)  # type: ignore[arg-type]


def test_take_is_a_permutation_an_epoch_and_needs_no_replay() -> None:
    first, middle = take(5, Position(), 3, seed=7)
    rest, end = take(5, middle, 4, seed=7)
    assert (middle, end) == (Position(0, 3), Position(1, 2))
    whole, _ = take(5, Position(), 7, seed=7)
    assert whole == first + rest
    assert sorted(index for epoch, index in whole if epoch == 0) == [0, 1, 2, 3, 4]
    assert [epoch for epoch, _ in whole] == [0] * 5 + [1] * 2
    assert take(50, Position(), 50, seed=7)[0] != take(50, Position(), 50, seed=8)[0]


def test_take_wraps_exactly_at_the_end() -> None:
    assert take(3, Position(0, 0), 3, seed=0)[1] == Position(1, 0)
    assert len(take(2, Position(), 5, seed=0)[0]) == 5


def test_groups_come_scored_with_their_prompt_ids() -> None:
    haul, position = roller(ScriptedPool({}), 8).collect(Position())
    assert position == Position(0, 3)
    assert len(haul.groups) == 3 and not haul.flat_groups and haul.refills == 0
    group = haul.groups[0]
    assert group.prompt_token_ids == (1, 2, 3)
    right, wrong = group.scores[:2]
    assert right.total > wrong.total
    assert group.rewards == (right.total, wrong.total) * 2
    assert group.reward_std == pytest.approx((right.total - wrong.total) / 2)


def test_flat_groups_are_replaced_by_the_next_prompts() -> None:
    order = [f"s{index}" for _, index in take(8, Position(), 8, seed=0)[0]]
    pool = ScriptedPool({order[0]: "same", order[2]: "same", order[3]: "same"})
    haul, position = roller(pool, 8).collect(Position())
    # round 0 keeps order[1]; round 1 asks 3 and 4 and keeps 4; round 2 asks 5
    assert [group.sample.id for group in haul.groups] == [order[1], order[4], order[5]]
    assert [group.sample.id for group in haul.flat_groups] == [order[0], order[2], order[3]]
    assert (haul.refills, position) == (2, Position(0, 6))


def test_refills_are_bounded() -> None:
    order = [f"s{index}" for _, index in take(20, Position(), 20, seed=0)[0]]
    pool = ScriptedPool(dict.fromkeys(order[1:], "same"))
    haul, position = roller(pool, 20).collect(Position())
    assert len(haul.groups) == 1
    assert (haul.refills, position) == (2, Position(0, 3 + 2 + 2))


def test_threshold_on_the_std() -> None:
    assert (
        roller(ScriptedPool({}), 8, min_reward_std=0.99, max_refills=0)
        .collect(Position())[0]
        .groups
        == []
    )


def test_barren_steps_end_the_run() -> None:
    pool = ScriptedPool({f"s{n}": "same" for n in range(5)})
    barren = roller(pool, 5, max_refills=0)
    for _ in range(MAX_BARREN_STEPS - 1):
        assert len(barren.collect(Position())[0].flat_groups) == 3
    with pytest.raises(ChexoneError, match="run the variance filter"):
        barren.collect(Position())


def test_failures_are_counted_and_bounded() -> None:
    order = [f"s{index}" for _, index in take(9, Position(), 9, seed=0)[0]]
    pool = ScriptedPool({order[0]: "broken"})
    haul, _ = roller(pool, 9).collect(Position())
    assert haul.failures == {"engine: engine lost": 1}
    assert len(haul.groups) == 3 and haul.num_prompts == 4
    with pytest.raises(ChexoneError, match="1 of 3 prompts failed"):
        roller(ScriptedPool({order[0]: "broken"}), 9, max_failure_rate=0.0).collect(Position())


def test_an_unusable_image_is_a_failed_prompt() -> None:
    one = roller(ScriptedPool({}), 1, max_failure_rate=0.5)
    one._samples = [sample(0, "bad"), sample(1)]
    haul, _ = one.collect(Position())
    assert haul.failures["image: truncated"] >= 1
    assert {group.sample.id for group in haul.groups} == {"s1"}


def test_a_prompt_that_comes_again_is_sampled_anew() -> None:
    pool = ScriptedPool({})
    roller(pool, 2, prompts_per_step=4, seed=7).collect(Position())
    # One seed, that of the stage; the engine mixes the id into it, which differs by epoch.
    assert pool.seeds == [7]
    assert len(set(pool.asked)) == 4


def test_request_cache_drops_the_oldest_and_keeps_no_failure() -> None:
    maker = Maker()
    cache = RequestCache(maker, max_bytes=100)
    for number in (0, 1, 0, 2, 0, 1):
        cache.get([sample(number)])
    # 2 pushes out 1, which was used longest ago
    assert maker.made == ["s0", "s1", "s2", "s1"]
    maker.made.clear()
    bad = sample(7, "bad")
    found = cache.get([bad, sample(1), bad])
    assert [isinstance(made, ImageError) for made in found] == [True, False, True]
    cache.get([bad])
    assert maker.made == ["s7", "s7"]


def test_the_end_of_a_run_ends_what_it_prepares() -> None:
    subject = roller(ScriptedPool({}), 8)
    subject.prefetch(Position())
    subject.close()
    assert subject._maker.closed  # type: ignore[attr-defined]
