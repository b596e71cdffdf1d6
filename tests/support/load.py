"""A load for fault tests: writers push without end through one address, readers scrape others and check each page.

In: where to push, where to scrape.
Out: a Verdict (verdict.py).
Never: pushes anything again; a push that fails counts as what it was.

Client rule: 200 and 202 are acknowledged; any other status is refused, and what was refused with 5xx may have been
stored; a connection that breaks leaves its push unanswered.
All clients are tasks of one event loop in a thread: a test does nothing but wait meanwhile.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import uvloop
from client import HOST
from exchange import Connection, request
from servers import wait_until
from topology import Topology, running_topology
from verdict import MERGED, SHARED, Ledger, Series, Verdict, families_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from exchange import Address

WRITERS = 8
READERS = 2
PATIENCE = 20.0
"""Seconds after which a client gives up. Ten times and more what a gateway is told to wait for Redis in these tests, so
that who has to give up was hung."""
PAUSE = 0.002
"""Seconds between two pushes of a writer: the machine has to run all the servers too."""
RETRY_PAUSE = 0.02
"""Seconds after a push that failed."""
LARGE_BYTES = 80_000
"""A comment in the pushes of one writer: more than the balancer can hold back to send it once more elsewhere."""
AUDIT_PAGES = 6
"""Scrapes of each replica in the end, each on a connection of its own, so that every worker is likely to be asked."""


class Load:
    """Writers and readers, from entering the context until it is left or `stop` is called."""

    def __init__(
        self,
        pushed_to: Address,
        scraped: Sequence[Address],
        *,
        writers: int = WRITERS,
        patience: float = PATIENCE,
        large_bytes: int = LARGE_BYTES,
    ) -> None:
        self.verdict = Verdict()
        self._ledger = Ledger(self.verdict)
        self._pushed_to = pushed_to
        self._scraped = scraped
        self._writers = writers
        self._patience = patience
        self._large_bytes = large_bytes
        self._numbers: Counter[str] = Counter()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait_for_more(self._writers * 3)
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def losing(self) -> AbstractContextManager[None]:
        """While the test throws data away: what was acknowledged until the end of it need not be shown any more."""
        return self._ledger.amnesty()

    def wait_for_more(self, pushes: int = 200) -> None:
        """Wait until so many more pushes were acknowledged."""
        wanted = self.verdict.acknowledged + pushes
        wait_until(lambda: self.verdict.acknowledged >= wanted or self._failure is not None, f"{pushes} more pushes")

    def wait_for_refusals(self, pushes: int = 10) -> None:
        """Wait until so many more pushes were refused."""
        wanted = self.verdict.refused.total() + pushes
        wait_until(lambda: self.verdict.refused.total() >= wanted, f"{pushes} more refusals")

    def rest(self) -> None:
        """Let every client finish what it does; what a test does then happens to what they have left."""
        self._end()

    def stop(self) -> Verdict:
        """Let every client finish what it does, then look whether all that was acknowledged is there."""
        self._end()
        asyncio.run(self._audit())
        return self.verdict

    def _end(self) -> None:
        self._done.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._work())
        except BaseException as error:  # noqa: BLE001  it is raised in the thread of the test
            self._failure = error

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self._writers):
                group.create_task(self._write(number))
            for number in range(READERS):
                group.create_task(self._read(number))

    async def _write(self, writer: int) -> None:
        connection = Connection(self._pushed_to, keeps_alive=writer % 4 != 3)
        padding = b"# " + b"." * self._large_bytes + b"\n" if writer == 1 else b""
        turn = 0
        while not self._done.is_set():
            turn += 1
            group = SHARED if turn % 8 == 5 else MERGED if turn % 8 == 2 else f"w{writer}"
            self._numbers[group] += 1
            well = await self._push(connection, writer, group, self._numbers[group], padding)
            await asyncio.sleep(PAUSE if well else RETRY_PAUSE)
        connection.close()

    async def _push(self, connection: Connection, writer: int, group: str, number: int, padding: bytes) -> bool:
        names = (f"w{writer}",) if group == MERGED else families_of(number)
        method = "PUT" if number % 2 and group != MERGED else "POST"
        body = padding + "".join(f"# TYPE load_{name} gauge\nload_{name} {number}\n" for name in names).encode()
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                reply = await connection.ask(request(method, f"/metrics/job/load/writer/{group}", body))
        except TimeoutError:
            self.verdict.note("hung", f"writer {writer}")
            return False
        except ConnectionRefusedError:
            self.verdict.unreached += 1
            return False
        except (OSError, asyncio.IncompleteReadError) as error:
            self.verdict.note("unanswered", f"writer {writer}, {len(body)} bytes: {error!r}")
            return False
        self.verdict.longest = max(self.verdict.longest, time.monotonic() - began)
        if reply.status not in (200, 202):
            self._refused(reply.status, reply.headers, reply.body)
            return False
        series = Series(MERGED, f"w{writer}") if group == MERGED else Series(group) if group != SHARED else None
        self._ledger.acknowledge(series, number, began)
        return True

    def _refused(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.verdict.refused[status] += 1
        if status == 503 and "retry-after" not in headers:
            self.verdict.note("curt", repr(body[:200]))
        if self.verdict.refused[status] <= 2:
            self.verdict.examples.append(f"refused with {status}: {body[:200]!r}")

    async def _read(self, reader: int) -> None:
        luck = random.Random(reader)
        while not self._done.is_set():
            host, port = luck.choice(self._scraped)
            floor = self._ledger.floor()
            try:
                async with asyncio.timeout(self._patience):
                    text = await scrape((host, port), compressed=luck.random() < 0.5)
            except TimeoutError:
                self.verdict.note("hung", f"a scrape of {host}:{port}")
            except (OSError, asyncio.IncompleteReadError):
                text = None  # a replica that is down or cannot reach Redis shows nothing, which is not wrong
            else:
                if text is not None:
                    self._ledger.judge(text, floor, f"{host}:{port}")
            await asyncio.sleep(RETRY_PAUSE)

    async def _audit(self) -> None:
        for address in self._scraped:
            for number in range(AUDIT_PAGES):
                text = await scrape(address, compressed=number % 2 == 0)
                assert text is not None, f"{address} cannot be scraped in the end"
                self._ledger.audit(text, f"{address[0]}:{address[1]}")


def load_on(topology: Topology) -> Load:
    """Push through the balancer, and scrape each replica."""
    return Load((HOST, topology.balancer.port), [(HOST, replica.port) for replica in topology.replicas])


@contextmanager
def loaded_topology(*flags: str, redis_options: Sequence[str] = ()) -> Iterator[tuple[Topology, Load]]:
    """Start a topology with two workers in each replica, flags and options as given, and put the load on it."""
    with running_topology(workers=2, flags=flags, redis_options=redis_options) as topology, load_on(topology) as load:
        yield topology, load


async def scrape(address: Address, *, compressed: bool) -> str | None:
    """One page, on a connection of its own; None if it is refused."""
    headers = {"Accept-Encoding": "gzip"} if compressed else {}
    reply = await Connection(address, keeps_alive=False).ask(request("GET", "/metrics", headers=headers))
    if reply.status != 200:
        return None
    return (gzip.decompress(reply.body) if reply.headers.get("content-encoding") == "gzip" else reply.body).decode()
