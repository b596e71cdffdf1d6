"""The view of a worker is kept like the store: for every scrape, with as few calls as can be."""

from __future__ import annotations

import asyncio
import gc
import gzip
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest
import uvloop
from gateways import replica
from hypothesis import example, given
from hypothesis import strategies as st
from pushes import INSTANCE, JOB, OTHER, client, group
from servers import RedisServer

from pgw.errors import StoreUnavailable
from pgw.formats.numbers import format_float
from pgw.formats.text_writer import write_head
from pgw.gateway.mirror import DEFAULT_SCHEME, SLICE_GROUPS, Mirror
from pgw.gateway.push_times import push_times, seconds
from pgw.model.family import Type
from pgw.model.group import MICROSECONDS, Fragment, Group
from pgw.model.grouping import GroupingKey
from pgw.store.base import Changes, Feed
from pgw.view.view import View


class ScriptedStore:
    """Groups in a dictionary, and a feed that can be held up and can fail."""

    def __init__(self) -> None:
        self.groups_held: dict[str, Group] = {}
        self.changed: dict[str, int] = {}
        self.version = 0
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.failing: set[str] = set()

    def push(self, key: GroupingKey, value: str) -> None:
        self.version += 1
        fragment = Fragment("a", Type.GAUGE, None, f'a{{job="{key.name}"}} {value}\n'.encode())
        self.groups_held[key.name] = Group(key, self.version, 0, (fragment,))
        self.changed[key.name] = self.version

    async def changes(self, feed: Feed) -> Changes:
        self.asked += 1
        if "changes" in self.failing:
            raise StoreUnavailable("away")
        changed = [name for name, version in self.changed.items() if version > feed.version]
        answer = Changes(Feed("s", "e", self.version), feed.version == 0, changed, [], {"seen": self.version}, 60)
        await self.may_answer.wait()
        return answer

    async def renewed(self, known: Mapping[str, bytes]) -> list[Group | None]:
        if "renewed" in self.failing:
            raise StoreUnavailable("away")
        return [self.groups_held.get(name) for name in known]


class Scripted:
    """A mirror of a scripted store."""

    def __init__(self) -> None:
        self.store = ScriptedStore()
        store: Any = self.store
        self.mirror = Mirror(store, View(write_head), lambda _sums, _now: [])

    async def page(self) -> str:
        chunks = (await self.mirror.page(compressed=False, scheme=DEFAULT_SCHEME)).chunks
        return "".join(line for line in b"".join(chunks).decode().splitlines(keepends=True) if line.startswith("a{"))


LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
Run = Callable[[Coroutine[Any, Any, None]], None]


async def begun(doing: Coroutine[Any, Any, str]) -> asyncio.Task[str]:
    task = asyncio.create_task(doing)
    await asyncio.sleep(0)
    return task


@LOOPS
def test_a_scrape_that_begins_after_a_push_was_answered_shows_it(run: Run) -> None:
    """Also within the millisecond in which uvloop's clock stands still, while another scrape is under way."""

    async def scenario() -> None:
        one = Scripted()
        for number in range(50):
            one.store.may_answer.clear()
            first = await begun(one.page())
            one.store.push(JOB, str(number))
            second = await begun(one.page())
            one.store.may_answer.set()
            await first
            assert await second == f'a{{job="job/j"}} {number}\n'

    run(scenario())


@LOOPS
def test_scrapes_that_wait_share_one_read_of_the_store(run: Run) -> None:
    async def scenario() -> None:
        one = Scripted()
        one.store.push(JOB, "1")
        one.store.may_answer.clear()
        first = await begun(one.page())
        others = [await begun(one.page()) for _ in range(20)]
        one.store.may_answer.set()
        pages = await asyncio.gather(first, *others)
        assert pages == ['a{job="job/j"} 1\n'] * 21
        assert one.store.asked == 2  # the one under way, and one for all that came later

    run(scenario())


@pytest.mark.parametrize("failing", ["changes", "renewed"])
async def test_a_read_that_failed_is_made_up_for_by_the_next(failing: str) -> None:
    one = Scripted()
    one.store.push(JOB, "1")
    assert not one.mirror.loaded
    one.store.failing.add(failing)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await one.page()
    assert not one.mirror.loaded
    one.store.failing.clear()
    assert await one.page() == 'a{job="job/j"} 1\n'
    one.store.push(JOB, "2")
    one.store.push(OTHER, "2")
    one.store.failing.add(failing)
    with pytest.raises(StoreUnavailable):
        await one.page()
    one.store.failing.clear()
    assert await one.page() == 'a{job="job/j"} 2\na{job="job/k"} 2\n'


async def test_who_waits_for_a_read_that_fails_reads_anew() -> None:
    one = Scripted()
    one.store.push(JOB, "1")
    one.store.may_answer.clear()
    one.store.failing.add("renewed")
    first = await begun(one.page())
    second = await begun(one.page())
    one.store.may_answer.set()
    with pytest.raises(StoreUnavailable):
        await first
    with pytest.raises(StoreUnavailable):
        await second
    assert one.store.asked == 2


