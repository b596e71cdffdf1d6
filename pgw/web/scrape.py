"""GET /metrics: the page that Prometheus reads.

In: a request.
Out: all groups and the gateway's own families, in the text format or as protobuf, compressed if the client likes.
Never: shows less than what was pushed before it was asked for; if that cannot be known it answers 503.
Follows: section 1.2 of the behaviour page.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable

import falcon.asgi

from pgw.formats.escaping import escape_message
from pgw.formats.messages import to_message
from pgw.formats.negotiation import GZIP, Format, Kind, choose_encoding, choose_format
from pgw.formats.protobuf_writer import WRITERS
from pgw.gateway.gateway import Gateway
from pgw.model.group import Fragment
from pgw.view.deflate import LEVEL
from pgw.web.resource import Page

_GZIP_FORM = zlib.MAX_WBITS | 16


class Scrape(Page):
    """The page of all groups."""

    def __init__(self, gateway: Gateway, observe: Callable[[float], None]) -> None:
        self._gateway = gateway
        self._observe = observe

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer with the page."""
        started = time.perf_counter()
        wanted = choose_format(request.get_header("Accept"))
        compressed = choose_encoding(request.get_header("Accept-Encoding")) == GZIP
        response.content_type = wanted.content_type
        response.set_header("Vary", "Accept, Accept-Encoding")
        if compressed:
            response.set_header("Content-Encoding", GZIP)
        if wanted.kind is Kind.TEXT:
            await self._answer_text(response, wanted, compressed=compressed)
        else:
            families = _written(await self._gateway.families(), wanted)
            response.stream = _gzipped(families) if compressed else families
        self._observe(time.perf_counter() - started)

    async def _answer_text(self, response: falcon.asgi.Response, wanted: Format, *, compressed: bool) -> None:
        page = await self._gateway.scrape(compressed=compressed, scheme=wanted.escaping)
        if len(page.chunks) == 1:
            response.data = page.chunks[0]
        else:
            response.content_length = page.length
            response.stream = _each(page.chunks)


async def _each(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _written(families: list[list[Fragment]], wanted: Format) -> AsyncIterator[bytes]:
    """Write family by family, each in a thread: one of a large store has many thousand metrics."""
    for family in families:
        yield await asyncio.to_thread(_write_family, family, wanted)


def _write_family(fragments: list[Fragment], wanted: Format) -> bytes:
    first, *others = map(to_message, fragments)
    for other in others:
        first.metric.extend(other.metric)
    return WRITERS[wanted.kind](escape_message(first, wanted.escaping))


async def _gzipped(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP_FORM)
    async for part in parts:
        yield stream.compress(part)
    yield stream.flush()
