"""Counts and times requests, and ties the life of a worker to that of its server.

In: every request and its answer; the start and the end of the worker.
Out: counts in the tally, under the names of handlers that the responders have set.
Never: counts scrapes, or paths that lead nowhere; the original does not either.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import falcon.asgi

from pgw.telemetry.shared import Tally
from pgw.web.request import Request

PUSH = "push"


class Counting:
    """Counts the answers of the handlers."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def process_response(
        self,
        request: Request,
        response: falcon.asgi.Response,
        _resource: object,
        _request_succeeded: bool,  # noqa: FBT001  Falcon's signature
    ) -> None:
        """Count the answer."""
        handler, method = request.handler, request.method
        if not handler:
            return
        if request.limit:
            self._tally.count_limit(request.limit)
        self._tally.count_request(code=response.status_code, handler=handler, method=method)
        if request.refusal is not None:
            self._tally.note_refusal(*request.refusal)
        if handler == PUSH:
            duration = time.perf_counter() - request.started
            self._tally.observe_push(method=method, size=_size(request), duration=duration, now=time.time())


class Life:
    """Starts and stops what runs beside the requests."""

    def __init__(self, start: Callable[[], None], stop: Callable[[], Awaitable[None]]) -> None:
        self._start = start
        self._stop = stop

    async def process_startup(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        """Begin, before the first request."""
        self._start()

    async def process_shutdown(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        """End, after the last."""
        await self._stop()


def _size(request: Request) -> int:
    """The size of a request as promhttp reckons it: URL, method, protocol, headers, and the length it declares."""
    scope = request.scope
    size = len(scope["raw_path"]) + len(scope["query_string"]) + len(scope["method"]) + len("HTTP/1.1")
    for name, value in scope["headers"]:
        size += len(value) if name == b"host" else len(name) + len(value)
    return size + (request.content_length or 0)
