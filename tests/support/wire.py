"""Protobuf by hand: the wire format and the published field numbers, and nothing that pgw itself uses.

In: numbers, bytes and texts.
Out: the bytes that client_golang would send.
Follows: the encoding page of protobuf, and io/prometheus/client/metrics.proto of prometheus/client_model.
"""

import struct

COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM = range(6)


def varint(value: int) -> bytes:
    """A number of at most 64 bits; negative ones in two's complement."""
    value %= 1 << 64
    encoded = b""
    while value > 127:
        encoded += bytes([value % 128 + 128])
        value //= 128
    return encoded + bytes([value])


def zigzag(value: int) -> int:
    """How a sint is put into a varint."""
    return 2 * value if value >= 0 else -2 * value - 1


def integer(number: int, value: int) -> bytes:
    return varint(number * 8) + varint(value)


def double(number: int, value: float) -> bytes:
    return varint(number * 8 + 1) + struct.pack("<d", value)


def nested(number: int, *parts: bytes) -> bytes:
    """Bytes, a text or a message."""
    payload = b"".join(parts)
    return varint(number * 8 + 2) + varint(len(payload)) + payload


def delimited(*messages: bytes) -> bytes:
    return b"".join(varint(len(message)) + message for message in messages)


def family(name: str | bytes, kind: int | None, *metrics: bytes, text_help: bytes | None = None) -> bytes:
    encoded = nested(1, name.encode() if isinstance(name, str) else name)
    if text_help is not None:
        encoded += nested(2, text_help)
    if kind is not None:
        encoded += integer(3, kind)
    return encoded + b"".join(nested(4, metric) for metric in metrics)


def label(name: str | bytes, value: str | bytes) -> bytes:
    """A label of a metric, or of an exemplar."""
    parts = [part.encode() if isinstance(part, str) else part for part in (name, value)]
    return nested(1, nested(1, parts[0]), nested(2, parts[1]))


def gauge(value: float) -> bytes:
    return nested(2, double(1, value))


def counter(value: float, *more: bytes) -> bytes:
    return nested(3, double(1, value), *more)


def summary(count: int, total: float, *quantiles: tuple[float, float]) -> bytes:
    parts = [nested(3, double(1, quantile), double(2, value)) for quantile, value in quantiles]
    return nested(4, integer(1, count), double(2, total), *parts)


def untyped(value: float) -> bytes:
    return nested(5, double(1, value))


def histogram(count: int, total: float, *more: bytes) -> bytes:
    return nested(7, integer(1, count), double(2, total), *more)


def bucket(bound: float, count: int, *more: bytes) -> bytes:
    return nested(3, integer(1, count), double(2, bound), *more)


def exemplar(number: int, value: float, *labels: bytes) -> bytes:
    return nested(number, *labels, double(2, value), nested(3, integer(1, 1700000000), integer(2, 5)))


def created(number: int, seconds: int) -> bytes:
    return nested(number, integer(1, seconds), integer(2, 250))


def span(number: int, offset: int, length: int) -> bytes:
    return nested(number, integer(1, zigzag(offset)), integer(2, length))


def delta(number: int, value: int) -> bytes:
    return integer(number, zigzag(value))


NATIVE = histogram(
    14,
    1.5,
    integer(5, zigzag(1)),
    double(6, 1e-9),
    integer(7, 1),
    span(9, 2, 1),
    delta(10, 4),
    span(12, 0, 2),
    span(12, 3, 1),
    delta(13, 2),
    delta(13, 1),
    delta(13, 1),
    created(15, 1700000001),
    exemplar(16, 0.5, label("trace_id", "x")),
)
"""A native histogram: 4 negative observations, 1 at zero, 2 + 3 + 4 positive ones."""