async def test_the_next_groups_are_asked_for_before_those_at_hand_are_shown() -> None:
    one, shown = Scripted(), []
    for number in range(3 * SLICE_GROUPS):
        one.store.push(group(job=str(number)), "1")
    read = one.store.renewed

    async def renewed(known: Mapping[str, bytes]) -> list[Group | None]:
        shown.append(len(one.mirror.view.names()))
        return await read(known)

    one.store.renewed = renewed  # type: ignore[method-assign]
    await one.page()
    assert shown == [0, 0, SLICE_GROUPS]


@pytest.mark.parametrize("ends", [StoreUnavailable, asyncio.CancelledError])
async def test_a_read_that_ends_early_leaves_no_question_behind(ends: type[BaseException]) -> None:
    one, asked, third = Scripted(), 0, asyncio.Event()
    for number in range(4 * SLICE_GROUPS):
        one.store.push(group(job=str(number)), "1")
    read = one.store.renewed

    async def renewed(known: Mapping[str, bytes]) -> list[Group | None]:
        nonlocal asked
        asked += 1
        if asked == 3:
            third.set()
            if ends is StoreUnavailable:
                raise StoreUnavailable("away")
            await asyncio.Event().wait()
        return await read(known)

    one.store.renewed = renewed  # type: ignore[method-assign]
    page = asyncio.create_task(one.page())
    await third.wait()
    if ends is asyncio.CancelledError:
        page.cancel()
    with pytest.raises(ends):
        await page
    assert asyncio.all_tasks() == {asyncio.current_task()}
    one.store.renewed = read  # type: ignore[method-assign]
    assert (await one.page()).count("\n") == 4 * SLICE_GROUPS


async def test_a_scrape_whose_client_has_gone_leaves_the_view_as_it_should_be() -> None:
    one = Scripted()
    one.store.push(JOB, "1")
    one.store.may_answer.clear()
    first = await begun(one.page())
    second = await begun(one.page())
    first.cancel()
    one.store.may_answer.set()
    assert await second == 'a{job="job/j"} 1\n'


async def test_others_have_their_turn_while_very_many_groups_leave_the_view() -> None:
    one, slices, turns = Scripted(), 20, 0
    for number in range(slices * SLICE_GROUPS):
        one.store.push(group(job=str(number)), "1")
    await one.page()
    one.store.changed.clear()
    one.mirror._feed = Feed()  # as after more deletions than the store remembers

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count())
    assert await one.page() == ""
    other.cancel()
    assert turns >= slices


async def test_groups_that_change_leave_the_garbage_collector_less_than_an_object_each() -> None:
    one, groups = Scripted(), SLICE_GROUPS * 5
    gc.collect()
    before = len(gc.get_objects())
    for value in "12":
        for number in range(groups):
            one.store.push(group(job=str(number)), value)
        await one.page()
    one.store.groups_held.clear()
    gc.collect()
    assert len(gc.get_objects()) - before < groups


async def test_a_group_that_changed_while_the_feed_was_read_is_asked_for_once() -> None:
    one = Scripted()
    asked: list[str] = []
    for number in range(2 * SLICE_GROUPS):
        one.store.push(group(job=f"{number:04d}"), "1")
    changes, read = one.store.changes, one.store.renewed

    async def twice(feed: Feed) -> Changes:
        found = await changes(feed)
        return found._replace(changed=[*found.changed, *found.changed])

    async def renewed(known: Mapping[str, bytes]) -> list[Group | None]:
        asked.extend(known)
        return await read(known)

    one.store.changes, one.store.renewed = twice, renewed  # type: ignore[method-assign]
    await one.page()
    assert asked == sorted(one.store.groups_held)


async def test_a_group_that_went_between_the_feed_and_the_reading_is_not_shown() -> None:
    one = Scripted()
    one.store.push(JOB, "1")
    one.store.push(OTHER, "1")
    await one.page()
    one.store.push(JOB, "2")
    del one.store.groups_held[JOB.name]
    assert await one.page() == 'a{job="job/k"} 1\n'


async def test_what_the_store_counted_is_known_after_a_read() -> None:
    one = Scripted()
    assert (one.mirror.sums, one.mirror.now) == ({}, 0)
    one.store.push(JOB, "1")
    await one.mirror.refresh()
    assert (one.mirror.sums, one.mirror.now) == ({"seen": 1}, 60)
    assert one.mirror.loaded
    assert one.mirror.view.names() == {JOB.name}


# On a real Redis.


