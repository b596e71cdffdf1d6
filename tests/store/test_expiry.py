"""Groups that expire: what their deadline is, what is left of them afterwards, and that nothing expired is in the way.

A lifetime of a microsecond has passed when the next call comes, so no test has to wait.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from pushes import (
    INSTANCE,
    JOB,
    KEYS,
    OTHER,
    all_keys,
    client,
    family,
    group,
    held,
    opened,
    opened_fake,
    read,
    recounted_index,
    stored_deadlines,
    stored_index,
    write,
)

from pgw.errors import BadGroupingKey, InconsistentPush
from pgw.model.family import Type
from pgw.store.base import Feed, Guard, Write
from pgw.store.redis_store import EXPIRE_AT_ONCE, RedisStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import redis
    from servers import RedisServer

    from pgw.model.grouping import GroupingKey

AT_ONCE, LONG = 1, 10**12
TWIN = group(job="j", instance="")


def living(lifetime: int, sent: Write) -> Write:
    return sent._replace(lifetime=lifetime)


def expired(key: GroupingKey, *names: str, kind: Type = Type.GAUGE) -> Write:
    """A push whose deadline has come when it is answered."""
    return living(AT_ONCE, write(key, *(family(name, kind) for name in names or ("a",))))


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    """A store in which groups go as a whole."""
    async with opened(redis_server.url) as one:
        yield one


@pytest.fixture
async def lingering(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    """A store in which groups stay without their families."""
    async with opened(redis_server.url, linger=LONG) as one:
        yield one


async def sweep(store: RedisStore) -> None:
    while await store.expire():
        pass


async def count_of_expired(store: RedisStore) -> float:
    return (await store.changes(Feed())).telemetry.get("expired", 0)


# Deadlines.


async def test_a_push_says_when_its_group_expires(store: RedisStore, connection: redis.Redis) -> None:
    for commit in (store.push, store.replace):
        await commit(living(LONG, write(JOB, family("a"))))
        stored = await read(store, JOB)
        assert stored.deadline == stored.pushed_at + LONG
        assert stored_deadlines(connection) == {JOB.name: stored.deadline}


async def test_each_push_that_succeeds_says_it_anew(store: RedisStore, connection: redis.Redis) -> None:
    first = living(LONG, write(JOB, family("a")))
    for sent in (first, first, living(LONG // 2, write(JOB, family("b"))), living(LONG, write(JOB))):
        await store.push(sent)
        stored = await read(store, JOB)
        assert stored.deadline == stored.pushed_at + sent.lifetime
        assert stored_deadlines(connection) == {JOB.name: stored.deadline}
    await store.push(write(JOB, family("a")))
    assert (await read(store, JOB)).deadline == 0
    assert stored_deadlines(connection) == {}


async def test_a_push_that_fails_renews_nothing(store: RedisStore, connection: redis.Redis) -> None:
    await store.push(write(OTHER, family("b", Type.COUNTER)))
    await store.push(living(LONG, write(JOB, family("a"))))
    before = await read(store, JOB)
    with pytest.raises(InconsistentPush):
        await store.push(living(2 * LONG, write(JOB, family("b", Type.GAUGE))))
    await store.fail(JOB, 2 * LONG)
    after = await read(store, JOB)
    assert after == before._replace(failed_at=after.failed_at)
    assert after.failed_at > before.failed_at
    assert stored_deadlines(connection) == {JOB.name: before.deadline}


async def test_a_group_that_a_failed_push_has_made_expires_as_well(store: RedisStore, connection: redis.Redis) -> None:
    await store.push(write(OTHER, family("b", Type.COUNTER)))
    with pytest.raises(InconsistentPush):
        await store.push(living(LONG, write(JOB, family("b", Type.GAUGE))))
    await store.fail(INSTANCE, LONG)
    for key in (JOB, INSTANCE):
        stored = await read(store, key)
        assert stored.deadline == stored.failed_at + LONG
    assert stored_deadlines(connection).keys() == {JOB.name, INSTANCE.name}


async def test_without_lifetimes_nothing_is_kept_about_them(store: RedisStore, connection: redis.Redis) -> None:
    await store.push(write(JOB, family("a")))
    await store.fail(OTHER)
    assert not await store.expire()
    assert KEYS.deadlines not in all_keys(connection)


# What is left.


async def test_at_its_deadline_a_group_loses_its_families_and_keeps_its_times(
    lingering: RedisStore, connection: redis.Redis
) -> None:
    await lingering.push(write(OTHER, family("a"), family("b")))
    await lingering.push(expired(JOB, "a", "b"))
    await lingering.fail(OTHER)
    before, seen = await read(lingering, JOB), await lingering.changes(Feed())
    await sweep(lingering)
    assert await read(lingering, JOB) == before._replace(fragments=(), signature=b"")
    assert (await lingering.changes(seen.feed)).changed == [JOB.name]
    assert stored_deadlines(connection) == {JOB.name: before.deadline + LONG}
    assert stored_index(connection) == recounted_index([await read(lingering, OTHER)])
    assert await count_of_expired(lingering) == 1


async def test_a_group_that_has_lingered_is_gone(redis_server: RedisServer, connection: redis.Redis) -> None:
    async with opened(redis_server.url, linger=50_000) as store:
        await store.push(expired(JOB))
        await sweep(store)
        assert (await read(store, JOB)).fragments == ()
        seen = await store.changes(Feed())
        await asyncio.sleep(0.06)
        await sweep(store)
        assert await store.names() == []
        assert (await store.changes(seen.feed)).deleted == [JOB.name]
        assert await count_of_expired(store) == 1
        assert all_keys(connection) == {KEYS.version, KEYS.read, KEYS.epoch, KEYS.telemetry, KEYS.tombstones}


async def test_a_group_that_does_not_linger_is_gone_at_once(store: RedisStore, connection: redis.Redis) -> None:
    await store.push(expired(JOB))
    await store.fail(OTHER, AT_ONCE)
    seen = await store.changes(Feed())
    await sweep(store)
    assert await store.names() == []
    assert sorted((await store.changes(seen.feed)).deleted) == [JOB.name, OTHER.name]
    assert await count_of_expired(store) == 1  # the other never had any metrics
    assert all_keys(connection) == {KEYS.version, KEYS.read, KEYS.epoch, KEYS.telemetry, KEYS.tombstones}


async def test_what_lives_and_what_was_renewed_stays(store: RedisStore, connection: redis.Redis) -> None:
    await store.push(expired(JOB))
    await store.push(living(LONG, write(OTHER, family("a"))))
    await store.push(write(INSTANCE, family("b")))
    connection.zadd(KEYS.deadlines, {OTHER.name: 1, INSTANCE.name: 1, "job/nobody": 1})  # as nobody but a person would
    await sweep(store)
    assert await store.names() == [INSTANCE.name, OTHER.name]
    assert await held(store, OTHER) == {"a": Type.GAUGE}
    assert stored_deadlines(connection) == {OTHER.name: (await read(store, OTHER)).deadline}


async def test_two_workers_that_sweep_at_once_remove_and_count_everything_once(redis_server: RedisServer) -> None:
    for linger in (0, LONG):
        redis_server.command("FLUSHALL")
        async with opened(redis_server.url, linger=linger) as one, opened(redis_server.url, linger=linger) as two:
            keys = [group(job="j", n=str(number)) for number in range(5)]
            await asyncio.gather(*(one.push(expired(key)) for key in keys))
            await asyncio.gather(*(store._expire_groups(keys) for store in (one, two, one)))
            version = (await one.changes(Feed())).feed.version
            await asyncio.gather(sweep(one), sweep(two))
            assert await count_of_expired(one) == len(keys)
            assert (await one.changes(Feed())).feed.version == version


async def test_a_sweep_goes_in_small_steps(store: RedisStore) -> None:
    keys = [group(job="j", n=str(number)) for number in range(2 * EXPIRE_AT_ONCE + 1)]
    await asyncio.gather(*(store.push(expired(key)) for key in keys))
    for left, may_be_more in ((EXPIRE_AT_ONCE + 1, True), (1, True), (0, False)):
        assert await store.expire() is may_be_more
        assert len(await store.names()) == left


async def test_a_group_of_very_many_families_expires(store: RedisStore, connection: redis.Redis) -> None:
    await store.push(expired(JOB, *(f"m{number}" for number in range(9000))))
    await sweep(store)
    assert stored_index(connection) == {}
    assert await store.names() == []


@pytest.mark.parametrize("linger", [0, LONG])
async def test_a_full_redis_still_sweeps(own_redis: RedisServer, linger: int) -> None:
    connection = client(own_redis.url)
    async with opened(own_redis.url, linger=linger) as store:
        await store.push(expired(JOB, "a", "b"))
        await store.fail(OTHER, AT_ONCE)
        connection.config_set("maxmemory", "1mb")
        await sweep(store)
        assert await store.names() == ([JOB.name, OTHER.name] if linger else [])
        connection.config_set("maxmemory", "0")
        assert stored_index(connection) == {}


# What has expired is in nobody's way, though nobody has swept.


@pytest.mark.parametrize("linger", [0, LONG])
async def test_a_push_to_an_expired_group_finds_no_families(redis_server: RedisServer, linger: int) -> None:
    async with opened(redis_server.url, linger=linger) as store:
        for again in (
            write(JOB, family("b")),
            write(JOB, family("a"), series="2"),
            write(JOB, family("a")),
            write(JOB),
        ):
            await store.push(expired(JOB, "a", "c"))
            await store.fail(JOB)
            await store.push(expired(JOB, "a", "c"))
            assert await store.push(again) == {}
            stored = await read(store, JOB)
            assert {each.name for each in stored.fragments} == again.mold.types.keys()
            assert stored.deadline == 0
        index = recounted_index([await read(store, JOB)])
        assert stored_index(client(redis_server.url)) == index


async def test_a_group_that_only_lingered_keeps_its_failure_time_and_one_that_was_gone_does_not(
    redis_server: RedisServer,
) -> None:
    for linger in (LONG, 0):
        async with opened(redis_server.url, linger=linger) as store:
            await store.push(living(LONG, write(JOB, family("a"))))
            await store.fail(JOB)
            await store.push(expired(JOB))
            await store.push(write(JOB, family("a")))
            assert ((await read(store, JOB)).failed_at > 0) is (linger > 0)


@pytest.mark.parametrize("linger", [0, LONG])
async def test_a_failure_of_an_expired_group_is_noted(redis_server: RedisServer, linger: int) -> None:
    async with opened(redis_server.url, linger=linger) as store:
        await store.push(expired(JOB))
        before = await read(store, JOB)
        await store.fail(JOB, 2 * LONG)
        stored = await read(store, JOB)
        assert stored.fragments == ()
        assert stored.failed_at > before.pushed_at
        assert stored.deadline == (before.deadline if linger else stored.failed_at + 2 * LONG)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (expired(JOB, "a", kind=Type.COUNTER), write(OTHER, family("a", Type.GAUGE))),
        (expired(JOB, "a", kind=Type.HISTOGRAM), write(OTHER, family("a_count", Type.GAUGE))),
        (expired(JOB, "a_sum"), write(OTHER, family("a", Type.SUMMARY))),
        (expired(JOB, "a", kind=Type.COUNTER), write(JOB, family("a", Type.GAUGE))),
    ],
)
async def test_a_push_is_not_refused_for_the_sake_of_what_has_expired(
    lingering: RedisStore, connection: redis.Redis, old: Write, new: Write
) -> None:
    for number in range(2 * EXPIRE_AT_ONCE):  # others that have to be looked through first
        await lingering.push(expired(group(job="x", n=str(number)), "x"))
    await lingering.push(old)
    assert await lingering.push(new) == {}
    assert new.mold.types == await held(lingering, new.key)
    groups = [each for each in await lingering.groups(await lingering.names()) if each is not None]
    assert stored_index(connection) == recounted_index(groups)


async def test_a_push_is_refused_for_the_sake_of_what_lives_whatever_else_has_expired(lingering: RedisStore) -> None:
    await lingering.push(expired(JOB, "a", kind=Type.COUNTER))
    await lingering.push(write(group(job="z"), family("a", Type.COUNTER)))
    with pytest.raises(InconsistentPush, match="is not a family of type counter, as other groups have it"):
        await lingering.push(write(OTHER, family("a", Type.GAUGE)))
    assert (await read(lingering, OTHER)).failed_at > 0


async def test_a_twin_that_is_gone_is_in_nobodys_way_and_one_that_lingers_is(redis_server: RedisServer) -> None:
    plain = group(job="j")
    async with opened(redis_server.url) as store:
        await store.push(expired(TWIN))
        await store.push(living(LONG, write(plain, family("a"))))
        await store.delete(plain)
        await store.push(expired(TWIN))
        await store.fail(plain, AT_ONCE)
        assert (await read(store, plain)).failed_at > 0
        await store.push(write(TWIN, family("a")))
        assert await store.names() == [TWIN.name]
    async with opened(redis_server.url, linger=LONG) as store:
        await store.push(expired(TWIN))
        with pytest.raises(BadGroupingKey):
            await store.push(write(plain, family("a")))


async def test_a_series_of_an_expired_group_can_be_taken_over_and_is_not_taken_back(lingering: RedisStore) -> None:
    mine, theirs = expired(JOB), write(INSTANCE, family("a"))
    await lingering.push(mine)
    look = await lingering.push(theirs)
    assert look == {"a": JOB.shape}  # it may still be there, and is looked at
    [copy] = await lingering.copies([(JOB.name, "a")])
    assert copy.fragment is None
    await lingering.push(theirs._replace(guard=Guard(look, {JOB.name: copy.version})))
    assert await lingering.push(write(JOB, family("a"))) == {"a": INSTANCE.shape}, "the same series, but not unseen"


async def test_a_series_that_comes_back_before_it_is_taken_over_is_looked_at_again(lingering: RedisStore) -> None:
    await lingering.push(expired(JOB))
    sent = write(INSTANCE, family("a"))
    look = await lingering.push(sent)
    [copy] = await lingering.copies([(JOB.name, "a")])
    await lingering.push(write(JOB, family("a")))
    assert await lingering.push(sent._replace(guard=Guard(look, {JOB.name: copy.version}))) == look


async def test_pushes_of_one_batch_settle_for_themselves(lingering: RedisStore) -> None:
    await asyncio.gather(
        *(lingering.push(expired(group(job="j", n=str(number)), f"m{number}")) for number in range(40))
    )
    kinds = [
        lingering.push(write(OTHER, family(f"m{number}", Type.COUNTER), series=str(number))) for number in range(40)
    ]
    assert await asyncio.gather(*kinds) == [{}] * 40
    assert len(await held(lingering, OTHER)) == 40
    assert await count_of_expired(lingering) == 40


# Deleting.


async def delete(store: RedisStore) -> None:
    assert await store.delete(JOB)


async def wipe(store: RedisStore) -> None:
    assert await store.wipe() == 1


@pytest.mark.parametrize("remove", [delete, wipe])
@pytest.mark.parametrize("lifetime", [AT_ONCE, LONG])
async def test_whoever_removes_a_group_removes_its_deadline(
    lingering: RedisStore, connection: redis.Redis, remove: Callable[[RedisStore], Awaitable[None]], lifetime: int
) -> None:
    await lingering.push(living(lifetime, write(JOB, family("a"))))
    await remove(lingering)
    assert stored_deadlines(connection) == {}
    assert KEYS.deadlines not in all_keys(connection)
    assert stored_index(connection) == {}
    await lingering.push(write(JOB, family("a")))
    assert (await read(lingering, JOB)).deadline == 0


async def test_a_group_that_has_gone_cannot_be_deleted(store: RedisStore) -> None:
    await store.push(expired(JOB))
    assert not await store.delete(JOB)
    assert await store.names() == []


async def test_a_group_that_is_expired_but_not_in_the_list_of_deadlines_is_expired_all_the_same(
    lingering: RedisStore, connection: redis.Redis
) -> None:
    await lingering.push(expired(JOB))
    connection.delete(KEYS.deadlines)
    await lingering.push(write(JOB, family("b")))
    assert await held(lingering, JOB) == {"b": Type.GAUGE}


async def test_a_broken_header_expires_nothing(lingering: RedisStore, connection: redis.Redis) -> None:
    await lingering.push(expired(JOB))
    connection.hset(KEYS.group(JOB.name), "", b"x" * 80)
    await sweep(lingering)
    await lingering.replace(write(JOB, family("a")))
    assert (await read(lingering, JOB)).deadline == 0


async def test_the_scripts_run_in_fakeredis_too() -> None:
    async with opened_fake(linger=LONG) as store:
        await store.push(expired(JOB))
        await store.push(expired(OTHER))
        await sweep(store)
        assert (await read(store, JOB)).fragments == ()
        assert await store.push(write(JOB, family("b"))) == {}
        assert await count_of_expired(store) == 2
