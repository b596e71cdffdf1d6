"""The app of one worker, asked without a server.

In: the URL of a Redis, and flags.
Out: a client of the app, as long as a context lasts.
Never: starts a server.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from falcon import testing

from pgw.app import create_app
from pgw.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Client = testing.ASGIConductor


@asynccontextmanager
async def served(url: str, *flags: str) -> AsyncIterator[Client]:
    """An app on this Redis."""
    async with testing.ASGIConductor(create_app(Settings.read([f"--redis.url={url}", *flags], {}))) as client:
        yield client
