"""The families of one body while it is read.

In: the names of comments and samples, in the order of the body.
Out: the place each name has, which takes its samples, and at the end the families.
Never: reads text, nor compares metrics with each other.
Follows: expfmt/text_parse.go of prometheus/common (behaviour page, section 2.2), where `h_count` is a part of a
histogram `h` exactly if its type was told before, and no family `h_count` was there earlier.

NOTE(pushgateway): of several counts of one histogram the last one wins; in the original a fraction beats an integer.
"""

from collections.abc import Callable
from typing import NamedTuple

from pgw.errors import ParseError
from pgw.formats.numbers import NEGATIVE_ZERO, canonical, truncated_count
from pgw.formats.recent import LONGEST_REMEMBERED, Recent
from pgw.model.consistency import SUFFIXES, WRITTEN_LABELS
from pgw.model.family import Family, Histogram, Metric, Sample, Summary, Type
from pgw.model.grouping import Labels
from pgw.model.names import quoted
from pgw.model.series import Series

Split = tuple[Series, str]
"""A series without its own label, and what that label said in canonical text (NaN: nothing)."""

Splits = Recent[tuple[str, str, Labels], Split]
"""The splits of series, by the name of the family, its own label and the labels of the sample."""

NO_BOUND = "NaN"

Fault = Callable[[str], ParseError]
"""Makes an error of the line that is being read."""


class Draft:
    """A family while its body is read."""

    __slots__ = ("compounds", "help", "metrics", "name", "own_label", "type")

    def __init__(self, name: str) -> None:
        self.name = name
        self.type: Type | None = None
        self.own_label: str | None = None  # not one of the series, but telling the parts of one metric apart
        self.help: str | None = None
        self.metrics: list[Metric] = []
        self.compounds: dict[Labels, Compound] = {}

    def settle(self, kind: Type) -> None:
        """Give the family its type, by a TYPE line or else with its first sample."""
        self.type = kind
        self.own_label = WRITTEN_LABELS.get(kind)

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


class Place(NamedTuple):
    """What the samples of one name are: those of a family, or one part of its histograms or summaries."""

    draft: Draft
    suffix: str

    @property
    def family_name(self) -> str:
        """The name of the family."""
        return self.draft.name

    @property
    def own_label(self) -> str | None:
        """The own label of the family."""
        return self.draft.own_label


class Parts:
    """Puts samples together to histograms or summaries."""

    __slots__ = ("_draft", "_fault", "_own_label", "_splits", "_suffix")

    def __init__(self, place: Place, own_label: str, splits: Splits, fault: Fault) -> None:
        self._draft = place.draft
        self._suffix = place.suffix
        self._own_label = own_label
        self._splits = splits
        self._fault = fault

    def add_to_summary(self, sample: Sample) -> None:
        """Add a quantile, a count or a sum."""
        compound, bound = self._part(sample[0])
        if self._suffix == "_count":
            compound.observations = truncated_count(sample[1])
        elif self._suffix == "_sum":
            compound.sum = sample[1]
        elif bound != NO_BOUND:
            compound.parts.append((bound, sample[1]))

    def add_to_histogram(self, sample: Sample) -> None:
        """Add a bucket, a count or a sum."""
        compound, bound = self._part(sample[0])
        if self._suffix == "_count":
            compound.observations = self._population("count", sample[1])
        elif self._suffix == "_sum":
            compound.sum = sample[1]
        elif bound != NO_BOUND:
            compound.parts.append((bound, self._population("bucket population", sample[1])))

    def _population(self, what: str, count: str) -> str:
        if count == NEGATIVE_ZERO:
            return "0"
        if count[0] == "-":
            raise self._fault(f"negative {what} for histogram {quoted(self._draft.name)}")
        return count

    def _part(self, series: Series) -> tuple[Compound, str]:
        """Find the metric that a sample belongs to, and the bound that it is for."""
        key = (self._draft.name, self._own_label, series.labels)
        split = self._splits.young.get(key) or self._splits.get(key)
        if split is None:
            split = self._split(series)
            if sum(len(name) + len(value) for name, value in series.labels) <= LONGEST_REMEMBERED:
                self._splits.put(key, split)
        base, bound = split
        compound = self._draft.compounds.get(base.labels)
        if compound is None:
            compound = self._draft.compounds[base.labels] = Compound(base)
        return compound, bound

    def _split(self, series: Series) -> Split:
        labels = dict(series.labels)
        text = labels.pop(self._own_label, NO_BOUND)
        bound = canonical(text)
        if bound is None:
            raise self._fault(f"expected float as value for '{self._own_label}' label, got {quoted(text)}")
        return Series(self._draft.name, labels.items()), bound


class Drafts:
    """All families of one body, in the order of their first appearance."""

    __slots__ = ("_by_name", "_fault", "_places", "_splits")

    def __init__(self, splits: Splits, fault: Fault) -> None:
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

    def opened(self, name: str) -> Callable[[Sample], None]:
        """Where the samples of a name go; the first one settles the type."""
        place = self.place(name)
        draft = place.draft
        if draft.type is None:
            draft.settle(Type.UNTYPED)
        if draft.own_label is None:
            return draft.metrics.append
        parts = Parts(place, draft.own_label, self._splits, self._fault)
        return parts.add_to_summary if draft.type is Type.SUMMARY else parts.add_to_histogram

    def families(self) -> list[Family]:
        """The families that have metrics."""
        families = [draft.family() for draft in self._by_name.values()]
        return [family for family in families if family.metrics]

    def _part_of_another(self, name: str) -> Place | None:
        base, _, suffix = name.rpartition("_")
        draft = self._by_name.get(base)
        if draft is None or draft.own_label is None or draft.type is None:
            return None
        return Place(draft, f"_{suffix}") if f"_{suffix}" in SUFFIXES[draft.type] else None

    def _family_of_its_own(self, name: str) -> Place:
        draft = self._by_name[name] = Draft(name)
        return Place(draft, "")
