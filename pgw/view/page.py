"""A scrape's answer, and how it is made of pieces.

In: the texts of the pieces of a view, or what they look like compressed.
Out: Page, a row of bytes ready to be sent.
Never: compresses anything.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pgw.view.deflate import GZIP_HEADER, Segment, gzip_trailer

CHUNK = 256 << 10
"""Bytes sent in one go: large enough that a page of 100 MB is a few hundred sends, small enough for a socket buffer."""


class Page(NamedTuple):
    """What is sent."""

    chunks: tuple[bytes, ...]
    length: int
    compressed: bool


def plain_page(texts: Iterable[bytes]) -> Page:
    """Join the texts of all pieces."""
    return _page(texts, compressed=False)


def gzip_page(segments: Sequence[Segment]) -> Page:
    """Join the compressed segments of all pieces into one gzip member."""
    return _page(_member(segments), compressed=True)


def _member(segments: Sequence[Segment]) -> Iterator[bytes]:
    yield GZIP_HEADER
    for segment in segments:
        yield segment.data
    yield gzip_trailer(segments)


def _page(parts: Iterable[bytes], *, compressed: bool) -> Page:
    chunks = tuple(chunked(parts))
    return Page(chunks, sum(map(len, chunks)), compressed)


def chunked(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join parts until they are worth a send."""
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
