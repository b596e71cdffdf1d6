"""What a worker does beside answering: once a second it hands over its counts and notes how it is.

In: the tally, the mirror and the metrics of one worker.
Out: counts in the store, a view that is never far behind, metrics that are never old.
Never: fails; what cannot be done now is done a second later.
"""

import asyncio
import contextlib
import logging
import math

from pgw.errors import StoreError
from pgw.gateway.mirror import Mirror
from pgw.model.group import MICROSECONDS
from pgw.store.base import Refusal, Store
from pgw.telemetry.process import Condition, ProcessMetrics
from pgw.telemetry.shared import Tally, expired

log = logging.getLogger(__name__)

BEAT = 1.0
"""Seconds: what a killed worker may lose of its counts, and how far the page of another may be behind them."""
SWEEPS = 20
"""Calls in a beat that remove a few groups each: some 40 ms of Redis in a second if very many expire at once."""
REFRESH_SECONDS = 5.0
"""How often a view is brought up to date between scrapes, so that a scrape finds little to catch up."""
IDLE_SECONDS = 300.0
"""How often if nobody has scraped it for as long: no Prometheus scrapes less often, for its values go stale after
five minutes. Keeping up with pushes that nobody looks at would slow the pushes down."""
REFRESH_PAUSE = 20
"""A refresh that takes long is followed by a pause that many times as long: keeping up with a great many pushes
between two scrapes takes a twentieth of a worker at most."""
LIFE_SECONDS = 5.0
"""How often a worker says that its replica lives."""


class Pulse:
    """The background task of one worker."""

    def __init__(
        self, store: Store, mirror: Mirror, tally: Tally, metrics: ProcessMetrics, *, replica: str = ""
    ) -> None:
        """Make the pulse of a worker; it says that `replica` lives, if that has a name."""
        self._store = store
        self._mirror = mirror
        self._tally = tally
        self._metrics = metrics
        self._replica = replica
        self._heard_at = -math.inf
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._refreshed_at = 0.0
        self._refresh_took = 0.0
        self._trouble = ""

    def start(self) -> None:
        """Begin to beat; the view is loaded at the first beat."""
        self._task = asyncio.create_task(self._beat_on())

    async def stop(self) -> None:
        """Stop, and hand over what is left. The work of this second is ended if it does not end by itself."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=BEAT)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._hand_over()

    async def _beat_on(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._beat()
            except Exception:
                log.exception("a bug stopped the work of this second; it goes on with the next")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), BEAT)

    async def _beat(self) -> None:
        """Do the work of one second; the view comes first, for until it is loaded nobody is served."""
        if self._refresh_is_due():
            await self._refresh()
        await self._follow()
        await self._hand_over()
        await self._sweep()
        await self._live()
        self._metrics.note(self._condition())

    def _refresh_is_due(self) -> bool:
        if not self._mirror.loaded:
            return True
        seconds = REFRESH_SECONDS if self._mirror.was_asked_within(IDLE_SECONDS) else IDLE_SECONDS
        pause = max(seconds, REFRESH_PAUSE * self._refresh_took)
        return asyncio.get_running_loop().time() >= self._refreshed_at + pause

    async def _hand_over(self) -> None:
        counts = self._tally.take()
        dropped = expired(self._mirror.sums, self._mirror.now // MICROSECONDS)
        if not counts and not dropped:
            return
        try:
            await self._store.count(counts, dropped)
        except StoreError as error:
            self._tally.put_back(counts)
            log.debug("the counts of this second are kept for the next: %s", error)

    async def _live(self) -> None:
        """Say that the replica lives, and what it refused."""
        now = asyncio.get_running_loop().time()
        refused = self._tally.take_refusal()
        if not self._replica or (refused is None and now < self._heard_at + LIFE_SECONDS):
            return
        try:
            await self._store.live(self._replica, Refusal(*refused) if refused else None)
            self._heard_at = now
        except StoreError as error:
            log.debug("nobody hears that this replica lives: %s", error)

    async def _follow(self) -> None:
        try:
            await self._store.follow()
        except StoreError as error:
            log.debug("nobody says whether Redis is still the primary: %s", error)

    async def _sweep(self) -> None:
        """Remove some of what has expired. Nobody is shown it any more, so it may take its time."""
        try:
            for _ in range(SWEEPS):
                if not await self._store.expire():
                    break
        except StoreError as error:
            log.debug("what has expired is removed later: %s", error)

    async def _refresh(self) -> None:
        now = asyncio.get_running_loop().time
        began = now()
        try:
            await self._mirror.refresh()
            self._tell("")
        except StoreError as error:
            self._tell(str(error))
        self._refreshed_at, self._refresh_took = now(), now() - began

    def _tell(self, trouble: str) -> None:
        """Log when something is wrong, when something else is, and when nothing is any more."""
        if trouble and trouble != self._trouble:
            log.warning("the view cannot be brought up to date: %s", trouble)
        elif self._trouble and not trouble:
            log.info("the view is brought up to date again")
        self._trouble = trouble

    def _condition(self) -> Condition:
        view = self._mirror.view
        return Condition(len(view.names()), len(view.families()), view.hidden_samples, self._store.waiting)
