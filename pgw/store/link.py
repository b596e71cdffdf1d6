"""One connection to Redis: calls go out together, replies come back in order.

In: calls (scripts with keys and arguments, or plain commands).
Out: their replies, as raw as Redis sent them; error replies of a call are raised.
Never: lets an exception of redis-py out, waits longer than the timeout, or gives up for good: the next call
connects again.
Follows: the Redis protocol by way of redis-py's Connection, so that TLS, passwords and URLs stay the library's.

A call that fails because an idle connection had died is sent once more on a new one: our calls may be repeated
(but for the counters, see lua/count.lua).
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import hiredis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError

from pgw.errors import StoreUnavailable
from pgw.store.scripts import Script

log = logging.getLogger(__name__)

Reply = Any
"""What hiredis makes of a reply: bytes, int, None or a list of these."""
Argument = str | bytes | int | float


_SCRIPT_PLACE = re.compile(
    r"^Error running script \(call to \w+\): @user_script:\s*\d+: (?:@user_script: \d+: )?"
    r"|\s*script: \w+, on @user_script:\d+\.$"
)
"""How Redis 6 and Redis 7 say where in a script an error came up."""


class Call(NamedTuple):
    """One command."""

    words: tuple[Argument, ...]
    script: Script | None = None

    @classmethod
    def of(cls, script: Script, keys: Sequence[str], arguments: Iterable[Argument] = ()) -> "Call":
        """Call a script by its digest."""
        return cls(("EVALSHA", script.sha, len(keys), *keys, *arguments), script)


def make_pool(url: str) -> ConnectionPool:
    """Read a Redis URL; connections are made later, one by one.

    Raises:
        ValueError: the URL is of no known form.
    """
    # RESP 2 is spoken by every server and proxy; retries and time limits are the link's own.
    return ConnectionPool.from_url(
        url, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=None, socket_connect_timeout=None
    )


class Link:
    """A connection that is made when it is needed. One caller at a time; others wait for their turn."""

    def __init__(self, pool: ConnectionPool, timeout: float) -> None:
        self._connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's
        self._timeout = timeout
        self._turn = asyncio.Lock()
        self._scripts: set[Script] = set()
        """Those that were loaded by this connection."""
        self.source = ""
        """Which server this is: its run id and replication id. Set when it connects."""

    async def call(self, *calls: Call) -> list[Reply]:
        """Send calls in one go and return their replies.

        Raises:
            StoreUnavailable: no connection, no answer in time, or an error reply to any of them.
        """
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                return await self._call_or_drop(calls)
        except TimeoutError:
            raise StoreUnavailable(f"Redis did not answer within {self._timeout:g} seconds") from None
        except (RedisError, OSError) as error:
            if isinstance(error, OSError) or type(error) is RedisConnectionError:
                log.warning("Redis cannot be reached: %s", error)  # clients need not learn where it is
                raise StoreUnavailable("Redis cannot be reached") from error
            raise StoreUnavailable(f"Redis cannot be used: {_without_place(str(error))}") from error

    async def close(self) -> None:
        """Let go of the connection."""
        await self._drop()

    async def _call_or_drop(self, calls: Sequence[Call]) -> list[Reply]:
        try:
            return await self._call_patiently(calls)
        except BaseException:
            await self._drop()  # replies may still be on their way, and the next caller must not get them
            raise

    async def _call_patiently(self, calls: Sequence[Call]) -> list[Reply]:
        reused = self._connection.is_connected
        try:
            return await self._exchange(calls)
        except (RedisError, OSError) as error:
            if not reused or isinstance(error, ResponseError):
                raise
            log.debug("the connection to Redis was lost, connecting again: %s", error)
            await self._drop()
            return await self._exchange(calls)

    async def _exchange(self, calls: Sequence[Call]) -> list[Reply]:
        if not self._connection.is_connected:
            await self._connect()
        replies = await self._load_and_call(calls)
        for position, call in enumerate(calls):
            if isinstance(replies[position], NoScriptError) and call.script is not None:
                # Somebody has emptied the cache of scripts since it was loaded (SCRIPT FLUSH).
                load = ("SCRIPT", "LOAD", call.script.source)
                replies[position] = (await self._round_trip([load, call.words]))[1]
            if isinstance(replies[position], ResponseError):
                raise replies[position]
        return replies

    async def _load_and_call(self, calls: Sequence[Call]) -> list[Reply]:
        """Load the scripts that are new to this connection ahead of the calls: a call that came back with NOSCRIPT
        would be made after those behind it.
        """
        new = {call.script for call in calls if call.script is not None} - self._scripts
        loads = [("SCRIPT", "LOAD", script.source) for script in new]
        replies = await self._round_trip([*loads, *(call.words for call in calls)])
        self._scripts |= new
        return replies[len(loads) :]

    async def _connect(self) -> None:
        self._scripts.clear()  # a restarted server and one after a failover have none
        await self._connection.connect()  # type: ignore[no-untyped-call]  # redis-py's
        server, replication = await self._round_trip([("INFO", "server"), ("INFO", "replication")])
        self.source = f"{_info(server, b'run_id')}/{_info(replication, b'master_replid')}"

    async def _round_trip(self, commands: Sequence[tuple[Argument, ...]]) -> list[Reply]:
        packed = b"".join(map(hiredis.pack_command, commands))  # type: ignore[arg-type]  # its stub knows one word only
        await self._connection.send_packed_command(packed, check_health=False)
        return [await self._reply() for _ in commands]

    async def _reply(self) -> Reply:
        try:
            return await self._connection.read_response(disable_decoding=True)
        except ReadOnlyError:
            raise  # a demoted primary: another connection may find the new one
        except ResponseError as error:
            return error

    async def _drop(self) -> None:
        await self._connection.disconnect(nowait=True)


def _without_place(reason: str) -> str:
    """An error of Redis without the place in our script where it came up, which says nothing to a client."""
    return _SCRIPT_PLACE.sub("", reason)


def _info(text: Reply, name: bytes) -> str:
    if isinstance(text, bytes):
        for line in text.splitlines():
            if line.startswith(name + b":"):
                return line.partition(b":")[2].decode()
    return ""
