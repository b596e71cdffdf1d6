r"""The data of the JSON API.

In: stored groups; what the process knows of itself.
Out: JSON to the letter of Go's encoder: no blanks, sorted keys, \u003c for <.
Never: rounds a number (all of them are strings), nor reads the clock.
Follows: api/v1/api.go of the original (behaviour page, section 1.3).

NOTE(pushgateway): a gauge histogram looks like a histogram; the original shows it as the value "0".
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import tzinfo

from pgw.formats import metrics_pb2 as pb
from pgw.formats.messages import to_message
from pgw.formats.moments import rfc3339
from pgw.formats.native import is_float, is_native, populated_buckets
from pgw.formats.numbers import signed
from pgw.model.family import Type
from pgw.model.group import Group
from pgw.model.grouping import Labels

Json = str | bool | int | Sequence["Json"] | Mapping[str, "Json"]

_ESCAPES = str.maketrans({rune: f"\\u{ord(rune):04x}" for rune in "<>&\u2028\u2029"})


def group_json(group: Group, zone: tzinfo | None = None) -> bytes:
    """Write one group, an element of the data of `/api/v1/metrics`.

    Args:
        group: what is stored, and its push times, which are not, as fragments among the others.
        zone: the time zone that times are given in; None: that of this machine.
    """
    shown: dict[str, Json] = {
        "labels": dict(group.key.labels),
        "last_push_successful": group.last_push_successful,
        **({"expires_at": rfc3339(group.deadline, zone)} if group.deadline else {}),
    }
    for fragment in group.fragments:  # a family called `labels` takes the place of the labels
        moment = fragment.pushed_at or group.pushed_at or group.failed_at
        shown[fragment.name] = _family(to_message(fragment), rfc3339(moment, zone))
    return _encode(dict(sorted(shown.items())))


def labels_json(labels: Labels) -> bytes:
    """Write the labels of one group, as they stand in `group_json`."""
    return _encode({"labels": dict(labels)})


def string_json(text: str) -> bytes:
    """Write a string."""
    return _encode(text)


def status_json(build_information: Mapping[str, str], flags: Mapping[str, str], start_time: str) -> bytes:
    """Write the data of `/api/v1/status`; the time as `rfc3339` writes it."""
    return _encode(
        {
            "build_information": dict(sorted(build_information.items())),
            "flags": dict(sorted(flags.items())),
            "start_time": start_time,
        }
    )


def _encode(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES).encode()


def _family(message: pb.MetricFamily, time_stamp: str) -> Json:
    kind = Type(message.type)
    shown: dict[str, Json] = {"time_stamp": time_stamp, "type": kind.name}
    if message.help:
        shown["help"] = message.help.decode()
    shown["metrics"] = [_metric(kind, metric) for metric in message.metric]
    return shown


def _metric(kind: Type, metric: pb.Metric) -> Json:
    labels: Json = {pair.name.decode(): pair.value.decode() for pair in metric.label}
    return dict(sorted({"labels": labels, **_VALUES[kind](metric)}.items()))


def _summary(metric: pb.Metric) -> dict[str, Json]:
    summary = metric.summary
    quantiles = {signed(each.quantile): signed(each.value) for each in summary.quantile}
    return {
        "quantiles": dict(sorted(quantiles.items())),
        "count": str(summary.sample_count),
        "sum": signed(summary.sample_sum),
    }


def _histogram(metric: pb.Metric) -> dict[str, Json]:
    histogram = metric.histogram
    shown: dict[str, Json] = {"sum": signed(histogram.sample_sum)}
    if is_native(histogram):
        count = histogram.sample_count_float if is_float(histogram) else histogram.sample_count
        return {**shown, "count": _count(count), "buckets": list(_ranges(histogram))}
    buckets = {signed(each.upper_bound): _counted(each) for each in histogram.bucket}
    count = histogram.sample_count_float if histogram.sample_count_float > 0 else histogram.sample_count
    return {**shown, "count": _count(count), "buckets": dict(sorted(buckets.items()))}


def _counted(bucket: pb.Bucket) -> str:
    fraction = bucket.cumulative_count_float
    return _count(fraction if fraction > 0 else bucket.cumulative_count)


def _ranges(histogram: pb.Histogram) -> Iterator[Json]:
    for bucket in populated_buckets(histogram):
        yield [bucket.rule, signed(bucket.lower), signed(bucket.upper), _count(bucket.population)]


def _count(count: float) -> str:
    """Write a count; integers in full, however large."""
    return str(count) if isinstance(count, int) else signed(count)


_VALUES: Mapping[Type, Callable[[pb.Metric], dict[str, Json]]] = {
    Type.COUNTER: lambda metric: {"value": signed(metric.counter.value)},
    Type.GAUGE: lambda metric: {"value": signed(metric.gauge.value)},
    Type.UNTYPED: lambda metric: {"value": signed(metric.untyped.value)},
    Type.SUMMARY: _summary,
    Type.HISTOGRAM: _histogram,
    Type.GAUGE_HISTOGRAM: _histogram,
}
