"""A write that was given up does not happen any more, wherever it has waited: a newer one may be there."""

from __future__ import annotations

import asyncio
import math
import signal
import time
from typing import TYPE_CHECKING

import pytest
from pushes import JOB, OTHER, PREFIX, family, opened, read, write

from pgw.errors import StoreUnavailable
from pgw.store.link import END_OF_TIME, Call
from pgw.store.redis_store import RedisStore
from pgw.store.scripts import load
from pgw.store.watch import TICK, Watch, now
from pgw.store.writer import WAITING_SECONDS, Confirmation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servers import RedisServer

SHORT = 0.3
"""A time limit for tests in which it is reached."""
CHANGING = ("push", "replace", "restore", "fail", "delete", "wipe")


def changing(store: RedisStore, name: str) -> Callable[[], Awaitable[object]]:
    """One of the operations that change groups."""
    return {
        "push": lambda: store.push(write(JOB, family("a", value="2"))),
        "replace": lambda: store.replace(write(JOB, family("a", value="2"))),
        "restore": lambda: store.restore(write(JOB, family("a", value="2")), 1, 0),
        "fail": lambda: store.fail(JOB),
        "delete": lambda: store.delete(JOB),
        "wipe": store.wipe,
    }[name]


@pytest.mark.parametrize("name", CHANGING)
async def test_redis_does_not_do_later_what_was_given_up_while_it_hung(own_redis: RedisServer, name: str) -> None:
    async with opened(own_redis.url) as other, opened(own_redis.url, time_limit=SHORT) as store:
        await store.push(write(JOB, family("a", value="1")))  # so that a connection is there
        before = await read(other, JOB)
        own_redis.program.send(signal.SIGSTOP)
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await changing(store, name)()
        own_redis.program.send(signal.SIGCONT)
        assert await other.names() == [JOB.name]  # by now Redis has read all that was sent before

        assert await read(other, JOB) == before


async def test_a_worker_that_goes_on_does_not_send_what_has_waited(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(redis_server.url) as store:
        await store.follow()
        await store.push(write(JOB, family("a", value="1")))
        # As if this process had been stopped, and had read these since it goes on.
        monkeypatch.setattr(store._watch, "_before", now() - WAITING_SECONDS - 1)
        for name in CHANGING:
            with pytest.raises(StoreUnavailable, match=r"may have waited for 6\.\d seconds"):
                await changing(store, name)()
        await store.count({"requests/200/push/post": 1.0}, [])  # which nothing newer can have undone
        monkeypatch.setattr(store._watch, "_before", now() - WAITING_SECONDS + 1)
        await store.push(write(OTHER, family("a", value="1")))

        assert (await read(store, JOB)).fragments[0].text == b"a 1\n"
        assert await store.names() == [JOB.name, OTHER.name]


async def test_a_clock_of_redis_that_was_set_is_learnt_within_one_failure(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        await store.push(write(JOB, family("a", value="1")))
        store._writing._ahead -= 3600  # as if the clock of Redis had been set an hour ahead since
        with pytest.raises(StoreUnavailable, match="LATE the write was given up before Redis came to it"):
            await store.push(write(JOB, family("a", value="2")))
        await store.push(write(JOB, family("a", value="3")))

        store._writing._ahead -= 3600
        await store.follow()
        await store.push(write(JOB, family("a", value="4")))
        assert (await read(store, JOB)).fragments[0].text == b"a 4\n"


async def test_the_time_for_a_confirmation_is_waited_only_where_one_is_asked_for(own_redis: RedisServer) -> None:
    store = RedisStore(own_redis.url, prefix=PREFIX, timeout=SHORT, confirmation=Confirmation(0, 3600.0))
    await store.push(write(JOB))
    own_redis.program.send(signal.SIGSTOP)
    async with asyncio.timeout(60):
        with pytest.raises(StoreUnavailable, match=f"did not answer within {SHORT} seconds"):
            await store.push(write(JOB))
    own_redis.program.send(signal.SIGCONT)
    await store.close()


async def test_an_answer_that_is_there_counts_though_the_event_loop_was_late(redis_server: RedisServer) -> None:
    async with opened(redis_server.url, time_limit=SHORT) as store:
        await store.push(write(JOB, family("a", value="1")))
        pushing = asyncio.create_task(store.push(write(JOB, family("a", value="2"))))
        for _ in range(3):
            await asyncio.sleep(0)  # it is sent
        time.sleep(2 * SHORT)  # noqa: ASYNC251  the loop stands still
        assert await pushing == {}


def test_only_scripts_that_change_groups_are_told_a_time() -> None:
    for name in ("push", "values", "fail", "delete", "wipe"):
        call = Call.of(load(name), ["key"], ["argument"])
        assert call._replace(until=1.5).sent(1_700_000_000.25) == (*call.words, "1700000001750000")
        assert call.sent(0.0) == (*call.words, f"{END_OF_TIME * 1e6:.0f}")
        assert call.until == math.inf
    for name in ("count", "changes", "groups", "copies"):
        call = Call.of(load(name), ["key"], ["argument"])
        assert call._replace(until=1.5).sent(1_700_000_000.25) == call.words
    assert Call(("PING",)).sent(0.0) == ("PING",)


async def test_what_is_read_after_a_pause_may_be_as_old_as_the_pause() -> None:
    kept = Watch()
    assert now() - kept.earliest < 1  # nobody keeps watch yet
    kept.start()
    kept.start()
    await asyncio.sleep(2.5 * TICK)
    before = now()
    assert kept.earliest <= before - TICK
    time.sleep(3 * TICK)  # noqa: ASYNC251  the loop stands still, as in a process that was stopped
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert kept.earliest <= before
    await asyncio.sleep(2.5 * TICK)
    assert kept.earliest > before + 3 * TICK - TICK
    kept.stop()
    kept.stop()
    assert now() - kept.earliest < 1
