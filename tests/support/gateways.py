"""What the tests of the gateway share: a gateway on a real Redis, and a store that notes what it is asked.

Out: a context with store, mirror and gateway; ways to push text and to read the page.
Never: starts a server.
"""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from pushes import opened

from pgw.formats.numbers import format_float
from pgw.formats.text_reader import TextReader
from pgw.formats.text_writer import write_head
from pgw.gateway.gateway import Gateway
from pgw.gateway.mirror import DEFAULT_SCHEME, Mirror
from pgw.telemetry.shared import OWN_TYPES, OwnFamilies
from pgw.view.view import View

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pgw.model.family import Exposition
    from pgw.model.group import Group
    from pgw.model.grouping import GroupingKey
    from pgw.store.base import Changes, Feed
    from pgw.store.redis_store import RedisStore

OWN = OwnFamilies(version="1", number=format_float)


class Noting:
    """A store that passes everything on, counts its calls, and lets a test step in before one."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}

    @property
    def waiting(self) -> int:
        return self._store.waiting

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the store has
        method = getattr(self._store, name)

        async def noted(*arguments: object, **named: object) -> object:
            self.calls[name] += 1
            if name in self.before:
                await self.before[name]()
            return await method(*arguments, **named)

        return noted


def read_text(text: str) -> Exposition:
    return TextReader().read(text.encode())


class Replica(NamedTuple):
    """One worker of a gateway."""

    redis: RedisStore
    store: Noting
    mirror: Mirror
    gateway: Gateway

    async def push(self, key: GroupingKey, text: str, *, asked: float | None = None) -> None:
        await self.gateway.push(key, read_text(text), asked)

    async def replace(self, key: GroupingKey, text: str, *, asked: float | None = None) -> None:
        await self.gateway.replace(key, read_text(text), asked)

    async def page(self, *, compressed: bool = False) -> bytes:
        return b"".join((await self.gateway.scrape(compressed=compressed, scheme=DEFAULT_SCHEME)).chunks)

    async def lines(self) -> list[str]:
        """The sample lines of the page, without push times and the gateway's own."""
        return [
            line
            for line in (await self.page()).decode().split("\n")[:-1]
            if not line.startswith(("#", "push_", "pushgateway_", "pgw_"))
        ]

    async def group(self, key: GroupingKey) -> Group | None:
        [found] = await self.redis.groups([key.name])
        return found


@asynccontextmanager
async def replica(url: str, *, checked: bool = True, linger: int = 0) -> AsyncIterator[Replica]:
    async with opened(url, linger=linger) as redis:
        store = Noting(redis)
        mirror = Mirror(store, View(write_head), OWN, linger=linger)
        yield Replica(redis, store, mirror, Gateway(store, mirror, own=OWN_TYPES, checked=checked))


def let_pass(one: Replica, microseconds: int) -> None:
    """Let a replica find the clock of Redis so far ahead, as it would be later."""

    async def changes(feed: Feed) -> Changes:
        found = await one.redis.changes(feed)
        return found._replace(now=found.now + microseconds)

    setattr(one.store, "changes", changes)  # noqa: B010  it has no such attribute, but passes everything on
