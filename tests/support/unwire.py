"""A protobuf scrape, read by hand from each of its three forms: nothing here is pgw's.

In: the body of a scrape.
Out: its families as trees: (name of a field, value or tree), in the order of the field numbers.
Never: knows more fields than those that were published.
Follows: the encoding page of protobuf and its text format; metrics.proto of prometheus/client_model.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

INT, SINT, FLOAT, BYTES = "int", "sint", "float", "bytes"
Tree = tuple[tuple[str, Any], ...]
Schema = dict[int, tuple[str, Any]]
"""Field number -> name, and kind or the schema of the message."""

LABEL: Schema = {1: ("name", BYTES), 2: ("value", BYTES)}
TIMESTAMP: Schema = {1: ("seconds", INT), 2: ("nanos", INT)}
EXEMPLAR: Schema = {1: ("label", LABEL), 2: ("value", FLOAT), 3: ("timestamp", TIMESTAMP)}
SPAN: Schema = {1: ("offset", SINT), 2: ("length", INT)}
GAUGE: Schema = {1: ("value", FLOAT)}
COUNTER: Schema = {1: ("value", FLOAT), 2: ("exemplar", EXEMPLAR), 3: ("created_timestamp", TIMESTAMP)}
QUANTILE: Schema = {1: ("quantile", FLOAT), 2: ("value", FLOAT)}
SUMMARY: Schema = {
    1: ("sample_count", INT),
    2: ("sample_sum", FLOAT),
    3: ("quantile", QUANTILE),
    4: ("created_timestamp", TIMESTAMP),
}
BUCKET: Schema = {
    1: ("cumulative_count", INT),
    2: ("upper_bound", FLOAT),
    3: ("exemplar", EXEMPLAR),
    4: ("cumulative_count_float", FLOAT),
}
HISTOGRAM: Schema = {
    1: ("sample_count", INT),
    2: ("sample_sum", FLOAT),
    3: ("bucket", BUCKET),
    4: ("sample_count_float", FLOAT),
    5: ("schema", SINT),
    6: ("zero_threshold", FLOAT),
    7: ("zero_count", INT),
    8: ("zero_count_float", FLOAT),
    9: ("negative_span", SPAN),
    10: ("negative_delta", SINT),
    11: ("negative_count", FLOAT),
    12: ("positive_span", SPAN),
    13: ("positive_delta", SINT),
    14: ("positive_count", FLOAT),
    15: ("created_timestamp", TIMESTAMP),
    16: ("exemplars", EXEMPLAR),
}
METRIC: Schema = {
    1: ("label", LABEL),
    2: ("gauge", GAUGE),
    3: ("counter", COUNTER),
    4: ("summary", SUMMARY),
    5: ("untyped", GAUGE),
    7: ("histogram", HISTOGRAM),
}
FAMILY: Schema = {1: ("name", BYTES), 2: ("help", BYTES), 3: ("type", INT), 4: ("metric", METRIC)}

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|[<{}>]|[^\s:<{}>"]+|[\s:]+', re.DOTALL)
ESCAPE = re.compile(rb"\\([0-7]{3}|x[0-9a-f]{2}|.)", re.DOTALL)
LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a", b"f": b"\f", b"v": b"\v"}


def read_delimited(body: bytes) -> list[Tree]:
    """The families of a delimited page."""
    families = []
    while body:
        size, body = _varint(body)
        assert len(body) >= size, "the page is cut off"
        families.append(_message(body[:size], FAMILY))
        body = body[size:]
    return families


def read_lines(body: bytes) -> list[Tree]:
    """The families of a page in the text format of protobuf, each ended by an empty line."""
    return [_text(part) for part in body.decode().split("\n\n") if part]


def read_compact(body: bytes) -> list[Tree]:
    """The families of a page in the text format of protobuf, each on a line."""
    return [_text(line) for line in body.decode().split("\n") if line]


def without(tree: Tree, unknown: frozenset[str]) -> Tree:
    """The tree without the fields of these names."""
    return tuple(
        (name, without(value, unknown) if isinstance(value, tuple) else value)
        for name, value in tree
        if name not in unknown
    )


def _varint(data: bytes) -> tuple[int, bytes]:
    value = 0
    for position, byte in enumerate(data):
        value += (byte % 128) << 7 * position
        if byte < 128:
            return value, data[position + 1 :]
    raise AssertionError("a number is cut off")


def _message(data: bytes, schema: Schema) -> Tree:
    return tuple((name, value) for _, name, value in sorted(_fields(data, schema), key=lambda field: field[0]))


def _fields(data: bytes, schema: Schema) -> Iterator[tuple[int, str, Any]]:
    while data:
        key, data = _varint(data)
        name, kind = schema[key // 8]
        wire_type = key % 8
        if wire_type == 0:
            number, data = _varint(data)
            assert kind in (INT, SINT)
            yield key // 8, name, number if kind == INT else (number >> 1) ^ -(number & 1)
        elif wire_type == 1:
            assert kind == FLOAT
            yield key // 8, name, repr(struct.unpack("<d", data[:8])[0])  # where NaN is NaN and -0 is not 0
            data = data[8:]
        else:
            assert wire_type == 2
            size, data = _varint(data)
            assert len(data) >= size
            yield key // 8, name, data[:size] if kind == BYTES else _message(data[:size], kind)
            data = data[size:]


def _text(text: str) -> Tree:
    tokens = TOKEN.findall(text)
    assert "".join(tokens) == text
    words = iter([token for token in tokens if token.strip(" :\n") and not token.startswith("/*")])
    return _block(words)


def _block(words: Iterator[str]) -> Tree:
    """All up to the bracket that closes; strings as bytes, numbers as they are written."""
    found = []
    for name in words:
        if name in "}>":
            break
        value = next(words)
        found.append((name, _block(words) if value in "<{" else _unquoted(value)))
    # What has only a number is unknown to who wrote it.
    return tuple(field for field in found if not field[0].isdigit())


def _unquoted(value: str) -> str | bytes:
    return ESCAPE.sub(_unescaped, value[1:-1].encode()) if value.startswith('"') else value


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    if len(code) == 1:
        return LETTERS.get(code, code)
    return bytes([int(code, 8)]) if len(code) == 3 and code[:1] != b"x" else bytes([int(code[1:], 16)])
