"""Protobuf bodies, made by a hand-written encoder: what is scraped of them, and what is refused."""

import math
import re

import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st
from lines import write_samples

from pgw.errors import BadBody, InconsistentPush
from pgw.formats.protobuf_reader import read_protobuf
from pgw.formats.text_reader import TextReader
from pgw.model.consistency import check, check_readable, without_duplicates
from pgw.model.family import Exposition, Type
from pgw.model.grouping import GroupingKey

KEY = GroupingKey((("job", "j"),))
X1 = wire.label("x", "1")


def read_one(name: str, kind: int | None, *metrics: bytes) -> Exposition:
    return read_protobuf(wire.delimited(wire.family(name, kind, *metrics)))


@pytest.mark.parametrize(
    ("kind", "metric", "lines"),
    [
        (wire.COUNTER, wire.counter(1), ["a{@} 1"]),
        (None, wire.counter(1000000), ["a{@} 1e+06"]),
        (wire.GAUGE, wire.gauge(0.1), ["a{@} 0.1"]),
        (wire.GAUGE, wire.gauge(-0.0), ["a{@} 0"]),
        (wire.GAUGE, wire.gauge(math.nan), ["a{@} NaN"]),
        (wire.GAUGE, wire.nested(2), ["a{@} 0"]),
        (wire.GAUGE, wire.gauge(2) + wire.counter(3), ["a{@} 2"]),
        (wire.UNTYPED, wire.untyped(-math.inf), ["a{@} -Inf"]),
        (
            wire.SUMMARY,
            wire.summary(2**53 + 1, 1.5, (0.5, math.nan), (0.99, 3)),
            ['a{@,quantile="0.5"} NaN', 'a{@,quantile="0.99"} 3', "a_sum{@} 1.5", "a_count{@} 9.007199254740992e+15"],
        ),
        (wire.SUMMARY, wire.nested(4), ["a_sum{@} 0", "a_count{@} 0"]),
        (
            wire.HISTOGRAM,
            wire.histogram(3, 4.5, wire.bucket(1, 2), wire.bucket(math.inf, 3)),
            ['a_bucket{@,le="1"} 2', 'a_bucket{@,le="+Inf"} 3', "a_sum{@} 4.5", "a_count{@} 3"],
        ),
        (
            wire.HISTOGRAM,
            wire.histogram(3, 4.5, wire.bucket(0.5, 2, wire.exemplar(3, 0.4, X1))),
            ['a_bucket{@,le="0.5"} 2', 'a_bucket{@,le="+Inf"} 3', "a_sum{@} 4.5", "a_count{@} 3"],
        ),
        (
            wire.HISTOGRAM,
            wire.histogram(9, 1, wire.bucket(1, 8, wire.double(4, 2.5)), wire.double(4, 3.5)),
            ['a_bucket{@,le="1"} 2.5', 'a_bucket{@,le="+Inf"} 3.5', "a_sum{@} 1", "a_count{@} 3.5"],
        ),
        (
            wire.HISTOGRAM,
            wire.NATIVE,
            ['a_bucket{@,le="+Inf"} 14', "a_sum{@} 1.5", "a_count{@} 14"],
        ),
        (
            wire.GAUGE_HISTOGRAM,
            wire.histogram(1, 2),
            ['a_bucket{@,le="+Inf"} 1', "a_sum{@} 2", "a_count{@} 1"],
        ),
    ],
)
def test_a_metric_is_scraped_as_text_says_it(kind: int | None, metric: bytes, lines: list[str]) -> None:
    (family,) = read_one("a", kind, X1 + metric).families

    assert family.type is Type(kind or 0)
    assert write_samples(family, KEY).splitlines() == [line.replace("@", 'instance="",job="j",x="1"') for line in lines]


@pytest.mark.parametrize("pieces", [(), (b"",), (b"", b"", b"")])
def test_nothing_and_messages_of_nothing_are_an_empty_push(pieces: tuple[bytes, ...]) -> None:
    assert read_protobuf(wire.delimited(*pieces)) == Exposition([])


def test_of_a_family_that_comes_twice_the_last_one_counts() -> None:
    first = wire.family("a", wire.GAUGE, X1 + wire.gauge(1), wire.gauge(2) + wire.integer(6, 1))
    last = wire.family("a", wire.COUNTER, wire.counter(3))
    read = read_protobuf(wire.delimited(first, wire.family("b", wire.GAUGE), last))

    assert [(family.name, family.type) for family in read.families] == [("a", Type.COUNTER), ("b", Type.GAUGE)]
    assert write_samples(read.families[0], KEY) == 'a{instance="",job="j"} 3\n'
    assert read.timestamp_at is None


def test_a_family_without_metrics_is_kept() -> None:
    (family,) = read_one("a", wire.GAUGE).families
    assert (family.name, family.type, family.metrics, family.details) == ("a", Type.GAUGE, [], ())
    assert write_samples(family, KEY) == ""


