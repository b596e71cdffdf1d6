"""A crowd: far more clients at once than a gateway can serve, each with a connection and a group of its own.

In: an address, how many clients, for how long.
Out: what each was answered, and when; what each was acknowledged last.
Never: waits for an answer longer than PATIENCE: one that does not come by then is counted under status 0.

All clients are tasks of one event loop, so the crowd itself needs one processor.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import time
from collections import Counter
from statistics import quantiles
from typing import TYPE_CHECKING

import uvloop
from exchange import Connection, request
from meanwhile import meanwhile

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from threading import Event

    from exchange import Address
    from servers import Program

PATIENCE = 60.0
PAUSE = 1.0
"""Seconds after a refusal, as Retry-After says."""
CONNECTING = 200
"""Clients that connect at the same time, so that none has to wait for its second SYN."""
OTHER_FILES = 100


class Crowd:
    """Clients that push again and again."""

    def __init__(self, address: Address, clients: int) -> None:
        self._address = address
        self._clients = clients
        self.statuses: Counter[int] = Counter()
        self.curt = 0
        """Answers of 503 without Retry-After."""
        self.seconds: list[float] = []
        """How long each acknowledged push took."""
        self.acknowledged: dict[int, int] = {}
        """The last number that each client was told is stored."""
        self._connecting = asyncio.Semaphore(CONNECTING)
        self._end = 0.0

    def push_for(self, seconds: float, each_second: Callable[[], object] | None = None) -> None:
        """Push for so long, and do something each second beside it."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._push(seconds, each_second))

    @property
    def median(self) -> float:
        """Seconds that half of the acknowledged pushes took at most."""
        return quantiles(self.seconds, n=2)[0] if len(self.seconds) > 1 else 0.0

    async def _push(self, seconds: float, each_second: Callable[[], object] | None) -> None:
        connections = [Connection(self._address) for _ in range(self._clients)]
        await asyncio.gather(*map(self._connect, connections))
        self._end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for number, connection in enumerate(connections):
                group.create_task(self._client(number, connection))
            while each_second is not None and time.monotonic() < self._end:
                each_second()
                await asyncio.sleep(1)

    async def _connect(self, connection: Connection) -> None:
        async with self._connecting:
            await connection.ask(request("GET", "/-/healthy"))

    async def _client(self, client: int, connection: Connection) -> None:
        number = 0
        while time.monotonic() < self._end:
            number += 1
            began = time.monotonic()
            status = await self._ask(connection, f"/metrics/job/crowd/client/{client}", b"number %d\n" % number)
            self.statuses[status] += 1
            if status == 200:
                self.seconds.append(time.monotonic() - began)
                self.acknowledged[client] = number
            else:
                await asyncio.sleep(PAUSE)
        connection.close()

    async def _ask(self, connection: Connection, path: str, body: bytes) -> int:
        try:
            async with asyncio.timeout(PATIENCE):
                reply = await connection.ask(request("PUT", path, body))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return 0
        self.curt += reply.status == 503 and "retry-after" not in reply.headers
        return reply.status


def allow_clients(clients: int) -> bool:
    """Let this process have so many connections; whether it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + OTHER_FILES
    if most != resource.RLIM_INFINITY and most < wanted:
        return False
    own, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if own != resource.RLIM_INFINITY and own < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    return True


def braked(server: Program, seconds: float) -> AbstractContextManager[None]:
    """Let a server work for a tenth of the time only, for so long, so that any load is ten times as much for it."""
    end = time.monotonic() + seconds

    def brake(done: Event) -> None:
        while not done.is_set() and time.monotonic() < end:
            server.send(signal.SIGSTOP)
            done.wait(0.09)
            server.send(signal.SIGCONT)
            done.wait(0.01)

    return meanwhile(brake)
