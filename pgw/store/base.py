"""The store as the rooms above see it: what it promises, in words, and the values that go in and out.

Every write is atomic, visible to every later read through any connection once it returns, and harmless to repeat.
Every method raises StoreUnavailable when Redis is away, too slow or refuses, and StoreBusy when too much waits.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from pgw.model.group import Fragment, Group, Renewal
from pgw.model.grouping import GroupingKey
from pgw.store.mold import Mold


class Guard(NamedTuple):
    """What a push was compared with before it was sent."""

    shapes: Mapping[str, str]
    """Family -> the other shapes whose groups were looked at, joined by blanks."""
    witnesses: Mapping[str, str]
    """Group -> the version it had when it was looked at; "" where it did not exist."""


NO_GUARD = Guard({}, {})


class Write(NamedTuple):
    """One push, ready to be stored."""

    key: GroupingKey
    mold: Mold
    values: Sequence[bytes]
    """Of each of its families: the values of its sample lines, each with a newline behind it."""
    heads: Callable[[], Sequence[bytes]]
    """Makes of each family: its sample lines as they are scraped, each up to its value, joined by newlines. Called only
    if the group may hold others."""
    guard: Guard = NO_GUARD
    lifetime: int = 0
    """Microseconds from this push on after which its families expire; 0: never."""


class Limits(NamedTuple):
    """How much may be stored; 0: no limit."""

    series: int = 0
    """Sample lines of all groups."""
    groups: int = 0
    groups_per_job: int = 0


NO_LIMITS = Limits()


class Feed(NamedTuple):
    """How far a reader of the change feed has come."""

    source: str = ""
    """The server that was read, by its run id and replication id."""
    epoch: str = ""
    version: int = 0


class Changes(NamedTuple):
    """What happened since a point of the feed."""

    feed: Feed
    """Where the reader is once it has read the changed groups."""
    everything: bool
    """The answer is about all groups: those not among `changed` are gone."""
    changed: Sequence[str]
    """A group that changed once more while a long answer was read is named twice."""
    deleted: Sequence[str]
    telemetry: Mapping[str, float]
    """The gateway's own counters, summed over all workers and replicas."""
    now: int
    """Microseconds since 1970, by the clock of Redis."""


class Refusal(NamedTuple):
    """A push that was refused."""

    group: str
    """Its name; the group need not exist."""
    reason: str
    at: int = 0
    """Unix time in seconds, by the clock of Redis; a second late at most."""


class Signs(NamedTuple):
    """What is to be seen of all replicas."""

    replicas: Sequence[str]
    """Those that were heard of within the last seconds."""
    refusal: Refusal | None
    """The last one, on whichever replica it was."""


class Copy(NamedTuple):
    """One family of one group, and the version of that group."""

    version: str
    fragment: Fragment | None


class Server(NamedTuple):
    """What the server says of itself."""

    version: str
    """As it calls itself: `Redis 7.0.15`, `Valkey 9.0.1`."""
    used_memory: int
    """Bytes that it has allocated, for everything that it holds, of others too."""


class Sizes(NamedTuple):
    """Bytes that the server spends on what is stored, its own overhead included."""

    groups: Sequence[int]
    """Each group that was asked for; 0 for one that does not exist."""
    rest: int
    """All that is kept beside the groups: indexes, counters."""


