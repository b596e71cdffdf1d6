"""How the connections of a server fall on its workers: evenly, whoever is quicker to accept them.

In: how many connections this worker has.
Out: whether it is so far ahead of another that it should leave the next ones to that one for a moment.
Never: counts on a worker that gives no sign of life.

All workers accept from one socket. Of clients that come at once one worker often gets nearly all, because it happened
to be awake; and where they keep their connections, as load balancers do, it has nearly all the work from then on.
Clients that connect for each push are let alone: who is ahead for their sake is not for long, and workers that leave
them to each other leave them waiting (a half to two thirds of the pushes were done).
The numbers of all workers stand in memory that the master has made before it forked them.
"""

import mmap
import time
from collections.abc import Iterable

SLACK = 4
"""Connections that a worker may have more than another, and a quarter: less is chance, and not worth a moment."""
SILENT_NANOSECONDS = 2_500_000_000
"""After which a worker does not count: it gives a sign of life each second."""
BRIEF_SECONDS = 0.5
"""Connections that last no longer were made for a push or two; one takes milliseconds, in an overload hundreds."""

_NUMBER = 8
"""Bytes of a number; each worker has two: its connections, and when it gave its last sign of life."""


class Share:
    """The numbers of one worker, and those of the others as it sees them."""

    def __init__(self, slot: int, counts: memoryview, signs: memoryview) -> None:
        self.slot = slot
        self._counts = counts
        self._signs = signs
        self._brief = self._brief_before = 0
        """How many connections of this worker were brief, since its last sign of life and in the second before."""

    def note(self, connections: int) -> None:
        """Let the others know how many connections this worker has."""
        self._counts[self.slot] = connections

    def note_end(self, seconds: float) -> None:
        """Take note that a connection has ended that lasted for so long."""
        if seconds < BRIEF_SECONDS:
            self._brief += 1

    def live(self) -> None:
        """Give a sign of life, once a second."""
        self._signs[self.slot] = time.monotonic_ns()
        self._brief_before, self._brief = self._brief, 0

    def end(self) -> None:
        """Count no more; the master can say so too."""
        self._signs[self.slot] = 0

    def is_ahead(self, connections: int) -> bool:
        """Whether a living worker has so many less that the next ones should be its.

        Not where more than there are were brief within the last seconds.
        """
        enough = (connections - SLACK) * 4
        if enough <= 0 or connections < self._brief + self._brief_before:
            return False
        since = time.monotonic_ns() - SILENT_NANOSECONDS
        for count, sign in zip(self._counts, self._signs, strict=True):  # noqa: SIM110  every new connection asks
            if count * 5 < enough and sign > since:
                return True
        return False


class Shares:
    """The numbers of all workers."""

    def __init__(self, workers: int) -> None:
        """Make room for so many workers, and for those that replace them while they still serve."""
        self._size = 2 * workers
        self._numbers = memoryview(mmap.mmap(-1, 2 * self._size * _NUMBER)).cast("q")

    def share(self, taken: Iterable[int]) -> Share | None:
        """Make a share for a worker that begins, beside these that are taken; None if there is no room for it."""
        free = set(range(self._size)).difference(taken)
        if not free:
            return None
        share = Share(min(free), self._numbers[: self._size], self._numbers[self._size :])
        share.note(0)
        share.end()
        return share
