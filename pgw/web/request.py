"""Requests, with what the server and the framework leave to us.

In: what the server knows of a request.
Out: a Falcon request that gives its whole body or none of it, and whose path is a path.
Never: holds more of a body than a limit, and one chunk.
Follows: ASGI: `http.disconnect` instead of the rest of a body; RFC 9112: `GET http://host/path` means `/path`.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import falcon.asgi
from falcon.request import RequestOptions

from pgw.errors import BadBody, BodyTooLarge

Event = dict[str, Any]

CUT_SHORT = "unexpected EOF: the client went away, or was silent for too long, before its body was complete"


class Request(falcon.asgi.Request):
    """A request; the type that the app makes them of."""

    __slots__ = ("_first_event", "_receive_event", "handler", "limit", "refusal", "started")

    def __init__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Event]],
        first_event: Event | None = None,
        options: RequestOptions | None = None,
    ) -> None:
        self.started = time.perf_counter()
        """When it came, in seconds."""
        self.handler = ""
        """The name under which it is counted; set by whoever answers it. Nothing: it is not counted."""
        self.limit = ""
        """The limit because of which it is refused, if it is."""
        self.refusal: tuple[str, str] | None = None
        """The group of a push that is refused, and the reason."""
        self._first_event, self._receive_event = first_event, receive
        super().__init__(_with_origin_form(scope), receive, first_event, options)

    def header(self, name: bytes) -> str | None:
        """What the client says under a name, given in small letters.

        Falcon's get_header raises and catches an error to find that it says nothing, as nearly all do of what a push
        is asked for.
        """
        value = self._asgi_headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def whole_body(self) -> bytes | None:
        """The body, if all of it came with the head, as it does where it is not large."""
        event = self._first_event
        return None if event is None or event.get("more_body") else event.get("body")

    async def body(self, limit: int) -> bytes:
        """Receive the body, as it was sent.

        Falcon's stream does that too, as an async generator, and each of these goes through two weak sets of the loop.

        Raises:
            BodyTooLarge: it is longer than `limit` bytes.
            BadBody: the client has gone, or was given up, before all of it was here.
        """
        if (self.content_length or 0) > limit:
            raise BodyTooLarge(limit)
        event, chunks, room = self._first_event or {}, [], limit
        while True:
            chunks.append(event.get("body", b""))
            room -= len(chunks[-1])
            if room < 0:
                raise BodyTooLarge(limit)
            if not event.get("more_body"):
                break
            event = await self._receive_event()
        if event.get("type") == "http.disconnect":
            raise BadBody(CUT_SHORT)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _with_origin_form(scope: dict[str, Any]) -> dict[str, Any]:
    """Take scheme and host off the path of a request that was made as if to a proxy."""
    raw: bytes = scope.get("raw_path", b"/")
    if raw.startswith(b"/") or b"://" not in raw:
        return scope
    path = b"/" + raw.partition(b"://")[2].partition(b"/")[2]
    return {**scope, "raw_path": path, "path": unquote(path.decode("latin-1"))}
