"""Far more pushes at once than can be done: some are refused, none is lost, memory has a bound, then all is well."""

from __future__ import annotations

import re
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from client import HOST
from crowd import Crowd, allow_clients
from held import memory_of
from servers import wait_until
from verdict import Verdict

if TYPE_CHECKING:
    from servers import RedisServer, StartServer
    from verdict import Tell

CLIENTS = 6_000
"""More than may be on their way to Redis (1,024) and wait (4,096) in one worker."""
SECONDS = 3.0
SOME = 100
PATIENT = "--redis.timeout=30s"
"""So that Redis, which stands still until some were refused, is not given up."""
CLIENT_BYTES = 40 << 10
"""Of memory for each client: its connection (10 to 20 KB), its push, its group in the view."""
STORED = re.compile(r'^number\{client="(\d+)",instance="",job="crowd"\} (\d+)$', re.MULTILINE)


def test_a_crowd_is_refused_in_part_and_nothing_is_lost(
    gateway: StartServer, own_redis: RedisServer, told: Tell
) -> None:
    if not allow_clients(CLIENTS):
        pytest.skip(f"this process may not have {CLIENTS} connections: raise `ulimit -Hn`")
    server = gateway(f"--redis.url={own_redis.tcp_url}", "--workers=1", PATIENT)
    before = memory_of(server)

    crowd = Crowd((HOST, server.port), CLIENTS)
    own_redis.program.send(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(crowd.push_for, SECONDS)
        wait_until(lambda: crowd.statuses[503] >= SOME or pushing.done(), "some are refused")
        own_redis.program.send(signal.SIGCONT)
        pushing.result()
    memory = memory_of(server) - before
    verdict = told(judged(crowd, server.get("/metrics").text))
    print(f"{memory >> 20} MiB more")
    after = Crowd((HOST, server.port), 32)
    after.push_for(1)

    assert verdict.harm == {}, verdict
    assert set(crowd.statuses) == {200, 503}
    assert memory <= CLIENTS * CLIENT_BYTES
    assert set(after.statuses) == {200}


def judged(crowd: Crowd, page: str) -> Verdict:
    """What became of the pushes of a crowd; each client has a group with one series, so that nothing can be torn."""
    verdict = Verdict(curt=crowd.curt, hung=crowd.statuses[0], pages=1, longest=max(crowd.seconds, default=0.0))
    verdict.acknowledged = crowd.statuses[200]
    verdict.refused.update({status: count for status, count in crowd.statuses.items() if status not in (0, 200)})
    stored = {int(client): int(number) for client, number in STORED.findall(page)}
    for client, number in crowd.acknowledged.items():
        if stored.get(client, 0) < number:
            verdict.note("lost", f"client {client} shows {stored.get(client, 0)}, acknowledged was {number}")
    return verdict
