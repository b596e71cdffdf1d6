"""The parser of a connection, with patience for requests that come before the answer to the one ahead of them.

In: bytes from a client.
Out: what the parser makes of one request at a time.
Never: loses what stands behind a request; gunicorn 26.2 drops it when it makes the parser ready for the next.
Follows: RFC 9112, section 9.3.2 (pipelining).
"""

from collections.abc import Callable
from typing import Any

from gunicorn_h1c import H1CProtocol

MOST_HELD = 64 << 10
"""Bytes that are held for later before the client has to wait: hundreds of pushes of ordinary size."""


class Pipeline(H1CProtocol):  # type: ignore[misc]  # it has no types
    """gunicorn's parser in C; `feed_later` and `wait` are set by the connection that it belongs to."""

    feed_later: Callable[[bytes], object]
    """Feeds bytes to this parser, once it is ready for the next request."""
    wait: Callable[[], object]
    """Lets the client wait before it sends more, until the request was answered."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  gunicorn's
        super().__init__(**options)
        self._held = b""

    def feed(self, data: bytes) -> None:
        """Take bytes; those behind a whole request are held."""
        if self.is_complete:
            self._held += data
        else:
            super().feed(data)
            if self.is_complete:
                self._held = self.remaining()
        if len(self._held) > MOST_HELD:
            self.wait()

    def reset(self) -> None:
        """Be ready for the next request, which may be here already."""
        super().reset()
        held, self._held = self._held, b""
        if held:
            self.feed_later(held)
