"""One connection to the primary: calls go out together, replies come back in order.

In: calls (scripts with keys and arguments, or plain commands).
Out: their replies, as raw as Redis sent them; error replies of a call are raised.
Never: lets an exception of redis-py out, waits longer than the timeout, or gives up for good: the next call
connects again.
Follows: the Redis protocol by way of redis-py's Connection, so that TLS, passwords and URLs stay the library's.

A call that fails because an idle connection had died, or because the server is no longer the primary, is sent once
more on a new one: our calls may be repeated (but for the counters, see lua/count.lua).
"""

import asyncio
import contextlib
import logging
import math
import re
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from pgw.errors import StoreRefused, StoreUnavailable
from pgw.store.primary import Place, Primary
from pgw.store.scripts import Script
from pgw.store.watch import now

log = logging.getLogger(__name__)

Reply = Any
"""What hiredis makes of a reply: bytes, int, None or a list of these."""
Argument = str | bytes | int | float

PRIMARY = b"master"
"""What ROLE says of a server that takes writes."""

LAST_TURNS = 8
"""Of the event loop, within which an answer that is there is read and handed on; microseconds if there is none."""
END_OF_TIME = 9_999_999_999.0
"""Seconds since 1970: the last whose microseconds are written with 16 digits."""

_SCRIPT_PLACE = re.compile(
    r"^Error running script \(call to \w+\): @user_script:\s*\d+: (?:@user_script: \d+: )?"
    r"|\s*script: (?:\w+, )?on @user_script:\d+\.$"
)
"""How Redis 6, Redis 7 and Valkey say where in a script an error came up."""


class Call(NamedTuple):
    """One command."""

    words: tuple[Argument, ...]
    script: Script | None = None
    until: float = math.inf
    """When a script that is bounded may begin at the latest, by watch.now."""

    @classmethod
    def of(cls, script: Script, keys: Sequence[str], arguments: Iterable[Argument] = ()) -> "Call":
        """Call a script by its digest."""
        return cls(("EVALSHA", script.sha, len(keys), *keys, *arguments), script)

    def sent(self, ahead: float) -> tuple[Argument, ...]:
        """The words as a server gets them whose clock is ahead of ours by so many seconds."""
        if self.script is None or not self.script.is_bounded:
            return self.words
        until = min(self.until + ahead, END_OF_TIME)
        return (*self.words, f"{round(until * 1_000_000):016d}")


