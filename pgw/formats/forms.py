"""Bodies that differ in their values only.

In: the text of a body.
Out: its form and its values, once bodies of that form were seen before; until then, nothing.
Never: decides what a body means. That is learnt from the reader: it reads a body of the form whose first value is 1,
whose second is 2 and so on, and where these numbers come out is where the values of all others belong.

A batch job pushes the same lines again and again with new numbers in them. To take such a body apart is to cut off each
line what stood before its value the last time; nothing that depends on names, labels and types has to be done again.

A form is learnt when it is seen for the third time, and bodies whose first or last line is new are not looked at any
further, so that bodies which never come again cost next to nothing here. What has an effect beyond its own place is
left to the reader: values that are not numbers, negative counts, negative zeros.
"""

import re
from collections.abc import Callable, Sequence
from itertools import accumulate, chain, compress, count, pairwise
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from pgw.errors import ParseError
from pgw.formats.numbers import NEGATIVE_ZERO, all_canonical, truncated_count
from pgw.formats.recent import LONGEST_REMEMBERED, Recent
from pgw.model.family import Exposition, Family, Histogram, Metric, Summary

FORMS_NOTICED = 10_000
"""Forms that are recognized when they come again; a first and a last line and a number each."""

LARGEST = 2_000
"""Samples of a form at most: what is made of a known form is made at once, a few milliseconds for so many. Larger
bodies take the long way, which the gateway goes in a thread."""

_LINE = re.compile(r"^([^#\n].* )[^ \n]+$", re.MULTILINE)
"""A sample line: what stands before its value, and the value behind its last blank."""

_FIRST = re.compile(r"^[^#\n]", re.MULTILINE).search
"""Where the first line begins that is neither empty nor a comment; a body may have 100,000 of these above it."""

_Pick = Callable[[Sequence[str]], Sequence[str]]

Ends = tuple[str, str]
"""The first line of a body that is neither empty nor a comment, and the last line, without their last words."""

NOTHING = "0"
"""What the sum or the count of a histogram is that did not come; the value before the first one of a form."""


class Read(Protocol):
    """What reads a body to the letter."""

    def __call__(self, text: str, *, may_come_again: bool = False) -> Exposition:
        """Read a body."""


class Filled(NamedTuple):
    """A body of a form that is known."""

    form: "Form"
    values: Sequence[str]
    """In canonical text and in the order of the body; the first one is the second here, behind NOTHING."""

    def exposition(self) -> Exposition:
        """What the body says."""
        return self.form.exposition(self.values)


class Outline(NamedTuple):
    """The lines of a body without their values."""

    befores: tuple[str, ...]
    """What stands before the value in a sample line; any other line as it is."""
    samples: Sequence[bool]
    """Which of the lines are sample lines."""

    @classmethod
    def of(cls, text: str) -> "Outline":
        """Take the values out of a body."""
        befores = tuple(_LINE.sub(r"\1", text).split("\n"))
        return cls(befores, [before != line for before, line in zip(befores, text.split("\n"), strict=True)])

    @property
    def is_whole(self) -> bool:
        """Whether every sample line was taken apart: the others are comments or empty, and no comment was."""
        starts = [before.lstrip(" \t")[:1] for before in self.befores]
        return all((start not in ("", "#")) == sample for start, sample in zip(starts, self.samples, strict=True))

    def numbered(self) -> str:
        """The body of this outline whose first value is 1, whose second is 2 and so on."""
        number = count(1)
        lines = zip(self.befores, self.samples, strict=True)
        return "\n".join(f"{before}{next(number)}" if sample else before for before, sample in lines)


