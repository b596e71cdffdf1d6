"""GET /metrics: the page that Prometheus reads.

In: a request.
Out: all groups and the gateway's own families, in the text format, compressed if the client likes.
Never: shows less than what was pushed before it was asked for; if that cannot be known it answers 503.
Follows: section 1.2 of the behaviour page.
"""

import time
from collections.abc import AsyncIterator, Callable

import falcon.asgi

from pgw.formats.negotiation import GZIP, choose_encoding
from pgw.gateway.gateway import Gateway
from pgw.view import page
from pgw.web.resource import Page

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"


class Scrape(Page):
    """The page of all groups."""

    def __init__(self, gateway: Gateway, observe: Callable[[float], None]) -> None:
        self._gateway = gateway
        self._observe = observe

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer with the page."""
        started = time.perf_counter()
        encoding = choose_encoding(request.get_header("Accept-Encoding"))
        scraped = await self._gateway.scrape(compressed=encoding == GZIP)
        self._observe(time.perf_counter() - started)
        response.content_type = CONTENT_TYPE
        response.set_header("Vary", "Accept-Encoding")
        if encoding == GZIP:
            response.set_header("Content-Encoding", GZIP)
        if len(scraped.chunks) == 1:
            response.data = scraped.chunks[0]
        else:
            response.content_length = scraped.length
            response.stream = _chunks(scraped)


async def _chunks(scraped: page.Page) -> AsyncIterator[bytes]:
    for chunk in scraped.chunks:
        yield chunk
