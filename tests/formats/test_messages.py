"""Fragments as messages: what was pushed comes out again, under the labels of its group."""

import math
import struct
from collections.abc import Iterable
from itertools import accumulate

import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st
from lines import write_samples

from pgw.formats import metrics_pb2 as pb
from pgw.formats.messages import stamp, to_message
from pgw.formats.protobuf_reader import read_protobuf
from pgw.formats.protobuf_writer import write_delimited
from pgw.formats.text_reader import TextReader
from pgw.model.family import Exposition, Type
from pgw.model.group import Fragment
from pgw.model.grouping import GroupingKey

KEY = GroupingKey((("a b", 'é"\n\\'), ("job", "j")))

DOUBLES = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.5, 1e6, math.nan, math.inf, -math.inf]), st.floats())
POPULATIONS = st.one_of(st.integers(0, 20), st.integers(0, 2**64 - 1))
FRACTIONS = st.none() | st.sampled_from([0.0, 1.0, 2.5, math.nan, math.inf, 1e300])
NAMES = st.sampled_from(["a", "a_b", "x-y", "é", "with space", "n\n", 'q"\\', "x%s"])
VALUES = st.text(st.characters(codec="utf-8"), max_size=4)
LABELS = st.dictionaries(NAMES, VALUES, max_size=3)
TIMES = st.none() | st.builds(pb.Timestamp, seconds=st.integers(-(2**63), 2**63 - 1), nanos=st.integers(0, 999999999))
EXEMPLARS = st.builds(
    lambda labels, value, moment: pb.Exemplar(label=pairs(labels.items()), value=value, timestamp=moment),
    LABELS, st.none() | DOUBLES, TIMES,
)  # fmt: skip
SPANS = st.sampled_from([([], []), ([(0, 2)], [1, 2]), ([(-3, 1), (2, 1)], [4, -1]), ([(1, 0), (0, 3)], [5, 0, -5])])


def pairs(labels: Iterable[tuple[str, str]]) -> list[pb.LabelPair]:
    return [pb.LabelPair(name=name.encode(), value=value.encode()) for name, value in labels]


def spans_of(spans: list[tuple[int, int]]) -> list[pb.BucketSpan]:
    return [pb.BucketSpan(offset=offset, length=length) for offset, length in spans]


COUNTERS = st.builds(pb.Counter, value=st.none() | DOUBLES, exemplar=st.none() | EXEMPLARS, created_timestamp=TIMES)
GAUGES = st.builds(pb.Gauge, value=st.none() | DOUBLES)
UNTYPEDS = st.builds(pb.Untyped, value=st.none() | DOUBLES)
SUMMARIES = st.builds(
    pb.Summary,
    sample_count=st.none() | POPULATIONS,
    sample_sum=st.none() | DOUBLES,
    quantile=st.lists(st.builds(pb.Quantile, quantile=st.none() | DOUBLES, value=st.none() | DOUBLES), max_size=3),
    created_timestamp=TIMES,
)
BUCKETS = st.builds(
    pb.Bucket,
    cumulative_count=st.none() | POPULATIONS,
    upper_bound=st.none() | DOUBLES,
    exemplar=st.none() | EXEMPLARS,
    cumulative_count_float=FRACTIONS,
)
HISTOGRAMS = st.builds(
    pb.Histogram,
    sample_count=st.none() | POPULATIONS,
    sample_sum=st.none() | DOUBLES,
    bucket=st.lists(BUCKETS, max_size=3),
    sample_count_float=FRACTIONS,
    created_timestamp=TIMES,
)
NATIVE_HISTOGRAMS = st.builds(
    lambda negative, positive, zero_count, **fields: pb.Histogram(
        sample_count=(zero_count or 0) + sum(accumulate(negative[1])) + sum(accumulate(positive[1])),
        negative_span=spans_of(negative[0]), negative_delta=negative[1],
        positive_span=spans_of(positive[0]), positive_delta=positive[1],
        zero_count=zero_count,
        **fields,
    ),
    SPANS,
    SPANS,
    st.none() | st.integers(0, 2**60),
    sample_sum=st.none() | DOUBLES,
    bucket=st.lists(BUCKETS, max_size=3),
    schema=st.none() | st.integers(-4, 8),
    zero_threshold=st.none() | st.floats(0, 1),
    created_timestamp=TIMES,
    exemplars=st.lists(EXEMPLARS, max_size=2),
)  # fmt: skip
FLOAT_HISTOGRAMS = st.builds(
    pb.Histogram,
    sample_count_float=st.floats(0.5, 1e9),
    sample_sum=DOUBLES,
    bucket=st.lists(BUCKETS, max_size=3),
    zero_count_float=FRACTIONS,
    positive_span=st.just([pb.BucketSpan(offset=2, length=2)]),
    positive_count=st.just([0.5, 1.5]),
)
METRICS = {
    Type.COUNTER: st.builds(pb.Metric, counter=COUNTERS),
    Type.GAUGE: st.builds(pb.Metric, gauge=GAUGES),
    Type.SUMMARY: st.builds(pb.Metric, summary=SUMMARIES),
    Type.UNTYPED: st.builds(pb.Metric, untyped=UNTYPEDS),
    Type.HISTOGRAM: st.builds(pb.Metric, histogram=HISTOGRAMS | NATIVE_HISTOGRAMS | FLOAT_HISTOGRAMS),
    Type.GAUGE_HISTOGRAM: st.builds(pb.Metric, histogram=HISTOGRAMS | NATIVE_HISTOGRAMS | FLOAT_HISTOGRAMS),
}


