"""Segments, made one by one, are one gzip member together."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import zlib
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.view import page
from pgw.view.deflate import GZIP_FORM, GZIP_HEADER, Segment, deflate, gzip_trailer
from pgw.view.page import CHUNK, gzip_page, plain_page

TEXTS = st.lists(st.binary(max_size=300) | st.binary(max_size=8).map(lambda text: text * 5_000), max_size=8)


def member(segments: list[Segment]) -> bytes:
    return GZIP_HEADER + b"".join(segment.data for segment in segments) + gzip_trailer(segments)


@given(TEXTS)
def test_any_segments_are_the_joined_text(texts: list[bytes]) -> None:
    assert gzip.decompress(member([deflate(text) for text in texts])) == b"".join(texts)


@given(TEXTS)
def test_all_is_one_member(texts: list[bytes]) -> None:
    """curl 7.88 stops after the first."""
    stream = zlib.decompressobj(GZIP_FORM)
    assert stream.decompress(member([deflate(text) for text in texts])) == b"".join(texts)
    assert (stream.eof, stream.unused_data) == (True, b"")


@given(TEXTS, st.randoms(use_true_random=False))
def test_segments_stand_in_any_order(texts: list[bytes], random: object) -> None:
    segments = {text: deflate(text) for text in texts}
    shuffled = list(texts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' random.Random
    assert gzip.decompress(member([segments[text] for text in shuffled])) == b"".join(shuffled)


@lru_cache
def zeros(length: int) -> bytes:
    return bytes(length)


@pytest.mark.parametrize("length", [0, 1, 2, 255, 256, 65_535, 65_536, (1 << 24) - 1])
def test_a_text_of_any_length_shifts_the_sum_before_it(length: int) -> None:
    assert gzip.decompress(member([deflate(b"before"), deflate(zeros(length)), deflate(b"after")])) == (
        b"before" + zeros(length) + b"after"
    )


def test_the_length_in_the_trailer_starts_again_at_4_gib() -> None:
    """RFC 1952: ISIZE is the length modulo 2^32."""
    segment = deflate(b"x")._replace(length=(1 << 32) + 5)
    assert gzip_trailer([segment])[-4:] == (5).to_bytes(4, "little")


@given(TEXTS)
def test_a_compressed_page_holds_what_the_plain_page_holds(texts: list[bytes]) -> None:
    plain, compressed = plain_page(texts), gzip_page([deflate(text) for text in texts])
    assert b"".join(plain.chunks) == b"".join(texts)
    assert gzip.decompress(b"".join(compressed.chunks)) == b"".join(texts)
    assert (plain.compressed, compressed.compressed) == (False, True)
    for each in (plain, compressed):
        assert each.length == sum(map(len, each.chunks))


def test_a_page_is_sent_in_chunks_of_a_few_hundred_kilobytes() -> None:
    texts = [bytes([number]) * 50_000 for number in range(40)]
    made = plain_page(texts)
    assert b"".join(made.chunks) == b"".join(texts)
    assert all(CHUNK <= len(chunk) < CHUNK + 50_000 for chunk in made.chunks[:-1])
    assert len(made.chunks) == 2_000_000 // 300_000 + 1


def test_a_page_of_nothing_has_no_chunks_but_its_member_is_whole() -> None:
    assert plain_page([]) == page.Page((), 0, compressed=False)
    assert gzip.decompress(b"".join(gzip_page([]).chunks)) == b""


def test_gunzip_and_zlib_agree_that_it_is_well_formed() -> None:
    data = member([deflate(b"a 1\n" * 10_000), deflate(b""), deflate(b"b 2\n")])
    program = shutil.which("gzip")
    if program is None:
        pytest.skip("gzip is not on PATH")
    ended = subprocess.run([program, "--test", "--verbose"], input=data, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
