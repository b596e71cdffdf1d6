"""Twenty thousand groups are deleted by selector while jobs push.

In: a running gateway of two workers, filled through its Redis; clients on sockets.
Out: every push is accepted and seen; every old group is gone, and none that was pushed to.
Never: measures time.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from ages import set_back
from client import HOST
from exchange import Connection, request
from pushes import family, group, write

from pgw import embedded
from pgw.store.keys import Keys
from pgw.store.redis_store import RedisStore

if TYPE_CHECKING:
    from servers import Server, StartServer

    from pgw.model.grouping import GroupingKey

GROUPS = 20_000
PUSHERS = 8
RUNNERS = [group(job="ci", instance=f"runner-{number:05}") for number in range(GROUPS)]
BUSY = RUNNERS[:: GROUPS // PUSHERS]
"""Groups that are selected, were old, and are pushed to again."""
OTHERS = [group(job="backup", instance=f"runner-{number}") for number in range(PUSHERS)]
QUERY = urlencode({"match[]": '{job="ci",instance=~"runner-.*"}', "older_than": "1h"})


class Pusher:
    """A client that pushes a growing number to its two groups in turn."""

    def __init__(self, server: Server, *keys: GroupingKey) -> None:
        self._connection = Connection((HOST, server.port))
        self._keys = keys
        self.statuses: list[int] = []
        self.acknowledged: dict[str, str] = {}

    async def push_until(self, done: asyncio.Event) -> None:
        while not done.is_set():
            for key in self._keys:
                value = str(len(self.statuses))
                body = f"# TYPE a gauge\na {value}\n".encode()
                reply = await self._connection.ask(request("POST", f"/metrics/{key.name}", body))
                self.statuses.append(reply.status)
                self.acknowledged[sample(key)] = value
        self._connection.close()


def sample(key: GroupingKey) -> str:
    return "a{" + ",".join(f'{name}="{value}"' for name, value in key.labels) + "}"


async def fill(url: str) -> None:
    store = RedisStore(url, prefix="pgw", timeout=30)
    for start in range(0, GROUPS, 500):
        part = RUNNERS[start : start + 500]
        await asyncio.gather(*(store.push(write(key, family("a")._replace(text=text(key)))) for key in part))
    await store.close()
    set_back(url, Keys("pgw"), *RUNNERS, seconds=7_200)


def text(key: GroupingKey) -> bytes:
    return f"{sample(key)} 1\n".encode()


async def delete(server: Server, query: str) -> dict[str, object]:
    connection = Connection((HOST, server.port))
    reply = await connection.ask(request("POST", f"/api/v1/admin/delete_groups?{query}"))
    connection.close()
    assert reply.status == 200, reply
    answer = json.loads(reply.body)
    assert answer["status"] == "success"
    found: dict[str, object] = answer["data"]
    return found


@pytest.fixture
def server(gateway: StartServer) -> Server:
    return gateway("--web.enable-admin-api")


async def test_old_groups_are_deleted_while_pushes_go_on_and_none_of_these_fails(server: Server) -> None:
    await fill(embedded.url(server.program.directory / "storage"))
    done, pushers = asyncio.Event(), [Pusher(server, *keys) for keys in zip(BUSY, OTHERS, strict=True)]
    pushing = asyncio.gather(*(each.push_until(done) for each in pushers))
    while not all(len(each.statuses) > 1 for each in pushers):
        assert not pushing.done()
        await asyncio.sleep(0.01)

    before = sum(len(each.statuses) for each in pushers)
    would = await delete(server, QUERY + "&dry_run=true")
    deleted = await delete(server, QUERY)
    meanwhile = sum(len(each.statuses) for each in pushers) - before
    done.set()
    await pushing

    assert {status for each in pushers for status in each.statuses} == {200}
    expected = [{"labels": dict(key.labels)} for key in RUNNERS if key not in set(BUSY)]
    assert deleted == {"groups": expected, "count": GROUPS - PUSHERS, "dry_run": False}
    assert would == {**deleted, "dry_run": True}
    assert meanwhile > PUSHERS
    acknowledged = {series: value for each in pushers for series, value in each.acknowledged.items()}
    for _ in range(6):  # each on a connection of its own, so that both workers are likely to be asked
        lines = [line for line in server.scrape().lines if line.startswith("a{")]
        assert dict(line.rsplit(" ", 1) for line in lines) == acknowledged
