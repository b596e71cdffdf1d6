"""Keeps a view like the store, and makes pages of it.

In: the change feed of the store.
Out: pages that show every push answered before they were asked for, on whichever replica it was.
Never: blocks the event loop for long: groups are taken in slices, and compressed in a thread.
Follows: section 7 of the design.

One scrape at a time works on the view; those that wait share the work of the next one, or its failure.
"""

import asyncio
import gc
import heapq
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby, islice

from pgw.errors import StoreError, StoreUnavailable
from pgw.formats.escaping import Escaper, Scheme
from pgw.gateway.catalogue import Catalogue
from pgw.gateway.display import Display
from pgw.gateway.pace import Pace, give_way
from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.gateway.push_times import as_shown
from pgw.model.group import MICROSECONDS, Fragment, Group, Renewal
from pgw.store.base import Changes, Feed, Store
from pgw.view.deflate import Segment, deflate
from pgw.view.page import Page, chunked, gzip_page, plain_page
from pgw.view.pieces import Piece
from pgw.view.view import View

SLICE_GROUPS = 64
"""Groups read at once, as many as the store asks Redis for in one call: half a millisecond of the event loop to decode
small ones, and another to show them; half of that where only values are new."""
SORTED_NAMES = 10_000
"""Names of groups sorted at once: a few milliseconds; the runs are merged as they are read."""
LASTING_GROUPS = 1_000
"""Groups from which on the garbage collector is kept away from what there is."""
SLICE_PIECES = 64
"""Pieces compressed in one go of the thread: about 2 MB: a millisecond, and one of the event loop to join them."""

PATIENCE = 0.3
"""Seconds that a list of groups waits for the newest changes; then it shows what is known, and says so."""
RATE_SECONDS = 5
"""The least time between two readings that a rate is made of: workers hand over their counts once a second."""

DEFAULT_SCHEME = Scheme.UNDERSCORES
"""What every client gets that does not ask for another, and so the one that is kept compressed."""

Own = Callable[[Mapping[str, float], int], Sequence[Fragment]]
"""The gateway's own families, from the counters of all workers and the time of Redis."""


class Snapshot:
    """The fragments of one family as they were at one moment, made when they are asked for.

    What it holds are tuples of bytes and numbers that the view holds too: a fragment for each of 100,000 groups, and
    that for every family, would take 150 MB, and the garbage collector would walk through them.
    """

    def __init__(self, fragments: Iterable[Fragment]) -> None:
        """Take the fragments of one family, at least one; they differ in texts, times and details only."""
        self._any, *_ = fragments = list(fragments)
        self._texts = tuple(fragment.text for fragment in fragments)
        self._times = tuple(fragment.pushed_at for fragment in fragments)
        self._details = tuple(fragment.details for fragment in fragments)

    def __getitem__(self, number: int) -> Fragment:
        """Make one of the fragments."""
        text, pushed_at, details = self._texts[number], self._times[number], self._details[number]
        return self._any._replace(text=text, pushed_at=pushed_at, details=details)

    def __iter__(self) -> Iterator[Fragment]:
        """Make all of them, one by one."""
        return map(self.__getitem__, range(len(self._texts)))


