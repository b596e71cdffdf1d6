"""Far more pushes at once than can be done: some are refused, none is lost, memory has a bound, then all is well."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from client import HOST
from crowd import Crowd, allow_clients, braked
from held import memory_of

if TYPE_CHECKING:
    from servers import RedisServer, StartServer

CLIENTS = 5_000
"""More than may wait in one worker (4096)."""
SECONDS = 4.0
CLIENT_BYTES = 40 << 10
"""Of memory for each client: its connection (10 to 20 KB), its push, its group in the view."""
STORED = re.compile(r'^number\{client="(\d+)",instance="",job="crowd"\} (\d+)$', re.MULTILINE)


def test_a_crowd_is_refused_in_part_and_nothing_is_lost(gateway: StartServer, own_redis: RedisServer) -> None:
    if not allow_clients(CLIENTS):
        pytest.skip(f"this process may not have {CLIENTS} connections: raise `ulimit -Hn`")
    server = gateway(f"--redis.url={own_redis.tcp_url}", "--workers=1")
    before = memory_of(server)

    with braked(own_redis.program, SECONDS):
        crowd = Crowd((HOST, server.port), CLIENTS)
        crowd.push_for(SECONDS)
    memory = memory_of(server) - before
    print(f"\n{dict(crowd.statuses)}, {memory >> 20} MiB more")

    assert set(crowd.statuses) == {200, 503}
    assert crowd.curt == 0
    assert memory <= CLIENTS * CLIENT_BYTES
    stored = {int(client): int(number) for client, number in STORED.findall(server.get("/metrics").text)}
    assert {client: number for client, number in crowd.acknowledged.items() if stored.get(client, 0) < number} == {}

    after = Crowd((HOST, server.port), 32)
    after.push_for(1)
    assert set(after.statuses) == {200}
