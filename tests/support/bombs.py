"""Small bodies that unpack to very large ones, and how much memory a process has needed.

In: sizes; process ids.
Out: bodies, made in no time by repeating one compressed piece; bytes of memory.
Never: holds what a bomb unpacks to.
"""

from __future__ import annotations

import gzip
import re
import zlib
from contextlib import suppress
from pathlib import Path

import cramjam

MEBIBYTE = 1 << 20
ZEROS = bytes(MEBIBYTE)
STREAM = b"\xff\x06\x00\x00sNaPpY"


def one_member(mebibytes: int) -> bytes:
    """A gzip member of so many zeros; without its end, which nobody gets to see."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = stream.compress(ZEROS) + stream.flush(zlib.Z_FULL_FLUSH)
    again = stream.compress(ZEROS) + stream.flush(zlib.Z_FULL_FLUSH)
    return first + again * (mebibytes - 1)


def many_members(mebibytes: int) -> bytes:
    """As many gzip members of a mebibyte each."""
    return gzip.compress(ZEROS, 9, mtime=0) * mebibytes


def text_in_one_member(mebibytes: int) -> bytes:
    """Lines that could be samples, in one gzip member without its end."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    lines = b"a 1\n" * (MEBIBYTE // 4)
    first = stream.compress(lines) + stream.flush(zlib.Z_FULL_FLUSH)
    again = stream.compress(lines) + stream.flush(zlib.Z_FULL_FLUSH)
    return first + again * (mebibytes - 1)


def nothings(number: int) -> bytes:
    """So many gzip members with nothing in them."""
    return gzip.compress(b"", mtime=0) * number


def snappy_frames(mebibytes: int) -> bytes:
    """A snappy stream of so many zeros: it packs no better than 21 to 1."""
    chunk = bytes(cramjam.snappy.compress(ZEROS[:65536]))[len(STREAM) :]
    return STREAM + chunk * (16 * mebibytes)


def forget_peak(pid: int) -> None:
    """Begin anew to note the most memory that a process holds, where that is permitted (Linux)."""
    with suppress(PermissionError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """The most memory that a process has held, in bytes."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