class Form:
    """All of a body but its values."""

    __slots__ = (
        "_compounds", "_families", "_observations", "_outline", "_pick", "_populations", "_series", "_slices", "_width",
        "example", "size",
    )  # fmt: skip

    def __init__(self, outline: Outline, example: Exposition) -> None:
        """Make a form.

        Args:
            outline: the body without its values.
            example: what the body says whose values are their own numbers.
        """
        self._outline = outline
        self._width = sum(map(len, outline.befores)) + len(outline.befores) - 1
        self.example = example
        """The body whose first value is 1, whose second is 2 and so on."""
        self.size = sum(outline.samples)
        metrics = [metric for family in example.families for metric in family.metrics]
        histograms = [metric for metric in metrics if isinstance(metric, Histogram)]
        self._populations = picker(chain.from_iterable(map(_counts, histograms)))
        self._observations = picker(each.observations for each in metrics if isinstance(each, Summary))
        plain = [[] if _is_compound(family) else family.metrics for family in example.families]
        self._series = [metric[0] for metrics in plain for metric in metrics]
        self._pick = picker(metric[1] for metrics in plain for metric in metrics)
        self._slices = [slice(*ends) for ends in pairwise(accumulate(map(len, plain), initial=0))]
        self._compounds = [
            (number, list(map(_compound_fill, family.metrics)))
            for number, family in enumerate(example.families)
            if _is_compound(family)
        ]
        self._families = list(zip(*((each.name, each.type, each.help) for each in example.families), strict=True))

    def values(self, text: str, lines: Sequence[str]) -> Sequence[str] | None:
        """Take the values out of a body; None if it is not of this form.

        A line that does not begin as it should stays whole, which shows in the length of what is left; and of a line
        that is no sample nothing may be left.
        """
        befores, samples = self._outline
        if len(lines) != len(befores):
            return None
        found = list(map(str.removeprefix, lines, befores))
        left = "".join(found)
        if len(left) + self._width != len(text) or " " in left:
            return None
        values = list(compress(found, samples))
        return values if len("".join(values)) == len(left) else None

    def filled(self, values: Sequence[str]) -> Filled | None:
        """Fill in values as they came; None where the reader has to look at them."""
        shown = all_canonical(values)
        if shown is None or (shown is not values and NEGATIVE_ZERO in shown):
            return None
        numbers = [NOTHING, *shown]
        return None if self._compounds and not self._counts_well(numbers) else Filled(self, numbers)

    def _counts_well(self, numbers: Sequence[str]) -> bool:
        """Whether all that are counts can be."""
        if "-" in "".join(numbers) and "-" in "".join(self._populations(numbers)):
            return False
        return not _one_is_truncated(self._observations(numbers))

    def exposition(self, values: Sequence[str]) -> Exposition:
        """What a body of this form says that has these values, given as in Filled."""
        samples = list(zip(self._series, self._pick(values), strict=True))
        metrics: list[list[Metric]] = [samples[each] for each in self._slices]  # type: ignore[misc]
        for number, fills in self._compounds:
            metrics[number] = [fill(values) for fill in fills]
        return Exposition(list(map(Family, *self._families, metrics)))


