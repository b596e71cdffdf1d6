"""Writes of one worker, gathered while the one before is on its way.

In: pushes and other calls, from many requests at once.
Out: the reply to each.
Never: waits for time to pass. An idle writer sends as soon as the event loop has looked twice for what else is there;
while a round trip is in flight the next batch gathers, and goes out when the answer is there. The order of arrival is
the order in Redis, but for pushes that wait side by side, none of which was answered: these go script by script.

Neighbouring pushes travel together in calls of their script, which applies each for itself. When Redis fails, all that
waits fails with it: whoever waits has waited as long as those in flight.

Where replicas of Redis have to confirm writes, one WAIT behind a batch asks for all of it; the next batch gathers
meanwhile. A batch that is not confirmed fails as a whole, though it may be stored.

A write that may be old when its turn comes, because this process was stopped or Redis is slow, is refused, and what
Redis has not begun when it is given up Redis refuses itself (late.lua): whoever was not answered may have written
something newer by way of another worker, which must not be undone.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import attrgetter
from typing import NamedTuple

from pgw.errors import StoreBusy, StoreError, StoreUnavailable
from pgw.store.link import Argument, Call, Link, Reply
from pgw.store.scripts import Script
from pgw.store.watch import Watch, now

log = logging.getLogger(__name__)

BATCH_PUSHES = 64
"""Pushes in one script call: at about 10 µs each the script holds Redis for less than a millisecond."""
TRIP_PUSHES = 16 * BATCH_PUSHES
"""Pushes in one batch, in several calls. A worker that is overloaded needs a second and more from one round trip to the
next, in which as many come as it can read; if it sent fewer, those that wait would become ever older."""
BATCH_BYTES = 1 << 20
"""Bytes in one batch: about what Redis reads in a millisecond. A larger push goes alone."""
TURNS = 2
"""Of the event loop before a batch is sent. Each takes a few microseconds if nothing comes; if something does, it
shares a round trip, which costs a worker as much as three pushes."""
WAITING_PUSHES = 4096
"""Writes that may wait: what one worker gets done in a second, the default time after which a push is given up."""
WAITING_BYTES = 64 << 20
"""Bytes that may wait, so that a flood of large pushes cannot take all memory; one push of any size may wait alone."""

WAITING_SECONDS = 5.0
"""That a write may have waited when its turn comes. With --redis.timeout (3 s) this is less than the 10 s after which
the balancer of compose/ sends a push again to another replica; and more than a full queue takes, if Redis is well."""


class Confirmation(NamedTuple):
    """How many replicas of Redis have to have a write before it counts, and how many seconds they are given."""

    replicas: int
    seconds: float


UNCONFIRMED = Confirmation(0, 0.0)


class Part(NamedTuple):
    """One push, as its part of a batch."""

    script: Script
    """What applies it, together with others."""
    key: str
    arguments: Sequence[Argument]
    size: int


class _Waiting(NamedTuple):
    write: Part | Call
    size: int
    matters: bool
    since: float
    reply: "asyncio.Future[Reply]"


class Writer:
    """The one way from a worker into Redis."""

    def __init__(
        self,
        link: Link,
        batch: Callable[[Sequence[Part]], Call],
        *,
        watch: Watch,
        timeout: float,
        confirmation: Confirmation = UNCONFIRMED,
    ) -> None:
        """Make a writer.

        Args:
            link: the way to Redis.
            batch: makes one call of many pushes.
            watch: tells how old a write may be that comes now.
            timeout: seconds within which Redis has to begin what it is sent.
            confirmation: by how many replicas of Redis a write has to be confirmed.
        """
        self._link = link
        self._batch = batch
        self._watch = watch
        self._timeout = timeout
        self._confirmation = confirmation
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._sending: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many writes wait for their turn."""
        return len(self._waiting)

    def write(self, write: Part | Call, *, matters: bool = True) -> "asyncio.Future[Reply]":
        """Send a write when its turn comes; what is returned becomes its reply.

        Args:
            write: a push, or another call.
            matters: whether replicas have to confirm it, where they have to confirm anything, and whether it is to
                be refused when it has become old.

        Raises:
            StoreBusy: too much waits already.
            StoreUnavailable: as Link.call; or it has waited for too long. This comes in the place of the reply.
        """
        size = write.size if isinstance(write, Part) else 0
        if len(self._waiting) >= WAITING_PUSHES or (self._waiting and self._waiting_bytes + size > WAITING_BYTES):
            raise StoreBusy(len(self._waiting))
        sending = self._sending
        # The task knows its loop; to ask which one is running asks the kernel which process this is, each time.
        loop = asyncio.get_running_loop() if sending is None else sending.get_loop()
        reply: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append(_Waiting(write, size, matters, self._watch.earliest, reply))
        self._waiting_bytes += size
        if sending is None:
            self._sending = loop.create_task(self._send_all())
        return reply

    async def close(self) -> None:
        """Send what waits, then let go of the connection."""
        if self._sending is not None:
            await self._sending
        await self._link.close()

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                moment = now()  # before anything is decided: this process may be stopped anywhere
                if batch := list(self._take(moment)):
                    await self._send(batch, moment + self._timeout)
        finally:
            self._sending = None

    def _take(self, moment: float) -> Iterator[_Waiting]:
        size = taken = 0
        while self._waiting and taken < TRIP_PUSHES and not (taken and size + self._waiting[0].size > BATCH_BYTES):
            waiting = self._waiting.popleft()
            self._waiting_bytes -= waiting.size
            if waiting.matters and moment - waiting.since > WAITING_SECONDS:
                _refuse(
                    waiting, StoreUnavailable(f"the write may have waited for {moment - waiting.since:.1f} seconds")
                )
                continue
            size += waiting.size
            taken += 1
            yield waiting

    async def _send(self, batch: list[_Waiting], until: float) -> None:
        runs = list(_runs(batch))
        calls = [call for is_part, run in runs for call in self._calls(run, until, is_part=is_part)]
        try:
            matters = any(waiting.matters for waiting in batch)
            _answer(runs, iter(await self._confirmed(calls) if matters else await self._link.call(*calls)))
        except StoreError as error:
            self._fail(batch, error)
        except Exception:
            log.exception("writes could not be sent")
            # A bug, but nobody may be left waiting for ever.
            self._fail(batch, StoreUnavailable("the write could not be sent"))

    async def _confirmed(self, calls: Sequence[Call]) -> list[Reply]:
        wanted, seconds = self._confirmation
        if not wanted:
            return await self._link.call(*calls)
        *replies, confirmed = await self._link.call(*calls, Call(("WAIT", wanted, round(seconds * 1000))))
        if confirmed < wanted:
            raise StoreUnavailable(
                f"only {confirmed} of {wanted} replicas of Redis confirmed the write within {seconds:g} seconds "
                "(--redis.wait-replicas); it may be stored all the same"
            )
        return replies

    def _fail(self, batch: Iterable[_Waiting], error: StoreError) -> None:
        for waiting in (*batch, *self._waiting):
            _refuse(waiting, type(error)(*error.args))  # one each: who raises it adds a traceback
        self._waiting.clear()
        self._waiting_bytes = 0

    def _calls(self, run: list[_Waiting], until: float, *, is_part: bool) -> list[Call]:
        if is_part:
            pushes = [waiting.write for waiting in run if isinstance(waiting.write, Part)]
            return [self._batch(pushes)._replace(until=until)]
        return [waiting.write._replace(until=until) for waiting in run if isinstance(waiting.write, Call)]


def _runs(batch: Iterable[_Waiting]) -> Iterator[tuple[bool, list[_Waiting]]]:
    """Writes that travel in one call, if they are pushes for one script, or in one call each."""
    script = attrgetter("write.script.name")
    for kind, run in groupby(batch, key=attrgetter("write.__class__")):
        if kind is not Part:
            yield False, list(run)
            continue
        for _, same in groupby(sorted(run, key=script), key=script):
            while some := list(islice(same, BATCH_PUSHES)):
                yield True, some


def _refuse(waiting: _Waiting, error: StoreError) -> None:
    if not waiting.reply.done():  # the client may have gone
        waiting.reply.set_exception(error)


def _answer(runs: list[tuple[bool, list[_Waiting]]], replies: Iterator[Reply]) -> None:
    """Hand each write its reply: a run of pushes shares one, every other call has its own."""
    for is_part, run in runs:
        each = next(replies) if is_part else [next(replies) for _ in run]
        for waiting, reply in zip(run, each, strict=True):
            if not waiting.reply.done():  # the client may have gone
                waiting.reply.set_result(reply)