@pytest.mark.parametrize(("given_help", "read_help"), [(None, None), (b"", ""), ("é\n".encode(), "é\n")])
def test_a_help_that_is_empty_is_not_none(given_help: bytes | None, read_help: str | None) -> None:
    body = wire.delimited(wire.family("a", wire.GAUGE, wire.gauge(1), text_help=given_help))
    assert read_protobuf(body).families[0].help == read_help


def test_names_may_be_any_utf8() -> None:
    (family,) = read_one("a b-c", wire.GAUGE, wire.label("x-y", '"é"\n') + wire.gauge(1)).families
    assert write_samples(family, KEY) == '{"a b-c",instance="",job="j","x-y"="\\"é\\"\\n"} 1\n'


@pytest.mark.parametrize("timestamp", [0, 1, -5, 1700000000000])
def test_a_timestamp_is_noted(timestamp: int) -> None:
    read = read_one("a", wire.GAUGE, wire.gauge(1), X1 + wire.gauge(2) + wire.integer(6, timestamp))
    assert read.timestamp_at == 'metric 2 of family "a"'
    with pytest.raises(InconsistentPush, match="must not have timestamps"):
        check(read, KEY, {})


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (wire.counter(1), "is not a GAUGE"),
        (b"", "is not a GAUGE"),
        (wire.label("x", "2") + X1 + wire.gauge(1), "has two or more labels with the same name: x"),
        (wire.label("", "2") + wire.gauge(1), "has a label with an invalid name: "),
        (wire.label("__name__", "b") + wire.gauge(1), "has a label with an invalid name: __name__"),
        (wire.label(b"\xff", "b") + wire.gauge(1), r'has a label with an invalid name: "\xff"'),
        (wire.label("y", b"\xff") + X1 + wire.gauge(1), r'has a label named "y" whose value is not utf8: "\xff"'),
        (
            wire.label("y", b"\xed\xa0\x80") + wire.gauge(1),
            r'has a label named "y" whose value is not utf8: "\xed\xa0\x80"',
        ),
    ],
)
def test_a_metric_that_cannot_stand_in_its_family_is_inconsistent_checked_or_not(metric: bytes, reason: str) -> None:
    read = read_one("a", wire.GAUGE, X1 + wire.gauge(1), metric)
    told = f'collected metric "a" {{.*}} {re.escape(reason)}'
    with pytest.raises(InconsistentPush, match=told) as refused:
        check(read, KEY, {})
    str(refused.value).encode()
    with pytest.raises(InconsistentPush, match=told):
        check_readable(read, KEY)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"hello world this is not protobuf", "unexpected EOF: the message at byte 0 has 31 of 104 bytes"),
        (wire.delimited(wire.family("a", wire.GAUGE))[:-1], "unexpected EOF"),
        (wire.delimited(wire.family("a", wire.GAUGE)) + b"\x80", "unexpected EOF: the length at byte 6 does not end"),
        (b"\xff" * 9, "unexpected EOF"),
        (b"\xff" * 10, "the length at byte 0 has more than 10 bytes"),
        (b"\x02\x0a\x05", "the message at byte 0 is not a MetricFamily"),
        (b"\x01\x0f", "the message at byte 0 is not a MetricFamily"),
        (wire.delimited(wire.integer(3, 1) + wire.nested(4, wire.gauge(1))), 'a family with 1 metrics has the name ""'),
        (wire.delimited(wire.family(b"a\xff", 1)), r'the name of a family is not utf8: "a\xff"'),
        (wire.delimited(wire.family("a", 1, text_help=b"\xff")), r'the help of family "a" is not utf8: "\xff"'),
        (wire.delimited(wire.family("a", 6)), 'family "a" has the unknown type 6, expected 0 to 5'),
        (wire.delimited(wire.family("a", -1)), 'family "a" has the unknown type -1'),
        (
            wire.delimited(wire.family("a", 4, wire.histogram(0, 0, wire.double(4, -1)))),
            'negative count for histogram "a": -1',
        ),
        (
            wire.delimited(wire.family("a", 4, wire.histogram(0, 0, wire.bucket(1, 0, wire.double(4, -0.5))))),
            'negative bucket population for histogram "a": -0.5',
        ),
        (
            wire.delimited(wire.family("a", 4, wire.histogram(1, 0, wire.span(12, 0, 2), wire.delta(13, 1)))),
            'a native histogram of family "a" is broken: its positive spans have 2 buckets, but there are 1 counts',
        ),
        (
            wire.delimited(wire.family("a", 0, wire.counter(1, wire.exemplar(2, 1, wire.label("x", b"\xff"))))),
            r'a label of an exemplar in family "a" is not utf8: "\xff"',
        ),
    ],
)
def test_what_can_never_be_scraped_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(BadBody, match=re.escape(reason)):
        read_protobuf(body)


