"""Redis forgets its scripts, is killed, hangs, is emptied or goes back in time under a load."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import redis
from client import HOST
from held import files_of, memory_of
from load import Load, loaded_topology
from servers import wait_until
from topology import running_topology

if TYPE_CHECKING:
    from topology import Topology
    from verdict import Tell

MARKER = 'marker{{instance="",job="marker"}} {}'
HANGING_SECONDS = 2.5
"""Five times --redis.timeout of the tests in which Redis hangs."""
MOST_CONNECTIONS = 3 * 2 * 2
"""Three replicas with two workers, and each has a link for reading and one for writing."""
IMPATIENT = "--redis.timeout=500ms"


def test_scripts_are_forgotten_all_the_time(told: Tell) -> None:
    with loaded_topology() as (topology, load):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert topology.redis.command("SCRIPT", "FLUSH") == b"+OK"
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict
    assert (verdict.refused.total(), verdict.unanswered) == (0, 0), verdict


def test_redis_is_killed_and_had_synced_each_write(told: Tell) -> None:
    with loaded_topology(redis_options=("--appendfsync", "always")) as (topology, load):
        for _ in range(2):
            topology.redis.kill()
            load.wait_for_refusals()
            topology.redis.start()
            load.wait_for_more()
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict


def test_redis_hangs_for_longer_than_the_gateways_wait(told: Tell) -> None:
    with loaded_topology(IMPATIENT) as (topology, load):
        topology.redis.pause()
        load.wait_for_refusals()
        time.sleep(HANGING_SECONDS)
        topology.redis.resume()
        load.wait_for_more()
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict


def test_nothing_piles_up_while_redis_hangs(told: Tell) -> None:
    with running_topology(workers=2, flags=(IMPATIENT,)) as topology:
        replica = topology.replicas[0]
        with Load((HOST, replica.port), [(HOST, replica.port)], writers=64) as load:
            before = files_of(replica), memory_of(replica)
            topology.redis.pause()
            load.wait_for_refusals(64 * 4)
            meanwhile = files_of(replica), memory_of(replica)
            topology.redis.resume()
            load.wait_for_more(500)
            wait_until(lambda: connections(topology) <= MOST_CONNECTIONS, "no more connections than links")
            after = files_of(replica), memory_of(replica)
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict
    for files, memory in (meanwhile, after):
        assert files <= before[0] + 64, (before, meanwhile, after)  # one for each writer, should all connect anew
        assert memory <= before[1] + (32 << 20), (before, meanwhile, after)


def test_redis_is_emptied(told: Tell) -> None:
    with loaded_topology() as (topology, load):
        topology.balancer.post("job/marker", "marker 1\n")
        with load.losing():
            assert topology.redis.command("FLUSHALL") == b"+OK"
        for replica in topology.replicas * 4:
            assert MARKER.format(1) not in replica.scrape().lines
        load.wait_for_more(500)
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict
    assert (verdict.refused.total(), verdict.unanswered) == (0, 0), verdict


def test_redis_comes_back_with_an_older_copy_and_issues_versions_again(told: Tell) -> None:
    with loaded_topology(redis_options=("--appendonly", "no")) as (topology, load):
        topology.balancer.post("job/marker", "marker 1\n")
        load.wait_for_more()
        assert topology.redis.command("SAVE") == b"+OK"
        topology.balancer.post("job/marker", "marker 2\n")
        topology.balancer.post("job/lost", "lost 1\n")
        load.wait_for_more()
        with load.losing():
            topology.redis.kill()
            topology.redis.start()
        load.wait_for_more(800)
        for replica in topology.replicas * 4:
            lines = replica.scrape().lines
            assert MARKER.format(1) in lines
            assert not [line for line in lines if line.startswith("lost")]
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict


def connections(topology: Topology) -> int:
    """How many clients Redis has, but for the one that asks."""
    with redis.Redis.from_url(topology.redis.tcp_url) as client:
        return len(client.client_list(_type="normal")) - 1
