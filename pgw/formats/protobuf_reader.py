"""The protobuf format, read: length-delimited MetricFamily messages.

In: the bytes of one body.
Out: an Exposition, or BadBody.
Never: checks what may stand together (model/consistency.py does); a metric that cannot stand in its family is noted.
Follows: handler/push.go of the original (behaviour page, section 2.3), and expfmt/text_create.go for the numbers.

client_golang pushes this format unless told otherwise.

NOTE(pushgateway): what would break scrapes or print garbage is refused: a family without a name or of an unknown
type, names and texts that are not UTF-8, counts less than 0, native histograms whose spans do not fit. The original
accepts all of it. It also keeps units; Prometheus refuses a whole scrape if one does not end the name of its family,
so here they are left out.
"""

from collections.abc import Callable, Iterator, Mapping

from google.protobuf.message import DecodeError

from pgw.errors import BadBody
from pgw.formats import metrics_pb2 as pb
from pgw.formats.details import VALUE_FIELDS, detail, kept
from pgw.formats.native import find_fault
from pgw.formats.numbers import format_float
from pgw.model.family import Exposition, Family, Fault, Histogram, Metric, Sample, Summary, Type
from pgw.model.grouping import Labels
from pgw.model.names import quoted
from pgw.model.series import Series

_MORE = 0x80
_LONGEST_VARINT = 10
_METRIC_NAME_LABEL = "__name__"


