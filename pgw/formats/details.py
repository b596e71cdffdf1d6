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
from operator import itemgetter

from pgw.formats import metrics_pb2 as pb
from pgw.formats.compounds import NO_BOUND
from pgw.formats.numbers import NEGATIVE_ZERO
from pgw.formats.text_writer import INFINITY
from pgw.model.consistency import WRITTEN_LABELS
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

_VALUE = itemgetter(1)
_BOUND = itemgetter(0)

_GO_NAN: float = struct.unpack("<d", (0x7FF8000000000001).to_bytes(8, "little"))[0]
"""The NaN of Go, which has one bit more than that of Python: so most NaNs that are pushed are what text carries."""
_UINT64 = 2.0**64


def carried(kind: Type, metric: Metric) -> pb.Metric:
    """Make the message, without labels, that the lines of a metric say once they are written."""
    return _said(kind, _written(metric))


def detail(message: pb.Metric, kind: Type, metric: Metric) -> bytes:
    """What is to be kept of `message`, which has no labels, beside the lines of `metric`."""
    given = message.SerializeToString()
    return b"" if given == carried(kind, metric).SerializeToString() else given


def kept(details: Iterable[bytes]) -> tuple[bytes, ...]:
    """The details of a family: nothing at all if no metric has any."""
    found = tuple(details)
    return found if any(found) else ()


def with_details(family: Family) -> Family:
    """Keep of a family that was read from text what its lines will not say: negative zeros, its very buckets."""
    kind = family.type
    if not (_loses_parts(family) if kind in WRITTEN_LABELS else NEGATIVE_ZERO in map(_VALUE, family.metrics)):
        return family
    details = kept(detail(_said(kind, metric), kind, metric) for metric in family.metrics)
    return family._replace(details=details, metrics=[_unsigned(metric) for metric in family.metrics])


def _loses_parts(family: Family) -> bool:
    """Tell whether a histogram or a summary loses something; a quick look, as for the others: most lose nothing."""
    return any(NEGATIVE_ZERO in _numbers(metric) or _lacks_infinity(metric) for metric in family.metrics)


def _lacks_infinity(metric: Metric) -> bool:
    return isinstance(metric, Histogram) and INFINITY not in map(_BOUND, reversed(metric.buckets))


def _numbers(metric: Metric) -> tuple[str, ...]:
    if isinstance(metric, Histogram):
        return (metric.sum, *chain.from_iterable(metric.buckets))
    if isinstance(metric, Summary):
        return (metric.sum, *chain.from_iterable(metric.quantiles))
    return (metric[1],)


def _written(metric: Metric) -> Metric:
    """The metric that is read back when this one was written."""
    metric = _unsigned(metric)
    if isinstance(metric, Histogram) and _lacks_infinity(metric):
        return metric._replace(buckets=(*metric.buckets, (INFINITY, metric.observations)))
    return metric


def _unsigned(metric: Metric) -> Metric:
    if isinstance(metric, Histogram):
        return metric._replace(sum=_shown(metric.sum), buckets=_shown_parts(metric.buckets))
    if isinstance(metric, Summary):
        return metric._replace(sum=_shown(metric.sum), quantiles=_shown_parts(metric.quantiles))
    return metric[0], _shown(metric[1])


def _shown_parts(parts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((_shown(bound), _shown(value)) for bound, value in parts)


def _shown(number: str) -> str:
    return "0" if number == NEGATIVE_ZERO else number


def _said(kind: Type, metric: Metric) -> pb.Metric:
    message = pb.Metric()
    if isinstance(metric, Histogram):
        _fill_histogram(message.histogram, metric)
    elif isinstance(metric, Summary):
        _fill_summary(message.summary, metric)
    else:
        getattr(message, VALUE_FIELDS[kind]).value = _number(metric[1])
    return message


def _number(text: str) -> float:
    return _GO_NAN if text == "NaN" else float(text)


def _is_whole(count: str) -> bool:
    value = float(count)
    return 0 <= value < _UINT64 and value.is_integer()


def _fill_histogram(message: pb.Histogram, metric: Histogram) -> None:
    """Fill in a histogram; if one of its counts is a fraction (or NaN), they are all floats."""
    buckets = [part for part in metric.buckets if part[0] != NO_BOUND]
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
        if quantile != NO_BOUND:
            message.quantile.add(quantile=float(quantile), value=_number(value))
