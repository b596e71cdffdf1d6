"""GET /metrics: the page that Prometheus reads.

In: a request.
Out: all groups and the gateway's own families, in the text format or as protobuf, compressed if the client likes.
Never: shows less than what was pushed before it was asked for; if that cannot be known it answers 503.
Follows: section 1.2 of the behaviour page.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import chain

import falcon.asgi
from isal import isal_zlib

from pgw.formats import metrics_pb2 as pb
from pgw.formats.escaping import Scheme, escape_message
from pgw.formats.messages import stamp, to_message
from pgw.formats.negotiation import GZIP, Format, Kind, choose_encoding, choose_format
from pgw.formats.protobuf_writer import WRITERS, varint
from pgw.gateway.gateway import Gateway
from pgw.model.group import Fragment
from pgw.view.deflate import GZIP_FORM, LEVEL
from pgw.web.parameters import boolean, query_parameters
from pgw.web.request import Request
from pgw.web.resource import Page

TIMESTAMPS = "timestamps"
"""The parameter that asks for the time of its push on each sample; see docs/timestamps.md."""
SLICE = 16 << 10
"""Bytes of sample lines of which a message is made at once: some 200 samples, a few milliseconds of a thread."""


class Scrape(Page):
    """The page of all groups."""

    def __init__(self, gateway: Gateway, observe: Callable[[float], None]) -> None:
        self._gateway = gateway
        self._observe = observe

    async def on_get(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer with the page."""
        started = time.perf_counter()
        wanted = choose_format(request.get_header("Accept"))
        stamped = _wants_timestamps(request)
        compressed = choose_encoding(request.get_header("Accept-Encoding")) == GZIP
        if wanted.kind is Kind.TEXT and not stamped:
            await self._answer_text(response, wanted, compressed=compressed)
        else:
            parts = _each_made(await self._parts(wanted, stamped=stamped))
            response.stream = _gzipped(parts) if compressed else parts
        # Not before there is a page: a refusal is plain text.
        response.content_type = wanted.content_type
        response.set_header("Vary", "Accept, Accept-Encoding")
        if compressed:
            response.set_header("Content-Encoding", GZIP)
        self._observe(time.perf_counter() - started)

    async def _parts(self, wanted: Format, *, stamped: bool) -> Iterator[bytes]:
        """The parts of a page that is made on the way out."""
        if wanted.kind is Kind.TEXT:
            return await self._gateway.stamped(scheme=wanted.escaping)
        families = await self._gateway.families()
        return chain.from_iterable(_parts(family, wanted, stamped=stamped) for family in families)

    async def _answer_text(self, response: falcon.asgi.Response, wanted: Format, *, compressed: bool) -> None:
        page = await self._gateway.scrape(compressed=compressed, scheme=wanted.escaping)
        if len(page.chunks) == 1:
            response.data = page.chunks[0]
        else:
            response.content_length = page.length
            response.stream = _each(page.chunks)


def _wants_timestamps(request: Request) -> bool:
    """Tell whether the query says `timestamps=1`; what else is in it is ignored, as the original does."""
    query: bytes = request.scope["query_string"]
    return TIMESTAMPS.encode() in query and boolean(query_parameters(request), TIMESTAMPS)


async def _each(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _each_made(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Make each part in a thread; not all at once, for one family of a large store has a million metrics."""
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        if part:
            yield part


def _parts(family: Iterable[Fragment], wanted: Format, *, stamped: bool = False) -> Iterator[bytes]:
    """Write one family in parts; an empty one says no more than that some work was done."""
    messages = _messages(family, wanted.escaping, stamped=stamped)
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
        packed.append(isal_zlib.compress(encoded, LEVEL))
        yield b""
    yield varint(length)
    yield from map(isal_zlib.decompress, packed)


def _messages(family: Iterable[Fragment], scheme: Scheme, *, stamped: bool) -> Iterator[pb.MetricFamily]:
    """Make the message of a family in slices: put together they are it, and so are their encodings in a row."""
    for number, fragments in enumerate(_slices(family)):
        message = _message(fragments)
        if stamped:
            stamp(message, fragments)
        message = escape_message(message, scheme)
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


def _message(fragments: Sequence[Fragment]) -> pb.MetricFamily:
    if not any(fragment.details for fragment in fragments):  # then their lines can be read as those of one
        fragments = [fragments[0]._replace(text=b"".join(fragment.text for fragment in fragments))]
    first, *others = map(to_message, fragments)
    for other in others:
        first.metric.extend(other.metric)
    return first


async def _gzipped(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    stream = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, GZIP_FORM)
    async for part in parts:
        yield stream.compress(part)
    yield stream.flush()
