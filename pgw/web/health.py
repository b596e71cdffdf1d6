"""`/-/healthy`, `/-/ready` and `/-/metrics`: is this replica alive, can it serve, how is it doing.

In: a request.
Out: 200 `OK`, or 503 with the reason; the metrics of this replica's processes.
Never: calls a replica dead because Redis is: restarting it would not help.

NOTE(pushgateway): the original answers ready like healthy, and both with 500 while its write queue is full.
"""

from collections.abc import Callable

import falcon.asgi

from pgw.gateway.gateway import Gateway
from pgw.telemetry.process import CONTENT_TYPE
from pgw.web.request import Request
from pgw.web.resource import Page


class Healthy(Page):
    """Liveness."""

    async def on_get(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer OK: whoever can answer is alive."""
        request.handler = "healthy"
        _ok(response)


class Ready(Page):
    """Readiness: a load balancer sends requests here or elsewhere."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def on_get(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer OK if pushes and scrapes can be served."""
        request.handler = "ready"
        await self._gateway.ready()
        _ok(response)


class Processes(Page):
    """The metrics of this replica's own processes."""

    def __init__(self, exposition: Callable[[], bytes]) -> None:
        self._exposition = exposition

    async def on_get(self, _request: Request, response: falcon.asgi.Response) -> None:
        """Answer with the metrics."""
        response.content_type = CONTENT_TYPE
        response.data = self._exposition()


def _ok(response: falcon.asgi.Response) -> None:
    response.content_type = "text/plain; charset=utf-8"
    response.data = b"OK"
