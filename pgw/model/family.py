"""A metric family as a client pushed it: a name, a type, a help text and its metrics.

In: what a reader of `formats` found.
Out: values for the rules of `consistency` and the writers of `formats`.
Never: holds a grouping key; the same family pushed to two groups is the same value.

Numbers are kept as the text they will be scraped as (Go's shortest form, see formats/numbers.py): it loses
nothing, `float(text)` gives back the very double, and most pushes never need the double at all.
"""

import enum
from typing import NamedTuple

from pgw.model.series import Series


class Type(enum.IntEnum):
    """The types of families, with the numbers of io.prometheus.client.MetricType."""

    COUNTER = 0
    GAUGE = 1
    SUMMARY = 2
    UNTYPED = 3
    HISTOGRAM = 4
    GAUGE_HISTOGRAM = 5

    @property
    def word(self) -> str:
        """The type as a TYPE line says it; the text format has no gauge histograms and calls them histograms."""
        return "histogram" if self is Type.GAUGE_HISTOGRAM else self.name.lower()


Sample = tuple[Series, str]
"""A series and its value: the metric of a counter, a gauge or an untyped family.

A plain tuple, not a class: a push makes one per line.
"""


class Histogram(NamedTuple):
    """One metric of a histogram: everything of a label set without `le`."""

    series: Series
    buckets: tuple[tuple[str, str], ...]
    """Upper bound and cumulative count of each, in the order they were pushed."""
    observations: str
    sum: str


class Summary(NamedTuple):
    """One metric of a summary: everything of a label set without `quantile`."""

    series: Series
    quantiles: tuple[tuple[str, str], ...]
    """Quantile and value of each, in the order they were pushed."""
    observations: str
    sum: str


Metric = Sample | Histogram | Summary


class Family(NamedTuple):
    """A family of one push; the metrics in the order of their first appearance."""

    name: str
    type: Type
    help: str | None
    """None where no HELP was given, which shows no HELP line; an empty help shows one."""
    metrics: list[Metric]
    details: tuple[bytes, ...] = ()
    """What the text format cannot carry of each metric (formats/details.py); nothing if it carries all of all."""


class Fault(NamedTuple):
    """A metric that cannot stand in its family, as only protobuf can say it."""

    series: Series
    reason: str


class Exposition(NamedTuple):
    """All that one body holds."""

    families: list[Family]
    """Each name once, in the order of first appearance; none is without metrics unless protobuf said so."""
    timestamp_at: str | None = None
    """Where the first timestamp stands (`line 3`), or None: pushes must not have any."""
    fault: Fault | None = None
    """The first metric that cannot stand in its family, or None; where there is one, nothing else is of use."""
