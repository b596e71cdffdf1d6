"""The list of all groups: kept like the store, from the start; and searched."""

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
from pgw.gateway.catalogue import NAME, Catalogue, Entry, Sums
from pgw.gateway.listing import PAGE_GROUPS, Listing, Only, Order, Query, listed
from pgw.model.grouping import GroupingKey
from pgw.model.selector import Matcher, Operator, Selector

BODY = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 2\n# TYPE g gauge\ng{x="1"} 1\ng{x="2"} 2\n'


async def noted(one: Replica) -> dict[str, Entry]:
    catalogue, trouble = await one.mirror.catalogue()
    assert trouble == ""
    return {row[NAME]: Entry._make(row) for row in catalogue.rows()}


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
            signature=stored.signature,
        )
        assert stored.signature
        assert entries["job/J/path/%2Fa%20b"].families == ()
        assert entries[OTHER.name].failed
        assert entries[OTHER.name].pushed_at == 0
        assert not entries[JOB.name].failed


async def test_a_list_that_has_seen_every_change_says_what_a_new_one_does(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as early, replica(redis_server.url) as late:
        assert await noted(early) == {}
        await push_some(early)
        await noted(early)
        await late.replace(JOB, "x 1\n")
        await late.gateway.delete(OTHER)
        with pytest.raises(InconsistentPush):
            await late.push(INSTANCE, "g 1 1\n")
        kept, fresh = await noted(early), await noted(late)
        assert kept == fresh
        first, second = (await early.mirror.catalogue())[0], (await late.mirror.catalogue())[0]
        expected = Sums(3, 2, sum(each.size for each in fresh.values()), 1, 0, fresh[INSTANCE.name])
        assert first.sums() == second.sums() == expected
        await late.gateway.wipe()
        assert await noted(early) == {}
        assert first.sums() == Sums()


async def test_the_group_that_failed_last_is_the_last_of_those_there_are(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(group(job="typed"), "# TYPE g gauge\ng 1\n")
        for key in (JOB, OTHER, INSTANCE):
            with pytest.raises(InconsistentPush):
                await one.push(key, "g 1 1\n")
        catalogue, _ = await one.mirror.catalogue()
        assert last_failed(catalogue) == INSTANCE.name
        await one.push(INSTANCE, "n 1\n")  # that one failed last all the same
        await noted(one)
        assert last_failed(catalogue) == INSTANCE.name
        assert catalogue.sums().failed == 2
        await one.gateway.delete(INSTANCE)
        await noted(one)
        assert last_failed(catalogue) == OTHER.name


def last_failed(catalogue: Catalogue) -> str:
    last = catalogue.sums().last_failed
    assert last is not None
    return last.name


async def test_groups_that_hold_the_same_families_share_their_names(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, BODY)
        await one.push(OTHER, BODY)
        entries = await noted(one)
        assert entries[JOB.name].families is entries[OTHER.name].families
        await one.push(OTHER, BODY)
        assert (await noted(one))[OTHER.name].families is entries[JOB.name].families


async def test_a_name_is_held_once_however_often_the_group_changes(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, BODY)
        before = (await noted(one))[JOB.name]
        await one.push(JOB, "x 1\n")
        after = (await noted(one))[JOB.name]
        assert after.families == ("g", "h", "x")
        assert after.name is before.name


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
        assert [row[NAME] for row in catalogue.rows()] == [JOB.name]
        may_answer.set()
        monkeypatch.undo()
        assert len(await noted(one)) == 2


async def test_a_list_that_was_read_before_is_shown_while_redis_is_away(own_redis: RedisServer) -> None:
    async with replica(own_redis.url) as one, replica(own_redis.url) as other:
        await one.push(JOB, BODY)
        await one.page()  # nobody has asked for a list so far
        own_redis.program.end()
        catalogue, trouble = await one.mirror.catalogue()
        assert (len(catalogue.rows()), trouble != "") == (1, True)
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
    return Entry(key.name, pushed_at, failed_at, families, len(families), 10 * len(job), expires_at)


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
        if all(word in each.name or any(word in family for family in each.families) for word in query.words)
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


LABEL_NAMES = st.sampled_from(["a", "job", "A%", "é"])
VALUES = st.text('aA1%=/".Éé\x00 ', max_size=3)
KEYS = st.dictionaries(LABEL_NAMES, VALUES, max_size=3).map(
    lambda labels: GroupingKey(tuple(sorted({"job": "a", **labels}.items())))
)


async def found_with(keys: list[GroupingKey], query: Query) -> set[str]:
    found = await listed([Entry(key.name, 1, 0, ("f",), 1, 1) for key in keys], query, 0)
    return {each.name for each in found.entries}


@given(keys=st.lists(KEYS, max_size=5), text=st.text('aA1%=/".Éé" ', max_size=6))
def test_words_are_looked_for_in_labels_as_they_are_written(keys: list[GroupingKey], text: str) -> None:
    words = tuple(text.lower().split())
    written = {key.name: [f'{name}="{value}"'.lower() for name, value in key.labels] for key in keys}
    assert asyncio.run(found_with(keys, Query(words=words))) == {
        name for name, labels in written.items() if all(any(word in label for label in labels) for word in words)
    }


COMPARED = st.builds(Matcher, LABEL_NAMES, st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]), VALUES)
MATCHED = st.builds(
    Matcher,
    LABEL_NAMES,
    st.sampled_from([Operator.MATCH, Operator.NOT_MATCH]),
    st.sampled_from(["", "a", "A.*", ".*[%/=]", "[^é]+", ".*é|a"]),
)


@given(keys=st.lists(KEYS, max_size=5), matchers=st.lists(COMPARED | MATCHED, max_size=2))
def test_a_selector_finds_the_groups_whose_labels_it_selects(keys: list[GroupingKey], matchers: list[Matcher]) -> None:
    selector = Selector(tuple(matchers))
    assert asyncio.run(found_with(keys, Query(selector=selector))) == {
        key.name for key in keys if selector.selects(dict(key.labels))
    }


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
