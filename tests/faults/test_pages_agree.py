"""All replicas show the same page, byte for byte, and their own counters stay right when replicas come and go."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

from servers import stop_all, wait_until

if TYPE_CHECKING:
    from client import Client
    from topology import Topology

COUNTED = re.compile(
    r'^pushgateway_http_requests_total\{code="200",handler="push",method="post"\} (\d+)$', re.MULTILINE
)
SETTLING_SECONDS = 3.0
"""Counters are handed over once a second, see pulse.py; what is asked for here takes two of these beats at most."""


def push(server: Client, number: int) -> None:
    """Push to so many groups, one after the other."""
    for each in range(number):
        assert server.post(f"job/j/n/{each}", f"# TYPE a counter\na {each}\nb {each}\n").status == 200


def counted(server: Client) -> int:
    """How many pushes a page counts."""
    found = COUNTED.search(server.get("/metrics").text)
    return int(found[1]) if found else 0


def wait_until_counted(topology: Topology, number: int) -> None:
    """Wait until all workers of all replicas show the same page, and it counts so many pushes."""

    def is_settled() -> bool:
        pages = {replica.get("/metrics").body for replica in topology.replicas * 4 if replica.program.is_running}
        return len(pages) == 1 and f'method="post"}} {number}\n'.encode() in pages.pop()

    wait_until(is_settled, f"all pages are the same and count {number} pushes", SETTLING_SECONDS)


def test_pages_are_the_same_bytes_and_count_all_pushes_while_replicas_come_and_go(topology: Topology) -> None:
    push(topology.balancer, 100)
    wait_until_counted(topology, 100)

    one, two, three = topology.replicas
    push(one, 20)
    one.stop()  # which hands over what it has counted
    wait_until_counted(topology, 120)
    push(two, 10)
    one.start()
    push(one, 1)
    wait_until_counted(topology, 131)
    push(three, 5)
    stop_all([two, three])
    two.start()
    wait_until_counted(topology, 136)


def test_a_killed_worker_takes_at_most_its_last_second_of_counts_with_it(topology: Topology) -> None:
    replica = topology.replicas[0]
    push(replica, 50)
    wait_until_counted(topology, 50)

    push(replica, 30)
    [victim] = replica.program.workers()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: replica.status_of("/-/ready") == 200, "another worker is there")

    kept = counted(topology.replicas[1])
    assert 50 <= kept <= 80
    push(replica, 7)
    wait_until_counted(topology, kept + 7)
