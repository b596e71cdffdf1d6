"""How long work takes the event loop before others come to their turn.

In: work that goes on and asks.
Out: turns of the loop, for whoever waits.
Never: sleeps, but after a slice that took much too long; where nobody waits a turn takes microseconds.
"""

import asyncio
import time

SLICE_SECONDS = 0.001
"""How long the event loop is held at once."""
TURNS = 6
"""Of the event loop that others have between two slices. A push takes five from its first byte until it is on its way
to Redis, and three from the reply to its answer. So it waits for two slices; with one turn it would for eight."""
LONG_SECONDS = 0.005
"""A slice that takes so long has held up pushes. A dictionary of 90,000 groups that grows takes 10 to 20 ms under load,
and those that are kept for each group grow one soon after the other."""
REST_SECONDS = 0.002
"""After such a slice; in it Redis answers, so that no push waits for two of them."""


async def give_way() -> None:
    """Let others have the event loop."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


class Pace:
    """Gives way every few milliseconds."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def is_over(self) -> bool:
        """Whether it is time to give way: for loops in which to ask `breathe` each time would take too long."""
        return time.perf_counter() - self._since > SLICE_SECONDS

    async def breathe(self) -> None:
        """Give way, if it is time to."""
        took = time.perf_counter() - self._since
        if took > SLICE_SECONDS:
            await give_way()
            if took > LONG_SECONDS:
                await asyncio.sleep(REST_SECONDS)
            self._since = time.perf_counter()
