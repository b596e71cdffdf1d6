"""The three protobuf formats of a scrape, to the byte."""

import math

import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st

from pgw.formats import metrics_pb2 as pb
from pgw.formats.negotiation import Kind
from pgw.formats.protobuf_writer import WRITERS, write_compact, write_delimited, write_lines

ENCODED = wire.family(
    "a b",
    wire.HISTOGRAM,
    wire.label('x"', "é\n\\") + wire.histogram(3, math.nan, wire.bucket(math.inf, 3, wire.exemplar(3, -0.0))),
    wire.label("x", "") + wire.histogram(2**64 - 1, -math.inf, wire.span(12, -1, 1), wire.delta(13, -4)),
    text_help=b"hi",
)


@pytest.fixture
def message() -> pb.MetricFamily:
    return pb.MetricFamily.FromString(ENCODED)


def test_a_delimited_message_has_its_length_in_front(message: pb.MetricFamily) -> None:
    assert write_delimited(message) == wire.delimited(ENCODED)
    assert write_delimited(pb.MetricFamily()) == b"\0"


@given(st.integers(0, 70_000))
def test_a_length_of_any_size_is_a_varint(size: int) -> None:
    message = pb.MetricFamily(help=b"x" * size)
    assert write_delimited(message) == wire.delimited(wire.nested(2, b"x" * size))


def test_compact_text_is_one_line(message: pb.MetricFamily) -> None:
    assert write_compact(message).decode() == (
        'name:"a b" help:"hi" type:HISTOGRAM '
        'metric:{label:{name:"x\\"" value:"é\\n\\\\"} histogram:{sample_count:3 sample_sum:nan '
        "bucket:{cumulative_count:3 upper_bound:inf exemplar:{value:-0 timestamp:{seconds:1700000000 nanos:5}}}}} "
        'metric:{label:{name:"x" value:""} histogram:{sample_count:18446744073709551615 sample_sum:-inf '
        "positive_span:{offset:-1 length:1} positive_delta:-4}}\n"
    )


def test_text_is_a_field_a_line(message: pb.MetricFamily) -> None:
    del message.metric[0]
    assert write_lines(message).decode() == (
        'name: "a b"\nhelp: "hi"\ntype: HISTOGRAM\nmetric {\n  label {\n    name: "x"\n    value: ""\n  }\n'
        "  histogram {\n    sample_count: 18446744073709551615\n    sample_sum: -inf\n"
        "    positive_span {\n      offset: -1\n      length: 1\n    }\n    positive_delta: -4\n  }\n}\n\n"
    )


def test_all_types_have_their_names() -> None:
    names = [write_compact(pb.MetricFamily(type=kind)).decode().strip() for kind in range(6)]
    words = ["COUNTER", "GAUGE", "SUMMARY", "UNTYPED", "HISTOGRAM", "GAUGE_HISTOGRAM"]
    assert names == [f"type:{word}" for word in words]


def test_every_format_but_text_has_a_writer() -> None:
    assert set(WRITERS) == set(Kind) - {Kind.TEXT}
