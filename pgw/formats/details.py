"""What the text format cannot carry of a metric.

In: a metric as protobuf said it, or as its lines say it.
Out: the message that the lines alone would give, and the details that must be kept beside them: the whole message
without its labels where the two differ, else nothing.
Never: decides by a list of fields. Whatever the lines lose is kept: an exemplar, a created timestamp, a native
histogram, a missing bucket, a negative zero, a count beyond 2**53, a field that is younger than this module.
Follows: expfmt/text_parse.go of prometheus/common for how lines become messages.
"""

import struct
from collections.abc import Iterable, Mapping
from itertools import chain

from pgw.formats import metrics_pb2 as pb
from pgw.formats.numbers import NEGATIVE_ZERO
from pgw.model.family import Family, Histogram, Metric, Summary, Type

VALUE_FIELDS: Mapping[Type, str] = {
    Type.COUNTER: "counter",
    Type.GAUGE: "gauge",
    Type.SUMMARY: "summary",
    Type.UNTYPED: "untyped",
    Type.HISTOGRAM: "histogram",
    Type.GAUGE_HISTOGRAM: "histogram",
}
"""Where a metric of a type has its value."""

_NO_BOUND = "NaN"
"""A bucket or a quantile at this bound is written, but not read."""
_GO_NAN: float = struct.unpack("<d", (0x7FF8000000000001).to_bytes(8, "little"))[0]
"""The NaN of Go, which has one bit more than that of Python: so most NaNs that are pushed are what text carries."""
_UINT64 = 2.0**64


def carried(kind: Type, metric: Metric) -> pb.Metric:
    """Make the message, without labels, that the lines of a metric say."""
    message = pb.Metric()
    if isinstance(metric, Histogram):
        _fill_histogram(message.histogram, metric)
    elif isinstance(metric, Summary):
        _fill_summary(message.summary, metric)
    else:
        getattr(message, VALUE_FIELDS[kind]).value = _number(metric[1])
    return message


def detail(message: pb.Metric, kind: Type, metric: Metric) -> bytes:
    """What is to be kept of `message`, which has no labels, beside the lines of `metric`."""
    given = message.SerializeToString()
    return b"" if given == carried(kind, metric).SerializeToString() else given


def kept(details: Iterable[bytes]) -> tuple[bytes, ...]:
    """The details of a family: nothing at all if no metric has any."""
    found = tuple(details)
    return found if any(found) else ()


def keep_negative_zeros(family: Family) -> Family:
    """Turn the negative zeros of a family that was read from text into details."""
    if not _has_negative_zero(family):
        return family
    details = (
        carried(family.type, metric).SerializeToString() if NEGATIVE_ZERO in _numbers(metric) else b""
        for metric in family.metrics
    )
    return family._replace(details=tuple(details), metrics=[_without_sign(metric) for metric in family.metrics])


def _has_negative_zero(family: Family) -> bool:
    if VALUE_FIELDS[family.type] in ("histogram", "summary"):
        return any(NEGATIVE_ZERO in _numbers(metric) for metric in family.metrics)
    return NEGATIVE_ZERO in [metric[1] for metric in family.metrics]  # the quick way, as most families are of this kind


def _numbers(metric: Metric) -> tuple[str, ...]:
    if isinstance(metric, Histogram):
        return (metric.sum, *chain.from_iterable(metric.buckets))
    if isinstance(metric, Summary):
        return (metric.sum, *chain.from_iterable(metric.quantiles))
    return (metric[1],)


def _without_sign(metric: Metric) -> Metric:
    if isinstance(metric, Histogram):
        return metric._replace(sum=_unsigned(metric.sum), buckets=_unsigned_parts(metric.buckets))
    if isinstance(metric, Summary):
        return metric._replace(sum=_unsigned(metric.sum), quantiles=_unsigned_parts(metric.quantiles))
    return metric[0], _unsigned(metric[1])


def _unsigned_parts(parts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((_unsigned(bound), _unsigned(value)) for bound, value in parts)


def _unsigned(text: str) -> str:
    return "0" if text == NEGATIVE_ZERO else text


def _number(text: str) -> float:
    return _GO_NAN if text == "NaN" else float(text)


def _is_whole(count: str) -> bool:
    value = float(count)
    return 0 <= value < _UINT64 and value.is_integer()


def _fill_histogram(message: pb.Histogram, metric: Histogram) -> None:
    """Fill in a histogram; if one of its counts is a fraction (or NaN), they are all floats."""
    buckets = [part for part in metric.buckets if part[0] != _NO_BOUND]
    whole = _is_whole(metric.observations) and all(_is_whole(count) for _, count in buckets)
    if whole:
        message.sample_count = int(float(metric.observations))
    else:
        message.sample_count_float = _number(metric.observations)
    message.sample_sum = _number(metric.sum)
    for bound, count in buckets:
        if whole:
            message.bucket.add(upper_bound=float(bound), cumulative_count=int(float(count)))
        else:
            message.bucket.add(upper_bound=float(bound), cumulative_count_float=_number(count))


def _fill_summary(message: pb.Summary, metric: Summary) -> None:
    """Fill in a summary, whose count is always an integer."""
    message.sample_count = int(min(float(metric.observations), _UINT64 - 2048))
    message.sample_sum = _number(metric.sum)
    for quantile, value in metric.quantiles:
        if quantile != _NO_BOUND:
            message.quantile.add(quantile=float(quantile), value=_number(value))
