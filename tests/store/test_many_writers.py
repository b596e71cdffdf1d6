"""Many processes at once: no group is ever seen torn, nothing goes back, and of two that clash one wins."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pusher
import pytest
from pushes import client, family, group, opened, read, recounted_index, stored_index, write
from servers import ROOT, RedisServer

from pgw.errors import InconsistentPush
from pgw.model.family import Type
from pgw.model.group import Group
from pgw.store.base import Feed
from pgw.store.redis_store import RedisStore

PUSHERS = 4
TIMES = 250
PUSHER = str(Path(pusher.__file__))


class Reader:
    """Follows the feed and keeps what it was told."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self.feed = Feed()
        self.groups: dict[str, Group] = {}

    async def read(self) -> None:
        """Take in what has changed; nothing may be torn and nothing may go back."""
        changes = await self.store.changes(self.feed)
        assert changes.feed.version >= self.feed.version
        assert not changes.everything or self.feed.version == 0
        self.feed = changes.feed
        for name in changes.deleted:
            self.groups.pop(name, None)
        for name, found in zip(changes.changed, await self.store.groups(changes.changed), strict=True):
            before = self.groups.pop(name, None)
            if found is None:
                continue
            first, second = found.fragments
            assert first.text.partition(b" ")[2] == second.text.partition(b" ")[2], "a torn group"
            assert first.pushed_at == second.pushed_at == found.pushed_at
            assert before is None or found.pushed_at >= before.pushed_at
            self.groups[name] = found


async def test_no_group_is_ever_torn_while_many_processes_push(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        pushers = [
            await asyncio.create_subprocess_exec(
                sys.executable, PUSHER, redis_server.url, str(number), str(TIMES), env={"PYTHONPATH": str(ROOT)}
            )
            for number in range(PUSHERS)
        ]
        ended = asyncio.gather(*(each.wait() for each in pushers))
        reader = Reader(store)
        readings = 0
        while not ended.done():
            await reader.read()
            readings += 1
        assert await ended == [0] * PUSHERS
        assert readings > 10
        await reader.read()
        names = await store.names()
        stored = dict(zip(names, await store.groups(names), strict=True))
        assert reader.groups == stored
        for number in range(PUSHERS):
            own = reader.groups[group(job="own", worker=str(number)).name]
            assert [each.text for each in own.fragments] == [f"{name} {TIMES - 1}\n".encode() for name in ("a", "b")]
        connection = client(redis_server.url)
        assert stored_index(connection) == recounted_index(list(reader.groups.values()))
        connection.close()


async def test_of_two_stores_that_push_clashing_types_at_once_exactly_one_wins(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as one, opened(redis_server.url) as other:
        for number in range(200):
            name = f"a{number}"
            first, second = (one, other) if number % 2 else (other, one)
            results = await asyncio.gather(
                first.push(write(group(job=f"one{number}"), family(name, Type.COUNTER))),
                second.push(write(group(job=f"two{number}"), family(name, Type.GAUGE))),
                return_exceptions=True,
            )
            assert results.count({}) == 1, results
            [refused] = [each for each in results if each != {}]
            assert isinstance(refused, InconsistentPush)
            stored = [await read(one, group(job=f"{job}{number}")) for job in ("one", "two")]
            assert [len(each.fragments) for each in stored] == [int(each == {}) for each in results]


async def test_of_two_groups_of_different_shapes_only_one_comes_to_hold_a_series(redis_server: RedisServer) -> None:
    """Both come at once: whoever is second has to look."""
    async with opened(redis_server.url) as one, opened(redis_server.url) as other:
        for number in range(50):
            results = await asyncio.gather(
                one.push(write(group(job="j"), family(f"a{number}"), series=str(number))),
                other.push(write(group(job="j", instance="i"), family(f"a{number}"), series=str(number))),
            )
            assert [bool(look) for look in results].count(True) == 1, results


@pytest.mark.parametrize("stop", ["end", "kill"])
async def test_what_was_answered_is_there_after_redis_was_restarted(own_redis: RedisServer, stop: str) -> None:
    own_redis.command("CONFIG", "SET", "appendfsync", "always")
    async with opened(own_redis.url) as store:
        await asyncio.gather(*(store.push(write(group(job=f"j{number}"), family("a"))) for number in range(100)))
        await store.delete(group(job="j7"))
        names = await store.names()
        before = await store.groups(names)
        if stop == "end":
            own_redis.program.end()
        else:
            own_redis.program.kill_session()
        own_redis.start()
        assert await store.names() == names
        assert await store.groups(names) == before
        connection = client(own_redis.url)
        assert stored_index(connection) == {"a": {(1, "job"): 99}}
        connection.close()
