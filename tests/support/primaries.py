"""Redis on more than one server: a primary with replicas and sentinels, and a cluster.

In: a directory.  Out: running servers, and what a test does to them.
Never: is fast to set up; each is made once for the tests of a module.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
from client import HOST
from servers import Program, RedisServer, program_path, unused_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = "groups"
DOWN_AFTER = 500
"""Milliseconds after which a server that does not answer counts as down: soon, for tests that wait for it."""
FAILOVER = 1500
"""Milliseconds for a failover; sentinels begin another only after twice as long."""
SENTINELS = 3
SLOTS = 16384


def plain(server: RedisServer) -> redis.Redis:
    """A client of one server."""
    return redis.Redis(host=HOST, port=server.port, protocol=2, decode_responses=True, socket_timeout=10)


def role(server: RedisServer) -> str:
    """What a server says that it is; empty if it does not answer."""
    with suppress(redis.RedisError, OSError), plain(server) as client:
        return str(client.role()[0])
    return ""


class Sentinel:
    """One sentinel."""

    def __init__(self, directory: Path, primary: RedisServer) -> None:
        self.port = unused_port()
        file = directory / "sentinel.conf"
        file.write_text(
            f"port {self.port}\nbind {HOST}\nsentinel monitor {SERVICE} {HOST} {primary.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER}\nsentinel failover-timeout {SERVICE} {FAILOVER}\n"
        )
        binary = program_path("redis-server", "redis-server")
        self.program = Program((binary, str(file), "--sentinel"), directory)

    def knows(self) -> dict[str, Any]:
        """What it knows of the service."""
        with redis.Redis(host=HOST, port=self.port, protocol=2, decode_responses=True) as client:
            found: dict[str, dict[str, Any]] = client.sentinel_masters()
            return found[SERVICE]


class Watched:
    """A primary, its replicas, and the sentinels that watch them."""

    def __init__(self, directory: Path, *options: str, replicas: int = 1) -> None:
        self._directory = directory
        primary = RedisServer(self._place("redis-0"), *options)
        copying = ("--replicaof", HOST, str(primary.port))
        self.servers = [
            primary,
            *(RedisServer(self._place(f"redis-{number + 1}"), *options, *copying) for number in range(replicas)),
        ]
        self.sentinels = [Sentinel(self._place(f"sentinel-{number}"), primary) for number in range(SENTINELS)]
        self.url = f"redis+sentinel://{','.join(f'{HOST}:{each.port}' for each in self.sentinels)}/{SERVICE}"

    @property
    def primary(self) -> RedisServer:
        """The server that the sentinels name."""
        for sentinel in self.sentinels:
            with suppress(redis.RedisError, OSError):
                port = sentinel.knows()["port"]
                return next(server for server in self.servers if server.port == port)
        raise AssertionError("no sentinel answers")

    @property
    def replicas(self) -> list[RedisServer]:
        """All other servers."""
        primary = self.primary
        return [server for server in self.servers if server is not primary]

    def start(self) -> None:
        """Start all and wait until the sentinels know each other and the replicas."""
        for server in self.servers:
            server.start()
        for sentinel in self.sentinels:
            sentinel.program.start()
        wait_until(self._is_complete, "the sentinels know each other and all replicas")

    def fail_over(self) -> None:
        """Let the sentinels make another server the primary, as an operator would."""
        before = self.primary
        with redis.Redis(host=HOST, port=self.sentinels[0].port, protocol=2) as client:
            client.execute_command("SENTINEL", "FAILOVER", SERVICE)
        self.wait_for_another(before)

    def wait_for_another(self, before: RedisServer) -> None:
        """Wait until all sentinels name another primary, and it is one."""

        def is_done() -> bool:
            ports = {each.knows()["port"] for each in self.sentinels}
            return ports.isdisjoint({before.port}) and len(ports) == 1 and role(self.primary) == "master"

        wait_until(is_done, "another server is the primary")

    def wait_until_copied(self) -> None:
        """Wait until all other servers are replicas of the primary, and up to date."""
        wait_until(lambda: all(map(self._is_copying, self.replicas)), "all others copy the primary")

    def destroy(self) -> None:
        """Leave nothing running."""
        for program in [each.program for each in self.sentinels] + [each.program for each in self.servers]:
            program.kill_session()

    def _place(self, name: str) -> Path:
        place = self._directory / name
        place.mkdir()
        return place

    def _is_complete(self) -> bool:
        with suppress(redis.RedisError, OSError):
            known = [sentinel.knows() for sentinel in self.sentinels]
            others, replicas = SENTINELS - 1, len(self.servers) - 1
            return all(
                (each["num-other-sentinels"], each["num-slaves"]) == (others, replicas) and not each["is_sdown"]
                for each in known
            ) and all(self._is_copying(server) for server in self.servers[1:])
        return False

    @staticmethod
    def _is_copying(server: RedisServer) -> bool:
        with plain(server) as client:
            return bool(client.info("replication").get("master_link_status") == "up")


class Cluster:
    """Three primaries that share the slots, and one replica of each."""

    def __init__(self, directory: Path) -> None:
        self.servers = []
        for number in range(6):
            place = directory / f"node-{number}"
            place.mkdir()
            options = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(2 * DOWN_AFTER))
            self.servers.append(self._node(place, *options, "--cluster-replica-validity-factor", "0"))
        self.url = f"redis+cluster://{','.join(f'{HOST}:{each.port}' for each in self.servers[:3])}"

    def start(self) -> None:
        """Start the nodes, deal out the slots and wait until all agree."""
        for server in self.servers:
            server.start()
        clients = [plain(server) for server in self.servers]
        for number, client in enumerate(clients[:3]):
            client.execute_command("CLUSTER", "ADDSLOTS", *range(number, SLOTS, 3))  # type: ignore[no-untyped-call]
        for client in clients:
            client.execute_command("CLUSTER", "MEET", HOST, self.servers[0].port)  # type: ignore[no-untyped-call]
        wait_until(lambda: all(self._size(client) == 6 for client in clients), "the nodes have met")
        for primary, replica in zip(clients[:3], clients[3:], strict=True):
            name = primary.execute_command("CLUSTER", "MYID")  # type: ignore[no-untyped-call]
            replica.execute_command("CLUSTER", "REPLICATE", name)  # type: ignore[no-untyped-call]
        wait_until(lambda: all(map(self._is_well, clients)), "the cluster is well")
        wait_until(lambda: all(Watched._is_copying(each) for each in self.servers[3:]), "the replicas copy")
        for client in clients:
            client.close()

    def holders(self, key: str) -> tuple[RedisServer, RedisServer]:
        """The primary of a key and its replica."""
        slot = redis.crc.key_slot(key.encode())
        pair = (self.servers[slot % 3], self.servers[slot % 3 + 3])
        return pair if role(pair[0]) == "master" else pair[::-1]

    def destroy(self) -> None:
        """Leave nothing running."""
        for each in self.servers:
            each.program.kill_session()

    @staticmethod
    def _node(place: Path, *options: str) -> RedisServer:
        """A server whose port leaves room for that of the cluster, which is 10,000 above it."""
        return next(node for _ in count() if (node := RedisServer(place, *options)).port < 2**16 - 10_000)

    @staticmethod
    def _size(client: redis.Redis) -> int:
        return int(client.cluster("INFO")["cluster_known_nodes"])

    @staticmethod
    def _is_well(client: redis.Redis) -> bool:
        return bool(client.cluster("INFO")["cluster_state"] == "ok")


@contextmanager
def watched(*options: str, replicas: int = 1) -> Iterator[Watched]:
    """A primary with replicas and sentinels, as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="pgw-watched-", ignore_cleanup_errors=True) as directory:
        servers = Watched(Path(directory), *options, replicas=replicas)
        try:
            servers.start()
            yield servers
        finally:
            servers.destroy()


@contextmanager
def clustered() -> Iterator[Cluster]:
    """A cluster, as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="pgw-cluster-", ignore_cleanup_errors=True) as directory:
        cluster = Cluster(Path(directory))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.destroy()
