"""What a worker does beside answering: it hands over its counts, keeps its view loaded, and never stops doing so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from gateways import Replica, replica
from pushes import JOB
from servers import RedisServer

from pgw.gateway import pulse as pulse_module
from pgw.gateway.pulse import Pulse
from pgw.model.group import MICROSECONDS
from pgw.store.base import Feed
from pgw.telemetry.process import ProcessMetrics
from pgw.telemetry.shared import PUSH_SIZE, SLICE, SLICES, Tally

FIELD = "requests/200/push/post"


@asynccontextmanager
async def beating(one: Replica, tally: Tally, metrics: ProcessMetrics | None = None) -> AsyncIterator[Pulse]:
    pulse = Pulse(one.store, one.mirror, tally, metrics or ProcessMetrics(None))
    pulse.start()
    try:
        yield pulse
    finally:
        await pulse.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  there is nothing to wait for but the next beat
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse_module, "BEAT", 0.01)


async def telemetry(one: Replica) -> dict[str, float]:
    await one.redis.count({}, [])  # behind what is on its way
    return dict((await one.redis.changes(Feed())).telemetry)


def count(tally: Tally) -> None:
    tally.count_request(code=200, handler="push", method="POST")


async def test_a_replica_says_that_it_lives_and_what_it_refused(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse_module, "LIFE_SECONDS", 60.0)
    tally = Tally()
    async with replica(redis_server.url) as one:
        pulse = Pulse(one.store, one.mirror, tally, ProcessMetrics(None), replica="here:1")
        pulse.start()
        await until(lambda: one.store.calls["follow"] > 1)  # so that the beat before is done
        assert (await one.redis.signs()).replicas == ["here:1"]
        tally.note_refusal("job/j", "first")
        tally.note_refusal("job/k", "second")
        beats = one.store.calls["follow"]
        await until(lambda: one.store.calls["follow"] > beats + 1)
        told = (await one.redis.signs()).refusal
        assert told is not None
        assert (told.group, told.reason) == ("job/k", "second")
        await until(lambda: one.store.calls["follow"] > beats + 10)
        assert one.store.calls["live"] == 2
        await pulse.stop()


async def test_counts_are_handed_over_beat_by_beat(redis_server: RedisServer) -> None:
    tally = Tally()
    async with replica(redis_server.url) as one, beating(one, tally):
        for number in range(1, 4):
            count(tally)
            await until(lambda number=number: one.store.calls["count"] == number)  # type: ignore[misc]
        assert await telemetry(one) == {FIELD: 3}


async def test_a_beat_without_counts_asks_nothing_of_the_store(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one, beating(one, Tally()):
        await until(lambda: one.mirror.loaded)
        await asyncio.sleep(0.05)
        assert one.store.calls["count"] == 0


async def test_what_is_left_is_handed_over_at_the_end(redis_server: RedisServer) -> None:
    tally = Tally()
    async with replica(redis_server.url) as one:
        async with beating(one, tally):
            await until(lambda: one.mirror.loaded)
            count(tally)
        assert await telemetry(one) == {FIELD: 1}


async def test_a_pulse_that_never_began_can_be_stopped(redis_server: RedisServer) -> None:
    tally = Tally()
    count(tally)
    async with replica(redis_server.url) as one:
        await Pulse(one.store, one.mirror, tally, ProcessMetrics(None)).stop()
        assert await telemetry(one) == {FIELD: 1}


@pytest.mark.parametrize("is_scraped", [True, False], ids=["scraped", "not scraped"])
async def test_a_view_is_kept_up_to_date_between_scrapes_and_more_lazily_without(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, *, is_scraped: bool
) -> None:
    monkeypatch.setattr(pulse_module, "REFRESH_SECONDS", 0.01 if is_scraped else 3600.0)
    monkeypatch.setattr(pulse_module, "IDLE_SECONDS", 3600.0 if is_scraped else 0.01)
    monkeypatch.setattr(pulse_module, "REFRESH_PAUSE", 0)
    async with replica(redis_server.url) as one, replica(redis_server.url) as other, beating(one, Tally()):
        await until(lambda: one.mirror.loaded)
        await one.gateway.ready()
        if is_scraped:
            await one.page()
        await other.push(JOB, "a 1\n")
        await until(lambda: JOB.name in one.mirror.view.names())


def kept(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of counts that could not be handed over."""
    return [message for message in caplog.messages if "the counts of this second are kept for the next" in message]


async def test_counts_are_kept_while_redis_is_away(own_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    tally = Tally()
    async with replica(own_redis.url) as one, beating(one, tally):
        await until(lambda: one.mirror.loaded)
        own_redis.program.end()
        with caplog.at_level(logging.DEBUG, logger="pgw.gateway.pulse"):
            for number in range(1, 4):
                count(tally)
                await until(lambda number=number: len(kept(caplog)) >= number)  # type: ignore[misc]
        own_redis.start()
        await until(lambda: not tally._amounts)
        await until(lambda: one.redis.waiting == 0)
    async with replica(own_redis.url) as late:
        assert await telemetry(late) == {FIELD: 3}


async def test_a_view_that_cannot_be_loaded_is_tried_again_once_each_beat(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    own_redis.program.end()
    async with replica(own_redis.url) as one, beating(one, Tally()):
        await until(lambda: one.store.calls["changes"] >= 3)
        assert one.store.calls["changes"] - one.store.calls["follow"] in (0, 1)  # one attempt in each beat
        assert "the view cannot be brought up to date" in caplog.text
        own_redis.start()
        await until(lambda: one.mirror.loaded)


async def test_slices_that_no_quantile_needs_are_dropped(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        now = (await one.redis.changes(Feed())).now // MICROSECONDS
        old, recent = (f"{PUSH_SIZE}/post/at/{now // SLICE - back}/7" for back in (SLICES + 1, 1))
        await one.redis.count({old: 1, recent: 1, FIELD: 1}, [])
        async with beating(one, Tally()):
            await until(lambda: one.store.calls["count"] > 0)
        assert await telemetry(one) == {recent: 1, FIELD: 1}


async def test_a_bug_in_one_beat_does_not_end_the_next(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    tally = Tally()
    async with replica(redis_server.url) as one:

        async def fail() -> None:
            del one.store.before["changes"]
            raise RuntimeError("a bug")

        one.store.before["changes"] = fail
        async with beating(one, tally):
            await until(lambda: one.mirror.loaded)
            count(tally)
            await until(lambda: one.store.calls["count"] == 1)
        assert await telemetry(one) == {FIELD: 1}
    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "a bug"


async def test_the_condition_of_the_worker_is_noted(redis_server: RedisServer) -> None:
    metrics = ProcessMetrics(None)
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\nb 1\n")
        async with beating(one, Tally(), metrics):
            await until(lambda: one.mirror.loaded)
            await until(lambda: b"pgw_groups 1.0" in metrics.exposition())
    text = metrics.exposition().decode()
    families = 2 + 2 + 1  # two pushed, two push times, and the build info
    assert f"pgw_families {families}.0\n" in text
    assert "pgw_waiting_writes 0.0\n" in text
    assert "pgw_hidden_samples 0.0\n" in text
