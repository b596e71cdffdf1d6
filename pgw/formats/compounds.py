"""The histograms and summaries of one family while its body is read.

In: samples, each a part of a metric: a bucket or a quantile, a count, a sum.
Out: the metrics, in the order of their first appearance.
Never: reads text; nor asks how many parts a metric has, or in which order they come.
Follows: expfmt/text_parse.go of prometheus/common (behaviour page, section 2.2).

Most parts of a metric stand in one place of the body, so the metric of the line before is looked at first.

NOTE(pushgateway): of several counts of one histogram the last one wins; in the original a fraction beats an integer.
"""

from collections.abc import Callable, Mapping

from pgw.errors import ParseError
from pgw.formats.numbers import NEGATIVE_ZERO, canonical, truncated_count
from pgw.formats.recent import LONGEST_REMEMBERED, Recent
from pgw.model.consistency import WRITTEN_LABELS
from pgw.model.family import Histogram, Metric, Sample, Summary, Type
from pgw.model.grouping import Labels
from pgw.model.names import quoted
from pgw.model.series import Series

SERIES_PER_BOUND = 10
"""There are far fewer bounds than series, so a tenth of their limit is ample."""

OWN_LABELS: Mapping[type[Histogram | Summary], str] = {
    Histogram: WRITTEN_LABELS[Type.HISTOGRAM],
    Summary: WRITTEN_LABELS[Type.SUMMARY],
}
"""The label that tells the parts of one metric apart."""

NO_BOUND = "NaN"
"""A bucket or a quantile at this bound is written, but not read."""

Fault = Callable[[str], ParseError]
"""Makes an error of the line that is being read."""


class Splits:
    """What is remembered of samples that were split into a series and a bound."""

    __slots__ = ("bases", "bounds")

    def __init__(self, series_limit: int) -> None:
        self.bases: Recent[tuple[str, Labels], Series] = Recent(series_limit)
        self.bounds: Recent[str, str] = Recent(series_limit // SERIES_PER_BOUND)

    def base(self, name: str, labels: Labels) -> Series:
        """The series of a metric, by its family and its labels without the own one."""
        key = (name, labels)
        series = self.bases.get(key)
        if series is None:
            series = Series.ordered(name, labels)
            if sum(len(name) + len(value) for name, value in labels) <= LONGEST_REMEMBERED:
                self.bases.put(key, series)
        return series

    def bound(self, text: str) -> str | None:
        """What an own label says, in canonical text; None if that is not a number."""
        bound = self.bounds.get(text)
        if bound is None:
            bound = canonical(text)
            if bound is not None:
                self.bounds.remember(text, bound)
        return bound


class Compound:
    """A histogram or a summary while its lines come in; what does not come is 0."""

    __slots__ = ("observations", "parts", "series", "sum")

    def __init__(self, series: Series) -> None:
        self.series = series
        self.parts: list[tuple[str, str]] = []
        self.observations = "0"
        self.sum = "0"


class Compounds:
    """Puts the samples of a family together to histograms or summaries."""

    __slots__ = ("_by_labels", "_fault", "_labels", "_latest", "_make", "_name", "_own_at", "_own_label", "_splits")

    def __init__(self, name: str, make: type[Histogram | Summary], splits: Splits, fault: Fault) -> None:
        self._name = name
        self._make = make
        self._own_label = OWN_LABELS[make]
        self._own_at = 0  # where the own label was the last time
        self._splits = splits
        self._fault = fault
        self._by_labels: dict[Labels, Compound] = {}
        self._labels: Labels | None = None
        self._latest = Compound(Series.ordered(name, ()))

    def opened(self, suffix: str) -> Callable[[Sample], None]:
        """Where the samples of the name with this suffix go."""
        is_summary = self._make is Summary
        if suffix == "_sum":
            return self._add_sum
        if suffix == "_count":
            return self._add_summary_count if is_summary else self._add_count
        return self._add_quantile if is_summary else self._add_bucket

    def metrics(self) -> list[Metric]:
        """All of them."""
        make = self._make
        return [make(it.series, tuple(it.parts), it.observations, it.sum) for it in self._by_labels.values()]

    def _add_sum(self, sample: Sample) -> None:
        self._find(sample[0])
        self._latest.sum = sample[1]

    def _add_count(self, sample: Sample) -> None:
        self._find(sample[0])
        self._latest.observations = self._population("count", sample[1])

    def _add_summary_count(self, sample: Sample) -> None:
        self._find(sample[0])
        self._latest.observations = truncated_count(sample[1])

    def _add_bucket(self, sample: Sample) -> None:
        bound = self._find(sample[0])
        if bound != NO_BOUND:
            count = sample[1]
            self._latest.parts.append((bound, self._population("bucket population", count) if "-" in count else count))

    def _add_quantile(self, sample: Sample) -> None:
        bound = self._find(sample[0])
        if bound != NO_BOUND:
            self._latest.parts.append((bound, sample[1]))

    def _population(self, what: str, count: str) -> str:
        if count == NEGATIVE_ZERO:
            return "0"
        if count[0] == "-":
            raise self._fault(f"negative {what} for histogram {quoted(self._name)}")
        return count

    def _find(self, series: Series) -> str:
        """Make the metric that a sample belongs to the latest one, and tell the bound that the sample is for."""
        labels = series.labels
        bound = NO_BOUND
        at = self._own_at
        if at >= len(labels) or labels[at][0] != self._own_label:
            at = self._position(labels)
        if at < len(labels):
            self._own_at = at
            text = labels[at][1]
            bound = self._splits.bounds.young.get(text) or self._bound(text)
            labels = labels[:at] + labels[at + 1 :]
        if labels != self._labels:
            self._turn_to(labels)
        return bound

    def _position(self, labels: Labels) -> int:
        """Where the own label is; behind the last one where there is none."""
        for at, (name, _) in enumerate(labels):
            if name == self._own_label:
                return at
        return len(labels)

    def _bound(self, text: str) -> str:
        bound = self._splits.bound(text)
        if bound is None:
            raise self._fault(f"expected float as value for '{self._own_label}' label, got {quoted(text)}")
        return bound

    def _turn_to(self, labels: Labels) -> None:
        compound = self._by_labels.get(labels)
        if compound is None:
            compound = self._by_labels[labels] = Compound(self._splits.base(self._name, labels))
        self._labels = labels
        self._latest = compound