class Mirror:
    """The view of one worker and how far it has read."""

    def __init__(self, store: Store, view: View, own: Own, *, linger: int = 0) -> None:
        """Make an empty mirror; `linger` is how many microseconds a group stays after its families have expired."""
        self._store = store
        self._display = Display(view, linger)
        self._own = own
        self._feed = Feed()
        self._turn = asyncio.Lock()
        self._begun = 0
        """How many reads have begun. Not a time: uvloop's clock stands still for a millisecond, in which a push may
        be answered."""
        self._done = 0
        """Which of them the view is from; 0: none."""
        self._loaded = asyncio.Event()
        self._failed = (0, "")
        """Which of them was the last that failed, and why."""
        self._frozen = 0
        """How many groups the view had when the garbage collector was last told to leave it alone."""
        self._gzip: tuple[int, Page] | None = None
        self._asked_at = -math.inf
        self._reading: set[asyncio.Task[str]] = set()
        """Reads that a list did not wait for; the loop itself would let them be collected."""
        self._read_at = -math.inf
        self.earlier: tuple[Mapping[str, float], int] = ({}, 0)
        """`sums` and `now` of an earlier reading, for rates; 0: there was none."""
        self.sums: Mapping[str, float] = {}
        """The counters of all workers, as they were last read."""
        self.now = 0
        """When they were, by the clock of Redis: microseconds since 1970."""

    @property
    def loaded(self) -> bool:
        """Whether the view was ever complete."""
        return self._loaded.is_set()

    async def is_loaded_within(self, seconds: float) -> bool:
        """Whether the view was ever complete, or is that soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._loaded.wait()
        return self.loaded

    def was_asked_within(self, seconds: float) -> bool:
        """Whether anybody wanted a page in these last seconds."""
        return asyncio.get_running_loop().time() - self._asked_at < seconds

    @property
    def view(self) -> View:
        """What is shown."""
        return self._display.view

    async def page(self, *, compressed: bool, scheme: Scheme) -> Page:
        """Make a page of all that was stored when this was called, in the text format.

        Args:
            compressed: whether to send it as gzip.
            scheme: how names are escaped that are not legacy.

        Raises:
            StoreUnavailable: whether the view is up to date cannot be known.
        """
        begun = self._begin()
        async with self._turn:
            await self._read(begun)
            if compressed:
                return await self._compressed(scheme)
            return plain_page(self._escaped(piece, scheme) for piece in self.view.pieces)

    async def names(self) -> Iterator[str]:
        """Take the names of all groups that were stored when this was called, in order."""
        begun = self._begin()
        async with self._turn:
            await self._read(begun)
            names = list(self.view.names())
        return await _in_order(names)

    async def families(self) -> list[Snapshot]:
        """Take all families as they were stored when this was called, each as the fragments of its groups.

        Those that were pushed say when; what the gateway says of itself and of its groups is true now, and has no time.
        """
        begun = self._begin()
        async with self._turn:
            await self._read(begun)
            return await asyncio.to_thread(lambda: list(map(_snapshot, self.view.shown())))

    async def stamped(self, scheme: Scheme) -> Iterator[bytes]:
        """Take the page as it was stored when this was called, in text whose lines end in the time of their push.

        Returns:
            Its parts, each of which is work of a millisecond or so once it is asked for.
        """
        begun = self._begin()
        async with self._turn:
            await self._read(begun)
            texts = await asyncio.to_thread(self.view.stamped, PUSH_TIMES)
        return chunked(map(Escaper(scheme).escape, texts))

    def shown(self, groups: Iterable[Group | None], now: int | None = None) -> list[Group]:
        """The groups as a page would show them, without those that it would not.

        Args:
            groups: as they are stored.
            now: microseconds since 1970 by the clock of Redis; None: when the view was last read.
        """
        moment = self.now if now is None else now
        found = (as_shown(group, moment, self._display.linger) for group in groups if group is not None)
        return [group for group in found if group is not None]

    async def catalogue(self) -> tuple[Catalogue, str]:
        """Take the list of all groups, as they were when this was called if that can be known soon.

        Returns:
            The list, which goes on changing; and why it is older, if it is.

        Raises:
            StoreUnavailable: nothing was ever read.
        """
        begun = self._begin()
        if not self.loaded:
            async with self._turn:
                await self._read(begun)
        reading = asyncio.create_task(self._read_in_turn(begun))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)
        await asyncio.wait({reading}, timeout=PATIENCE)
        if not reading.done():
            late = "there are many changes, or Redis is slow; what is shown may be some seconds old"
            return self._display.catalogue, late
        return self._display.catalogue, reading.result()

    async def _read_in_turn(self, begun: int) -> str:
        """Read; returns why that was not possible, if it was not."""
        async with self._turn:
            try:
                await self._read(begun)
            except StoreError as error:
                return str(error)
        return ""

    def clock(self) -> float:
        """Unix time in seconds, by the clock of Redis, as well as it is known without asking."""
        if not self.loaded:
            return time.time()
        return self.now / MICROSECONDS + asyncio.get_running_loop().time() - self._read_at

    async def refresh(self) -> None:
        """Take in what has changed, so that the next page finds little to do."""
        begun = self._begun
        async with self._turn:
            await self._read(begun)

    def _begin(self) -> int:
        """Note that somebody asks; returns how many reads had begun by then."""
        self._asked_at = asyncio.get_running_loop().time()
        return self._begun

    async def _read(self, begun: int) -> None:
        """Take in what has changed, unless a read after those that had `begun` when it was asked for has done so.

        If such a read has failed, so does this: each would wait for Redis for as long again, one after the other.
        """
        if self._done > begun:
            return
        number, reason = self._failed
        if number > begun:
            raise StoreUnavailable(reason)
        self._begun += 1
        try:
            await self._take_changes(self._begun)
        except StoreError as error:
            self._failed = self._begun, str(error)
            raise

    async def _take_changes(self, number: int) -> None:
        changes = await self._store.changes(self._feed)
        self._note_counters(changes)
        await self._drop(changes)
        await self._take([*changes.changed, *self._display.due(self.now)])
        self.view.show_own(self._own(self.sums, self.now // MICROSECONDS))
        self.view.settle()
        self._feed = changes.feed
        self._done = number
        self._loaded.set()

    def _note_counters(self, changes: Changes) -> None:
        if self.now - self.earlier[1] >= RATE_SECONDS * MICROSECONDS:
            self.earlier = (self.sums, self.now)
        self.sums, self.now = changes.telemetry, changes.now
        self._read_at = asyncio.get_running_loop().time()

    def _freeze(self) -> None:
        """Keep the garbage collector away from a view that has grown by half.

        The view holds no cycles, and of a group nothing that is walked through but its places in lists; still that is
        30 ms for 100,000 groups, beside 50 ms for all that was loaded with the program, and everything stops meanwhile,
        every few seconds while many objects are made. What else lives at this moment is not walked through either, and
        of that a little is garbage in cycles later; so this must be rare.
        """
        groups = len(self.view.names())
        if groups > max(LASTING_GROUPS, self._frozen * 1.5):
            gc.freeze()
            self._frozen = groups

    async def _drop(self, changes: Changes) -> None:
        gone: Iterable[str] = changes.deleted
        if changes.everything:
            gone = self.view.names() - set(changes.changed) if self.view.names() else ()
        for number, name in enumerate(gone, 1):
            self._display.drop(name)
            if number % SLICE_GROUPS == 0:  # somebody may have deleted a hundred thousand
                await give_way()

    async def _take(self, names: Sequence[str]) -> None:
        """Read groups and show them: one slice while Redis reads the next."""
        order = (name for name, _ in groupby(await _in_order(names)))  # a name may come twice
        questions = map(self._ask, iter(lambda: list(islice(order, SLICE_GROUPS)), []))  # asked when they are taken
        ahead = list(islice(questions, 1))
        try:
            while ahead:
                part, answer = ahead.pop()
                groups = await answer
                ahead = list(islice(questions, 1))
                await give_way()  # so that also the next question is on its way
                await self._show_all(part, groups)
                self._freeze()
        finally:
            for _, task in ahead:  # nobody wants its groups any more
                task.cancel()
            await asyncio.gather(*(task for _, task in ahead), return_exceptions=True)

    def _ask(self, names: Sequence[str]) -> "tuple[Sequence[str], asyncio.Task[list[Group | Renewal | None]]]":
        """Begin to read groups."""
        return names, asyncio.create_task(self._store.renewed(self._display.known(names)))

    async def _show_all(self, names: Sequence[str], groups: Sequence[Group | Renewal | None]) -> None:
        pace = Pace()
        for name, group in zip(names, groups, strict=True):
            if isinstance(group, Renewal):
                self._display.renew(name, group, self.now)
            else:
                self._display.put(name, group, self.now)
            if pace.is_over():
                await pace.breathe()

    async def _compressed(self, scheme: Scheme) -> Page:
        pieces = self.view.pieces
        if self._gzip is None or self._gzip[0] != pieces.revision:
            stale = [piece for piece in pieces if piece.segment is None]
            for piece, segment in zip(stale, await self._deflated(stale, DEFAULT_SCHEME), strict=True):
                piece.segment = segment
            segments = [piece.segment for piece in pieces if piece.segment]
            # In a thread: for a million series there are thousands, and to put their CRCs together takes 20 ms.
            self._gzip = (pieces.revision, await asyncio.to_thread(gzip_page, segments))
        if scheme is DEFAULT_SCHEME or all(piece.is_legacy for piece in pieces):
            return self._gzip[1]
        return gzip_page(await self._deflated(list(pieces), scheme))

    async def _deflated(self, pieces: Sequence[Piece], scheme: Scheme) -> list[Segment]:
        """Compress pieces, a slice at a time, in a thread."""
        segments: list[Segment] = []
        for start in range(0, len(pieces), SLICE_PIECES):
            texts = [self._escaped(piece, scheme) for piece in pieces[start : start + SLICE_PIECES]]
            segments += await asyncio.to_thread(_deflate_all, texts)
        return segments

    def _escaped(self, piece: Piece, scheme: Scheme) -> bytes:
        """The text of a piece as clients get it who asked for this scheme."""
        text = piece.text()
        if piece.is_legacy:
            return text
        family, group = piece.places[0]
        kind = self.view.type_of(family) if group else None
        escaped = Escaper(scheme, None if kind is None else (family, kind)).escape(text)
        if scheme is DEFAULT_SCHEME:
            piece.is_legacy = escaped is text
        return escaped


async def _in_order(names: Sequence[str]) -> Iterator[str]:
    """Sort names in runs, which are merged as they are read, so that nobody is held up for long."""
    runs = []
    for start in range(0, len(names), SORTED_NAMES):
        runs.append(sorted(names[start : start + SORTED_NAMES]))
        await give_way()
    return heapq.merge(*runs)


def _snapshot(fragments: list[Fragment]) -> Snapshot:
    if fragments[0].name in PUSH_TIMES:
        fragments = [fragment._replace(pushed_at=0) for fragment in fragments]
    return Snapshot(fragments)


def _deflate_all(texts: Iterable[bytes]) -> list[Segment]:
    return list(map(deflate, texts))
