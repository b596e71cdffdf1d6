"""Three replicas, Redis and the balancer on machines of their own, and a cable between two of them is cut."""

from __future__ import annotations

import csv
import http.client
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from load import WRITERS, Load
from namespaces import machines
from servers import Program, pgw_command, program_path, wait_until
from topology import BACKEND, COMPOSE, NAMES, gateway_environment, haproxy_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from namespaces import Machine
    from verdict import Tell

GATEWAY, OWN, REDIS = 9091, 8405, 6379
TIMEOUT = "--redis.timeout=1s"
PUSH_BYTES = 200
"""Fewer than a push has on its way to Redis, and more than anything else that a worker asks."""


class Separate:
    """The topology of compose/, each part on a machine of its own."""

    def __init__(self, directory: Path, redis: Machine, balancer: Machine, replicas: list[Machine]) -> None:
        self._directory = directory
        self.redis, self.balancer, self.replicas = redis, balancer, replicas
        self._programs = [self._redis(), *map(self._replica, NAMES, replicas), self._balancer()]

    def start(self) -> None:
        """Start all, and wait until the balancer has all replicas."""
        for program in self._programs:
            program.start()
        wait_until(lambda: self.states() == ["UP"] * len(NAMES), "the balancer has all replicas")

    def states(self) -> list[str]:
        """What the balancer thinks of each replica."""
        text = get(self.balancer, OWN, "/;csv")[1].removeprefix("# ")
        rows = [row for row in csv.DictReader(text.splitlines()) if row["pxname"] == BACKEND]
        return [row["status"] for row in rows if row["svname"] in NAMES]

    def stop(self) -> None:
        """Stop all; the gateways must end well."""
        for program in reversed(self._programs[1:]):
            program.send(signal.SIGTERM)
        for program in self._programs[1:4]:
            assert program.wait() == 0, program.log
            assert "Traceback" not in program.log, program.log

    def destroy(self) -> None:
        """Leave nothing running."""
        for program in self._programs:
            program.kill_session()

    def _redis(self) -> Program:
        binary = program_path("redis-server", "redis-server")
        words = [binary, str(COMPOSE / "redis.conf"), "--bind", self.redis.address, "--appendfsync", "always"]
        return Program(self.redis.command(words), self._place("redis"))

    def _replica(self, name: str, machine: Machine) -> Program:
        words = [*pgw_command(), f"--web.listen-address={machine.address}:{GATEWAY}", "--workers=1", TIMEOUT]
        environ = gateway_environment(name, {"redis:6379": f"{self.redis.address}:{REDIS}"})
        return Program(machine.command(words), self._place(name), environ)

    def _balancer(self) -> Program:
        directory, own = self._place("haproxy"), self.balancer.address
        gateways = {
            f"{name}:9091": f"{each.address}:{GATEWAY}" for name, each in zip(NAMES, self.replicas, strict=True)
        }
        words = haproxy_command(directory, gateways, f"{own}:{GATEWAY}", f"{own}:{OWN}")
        return Program(self.balancer.command(words), directory)

    def _place(self, name: str) -> Path:
        place = self._directory / name
        place.mkdir()
        return place


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Separate]:
    """The topology, started."""
    with machines("redis", "haproxy", *NAMES) as (redis, balancer, *replicas):
        parts = Separate(tmp_path_factory.mktemp("machines"), redis, balancer, replicas)
        try:
            parts.start()
            yield parts
            parts.stop()
        finally:
            parts.destroy()


def test_a_replica_that_cannot_reach_redis_leaves_the_balancer_and_comes_back(parts: Separate, told: Tell) -> None:
    lonely, *others = parts.replicas
    scraped = [(machine.address, GATEWAY) for machine in parts.replicas]
    with Load((parts.balancer.address, GATEWAY), scraped) as load:
        lonely.cut_off(parts.redis)
        wait_until(lambda: parts.states() == ["DOWN", "UP", "UP"], "the lonely replica is out, and no other")
        assert get(lonely, GATEWAY, "/-/ready")[0] == 503
        assert get(lonely, GATEWAY, "/-/healthy")[0] == 200
        assert [get(machine, GATEWAY, "/-/ready")[0] for machine in others] == [200, 200]
        refused = load.verdict.refused.total()
        load.wait_for_more(500)
        refused_by_others = load.verdict.refused.total() - refused
        lonely.reconnect(parts.redis)
        wait_until(lambda: parts.states() == ["UP"] * 3, "the replica is back")
        load.wait_for_more(500)
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict
    assert verdict.unanswered == 0, verdict
    assert refused_by_others <= WRITERS, verdict  # that each may still have had with the lonely one


def test_a_push_that_was_refused_because_of_the_network_does_not_come_after_a_newer_one(parts: Separate) -> None:
    lonely, other, _ = parts.replicas
    assert push(lonely, "marker 1\n") == 200
    lonely.cut_off(parts.redis)
    assert push(lonely, "marker 2\n") == 503
    assert push(other, "marker 3\n") == 200
    assert lonely.orphaned_bytes() > PUSH_BYTES  # the kernel goes on sending it
    lonely.reconnect(parts.redis)
    wait_until(lambda: lonely.orphaned_bytes() == 0, "Redis has got what the lonely replica had sent")

    assert 'marker{instance="",job="marker"} 3\n' in get(other, GATEWAY, "/metrics")[1]


def get(machine: Machine, port: int, path: str) -> tuple[int, str]:
    """Status and body of an answer; 0 without one."""
    return _ask(machine, port, "GET", path, "")


def push(machine: Machine, body: str) -> int:
    """Push to the marker group; the status of the answer."""
    return _ask(machine, GATEWAY, "PUT", "/metrics/job/marker", body)[0]


def _ask(machine: Machine, port: int, method: str, path: str, body: str) -> tuple[int, str]:
    try:
        with closing(http.client.HTTPConnection(machine.address, port, timeout=20)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""
