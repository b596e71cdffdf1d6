"""Native histograms: where their buckets lie, and which of them are broken."""

import math
import sys

import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st

from pgw.formats import metrics_pb2 as pb
from pgw.formats.native import Bucket, find_fault, populated_buckets


def histogram(*parts: bytes) -> pb.Histogram:
    return pb.Histogram.FromString(b"".join(parts))


def uppers(schema: int, offset: int, count: int) -> list[float]:
    """The upper bounds of so many positive buckets in a row."""
    deltas = [wire.delta(13, 1), *[wire.delta(13, 0)] * (count - 1)]
    native = histogram(wire.integer(5, wire.zigzag(schema)), wire.span(12, offset, count), *deltas)
    return [bucket.upper for bucket in populated_buckets(native)]


@pytest.mark.parametrize(
    ("schema", "offset", "bounds"),
    [  # as Prometheus has them, some a digit beside the nearest double
        (0, -1, [0.5, 1.0, 2.0, 4.0]),
        (-1, -1, [0.25, 1.0, 4.0, 16.0]),
        (-4, 0, [1.0, 65536.0]),
        (1, -2, [0.5, 0.7071067811865475, 1.0, 1.414213562373095, 2.0]),
        (2, -4, [0.5, 0.5946035575013605, 0.7071067811865475, 0.8408964152537144, 1.0]),
        (3, -2, [0.8408964152537144, 0.9170040432046711, 1.0, 1.0905077326652577]),
        (5, -31, [0.5109485743270583, 0.5221368912137069, 0.5335702003384117]),
        (8, -255, [0.5013556375251013, 0.5027149505564014, 0.5040779490592088, 0.5054446430258502]),
        (8, -3, [0.9919100824251095, 0.9945994234836328, 0.9972960560854698, 1.0]),
        (0, 1023, [2.0**1023, sys.float_info.max, math.inf, math.inf]),
        (-1, 511, [2.0**1022, sys.float_info.max, math.inf]),
        (0, -1075, [0.0, 5e-324]),
        (8, 2**30, [math.inf]),
    ],
)
def test_bounds_are_those_of_prometheus(schema: int, offset: int, bounds: list[float]) -> None:
    assert uppers(schema, offset, len(bounds)) == bounds


@given(st.integers(0, 8), st.integers(-300, 300))
def test_bounds_of_a_coarser_schema_are_bounds_of_a_finer_one(schema: int, index: int) -> None:
    (coarse,), (fine,) = uppers(schema, index, 1), uppers(8, index << (8 - schema), 1)
    assert coarse == fine
    assert math.isclose(coarse, 2 ** (index / 2**schema), rel_tol=1e-14)


def test_buckets_come_in_ascending_order_and_empty_ones_not_at_all() -> None:
    native = histogram(
        wire.integer(5, wire.zigzag(0)),
        wire.double(6, 0.01),
        wire.integer(7, 9),
        *(wire.span(9, 0, 1), wire.span(9, 1, 2), wire.delta(10, 1), wire.delta(10, 1), wire.delta(10, 1)),
        *(wire.span(12, 3, 3), wire.delta(13, 5), wire.delta(13, -5), wire.delta(13, 2)),
    )
    assert list(populated_buckets(native)) == [
        Bucket(1, -8, -4, 3),
        Bucket(1, -4, -2, 2),
        Bucket(1, -1, -0.5, 1),
        Bucket(3, -0.01, 0.01, 9),
        Bucket(0, 4, 8, 5),
        Bucket(0, 16, 32, 2),
    ]


def test_float_histograms_have_counts_and_no_deltas() -> None:
    native = histogram(
        wire.double(4, 4), wire.double(8, 0.5), wire.span(12, 0, 2), wire.double(14, 1.5), wire.double(14, 2)
    )
    assert [bucket.population for bucket in populated_buckets(native)] == [0.5, 1.5, 2]


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ([wire.span(12, 0, 1)], "its positive spans have 1 buckets, but there are 0 counts"),
        (
            [wire.span(9, 0, 1), wire.delta(10, 1), wire.delta(10, 1)],
            "its negative spans have 1 buckets, but there are 2",
        ),
        ([wire.span(12, 0, 2**32 - 1), wire.delta(13, 1)], "its positive spans have 4294967295 buckets"),
        (
            [wire.span(12, -5, 1), wire.span(12, -1, 1), wire.delta(13, 1), wire.delta(13, 1)],
            "its positive spans overlap",
        ),
        ([wire.span(12, 0, 2), wire.delta(13, 1), wire.delta(13, -2)], "a positive bucket has a count less than 0"),
        ([wire.span(9, 0, 1), wire.double(4, 1), wire.double(11, -1)], "a negative bucket has a count less than 0"),
        (
            [wire.integer(5, wire.zigzag(9)), wire.span(9, 0, 1), wire.delta(10, 1)],
            "the schema 9 is not one of -4 to 8",
        ),
        ([wire.integer(5, wire.zigzag(-53)), wire.span(9, 0, 1), wire.delta(10, 1)], "the schema -53 is not"),
    ],
)
def test_spans_that_do_not_fit_are_a_fault(parts: list[bytes], fault: str) -> None:
    assert fault in str(find_fault(histogram(*parts)))


COUNTED = [
    wire.integer(7, 1),
    wire.span(9, 0, 1),
    wire.delta(10, 2),
    wire.span(12, 0, 2),
    wire.delta(13, 3),
    wire.delta(13, 1),
]


@pytest.mark.parametrize(
    ("count", "total", "fault"),
    [
        (10, 0.5, None),
        (9, 0.5, "its buckets have 10 observations, but its count is 9"),
        (11, 0.5, "its buckets have 10 observations, but its count is 11"),
        (11, math.nan, None),
        (9, math.nan, "its buckets have 10 observations, but its count is 9"),
    ],
)
def test_the_count_is_that_of_the_buckets_and_of_what_is_not_a_number(
    count: int, total: float, fault: str | None
) -> None:
    assert find_fault(histogram(*COUNTED, wire.integer(1, count), wire.double(2, total))) == fault


@pytest.mark.parametrize(("zero", "faulty"), [(wire.double(6, 1e-9), True), (wire.integer(7, 5), False), (b"", False)])
def test_a_histogram_with_a_zero_bucket_only_is_native_too(zero: bytes, *, faulty: bool) -> None:
    assert bool(find_fault(histogram(zero, wire.integer(1, 5)))) is faulty


@pytest.mark.parametrize("parts", [[], [wire.integer(5, wire.zigzag(50))], [wire.delta(13, -1)]])
def test_a_classic_histogram_has_no_spans_to_be_wrong(parts: list[bytes]) -> None:
    assert find_fault(histogram(*parts)) is None