class Store(Protocol):
    """Groups, kept in one place for all workers of all replicas."""

    async def push(self, write: Write) -> Mapping[str, str]:
        """Put the families into the group beside those it has; a family of the same name is replaced whole.

        Returns:
            Nothing if it was stored; else what it has to be compared with before it may be: family -> shapes of
            the other groups that hold the family, joined by blanks.

        Raises:
            InconsistentPush: a type or a name clashes with other groups. The group's failure time is set.
            BadGroupingKey: the group cannot stand beside the one that its push times would collide with.
            StoreFull: more would be stored than may be. The failure time of a group that there is is set.
        """
        ...

    async def replace(self, write: Write) -> Mapping[str, str]:
        """Let the group hold these families and no others; its failure time stays. Otherwise as `push`."""
        ...

    async def restore(
        self, write: Write, pushed_at: int, failed_at: int, *, deadline: int = 0, rehearsal: bool = False
    ) -> Mapping[str, str]:
        """Let the group be as it was at some time: these families and no others, each with the time it has.

        Args:
            write: the families; its lifetime does not count.
            pushed_at: the last successful push, in microseconds since 1970; 0: never.
            failed_at: the last failed push, likewise.
            deadline: when its families expire, likewise; if that is past, they have.
            rehearsal: change nothing, only tell what would be. (What has expired may be removed, as at any time.)

        Returns:
            As `push`, and raises the same; but of what is refused nothing stays, no failure time either.
        """
        ...

    async def fail(self, key: GroupingKey, lifetime: int = 0) -> None:
        """Note that a push to the group failed; the group is made if it does not exist, to live so long."""
        ...

    async def delete(self, key: GroupingKey) -> bool:
        """Remove the group; tell whether there was one."""
        ...

    async def remove(
        self, groups: Sequence[GroupingKey], *, older_than: int | None = None, dry_run: bool = False
    ) -> list[bool]:
        """Remove groups, each in one step, and many of them in several: others are served between.

        Args:
            groups: any number.
            older_than: only those that were last pushed to longer ago than these microseconds, by the clock of Redis
                at the moment of removal; one that no push has succeeded for, counted from the last that failed.
            dry_run: remove nothing.

        Returns:
            For each, whether it was removed, or would be. Where a connection was lost and the call repeated, groups
            that the lost call has removed are among those that were not there.
        """
        ...

    async def wipe(self) -> int:
        """Remove all groups, in one step; tell how many there were."""
        ...

    async def expire(self) -> bool:
        """Remove the families of a few groups whose deadline has come, and a few groups that have lingered without any.

        Readers show nothing that has expired, removed or not.

        Returns:
            Whether there may be more to remove.
        """
        ...

    async def changes(self, feed: Feed, *, follows: bool = True) -> Changes:
        """Tell what has changed; includes every write that was answered before the call.

        Args:
            feed: up to where the caller knows everything.
            follows: whether the caller will come again with the feed of the answer. That is noted, so somebody who only
                looks, and may write nothing, does without.
        """
        ...

    async def groups(self, names: Sequence[str]) -> list[Group | None]:
        """Read groups by name, each as a whole; None for one that does not exist."""
        ...

    async def renewed(self, known: Mapping[str, bytes]) -> list[Group | Renewal | None]:
        """Read groups again.

        Args:
            known: their names, each with the signature of the group as it was read last; empty if it had none.

        Returns:
            In the same order: a Renewal where the signature is the same, and so are the families, their types and
            helps, and the series; but a group with details, or with families of several pushes, comes whole.
        """
        ...

    async def copies(self, wanted: Sequence[tuple[str, str]]) -> list[Copy]:
        """Read single families, each by group name and family name."""
        ...

    async def names(self) -> list[str]:
        """The names of all groups, sorted."""
        ...

    async def server(self) -> Server:
        """Ask the server about itself."""
        ...

    async def sizes(self, names: Sequence[str]) -> Sizes | None:
        """Ask how much memory is spent, on these groups and on the rest.

        Returns:
            None if we are not allowed to ask, as a user that serves a gateway need not be.
        """
        ...

    async def count(self, amounts: Mapping[str, float], expired: Sequence[str]) -> None:
        """Add to the gateway's own counters, and drop those that are of no more use."""
        ...

    async def live(self, replica: str, refusal: Refusal | None) -> None:
        """Note that a replica lives, and what it refused last, if that is news; its time is set here."""
        ...

    async def signs(self) -> Signs:
        """Tell what is to be seen of all replicas."""
        ...

    @property
    def waiting(self) -> int:
        """How many writes of this worker wait for their turn."""
        ...

    async def ping(self) -> None:
        """Return if the store answers."""
        ...

    async def greet(self) -> None:
        """Return if the store answers and lets us read, as it would a scrape.

        Raises:
            StoreRefused: it never will unless a person sees to it.
        """
        ...

    async def follow(self) -> None:
        """Move to the server that is the primary now, if it is another; to be called about once a second.

        What an old primary answers, cut off from the others, is what it was told until then.
        """
        ...

    async def close(self) -> None:
        """Finish what waits and let go of the connections."""
        ...
