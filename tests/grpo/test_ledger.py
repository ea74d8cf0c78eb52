"""The ledger's own logic, run on an event loop without Ray (references are opaque to it)."""

import asyncio
from typing import Any

from chexone_ray.grpo.ledger import Ledger, TrainerReport
from chexone_ray.grpo.rollouts import Position


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def test_each_rank_gets_its_own_batch_when_it_comes() -> None:
    async def scenario() -> Any:
        ledger = Ledger()
        waiting = [asyncio.create_task(ledger.take_batch(1, rank, 5.0)) for rank in (0, 1)]
        await asyncio.sleep(0)
        await ledger.put_batches(1, ["first", "second"])  # type: ignore[list-item]
        return [await task for task in waiting]

    assert run(scenario()) == [["first"], ["second"]]


def test_waits_end() -> None:
    async def scenario() -> Any:
        ledger = Ledger()
        await ledger.put_batches(1, ["first"])  # type: ignore[list-item]
        return await ledger.take_batch(2, 0, 0.01), await ledger.take_report(0.01)

    assert run(scenario()) == (None, None)


def test_reports_come_in_order() -> None:
    async def scenario() -> Any:
        ledger = Ledger()
        waiting = asyncio.create_task(ledger.take_report(5.0))
        await asyncio.sleep(0)
        await ledger.put_report(TrainerReport(1, Position(), ()))
        await ledger.put_report(TrainerReport(2, Position(), ()))
        return (await waiting).step, (await ledger.take_report(1.0)).step  # type: ignore[union-attr]

    assert run(scenario()) == (1, 2)


def test_a_restart_voids_the_batches_of_the_old_group() -> None:
    async def scenario() -> Any:
        ledger = Ledger()
        await ledger.put_batches(3, ["old"])  # type: ignore[list-item]
        await ledger.put_report(TrainerReport(2, Position(), (), started=True))
        return await ledger.take_batch(3, 0, 0.01)

    assert run(scenario()) is None


def test_close_unblocks_with_the_reason() -> None:
    async def scenario() -> Any:
        ledger = Ledger()
        waiting = asyncio.create_task(ledger.take_batch(1, 0, 5.0))
        await asyncio.sleep(0)
        await ledger.close("enough")
        return await waiting, await ledger.take_batch(9, 0, 5.0)

    assert run(scenario()) == ("enough", "enough")
