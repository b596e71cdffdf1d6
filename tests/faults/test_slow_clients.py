"""Hundreds of clients that begin and never finish: the others are served, and the slow ones are ended in time."""

from __future__ import annotations

import asyncio
import math
import socket
from contextlib import ExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from client import HOST
from gunicorn.config import Config
from held import memory_of
from load import Load
from meanwhile import meanwhile

from pgw.server.application import KEEPALIVE_SECONDS
from pgw.server.protocol import SLOW_SECONDS, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractContextManager
    from threading import Event

    from servers import Server, StartServer
    from verdict import Tell

    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

HEAD = b"POST /metrics/job/slow HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000\r\n\r\n"
BEGINNINGS = {
    "nothing": b"",
    "half a head": HEAD[:30],
    "half a body": HEAD + b"# slow",
    "a whole request and nothing after it": b"GET /-/healthy HTTP/1.1\r\nHost: gateway\r\n\r\n",
}
SLOW_CLIENTS = 600
SLOW_CLIENT_BYTES = 64 << 10
"""Of memory that each may cost; 10 to 20 KB were seen."""
REQUEST = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"
ON_ITS_WAY = 0.1
"""Seconds for what was sent to arrive, in the same event loop."""
PATIENCE = 10.0
PIECE = b"x" * 65536
PIECES = 200
"""Pieces of an answer: more than all buffers between here and there hold."""


@pytest.fixture(scope="module")
def running_server(start_for_module: StartServer) -> Server:
    """One gateway for all of them; ask for `server` instead, which is empty."""
    return start_for_module()


@pytest.fixture
def server(running_server: Server) -> Server:
    """A gateway without any groups: each load begins to count anew."""
    running_server.delete_all_groups()
    return running_server


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS.keys())
def test_hundreds_of_slow_clients_do_not_keep_others_from_pushing(server: Server, told: Tell, beginning: bytes) -> None:
    address = HOST, server.port
    before = memory_of(server)
    with ExitStack() as clients, Load(address, [address]) as load:
        slow = [clients.enter_context(socket.create_connection(address)) for _ in range(SLOW_CLIENTS)]
        for client in slow:
            client.sendall(beginning)
        with dripping(slow if beginning and not beginning.endswith(b"\r\n\r\n") else []):
            load.wait_for_more(400)
        assert memory_of(server) - before <= SLOW_CLIENTS * SLOW_CLIENT_BYTES
        verdict = told(load.stop())

    assert verdict.harm == {}, verdict
    assert (verdict.refused.total(), verdict.unanswered) == (0, 0), verdict


@pytest.mark.parametrize(
    ("beginning", "seconds", "answer"),
    [
        pytest.param(b"", KEEPALIVE_SECONDS, b"", id="nothing"),
        pytest.param(HEAD[:30], KEEPALIVE_SECONDS, b"", id="half a head"),
        pytest.param(HEAD + b"# slow", SLOW_SECONDS, b"HTTP/1.1 408 Request Timeout\r\n", id="half a body"),
    ],
)
async def test_a_client_that_takes_too_long_is_ended(beginning: bytes, seconds: float, answer: bytes) -> None:
    async with one_connection(swallow) as (connection, reader, writer):
        writer.write(beginning)
        await asyncio.sleep(ON_ITS_WAY)
        connection.end_if_late(0)

        connection.end_if_late(seconds - 1)
        assert not connection._closed
        connection.end_if_late(seconds)

        assert (await asyncio.wait_for(reader.read(), PATIENCE)).startswith(answer)
        assert reader.at_eof()


async def test_a_client_that_does_not_take_its_answer_is_ended() -> None:
    async with one_connection(answer_at_length) as (connection, reader, writer):
        writer.write(REQUEST)
        await asyncio.sleep(ON_ITS_WAY)
        connection.end_if_late(0)
        connection.end_if_late(SLOW_SECONDS)

        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(PIECES * len(PIECE)), PATIENCE)


async def test_a_connection_that_is_used_is_kept() -> None:
    async with one_connection(swallow) as (connection, reader, writer):
        for turn in range(10):
            connection.end_if_late(turn * (KEEPALIVE_SECONDS - 1))
            writer.write(REQUEST)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            assert head.startswith(b"HTTP/1.1 204")

        assert not connection._closed


@asynccontextmanager
async def one_connection(
    app: Callable[..., Awaitable[None]],
) -> AsyncIterator[tuple[Protocol, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to an app, seen from both ends; of a worker there is what a connection needs."""
    loop = asyncio.get_running_loop()
    config = Config()
    config.set("keepalive", KEEPALIVE_SECONDS)
    log = SimpleNamespace(access_log_enabled=False, debug=print, exception=print)
    worker = SimpleNamespace(
        cfg=config,
        log=log,
        asgi=app,
        loop=loop,
        nr=0,
        nr_conns=0,
        max_requests=math.inf,
        alive=True,
        connection_begins=(connections := set[Protocol]()).add,
        connection_ends=connections.discard,
    )
    server = await loop.create_server(lambda: Protocol(worker), HOST, 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await asyncio.sleep(ON_ITS_WAY)
    [connection] = connections
    try:
        yield connection, reader, writer
    finally:
        writer.close()
        server.close()
        connection.end_if_idle()
        await asyncio.wait([connection._task])


async def swallow(
    _scope: object, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Take the body, answer with nothing."""
    message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def answer_at_length(_scope: object, _receive: Receive, send: Send) -> None:
    """Answer with all pieces."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def dripping(clients: Sequence[socket.socket]) -> AbstractContextManager[None]:
    """Each client sends a byte each second meanwhile."""

    def drip(done: Event) -> None:
        while not done.wait(1):
            for client in clients:
                client.sendall(b"x")

    return meanwhile(drip)
