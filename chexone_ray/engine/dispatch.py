"""Which requests go to which engine next: decisions on the backlog and the engines alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from chexone_ray.engine.work import Job, Member


def is_last_try(job: Job, max_retries: int) -> bool:
    """True for a request that lost engines repeatedly: on its last try it gets one for itself.

    So a request that kills engines does not take others with it, whose fault it is not.
    """
    return job.attempts >= max(2, max_retries)


def roomiest(
    members: Sequence[Member], num_sequences: int, limit: float, alone: bool
) -> Member | None:
    """The least loaded engine that takes `num_sequences` within `limit`; an idle one takes any.

    `alone` asks for an idle one.
    """
    ready = [m for m in members if m.state == "ready" and not m.reserved]
    member = min(ready, key=lambda m: (m.in_flight, m.number), default=None)
    if member is None or member.in_flight == 0:
        return member
    return member if not alone and member.in_flight + num_sequences <= limit else None


def take_batch(backlog: deque[Job], batch_size: int, num_ready: int) -> list[Job]:
    """Take the next jobs of equal settings off the backlog, which is not empty.

    Few are spread over the engines; a repeated one goes alone, in case it kills engines.
    """
    first = backlog.popleft()
    batch = [first]
    share = -(-(len(backlog) + 1) // max(num_ready, 1))
    while (
        backlog
        and len(batch) < min(batch_size, share)
        and not first.attempts
        and not backlog[0].attempts
        and backlog[0].sampling == first.sampling
    ):
        batch.append(backlog.popleft())
    return batch
