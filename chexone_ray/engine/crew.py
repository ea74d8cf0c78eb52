"""The part of the pool that lives in its event loop: engines, the backlog, weights, growth.

Every method runs in the loop's thread, so nothing here needs a lock against other threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Coroutine, Sequence
from typing import Any

from chexone_ray.config import EngineConfig
from chexone_ray.engine.dispatch import is_last_try, roomiest, take_batch
from chexone_ray.engine.handle import CLOSE_S, Factory, cause_of_death
from chexone_ray.engine.scaling import PoolPolicy, Scaler, load, spare
from chexone_ray.engine.work import Job, Member, Weights
from chexone_ray.errors import ChexoneError, StorageError, WeightsLost
from chexone_ray.log import last_line
from chexone_ray.records import Rollout

logger = logging.getLogger(__name__)

BATCH_MARGIN_S = 120.0
"""Beyond the time that its requests may take, until an engine that does not return is given up."""
BACKOFF_S = 5.0
"""Pause before a start after a failed one, times the failures in a row."""


class Crew:
    """The engines of a pool and the work that waits for them; see `EnginePool` for the contract."""

    def __init__(
        self, config: EngineConfig, model_uri: str, policy: PoolPolicy, factory: Factory
    ) -> None:
        self.config = config
        self.counts: Counter[str] = Counter()
        self.members: list[Member] = []
        self.backlog: deque[Job] = deque()
        self.checkpoint = Weights(0, 0, uri=model_uri)
        self.pushed: Weights | None = None
        self.fatal: BaseException | None = None
        self.lost: WeightsLost | None = None
        self.closed = False
        self._policy = policy
        self._factory = factory
        self._scaler = Scaler(policy, config.min_engines, config.max_engines, config.max_num_seqs)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._distribution = asyncio.Lock()
        self._start_failures = 0
        self._next_start = 0.0

    @property
    def num_ready(self) -> int:
        """Engines that take work now."""
        return sum(m.state == "ready" for m in list(self.members))

    @property
    def update_limit_s(self) -> float:
        """For an engine to finish what it does and load weights, until it is given up."""
        return 2 * self.config.request_timeout_s + BATCH_MARGIN_S

    def out_of_reach(self, wanted: int) -> WeightsLost | None:
        """Why `wanted` engines are not ready before newer weights come; None where they may be."""
        if self.lost is not None:
            return self.lost
        members = list(self.members)
        outdated = sum(m.state == "outdated" for m in members)
        if outdated and len(members) - outdated < wanted:
            return WeightsLost(f"{outdated} engines lack the newest weights: publish newer ones")
        return None

    def start(self) -> None:
        """Launch the minimum of engines and watch the load. Call it in the running loop."""
        self._refill()
        self._spawn(self._scale())

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def enqueue(self, jobs: list[Job]) -> None:
        """Take work in; fails it at once where the pool has ended or nobody has its weights."""
        if self.fatal or self.lost or self.closed:
            self._fail(jobs)
            return
        self.backlog.extend(jobs)
        self._pump()

    def _fail(self, jobs: Sequence[Job]) -> None:
        error = self.fatal or self.lost or RuntimeError("the engine pool was shut down")
        for call in {id(job.call): job.call for job in jobs}.values():
            call.results.put(error)

    # Dispatch

    def _pump(self) -> None:
        """Send work out while an engine has room for it; least loaded first."""
        while self.backlog:
            if self.backlog[0].call.cancelled:
                self.backlog.popleft()
                continue
            first = self.backlog[0]
            alone = is_last_try(first, self.config.max_retries)
            limit = self._policy.depth * self.config.max_num_seqs
            member = roomiest(self.members, first.sampling.n, limit, alone)
            if member is None:
                return
            batch = take_batch(self.backlog, self._policy.batch_size, self.num_ready)
            size = sum(job.sampling.n for job in batch)
            member.in_flight += size
            member.reserved = alone
            self._spawn(self._run(member, batch, size))

    async def _run(self, member: Member, batch: list[Job], size: int) -> None:
        limit = self.config.request_timeout_s + BATCH_MARGIN_S
        try:
            async with asyncio.timeout(limit):
                rollouts = await member.handle.generate(
                    [job.request for job in batch], batch[0].sampling
                )
            assert len(rollouts) == len(batch)
        except Exception as error:  # whatever an actor raises here, it cannot be relied on any more
            self._lose(member, error)
            if self.closed:
                self._fail(batch)
            else:
                self._spawn(self._repeat(batch, error))
        except asyncio.CancelledError:
            self._fail(batch)
            raise
        else:
            for job, rollout in zip(batch, rollouts, strict=True):
                self._deliver(job, rollout)
        finally:
            member.in_flight -= size
            member.reserved = False
            member.idle_since = time.monotonic()
            self._pump()

    def _deliver(self, job: Job, rollout: Rollout) -> None:
        self.counts["requests_failed" if rollout.error else "requests_done"] += 1
        self.counts["completions"] += len(rollout.completions)
        job.call.results.put((job.index, rollout))

    async def _repeat(self, batch: Sequence[Job], error: BaseException) -> None:
        try:
            await self._check_others()
        except asyncio.CancelledError:
            self._fail(batch)
            raise
        if self.fatal or self.lost or self.closed:
            self._fail(batch)
            return
        for job in reversed(batch):
            job.attempts += 1
            if job.attempts > self.config.max_retries:
                reason = f"{job.attempts} engines failed on it, last {type(error).__name__}"
                self._deliver(job, Rollout(job.request.id, (), (), reason))
            else:
                self.counts["requests_repeated"] += 1
                self.backlog.appendleft(job)
        self._pump()

    async def _check_others(self) -> None:
        """Lose what died together with an engine, as all of a node do.

        Before work is repeated: what it meets there would count against it, not against the node.
        """
        ready = [m for m in self.members if m.state == "ready"]
        errors = await asyncio.gather(*(cause_of_death(m.handle) for m in ready))
        for member, error in zip(ready, errors, strict=True):
            if error is not None:
                self._lose(member, error)

    # Members

    def _launch(self) -> None:
        weights = self.checkpoint
        try:
            handle = self._factory(str(weights.uri), weights.version)
        except Exception as error:  # no engine can be made at all: end every call with the reason
            self._give_up(error)
            return
        member = Member(handle, self.counts["engines_launched"], applied=weights.epoch)
        self.counts["engines_launched"] += 1
        self.members.append(member)
        self._spawn(self._bring_up(member))

    async def _bring_up(self, member: Member) -> None:
        start = time.monotonic()
        try:
            async with asyncio.timeout(self.config.start_timeout_s):
                await member.handle.start()
            await self._catch_up(member)
        except WeightsLost as error:
            self._miss(member, error)
            return
        except Exception as error:  # an actor boundary: counted, and fatal after a few in a row
            self._start_failed(member, error)
            return
        self._start_failures = 0
        member.idle_since = time.monotonic()
        logger.info("engine %d ready after %.0f s", member.number, time.monotonic() - start)
        self._pump()

    def _start_failed(self, member: Member, error: Exception) -> None:
        self.counts["starts_failed"] += 1
        self._start_failures += 1
        late = isinstance(error, TimeoutError)
        why = "not up within engine.start_timeout_s" if late else last_line(error)
        logger.warning("engine %d did not start: %s", member.number, why)
        self._drop(member)
        hopeless = isinstance(error, ChexoneError) and not isinstance(error, StorageError)
        self._next_start = time.monotonic() + BACKOFF_S * self._start_failures
        # One that is under way may do better than those of a node that is out of order.
        starting = sum(m.state == "starting" for m in self.members)
        if not hopeless and self._start_failures < self._policy.max_start_failures + starting:
            return  # the next tick after the pause tries again
        if any(m.state != "starting" for m in self.members):
            return  # the others go on with the work meanwhile
        self._give_up(
            error
            if hopeless
            else ChexoneError(
                f"no engine of {self.checkpoint.uri} starts after {self._start_failures} tries "
                f"({last_line(error)}): see the engine's log, check engine.num_gpus, "
                "engine.num_cpus and the model"
            )
        )

    def _give_up(self, error: Exception) -> None:
        self.fatal = error
        self._fail(list(self.backlog))
        self.backlog.clear()

    def _miss(self, member: Member, error: WeightsLost) -> None:
        """The member keeps its old weights and gets no work until newer ones are distributed."""
        self._start_failures = 0
        member.state = "outdated"
        member.idle_since = time.monotonic()
        logger.warning("engine %d waits for new weights: %s", member.number, error)
        self._check_weights()

    def _check_weights(self) -> None:
        """Where no engine has the newest weights or can still get them, end what waits."""
        states = {m.state for m in self.members}
        if "outdated" in states and not states & {"starting", "ready", "updating"}:
            self._suspend("no engine has the newest weights, and those that made them are gone")

    def _suspend(self, why: str) -> WeightsLost:
        self.lost = WeightsLost(f"{why}: publish newer ones")
        self._fail(list(self.backlog))
        self.backlog.clear()
        return self.lost

    async def _catch_up(self, member: Member) -> None:
        """Apply what the member lacks, then let it work; nothing can come between the two."""
        while missing := [
            w for w in (self.checkpoint, self.pushed) if w and w.epoch > member.applied
        ]:
            weights = missing[0]
            try:
                async with asyncio.timeout(self.update_limit_s):
                    if weights.uri is not None:
                        await member.handle.load_checkpoint(weights.uri, weights.version)
                    else:
                        await member.handle.update_weights(weights.ref, weights.version)
            except WeightsLost:
                if weights in (self.checkpoint, self.pushed):
                    raise
                continue  # newer ones were distributed meanwhile
            member.applied = weights.epoch
        if member.state in ("starting", "updating"):
            member.state = "ready"

    async def distribute(self, *, version: int, uri: str | None = None, ref: Any = None) -> int:
        """Make these the newest weights and bring them to all engines; returns how many.

        Raises WeightsLost where their owner died before every engine had them: those that lack
        them get no work until the next call.
        """
        async with self._distribution:
            newest = max(w.epoch for w in (self.checkpoint, self.pushed) if w)
            weights = Weights(newest + 1, version, uri, ref)
            if uri is not None:
                self.checkpoint, self.pushed = weights, None
            else:
                self.pushed = weights
            self.lost = None
            start = time.monotonic()
            there = [m for m in self.members if m.state in ("ready", "outdated")]
            for member in there:
                member.state = "updating"
            updated = await asyncio.gather(*(self._refresh(m) for m in there))
            logger.info(
                "weights %d in %d engines after %.2f s",
                version,
                sum(updated),
                time.monotonic() - start,
            )
            if any(m.state == "outdated" for m in there):
                raise self._suspend(
                    f"weights {version} reached {sum(updated)} of {len(there)} engines before "
                    "the process that made them died"
                )
            self._pump()
            return sum(updated)

    async def _refresh(self, member: Member) -> bool:
        try:
            await self._catch_up(member)
        except WeightsLost as error:
            self._miss(member, error)
            return False
        except Exception as error:  # part of its weights may be new: it must not answer again
            self._lose(member, error)
            return False
        return member.state == "ready"

    def _lose(self, member: Member, error: BaseException) -> None:
        if member.state in ("lost", "closing"):
            return
        self.counts["engines_lost"] += 1
        kind = type(error).__name__
        logger.warning("engine %d is lost, %s: %s", member.number, kind, last_line(error))
        self._drop(member)
        self._refill()

    def _drop(self, member: Member) -> None:
        member.state = "lost"
        member.handle.kill()
        if member in self.members:
            self.members.remove(member)
        self._check_weights()

    def _refill(self) -> None:
        """Launch what is missing to the minimum, unless a failed start calls for a pause."""
        if self.closed or time.monotonic() < self._next_start:
            return
        while self.fatal is None and len(self.members) < self.config.min_engines:
            self._launch()

    async def _scale(self) -> None:
        while not self.closed:
            await asyncio.sleep(self._policy.tick_s)
            now = time.monotonic()
            self._refill()
            waiting = sum(job.sampling.n for job in self.backlog)
            idle = spare(self.members, self.config.min_engines)
            change = self._scaler.step(now, load(self.members, waiting, idle, now))
            if change > 0:
                logger.info("growing: %d prompts wait", len(self.backlog))
                self._launch()
            elif change < 0 and idle:
                self._retire(idle[0])

    def _retire(self, member: Member) -> None:
        logger.info("closing engine %d: idle", member.number)
        member.state = "closing"  # at once, so that no work reaches it before it is closed
        self.members.remove(member)
        self.counts["engines_retired"] += 1
        self._check_weights()
        self._spawn(self._end(member))

    async def _end(self, member: Member) -> None:
        try:
            await member.handle.shutdown()
        finally:  # also where the pool is closed meanwhile
            member.handle.kill()

    async def close(self) -> None:
        """End every engine, in order where it can be, and every task."""
        self._fail(list(self.backlog))
        self.backlog.clear()
        members, self.members = self.members, []
        ready = [m for m in members if m.state in ("ready", "updating", "outdated")]
        for member in members:
            if member.state == "starting":
                member.handle.kill()
            member.state = "closing"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S + 5):
                await asyncio.gather(*(m.handle.shutdown() for m in ready))
        for member in members:
            member.handle.kill()
        # All of the loop, also those that a caller of `distribute` waits for.
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
