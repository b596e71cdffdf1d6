"""`/status`: how the gateway was built and started.

In: what /api/v1/status shows too.
Out: a page.
Never: changes while the gateway runs.
"""

import json

import falcon.asgi

from pgw.web.page.frame import Frame
from pgw.web.request import Request
from pgw.web.resource import Page


class Status(Page):
    """The status page."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def on_get(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer with the page."""
        status = {"start_time": "", "build_information": {}, "flags": {}, **json.loads(self._frame.site.status)}
        self._frame.show(request, response, "status.html", {"status": status})


class Entrance:
    """The route prefix without a slash: leads to the list."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def on_get(self, _request: Request, response: falcon.asgi.Response) -> None:
        """Answer with where the list is."""
        response.status = 301
        response.set_header("Location", self._frame.links.home())
        response.content_length = 0
