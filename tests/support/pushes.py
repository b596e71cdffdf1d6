"""What the tests of the store share: short ways to say a group, a family and a push; and stores to push to.

Out: values; a store on a real Redis, and one whose scripts run in fakeredis.
Never: starts a server.
"""

from __future__ import annotations

import math
from collections import Counter
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import fakeredis
import redis

from pgw.errors import StoreUnavailable
from pgw.model.family import Type
from pgw.model.group import Fragment, Group
from pgw.model.grouping import GroupingKey
from pgw.store.base import NO_GUARD, NO_LIMITS, Guard, Limits, Write
from pgw.store.keys import Keys
from pgw.store.mold import Mold
from pgw.store.redis_store import RedisStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pgw.store.link import Call, Reply

PREFIX = "pgw-test"
KEYS = Keys(PREFIX)
PERMANENT = {
    KEYS.changes,
    KEYS.tombstones,
    KEYS.families,
    KEYS.version,
    KEYS.read,
    KEYS.epoch,
    KEYS.telemetry,
    KEYS.deadlines,
    KEYS.totals,
    KEYS.replicas,
    KEYS.refusal,
}
TIMEOUT = 10.0  # far beyond what a busy machine needs; tests of the time limit set their own


def group(**labels: str) -> GroupingKey:
    return GroupingKey(tuple(sorted(labels.items())))


JOB = group(job="j")
OTHER = group(job="k")
INSTANCE = group(job="j", instance="i")


def family(name: str, kind: Type = Type.GAUGE, value: str = "1") -> Fragment:
    return Fragment(name, kind, None, f"{name} {value}\n".encode())


def write(
    key: GroupingKey, *families: Fragment, checked: bool = True, guard: Guard = NO_GUARD, series: str = ""
) -> Write:
    """A push whose signature is told by types, names and `series`, which stands for the label sets."""
    seen = f"{checked} {series} " + " ".join(f"{each.type} {each.name}" for each in families)
    fragments = [each._replace(unchecked=not checked) for each in families]
    sizes = [each.lines for each in fragments]
    mold = Mold.of(fragments, sizes, blake2b(seen.encode(), digest_size=16).digest(), checked=checked)
    heads, values = zip(*(parted(each.text) for each in fragments), strict=True) if fragments else ((), ())
    return Write(key, mold, values, lambda: heads, guard)


def parted(text: bytes) -> tuple[bytes, bytes]:
    """Sample lines as the store keeps them: what stands before their values, and the values."""
    lines = [line.rpartition(b" ") for line in text.split(b"\n")[:-1]]
    return b"\n".join(head + b" " for head, _, _ in lines), b"".join(value + b"\n" for _, _, value in lines)


async def read(store: RedisStore, key: GroupingKey) -> Group:
    [found] = await store.groups([key.name])
    assert found is not None, f"{key.name} does not exist"
    return found


async def held(store: RedisStore, key: GroupingKey) -> dict[str, Type]:
    return {each.name: each.type for each in (await read(store, key)).fragments}


def client(url: str) -> redis.Redis:
    """A plain connection to look behind the store."""
    return redis.Redis.from_url(url, protocol=2)


def stored_index(connection: redis.Redis) -> dict[str, dict[tuple[int, str], int]]:
    """`:families` as family -> (type, shape) -> count."""
    raw: dict[bytes, bytes] = connection.hgetall(KEYS.families)  # type: ignore[assignment]
    index: dict[str, dict[tuple[int, str], int]] = {}
    for name, entries in raw.items():
        for entry in entries.decode().split(";"):
            what, _, count = entry.partition("=")
            kind, _, shape = what.partition(" ")
            index.setdefault(name.decode(), {})[int(kind), shape] = int(count)
    return index


def recounted_index(groups: list[Group]) -> dict[str, dict[tuple[int, str], int]]:
    """What `:families` has to be for these groups."""
    index: dict[str, dict[tuple[int, str], int]] = {}
    for each in groups:
        for fragment in each.fragments:
            counts = index.setdefault(fragment.name, {})
            entry = int(fragment.type), each.key.shape
            counts[entry] = counts.get(entry, 0) + 1
    return index


def stored_deadlines(connection: redis.Redis) -> dict[str, int]:
    """`:deadlines` as group -> microseconds since 1970."""
    raw: list[tuple[bytes, float]] = connection.zrange(KEYS.deadlines, 0, -1, withscores=True)  # type: ignore[assignment]
    return {name.decode(): int(when) for name, when in raw}


def stored_totals(connection: redis.Redis) -> dict[str, int]:
    """`:totals` as it is."""
    raw: dict[bytes, bytes] = connection.hgetall(KEYS.totals)  # type: ignore[assignment]
    return {field.decode(): int(value) for field, value in raw.items()}


def recounted_totals(groups: list[Group]) -> dict[str, int]:
    """What `:totals` has to be for these groups."""
    totals: Counter[str] = Counter()
    for each in groups:
        totals[each.key.name.partition("/")[0] + "/" + each.key.name.split("/")[1]] += 1
        totals["series"] += sum(fragment.text.count(b"\n") for fragment in each.fragments)
    return {field: count for field, count in totals.items() if count}


def all_keys(connection: redis.Redis) -> set[str]:
    return {key.decode() for key in connection.scan_iter(count=1000)}


class FakeLink:
    """A link to fakeredis. Its TCP server is of no use here: it ends a connection that asks for a section of INFO."""

    def __init__(self) -> None:
        self._redis = fakeredis.FakeAsyncRedis(protocol=2)
        self.source = "fake"

    async def call(self, *calls: Call) -> list[Reply]:
        return [await self._call(each) for each in calls]

    async def close(self) -> None:
        await self._redis.aclose()

    async def _call(self, call: Call) -> Reply:
        words: tuple[Any, ...] = call._replace(until=math.inf).sent(0.0)
        if call.script is not None:
            words = ("EVAL", call.script.source, *words[2:])
        try:
            return await self._redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py's
        except redis.RedisError as error:
            raise StoreUnavailable(str(error)) from error


@asynccontextmanager
async def opened(
    url: str, *, time_limit: float = TIMEOUT, linger: int = 0, limits: Limits = NO_LIMITS
) -> AsyncIterator[RedisStore]:
    """A store on the Redis at `url`; expired groups linger for so many microseconds."""
    store = RedisStore(url, prefix=PREFIX, timeout=time_limit, linger=linger, limits=limits)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def opened_fake(*, linger: int = 0) -> AsyncIterator[RedisStore]:
    """A store whose scripts run in fakeredis."""
    store = RedisStore("redis://nowhere", prefix=PREFIX, timeout=TIMEOUT, linger=linger)
    link: Any = FakeLink()
    store._reader = store._writer._link = link
    try:
        yield store
    finally:
        await store.close()
