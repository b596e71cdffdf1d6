"""The app that most tests of this folder ask; those that want one with flags or groups have a `client` of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from apps import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from apps import Client
    from servers import RedisServer


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[Client]:
    """An app with default settings on an empty Redis."""
    async with served(redis_server.url) as made:
        yield made
