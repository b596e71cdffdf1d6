"""Real servers on loopback for all tests.

Out: fixtures. The factories (`gateway`, `pushgateway`) start as many servers as a test wants and stop them when it
ends; `shared_gateway` is one running gateway for all tests, empty at the start of each.
Never: needs the network. Without a program (redis-server, prometheus-pushgateway) a test is skipped; with CI=true
in the environment it fails instead.

PGW_COMMAND names another build to test, for example an installed one: PGW_COMMAND="pgw".
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from client import HOST
from hypothesis import HealthCheck, settings
from lines import write_samples
from pushes import INSTANCE, JOB, OTHER
from servers import (
    Program,
    RedisServer,
    Server,
    pgw_command,
    program_path,
    running_redis,
    stop_all,
    unused_port,
    with_flags,
)
from topology import running_topology

from pgw.formats.text_reader import TextReader
from pgw.formats.text_writer import write_head
from pgw.model.grouping import GroupingKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from servers import StartServer
    from topology import Topology

    from pgw.model.family import Exposition


# No test fails because the machine is busy with something else.
settings.register_profile("pgw", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pgw")


@pytest.fixture(autouse=True)
def keys_of_groups_that_nobody_has_pushed() -> None:
    """Let the keys that tests share begin as those of a new worker do."""
    for key in (JOB, OTHER, INSTANCE):
        key.left = b""


def pytest_configure() -> None:
    """Let the gateways that are started here keep their compiled code, whatever the environment says.

    Hundreds are, and where PYTHONDONTWRITEBYTECODE is set, as in many containers, each compiles all of pgw anew.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def redis_process() -> Iterator[RedisServer]:
    """One Redis for all tests; ask for `redis_server` instead, which is empty."""
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_server(redis_process: RedisServer) -> RedisServer:
    """A real Redis without any keys."""
    assert redis_process.command("FLUSHALL") == b"+OK"
    return redis_process


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A real Redis of the test's own, which it may stop, pause and kill; it keeps its data in an append-only file."""
    with running_redis("--appendonly", "yes") as server:
        yield server


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Start gateways with two workers, and storage of their own unless `--redis.url` is among the flags."""
    with _starter(tmp_path_factory, _gateway_command) as start:
        yield start


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """As `gateway`, for those that all tests of a module share."""
    with _starter(tmp_path_factory, _gateway_command) as start:
        yield start


@pytest.fixture(scope="session")
def running_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One gateway for all tests; ask for `shared_gateway` instead, which is empty."""
    with _starter(tmp_path_factory, _gateway_command) as start:
        yield start()


@pytest.fixture
def shared_gateway(running_gateway: Server) -> Server:
    """A running gateway with default settings and without any groups."""
    running_gateway.delete_all_groups()
    return running_gateway


@pytest.fixture
def pushgateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Start Debian's Pushgateway (1.5.1)."""
    with _starter(tmp_path_factory, _pushgateway_command) as start:
        yield start


@pytest.fixture(scope="module")
def pushgateway_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """As `pushgateway`, for those that all tests of a module share."""
    with _starter(tmp_path_factory, _pushgateway_command) as start:
        yield start


@pytest.fixture(scope="session")
def running_pushgateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One original for all tests."""
    with _starter(tmp_path_factory, _pushgateway_command) as start:
        yield start()


@contextmanager
def _starter(directories: pytest.TempPathFactory, command: Callable[[int, Path], list[str]]) -> Iterator[StartServer]:
    started: list[Server] = []

    def start(*flags: str, environ: Mapping[str, str] | None = None) -> Server:
        directory = directories.mktemp("gateway")
        port = unused_port()
        server = Server(Program(with_flags(command(port, directory), flags), directory, environ), port)
        started.append(server)
        server.start()
        return server

    try:
        yield start
        stop_all(started)
    finally:
        for server in started:
            server.destroy()


def _gateway_command(port: int, directory: Path) -> list[str]:
    address = f"--web.listen-address={HOST}:{port}"
    return [*pgw_command(), address, f"--storage.path={directory / 'storage'}", "--workers=2"]


def _pushgateway_command(port: int, directory: Path) -> list[str]:
    path = program_path("prometheus-pushgateway", "prometheus-pushgateway (Debian)")
    return [path, f"--web.listen-address={HOST}:{port}", f"--persistence.file={directory / 'groups'}"]


@pytest.fixture
def reader() -> TextReader:
    return TextReader()


@pytest.fixture
def scraped() -> Callable[[Exposition], str]:
    """The families in their own order, in the group {job="j"}."""
    key = GroupingKey((("job", "j"),))

    def write(exposition: Exposition) -> str:
        return "".join(
            write_head(family.name, family.type, family.help) + write_samples(family, key)
            for family in exposition.families
        )

    return write


@pytest.fixture
def topology() -> Iterator[Topology]:
    """The topology of compose/, a worker each: Redis, three replicas and the balancer, all of the test's own."""
    with running_topology() as running:
        yield running
