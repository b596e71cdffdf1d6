"""Bodies that differ in their values only.

In: the text of a body.
Out: its form and its values, once bodies of that form were seen before; until then, nothing.
Never: decides what a body means. That is learnt from the reader: it reads a body of the form whose first value is 1,
whose second is 2 and so on, and where these numbers come out is where the values of all others belong.

A batch job pushes the same lines again and again with new numbers in them. To take such a body apart is one search with
a regular expression, whatever is in it; nothing that depends on names, labels and types has to be done again.

A form is learnt when it is seen for the third time, and bodies whose first line is new are not looked at any further,
so that bodies which never come again cost next to nothing here. What has an effect beyond its own place is left to the
reader: values that are not numbers, negative counts, negative zeros.
"""

import re
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from pgw.errors import ParseError
from pgw.formats.numbers import NEGATIVE_ZERO, all_canonical, truncated_count
from pgw.formats.recent import LONGEST_REMEMBERED, Recent
from pgw.model.family import Exposition, Family, Histogram, Metric, Summary

FORMS_NOTICED = 10_000
"""Forms that are recognized when they come again; a first line of at most a kilobyte and a number each."""

LARGEST = 2_000
"""Samples of a form at most: what is made of a known form is made at once, a few milliseconds for so many. Larger
bodies take the long way, which the gateway goes in a thread."""

_LINE = re.compile(r"^([^#\n].*) ([^ \n]+)$", re.MULTILINE)
"""A sample line: what stands before the last blank, and what stands behind it."""

_VALUES = re.compile(r"^[^#\n].* ([^ \n]+)$", re.MULTILINE).findall
"""The same, but what stands behind it only."""

_Pick = Callable[[Sequence[str]], Sequence[str]]
_Read = Callable[[str], Exposition]

NOTHING = "0"
"""What the sum or the count of a histogram is that did not come; the value before the first one of a form."""


class Filled(NamedTuple):
    """A body of a form that is known."""

    form: "Form"
    values: Sequence[str]
    """In canonical text and in the order of the body; the first one is the second here, behind NOTHING."""

    def exposition(self) -> Exposition:
        """What the body says."""
        return self.form.exposition(self.values)


class Form:
    """All of a body but its values."""

    __slots__ = ("_fills", "_observations", "_populations", "_template", "example", "size")

    def __init__(self, template: str, example: Exposition, size: int) -> None:
        """Make a form.

        Args:
            template: the body, with `%s` where its values stand.
            example: what the body says whose values are their own numbers.
            size: the number of its samples.
        """
        self._template = template
        self.example = example
        """The body whose first value is 1, whose second is 2 and so on."""
        self.size = size
        self._fills = [(family, _fill(family)) for family in example.families]
        metrics = [metric for family in example.families for metric in family.metrics]
        histograms = [metric for metric in metrics if isinstance(metric, Histogram)]
        self._populations = picker(chain.from_iterable(map(_counts, histograms)))
        self._observations = picker(each.observations for each in metrics if isinstance(each, Summary))

    def fits(self, text: str, values: Sequence[str]) -> bool:
        """Whether a body that has these values is of this form."""
        return len(values) == self.size and self._template % tuple(values) == text

    def filled(self, values: Sequence[str]) -> Filled | None:
        """Fill in values as they came; None where the reader has to look at them."""
        shown = all_canonical(values)
        if shown is None or (shown is not values and NEGATIVE_ZERO in shown):
            return None
        numbers = [NOTHING, *shown]
        if any("-" in count for count in self._populations(numbers)):
            return None
        if any(truncated_count(count) != count for count in self._observations(numbers)):
            return None
        return Filled(self, numbers)

    def exposition(self, values: Sequence[str]) -> Exposition:
        """What a body of this form says that has these values, given as in Filled."""
        return Exposition([Family(each.name, each.type, each.help, fill(values)) for each, fill in self._fills])