@st.composite
def families(draw: st.DrawFn) -> pb.MetricFamily:
    """A family of any type, whose metrics differ in the label `n`."""
    kind = draw(st.sampled_from(Type))
    family = pb.MetricFamily(name=draw(NAMES).encode(), type=int(kind))
    text_help = draw(st.none() | VALUES)
    if text_help is not None:
        family.help = text_help.encode()
    for number, metric in enumerate(draw(st.lists(METRICS[kind], max_size=4))):
        labels = {**draw(LABELS), "n": str(number)}
        metric.label.extend(pairs(labels.items()))
        family.metric.append(metric)
    return family


def in_group(family: pb.MetricFamily) -> pb.MetricFamily:
    """The same family with the labels that it has in the group of KEY."""
    shown = pb.MetricFamily()
    shown.CopyFrom(family)
    for metric in shown.metric:
        labels = {pair.name.decode(): pair.value.decode() for pair in metric.label}
        metric.ClearField("label")
        metric.label.extend(pairs(sorted({"instance": "", **labels, **dict(KEY.labels)}.items())))
    return shown


def stored(exposition: Exposition) -> list[Fragment]:
    """The fragments of a push to the group of KEY."""
    return [
        Fragment(each.name, each.type, each.help, write_samples(each, KEY).encode(), details=each.details)
        for each in exposition.families
    ]


def same(one: pb.MetricFamily, other: pb.MetricFamily) -> bool:
    """Whether two messages are the same, NaN or not; the bits of a NaN are the one thing that text may change."""
    go_nan, nan = struct.pack("<Q", 0x7FF8000000000001), struct.pack("<d", math.nan)
    encoded = [each.SerializeToString(deterministic=True).replace(go_nan, nan) for each in (one, other)]
    return encoded[0] == encoded[1]


@given(families())
def test_what_is_pushed_comes_out_again_with_the_labels_of_its_group(family: pb.MetricFamily) -> None:
    (fragment,) = stored(read_protobuf(write_delimited(family)))
    message = to_message(fragment)
    assert same(message, in_group(family)), message


def test_a_native_histogram_comes_out_byte_for_byte() -> None:
    body = wire.delimited(wire.family("h", wire.HISTOGRAM, wire.label("x", "1") + wire.NATIVE, text_help=b"hi"))
    (fragment,) = stored(read_protobuf(body))
    labels = [wire.label("a b", 'é"\n\\'), wire.label("instance", ""), wire.label("job", "j"), wire.label("x", "1")]
    expected = wire.family("h", wire.HISTOGRAM, b"".join(labels) + wire.NATIVE, text_help=b"hi")
    assert to_message(fragment).SerializeToString() == expected