class Link:
    """A connection that is made when it is needed. One caller at a time; others wait for their turn."""

    def __init__(self, primary: Primary, timeout: float) -> None:
        self._primary = primary
        self._connection: AbstractConnection | None = None
        self._place: Place = {}
        self._timeout = timeout
        self._turn = asyncio.Lock()
        self._scripts: set[Script] = set()
        """Those that were loaded by this connection."""
        self._trouble = ""
        """Why it cannot connect, as the log has it already."""
        self.source = ""
        """Which server this is: its run id and replication id. Set when it connects."""
        self._ahead = 0.0
        """By how many seconds the clock of that server is ahead of watch.now."""

    async def call(self, *calls: Call) -> list[Reply]:
        """Send calls in one go and return their replies.

        Raises:
            StoreUnavailable: no connection, no answer in time, or an error reply to any of them.
            StoreRefused: Redis does not let us.
        """
        try:
            async with _TimeLimit(self._timeout), self._turn:
                return await self._call_or_drop(calls)
        except TimeoutError:
            raise StoreUnavailable(f"Redis did not answer within {self._timeout:g} seconds") from None
        except (RedisError, OSError) as error:
            raise self._unavailable(error) from error

    async def follow(self) -> None:
        """Let go of a server that is no longer the primary but still answers: what it says may be old. And learn its
        time anew, as clocks drift apart.

        Raises:
            StoreUnavailable: as `call`; this one is left as it is.
        """
        if self._connection is None:
            return
        role, time = await self.call(Call(("ROLE",)), Call(("TIME",)))
        self._learn_time(time)
        try:
            async with asyncio.timeout(self._timeout):
                place = await self._primary.find()
                async with self._turn:
                    if role[0] != PRIMARY or place != self._place:
                        await self._drop()
        except TimeoutError:
            raise StoreUnavailable(f"nobody said within {self._timeout:g} seconds where Redis is") from None
        except (RedisError, OSError) as error:
            raise self._unavailable(error) from error

    async def close(self) -> None:
        """Let go of the connection, and wait until it is closed: TLS says goodbye."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(TimeoutError, RedisError, OSError):
                async with asyncio.timeout(self._timeout):
                    await connection.disconnect()

    async def _call_or_drop(self, calls: Sequence[Call]) -> list[Reply]:
        try:
            return await self._call_patiently(calls)
        except BaseException:
            await self._drop()  # replies may still be on their way, and the next caller must not get them
            raise

    async def _call_patiently(self, calls: Sequence[Call]) -> list[Reply]:
        reused = self._connection is not None
        try:
            return await self._exchange(calls)
        except (RedisError, OSError) as error:
            if not reused or (isinstance(error, ResponseError) and not _is_elsewhere(error)):
                raise
            log.debug("the connection to Redis was lost, connecting again: %s", error)
            await self._drop()
            return await self._exchange(calls)

    async def _exchange(self, calls: Sequence[Call]) -> list[Reply]:
        connection = self._connection
        if connection is None or not connection.is_connected:
            connection = await self._connect()
        replies = await self._load_and_call(connection, calls)
        for position, call in enumerate(calls):
            if isinstance(replies[position], NoScriptError) and call.script is not None:
                # Somebody has emptied the cache of scripts since it was loaded (SCRIPT FLUSH), and may do so again
                # between any two commands: so the script goes with its call.
                _, _, *rest = call.sent(self._ahead)
                [replies[position]] = await _round_trip(connection, [("EVAL", call.script.source, *rest)])
            if isinstance(replies[position], ResponseError):
                raise replies[position]
        return replies

    async def _load_and_call(self, connection: AbstractConnection, calls: Sequence[Call]) -> list[Reply]:
        """Load the scripts that are new to this connection ahead of the calls: a call that came back with NOSCRIPT
        would be made after those behind it.
        """
        new = {call.script for call in calls if call.script is not None} - self._scripts
        loads = [("SCRIPT", "LOAD", script.source) for script in new]
        replies = await _round_trip(connection, [*loads, *(call.sent(self._ahead) for call in calls)])
        for reply in replies[: len(loads)]:
            if isinstance(reply, ResponseError):
                raise reply
        self._scripts |= new
        return replies[len(loads) :]

    async def _connect(self) -> AbstractConnection:
        self._scripts.clear()  # a restarted server and one after a failover have none
        self._place = await self._primary.find()
        self._connection = connection = self._primary.connection(self._place)
        await connection.connect()  # type: ignore[no-untyped-call]  # redis-py's
        questions = (("INFO", "server"), ("INFO", "replication"), ("TIME",))
        server, replication, time = replies = await _round_trip(connection, questions)
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        self._learn_time(time)
        if _info(replication, b"role") == "slave":
            raise ReadOnlyError("it is a read only replica, and what it says may be old")
        self.source = f"{_info(server, b'run_id')}/{_info(replication, b'master_replid')}"
        self._trouble = ""
        return connection

    def _learn_time(self, reply: Reply) -> None:
        """Note the time of the server. If the answer took long, writes are given less time than they have, not more:
        a script that comes too late by mistake ends the connection, and the next one learns the time.
        """
        seconds, microseconds = map(int, reply)
        self._ahead = seconds + microseconds / 1_000_000 - now()

    def _unavailable(self, error: RedisError | OSError) -> StoreUnavailable:
        """What clients are told; the log is told once."""
        if isinstance(error, OSError) or type(error) is RedisConnectionError:
            log.log(logging.DEBUG if self._trouble == str(error) else logging.WARNING, "Redis is away: %s", error)
            self._trouble = str(error)
            return StoreUnavailable("Redis cannot be reached")  # clients need not learn where it is
        return unusable(error)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


class _TimeLimit:
    """As asyncio.timeout, but what is at hand when the time is over still counts: an event loop that needs seconds for
    a turn would otherwise find that Redis is late, with its answer unread.

    No function within a function: one that calls itself again refers to itself, and all of the call with it would be
    left to the garbage collector.
    """

    __slots__ = ("_limit", "_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._limit = asyncio.timeout(None)
        self._timer: asyncio.Handle

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire, LAST_TURNS)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, traceback)

    def _expire(self, turns: int) -> None:
        loop = asyncio.get_running_loop()
        if turns:
            self._timer = loop.call_soon(self._expire, turns - 1)
        else:
            self._limit.reschedule(loop.time())


def unusable(error: RedisError) -> StoreUnavailable:
    """What clients are told of an error reply."""
    if isinstance(error, (AuthenticationError, AuthorizationError)) or _is_forbidden(error):
        return StoreRefused(f"Redis does not let pgw in: {_without_place(str(error))}")
    return StoreUnavailable(f"Redis cannot be used: {_without_place(str(error))}")


async def _round_trip(connection: AbstractConnection, commands: Sequence[tuple[Argument, ...]]) -> list[Reply]:
    packed = b"".join(map(hiredis.pack_command, commands))  # type: ignore[arg-type]  # its stub knows one word only
    await connection.send_packed_command(packed, check_health=False)
    return [await _reply(connection) for _ in commands]


async def _reply(connection: AbstractConnection) -> Reply:
    try:
        return await connection.read_response(disable_decoding=True)
    except ResponseError as error:
        if _is_elsewhere(error):
            raise  # another connection may find the primary
        return error


def _is_elsewhere(error: ResponseError) -> bool:
    """Whether another server has become the primary of our keys; Redis 6 wraps what a script meets."""
    return isinstance(error, (ReadOnlyError, MovedError)) or "-READONLY" in str(error)


def _is_forbidden(error: Exception) -> bool:
    """Whether our user lacks a right; Redis 6, 7 and Valkey each say it in their own way where a script meets it."""
    words = ("-NOPERM", "The user executing the script", "ACL failure")
    return isinstance(error, NoPermissionError) or any(word in str(error) for word in words)


def _without_place(reason: str) -> str:
    """An error of Redis without the place in our script where it came up, which says nothing to a client."""
    return _SCRIPT_PLACE.sub("", reason)


def _info(text: Reply, name: bytes) -> str:
    if isinstance(text, bytes):
        for line in text.splitlines():
            if line.startswith(name + b":"):
                return line.partition(b":")[2].decode()
    return ""
