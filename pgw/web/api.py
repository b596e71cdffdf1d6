"""The JSON API: what is stored, how this gateway was started, and wiping all of it.

In: requests below `/api/v1`.
Out: `{"status":"success","data":...}`; the groups are sent one by one, so that no number of them fills the memory.
Never: answers another site's script without saying so in the CORS headers.
Follows: api/v1/api.go and handler/wipe.go of the original (behaviour page, section 1.3).

NOTE(pushgateway): the groups come sorted by name; the original's order is random.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import falcon.asgi

from pgw.formats.json_writer import group_json
from pgw.gateway.gateway import Gateway
from pgw.web.problems import answer
from pgw.web.request import Request
from pgw.web.resource import Page

CORS = {
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Origin",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Date",
    "Cache-Control": "no-cache, no-store, must-revalidate",
}
_T = TypeVar("_T")
_OPENING, _CLOSING = b'{"status":"success","data":', b"}"


class ApiPage(Page):
    """A page of the API."""

    async def on_options(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer as every path of the API does, those that lead nowhere included."""
        options(request, response)


class Metrics(ApiPage):
    """All groups."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def on_get(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer with the groups."""
        request.handler = "api/v1/metrics"
        groups = self._json()
        first = await anext(groups)  # Redis is asked before the status is sent, so that it can still be 503
        succeed(response)
        response.stream = chained(first, groups)

    async def _json(self) -> AsyncIterator[bytes]:
        separator = _OPENING + b"["
        async for groups in self._gateway.groups():
            for group in groups:
                # In a thread, and each by itself: thousands in a row, or one that is large, would hold up all pushes.
                yield separator + await asyncio.to_thread(group_json, group)
                separator = b","
        yield (separator if separator != b"," else b"") + b"]" + _CLOSING


class Status(ApiPage):
    """How this gateway was built and started."""

    def __init__(self, status: bytes) -> None:
        self._status = status

    async def on_get(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer with versions, flags and the time of the start."""
        request.handler = "api/v1/status"
        succeed(response)
        response.data = _OPENING + self._status + _CLOSING


class Wipe:
    """PUT /api/v1/admin/wipe, where the admin API is on."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def on_put(self, request: Request, response: falcon.asgi.Response) -> None:
        """Remove all groups."""
        request.handler = "wipe"
        await self._gateway.wipe()
        response.status = 202
        response.content_length = 0

    async def on_options(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer as every path of the API does."""
        options(request, response)


def options(request: Request, response: falcon.asgi.Response) -> None:
    """Answer OPTIONS: who may ask for what."""
    request.handler = "api/v1/options"
    response.set_headers(CORS)
    response.content_length = 0


async def elsewhere(req: Request, resp: falcon.asgi.Response | None, **_: object) -> None:
    """Answer for a path of the API that leads nowhere. A sink."""
    if resp is None:
        return
    if req.method == "OPTIONS":
        options(req, resp)
    else:
        answer(resp, 404, "404 page not found")


def succeed(response: falcon.asgi.Response) -> None:
    """Say that JSON follows, which any site may read."""
    response.set_headers(CORS)
    response.content_type = "application/json"


async def chained(first: _T, rest: AsyncIterator[_T]) -> AsyncIterator[_T]:
    """What was taken from an iterator before the status was sent, and the rest of it."""
    yield first
    async for part in rest:
        yield part
