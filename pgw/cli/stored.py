"""The store as commands use it: opened for a while, read in slices.

In: settings.
Out: a store; groups, a slice at a time, so that very many take little memory.
Never: starts a private Redis; where none runs there is nothing to look at.
"""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from pgw import embedded
from pgw.app import open_store
from pgw.cli.progress import Progress
from pgw.cli.words import Choice
from pgw.errors import PgwError, StoreUnavailable
from pgw.gateway.restore import Restorer
from pgw.gateway.rules import Rules
from pgw.model.group import Group
from pgw.model.grouping import GroupingKey
from pgw.settings import Settings
from pgw.store.base import Store
from pgw.telemetry.shared import OWN_TYPES

AT_ONCE = 200
"""Groups read in one go."""

CONNECTION_LOG = "pgw.store.link"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """The store that the settings name.

    Raises:
        PgwError: the private Redis that they mean is not running, or Redis cannot be used while the store is open.
    """
    if settings.redis_url is None and not embedded.is_running(settings.storage_path):
        raise PgwError(
            f"no gateway is running on {settings.storage_path} (--storage.path), so its private Redis cannot be "
            "asked; for a Redis of your own give --redis.url"
        )
    store = open_store(settings)
    try:
        with _unlogged():
            yield store
    except StoreUnavailable as error:
        reason = f": {error.__cause__}" if error.__cause__ else ""
        raise PgwError(f"{error}{reason}") from error
    finally:
        await store.close()


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep what a gateway logs of its connection off stderr: the one sentence of the command says it."""
    log = logging.getLogger(CONNECTION_LOG)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def restorer(store: Store, settings: Settings) -> Restorer:
    """What writes groups back into a store, by the rules of its gateway."""
    return Restorer(store, Rules(OWN_TYPES, settings.check_consistency, settings.push_limits))


async def chosen_names(store: Store, choice: Choice) -> list[str]:
    """The names of the groups that were asked for, sorted."""
    return [name for name in await store.names() if choice(GroupingKey.from_name(name))]


async def slices(store: Store, names: list[str], what: str, *, stays: bool) -> AsyncIterator[list[Group]]:
    """The groups of these names, in this order; those that were deleted since the names were read are left out.

    Args:
        store: where they are.
        names: which.
        what: what is done to them, for those who watch.
        stays: whether they still see it when all is done.
    """
    with Progress(what, len(names), stays=stays) as progress:
        for start in range(0, len(names), AT_ONCE):
            part = names[start : start + AT_ONCE]
            yield [group for group in await store.groups(part) if group is not None]
            progress.add(len(part))
