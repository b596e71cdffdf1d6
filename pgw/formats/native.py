"""The buckets of a native histogram: their counts and their bounds.

In: the histogram message of one metric.
Out: its populated buckets in ascending order, or what is wrong with its spans.
Never: changes a message; what scales these are is told by the schema, from -4 to 8.
Follows: model/histogram of prometheus/prometheus, to the last digit of a bound, and histogram/ of the original for
which buckets are shown.
"""

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from pgw.formats import metrics_pb2 as pb

SCHEMAS = range(-4, 9)
"""The resolutions there are: a bucket of schema `s` is 2**2**-s times as wide as the one below it."""

_FINEST = SCHEMAS[-1]
_ROOTS = (1.414213562373095, *(2**2**-step for step in range(2, _FINEST + 1)))
"""The square root of two, the root of that, and so on. The first one is a digit short, as it is in Prometheus, whose
table of bounds is what products of these come to."""
_PAST_ALL = 1024
"""The exponent of the bound behind the largest double."""


LEFT_OPEN, RIGHT_OPEN, CLOSED = 0, 1, 3
"""Which bounds belong to a bucket, by the numbers of the API: `(]`, `[)` and `[]`; 2 would be `()`."""


class Bucket(NamedTuple):
    """A bucket, without those below it."""

    rule: int
    lower: float
    upper: float
    population: int | float


def is_native(histogram: pb.Histogram) -> bool:
    """Tell whether a histogram has buckets that only protobuf can carry."""
    return bool(histogram.positive_span or histogram.negative_span)


def is_float(histogram: pb.Histogram) -> bool:
    """Tell whether its counts are floats."""
    return histogram.sample_count_float > 0 or histogram.zero_count_float > 0


def find_fault(histogram: pb.Histogram) -> str | None:
    """Find what would make Prometheus refuse a whole scrape, or None.

    NOTE(pushgateway): the original stores such a histogram, and where spans and counts do not fit its API fails for all
    groups too.
    """
    if not is_native(histogram) and not _has_zero_bucket(histogram):
        return None
    if histogram.schema not in SCHEMAS:
        return f"the schema {histogram.schema} is not one of {SCHEMAS[0]} to {SCHEMAS[-1]}"
    sides = (("negative", histogram.negative_span), ("positive", histogram.positive_span))
    faults = (_span_fault(side, spans, _counts(histogram, side)) for side, spans in sides)
    return next(filter(None, faults), None) or _count_fault(histogram)


def _has_zero_bucket(histogram: pb.Histogram) -> bool:
    """Tell whether Prometheus takes a histogram for a native one though it has no spans."""
    return bool(histogram.zero_threshold > 0 or histogram.zero_count or histogram.zero_count_float > 0)


def _span_fault(side: str, spans: Sequence[pb.BucketSpan], counts: Sequence[int | float]) -> str | None:
    places = sum(span.length for span in spans)
    if places != len(counts):
        return f"its {side} spans have {places} buckets, but there are {len(counts)} counts"
    if any(span.offset < 0 for span in spans[1:]):
        return f"its {side} spans overlap: only the first offset may be less than 0"
    if any(count < 0 for count in counts):
        return f"a {side} bucket has a count less than 0"
    return None


def _count_fault(histogram: pb.Histogram) -> str | None:
    """Compare the buckets with the count, which may be larger only if NaN was observed; floats are never exact."""
    if is_float(histogram):
        return None
    found = histogram.zero_count + sum(_counts(histogram, "negative")) + sum(_counts(histogram, "positive"))
    if found == histogram.sample_count or (math.isnan(histogram.sample_sum) and found < histogram.sample_count):
        return None
    return f"its buckets have {found} observations, but its count is {histogram.sample_count}"


def populated_buckets(histogram: pb.Histogram) -> Iterator[Bucket]:
    """The buckets that are not empty, from the lowest to the highest."""
    scale = histogram.schema
    for index, count in reversed(_populated(histogram.negative_span, _counts(histogram, "negative"))):
        yield Bucket(RIGHT_OPEN, -_bound(index, scale), -_bound(index - 1, scale), count)
    zeros = histogram.zero_count_float if is_float(histogram) else histogram.zero_count
    if zeros:
        yield Bucket(CLOSED, -histogram.zero_threshold, histogram.zero_threshold, zeros)
    for index, count in _populated(histogram.positive_span, _counts(histogram, "positive")):
        yield Bucket(LEFT_OPEN, _bound(index - 1, scale), _bound(index, scale), count)


def _counts(histogram: pb.Histogram, side: str) -> Sequence[int | float]:
    positive = side == "positive"
    if is_float(histogram):
        return histogram.positive_count if positive else histogram.negative_count
    return list(accumulate(histogram.positive_delta if positive else histogram.negative_delta))


def _populated(spans: Iterable[pb.BucketSpan], counts: Sequence[int | float]) -> list[tuple[int, int | float]]:
    """The indexes and counts of the buckets that are not empty; an offset counts from the end of the span before."""
    return [(index, count) for index, count in zip(_indexes(spans), counts, strict=False) if count]


def _indexes(spans: Iterable[pb.BucketSpan]) -> Iterator[int]:
    index = 0
    for span in spans:
        index += span.offset
        yield from range(index, index + span.length)
        index += span.length


def _bound(index: int, schema: int) -> float:
    """The upper bound of the bucket at an index."""
    if schema < 0:
        fraction, exponent = 1.0, index << -schema
    else:
        fraction, exponent = _fraction(index % (1 << schema), schema), index >> schema
    if fraction == 1 and exponent == _PAST_ALL:
        return sys.float_info.max  # so that the next bucket holds what is infinite
    return math.ldexp(fraction, exponent) if exponent < _PAST_ALL else math.inf


def _fraction(steps: int, schema: int) -> float:
    """Two to the power of so many of the steps that the schema divides it into."""
    fraction = 1.0
    for step in range(schema):
        if steps >> (schema - 1 - step) & 1:
            fraction *= _ROOTS[step]
    return fraction
