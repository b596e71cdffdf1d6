"""Sentinels make another Redis the primary under a load.

Every push was confirmed by a replica of Redis (WAIT), but for the last test. That holds for any way in which the
primary goes, if all its replicas have to confirm; one of two is enough if it dies or hangs, but not in a failover by
hand: for a second or two the old primary goes on with the replica that is left.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from load import loaded_topology
from markers import require_set_back, shown
from primaries import plain, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from primaries import Watched
    from verdict import Tell

NOT_PROMISED = {"reverted"}
"""A push that is not confirmed is answered 503; it may be seen until the failover, and be gone after it."""
CONFIRMED = ("--redis.wait-replicas=1", "--redis.timeout=1s")


@pytest.fixture(scope="module")
def three_processes() -> Iterator[Watched]:
    """Ask for `three_servers` instead, which are empty."""
    with watched(replicas=2) as servers:
        yield servers


@pytest.fixture
def three_servers(three_processes: Watched) -> Watched:
    """A primary with two replicas, of which one may still be on its way back."""
    assert three_processes.primary.command("FLUSHALL") == b"+OK"
    return three_processes


def test_the_primary_is_killed(three_servers: Watched, told: Tell) -> None:
    with loaded_topology(f"--redis.url={three_servers.url}", *CONFIRMED) as (_, load):
        before = three_servers.primary
        before.program.kill_session()
        load.wait_for_refusals()
        three_servers.wait_for_another(before)
        load.wait_for_more(500)
        before.start()
        load.wait_for_more(500)
        verdict = told(load.stop())

    assert set(verdict.harm) <= NOT_PROMISED, verdict


def test_the_primary_hangs_and_comes_back(three_servers: Watched, told: Tell) -> None:
    with loaded_topology(f"--redis.url={three_servers.url}", *CONFIRMED) as (_, load):
        before = three_servers.primary
        before.program.send(signal.SIGSTOP)
        three_servers.wait_for_another(before)
        load.wait_for_more(500)
        before.program.send(signal.SIGCONT)
        load.wait_for_more(500)
        verdict = told(load.stop())

    assert set(verdict.harm) <= NOT_PROMISED, verdict


def test_an_operator_makes_the_only_replica_the_primary(told: Tell) -> None:
    with watched(replicas=1) as servers, loaded_topology(f"--redis.url={servers.url}", *CONFIRMED) as (_, load):
        servers.fail_over()
        load.wait_for_refusals()  # which the new primary has until the old one has become its replica
        verdict = told(load.stop())

    assert set(verdict.harm) <= NOT_PROMISED, verdict


def test_a_replica_that_lacks_the_last_pushes_becomes_the_primary_and_issues_versions_again(told: Tell) -> None:
    with watched(replicas=1) as servers, loaded_topology(f"--redis.url={servers.url}") as (topology, load):
        before, [behind] = servers.primary, servers.replicas
        topology.balancer.put("job/marker", "marker 1\n")
        with plain(before) as client:
            assert client.wait(1, 10_000) == 1
        behind.command("CONFIG", "SET", "masterauth", "not-the-password")  # so that it cannot come back
        before.command("CLIENT", "KILL", "TYPE", "replica")
        topology.balancer.put("job/marker", "marker 2\n")
        topology.balancer.put("job/lost", "lost 1\n")
        load.wait_for_more(500)
        assert all(shown(topology, 2))
        with load.losing():
            before.program.kill_session()
            servers.wait_for_another(before)
        load.wait_for_more(500)
        require_set_back(topology)
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict
