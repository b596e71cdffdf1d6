"""Redis forgets its scripts, is killed, hangs, is emptied or goes back in time under a load."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import redis
from client import HOST, Client
from held import files_of, memory_of
from load import Load, load_on, loaded_topology
from markers import require_set_back, shown
from servers import wait_until

if TYPE_CHECKING:
    from servers import RedisServer
    from topology import Topology
    from verdict import Tell

HANGING_SECONDS = 2.5
"""Five times --redis.timeout of the tests in which Redis hangs."""
MOST_CONNECTIONS = 3 * 2 * 2
"""Three replicas with two workers, and each has a link for reading and one for writing."""
SCRAPES = 120
"""At once, of two workers. One after the other they would take half a minute, as --redis.timeout is half a second."""
SCRAPE_PATIENCE = 25.0
"""Seconds; who waits longer has waited for the scrapes of others."""


def test_scripts_are_forgotten_all_the_time(three_replicas: Topology, told: Tell) -> None:
    with load_on(three_replicas) as load:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert three_replicas.redis.command("SCRIPT", "FLUSH") == b"+OK"
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


def test_redis_hangs_for_longer_than_the_gateways_wait(three_replicas: Topology, told: Tell) -> None:
    with load_on(three_replicas) as load:
        three_replicas.redis.pause()
        load.wait_for_refusals()
        time.sleep(HANGING_SECONDS)
        three_replicas.redis.resume()
        load.wait_for_more()
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict


def test_nothing_piles_up_while_redis_hangs(three_replicas: Topology, told: Tell) -> None:
    replica, redis_server = three_replicas.replicas[0], three_replicas.redis
    with Load((HOST, replica.port), [(HOST, replica.port)], writers=64) as load:
        before = files_of(replica), memory_of(replica)
        redis_server.pause()
        load.wait_for_refusals(64 * 4)
        meanwhile = files_of(replica), memory_of(replica)
        redis_server.resume()
        load.wait_for_more(500)
        wait_until(lambda: connections(redis_server) <= MOST_CONNECTIONS, "no more connections than links")
        after = files_of(replica), memory_of(replica)
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict
    for files, memory in (meanwhile, after):
        assert files <= before[0] + 64, (before, meanwhile, after)  # one for each writer, should all connect anew
        assert memory <= before[1] + (32 << 20), (before, meanwhile, after)  # 64 pushes that wait are 5 MB


def test_scrapes_that_come_together_while_redis_hangs_fail_together(three_replicas: Topology) -> None:
    client = Client(three_replicas.replicas[0].port, timeout=SCRAPE_PATIENCE)
    three_replicas.redis.pause()
    with ThreadPoolExecutor(SCRAPES) as pool:
        answers = list(pool.map(lambda _: client.get("/metrics").status, range(SCRAPES)))
    three_replicas.redis.resume()

    assert answers == [503] * SCRAPES


def test_redis_is_emptied(three_replicas: Topology, told: Tell) -> None:
    with load_on(three_replicas) as load:
        three_replicas.balancer.post("job/marker", "marker 1\n")
        with load.losing():
            assert three_replicas.redis.command("FLUSHALL") == b"+OK"
        assert not any(shown(three_replicas, 1))
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
        require_set_back(topology)
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict


def connections(server: RedisServer) -> int:
    """How many clients a Redis has, but for the one that asks."""
    with redis.Redis.from_url(server.tcp_url) as client:
        return len(client.client_list(_type="normal")) - 1