async def test_a_scrape_of_nothing_new_is_one_call(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\n")
        await one.page()
        one.store.calls.clear()
        first = await one.page()
        assert one.store.calls == {"changes": 1}
        assert await one.page() == first


async def test_only_groups_that_changed_are_read(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        for number in range(2 * SLICE_GROUPS + 1):
            await one.push(group(job=f"j{number:03d}"), "a 1\n")
        await one.page()
        assert one.store.calls["renewed"] == 3
        await one.push(group(job="j007"), "a 2\n")
        assert (await one.lines())[7] == 'a{instance="",job="j007"} 2'
        assert one.store.calls["renewed"] == 4


async def test_two_replicas_show_the_same_bytes(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one, replica(redis_server.url) as other:
        for number in range(30):
            await (one, other)[number % 2].push(
                group(job=f"j{number % 7}"), f"# HELP a Help {number % 3}.\na {number}\n"
            )
            if number % 5 == 4:
                await other.gateway.delete(group(job=f"j{number % 7}"))
            assert await one.page() == await other.page()
        async with replica(redis_server.url) as late:
            assert await late.page() == await one.page()


async def test_a_compressed_page_is_the_plain_page(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        for number in range(300):
            await one.push(group(job=f"j{number}"), "".join(f'a{{x="{line}"}} {number}\n' for line in range(20)))
        for number in range(3):
            await one.push(group(job=f"j{number}"), f"a {number}\n")
            compressed = await one.page(compressed=True)
            assert gzip.decompress(compressed) == await one.page()
            assert await one.page(compressed=True) == compressed


async def test_only_pieces_that_changed_are_compressed_again(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        for number in range(400):
            await one.push(group(job=f"j{number:03d}"), "".join(f'a{{x="{line}"}} 1\n' for line in range(20)))
        await one.page(compressed=True)
        before = [piece.segment for piece in one.mirror.view.pieces]
        await one.push(group(job="j200"), "".join(f'a{{x="{line}"}} 2\n' for line in range(20)))
        await one.page(compressed=True)
        after = [piece.segment for piece in one.mirror.view.pieces]
        changed = sum(1 for old, new in zip(before, after, strict=True) if old is not new)
        assert len(before) > 5
        assert 1 <= changed <= 3  # that of the samples, and those of the two push times


async def test_a_deleted_group_is_not_shown_any_more(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one, replica(redis_server.url) as other:
        await one.push(JOB, "a 1\n")
        await one.push(OTHER, "a 1\n")
        await other.page()
        await one.gateway.delete(JOB)
        assert await other.lines() == ['a{instance="",job="k"} 1']
        await one.gateway.wipe()
        assert await other.lines() == []


async def test_a_view_that_is_far_behind_is_made_anew(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgw.store.redis_store.TOMBSTONES_KEPT", 1)
    async with replica(redis_server.url) as one, replica(redis_server.url) as other:
        for number in range(5):
            await one.push(group(job=f"j{number}"), "a 1\n")
        await other.page()
        for number in range(4):
            await one.gateway.delete(group(job=f"j{number}"))
        assert await other.lines() == ['a{instance="",job="j4"} 1']


async def test_a_view_of_a_store_that_was_emptied_is_made_anew(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\n")
        await one.push(INSTANCE, "b 1\n")
        await one.page()
        redis_server.command("FLUSHALL")
        await one.push(OTHER, "a 2\n")
        assert await one.lines() == ['a{instance="",job="k"} 2']


async def test_a_view_of_a_redis_that_was_restarted_is_read_anew(own_redis: RedisServer) -> None:
    async with replica(own_redis.url) as one:
        await one.push(JOB, "a 1\n")
        before = await one.lines()
        own_redis.program.end()
        own_redis.start()
        one.store.calls.clear()
        assert await one.lines() == before
        assert one.store.calls["renewed"] == 1


async def test_a_group_that_somebody_broke_does_not_stop_a_scrape(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\n")
        await one.push(OTHER, "a 2\n")
        connection = client(redis_server.url)
        connection.hset(one.redis._keys.group(JOB.name), "a", "broken")
        connection.close()
        assert await one.lines() == ['a{instance="",job="k"} 2']
        await one.replace(JOB, "a 3\n")
        assert await one.lines() == ['a{instance="",job="j"} 3', 'a{instance="",job="k"} 2']


TIMES = [
    (0, 0, "0", "0"),
    (1_795_254_979_293_066, 0, "1.795254979293066e+09", "0"),
    (1_000_000, 1_500_000, "1", "1.5"),
]


@given(st.integers(0, 10**16 - 1) | st.integers(10**15, 2 * 10**15))
@example(10**15 - 1)
@example(10**15 + 1)
@example(2**33 * MICROSECONDS - 1)
@example(2**33 * MICROSECONDS + 1)
@example(10**16 - 1)
def test_seconds_are_written_as_any_other_number(moment: int) -> None:
    assert seconds(moment) == format_float(moment / MICROSECONDS)


@pytest.mark.parametrize(("pushed_at", "failed_at", "pushed", "failed"), TIMES)
def test_the_times_of_a_group_are_two_gauges_in_seconds(
    pushed_at: int, failed_at: int, pushed: str, failed: str
) -> None:
    success, failure = push_times(Group(INSTANCE, pushed_at, failed_at, ()))
    assert success.text.decode() == f'push_time_seconds{{instance="i",job="j"}} {pushed}\n'
    assert failure.text.decode() == f'push_failure_time_seconds{{instance="i",job="j"}} {failed}\n'
    assert (success.type, failure.type) == (Type.GAUGE, Type.GAUGE)