class Forms:
    """The forms that are known to one reader."""

    def __init__(self, samples: int, read: Read) -> None:
        """Begin to notice forms.

        Args:
            samples: that all known forms may have together.
            read: reads a body to the letter.
        """
        self._read = read
        self._most = min(samples // 2, LARGEST)
        self._ends: Recent[Ends, bool] = Recent(FORMS_NOTICED)
        self._noticed: Recent[int, bool] = Recent(FORMS_NOTICED)
        self._known: Recent[tuple[str, ...], Form] = Recent(samples, _size)
        """By their lines without values."""
        self._latest: Recent[tuple[Ends, int], Form] = Recent(samples, _size)
        """By their ends and the number of their lines: nearly always the one that is looked for."""

    def read(self, text: str) -> Filled | Exposition:
        """Read a body, but only its values where its form is known.

        Raises:
            ParseError: for the first line that breaks the format.
        """
        ends = _ends(text)
        if ends not in self._ends.young and not self._may_come_again(ends):
            return self._read(text)
        lines = text.split("\n")
        about = (ends, len(lines))
        form = self._latest.young.get(about) or self._latest.get(about)
        values = None if form is None else form.values(text, lines)
        if form is None or values is None:
            form = self._found(text)
            values = None if form is None else form.values(text, lines)
            if form is None or values is None:
                return self._read(text, may_come_again=True)
            self._latest.put(about, form)
        return form.filled(values) or self._read(text, may_come_again=True)

    def _may_come_again(self, ends: Ends) -> bool:
        """Whether a body with these ends was here before; if not, all between them is new most likely too."""
        if self._ends.get(ends):
            return True
        if max(map(len, ends)) <= LONGEST_REMEMBERED:
            self._ends.put(ends, True)
        return False

    def _found(self, text: str) -> Form | None:
        """Find the form of a body by all that is not a value."""
        outline = Outline.of(text)
        return self._known.get(outline.befores) or self._learnt(outline, len(text))

    def _learnt(self, outline: Outline, length: int) -> Form | None:
        """Learn a form, if it is seen not for the first time and can be learnt."""
        number = hash(outline.befores)
        if self._noticed.get(number) is None:
            self._noticed.put(number, True)
            return None
        size = sum(outline.samples)
        if not 0 < size <= self._most or length > size * LONGEST_REMEMBERED or not outline.is_whole:
            return None
        try:
            example = self._read(outline.numbered())
        except ParseError:
            return None
        if not _holds_all(example, size):
            return None
        form = Form(outline, example)
        self._known.put(outline.befores, form)
        return form


def _ends(text: str) -> Ends:
    found = _FIRST(text)
    start = found.start() if found else len(text)
    first, last = text[start : text.find("\n", start)], text[text.rfind("\n", 0, -1) + 1 :]
    return first.rpartition(" ")[0], last.rpartition(" ")[0]


def picker(texts: Any) -> _Pick:  # noqa: ANN401
    """Make what picks values out of those of a body: texts of numbers say which."""
    positions = list(map(int, texts))
    first = positions[0] if positions else 0
    if positions == list(range(first, first + len(positions))):
        return itemgetter(slice(first, first + len(positions)))
    return itemgetter(*positions)


def _holds_all(example: Exposition, size: int) -> bool:
    """Whether all values came out again, each once, and nothing else is to be said of any."""
    if example.timestamp_at is not None or any(family.details for family in example.families):
        return False
    numbers = [number for family in example.families for metric in family.metrics for number in _numbers(metric)]
    return sorted(int(number) for number in numbers if number != NOTHING) == list(range(1, size + 1))


def _numbers(metric: Metric) -> list[str]:
    if isinstance(metric, Histogram):
        return [*_counts(metric), metric.sum]
    if isinstance(metric, Summary):
        return [*(value for _, value in metric.quantiles), metric.observations, metric.sum]
    return [metric[1]]


def _counts(histogram: Histogram) -> list[str]:
    return [*(count for _, count in histogram.buckets), histogram.observations]


def _one_is_truncated(counts: Sequence[str]) -> bool:
    """Whether a count of a summary would be another one; most are small whole numbers."""
    return bool(counts) and not "".join(counts).isdigit() and any(truncated_count(each) != each for each in counts)


def _is_compound(family: Family) -> bool:
    return isinstance(family.metrics[0], (Histogram, Summary))


def _compound_fill(metric: Any) -> Callable[[Sequence[str]], Metric]:  # noqa: ANN401
    """Make what makes a histogram or a summary of values."""
    make: type[Histogram | Summary] = type(metric)
    series, parts, observations, total = metric
    bounds, pick = [bound for bound, _ in parts], picker(value for _, value in parts)
    at, sum_at = int(observations), int(total)
    return lambda values: make(series, tuple(zip(bounds, pick(values), strict=True)), values[at], values[sum_at])


def _size(form: Form) -> int:
    return form.size
