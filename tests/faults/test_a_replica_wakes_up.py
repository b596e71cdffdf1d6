"""A replica hangs with pushes that others then got, and goes on when newer ones are there: it must not undo them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from client import HOST, Client
from load import Load

if TYPE_CHECKING:
    from client import Answer
    from topology import Topology
    from verdict import Tell

RETRY_SECONDS = 10.0
"""`timeout server` in haproxy.cfg: after so long a push is sent again to another replica."""
SHORT_SECONDS = 1.5
"""Of sleep: a push that came just before may have waited for a second more, and five are allowed."""
HELD = [("PUT", "a 1\n"), ("POST", "a 1\n"), ("POST", "a 1\nb 1\n"), ("DELETE", "")] * 4
"""Asked of the replica while it hangs, each in a group of its own, by clients that wait for it."""


def test_a_replica_that_wakes_up_undoes_nothing(three_replicas: Topology, told: Tell) -> None:
    sleeper, *others = three_replicas.replicas
    awake = [(HOST, replica.port) for replica in others]
    with (
        ThreadPoolExecutor(len(HELD)) as pool,
        Load((HOST, three_replicas.balancer.port), awake, large_bytes=0) as load,  # large ones are not sent again
    ):
        sleeper.pause()
        held = [pool.submit(ask, sleeper.port, group, *each) for group, each in enumerate(HELD)]
        load.wait_for_more(500)  # each writer has a push with the one that sleeps soon, which is sent again
        load.rest()
        newer = [three_replicas.balancer.put(f"job/held/n/{group}", "a 2\n").status for group in range(len(HELD))]
        sleeper.resume()
        three_replicas.balancer.wait_for("UP")
        answers = [each.result() for each in held]
        verdict = told(load.stop())

    assert verdict.longest >= RETRY_SECONDS, verdict
    assert verdict.harm == {}, verdict
    assert verdict.unanswered == 0, verdict
    assert newer == [200] * len(HELD)
    assert {(answer.status, "retry-after" in answer.headers) for answer in answers} == {(503, True)}, answers
    lines = others[0].scrape().lines
    assert [f'a{{instance="",job="held",n="{group}"}} 2' in lines for group in range(len(HELD))] == [True] * len(HELD)
    assert not [line for line in lines if line.startswith("b{")]


def test_a_replica_that_wakes_up_soon_does_what_it_was_asked(three_replicas: Topology) -> None:
    sleeper = three_replicas.replicas[0]
    with ThreadPoolExecutor(len(HELD)) as pool:
        sleeper.pause()
        held = [pool.submit(ask, sleeper.port, group, *each) for group, each in enumerate(HELD)]
        time.sleep(SHORT_SECONDS)
        sleeper.resume()
        answers = [each.result().status for each in held]

    assert answers == [202 if method == "DELETE" else 200 for method, _ in HELD]


def ask(port: int, group: int, method: str, body: str) -> Answer:
    """Ask a replica to change a group."""
    return Client(port).request(method, f"/metrics/job/held/n/{group}", body)
