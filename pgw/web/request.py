"""Requests, with two things that the server and the framework leave to us.

In: what the server knows of a request.
Out: a Falcon request that knows when its body is not whole, and whose path is a path.
Never: reads the body itself.
Follows: ASGI: `http.disconnect` instead of the rest of a body; RFC 9112: `GET http://host/path` means `/path`.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import falcon.asgi
from falcon.request import RequestOptions

Event = dict[str, Any]


class _Receiver:
    """What receives the body of a request, and sees its end.

    An object of its own, which does not know the request: a request that is held by what it holds would be left to the
    garbage collector.
    """

    __slots__ = ("_receive", "is_cut_short")

    def __init__(self, receive: Callable[[], Awaitable[Event]]) -> None:
        self._receive = receive
        self.is_cut_short = False

    async def __call__(self) -> Event:
        event = await self._receive()
        if event["type"] == "http.disconnect":
            self.is_cut_short = True
        return event


class Request(falcon.asgi.Request):
    """A request; the type that the app makes them of."""

    __slots__ = ("_receiver",)

    def __init__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Event]],
        first_event: Event | None = None,
        options: RequestOptions | None = None,
    ) -> None:
        self._receiver = _Receiver(receive)
        super().__init__(_with_origin_form(scope), self._receiver, first_event, options)

    @property
    def is_cut_short(self) -> bool:
        """Whether the client has gone, or was given up, before its body was here; known once the body was read."""
        return self._receiver.is_cut_short


def _with_origin_form(scope: dict[str, Any]) -> dict[str, Any]:
    """Take scheme and host off the path of a request that was made as if to a proxy."""
    raw: bytes = scope.get("raw_path", b"/")
    if raw.startswith(b"/") or b"://" not in raw:
        return scope
    path = b"/" + raw.partition(b"://")[2].partition(b"/")[2]
    return {**scope, "raw_path": path, "path": unquote(path.decode("latin-1"))}
