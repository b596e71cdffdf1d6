"""GET /metrics: the page that Prometheus reads.

In: a request.
Out: all groups and the gateway's own families, in the text format or as protobuf, compressed if the client likes.
Never: shows less than what was pushed before it was asked for; if that cannot be known it answers 503.
Follows: section 1.2 of the behaviour page.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import chain

import falcon.asgi

from pgw.formats import metrics_pb2 as pb
from pgw.formats.escaping import Scheme, escape_message
from pgw.formats.messages import to_message
from pgw.formats.negotiation import GZIP, Format, Kind, choose_encoding, choose_format
from pgw.formats.protobuf_writer import WRITERS, varint
from pgw.gateway.gateway import Gateway
from pgw.model.group import Fragment
from pgw.view.deflate import LEVEL
from pgw.web.resource import Page
from pgw.web.timestamps import are_wanted, stamped_message, stamped_page

SLICE = 16 << 10
"""Bytes of sample lines of which a message is made at once: some 200 samples, a few milliseconds of a thread."""
_GZIP_FORM = zlib.MAX_WBITS | 16

Make = Callable[[Fragment], pb.MetricFamily]
"""How a fragment becomes a message."""


class Scrape(Page):
    """The page of all groups."""

    def __init__(self, gateway: Gateway, observe: Callable[[float], None]) -> None:
        self._gateway = gateway
        self._observe = observe

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer with the page."""
        started = time.perf_counter()
        wanted = choose_format(request.get_header("Accept"))
        stamped = are_wanted(request)
        compressed = choose_encoding(request.get_header("Accept-Encoding")) == GZIP
        response.content_type = wanted.content_type
        response.set_header("Vary", "Accept, Accept-Encoding")
        if compressed:
            response.set_header("Content-Encoding", GZIP)
        if wanted.kind is Kind.TEXT and not stamped:
            await self._answer_text(response, wanted, compressed=compressed)
        else:
            parts = _each_written(_all_parts(await self._gateway.families(), wanted, stamped=stamped))
            response.stream = _gzipped(parts) if compressed else parts
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


async def _each_written(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Write each part in a thread; not all at once, for one family of a large store has a million metrics."""
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        if part:
            yield part


def _all_parts(families: Iterable[Iterable[Fragment]], wanted: Format, *, stamped: bool) -> Iterator[bytes]:
    if wanted.kind is Kind.TEXT:
        return stamped_page(families, wanted.escaping)
    make = stamped_message if stamped else to_message
    return chain.from_iterable(_parts(family, wanted, make) for family in families)


def _parts(family: Iterable[Fragment], wanted: Format, make: Make = to_message) -> Iterator[bytes]:
    """Write one family in parts; an empty one says no more than that some work was done."""
    messages = _messages(family, wanted.escaping, make)
    if wanted.kind is Kind.DELIMITED:
        yield from _delimited(messages)
        return
    for number, message in enumerate(messages):
        text = WRITERS[wanted.kind](message).removesuffix(b"\n")
        yield b" " + text if number and wanted.kind is Kind.COMPACT_TEXT else text
    yield b"\n"


def _delimited(messages: Iterable[pb.MetricFamily]) -> Iterator[bytes]:
    """Write messages as one, with its length in front; until that is known they wait in little room."""
    length, packed = 0, []
    for message in messages:
        encoded = message.SerializeToString()
        length += len(encoded)
        packed.append(zlib.compress(encoded, LEVEL))
        yield b""
    yield varint(length)
    yield from map(zlib.decompress, packed)


def _messages(family: Iterable[Fragment], scheme: Scheme, make: Make) -> Iterator[pb.MetricFamily]:
    """Make the message of a family in slices: put together they are it, and so are their encodings in a row."""
    for number, fragments in enumerate(_slices(family)):
        message = escape_message(_message(fragments, make), scheme)
        for field in ("name", "help", "type") if number else ():
            message.ClearField(field)
        yield message


def _slices(family: Iterable[Fragment]) -> Iterator[list[Fragment]]:
    gathered: list[Fragment] = []
    size = 0
    for fragment in family:
        gathered.append(fragment)
        size += len(fragment.text)
        if size >= SLICE:
            yield gathered
            gathered, size = [], 0
    if gathered:
        yield gathered


def _message(fragments: Sequence[Fragment], make: Make) -> pb.MetricFamily:
    if make is to_message and not any(fragment.details for fragment in fragments):
        # Then their lines can be read as those of one.
        fragments = [fragments[0]._replace(text=b"".join(fragment.text for fragment in fragments))]
    first, *others = map(make, fragments)
    for other in others:
        first.metric.extend(other.metric)
    return first


async def _gzipped(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP_FORM)
    async for part in parts:
        yield stream.compress(part)
    yield stream.flush()
