"""Nothing that has expired is shown from its deadline on, whether somebody has removed it or not."""

from __future__ import annotations

import asyncio

import pytest
from gateways import Replica, let_pass, read_text, replica
from pushes import INSTANCE, JOB, OTHER, group
from servers import RedisServer

from pgw.errors import BadLifetime, InconsistentPush, StoreUnavailable
from pgw.gateway import pulse as pulse_module
from pgw.gateway.catalogue import EXPIRES_AT, NAME
from pgw.gateway.gateway import Gateway
from pgw.gateway.lifetime import Lifetimes, Rule
from pgw.gateway.mirror import DEFAULT_SCHEME
from pgw.gateway.pulse import Pulse
from pgw.model.family import Type
from pgw.model.group import Fragment
from pgw.model.grouping import GroupingKey
from pgw.model.selector import Selector
from pgw.store.base import Feed
from pgw.telemetry.process import ProcessMetrics
from pgw.telemetry.shared import OWN_TYPES, Tally

AT_ONCE = 1e-6
LONG = 10**12
EXPIRED = "push_expired_time_seconds"


async def page(one: Replica) -> list[str]:
    return [line for line in (await one.page()).decode().split("\n")[:-1] if not line.startswith(("#", "pushgateway_"))]


async def listed(one: Replica) -> dict[str, list[str]]:
    """The groups of the API, each with the names of its families."""
    return {
        each.key.name: [fragment.name for fragment in each.fragments]
        async for groups in one.gateway.groups()
        for each in groups
    }


async def deadline(one: Replica, key: GroupingKey) -> int:
    found = await one.group(key)
    assert found is not None
    return found.deadline


TIMES = ["push_time_seconds", "push_failure_time_seconds"]


async def test_what_has_expired_is_shown_on_no_page_though_nobody_has_swept(redis_server: RedisServer) -> None:
    async with replica(redis_server.url, linger=LONG) as one, replica(redis_server.url, linger=LONG) as two:
        await one.push(OTHER, "a 2\n")
        await one.push(JOB, "a 1\nb 1\n", asked=600)
        moment = await deadline(one, JOB)
        for each in (one, two):
            assert len(await each.lines()) == 3
            let_pass(each, 600_000_000)
            assert await each.lines() == ['a{instance="",job="k"} 2']
            seconds = [line.rpartition(" ")[2] for line in await page(each) if line.startswith("push_expired_time_sec")]
            assert [float(text) for text in seconds] == [moment / 1e6]
            assert await listed(each) == {"job/j": [*TIMES, EXPIRED], "job/k": ["a", *TIMES]}
        held = await one.group(JOB)
        assert held is not None
        assert len(held.fragments) == 2  # they are all still there


async def test_a_group_is_shown_until_its_deadline_and_its_times_until_it_has_lingered(
    redis_server: RedisServer,
) -> None:
    async with replica(redis_server.url, linger=60_000_000) as one:
        await one.push(JOB, "a 1\n", asked=600)
        for seconds, families in (
            (0, ["a", *TIMES]),
            (500, ["a", *TIMES]),
            (600, [*TIMES, EXPIRED]),
            (659, [*TIMES, EXPIRED]),
        ):
            let_pass(one, seconds * 1_000_000)
            assert [line.partition("{")[0] for line in await page(one)] == sorted(families)
            assert await listed(one) == {JOB.name: families}
        let_pass(one, 660_000_000)
        assert await page(one) == []
        assert await listed(one) == {}


