"""Groups that are read again: of one that holds the same series comes what may have changed, of any other all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from pushes import JOB, KEYS, OTHER, client, family, read, write
from servers import RedisServer

from pgw.model.group import Renewal
from pgw.model.grouping import GroupingKey
from pgw.store.base import Write
from pgw.store.redis_store import GROUPS_AT_ONCE, RedisStore


def pushed(value: str, *, names: str = "ab", lifetime: int = 0) -> Write:
    return write(JOB, *(family(name, value=value) for name in names))._replace(lifetime=lifetime)


async def known_after_a_push(store: RedisStore) -> dict[str, bytes]:
    """Push the group; tell under which signature a reader knows it then."""
    await store.push(pushed("1"))
    return {JOB.name: (await read(store, JOB)).signature}


async def same(store: RedisStore) -> None:
    """Bring new values, with another lifetime, twice."""
    for value in "23":
        await store.push(pushed(value, lifetime=600_000_000))


async def whole(store: RedisStore) -> None:
    """Bring new values by way of a worker that does not know the group."""
    JOB.left = b""
    await store.replace(pushed("2"))


async def deleted_and_pushed(store: RedisStore) -> None:
    """Remove it, and bring it back."""
    await store.delete(JOB)
    await store.push(pushed("2"))


async def failed(store: RedisStore) -> None:
    """Note a failure."""
    await store.fail(JOB)


@pytest.mark.parametrize("what", [same, whole, deleted_and_pushed, failed], ids=lambda each: each.__name__)
async def test_of_a_group_that_holds_the_same_series_comes_what_may_have_changed(
    store: RedisStore, what: Callable[[RedisStore], Awaitable[None]]
) -> None:
    known = await known_after_a_push(store)
    await what(store)
    [renewal] = await store.renewed(known)
    found = await read(store, JOB)
    assert isinstance(renewal, Renewal)
    assert renewal[:3] == (found.pushed_at, found.failed_at, found.deadline)
    assert sorted(renewal.texts) == [(each.name, each.text) for each in found.fragments]


async def merged(store: RedisStore) -> None:
    """Put another family beside those it has."""
    await store.push(pushed("1", names="c"))


async def emptied(store: RedisStore) -> None:
    """Push without any family."""
    await store.push(pushed("1", names=""))


async def replaced(store: RedisStore) -> None:
    """Let it hold others."""
    await store.replace(pushed("1", names="ac"))


async def restored(store: RedisStore) -> None:
    """Put it back as it was."""
    await store.restore(pushed("1"), 5, 0)


async def deleted(store: RedisStore) -> None:
    """Remove it."""
    await store.delete(JOB)


@pytest.mark.parametrize("what", [merged, emptied, replaced, restored, deleted], ids=lambda each: each.__name__)
async def test_any_other_group_comes_as_a_whole(
    store: RedisStore, what: Callable[[RedisStore], Awaitable[None]]
) -> None:
    known = await known_after_a_push(store)
    await what(store)
    assert await store.renewed(known) == await store.groups([JOB.name])


async def test_a_group_that_is_not_known_comes_as_a_whole(store: RedisStore) -> None:
    await store.push(pushed("1"))
    assert await store.renewed({JOB.name: b"", OTHER.name: b""}) == [await read(store, JOB), None]


async def test_very_many_groups_come_in_the_order_in_which_they_were_asked_for(store: RedisStore) -> None:
    keys = [GroupingKey((("job", f"j{number:03d}"),)) for number in range(2 * GROUPS_AT_ONCE + 1)]
    known = {}
    for key in reversed(keys):
        await store.push(write(key, family("a", value=key.name[-3:])))
        known[key.name] = (await read(store, key)).signature if key.name.endswith("7") else b""
    for name, found in zip(known, await store.renewed(known), strict=True):
        assert found is not None
        text = found.texts[0][1] if isinstance(found, Renewal) else found.fragments[0].text
        assert isinstance(found, Renewal) == name.endswith("7")
        assert text == f"a {name[-3:]}\n".encode()


async def test_a_group_that_somebody_has_broken_is_passed_over(redis_server: RedisServer, store: RedisStore) -> None:
    known = await known_after_a_push(store)
    connection = client(redis_server.url)
    connection.hdel(KEYS.group(JOB.name), b"\xffa")
    assert await store.renewed(known) == [None]
    connection.delete(KEYS.group(JOB.name))
    connection.set(KEYS.group(JOB.name), "a string")
    assert await store.renewed(known) == [None]
    connection.close()
