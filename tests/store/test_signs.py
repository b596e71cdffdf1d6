"""Signs of life: which replicas are there, and what was refused last."""

from __future__ import annotations

import time

from pushes import KEYS, client
from servers import RedisServer

from pgw.store.base import Refusal, Signs
from pgw.store.redis_store import REASON_CHARACTERS, SILENT_SECONDS, RedisStore


async def test_nothing_is_to_be_seen_where_nobody_lives(store: RedisStore) -> None:
    assert await store.signs() == Signs([], None)


async def test_a_replica_that_lives_is_seen_once(store: RedisStore) -> None:
    for replica in ("a:1", "b:1", "a:1"):
        await store.live(replica, None)
    assert await store.signs() == Signs(["a:1", "b:1"], None)


async def test_a_replica_that_has_fallen_silent_is_seen_no_longer_and_forgotten(
    store: RedisStore, redis_server: RedisServer
) -> None:
    with client(redis_server.url) as connection:
        connection.zadd(KEYS.replicas, {"gone": time.time() - SILENT_SECONDS - 1, "late": time.time() - 2})
        assert (await store.signs()).replicas == ["late"]
        await store.live("here", None)
        assert connection.zrange(KEYS.replicas, 0, -1) == [b"late", b"here"]


async def test_the_last_refusal_is_told_to_all_and_no_news_does_not_change_it(store: RedisStore) -> None:
    await store.live("a", Refusal("job/j", "first"))
    await store.live("b", Refusal("job/k", "x" * 10_000))
    await store.live("a", None)
    told = (await store.signs()).refusal
    assert told is not None
    assert (told.group, told.reason) == ("job/k", "x" * REASON_CHARACTERS)
    assert abs(told.at - time.time()) < 60


async def test_a_reason_that_is_no_utf8_can_be_told_too(store: RedisStore) -> None:
    await store.live("a", Refusal("job/j", "line 1: \udcff"))
    told = (await store.signs()).refusal
    assert told is not None
    assert told.reason == "line 1: ?"
