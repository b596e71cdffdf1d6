"""The body of a push: received, decompressed, and never larger than it may be.

In: a request.
Out: the bytes of its body.
Never: holds more than the limit (and one chunk) in memory, whatever a small compressed body would unpack to.
Follows: section 2.1 of the behaviour page for Content-Encoding: gzip and framed snappy in any case, several members,
unknown encodings ignored; the words of Go's compress/gzip and golang/snappy in the errors.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterator, Mapping

import cramjam

from pgw.errors import BadBody, BodyTooLarge
from pgw.view.deflate import GZIP_FORM
from pgw.web.request import Request

LONG_PACKED = 16 << 10
"""Bytes from which on a body is decompressed in a thread: they may unpack to a thousand times as many, 16 MB, which
would hold up all other requests for tens of milliseconds."""
FIRST_WINDOW, LAST_WINDOW = 512, 64 << 10
"""Bytes of a member that are fed to zlib at once: few at first, for a body may hold a great many small ones."""
LARGEST_PIECE = 1 << 20
"""Bytes that come out at once, so that a bomb costs no more; what is shorter than that comes out in one piece."""

_ENCODING = b"content-encoding"

_GZIP_HEADER = 10
"""Bytes that a member begins with at least; of fewer Go says that they end too early, whatever they are."""
_MAGIC = b"\x1f\x8b"

_CHUNK_HEADER = 4
_CHECKSUM = 4
_COMPRESSED, _UNCOMPRESSED = 0x00, 0x01
_LARGEST_CHUNK = 1 << 16
"""Bytes that a chunk of snappy may hold, by its framing format."""


def plain_body(request: Request, limit: int) -> bytes | None:
    """The body of a request, if it is here as a whole and as it was written, as most pushes are: for others `read_body`
    has to wait, to decode or to refuse.
    """
    body = request.whole_body
    return None if body is None or len(body) > limit or request.header(_ENCODING) is not None else body


async def read_body(request: Request, limit: int) -> bytes:
    """Receive the body of a request.

    Raises:
        BodyTooLarge: it is longer than `limit` bytes, as sent or decompressed.
        BadBody: it is not the gzip or snappy that it claims to be.
    """
    body = await request.body(limit)
    encoding = request.header(_ENCODING)
    return body if encoding is None else await _decoded(body, encoding, limit)


async def _decoded(body: bytes, encoding: str, limit: int) -> bytes:
    decode = _DECODERS.get(encoding.strip().lower())
    if decode is None:
        return body
    if len(body) < LONG_PACKED:
        return decode(body, limit)
    return await asyncio.to_thread(decode, body, limit)


def gunzip(body: bytes, limit: int) -> bytes:
    """Decompress all members of a gzip body, to at most `limit` bytes.

    It is done twice, the first time only to count: that takes a small part of the time that reading the text takes.
    """
    if not body:
        raise BadBody("EOF")
    room = limit
    for text in _inflated(body):
        room -= len(text)
        if room < 0:
            raise BodyTooLarge(limit)
    return b"".join(_inflated(body))


def _inflated(body: bytes) -> Iterator[bytes]:
    """Decompress all members, in pieces.

    They are fed in windows, because zlib copies all that stands behind a member, and there may be many.
    """
    start = 0
    while start < len(body):
        if len(body) - start < _GZIP_HEADER:
            raise BadBody("unexpected EOF")
        member = zlib.decompressobj(GZIP_FORM)  # gzip or not at all
        first, window = start, FIRST_WINDOW
        while not member.eof:
            fed = body[start : start + window]
            try:
                text = member.decompress(fed, LARGEST_PIECE)
            except zlib.error as error:
                raise BadBody(_go_words(str(error), body[first : first + 2])) from error
            if not (fed or text or member.eof):
                raise BadBody("unexpected EOF")
            yield text
            start += len(fed) - len(member.unconsumed_tail) - len(member.unused_data)
            window = min(2 * window, LAST_WINDOW)


def _go_words(reason: str, body: bytes) -> str:
    if "header" in reason or not body.startswith(_MAGIC):
        return "gzip: invalid header"
    if "data check" in reason or "length check" in reason:
        return "gzip: invalid checksum"
    return f"gzip: corrupt input ({reason})"


def unsnap(body: bytes, limit: int) -> bytes:
    """Decompress a snappy body in the framing format, to at most `limit` bytes; nothing is nothing."""
    if not body:
        return body
    try:
        sizes = list(_chunk_sizes(body))
        if sum(sizes) > limit and max(sizes) <= _LARGEST_CHUNK:
            raise BodyTooLarge(limit)
        # What was counted is what comes out at most: a chunk that lies about its size, or is too large, is refused.
        return bytes(cramjam.snappy.decompress(body))
    except cramjam.DecompressionError as error:
        raise BadBody("snappy: corrupt input") from error


def _chunk_sizes(body: bytes) -> Iterator[int]:
    """How large the chunks say they are, decompressed."""
    start = 0
    while start + _CHUNK_HEADER <= len(body):
        kind = body[start]
        first = start + _CHUNK_HEADER
        end = first + int.from_bytes(body[start + 1 : first], "little")
        data = body[first + _CHECKSUM : end]
        if kind == _COMPRESSED:
            yield cramjam.snappy.decompress_raw_len(data)
        elif kind == _UNCOMPRESSED:
            yield len(data)
        start = end


_DECODERS: Mapping[str, Callable[[bytes, int], bytes]] = {"gzip": gunzip, "snappy": unsnap}
