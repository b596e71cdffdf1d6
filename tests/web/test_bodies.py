"""Bodies, decompressed and bounded."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.errors import BadBody, BodyTooLarge
from pgw.web.bodies import gunzip

ROOT = Path(__file__).parents[2]
LIMIT = 1 << 20
TEXT = b"a_metric 12345\n" * 40
BODY = gzip.compress(TEXT, mtime=0)

GZIP_TEXTS = st.lists(st.binary(max_size=200) | st.binary(max_size=4).map(lambda text: text * 2_000), max_size=4)


@given(GZIP_TEXTS.filter(bool), st.integers(1, 9))
def test_all_members_are_decompressed(texts: list[bytes], level: int) -> None:
    body = b"".join(gzip.compress(text, level) for text in texts)
    assert gunzip(body, LIMIT) == b"".join(texts) == gzip.decompress(body)


def test_a_header_with_everything_in_it_is_read() -> None:
    """RFC 1952: extra field, name, comment and the checksum of the header."""
    head = b"\x1f\x8b\x08\x1e\x00\x00\x00\x00\x00\x03" + b"\x04\x00abcd" + b"name\x00" + b"comment\x00"
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    assert gunzip(head + BODY[10:], LIMIT) == TEXT


@pytest.mark.parametrize("length", range(1, len(BODY)))
def test_a_body_that_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(BadBody, match=r"^unexpected EOF$"):
        gunzip(BODY[:length], LIMIT)
    with pytest.raises(BadBody, match=r"^unexpected EOF$"):
        gunzip(BODY + BODY[:length], LIMIT)


BROKEN = {
    "nothing": (b"", "EOF"),
    "text": (b"a_metric 1\n", "gzip: invalid header"),
    "zlib": (zlib.compress(TEXT), "gzip: invalid header"),
    "text behind it": (BODY + b"a_metric 1\n", "gzip: invalid header"),
    "zeros behind it": (BODY + bytes(10), "gzip: invalid header"),
    "another checksum": (BODY[:-8] + bytes(4) + BODY[-4:], "gzip: invalid checksum"),
    "another length": (BODY[:-4] + bytes(4), "gzip: invalid checksum"),
    "reserved flags": (BODY[:3] + b"\xff" + BODY[4:], "gzip: invalid header"),
    "a block of no type": (BODY[:10] + b"\xff" + BODY[11:], "gzip: corrupt input"),
}


@pytest.mark.parametrize(("body", "words"), BROKEN.values(), ids=BROKEN)
def test_what_is_not_gzip_is_refused_in_the_words_of_go(body: bytes, words: str) -> None:
    with pytest.raises(BadBody) as raised:
        gunzip(body, LIMIT)
    assert str(raised.value).startswith(words)


@given(st.data())
def test_a_body_with_one_byte_changed_is_refused_or_read(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(BODY) - 1))
    changed = bytearray(BODY)
    changed[position] = data.draw(st.integers(0, 255))
    try:
        assert gunzip(bytes(changed), LIMIT) == TEXT
    except BadBody:
        assert bytes(changed) != BODY


@pytest.mark.parametrize("members", [1, 2, 3])
def test_a_body_may_be_as_long_as_the_limit_and_no_longer(members: int) -> None:
    body = gzip.compress(b"x" * 100) * members
    assert len(gunzip(body, 100 * members)) == 100 * members
    with pytest.raises(BodyTooLarge):
        gunzip(body, 100 * members - 1)
    with pytest.raises(BodyTooLarge):
        gunzip(body, 0)


def test_the_limit_counts_all_members_and_is_the_one_that_is_named() -> None:
    with pytest.raises(BodyTooLarge) as raised:
        gunzip(gzip.compress(b"x" * 60) * 2, 100)
    assert raised.value.limit == 100


BOMB = """
import resource, sys, zlib
from pgw.errors import BodyTooLarge
from pgw.web.bodies import gunzip

stream = zlib.compressobj(9, zlib.DEFLATED, 31)
zeros = bytes(1 << 20)
first = stream.compress(zeros) + stream.flush(zlib.Z_FULL_FLUSH)
again = stream.compress(zeros) + stream.flush(zlib.Z_FULL_FLUSH)
body = first + again * 10_000  # 10 GiB
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    gunzip(body, 8 << 20)
except BodyTooLarge:
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(len(body), after - before)
"""


def test_a_bomb_of_ten_gigabytes_takes_no_more_memory_than_the_limit() -> None:
    command = [sys.executable, "-c", BOMB]
    ended = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    length, kilobytes = map(int, ended.stdout.split())
    assert length < 12_000_000
    assert kilobytes < 3 * (8 << 10) + 4_096  # the text, its copies while it grows, and one chunk
