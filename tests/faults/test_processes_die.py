"""Workers and replicas die, or are restarted, under a load that goes through the balancer."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from load import load_on
from servers import wait_until

if TYPE_CHECKING:
    from topology import Topology
    from verdict import Tell


def test_a_replica_is_killed_and_comes_back(three_replicas: Topology, told: Tell) -> None:
    with load_on(three_replicas) as load:
        for replica in three_replicas.replicas[:2]:
            replica.kill()
            load.wait_for_more(500)
            replica.start()
            load.wait_for_more(200)
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict


def test_workers_are_killed(three_replicas: Topology, told: Tell) -> None:
    with load_on(three_replicas) as load:
        for replica in three_replicas.replicas * 2:
            victim = replica.program.workers()[0]
            os.kill(victim, signal.SIGKILL)
            load.wait_for_more(100)
            wait_until(
                lambda r=replica, v=victim: len(now := r.program.workers()) == 2 and v not in now,  # type: ignore[misc]
                "the worker is replaced",
            )
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict


def test_all_replicas_are_restarted_in_turn_and_no_push_fails(three_replicas: Topology, told: Tell) -> None:
    with load_on(three_replicas) as load:
        for replica in three_replicas.replicas:
            replica.stop()
            load.wait_for_more(100)
            replica.start()
            three_replicas.balancer.wait_for("UP")
            load.wait_for_more(100)
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict
    assert (verdict.refused.total(), verdict.unanswered) == (0, 0), verdict
