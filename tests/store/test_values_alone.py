"""Pushes of known series: their values come alone, and with all else only where the group does not hold them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import redis
from pushes import JOB, KEYS, OTHER, client, family, group, opened, read, write
from servers import RedisServer

from pgw.model.family import Type
from pgw.model.grouping import GroupingKey
from pgw.store.base import Guard, Write
from pgw.store.redis_store import RedisStore

DAY = 86_400 * 10**6


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    async with opened(redis_server.url) as found:
        yield found


@pytest.fixture
def connection(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with closing(client(redis_server.url)) as found:
        yield found


def pushed(value: str, *, key: GroupingKey = JOB, names: str = "ab") -> Write:
    return write(key, *(family(name, value=value) for name in names), known=True)


async def shown(store: RedisStore, key: GroupingKey = JOB) -> list[str]:
    return [each.text.decode().strip() for each in (await read(store, key)).fragments]


async def calls(connection: redis.Redis, doing: Awaitable[object]) -> int:
    """How often something has called a script that counts the changes."""
    before = connection.get(KEYS.version)
    assert await doing == {}
    return int(str(connection.get(KEYS.version), "ascii")) - int(str(before or b"0", "ascii"))  # type: ignore[arg-type]


def mark(connection: redis.Redis) -> None:
    """Rename family a in its lines, which shows who writes them again."""
    name = KEYS.group(JOB.name)
    stored: Any = connection.hget(name, "a")
    connection.hset(name, "a", stored.replace(b"a ", b"x "))


async def test_nothing_but_the_header_and_the_values_is_written(store: RedisStore, connection: redis.Redis) -> None:
    await store.push(write(JOB, family("a"), family("b")))
    mark(connection)
    assert await calls(connection, store.push(pushed("2"))) == 1
    assert await shown(store) == ["x 2", "b 2"]
    assert set(connection.hkeys(KEYS.group(JOB.name))) == {b"", b"a", b"b", b"\xffa", b"\xffb"}


@pytest.mark.parametrize("verb", ["push", "replace"])
@pytest.mark.parametrize(
    "before",
    [
        pytest.param(lambda store: store.fail(JOB), id="no families"),
        pytest.param(lambda store: store.push(pushed("1", names="a")), id="other families"),
        pytest.param(lambda store: store.push(write(JOB, family("a"), family("b"), series="2")), id="other series"),
        pytest.param(lambda store: store.push(write(JOB, family("a"), family("b"), checked=False)), id="unchecked"),
        pytest.param(lambda store: store.push(pushed("1")._replace(lifetime=1)), id="it has expired"),
        pytest.param(lambda store: store.delete(JOB), id="no group"),
    ],
)
async def test_all_comes_with_them_where_the_group_does_not_hold_these_series(
    store: RedisStore, before: Callable[[RedisStore], Awaitable[object]], verb: str
) -> None:
    await before(store)
    await store.push(pushed("5", key=OTHER))
    assert await getattr(store, verb)(pushed("2")) == {}
    assert await shown(store) == ["a 2", "b 2"]
    assert await shown(store, OTHER) == ["a 5", "b 5"]


async def test_the_other_families_of_a_group_stay_as_they_are(store: RedisStore) -> None:
    for number in range(3):
        await store.push(pushed(f"{number}1", names="ab"))
        await store.push(pushed(f"{number}2", names="c"))
        assert await shown(store) == [f"a {number}1", f"b {number}1", f"c {number}2"]
    first, _, last = (await read(store, JOB)).fragments
    assert 0 < first.pushed_at < last.pushed_at


async def test_where_there_are_others_all_comes_at_once_until_there_are_none(
    store: RedisStore, connection: redis.Redis
) -> None:
    await store.push(pushed("1", names="ab"))
    assert await calls(connection, store.push(pushed("2", names="a"))) == 2
    assert await calls(connection, store.push(pushed("3", names="a"))) == 1
    assert await calls(connection, store.replace(pushed("4", names="a"))) == 1
    assert await calls(connection, store.push(pushed("5", names="a"))) == 1
    assert await shown(store) == ["a 5"]
    mark(connection)
    await store.push(pushed("6", names="a"))
    assert await shown(store) == ["x 6"], "the values came alone"


async def test_what_is_remembered_of_such_groups_is_bounded(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgw.store.redis_store.SHARED_REMEMBERED", 3)
    for number in range(10):
        key = group(job=f"j{number}")
        await store.push(pushed("1", key=key, names="b"))
        await store.push(pushed("2", key=key, names="a"))
        assert len(store._shared) <= 3
        assert await shown(store, key) == ["a 2", "b 1"]


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


async def test_a_type_that_clashes_is_refused_though_the_series_are_known(store: RedisStore) -> None:
    await store.push(write(OTHER, family("a", Type.COUNTER)))
    with pytest.raises(Exception, match='"a" is not a family of type counter'):
        await store.push(pushed("1"))
    assert (await read(store, JOB)).failed_at


async def test_what_was_put_back_is_of_the_push_that_comes_next(store: RedisStore) -> None:
    await store.restore(pushed("1"), 5, 0)
    assert {each.pushed_at for each in (await read(store, JOB)).fragments} == {0}
    await store.push(pushed("2"))
    found = await read(store, JOB)
    assert {each.pushed_at for each in found.fragments} == {found.pushed_at} != {5}