@pytest.mark.parametrize(
    ("text", "kind", "metric"),
    [
        ("a 1.5", wire.UNTYPED, wire.untyped(1.5)),
        ("a -0", wire.UNTYPED, wire.untyped(-0.0)),
        ("# TYPE a gauge\na -1e-400", wire.GAUGE, wire.gauge(-0.0)),
        ("# TYPE a counter\na +Inf", wire.COUNTER, wire.counter(math.inf)),
        (
            '# TYPE a summary\na_count 2\na{quantile="-0"} -0',
            wire.SUMMARY,
            wire.summary(2, 0, (-0.0, -0.0)),
        ),
        (
            '# TYPE a histogram\na_bucket{le="-0"} -0\na_bucket{le="1"} 3\na_sum -0\na_count 3',
            wire.HISTOGRAM,
            wire.histogram(3, -0.0, wire.bucket(-0.0, 0), wire.bucket(1, 3)),
        ),
        ("# TYPE a histogram\na_count 3", wire.HISTOGRAM, wire.histogram(3, 0)),
        (
            '# TYPE a histogram\na_bucket{le="1"} 3.5\na_bucket{le="+Inf"} 4\na_count 4',
            wire.HISTOGRAM,
            wire.nested(
                7,
                wire.double(2, 0),
                wire.nested(3, wire.double(2, 1), wire.double(4, 3.5)),
                wire.nested(3, wire.double(2, math.inf), wire.double(4, 4)),
                wire.double(4, 4),
            ),
        ),
        (
            '# TYPE a gaugehistogram\na_bucket{le="+Inf"} 1e30\na_count 1e30',
            wire.GAUGE_HISTOGRAM,
            wire.nested(
                7,
                wire.double(2, 0),
                wire.nested(3, wire.double(2, math.inf), wire.double(4, 1e30)),
                wire.double(4, 1e30),
            ),
        ),
    ],
)
def test_text_becomes_the_message_that_the_original_makes_of_it(text: str, kind: int, metric: bytes) -> None:
    (fragment,) = stored(TextReader().read(text.encode()))
    message = to_message(fragment)
    message.metric[0].ClearField("label")
    assert message.SerializeToString() == wire.family("a", kind, metric)
    assert b"-0" not in fragment.text.replace(b"e-0", b"")


def test_a_nan_from_text_is_the_nan_of_go() -> None:
    (fragment,) = stored(TextReader().read(b"a NaN\n"))
    assert to_message(fragment).metric[0].untyped.SerializeToString() == b"\x09" + bytes.fromhex("010000000000f87f")


def test_a_family_without_metrics_has_a_message() -> None:
    (fragment,) = stored(read_protobuf(wire.delimited(wire.family("a", wire.GAUGE, text_help=b""))))
    assert (fragment.text, fragment.details) == (b"", ())
    assert to_message(fragment).SerializeToString() == wire.family("a", wire.GAUGE, text_help=b"")


BODIES = {
    Type.GAUGE: 'x 1\nx{a="\\nx 1"} 1700000000000\n',
    Type.SUMMARY: 'x{quantile="1"} 1\nx_sum 2\nx_count 3\nx_sum{a="x_count"} 1\nx_count{a="\\nx_count 7"} 1\n',
    Type.HISTOGRAM: 'x_bucket{le="1"} 1\nx_count 1\nx_sum{a="x_count"} 1\nx_count{a="\\nx_count 7"} 1\n',
}


@pytest.mark.parametrize("name", ["x", "x_count", "é", "a b", 'q"\\\n', "{,"])
@pytest.mark.parametrize("kind", BODIES)
def test_metrics_that_are_read_together_get_each_the_time_of_its_fragment(name: str, kind: Type) -> None:
    [family] = TextReader().read(f"# TYPE x {kind.word}\n{BODIES[kind]}".encode()).families
    family = family._replace(name=name)
    fragments = [
        Fragment(name, kind, None, write_samples(family, GroupingKey((("job", job),))).encode(), pushed_at=moment)
        for job, moment in (("j", 1_700_000_000_123_456), ("k", 0), ("l", 1_700_000_000_124_999))
    ]
    message = to_message(fragments[0]._replace(text=b"".join(each.text for each in fragments)))
    stamp(message, fragments)
    expected = [moment for moment in (1_700_000_000_123, 0, 1_700_000_000_124) for _ in family.metrics]
    assert [metric.timestamp_ms for metric in message.metric] == expected
