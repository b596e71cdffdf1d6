"""The families of one body while it is read.

In: the names of comments and samples, in the order of the body.
Out: the place each name has, which takes its samples, and at the end the families.
Never: reads text, nor compares metrics with each other.
Follows: expfmt/text_parse.go of prometheus/common (behaviour page, section 2.2), where `h_count` is a part of a
histogram `h` exactly if its type was told before, and no family `h_count` was there earlier.

NOTE(pushgateway): of several counts of one histogram the last one wins; in the original a fraction beats an integer.
"""

from collections.abc import Callable

from pgw.errors import ParseError
from pgw.formats.numbers import canonical, truncated_count
from pgw.formats.recent import LONGEST_REMEMBERED, Recent
from pgw.model.consistency import SUFFIXES
from pgw.model.family import Family, Histogram, Metric, Sample, Summary, Type
from pgw.model.grouping import Labels
from pgw.model.names import quoted
from pgw.model.series import Series

OWN_LABELS = {Type.HISTOGRAM: "le", Type.GAUGE_HISTOGRAM: "le", Type.SUMMARY: "quantile"}
"""The labels that are not part of a series but tell the parts of one metric apart."""

Split = tuple[Series, str]
"""A series without its own label, and what that label said in canonical text (NaN: nothing)."""

Splits = Recent[tuple[str, str, Labels], Split]
"""The splits of series, by the name of the family, its own label and the labels of the sample."""

NO_BOUND = "NaN"


class Draft:
    """A family while its body is read."""

    __slots__ = ("compounds", "help", "metrics", "name", "type")

    def __init__(self, name: str) -> None:
        self.name = name
        self.type: Type | None = None
        self.help: str | None = None
        self.metrics: list[Metric] = []
        self.compounds: dict[Labels, Compound] = {}

    @property
    def own_label(self) -> str | None:
        """`le` in a histogram, `quantile` in a summary."""
        return None if self.type is None else OWN_LABELS.get(self.type)

    def family(self) -> Family:
        """The family, once the body has ended."""
        kind = Type.UNTYPED if self.type is None else self.type
        if self.compounds:
            make = Summary if kind is Type.SUMMARY else Histogram
            self.metrics = [make(it.series, tuple(it.parts), it.observations, it.sum) for it in self.compounds.values()]
        return Family(self.name, kind, self.help, self.metrics)


class Compound:
    """A histogram or a summary while its lines come in; what does not come is 0."""

    __slots__ = ("observations", "parts", "series", "sum")

    def __init__(self, series: Series) -> None:
        self.series = series
        self.parts: list[tuple[str, str]] = []
        self.observations = "0"
        self.sum = "0"


class Place:
    """What the samples of one name are: those of a family, or one part of its histograms or summaries."""

    __slots__ = ("_fault", "_splits", "draft", "suffix")

    def __init__(self, draft: Draft, suffix: str, splits: Splits, fault: Callable[[str], ParseError]) -> None:
        self.draft = draft
        self.suffix = suffix
        self._splits = splits
        self._fault = fault

    @property
    def family_name(self) -> str:
        """The name of the family."""
        return self.draft.name

    @property
    def own_label(self) -> str | None:
        """The own label of the family."""
        return self.draft.own_label

    def opened(self) -> Callable[[Sample], None]:
        """Where the samples go; the first one settles the type."""
        if self.draft.type is None:
            self.draft.type = Type.UNTYPED
        if self.own_label is None:
            return self.draft.metrics.append
        return self._add_to_summary if self.draft.type is Type.SUMMARY else self._add_to_histogram

    def _add_to_summary(self, sample: Sample) -> None:
        compound, bound = self._part(sample[0])
        if self.suffix == "_count":
            compound.observations = truncated_count(sample[1])
        elif self.suffix == "_sum":
            compound.sum = sample[1]
        elif bound != NO_BOUND:
            compound.parts.append((bound, sample[1]))

    def _add_to_histogram(self, sample: Sample) -> None:
        compound, bound = self._part(sample[0])
        if self.suffix == "_count":
            compound.observations = self._population("count", sample[1])
        elif self.suffix == "_sum":
            compound.sum = sample[1]
        elif bound != NO_BOUND:
            compound.parts.append((bound, self._population("bucket population", sample[1])))

    def _population(self, what: str, count: str) -> str:
        if count.startswith("-"):
            raise self._fault(f"negative {what} for histogram {quoted(self.draft.name)}")
        return count

    def _part(self, series: Series) -> tuple[Compound, str]:
        """Find the metric that a sample belongs to, and the bound that it is for."""
        key = (self.draft.name, self.own_label or "", series.labels)
        split = self._splits.get(key)
        if split is None:
            split = self._split(series)
            if sum(len(name) + len(value) for name, value in series.labels) <= LONGEST_REMEMBERED:
                self._splits.put(key, split)
        base, bound = split
        compound = self.draft.compounds.get(base.labels)
        if compound is None:
            compound = self.draft.compounds[base.labels] = Compound(base)
        return compound, bound

    def _split(self, series: Series) -> Split:
        labels = dict(series.labels)
        text = labels.pop(self.own_label or "", NO_BOUND)
        bound = canonical(text)
        if bound is None:
            raise self._fault(f"expected float as value for '{self.own_label}' label, got {quoted(text)}")
        return Series(self.draft.name, labels.items()), bound


class Drafts:
    """All families of one body, in the order of their first appearance."""

    __slots__ = ("_by_name", "_fault", "_places", "_splits")

    def __init__(self, splits: Splits, fault: Callable[[str], ParseError]) -> None:
        self._splits = splits
        self._fault = fault
        self._by_name: dict[str, Draft] = {}
        self._places: dict[str, Place] = {}

    def place(self, name: str) -> Place:
        """The place of a name; what is found at its first appearance holds to the end of the body."""
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = self._part_of_another(name) or self._family_of_its_own(name)
        return place

    def _part_of_another(self, name: str) -> Place | None:
        if name in self._by_name:
            return None
        base, _, suffix = name.rpartition("_")
        draft = self._by_name.get(base)
        if draft is None or draft.type is None or f"_{suffix}" not in SUFFIXES.get(draft.type, ()):
            return None
        return Place(draft, f"_{suffix}", self._splits, self._fault)

    def _family_of_its_own(self, name: str) -> Place:
        draft = self._by_name[name] = Draft(name)
        return Place(draft, "", self._splits, self._fault)

    def families(self) -> list[Family]:
        """The families that have metrics."""
        families = [draft.family() for draft in self._by_name.values()]
        return [family for family in families if family.metrics]
