"""Families as tables: a row for each metric, histograms with bars.

In: the fragments of one group.
Out: values for the template.
Never: reads more of a family than is shown: one may have a million samples.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pgw.formats import metrics_pb2 as pb
from pgw.formats.messages import count_line, to_message
from pgw.formats.native import CLOSED, RIGHT_OPEN, is_native, populated_buckets
from pgw.model.consistency import SUFFIXES
from pgw.model.family import Type
from pgw.model.group import Fragment
from pgw.model.grouping import INSTANCE, GroupingKey
from pgw.web.page.words import number

MOST_BUCKETS = 200
"""Buckets of a histogram that are shown: more than any client makes by default, and few enough for a page of many."""
_BARS_WIDTH = 100
"""Of the view box of a bar, in which widths are percent."""


class Bucket(NamedTuple):
    """A row of a histogram."""

    bounds: str
    total: str
    """As it was pushed: of a classic bucket, with all below it."""
    inside: str
    """Without those below it."""
    width: float
    """Of the bar, in percent of the longest."""


class Sample(NamedTuple):
    """A row of a family."""

    labels: Sequence[tuple[str, str]]
    """Without those of the group."""
    value: str
    parts: Sequence[tuple[str, str]] = ()
    """Quantiles, sum and count."""
    buckets: Sequence[Bucket] = ()
    hidden_buckets: int = 0
    """How many there are beyond MOST_BUCKETS."""


class Table(NamedTuple):
    """What a page shows of one family."""

    name: str
    type: str
    help: str
    pushed_at: int
    samples: Sequence[Sample]
    first: int
    """How many stand before these."""
    total: int

    @property
    def left(self) -> int:
        """How many stand behind these."""
        return self.total - self.first - len(self.samples)


def table(fragment: Fragment, key: GroupingKey, *, first: int, most: int) -> Table:
    """Lay out a family.

    Args:
        fragment: what the group holds of it.
        key: the group.
        first: how many of its metrics to pass over.
        most: how many to show.
    """
    starts = list(_starts(fragment))
    total = len(starts) - 1
    first = min(first, max(0, (total - 1) // most * most))
    last = min(first + most, total)
    cut = fragment._replace(
        text=fragment.text[starts[first] : starts[last]], details=fragment.details[first:last] or ()
    )
    labels = dict(key.labels)
    samples = [_sample(fragment.type, metric, labels) for metric in to_message(cut).metric]
    kind = fragment.type.name.replace("_", " ")
    return Table(fragment.name, kind, fragment.help or "", fragment.pushed_at, samples, first, total)


def _starts(fragment: Fragment) -> Iterator[int]:
    """Where each metric begins in the text, and where the last one ends."""
    yield 0
    if fragment.type in SUFFIXES:
        last = re.compile(rb"^" + re.escape(count_line(fragment.name)) + rb".*\n", re.MULTILINE)
    else:
        last = re.compile(rb"\n")
    for found in last.finditer(fragment.text):
        yield found.end()


def _sample(kind: Type, metric: pb.Metric, group: Mapping[str, str]) -> Sample:
    found = [(pair.name.decode(), pair.value.decode()) for pair in metric.label]
    labels = [label for label in found if label[0] not in group and label != (INSTANCE, "")]
    match kind:
        case Type.HISTOGRAM | Type.GAUGE_HISTOGRAM:
            return _histogram(labels, metric.histogram)
        case Type.SUMMARY:
            return _summary(labels, metric.summary)
        case Type.COUNTER:
            return Sample(labels, number(metric.counter.value))
        case Type.GAUGE:
            return Sample(labels, number(metric.gauge.value))
        case _:
            return Sample(labels, number(metric.untyped.value))


def _summary(labels: Sequence[tuple[str, str]], summary: pb.Summary) -> Sample:
    quantiles = [(f"Quantile {number(each.quantile)}", number(each.value)) for each in summary.quantile]
    ends = [("Sample Count", str(summary.sample_count)), ("Sample Sum", number(summary.sample_sum))]
    return Sample(labels, "", [*quantiles, *ends])


def _histogram(labels: Sequence[tuple[str, str]], histogram: pb.Histogram) -> Sample:
    count = histogram.sample_count_float or histogram.sample_count
    ends = [("Sample Count", number(count)), ("Sample Sum", number(histogram.sample_sum))]
    rows = list(_native(histogram) if is_native(histogram) else _classic(histogram))
    most = max((inside for _, _, inside in rows if math.isfinite(inside)), default=0) or 1
    buckets = [Bucket(bounds, number(count), number(inside), _width(inside, most)) for bounds, count, inside in rows]
    return Sample(labels, "", ends, buckets[:MOST_BUCKETS], max(0, len(buckets) - MOST_BUCKETS))


def _classic(histogram: pb.Histogram) -> Iterator[tuple[str, float, float]]:
    below = 0.0
    for bucket in histogram.bucket:
        count = bucket.cumulative_count_float or bucket.cumulative_count
        yield f"≤ {number(bucket.upper_bound)}", count, count - below
        below = count


def _native(histogram: pb.Histogram) -> Iterator[tuple[str, float, float]]:
    below = 0.0
    for bucket in populated_buckets(histogram):
        opening = "[" if bucket.rule in (CLOSED, RIGHT_OPEN) else "("
        closing = ")" if bucket.rule == RIGHT_OPEN else "]"
        below += bucket.population
        yield f"{opening}{bucket.lower:.6g}, {bucket.upper:.6g}{closing}", below, bucket.population


def _width(inside: float, most: float) -> float:
    return round(max(0.0, min(inside / most, 1.0)) * _BARS_WIDTH, 2) if math.isfinite(inside) else 0.0