def test_details_are_kept_only_of_metrics_that_text_does_not_carry() -> None:
    plain = [wire.label("n", str(n)) + wire.counter(n) for n in range(3)]
    assert read_one("a", wire.COUNTER, *plain).families[0].details == ()

    with_created = wire.counter(7, wire.created(3, 9))
    details = read_one("a", wire.COUNTER, plain[0], wire.label("n", "7") + with_created, plain[1]).families[0].details
    assert details == (b"", with_created, b"")


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        (wire.SUMMARY, wire.summary(1, 2, (math.nan, 3))),
        (wire.HISTOGRAM, wire.histogram(1, 2, wire.bucket(math.nan, 3))),
    ],
)
def test_a_part_without_a_bound_which_text_would_drop_is_kept(kind: int, metric: bytes) -> None:
    assert read_one("a", kind, metric).families[0].details == (metric,)


def test_a_field_of_a_later_schema_is_kept() -> None:
    metric = wire.gauge(1) + wire.nested(15, b"later")
    assert read_one("a", wire.GAUGE, metric).families[0].details == (metric,)


def test_the_nan_of_go_is_carried_by_text() -> None:
    metric = wire.nested(2, b"\x09" + bytes.fromhex("010000000000f87f"))
    assert read_one("a", wire.GAUGE, metric).families[0].details == ()


def test_details_stay_with_their_metrics_when_duplicates_are_dropped() -> None:
    metrics = [wire.gauge(-0.0), X1 + wire.gauge(1), wire.gauge(2)]
    (family,) = read_one("a", wire.GAUGE, *metrics).families
    left = without_duplicates(family, KEY)

    assert [metric[1] for metric in left.metrics] == ["2", "1"]
    assert (family.details, left.details) == ((metrics[0], b"", b""), (b"", b""))


def read_or_refuse(body: bytes) -> Exposition | str:
    try:
        return read_protobuf(body)
    except BadBody as refused:
        return str(refused)


# Pieces of messages, joined at random: often valid, often wrong in one place.
TEXTS = st.sampled_from([b"", b"a", b"a_count", b"x-y", b"__name__", b"le", b"\xff", "é".encode()])
DOUBLES = st.floats(width=64)
COUNTS = st.integers(0, 2**64 - 1)
LABELS = st.builds(wire.label, TEXTS, TEXTS)
EXTRAS = st.one_of(
    st.builds(wire.integer, st.integers(1, 20), COUNTS),
    st.builds(wire.double, st.integers(1, 20), DOUBLES),
    st.builds(wire.nested, st.integers(1, 20), TEXTS),
    st.builds(wire.span, st.sampled_from([9, 12]), st.integers(-3, 3), st.integers(0, 3)),
    st.builds(wire.delta, st.sampled_from([10, 13]), st.integers(-3, 3)),
    st.builds(wire.bucket, DOUBLES, COUNTS),
)
VALUES = st.one_of(
    st.builds(wire.counter, DOUBLES, EXTRAS),
    st.builds(wire.gauge, DOUBLES),
    st.builds(wire.untyped, DOUBLES),
    st.builds(wire.summary, COUNTS, DOUBLES, st.tuples(DOUBLES, DOUBLES)),
    st.builds(wire.histogram, COUNTS, DOUBLES, EXTRAS, EXTRAS),
    EXTRAS,
)
METRICS = st.builds(lambda labels, value: b"".join(labels) + value, st.lists(LABELS, max_size=2), VALUES)
FAMILIES = st.builds(
    lambda name, kind, metrics, text: wire.family(name, kind, *metrics, text_help=text),
    TEXTS, st.integers(-1, 6), st.lists(METRICS, max_size=3), st.none() | TEXTS,
)  # fmt: skip
BODIES = st.binary(max_size=60) | st.builds(
    lambda families, cut: wire.delimited(*families)[: -cut or None],
    st.lists(FAMILIES, max_size=3),
    st.sampled_from([0, 0, 0, 1, 3]),
)


@given(BODIES)
def test_any_bytes_are_an_exposition_or_a_reason(body: bytes) -> None:
    read = read_or_refuse(body)
    if isinstance(read, str):
        read.encode()
        return
    try:
        check(read, KEY, {})
    except InconsistentPush as refused:
        str(refused).encode()
        return
    for family in read.families:
        written = write_samples(family, KEY).encode()
        head = f'# TYPE "{family.name}" {family.type.word}\n'.encode()
        again = TextReader(utf8_names=True).read(head + written)
        assert [len(each.metrics) for each in again.families] == ([len(family.metrics)] if family.metrics else [])


def test_readers_of_both_formats_agree() -> None:
    text = (
        '# HELP a ha\n# TYPE a counter\na{x="1"} 3\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 5\n'
        'h_sum 7.5\nh_count 5\n# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 2\ns_count 3\nu 4\n'
    )
    body = wire.delimited(
        wire.family("a", wire.COUNTER, X1 + wire.counter(3), text_help=b"ha"),
        wire.family("h", wire.HISTOGRAM, wire.histogram(5, 7.5, wire.bucket(1, 2), wire.bucket(math.inf, 5))),
        wire.family("s", wire.SUMMARY, wire.summary(3, 2, (0.5, 1))),
        wire.family("u", wire.UNTYPED, wire.untyped(4)),
    )
    assert read_protobuf(body) == TextReader().read(text.encode())
