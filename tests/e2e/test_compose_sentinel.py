"""compose.sentinel.yaml: its Redis servers and sentinels, started by its own commands, and a gateway on them.

In: the commands and the environment of compose.sentinel.yaml, redis.conf and sentinel.conf, with other addresses.
Out: that the death of the primary loses nothing that was acknowledged. More ways to fail over: tests/faults.
Never: needs a container engine.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import redis
import yaml
from client import HOST
from servers import Program, Server, pgw_command, program_path, stop_all, unused_port, wait_until
from topology import COMPOSE, gateway_environment, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FILE = "compose.sentinel.yaml"
REDIS_NAMES = ("redis", "redis-2", "redis-3")
SENTINEL_NAMES = ("sentinel-1", "sentinel-2", "sentinel-3")


class Started:
    """The services of compose.sentinel.yaml, each in a directory of its own, which is its volume."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.gateway_port = unused_port()
        self.ports = {name: unused_port() for name in REDIS_NAMES + SENTINEL_NAMES}
        self._binary = program_path("redis-server", "redis-server")
        redises = {name: self._service(name, self._redis_words(name)) for name in REDIS_NAMES}
        sentinels = {name: self._service(name, self._sentinel_words(name)) for name in SENTINEL_NAMES}
        self.programs = {**redises, **sentinels}
        self.gateway = self._gateway()

    def start(self) -> None:
        """Start all, each when what it depends on is well."""
        for name in REDIS_NAMES:
            self.programs[name].start()
        wait_until(lambda: self.ask("redis", "ROLE")[2:] != [] and len(self.ask("redis", "ROLE")[2]) == 2, "two copy")
        for name in SENTINEL_NAMES:
            self.programs[name].start()
        wait_until(lambda: all(map(self._is_complete, SENTINEL_NAMES)), "the sentinels know each other and all copies")
        self.gateway.start()

    def ask(self, name: str, *words: str) -> Any:  # noqa: ANN401  whatever Redis answers
        """What a server answers to a command; nothing without an answer."""
        with suppress(redis.RedisError), redis.Redis(HOST, self.ports[name], protocol=2, socket_timeout=5) as client:
            return client.execute_command(*words)
        return []

    def primary(self) -> str:
        """The name of the server that the sentinels take for the primary."""
        found = self.ask(SENTINEL_NAMES[0], "SENTINEL GET-MASTER-ADDR-BY-NAME", "pgw")
        return next(name for name, port in self.ports.items() if port == int(found[1]))

    def destroy(self) -> None:
        """Leave nothing running."""
        for program in (self.gateway.program, *self.programs.values()):
            program.kill_session()

    def _is_complete(self, sentinel: str) -> bool:
        found = self.ask(sentinel, "SENTINEL MASTER", "pgw")
        return bool(found) and (found["num-other-sentinels"], found["num-slaves"]) == (2, 2)

    def _service(self, name: str, words: Mapping[str, str]) -> Program:
        shell, options, script = yaml.safe_load((COMPOSE / FILE).read_text())["services"][name]["command"]
        command = [shell, options, replaced(script.replace("$$", "$"), words)]
        return Program(command, self._place(name), {"HOSTNAME": name})

    def _redis_words(self, name: str) -> dict[str, str]:
        return {
            "/usr/local/etc/redis/redis.conf": str(COMPOSE / "redis.conf"),
            "replica-announce-ip $HOSTNAME": f"replica-announce-ip {HOST}",
            "replicaof redis 6379": f"replicaof {HOST} {self.ports['redis']}",
            "redis-server redis.conf": f"{self._binary} redis.conf --bind {HOST} --port {self.ports[name]}",
        }

    def _sentinel_words(self, name: str) -> dict[str, str]:
        words = {
            "bind * -::*": f"bind {HOST}",
            "port 26379": f"port {self.ports[name]}",
            "monitor pgw redis 6379 2": f"monitor pgw {HOST} {self.ports['redis']} 2",
        }
        config = self._place(f"{name}-config") / "sentinel.conf"
        config.write_text(replaced((COMPOSE / "sentinel.conf").read_text(), words))
        return {
            "/usr/local/etc/redis/sentinel.conf": str(config),
            "announce-ip $HOSTNAME": f"announce-ip {HOST}",
            "redis-sentinel sentinel.conf": f"{self._binary} sentinel.conf --sentinel",
        }

    def _gateway(self) -> Server:
        addresses = {f"{name}:26379": f"{HOST}:{self.ports[name]}" for name in SENTINEL_NAMES}
        command = [*pgw_command(), f"--web.listen-address={HOST}:{self.gateway_port}", "--workers=1"]
        environ = gateway_environment("pgw-1", addresses, FILE)
        return Server(Program(command, self._place("pgw-1"), environ), self.gateway_port)

    def _place(self, name: str) -> Path:
        place = self._directory / name
        place.mkdir()
        return place


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """All services, ready."""
    services = Started(tmp_path)
    try:
        services.start()
        yield services
        stop_all([services.gateway])
    finally:
        services.destroy()


def test_the_death_of_the_primary_loses_nothing_that_was_acknowledged(started: Started) -> None:
    gateway = started.gateway
    for number in range(50):
        assert gateway.post(f"job/j/n/{number}", f"a {number}\n").status == 200

    started.programs["redis"].kill_session()
    during = gateway.post("job/during", "a 1\n")
    wait_until(lambda: gateway.post("job/after", "a 1\n").status == 200, "pushes are accepted again")

    assert (during.status, during.headers["retry-after"]) == (503, "1")
    assert started.primary() != "redis"
    names = {dict(labels).get("n") for labels in gateway.scrape().groups()}
    assert {str(number) for number in range(50)} <= names

    started.programs["redis"].start()
    wait_until(lambda: started.ask("redis", "ROLE")[:1] == [b"slave"], "the old primary copies the new one")
    assert gateway.post("job/after", "a 2\n").status == 200


def test_a_primary_that_nobody_copies_refuses_pushes(started: Started) -> None:
    assert started.gateway.post("job/j", "a 1\n").status == 200
    for name in ("redis-2", "redis-3"):
        started.programs[name].kill_session()

    answer = started.gateway.post("job/j", "a 2\n")

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    started.programs["redis-2"].start()
    wait_until(lambda: started.gateway.post("job/j", "a 3\n").status == 200, "one copies it again")
