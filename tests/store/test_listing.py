"""What is listed among the changes: every group that somebody has to read, and none that is listed already."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from pushes import JOB, KEYS, OTHER, family, opened, write
from servers import RedisServer

from pgw.store.base import Changes, Feed, Write
from pgw.store.redis_store import RedisStore

HEADER = ""
LISTED = slice(36, 52)
"""Where the header has the version under which the group is listed."""


def pushed(value: str) -> Write:
    return write(JOB, family("a", value=value))


async def shown(store: RedisStore, changes: Changes) -> list[str]:
    """The values of the groups that have changed."""
    found = await store.groups(changes.changed)
    return [each.text.decode().split()[1] for group in found if group for each in group.fragments]


def listed(connection: redis.Redis) -> float:
    """The version under which the group is listed, which its header knows too."""
    header: Any = connection.hget(KEYS.group(JOB.name), HEADER)
    version: Any = connection.zscore(KEYS.changes, JOB.name)
    assert int(header[LISTED]) == version
    return float(version)


async def test_a_group_is_listed_again_only_once_somebody_has_read_the_changes(
    store: RedisStore, connection: redis.Redis
) -> None:
    versions = []
    for value in range(3):
        for _ in range(3):
            await store.push(pushed(str(value)))
            versions.append(listed(connection))
        await store.changes(Feed())
    assert versions == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert connection.get(KEYS.version) == connection.get(KEYS.read) == b"3"


async def test_other_series_and_failures_are_listed_at_once(store: RedisStore, connection: redis.Redis) -> None:
    await store.push(pushed("1"))
    await store.push(write(JOB, family("a"), series="other"))
    assert listed(connection) == 2
    await store.push(write(JOB, family("b")))
    assert listed(connection) == 3
    await store.fail(JOB)
    assert listed(connection) == 4
    await store.replace(pushed("1"))
    assert listed(connection) == 5


async def test_readers_that_have_read_up_to_different_versions_are_all_told(store: RedisStore) -> None:
    await store.push(pushed("1"))
    early = (await store.changes(Feed())).feed
    await store.push(pushed("2"))
    late = (await store.changes(early)).feed
    await store.push(pushed("3"))
    await store.push(pushed("4"))
    for feed in (Feed(), early, late):
        assert await shown(store, await store.changes(feed)) == ["4"]
    now = (await store.changes(late)).feed
    assert (await store.changes(now)).changed == []
    await store.push(pushed("5"))
    for feed in (Feed(), early, late, now):
        assert await shown(store, await store.changes(feed)) == ["5"]


async def test_what_is_pushed_between_the_list_and_the_groups_is_listed_again(store: RedisStore) -> None:
    await store.push(pushed("1"))
    changes = await store.changes(Feed())
    await store.push(pushed("2"))
    assert await shown(store, changes) == ["2"]
    await store.push(pushed("3"))
    assert await shown(store, await store.changes(changes.feed)) == ["3"]


async def test_who_only_looks_notes_nothing(store: RedisStore, connection: redis.Redis) -> None:
    await store.push(pushed("1"))
    assert (await store.changes(Feed(), follows=False)).changed == await store.names() == [JOB.name]
    await store.greet()
    await store.push(pushed("2"))
    assert listed(connection) == 1
    assert not connection.exists(KEYS.read)


async def test_a_reader_whose_reading_cannot_be_noted_reads_the_same_again(own_redis: RedisServer) -> None:
    async with opened(own_redis.url) as store:
        await store.push(pushed("1"))
        noted = (await store.changes(Feed())).feed
        await store.push(pushed("2"))
        own_redis.command("CONFIG", "SET", "maxmemory", "1")
        changes = await store.changes(noted)
        assert changes.feed == noted
        assert await shown(store, changes) == ["2"]
        own_redis.command("CONFIG", "SET", "maxmemory", "0")
        await store.push(pushed("3"))
        changes = await store.changes(changes.feed)
        assert await shown(store, changes) == ["3"]
        assert changes.feed.version == noted.version + 1


@pytest.mark.parametrize("broken", ["9999999999999999", "0000000000000000", "no number    !!!"])
async def test_a_group_whose_header_names_a_version_that_cannot_be_is_listed_anew(
    store: RedisStore, connection: redis.Redis, broken: str
) -> None:
    await store.push(write(OTHER, family("a")))
    await store.push(pushed("1"))
    header: Any = connection.hget(KEYS.group(JOB.name), HEADER)
    connection.hset(KEYS.group(JOB.name), HEADER, header[: LISTED.start] + broken.encode() + header[LISTED.stop :])
    await store.push(pushed("2"))
    assert listed(connection) == 3