class _Faulty(Exception):
    """A metric that cannot stand in its family."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def read_protobuf(body: bytes) -> Exposition:
    """Read one body; of a family that comes twice the last one counts.

    Raises:
        BadBody: it is cut off, or not made of MetricFamily messages, or holds what can never be scraped.
    """
    messages = {_name(message): message for message in _messages(body)}
    timestamps = (_timestamp(name, message) for name, message in messages.items())
    timestamp_at = next(filter(None, timestamps), None)
    try:
        return Exposition([_family(name, message) for name, message in messages.items()], timestamp_at)
    except _Faulty as faulty:
        return Exposition([], timestamp_at, faulty.fault)


def _messages(body: bytes) -> Iterator[pb.MetricFamily]:
    """Cut the body into its messages; those of no bytes say nothing."""
    start = 0
    while start < len(body):
        size, first = _length(body, start)
        end = first + size
        if end > len(body):
            raise BadBody(f"unexpected EOF: the message at byte {start} has {len(body) - first} of {size} bytes")
        if size:
            yield _message(body[first:end], start)
        start = end


def _length(body: bytes, start: int) -> tuple[int, int]:
    """Read the varint at `start`; returns it and where it ends."""
    value = 0
    for position, byte in enumerate(body[start : start + _LONGEST_VARINT]):
        value |= (byte & ~_MORE) << 7 * position
        if byte < _MORE:
            return value, start + position + 1
    if start + _LONGEST_VARINT > len(body):
        raise BadBody(f"unexpected EOF: the length at byte {start} does not end")
    raise BadBody(f"the length at byte {start} has more than {_LONGEST_VARINT} bytes")


def _message(encoded: bytes, start: int) -> pb.MetricFamily:
    message = pb.MetricFamily()
    try:
        message.ParseFromString(encoded)
    except DecodeError as error:
        raise BadBody(f"the message at byte {start} is not a MetricFamily: {error}") from error
    return message


def _name(message: pb.MetricFamily) -> str:
    if not message.name:
        raise BadBody(f'a family with {len(message.metric)} metrics has the name "", expected one of UTF-8 characters')
    return _text(message.name, "the name of a family")


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadBody(f"{what} is not utf8: {_quoted(value)}") from None


def _quoted(value: bytes) -> str:
    return quoted(value.decode(errors="surrogateescape"))


def _timestamp(name: str, message: pb.MetricFamily) -> str | None:
    """Where the first timestamp of a family stands."""
    for number, metric in enumerate(message.metric, 1):
        if metric.HasField("timestamp_ms"):
            return f"metric {number} of family {quoted(name)}"
    return None


def _family(name: str, message: pb.MetricFamily) -> Family:
    place = f"family {quoted(name)}"
    if message.type not in VALUE_FIELDS:
        raise BadBody(f"{place} has the unknown type {message.type}, expected 0 to {max(Type):d}")
    kind = Type(message.type)
    text_help = _text(message.help, f"the help of {place}") if message.HasField("help") else None
    metrics, details = [], []
    for each in message.metric:
        metric = _metric(name, kind, each)
        metrics.append(metric)
        each.ClearField("label")
        details.append(detail(each, kind, metric))
    return Family(name, kind, text_help, metrics, kept(details))


def _metric(name: str, kind: Type, message: pb.Metric) -> Metric:
    labels = _labels(name, message)
    field = VALUE_FIELDS[kind]
    if not message.HasField(field):
        raise _Faulty(Fault(Series(name, labels), f"is not a {kind.name}"))
    return _READERS[field](Series(name, labels), message)


def _labels(name: str, message: pb.Metric) -> Labels:
    try:
        labels = tuple((pair.name.decode(), pair.value.decode()) for pair in message.label)
    except UnicodeDecodeError:
        raise _broken_label(name, message) from None
    found = set()
    for label, _ in labels:
        if label in found:
            raise _Faulty(Fault(Series(name, labels), f"has two or more labels with the same name: {label}"))
        if label in ("", _METRIC_NAME_LABEL):
            raise _Faulty(Fault(Series(name, labels), f"has a label with an invalid name: {label}"))
        found.add(label)
    return labels


def _broken_label(name: str, message: pb.Metric) -> _Faulty:
    """Say which label is not UTF-8."""
    shown = [(_shown(pair.name), _shown(pair.value)) for pair in message.label]
    broken = next(pair for pair in message.label if not (_is_text(pair.name) and _is_text(pair.value)))
    reason = f"has a label with an invalid name: {_quoted(broken.name)}"
    if _is_text(broken.name):
        reason = f"has a label named {_quoted(broken.name)} whose value is not utf8: {_quoted(broken.value)}"
    return _Faulty(Fault(Series(name, shown), reason))


def _shown(value: bytes) -> str:
    return value.decode(errors="backslashreplace")


def _is_text(value: bytes) -> bool:
    return _shown(value).encode() == value


def _counter(series: Series, message: pb.Metric) -> Sample:
    if message.counter.HasField("exemplar"):
        _check_exemplar(series, message.counter.exemplar)
    return series, format_float(message.counter.value)


def _gauge(series: Series, message: pb.Metric) -> Sample:
    return series, format_float(message.gauge.value)


def _untyped(series: Series, message: pb.Metric) -> Sample:
    return series, format_float(message.untyped.value)


def _summary(series: Series, message: pb.Metric) -> Summary:
    summary = message.summary
    parts = tuple((format_float(each.quantile), format_float(each.value)) for each in summary.quantile)
    return Summary(series, parts, format_float(float(summary.sample_count)), format_float(summary.sample_sum))


def _histogram(series: Series, message: pb.Metric) -> Histogram:
    histogram = message.histogram
    fault = find_fault(histogram)
    if fault is not None:
        raise BadBody(f"a native histogram of family {quoted(series.name)} is broken: {fault}")
    for exemplar in histogram.exemplars:
        _check_exemplar(series, exemplar)
    buckets = tuple(_bucket(series, each) for each in histogram.bucket)
    observations = _count(series, "count", histogram.sample_count_float, histogram.sample_count)
    return Histogram(series, buckets, observations, format_float(histogram.sample_sum))


def _bucket(series: Series, bucket: pb.Bucket) -> tuple[str, str]:
    if bucket.HasField("exemplar"):
        _check_exemplar(series, bucket.exemplar)
    count = _count(series, "bucket population", bucket.cumulative_count_float, bucket.cumulative_count)
    return format_float(bucket.upper_bound), count


def _count(series: Series, what: str, fraction: float, integer: int) -> str:
    """Write a count, which is the float unless that is 0."""
    if fraction < 0:
        raise BadBody(f"negative {what} for histogram {quoted(series.name)}: {format_float(fraction)}")
    return format_float(fraction or float(integer))


def _check_exemplar(series: Series, exemplar: pb.Exemplar) -> None:
    for pair in exemplar.label:
        for part in (pair.name, pair.value):
            _text(part, f"a label of an exemplar in family {quoted(series.name)}")


_READERS: Mapping[str, Callable[[Series, pb.Metric], Metric]] = {
    "counter": _counter,
    "gauge": _gauge,
    "summary": _summary,
    "untyped": _untyped,
    "histogram": _histogram,
}
