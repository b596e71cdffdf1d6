"""Bodies as they may be encoded, sent to Debian's Pushgateway (1.5.1) and to ours.

In: gzip of all kinds, good and broken; text under all names of encodings.
Out: status, headers and body of each answer, and the families at the end, compared.

Where 1.5.1 differs from 1.11.3 (section 7 of the behaviour page), the table says what 1.11.3 answers: 1.5.1 takes every
error of a reader at the start of a line for the end of the body.
"""

from __future__ import annotations

import gzip
import zlib

import cramjam
import pytest
from client import Answer
from original import Pair, Request, noticeable, pushed_families

PATH = "/metrics/job/j"
TEXT = b"a 1\nb 2\nc 3\n"
PACKED = gzip.compress(TEXT, mtime=0)
MEMBERS = gzip.compress(b"a 1\nb") + gzip.compress(b" 2\n") + gzip.compress(b"")
LONG = b"".join(b'a{l="%d"} %d\n' % (number, number) for number in range(5_000))

GZIP: dict[str, tuple[bytes, str | None]] = {
    "good": (PACKED, None),
    "good and long": (gzip.compress(LONG), None),
    "members": (MEMBERS, None),
    "with a name": (PACKED[:3] + b"\x08" + PACKED[4:10] + b"name\0" + PACKED[10:], None),
    "nothing in it": (gzip.compress(b""), None),
    "bad text in it": (gzip.compress(b"a b c\n"), None),
    "no bytes": (b"", None),
    "one byte": (b"x", None),
    "short text": (b"a 1\nb 2\n", None),
    "text": (TEXT, None),
    "zlib": (zlib.compress(TEXT), None),
    "a piece of its head": (PACKED[:5], None),
    "cut in a line": (gzip.compress(b"a 1\nb 2", mtime=0)[:-9], None),
    "a long one cut in a line": (gzip.compress(LONG)[:10_000], None),
    "nothing but its head": (PACKED[:10], "unexpected EOF"),
    "cut before the checksum": (PACKED[:-8], "unexpected EOF"),
    "cut in the length": (PACKED[:-1], "unexpected EOF"),
    "a byte behind it": (PACKED + b"x", "unexpected EOF"),
    "zeros behind it": (PACKED + bytes(20), "gzip: invalid header"),
    "a cut member behind it": (PACKED + PACKED[:-3], "unexpected EOF"),
    "another checksum": (PACKED[:-8] + bytes(4) + PACKED[-4:], "gzip: invalid checksum"),
    "another length": (PACKED[:-4] + bytes(4), "gzip: invalid checksum"),
    # The words are those of zlib.
    "a block of no type": (
        PACKED[:10] + b"\xff" * 20,
        "gzip: corrupt input (Error -3 while decompressing data: invalid block type)",
    ),
    # Go does not mind the flags that nobody has defined.
    "reserved flags": (PACKED[:3] + b"\xe0" + PACKED[4:], "gzip: invalid header"),
}

IGNORED = ("x-gzip", "gzip, gzip", "deflate", "identity", "br", "zstd", "")
SINCE_1_11_3: dict[tuple[str, bytes], str | None] = {
    ("GZIP", PACKED): None,
    ("Gzip", PACKED): None,
    ("GZIP", TEXT): "gzip: invalid header",
    ("snappy", bytes(cramjam.snappy.compress(TEXT))): None,
    ("SNAPPY", bytes(cramjam.snappy.compress(TEXT))): None,
    ("snappy", TEXT): "snappy: corrupt input",
    ("snappy", bytes(cramjam.snappy.compress_raw(TEXT))): "snappy: corrupt input",
}
"""What 1.5.1 takes for text. Of what it makes of that nothing can be compared."""


def answer_with(reason: str | None) -> Answer:
    """The answer to a push that is refused, or accepted."""
    if reason is None:
        return Answer(200, "", {}, b"")
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    return Answer(400, "", headers, f"{reason}\n".encode())


def sent(name: str, body: bytes, method: str = "POST", path: str = PATH) -> Request:
    """A request whose body is said to be encoded."""
    return Request(method, path, body, {"Content-Encoding": name})


@pytest.mark.parametrize(("body", "words"), GZIP.values(), ids=GZIP)
@pytest.mark.parametrize("name", ["gzip", " gzip "])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_gzip_is_unpacked_or_refused_alike(pair: Pair, method: str, name: str, body: bytes, words: str | None) -> None:
    ours, theirs = map(noticeable, pair.ask(sent(name, body, method)))
    if words is not None:
        assert ours == answer_with(words)
        assert ours != theirs, "this is no difference any more"
        return
    assert ours == theirs
    assert pushed_families(pair.ours) == pushed_families(pair.theirs)


@pytest.mark.parametrize("body", [TEXT, PACKED])
@pytest.mark.parametrize("name", IGNORED)
def test_encodings_that_are_unknown_are_ignored_by_both(pair: Pair, name: str, body: bytes) -> None:
    ours, theirs = map(noticeable, pair.ask(sent(name, body)))
    assert ours == theirs


@pytest.mark.parametrize(("name", "body"), SINCE_1_11_3)
def test_encodings_that_1_5_1_does_not_know_are_read_as_by_1_11_3(pair: Pair, name: str, body: bytes) -> None:
    ours, theirs = map(noticeable, pair.ask(sent(name, body)))
    assert ours == answer_with(SINCE_1_11_3[name, body])
    assert ours != theirs, "this is no difference any more"


UNWANTED = {"DELETE": PATH, "GET": "/-/healthy"}


@pytest.mark.parametrize("method", UNWANTED)
def test_a_body_that_nobody_wants_is_not_unpacked_though_both_originals_do(pair: Pair, method: str) -> None:
    request = sent("gzip", b"x", method, UNWANTED[method])
    ours, theirs = map(noticeable, pair.ask(request))
    assert theirs == answer_with("unexpected EOF")
    assert ours == noticeable(pair.theirs.request(method, UNWANTED[method]))
