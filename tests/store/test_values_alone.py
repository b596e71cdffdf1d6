"""Pushes of what the group holds already: the values come alone, and all else only where it may hold something else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from pushes import JOB, KEYS, OTHER, family, group, opened, read, write
from servers import RedisServer

from pgw.model.grouping import GroupingKey
from pgw.store.base import Guard, Write
from pgw.store.redis_store import RedisStore

DAY = 86_400 * 10**6
THERE = group(job="j")
"""JOB, as another worker knows it."""


def pushed(value: str, *, key: GroupingKey = JOB, names: str = "ab") -> Write:
    return write(key, *(family(name, value=value) for name in names))


async def shown(store: RedisStore, key: GroupingKey = JOB) -> list[str]:
    return [each.text.decode().strip() for each in (await read(store, key)).fragments]


async def calls(connection: redis.Redis, doing: Awaitable[object]) -> int:
    """How often something has called a script."""
    connection.config_resetstat()
    assert await doing == {}
    stats: Any = connection.info("commandstats")
    return int(stats["cmdstat_evalsha"]["calls"])


def mark(connection: redis.Redis, key: GroupingKey = JOB) -> None:
    """Rename family a in its lines, which shows who writes them again."""
    name = KEYS.group(key.name)
    stored: Any = connection.hget(name, "a")
    connection.hset(name, "a", stored.replace(b"a ", b"x "))


async def test_nothing_but_the_times_and_the_values_is_written(store: RedisStore, connection: redis.Redis) -> None:
    await store.push(pushed("1"))
    mark(connection)
    before: Any = connection.hgetall(KEYS.group(JOB.name))
    for verb in (store.push, store.replace):
        assert await calls(connection, verb(pushed("2"))) == 1
    assert await shown(store) == ["x 2", "b 2"]
    after: Any = connection.hgetall(KEYS.group(JOB.name))
    assert {field for field in after if after[field] != before[field]} == {b"\xff", b"\xffa", b"\xffb"}
    assert set(after) == {b"", b"a", b"b", b"\xff", b"\xffa", b"\xffb"}


async def test_a_group_that_had_nothing_but_a_failure_holds_just_what_is_pushed(store: RedisStore) -> None:
    await store.fail(JOB)
    await store.push(pushed("1"))
    [found] = await store.groups([JOB.name])
    assert found is not None
    assert found.signature == pushed("1").mold.signature


async def gone_and_failed(store: RedisStore) -> None:
    await store.delete(JOB)
    await store.fail(JOB)


BETWEEN: dict[str, Callable[[RedisStore], Awaitable[object]]] = {
    "only a failure is left": gone_and_failed,
    "there are other families": lambda store: store.replace(pushed("1", key=THERE, names="a")),
    "there is one more": lambda store: store.push(pushed("1", key=THERE, names="c")),
    "there are other series": lambda store: store.push(write(THERE, family("a"), family("b"), series="2")),
    "nobody has checked it": lambda store: store.push(write(THERE, family("a"), family("b"), checked=False)),
    "it has expired": lambda store: store.push(pushed("1", key=THERE)._replace(lifetime=1)),
    "it was put back": lambda store: store.restore(pushed("1", key=THERE), 5, 0),
    "there is no group": lambda store: store.delete(JOB),
    "there are no groups": lambda store: store.wipe(),
}


@pytest.mark.parametrize("verb", ["push", "replace"])
@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
async def test_all_comes_again_where_somebody_else_has_pushed_or_deleted(
    redis_server: RedisServer, store: RedisStore, between: Callable[[RedisStore], Awaitable[object]], verb: str
) -> None:
    await store.push(pushed("1"))
    async with opened(redis_server.url) as other:
        await between(other)
    await store.push(pushed("5", key=OTHER))
    assert await getattr(store, verb)(pushed("2")) == {}
    found = await read(store, JOB)
    assert [each.text for each in found.fragments][:2] == [b"a 2\n", b"b 2\n"]
    assert {each.pushed_at for each in found.fragments[:2]} == {found.pushed_at}
    assert await shown(store, OTHER) == ["a 5", "b 5"]


async def test_the_other_families_of_a_group_stay_as_they_are(store: RedisStore) -> None:
    for number in range(3):
        await store.push(pushed(f"{number}1", names="ab"))
        await store.push(pushed(f"{number}2", names="c"))
        assert await shown(store) == [f"a {number}1", f"b {number}1", f"c {number}2"]
    first, _, last = (await read(store, JOB)).fragments
    assert 0 < first.pushed_at < last.pushed_at


async def test_a_push_takes_one_call_but_where_somebody_else_has_pushed(
    redis_server: RedisServer, store: RedisStore, connection: redis.Redis
) -> None:
    steps = [("ab", 1), ("ab", 1), ("a", 1), ("a", 1), ("ab", 2), ("ab", 1)]
    async with opened(redis_server.url) as other:
        for names, expected in steps:
            assert await calls(connection, store.push(pushed("1", names=names))) == expected, names
        await other.replace(pushed("1", key=THERE, names="c"))
        assert await calls(connection, store.replace(pushed("2"))) == 2
        assert await calls(connection, store.replace(pushed("2"))) == 1


async def test_a_group_that_was_found_broken_comes_with_all_once_and_the_others_do_not(
    store: RedisStore, connection: redis.Redis
) -> None:
    for key in (JOB, OTHER):
        await store.push(pushed("1", key=key))
        mark(connection, key)
    connection.hset(KEYS.group(JOB.name), "b", "broken")
    assert (await store.groups([JOB.name, OTHER.name]))[0] is None
    for key in (JOB, OTHER):
        assert await calls(connection, store.push(pushed("2", key=key))) == 1
    assert await shown(store, JOB) == ["a 2", "b 2"]
    assert await shown(store, OTHER) == ["x 2", "b 2"]
    mark(connection)
    assert await calls(connection, store.push(pushed("3"))) == 1
    assert await shown(store) == ["x 3", "b 3"]


async def test_what_was_compared_comes_with_all(store: RedisStore) -> None:
    instance = group(job="j", instance="i")
    await store.push(pushed("1", key=instance))
    look = await store.push(pushed("2"))
    assert look.keys() == {"a", "b"}
    assert await store.push(pushed("3")._replace(guard=Guard(look, {}))) == {}
    assert await shown(store) == ["a 3", "b 3"]


async def test_a_lifetime_comes_with_values_alone(store: RedisStore) -> None:
    await store.push(pushed("1"))
    await store.push(pushed("2")._replace(lifetime=DAY))
    found = await read(store, JOB)
    assert found.deadline == found.pushed_at + DAY
    await store.push(pushed("3"))
    assert (await read(store, JOB)).deadline == 0


async def test_what_is_more_than_lines_and_values_never_goes_without(store: RedisStore) -> None:
    for details in ((b"one",), (b"two",), ()):
        await store.push(write(JOB, family("a")._replace(details=details), series=str(len(details))))
        [found] = (await read(store, JOB)).fragments
        assert found.details == details


async def test_a_group_that_somebody_broke_is_written_anew_once_it_was_seen(
    store: RedisStore, connection: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    await store.push(pushed("1"))
    connection.hset(KEYS.group(JOB.name), "a", "broken")
    assert await store.groups([JOB.name]) == [None]
    assert "it is not shown until it is pushed with PUT or deleted" in caplog.text
    await store.replace(pushed("2"))
    assert await shown(store) == ["a 2", "b 2"]


async def test_an_empty_push_takes_one_call(store: RedisStore, connection: redis.Redis) -> None:
    for _ in range(3):
        assert await calls(connection, store.replace(write(JOB))) == 1