async def test_deadlines_are_those_of_the_clock_of_redis(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\n", asked=0.3)
        moment = await deadline(one, JOB)
        for _ in range(1000):
            before = (await one.redis.changes(Feed())).now
            shown = await page(one)
            after = (await one.redis.changes(Feed())).now
            assert shown == [] or before < moment
            assert shown != [] or after >= moment
            if not shown:
                return
            await asyncio.sleep(0.01)
        pytest.fail("it never expired")


async def test_a_push_brings_an_expired_group_back(redis_server: RedisServer) -> None:
    for linger in (0, LONG):
        async with replica(redis_server.url, linger=linger) as one:
            await one.push(JOB, "a 1\nb 1\n", asked=AT_ONCE)
            assert await one.lines() == []
            await one.push(JOB, "a 2\n", asked=600)
            assert await one.lines() == ['a{instance="",job="j"} 2']
            assert not [line for line in await page(one) if line.startswith("push_expired")]
            await one.gateway.wipe()


async def test_a_sweep_changes_nothing_that_is_shown(redis_server: RedisServer) -> None:
    async with replica(redis_server.url, linger=LONG) as one, replica(redis_server.url, linger=LONG) as fresh:
        await one.push(JOB, "a 1\n", asked=AT_ONCE)
        await one.push(OTHER, "a 1\n")
        before = await page(one)
        assert not await one.redis.expire()
        after = [line for line in await page(one) if not line.startswith("pgw_expired_groups_total")]
        assert after == before
        assert "pgw_expired_groups_total 1" in await page(fresh)
        assert await page(fresh) == await page(one)


async def test_a_read_that_fails_at_the_deadline_is_made_up_for(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\n", asked=600)
        await one.page()
        let_pass(one, 600_000_000)

        async def away() -> None:
            raise StoreUnavailable("away")

        one.store.before["renewed"] = away
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await one.page()
        one.store.before.clear()
        assert await page(one) == []


async def test_a_series_moves_to_another_group_once_it_has_expired(redis_server: RedisServer) -> None:
    text = 'a{instance="i"} 1\n'
    async with replica(redis_server.url, linger=LONG) as one:
        await one.push(JOB, text)
        with pytest.raises(InconsistentPush, match="was collected before"):
            await one.push(INSTANCE, "a 2\n")
        await one.push(JOB, text, asked=AT_ONCE)
        await one.push(INSTANCE, "a 2\n")
        assert await one.lines() == ['a{instance="i",job="j"} 2']
        with pytest.raises(InconsistentPush, match="was collected before"):
            await one.push(JOB, text)
        assert await one.lines() == ['a{instance="i",job="j"} 2']


@pytest.mark.parametrize("text", ["a 1 1\n", "a 1\na 2\n", "# TYPE b gauge\nb 1\n", 'c{instance="i"} 1\n'])
async def test_a_push_that_fails_renews_nothing_and_makes_no_group_for_ever(
    redis_server: RedisServer, text: str
) -> None:
    async with replica(redis_server.url) as one:
        await one.push(OTHER, "# TYPE b counter\nb 1\n")
        await one.push(INSTANCE, "c 1\n")
        await one.push(JOB, "d 1\n", asked=600)
        before = await deadline(one, JOB)
        other = group(job="new")
        for key in (JOB, other) if not text.startswith("c") else (JOB,):
            with pytest.raises(InconsistentPush):
                await one.push(key, text, asked=1200)
        assert await deadline(one, JOB) == before
        if not text.startswith("c"):
            found = await one.group(other)
            assert found is not None
            assert found.deadline == found.failed_at + 1200 * 10**6


async def test_a_lifetime_that_is_too_long_is_refused_before_anything_is_written(redis_server: RedisServer) -> None:
    lifetimes = Lifetimes(rules=(Rule(Selector.read('{job="k"}'), 30),), otherwise=20, longest=40)
    async with replica(redis_server.url) as one:
        gateway = Gateway(one.store, one.mirror, own=OWN_TYPES, checked=True, lifetimes=lifetimes)
        bounded = one._replace(gateway=gateway)
        for too_long in (41, 0):
            with pytest.raises(BadLifetime):
                await bounded.push(JOB, "a 1 1\n", asked=too_long)
        assert await one.redis.names() == []
        for key, asked, seconds in ((JOB, None, 20), (OTHER, None, 30), (JOB, 40, 40)):
            await bounded.replace(key, "a 1\n", asked=asked)
            found = await one.group(key)
            assert found is not None
            assert found.deadline == found.pushed_at + seconds * 10**6


async def test_nobody_takes_the_place_of_the_time_at_which_a_group_expired(redis_server: RedisServer) -> None:
    async with replica(redis_server.url, linger=LONG) as one:
        await one.push(JOB, "# TYPE push_expired_time_seconds counter\npush_expired_time_seconds 7\na 1\n")
        assert await page(one) == [line for line in await page(one) if not line.startswith("push_expired")]
        assert {each.type for each in (await listed_group(one)).values()} == {Type.GAUGE, Type.UNTYPED}


async def listed_group(one: Replica) -> dict[str, Fragment]:
    return {each.name: each async for [group] in one.gateway.groups() for each in group.fragments}


async def test_the_pulse_removes_what_has_expired_a_little_at_a_time(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse_module, "SWEEPS", 2)
    async with replica(redis_server.url) as one:
        for number in range(50):
            await one.push(group(job="j", n=str(number)), "a 1\n", asked=AT_ONCE)
        pulse = Pulse(one.store, one.mirror, Tally(), ProcessMetrics(None))
        left = []
        for _ in range(3):
            await pulse._beat()
            left.append(len(await one.redis.names()))
        assert left == [18, 0, 0]
        assert one.store.calls["expire"] == 5


async def test_a_pulse_whose_store_is_away_sweeps_later(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\n", asked=AT_ONCE)

        async def away() -> None:
            raise StoreUnavailable("away")

        pulse = Pulse(one.store, one.mirror, Tally(), ProcessMetrics(None))
        one.store.before["expire"] = away
        await pulse._beat()
        assert await one.redis.names() == [JOB.name]
        one.store.before.clear()
        await pulse._beat()
        assert await one.redis.names() == []


async def test_a_page_with_timestamps_shows_what_has_expired_as_little_and_its_times_without(
    redis_server: RedisServer,
) -> None:
    async with replica(redis_server.url, linger=LONG) as one:
        await one.gateway.push(JOB, read_text("a 1\n"), AT_ONCE)
        await one.gateway.push(OTHER, read_text("a 1\n"))
        stamped = b"".join(await one.gateway.stamped(scheme=DEFAULT_SCHEME)).decode().split("\n")[:-1]
        lines = [line for line in stamped if not line.startswith(("#", "pushgateway_", "pgw_"))]
        stored = await one.group(OTHER)
        assert stored is not None
        [sample] = [line for line in lines if line.startswith("a{")]
        assert sample == f'a{{instance="",job="k"}} 1 {stored.pushed_at // 1000}'
        assert {line for line in lines if line != sample} < set(await page(one))
        assert any(line.startswith(EXPIRED) for line in lines)


async def test_lists_of_the_web_page_tell_when_groups_expire(redis_server: RedisServer) -> None:
    async with replica(redis_server.url, linger=LONG) as early, replica(redis_server.url, linger=LONG) as late:
        await early.mirror.catalogue()
        await early.push(JOB, "a 1\n", asked=600)
        await early.push(OTHER, "a 2\n")
        moment = await deadline(early, JOB)
        for one in (early, late):  # the first has seen both pushes, the second reads both at once
            found = {row[NAME]: row for row in (await one.mirror.catalogue())[0].rows()}
            assert [found[key.name][EXPIRES_AT] for key in (JOB, OTHER)] == [moment, 0]
            assert (await one.mirror.catalogue())[0].sums().expiring == 1
            let_pass(one, 600_000_000)
            found = {row[NAME]: row for row in (await one.mirror.catalogue())[0].rows()}
            assert found[JOB.name][3:6] == ((), 0, 0)
            assert found[JOB.name][EXPIRES_AT] == moment + LONG
            shown = await one.gateway.desk.group(JOB)
            assert shown is not None
            assert [each.name for each in shown.fragments] == [*TIMES, EXPIRED]
