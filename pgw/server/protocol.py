"""One connection, as gunicorn's asgi worker speaks HTTP/1 on it, corrected where that differs from the standard.

In: what gunicorn's parser reports.
Out: `100 Continue` when a body is wanted; 400 for what is no request, written as Go writes it.
Never: changes an answer of the app.
Follows: RFC 9110 section 10.1.1 (Expect), RFC 9112 section 3.2 (Host); seen with gunicorn 26.2 and gunicorn_h1c 0.6.9,
which takes note of `Expect` and does nothing about it.
"""

from http import HTTPStatus
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol, BodyReceiver

from pgw.server.pipeline import Pipeline

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


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
    """A connection."""

    def send_now(self, data: bytes) -> None:
        """Send bytes ahead of the answer."""
        self._safe_write(data)

    def _setup_callback_parser(self) -> None:
        super()._setup_callback_parser()
        parser = self._callback_parser
        if isinstance(parser, Pipeline):  # not where the parser in C cannot be had
            loop = self.worker.loop
            parser.feed_later = lambda data: loop.call_soon(self._feed_callback_parser, data)
            parser.wait = self._pause_reading

    def _on_headers_complete(self) -> Any:  # noqa: ANN401  gunicorn's own
        parser = self._callback_parser
        if parser.http_version >= (1, 1) and not any(name.lower() == b"host" for name, _ in parser.headers):
            raise ValueError("missing required Host header")  # the worker makes a 400 of it
        skips_body = super()._on_headers_complete()
        request = self._current_request
        expects = any(name == "EXPECT" and value.lower() == "100-continue" for name, value in request.headers)
        if expects and request.version >= (1, 1):
            self._body_receiver = Body(request, self)
        return skips_body

    def _send_error_response(self, status: int, message: str) -> None:
        """Refuse what is no request; `message` may quote it, so it stays out of the head."""
        phrase = f"{status} {HTTPStatus(status).phrase}"
        body = f"{phrase}: {message}".encode(errors="replace")
        head = (
            f"HTTP/1.1 {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self._safe_write(head.encode() + body)
