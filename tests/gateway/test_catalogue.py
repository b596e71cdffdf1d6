"""The list of all groups: made of the view when it is first asked for, then kept like the store; and searched."""

from __future__ import annotations

import asyncio
import math

import pytest
from gateways import Replica, replica
from hypothesis import given
from hypothesis import strategies as st
from pushes import INSTANCE, JOB, OTHER, group
from servers import RedisServer

from pgw.errors import InconsistentPush, StoreUnavailable
from pgw.gateway import mirror as mirror_module
from pgw.gateway.catalogue import Catalogue, Entry, Sums
from pgw.gateway.listing import PAGE_GROUPS, Listing, Only, Order, Query, listed
from pgw.model.grouping import GroupingKey

BODY = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 2\n# TYPE g gauge\ng{x="1"} 1\ng{x="2"} 2\n'


async def noted(one: Replica) -> dict[str, Entry]:
    catalogue, trouble = await one.mirror.catalogue()
    assert trouble == ""
    return {entry.name: entry for entry in catalogue.entries()}


async def push_some(one: Replica) -> None:
    await one.push(JOB, BODY)
    await one.push(INSTANCE, "n 1\n")
    await one.push(group(job="J", path="/a b"), "")
    with pytest.raises(InconsistentPush):
        await one.push(OTHER, "g 1 1\n")


