"""Since when a write may have been here, by a clock that goes on whatever becomes of this process.

In: ticks of the event loop.
Out: the time, and a moment before which nothing that is read now can have come.
Never: takes the moment at which something is read for that at which it came: a process that was stopped and goes on
(SIGCONT, a machine that wakes up) reads what has waited for hours as if it were new.
"""

import asyncio
import time

TICK = 0.5
"""Seconds. What is at hand when a process goes on is read within milliseconds, so before the second tick after that."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, where the system has such a clock."""


def now() -> float:
    """Seconds, from a beginning that means nothing."""
    return time.clock_gettime(_CLOCK)


class Watch:
    """Keeps the last two moments at which the event loop was seen at work."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._before = self._last = 0.0

    def start(self) -> None:
        """Begin, unless it has begun; needs a running event loop."""
        if self._timer is None:
            self._last = now()
            self._tick()

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def earliest(self) -> float:
        """What is read now came after this; the time itself if nobody has kept watch."""
        return now() if self._timer is None else self._before

    def _tick(self) -> None:
        # The last tick may be younger than what is still to be read: the timer of a process that was stopped may fire
        # before its sockets are looked at. The one before it is not.
        self._before, self._last = self._last, now()
        self._timer = asyncio.get_running_loop().call_later(TICK, self._tick)
