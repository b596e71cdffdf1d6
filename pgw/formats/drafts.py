"""The families of one body while it is read.

In: the names of comments and samples, in the order of the body.
Out: the place each name has, which takes its samples, and at the end the families.
Never: reads text, nor compares metrics with each other.
Follows: expfmt/text_parse.go of prometheus/common (behaviour page, section 2.2), where `h_count` is a part of a
histogram `h` exactly if its type was told before, and no family `h_count` was there earlier.
"""

from collections.abc import Callable
from typing import NamedTuple

from pgw.formats.compounds import Compounds, Fault, Splits
from pgw.model.consistency import SUFFIXES, WRITTEN_LABELS
from pgw.model.family import Family, Histogram, Metric, Sample, Summary, Type

_UNTYPED = Type.UNTYPED  # to look a member up takes as long as half a Draft


class Draft:
    """A family while its body is read, which is the place of the samples of its own name."""

    __slots__ = ("compounds", "help", "metrics", "name", "own_label", "type")

    def __init__(self, name: str) -> None:
        self.name = name
        self.type: Type | None = None
        self.own_label: str | None = None  # not one of the series, but telling the parts of one metric apart
        self.help: str | None = None
        self.metrics: list[Metric] = []
        self.compounds: Compounds | None = None

    @property
    def draft(self) -> "Draft":
        """The family of the place."""
        return self

    @property
    def suffix(self) -> str:
        """What the name of the place has more than that of the family: nothing."""
        return ""

    @property
    def family_name(self) -> str:
        """The name of the family."""
        return self.name

    def settle(self, kind: Type) -> None:
        """Give the family its type, by a TYPE line or else with its first sample."""
        self.type = kind
        self.own_label = WRITTEN_LABELS.get(kind)

    def family(self) -> Family:
        """The family, once the body has ended."""
        metrics = self.metrics if self.compounds is None else self.compounds.metrics()
        return Family(self.name, _UNTYPED if self.type is None else self.type, self.help, metrics)


class Part(NamedTuple):
    """The place of one part of the histograms or summaries of a family."""

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


Place = Draft | Part
"""What the samples of one name are."""


class Drafts:
    """All families of one body, in the order of their first appearance."""

    __slots__ = ("_by_name", "_fault", "_open", "_parts", "_splits")

    def __init__(self, splits: Splits, fault: Fault) -> None:
        self._splits = splits
        self._fault = fault
        self._by_name: dict[str, Draft] = {}
        self._parts: dict[str, Part] = {}
        self._open: dict[str, Callable[[Sample], None]] = {}  # of histograms and summaries

    def place(self, name: str) -> Place:
        """The place of a name; what is found at its first appearance holds to the end of the body."""
        return self._by_name.get(name) or self._parts.get(name) or self._new_place(name)

    def opened(self, name: str) -> Callable[[Sample], None]:
        """Where the samples of a name go; the first one settles the type."""
        add = self._open.get(name)
        if add is not None:
            return add
        place = self.place(name)
        draft = place.draft
        if draft.type is None:
            draft.type = _UNTYPED
        if draft.own_label is None:
            return draft.metrics.append
        add = self._open[name] = self._compounds(draft).opened(place.suffix)
        return add

    def families(self) -> list[Family]:
        """The families that have metrics."""
        families = [draft.family() for draft in self._by_name.values()]
        return [family for family in families if family.metrics]

    def _new_place(self, name: str) -> Place:
        base, _, suffix = name.rpartition("_")
        draft = self._by_name.get(base)
        if draft is None or draft.type is None or f"_{suffix}" not in SUFFIXES.get(draft.type, ()):
            draft = self._by_name[name] = Draft(name)
            return draft
        part = self._parts[name] = Part(draft, f"_{suffix}")
        return part

    def _compounds(self, draft: Draft) -> Compounds:
        if draft.compounds is None:
            kind = Summary if draft.type is Type.SUMMARY else Histogram
            draft.compounds = Compounds(draft.name, kind, self._splits, self._fault)
        return draft.compounds
