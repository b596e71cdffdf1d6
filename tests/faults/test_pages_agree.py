"""All replicas show the same page, byte for byte, and their own counters stay right when replicas come and go."""

from __future__ import annotations

import os
import re
import signal
from itertools import product
from typing import TYPE_CHECKING

import pytest
from servers import Server, stop_all, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from topology import Replica, Topology

PUSHED = re.compile(r'^pushgateway_http_requests_total\{code="200",handler="push",method="post"\} (\d+)$', re.MULTILINE)
GROUPS = 120
BODY = "".join(f"# TYPE a{each} counter\na{each} {{}}\nb{each} {{}}\n" for each in range(6))
"""Pages of some 100 KB, so of several pieces."""
SCRAPES = 6
"""Of each replica in each encoding, so that each of its two workers is likely to be asked."""


@pytest.fixture
def replicas(three_replicas: Topology) -> Iterator[Sequence[Replica]]:
    """Three replicas with two workers each, without the balancer: its health checks are requests that are counted."""
    three_replicas.balancer.program.end(signal.SIGTERM)
    stop_all(three_replicas.replicas)  # which hands over what they have counted in earlier tests
    assert three_replicas.redis.command("FLUSHALL") == b"+OK"
    for replica in three_replicas.replicas:
        replica.start()
    yield three_replicas.replicas
    three_replicas.balancer.start()


def push(server: Server, groups: Iterable[int]) -> None:
    """Push to these groups, one after the other."""
    for each in groups:
        assert server.post(f"job/j/n/{each}", BODY.format(*[each] * 12)).status == 200


def counted(server: Server) -> int:
    """How many pushes a page counts."""
    found = PUSHED.search(server.get("/metrics").text)
    return int(found[1]) if found else 0


def wait_until_counted(replicas: Iterable[Replica], number: int) -> None:
    """Wait until all workers of all replicas show the same bytes in each encoding, and so many pushes.

    Counters are handed over once a second; when that is done for all requests that there were, no page changes again.
    """
    running = [replica for replica in replicas if replica.program.is_running]

    def is_settled() -> bool:
        for encoding in ("identity", "gzip"):
            headers = {"Accept-Encoding": encoding}
            pages = {replica.get("/metrics", headers).body for replica, _ in product(running, range(SCRAPES))}
            if len(pages) > 1:
                return False
        return counted(running[0]) == number

    wait_until(is_settled, f"all pages are the same and count {number} pushes")


def test_pages_are_the_same_bytes_and_count_all_pushes_while_replicas_come_and_go(replicas: Sequence[Replica]) -> None:
    one, two, three = replicas
    push(one, range(GROUPS))
    wait_until_counted(replicas, 120)

    push(one, range(50, 70))
    one.stop()  # which hands over what it has counted
    wait_until_counted(replicas, 140)
    push(two, range(0, GROUPS, 12))
    assert two.delete("job/j/n/60").status == 202
    one.start()  # which has read all groups at once, where the others followed them
    push(one, [7])
    wait_until_counted(replicas, 151)
    push(three, range(5))
    stop_all([two, three])
    two.start()
    wait_until_counted(replicas, 156)


def test_a_killed_worker_takes_at_most_its_last_second_of_counts_with_it(replicas: Sequence[Replica]) -> None:
    replica, other, _ = replicas
    push(replica, range(50))
    wait_until_counted(replicas, 50)

    push(replica, range(30))
    for victim in replica.program.workers():
        os.kill(victim, signal.SIGKILL)
    wait_until(lambda: replica.status_of("/-/ready") == 200, "other workers are there")

    kept = counted(other)
    assert 50 <= kept <= 80
    push(replica, range(7))
    wait_until_counted(replicas, kept + 7)