class Forms:
    """The forms that are known to one reader."""

    def __init__(self, samples: int, read: _Read) -> None:
        """Begin to notice forms.

        Args:
            samples: that all known forms may have together.
            read: reads a body to the letter.
        """
        self._read = read
        self._most = min(samples // 2, LARGEST)
        self._openings: Recent[str, bool] = Recent(FORMS_NOTICED)
        self._noticed: Recent[int, bool] = Recent(FORMS_NOTICED)
        self._known: Recent[str, Form] = Recent(samples, _size)
        self._latest: Recent[tuple[str, int], Form] = Recent(samples, _size)
        """By their first line and the number of their samples: nearly always the one that is looked for."""

    def filled(self, text: str) -> Filled | None:
        """Recognize a body; None where its form is not known, or its values are not those of an ordinary body."""
        opening = self._known_opening(text)
        if opening is None:
            return None
        values = _VALUES(text)
        about = (opening, len(values))
        form = self._latest.young.get(about) or self._latest.get(about)
        if form is None or not form.fits(text, values):
            form = self._found(text)
            if form is None:
                return None
            self._latest.put(about, form)
        return form.filled(values)

    def _known_opening(self, text: str) -> str | None:
        """The first sample line without its value, if that was seen before."""
        first = _LINE.search(text)
        if first is None:
            return None
        opening = first[1]
        if opening in self._openings.young or self._openings.get(opening):
            return opening
        if len(opening) <= LONGEST_REMEMBERED:
            self._openings.put(opening, True)
        return None

    def _found(self, text: str) -> Form | None:
        """Find the form of a body by all that is not a value."""
        pieces = _LINE.split(text.replace("%", "%%"))
        size = len(pieces) // 3
        pieces[2::3] = [" %s"] * size
        template = "".join(pieces)
        return self._known.get(template) or self._learnt(template, pieces, size)

    def _learnt(self, template: str, pieces: Sequence[str], size: int) -> Form | None:
        """Learn a form, if it is seen not for the first time and can be learnt."""
        number = hash(template)
        if self._noticed.get(number) is None:
            self._noticed.put(number, True)
            return None
        if size > self._most or len(template) > size * LONGEST_REMEMBERED or not _is_whole(pieces):
            return None
        try:
            example = self._read(template % tuple(range(1, size + 1)))
        except ParseError:
            return None
        if not _holds_all(example, size):
            return None
        form = Form(template, example, size)
        self._known.put(template, form)
        return form


def picker(texts: Any) -> _Pick:  # noqa: ANN401
    """Make what picks values out of those of a body: texts of numbers say which."""
    positions = list(map(int, texts))
    first = positions[0] if positions else 0
    if positions == list(range(first, first + len(positions))):
        return itemgetter(slice(first, first + len(positions)))
    return itemgetter(*positions)


def _is_whole(pieces: Sequence[str]) -> bool:
    """Whether every sample line was taken apart: what is between them are comments, and no comment was."""
    between = "".join(pieces[::3]).split("\n")
    others = (line.lstrip(" \t") for line in between)
    return all(line[:1] in ("", "#") for line in others) and not any(
        head.lstrip(" \t").startswith("#") for head in pieces[1::3]
    )


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


def _fill(family: Family) -> Callable[[Sequence[str]], list[Metric]]:
    """Make what makes the metrics of a family of values."""
    fills = [_compound_fill(metric) for metric in family.metrics if isinstance(metric, (Histogram, Summary))]
    if fills:
        return lambda values: [fill(values) for fill in fills]
    series = [metric[0] for metric in family.metrics]
    pick = picker(metric[1] for metric in family.metrics)
    return lambda values: list(zip(series, pick(values), strict=True))


def _compound_fill(metric: Histogram | Summary) -> Callable[[Sequence[str]], Metric]:
    make: type[Histogram | Summary] = type(metric)
    series, parts, observations, total = metric
    bounds, pick = [bound for bound, _ in parts], picker(value for _, value in parts)
    at, sum_at = int(observations), int(total)
    return lambda values: make(series, tuple(zip(bounds, pick(values), strict=True)), values[at], values[sum_at])


def _size(form: Form) -> int:
    return form.size
