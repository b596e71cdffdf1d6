"""Many groups removed at once, and only those that nobody has pushed to lately."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing

import pytest
from ages import set_back
from pushes import (
    INSTANCE,
    JOB,
    KEYS,
    OTHER,
    all_keys,
    client,
    family,
    group,
    opened,
    opened_fake,
    read,
    recounted_index,
    stored_index,
    write,
)
from servers import RedisServer

from pgw.model.grouping import GroupingKey
from pgw.store.base import Feed
from pgw.store.redis_store import EXPIRE_AT_ONCE, GROUPS_AT_ONCE, RedisStore

HOUR = 3_600_000_000
THREE = (JOB, OTHER, INSTANCE)


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    async with opened(redis_server.url) as made:
        for key in THREE:
            # A family lives in groups of one shape here, for others have to be compared first.
            assert await made.push(write(key, *(family(f"{name}_{len(key.labels)}") for name in "ab"))) == {}
        yield made


async def test_groups_are_removed_and_each_is_told_of(store: RedisStore) -> None:
    missing = group(job="never")
    feed = (await store.changes(Feed())).feed
    assert await store.remove([JOB, missing, INSTANCE, JOB]) == [True, False, True, False]
    assert await store.names() == [OTHER.name]
    changes = await store.changes(feed)
    assert (changes.everything, changes.changed, changes.deleted) == (False, [], [JOB.name, INSTANCE.name])
    assert await store.remove([]) == []


async def test_the_scripts_are_no_other_in_fakeredis() -> None:
    async with opened_fake() as store:
        for key in THREE:
            await store.push(write(key))
        assert await store.remove(THREE, dry_run=True) == [True] * 3
        assert await store.remove(THREE, older_than=HOUR) == [False] * 3
        assert await store.remove([JOB, OTHER]) == [True, True]
        assert await store.names() == [INSTANCE.name]


async def test_the_index_is_what_a_recount_of_the_others_gives(store: RedisStore, redis_server: RedisServer) -> None:
    await store.remove([JOB, INSTANCE])
    with closing(client(redis_server.url)) as connection:
        assert stored_index(connection) == recounted_index([await read(store, OTHER)])
        await store.remove([OTHER])
        assert all_keys(connection) == {KEYS.tombstones, KEYS.version, KEYS.epoch}


async def test_a_dry_run_tells_the_same_and_changes_nothing(store: RedisStore) -> None:
    feed = (await store.changes(Feed())).feed
    assert await store.remove([JOB, group(job="never")], dry_run=True) == [True, False]
    assert (await store.changes(feed)).feed == feed
    assert len(await store.names()) == 3


@pytest.mark.parametrize("dry_run", [True, False])
async def test_only_groups_that_nobody_pushed_to_for_so_long_are_removed(
    store: RedisStore, redis_server: RedisServer, *, dry_run: bool
) -> None:
    set_back(redis_server.url, KEYS, JOB, seconds=3601)
    set_back(redis_server.url, KEYS, OTHER, seconds=3500)
    assert await store.remove(THREE, older_than=HOUR, dry_run=dry_run) == [True, False, False]
    assert set(await store.names()) == {OTHER.name, INSTANCE.name} | ({JOB.name} if dry_run else set())


async def test_a_group_that_was_pushed_to_again_is_not_removed(store: RedisStore, redis_server: RedisServer) -> None:
    for key in THREE:
        set_back(redis_server.url, KEYS, key, seconds=3601)
    assert await store.remove(THREE, older_than=HOUR, dry_run=True) == [True] * 3
    await store.push(write(JOB))
    await store.fail(OTHER)  # does not make it any younger
    assert await store.remove(THREE, older_than=HOUR) == [False, True, True]


async def test_a_group_that_no_push_has_succeeded_for_is_as_old_as_its_failure(
    store: RedisStore, redis_server: RedisServer
) -> None:
    failed, long_failed = group(job="failed"), group(job="long_failed")
    for key in (failed, long_failed):
        await store.fail(key)
    set_back(redis_server.url, KEYS, long_failed, seconds=3601)
    assert await store.remove([failed, long_failed], older_than=HOUR) == [False, True]


async def test_any_number_is_removed_in_steps(store: RedisStore) -> None:
    many = [group(job=f"j{number}") for number in range(2 * GROUPS_AT_ONCE + 1)]
    for key in many[::2]:
        await store.push(write(key, family("a")))
    assert await store.remove(many) == [number % 2 == 0 for number in range(len(many))]
    assert len(await store.names()) == 3


async def test_large_groups_are_removed_by_few_in_a_step(
    store: RedisStore, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgw.store.redis_store.FAMILIES_AT_ONCE", 100)
    many: list[GroupingKey] = [group(job=f"j{number}") for number in range(7)]
    for key in many:
        await store.replace(write(key, *(family(f"family_{number}") for number in range(60))))
    with closing(client(redis_server.url)) as connection:
        before = connection.info("commandstats")["cmdstat_evalsha"]["calls"]
        assert await store.remove(many) == [True] * 7
        assert connection.info("commandstats")["cmdstat_evalsha"]["calls"] - before == 4
    assert len(await store.names()) == 3


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(("linger", "found"), [(0, False), (10**12, True)])
async def test_what_has_expired_and_nobody_has_removed_yet_is_removed_as_such_first(
    redis_server: RedisServer, *, linger: int, found: bool, dry_run: bool
) -> None:
    many = [group(job=f"j{number}") for number in range(2 * EXPIRE_AT_ONCE + 3)]
    expired = many[1::2]
    async with opened(redis_server.url, linger=linger) as store:
        for key in many:
            await store.push(write(key, family("a"))._replace(lifetime=1 if key in expired else 0))
        assert await store.remove(many, dry_run=dry_run) == [key not in expired or found for key in many]
        assert (await store.changes(Feed())).telemetry["expired"] == len(expired)
        left = {key.name for key in many if dry_run and (found or key not in expired)}
        assert set(await store.names()) == left


async def test_a_server_without_memory_takes_removals(own_redis: RedisServer) -> None:
    async with opened(own_redis.url) as store:
        for key in THREE:
            await store.push(write(key, family(f"a_{len(key.labels)}")))
        own_redis.command("CONFIG", "SET", "maxmemory", "1")
        assert await store.remove(THREE) == [True] * 3
        assert await store.names() == []
        own_redis.command("CONFIG", "SET", "maxmemory", "0")
