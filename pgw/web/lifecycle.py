"""`/-/quit`: stop the whole gateway, where that is allowed.

In: PUT or POST.
Out: a goodbye; then the server finishes what it has begun and ends.
Never: stops anything unless --web.enable-lifecycle was given.
Follows: main.go of the original: bodies without a newline.

NOTE(pushgateway): the original explains itself at GET /-/quit whatever the route prefix is; here all is behind it.
"""

from collections.abc import Callable

import falcon.asgi

from pgw.web.problems import answer
from pgw.web.request import Request

ALLOW = "GET, OPTIONS, POST, PUT"


class Quit:
    """The way out."""

    def __init__(self, leave: Callable[[], None] | None) -> None:
        self._leave = leave

    async def on_put(self, _request: Request, response: falcon.asgi.Response) -> None:
        """Stop, if that is allowed."""
        if self._leave is None:
            _say(response, 403, "Lifecycle API is not enabled.")
            return
        _say(response, 200, "Requesting termination... Goodbye!")
        response.schedule_sync(self._leave)  # once the answer is sent

    on_post = on_put

    async def on_get(self, _request: Request, response: falcon.asgi.Response) -> None:
        """Explain."""
        _say(response, 405, "Only POST or PUT requests allowed.")

    async def on_options(self, _request: Request, response: falcon.asgi.Response) -> None:
        """Answer with what is allowed."""
        response.set_header("Allow", ALLOW)
        response.content_length = 0

    async def on_head(self, _request: Request, response: falcon.asgi.Response) -> None:
        """Refuse, as every other method is."""
        response.set_header("Allow", ALLOW)
        answer(response, 405, "Method Not Allowed")

    on_delete = on_patch = on_head


def _say(response: falcon.asgi.Response, status: int, text: str) -> None:
    response.status = status
    response.content_type = "text/plain; charset=utf-8"
    response.data = text.encode()
