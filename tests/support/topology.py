"""Three replicas on one Redis behind HAProxy: the topology of compose/, started natively from the files of compose/.

In: haproxy.cfg, redis.conf, prometheus.yml and the environment of the gateways in compose.yaml, as they are shipped.
Out: a Topology whose parts a test can ask, stop, kill, pause and start again; all on 127.0.0.1.
Never: changes more of these files than the addresses in them; `substituted` refuses any address it was not told of.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from client import HOST, Client
from servers import ROOT, Program, RedisServer, Server, pgw_command, program_path, stop_all, unused_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COMPOSE = ROOT / "compose"
NAMES = ("pgw-1", "pgw-2", "pgw-3")
ADDRESS = re.compile(r"(?<![\w.-])(?:[a-zA-Z][\w.-]*|\d+(?:\.\d+){3}|\*)?:\d{2,5}\b(?![.:])")
"""What stands for an address in the shipped files: `host:port`, or `:port` of a listening socket."""
DOCKER_NAME_SERVER = "127.0.0.11:53"
"""Asked for names only; the native topology has none."""
BACKEND = "replicas"
"""The backend of haproxy.cfg that has the health checks."""


def substituted(text: str, addresses: Mapping[str, str]) -> str:
    """Put other addresses into a shipped file.

    Each address in the text must be known, and each known one must be in the text: a file that changes without the
    test is an error, not a test of something else.
    """
    missing = set(addresses)

    def replace(match: re.Match[str]) -> str:
        address = match[0]
        assert address in addresses, f"address {address!r} is none of {sorted(addresses)}"
        missing.discard(address)
        return addresses[address]

    changed = ADDRESS.sub(replace, text)
    assert not missing, f"these addresses are not in the text: {sorted(missing)}"
    return changed


def replaced(text: str, words: Mapping[str, str]) -> str:
    """Put other words into a shipped file; each must be in it exactly once."""
    for old, new in words.items():
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in the text"
        text = text.replace(old, new)
    return text


class ShippedRedis(RedisServer):
    """The Redis of redis.conf; options come behind it, as on the command line of redis-server."""

    def __init__(self, directory: Path, port: int, *options: str) -> None:
        super().__init__(directory)
        self.port = port
        self.tcp_url = f"redis://{HOST}:{port}"
        binary = program_path("redis-server", "redis-server")
        own = ("--bind", HOST, "--port", str(self.port), "--unixsocket", str(self.socket))
        self.program.command = [binary, str(COMPOSE / "redis.conf"), *own, *options]

    def kill(self) -> None:
        """Kill it with SIGKILL; `start` starts it again with its data."""
        self.program.kill_session()

    def pause(self) -> None:
        """Let it hang, with its connections open."""
        self.program.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, if it is there."""
        if self.program.is_running:
            self.program.send(signal.SIGCONT)


