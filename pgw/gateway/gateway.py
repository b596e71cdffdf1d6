"""Push, replace, delete, scrape: the product on one page.

In: grouping keys and expositions, as read from requests.
Out: nothing, or the reason why not; pages.
Never: knows about HTTP, or how groups are stored.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from itertools import islice

from pgw.errors import InconsistentPush, StoreUnavailable
from pgw.formats.escaping import Scheme
from pgw.formats.forms import Filled
from pgw.gateway.commit import Commit, Commits
from pgw.gateway.desk import Desk
from pgw.gateway.known import Known
from pgw.gateway.lifetime import FOR_EVER, Lifetimes
from pgw.gateway.limits import UNLIMITED, PushLimits
from pgw.gateway.mirror import SLICE_GROUPS, Mirror, Snapshot
from pgw.gateway.removal import Removal, Step, remove_groups
from pgw.gateway.rules import Rules
from pgw.model.family import Exposition, Family, Type
from pgw.model.group import Group
from pgw.model.grouping import GroupingKey
from pgw.store.base import Store, Write
from pgw.view.page import Page

LONG_SERIES = 2_000
"""Metrics from which on a push is prepared in a thread: about 10 ms, so that the pushes of others wait no longer.
One of 150,000 had held the event loop for seconds on a slow machine, and was refused because it might have waited."""
LOAD_PATIENCE = 0.8
"""Seconds that the question whether we are ready waits for the view of a worker that takes the place of another: 20,000
small groups are loaded in it, and Kubernetes takes no answer within a second for a no."""


class Gateway:
    """The gateway of one worker."""

    def __init__(  # noqa: PLR0913  all that is configured about it
        self,
        store: Store,
        mirror: Mirror,
        *,
        own: Mapping[str, Type],
        checked: bool,
        lifetimes: Lifetimes = FOR_EVER,
        limits: PushLimits = UNLIMITED,
    ) -> None:
        """Make a gateway.

        Args:
            store: where groups are kept.
            mirror: what scrapes are made of.
            own: the types of the gateway's own families.
            checked: whether pushes are checked for consistency with what is stored.
            lifetimes: how long groups live.
            limits: how large a push may be.
        """
        self._store = store
        self._mirror = mirror
        self._rules = Rules(own, checked, limits)
        self._known = Known(self._rules)
        self._lifetimes = lifetimes
        self.desk = Desk(store, mirror)
        """What people ask who look at the web page."""
        self._commits = Commits(store, notes_failures=True)

    @property
    def checks(self) -> bool:
        """Whether pushes are checked for consistency with what is stored."""
        return self._rules.checked

    def push(self, key: GroupingKey, pushed: Exposition | Filled, asked: float | None = None) -> Awaitable[None]:
        """POST: put the families into the group beside those it has.

        Args:
            key: the group.
            pushed: what came.
            asked: how many seconds the group is to live, if the request says so; 0: for ever.

        Raises:
            PushError, OverLimit: refused; if it was inconsistent, the time is noted as the group's failure time.
            StoreError: not stored, or nobody knows.
        """
        return self._apply(self._store.push, key, pushed, asked)

    def replace(self, key: GroupingKey, pushed: Exposition | Filled, asked: float | None = None) -> Awaitable[None]:
        """PUT: let the group hold these families and no others; otherwise as `push`."""
        return self._apply(self._store.replace, key, pushed, asked)

    async def delete(self, key: GroupingKey) -> None:
        """DELETE: remove the group, if there is one."""
        if key.is_utf8:  # no other can exist
            await self._store.delete(key)

    async def wipe(self) -> None:
        """Remove all groups, in one step."""
        await self._store.wipe()

    async def delete_groups(self, removal: Removal) -> AsyncIterator[Step]:
        """Remove the groups that are selected, of those that there are when this is called, slice by slice."""
        async for step in remove_groups(self._store, await self._mirror.names(), removal):
            yield step

    async def scrape(self, *, compressed: bool, scheme: Scheme) -> Page:
        """GET: all groups, with every push that was answered before, in the text format; see Mirror.page."""
        return await self._mirror.page(compressed=compressed, scheme=scheme)

    async def stamped(self, *, scheme: Scheme) -> Iterator[bytes]:
        """GET, with the time of its push on each sample, in the text format; see Mirror.stamped."""
        return await self._mirror.stamped(scheme)

    async def families(self) -> list[Snapshot]:
        """GET, for formats other than text: all families, each as the fragments of its groups."""
        return await self._mirror.families()

    async def groups(self) -> AsyncIterator[list[Group]]:
        """All groups, sorted by name, a slice at a time; the push times are among their fragments."""
        names = await self._mirror.names()
        while part := list(islice(names, SLICE_GROUPS)):
            yield self._mirror.shown(await self._store.groups(part))

    async def ready(self) -> None:
        """Return if pushes and scrapes can be served, or can be in a moment.

        Raises:
            StoreUnavailable: Redis is away, or the view is not loaded yet.
        """
        await self._store.ping()
        if not await self._mirror.is_loaded_within(LOAD_PATIENCE):
            raise StoreUnavailable("the view is being loaded")

    def _apply(
        self, commit: Commit, key: GroupingKey, pushed: Exposition | Filled, asked: float | None
    ) -> Awaitable[None]:
        lifetime = self._lifetimes.of(key, asked)
        if not isinstance(pushed, Filled):
            return self._apply_new(commit, key, pushed, lifetime)
        write, exposition = self._known.write(key, pushed, lifetime), pushed.exposition
        if write is None:
            return self._apply_new(commit, key, exposition(), lifetime)
        return self._commits.run(
            commit, write, lambda: self._rules.consistent(key, self._rules.bounded(key, exposition()))
        )

    async def _apply_new(self, commit: Commit, key: GroupingKey, pushed: Exposition, lifetime: int) -> None:
        """Check a push by all rules, and store it."""
        pushed = self._rules.bounded(key, pushed)
        if not self.checks and pushed.timestamp_at is not None:
            # As the original: accepted, and nothing but the failure is to be seen.
            await self._store.fail(key, lifetime)
            return
        try:
            families, write = await self._prepared(key, pushed)
        except InconsistentPush:
            await self._store.fail(key, lifetime)
            raise
        write = write._replace(lifetime=lifetime)
        await self._commits.run(commit, write, lambda: families)

    async def _prepared(self, key: GroupingKey, pushed: Exposition) -> tuple[list[Family], Write]:
        """Make of a push what is stored; if it is a long one, in a thread."""
        if sum(len(family.metrics) for family in pushed.families) < LONG_SERIES:
            return self._prepare(key, pushed)
        return await asyncio.to_thread(self._prepare, key, pushed)

    def _prepare(self, key: GroupingKey, pushed: Exposition) -> tuple[list[Family], Write]:
        families = self._rules.consistent(key, pushed)
        return families, self._rules.write(key, families)
