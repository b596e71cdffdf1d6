"""A scrape's answer, and how it is made of pieces.

In: the pieces of a view.
Out: Page, a row of bytes ready to be sent.
Never: compresses on the event loop; whoever asks for a compressed page has the stale pieces deflated before.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pgw.view.deflate import GZIP_HEADER, Segment, gzip_trailer
from pgw.view.pieces import Piece

CHUNK = 256 << 10
"""Bytes sent in one go: large enough that a page of 100 MB is a few hundred sends, small enough for a socket buffer."""


class Page(NamedTuple):
    """What is sent."""

    chunks: tuple[bytes, ...]
    length: int
    compressed: bool


def plain_page(pieces: Iterable[Piece]) -> Page:
    """Join the texts."""
    return _page((piece.text() for piece in pieces), compressed=False)


def gzip_page(pieces: Iterable[Piece]) -> Page:
    """Join the compressed segments, which every piece must have, into one gzip member."""
    segments = [piece.segment for piece in pieces if piece.segment is not None]
    return _page(_member(segments), compressed=True)


def _member(segments: list[Segment]) -> Iterator[bytes]:
    yield GZIP_HEADER
    for segment in segments:
        yield segment.data
    yield gzip_trailer(segments)


def _page(parts: Iterable[bytes], *, compressed: bool) -> Page:
    chunks = tuple(_chunked(parts))
    return Page(chunks, sum(map(len, chunks)), compressed)


def _chunked(parts: Iterable[bytes]) -> Iterator[bytes]:
    gathered: list[bytes] = []
    size = 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        if size >= CHUNK:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)