class Replica(Server):
    """One gateway of the topology, asked directly; `start` starts it again on the same port."""

    def __init__(self, name: str, program: Program, port: int) -> None:
        super().__init__(program, port)
        self.name = name

    def wait_until_ready(self) -> None:
        """Wait until it serves; `start` does so by itself."""
        wait_until(self._is_ready, f"{self.name} is ready, see {self.program.log_path}")

    def kill(self) -> None:
        """Kill it with all its workers, with SIGKILL."""
        self.program.kill_session()

    def pause(self) -> None:
        """Let it hang with all its workers, its sockets open."""
        os.killpg(self.program.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, if it is there."""
        if self.program.is_running:
            os.killpg(self.program.pid, signal.SIGCONT)


class Balancer(Server):
    """HAProxy, asked as any client asks the gateway; `own` is where it tells about itself."""

    def __init__(self, program: Program, port: int, own_port: int) -> None:
        super().__init__(program, port)
        self.own = Client(own_port)

    def states(self) -> dict[str, str]:
        """What it thinks of each replica: "UP", "DOWN", or on the way from one to the other ("UP 1/2")."""
        rows = csv.DictReader(self.own.get("/;csv").text.removeprefix("# ").splitlines())
        return {row["svname"]: row["status"] for row in rows if row["pxname"] == BACKEND and row["svname"] in NAMES}

    def wait_for(self, state: str, *replicas: Replica) -> None:
        """Wait until it sees these replicas (all, without any) so."""
        names = [replica.name for replica in replicas] or list(NAMES)
        wait_until(lambda: all(self.states()[name] == state for name in names), f"{names} are {state}")


class Topology:
    """Redis, three replicas and the balancer; Prometheus and redis_exporter when they are asked for."""

    def __init__(
        self, directory: Path, *, workers: int, flags: Sequence[str] = (), redis_options: Sequence[str] = ()
    ) -> None:
        self._directory = directory
        self.redis = ShippedRedis(self._place("redis"), unused_port(), *redis_options)
        self.replicas = [self._replica(name, [f"--workers={workers}", *flags]) for name in NAMES]
        self.balancer = self._balancer()
        self._watchers: list[Server] = []

    @property
    def url(self) -> str:
        """The gateway as clients know it: the balancer."""
        return self.balancer.url

    def start(self) -> None:
        """Start Redis, the replicas and the balancer, and wait until it sends requests to all of them."""
        self.redis.start()
        for replica in self.replicas:
            replica.program.start()
        for replica in self.replicas:
            replica.wait_until_ready()
        self.balancer.start()
        self.balancer.wait_for("UP")

    def start_redis_exporter(self) -> Client:
        """Start what shows the metrics of Redis, on /metrics."""
        path = program_path("prometheus-redis-exporter", "prometheus-redis-exporter (Debian)")
        port = unused_port()
        command = [path, f"-redis.addr={self.redis.tcp_url}", f"-web.listen-address={HOST}:{port}"]
        server = Exporter(Program(command, self._place("redis-exporter")), port)
        return self._watch(server)

    def start_prometheus(self, exporter: Client) -> Client:
        """Start Prometheus with the shipped configuration and alerts; it scrapes each second instead of every 15."""
        path = program_path("prometheus", "prometheus (Debian)")
        directory, port = self._place("prometheus"), unused_port()
        addresses = {
            **self._gateway_addresses(),
            "haproxy:9091": f"{HOST}:{self.balancer.port}",
            "haproxy:8405": f"{HOST}:{self.balancer.own.port}",
            "redis-exporter:9121": f"{HOST}:{exporter.port}",
            "localhost:9090": f"{HOST}:{port}",
        }
        faster = {"scrape_interval: 15s": "scrape_interval: 1s", "scrape_timeout: 12s": "scrape_timeout: 1s",
                  "evaluation_interval: 15s": "evaluation_interval: 1s"}  # fmt: skip
        config = substituted((COMPOSE / "prometheus.yml").read_text(), addresses)
        (directory / "prometheus.yml").write_text(replaced(config, faster))
        shutil.copy(COMPOSE / "alerts.yml", directory)
        flags = (f"--storage.tsdb.path={directory / 'data'}", f"--config.file={directory / 'prometheus.yml'}")
        return self._watch(Server(Program([path, f"--web.listen-address={HOST}:{port}", *flags], directory), port))

    def stop(self) -> None:
        """Stop what runs, as init would; each gateway must end well, also one that a failed test has left paused."""
        self.redis.resume()
        for replica in self.replicas:
            replica.resume()
        for server in [*self._watchers, self.balancer]:
            if server.program.is_running:
                server.program.end(signal.SIGTERM)
        stop_all(self.replicas)

    def destroy(self) -> None:
        """Leave nothing running, however a test ended."""
        for server in [*self._watchers, self.balancer, *self.replicas]:
            server.program.kill_session()
        self.redis.program.kill_session()

    def _watch(self, server: Server) -> Server:
        self._watchers.append(server)
        server.start()
        return server

    def _place(self, name: str) -> Path:
        place = self._directory / name
        place.mkdir()
        return place

    def _gateway_addresses(self) -> dict[str, str]:
        return {f"{replica.name}:9091": f"{HOST}:{replica.port}" for replica in self.replicas}

    def _replica(self, name: str, flags: Sequence[str]) -> Replica:
        port = unused_port()
        command = [*pgw_command(), f"--web.listen-address={HOST}:{port}", *flags]
        environ = gateway_environment(name, {"redis:6379": f"{HOST}:{self.redis.port}"})
        return Replica(name, Program(command, self._place(name), environ), port)

    def _balancer(self) -> Balancer:
        directory, port, own_port = self._place("haproxy"), unused_port(), unused_port()
        command = haproxy_command(directory, self._gateway_addresses(), f"{HOST}:{port}", f"{HOST}:{own_port}")
        return Balancer(Program(command, directory), port, own_port)


class Exporter(Server):
    """redis_exporter: ready when it knows Redis."""

    def _is_ready(self) -> bool:
        assert self.program.is_running, self.program.log
        return self.status_of("/metrics") == 200 and "redis_up 1" in self.get("/metrics").text


def haproxy_command(directory: Path, gateways: Mapping[str, str], front: str, own: str) -> list[str]:
    """Write haproxy.cfg as it is shipped, with other addresses; the words that start it.

    Args:
        directory: for the file.
        gateways: the address of each in the shipped file -> where it is.
        front: the address for clients.
        own: the address where it tells about itself.
    """
    addresses = {**gateways, ":9091": front, ":8405": own, DOCKER_NAME_SERVER: DOCKER_NAME_SERVER}
    config = directory / "haproxy.cfg"
    config.write_text(substituted((COMPOSE / "haproxy.cfg").read_text(), addresses))
    # As the official image starts it, with a master process.
    return [program_path("haproxy", "haproxy"), "-W", "-db", "-f", str(config)]


def gateway_environment(name: str, addresses: Mapping[str, str], file: str = "compose.yaml") -> dict[str, str]:
    """The variables that a compose file gives to a gateway, with other addresses."""
    services = yaml.safe_load((COMPOSE / file).read_text())["services"]
    lines = "\n".join(f"{variable}={value}" for variable, value in services[name]["environment"].items())
    return dict(line.split("=", 1) for line in substituted(lines, addresses).split("\n"))


@contextmanager
def running_topology(
    *, workers: int = 1, flags: Sequence[str] = (), redis_options: Sequence[str] = ()
) -> Iterator[Topology]:
    """Start a topology; at the end each gateway that still runs must stop well, and nothing is left.

    Args:
        workers: of each replica.
        flags: more flags of pgw, for all replicas.
        redis_options: more options of redis-server, which beat those of redis.conf.
    """
    # Not tmp_path: the path of a unix socket may have 107 bytes at most.
    directory = Path(tempfile.mkdtemp(prefix="pgw-topology-"))
    topology = Topology(directory, workers=workers, flags=flags, redis_options=redis_options)
    try:
        topology.start()
        yield topology
        topology.stop()
    finally:
        topology.destroy()
        shutil.rmtree(directory)
