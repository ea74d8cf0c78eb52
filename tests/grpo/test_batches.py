"""Packing of rollout groups for the ranks: sizes worked out by hand."""

import pytest

from chexone_ray.errors import ChexoneError
from chexone_ray.grpo.batches import fill_packs, step_batches
from chexone_ray.grpo.rollouts import Position, RolloutGroup
from chexone_ray.records import Completion
from chexone_ray.rewards.score import Scored
from tests.samples import sample

SAMPLE = sample("presence", "yes")


def group(name: str, prompt: int, *lengths: int, first: int = 10) -> RolloutGroup:
    completions = tuple(
        Completion("", tuple(range(first, first + n)), (-0.5,) * n, "stop", 0) for n in lengths
    )
    return RolloutGroup(
        id=name,
        sample=SAMPLE,
        prompt=name,
        prompt_token_ids=(7,) * prompt,
        images=(name.encode(),),
        completions=completions,
        scores=tuple(Scored(0.0, {}) for _ in lengths),
    )


def test_cuts_at_equal_shares_and_keeps_the_order() -> None:
    assert fill_packs(list("abcdef"), [2, 2, 2, 2, 2, 2], 3, 4) == [
        ["a", "b"],
        ["c", "d"],
        ["e", "f"],
    ]
    assert fill_packs(list("abc"), [6, 1, 5], 2, 10) == [["a"], ["b", "c"]]


def test_tight_packs_are_filled_longest_first() -> None:
    # in order the best cut leaves 8 + 6
    packs = fill_packs(list("abcd"), [4, 4, 3, 3], 2, 7)
    assert packs is not None
    assert sorted(map(sorted, packs)) == [["a", "c"], ["b", "d"]]
    assert fill_packs(list("ab"), [9, 1], 2, 8) is None


def test_fewer_rows_than_packs_leaves_empty_packs() -> None:
    packs = fill_packs(["a"], [3], 3, 8)
    assert packs is not None
    assert sorted(packs) == [[], [], ["a"]]
    assert fill_packs([], [], 2, 8) == [[], []]


def test_every_row_lands_once_with_its_prompt_and_numbers() -> None:
    groups = [group("a", 4, 3, 3), group("b", 5, 2, 4)]
    batches, counts = step_batches(
        3,
        Position(1, 4),
        groups,
        [[0.5, -0.5], [1.0, -1.0]],
        num_ranks=2,
        packs_per_rank=2,
        pack_tokens=9,
    )
    assert [batch.step for batch in batches] == [3, 3]
    assert batches[0].position == Position(1, 4)
    assert [len(batch.packs) for batch in batches] == [2, 2]
    seen = [
        (batch.prompts[row.prompt].id, len(row.token_ids), row.advantage)
        for batch in batches
        for pack in batch.packs
        for row in pack
    ]
    assert seen == [("a", 3, 0.5), ("a", 3, -0.5), ("b", 2, 1.0), ("b", 4, -1.0)]
    assert [[prompt.id for prompt in batch.prompts] for batch in batches] == [["a"], ["b"]]
    assert counts.num_train_tokens == 12
    assert counts.num_tokens == 7 + 7 + 7 + 9
    assert counts.fill == pytest.approx(30 / 36)
    assert counts.num_groups_without_room == 0


def test_whole_groups_are_left_out_where_there_is_no_room() -> None:
    groups = [group("a", 4, 3, 3), group("b", 5, 2, 4)]
    batches, counts = step_batches(
        1, Position(), groups, [[1, -1], [1, -1]], num_ranks=1, packs_per_rank=2, pack_tokens=9
    )
    assert counts.num_groups_without_room == 1
    assert [prompt.id for prompt in batches[0].prompts] == ["a"]
    with pytest.raises(ChexoneError, match=r"trainer\.pack_tokens=6"):
        step_batches(
            1, Position(), groups, [[1, -1], [1, -1]], num_ranks=1, packs_per_rank=2, pack_tokens=6
        )


def test_a_completion_without_tokens_makes_no_row() -> None:
    batches, counts = step_batches(
        1,
        Position(0, 2),
        [group("a", 2, 5, 0), group("b", 2, 0)],
        [[1.0, -1.0], [0.0]],
        num_ranks=1,
        packs_per_rank=1,
        pack_tokens=99,
    )
    (pack,) = batches[0].packs
    assert [row.token_ids for row in pack] == [(10, 11, 12, 13, 14)]
    assert [prompt.id for prompt in batches[0].prompts] == ["a"]
    assert counts.num_train_tokens == 5


def test_a_step_of_empty_completions_is_told() -> None:
    with pytest.raises(ChexoneError, match="all completions of step 3 are empty"):
        step_batches(
            3,
            Position(),
            [group("a", 2, 0, 0), group("b", 2, 0)],
            [[1.0, -1.0], [0.0]],
            num_ranks=2,
            packs_per_rank=1,
            pack_tokens=99,
        )
