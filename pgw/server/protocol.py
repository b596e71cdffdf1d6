"""One connection, as gunicorn's asgi worker speaks HTTP/1 on it, corrected where that differs from the standard.

In: what gunicorn's parser reports.
Out: `100 Continue` when a body is wanted; 400 for what is no request, written as Go writes it; 408 and the end for a
client that takes too long; `Connection: close` with the last answer, and `keep-alive` for HTTP/1.0, as Go has them.
Never: changes an answer of the app otherwise.
Follows: RFC 9110 section 10.1.1 (Expect), RFC 9112 sections 3.2 (Host) and 9.6 (close); seen with gunicorn 26.2 and
gunicorn_h1c 0.6.9, which takes note of `Expect` and does nothing about it, ends connections as it was asked to without
a word, and whose `keepalive` ends nothing: its timer is cancelled as soon as it is set, and before the first request
there is none.
"""

import math
from http import HTTPStatus
from typing import Any, NamedTuple

from gunicorn.asgi.protocol import ASGIProtocol, BodyReceiver

from pgw.server.pipeline import Pipeline

HTTP_1_1 = (1, 1)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

SLOW_SECONDS = 300.0
"""For a body to be here, and for a client to take any part of its answer: 64 MiB, the largest push, come in over a line
of 2 Mbit/s; and nobody waits longer for a scrape, whose values go stale by then."""


class Wait(NamedTuple):
    """What a connection waits for; unless something comes about, it is another one or the same."""

    seconds: float
    """How long it may wait."""
    request: int
    unsent: int


class Body(BodyReceiver):  # type: ignore[misc]  # gunicorn has no types
    """A body that the client holds back until it is asked for."""

    __slots__ = ("_calls",)

    def __init__(self, request: Any, protocol: ASGIProtocol) -> None:  # noqa: ANN401  gunicorn's own
        super().__init__(request, protocol)
        self._calls = 0

    async def receive(self) -> Any:  # noqa: ANN401  an ASGI message
        """Ask for the body when the app does, so that one whose head is refused is never sent.

        Falcon begins each request with one call, whether anybody wants the body or not: that one gets nothing of it.
        """
        self._calls += 1
        if not (self._chunks or self._complete or self._disconnected):
            if self._calls == 1:
                return {"type": "http.request", "body": b"", "more_body": True}
            if self._calls == 2:  # noqa: PLR2004
                self.protocol.send_now(CONTINUE)
        return await super().receive()


class Protocol(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """A connection. The worker has all of them in `connections`, and looks at each now and then."""

    began = 0.0
    """When the connection was made, in seconds by the clock of the loop."""
    _callback_parser: Any
    _body_receiver: Any
    _was_asked = False
    """Whether the client may have said what is to become of the connection."""
    _wait: Wait | None = None
    _waits_since = 0.0

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  uvloop's
        """Begin."""
        self.began = self.worker.loop.time()
        self.worker.connection_begins(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.worker.connection_ends(self)
        super().connection_lost(exc)
        if self._task is not None:
            self._task.add_done_callback(self._let_go)

    def _let_go(self, _task: object) -> None:
        """Let go of what holds on to this connection, so that it ends by itself. The parser is written in C without the
        help of the garbage collector, which cannot see that: every connection would cost 10 KB for ever.
        """
        self._callback_parser = self._body_receiver = None

    def _feed_callback_parser(self, data: bytes) -> bool:
        """Feed what was held for later too, if there is anybody left to answer."""
        return self._callback_parser is not None and super()._feed_callback_parser(data)

    def end_if_late(self, now: float) -> None:
        """End the connection if its client has taken too long; seconds by the clock of the loop."""
        wait = self._waits_for()
        if wait != self._wait:
            self._wait, self._waits_since = wait, now
        elif now - self._waits_since >= wait.seconds:
            self._end(wait)

    def end_if_idle(self) -> None:
        """End the connection if it waits for a request."""
        if self._current_request is None:
            self._close_transport()
            self._task.cancel()  # it would wait for a request that cannot come

    def _waits_for(self) -> Wait:
        unsent = self.transport.get_write_buffer_size()
        if unsent or self._closed:
            return Wait(SLOW_SECONDS, self.req_count, unsent)
        if self._current_request is None:
            return Wait(self.cfg.keepalive, self.req_count, 0)  # for the head of a request, the first or the next
        return Wait(math.inf if self._callback_parser.is_complete else SLOW_SECONDS, self.req_count, 0)

    def _end(self, wait: Wait) -> None:
        if wait.unsent or self._closed:
            self.transport.abort()  # a close would wait for the client to take what is left
            return
        if self._current_request is not None:
            self._send_error_response(
                HTTPStatus.REQUEST_TIMEOUT, f"the body is not here after {SLOW_SECONDS:g} seconds"
            )
        self._close_transport()

    def send_now(self, data: bytes) -> None:
        """Send bytes ahead of the answer."""
        self._safe_write(data)

    def _send_response_start(self, status: int, headers: Any, request: Any) -> None:  # noqa: ANN401  gunicorn's
        """Say what becomes of the connection after this answer, where it is not what clients expect."""
        word = self._becomes(request)
        super()._send_response_start(status, [*headers, (b"connection", word)] if word else headers, request)

    def _becomes(self, request: Any) -> bytes | None:  # noqa: ANN401  gunicorn's
        if not self.worker.alive:
            return b"close"
        if not self._was_asked:
            return None
        ends: bool = request.should_close()
        if request.version < HTTP_1_1:
            return None if ends else b"keep-alive"
        return b"close" if ends else None

    def _setup_callback_parser(self) -> None:
        super()._setup_callback_parser()
        parser = self._callback_parser
        if isinstance(parser, Pipeline):  # not where the parser in C cannot be had
            loop = self.worker.loop
            parser.feed_later = lambda data: loop.call_soon(self._feed_callback_parser, data)
            parser.wait = self._pause_reading

    def _on_headers_complete(self) -> Any:  # noqa: ANN401  gunicorn's own
        parser = self._callback_parser
        headers = {name.lower(): value for name, value in parser.headers}
        is_new = parser.http_version >= HTTP_1_1
        self._was_asked = b"connection" in headers or not is_new
        if b"host" not in headers and is_new:
            raise ValueError("missing required Host header")  # the worker makes a 400 of it
        skips_body = super()._on_headers_complete()
        if b"expect" in headers and headers[b"expect"].lower() == b"100-continue" and is_new:
            self._body_receiver = Body(self._current_request, self)
        return skips_body

    def _arm_keepalive_timer(self) -> None:
        """Set no timer: end_if_late ends what is idle, and gunicorn's is cancelled as soon as it is set."""

    def _cancel_keepalive_timer(self) -> None:
        """There is none."""

    def _send_error_response(self, status: int, message: str) -> None:
        """Refuse what is no request; `message` may quote it, so it stays out of the head."""
        phrase = f"{status} {HTTPStatus(status).phrase}"
        body = f"{phrase}: {message}".encode(errors="replace")
        head = (
            f"HTTP/1.1 {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self._safe_write(head.encode() + body)