async def test_an_entry_says_what_the_group_holds(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await push_some(one)
        entries = await noted(one)
        [stored] = await one.redis.groups([JOB.name])
        assert stored is not None
        assert entries[JOB.name] == Entry(
            JOB.name,
            stored.pushed_at,
            0,
            ("g", "h"),
            6,
            sum(len(fragment.text) for fragment in stored.fragments),
            'job="j"',
        )
        assert entries["job/J/path/%2Fa%20b"].text == 'job="j"\npath="/a b"'
        assert entries[OTHER.name].failed
        assert entries[OTHER.name].pushed_at == 0
        assert not entries[JOB.name].failed


async def test_a_list_that_was_made_before_says_what_one_made_now_does(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as early, replica(redis_server.url) as late:
        assert await noted(early) == {}
        await push_some(early)
        await noted(early)
        await late.replace(JOB, "x 1\n")
        await late.gateway.delete(OTHER)
        with pytest.raises(InconsistentPush):
            await late.push(INSTANCE, "g 1 1\n")
        first, second = (await early.mirror.catalogue())[0], (await late.mirror.catalogue())[0]
        kept, fresh = await noted(early), await noted(late)
        # The time of a failure is read from a line there, whose digits are those of a float.
        assert {name: each._replace(failed_at=0) for name, each in kept.items()} == {
            name: each._replace(failed_at=0) for name, each in fresh.items()
        }
        assert abs(kept[INSTANCE.name].failed_at - fresh[INSTANCE.name].failed_at) <= 1
        assert first.sums()[:5] == second.sums()[:5] == (3, 2, sum(each.size for each in fresh.values()), 1, 0)
        for sums in (first.sums(), second.sums()):
            assert sums.last_failed is not None
            assert sums.last_failed.name == INSTANCE.name
        await late.gateway.wipe()
        assert await noted(early) == {}
        assert first.sums() == Sums()


async def test_groups_that_hold_the_same_families_share_their_names(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, BODY)
        await one.push(OTHER, BODY)
        entries = await noted(one)
        assert entries[JOB.name].families is entries[OTHER.name].families
        await one.push(OTHER, BODY)
        assert (await noted(one))[OTHER.name].families is entries[JOB.name].families


async def test_nobody_keeps_a_list_that_nobody_asks_for(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Catalogue] = []
    monkeypatch.setattr(mirror_module, "Catalogue", lambda: made.append(Catalogue()) or made[-1])  # type: ignore[func-returns-value]
    async with replica(redis_server.url) as one:
        await push_some(one)
        await one.page()
        assert made == []
        await noted(one)
        await noted(one)
        assert len(made) == 1
        monkeypatch.setattr(mirror_module, "CATALOGUE_SECONDS", -1)
        await one.page()
        monkeypatch.undo()
        await one.push(JOB, "x 1\n")
        await one.page()
        assert JOB.name in {entry.name for entry in made[0].entries() if "x" not in entry.families}


async def test_a_list_does_not_wait_for_ever(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, BODY)
        await noted(one)
        may_answer = asyncio.Event()
        one.store.before["changes"] = may_answer.wait
        monkeypatch.setattr(mirror_module, "PATIENCE", 0.01)
        await one.push(OTHER, BODY)
        catalogue, trouble = await one.mirror.catalogue()
        assert "seconds old" in trouble
        assert [entry.name for entry in catalogue.entries()] == [JOB.name]
        may_answer.set()
        monkeypatch.undo()
        assert len(await noted(one)) == 2


async def test_a_list_that_was_read_before_is_shown_while_redis_is_away(own_redis: RedisServer) -> None:
    async with replica(own_redis.url) as one, replica(own_redis.url) as other:
        await one.push(JOB, BODY)
        await noted(one)
        own_redis.program.end()
        catalogue, trouble = await one.mirror.catalogue()
        assert (len(catalogue.entries()), trouble != "") == (1, True)
        with pytest.raises(StoreUnavailable):
            await other.mirror.catalogue()
        own_redis.start()


# Queries.

NAMES = st.text("ab", min_size=1, max_size=3)
ENTRIES = st.dictionaries(
    NAMES,
    st.tuples(
        st.integers(0, 9), st.integers(0, 9), st.sampled_from([(), ("a",), ("b", "ab")]), st.sampled_from([0, 20, 30])
    ),
    max_size=30,
)


def entry(job: str, pushed_at: int, failed_at: int, families: tuple[str, ...], expires_at: int = 0) -> Entry:
    key = GroupingKey((("job", job),))
    return Entry(key.name, pushed_at, failed_at, families, len(families), 10 * len(job), f'job="{job}"', expires_at)


@given(
    groups=ENTRIES,
    query=st.builds(
        Query,
        words=st.lists(NAMES, max_size=2).map(tuple),
        selector=st.none(),
        page=st.just(1),
        only=st.sampled_from(Only),
        stale_after=st.just(5e-6),
        order=st.sampled_from(Order),
        reverse=st.booleans(),
    ),
)
def test_a_query_finds_what_looking_at_each_group_would(
    groups: dict[str, tuple[int, int, tuple[str, ...], int]], query: Query
) -> None:
    entries = [entry(job, *rest) for job, rest in groups.items()]
    expected = [
        each
        for each in entries
        if all(word in each.text or any(word in family for family in each.families) for word in query.words)
        and (query.only is not Only.FAILED or each.failed_at > each.pushed_at)
        and (query.only is not Only.STALE or each.pushed_at < 5)
        and (query.only is not Only.EXPIRING or each.expires_at > 0)
    ]
    amounts = {
        Order.NAME: lambda _each: 0,
        Order.AGE: lambda each: -each.pushed_at,
        Order.EXPIRY: lambda each: each.expires_at or math.inf,
        Order.SERIES: lambda each: -each.series,
        Order.SIZE: lambda each: -each.size,
    }
    expected.sort(key=lambda each: each.name, reverse=query.reverse)
    expected.sort(key=amounts[query.order], reverse=query.reverse)
    found = asyncio.run(listed(entries, query, 10e-6))
    assert found == Listing(expected, len(expected), 1, 1)


@pytest.mark.parametrize(("asked", "page", "first"), [(1, 1, 0), (2, 2, 50), (31, 31, 1500), (99, 31, 1500)])
async def test_a_page_is_cut_out_of_the_whole_order(asked: int, page: int, first: int) -> None:
    entries = [entry(f"{number:04}", 1, 0, ()) for number in reversed(range(1501))]
    found = await listed(entries, Query(page=asked), 0)
    assert (found.found, found.page, found.pages) == (1501, page, 31)
    assert [each.name for each in found.entries] == [
        f"job/{number:04}" for number in range(first, min(first + PAGE_GROUPS, 1501))
    ]


async def test_others_have_their_turn_while_many_groups_are_looked_at() -> None:
    entries = [entry(f"{number}", 1, 0, ()) for number in range(50_000)]
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(take_turns())
    await listed(entries, Query(words=("x", "y")), 0)
    others.cancel()
    assert turns > 2
