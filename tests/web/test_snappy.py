"""Framed snappy bodies: what is read, what is refused, and that memory is bounded before it is spent."""

import random
import tracemalloc

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.errors import BadBody, BodyTooLarge
from pgw.web.bodies import unsnap

STREAM = b"\xff\x06\x00\x00sNaPpY"
LIMIT = 1 << 20


def framed(text: bytes) -> bytes:
    return bytes(cramjam.snappy.compress(text))


def chunk(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + len(data).to_bytes(3, "little") + data


def masked_crc32c(data: bytes) -> bytes:
    """The checksum of a chunk, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def stored(data: bytes) -> bytes:
    """A chunk that is not compressed."""
    return chunk(1, masked_crc32c(data) + data)


@given(st.binary(max_size=200), st.integers(0, 5))
def test_what_was_compressed_comes_out_again(text: bytes, times: int) -> None:
    body = text * 3**times
    assert unsnap(framed(body), len(body)) == body


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", b""),
        (STREAM, b""),
        (STREAM + stored(b"a 1\n"), b"a 1\n"),
        (STREAM + stored(b"a 1\n") + stored(b"b 2\n"), b"a 1\nb 2\n"),
        (framed(b"a 1\n") + framed(b"b 2\n"), b"a 1\nb 2\n"),
        (STREAM + STREAM + stored(b"a 1\n") + STREAM, b"a 1\n"),
        (STREAM + chunk(0xFE, b"padding") + stored(b"a 1\n") + chunk(0x80, b"skipped"), b"a 1\n"),
        (STREAM + stored(b""), b""),
    ],
)
def test_a_stream_may_have_many_chunks_and_skip_some(body: bytes, text: bytes) -> None:
    assert unsnap(body, LIMIT) == text


def test_a_body_of_many_chunks_is_joined() -> None:
    text = random.Random(1).randbytes(300_000)
    body = framed(text)
    assert body.count(STREAM) == 1
    assert unsnap(body, len(text)) == text


@pytest.mark.parametrize(
    "body",
    [
        bytes(cramjam.snappy.compress_raw(b"a 1\n")),
        b"\x04\x0ca 1\n",
        b"a 1\n",
        STREAM[:5],
        stored(b"a 1\n"),
        framed(b"a 1\n")[:-1],
        STREAM + b"\x01",
        STREAM + b"\x01\x08\x00",
        STREAM + chunk(1, b"abc"),
        STREAM + chunk(1, b"\0\0\0\0a 1\n"),
        STREAM + chunk(0, b""),
        STREAM + chunk(0, b"\0\0\0\0"),
        STREAM + chunk(0, b"\0\0\0\0\xff\xff\xff\xff\xff"),
        STREAM + chunk(0, b"\0\0\0\0\xff\xff\xff\xff\x0f"),
        STREAM + chunk(0x02, b"unskippable"),
        STREAM + stored(b"x" * 65537),
        b"\xff\x06\x00\x00snappy" + stored(b"a 1\n"),
    ],
)
def test_a_broken_stream_is_refused_in_the_words_of_the_original(body: bytes) -> None:
    with pytest.raises(BadBody, match=r"^snappy: corrupt input$"):
        unsnap(body, LIMIT)


@given(st.binary(max_size=60).map(lambda rest: STREAM + rest) | st.binary(max_size=40))
def test_any_bytes_are_a_body_or_refused(body: bytes) -> None:
    try:
        assert len(unsnap(body, 10_000)) <= 10_000
    except (BadBody, BodyTooLarge):
        return


def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    body = framed(b"x" * 200_000)
    assert len(unsnap(body, 200_000)) == 200_000
    with pytest.raises(BodyTooLarge, match="larger than 199999 bytes"):
        unsnap(body, 199_999)


def test_what_would_be_too_large_is_never_unpacked() -> None:
    body = STREAM + framed(b"\0" * 65536)[len(STREAM) :] * 2000  # 125 MiB in 6 MiB
    tracemalloc.start()
    with pytest.raises(BodyTooLarge):
        unsnap(body, LIMIT)
    assert tracemalloc.get_traced_memory()[1] < LIMIT
    tracemalloc.stop()
