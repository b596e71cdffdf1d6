"""Pushes that differ from earlier ones in their values only.

In: a grouping key and a body of a known form.
Out: what is to be stored: just what the rules and the writer would make of it.
Never: decides anything. What it knows of a form the rules have said of an example of it, and none of them depends on
values; so neither checks nor the signature have to be made again, and what stands before the values only for a group
that does not hold it.

The grouping key counts with its shape, as the labels of a line depend on nothing else of it (model/series.py).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate, pairwise, starmap
from typing import NamedTuple

from pgw.errors import OverLimit, PushError
from pgw.formats.forms import Filled, Form, picker
from pgw.formats.recent import Recent
from pgw.formats.text_writer import sample_lines, split_template, write_values
from pgw.gateway.rules import Rules
from pgw.model.family import Family
from pgw.model.grouping import GroupingKey
from pgw.store.base import Write
from pgw.store.mold import Mold

SAMPLES_KNOWN = 100_000
"""Samples of all that is known, at some 300 bytes each; the reader knows as many."""


class Layout(NamedTuple):
    """What a form is stored as, in groups of one shape."""

    mold: Mold
    pick: Callable[[Sequence[str]], Sequence[str]]
    """Picks the values of all lines out of those of the body, in the order of the lines."""
    values: Sequence[slice]
    """For each family: which of these are its own."""
    pieces: list[str]
    """The heads of all lines in pieces, as many for each line: every second one is empty, for a value of the grouping
    key. Line ends stand before all lines of a family but the first."""
    owns: Sequence[slice]
    """For each family: which of the pieces are its own."""
    lines: int
    size: int
    """How many samples the form has."""

    @classmethod
    def of(cls, form: Form, families: Sequence[Family], write: Write) -> "Layout":
        """Make it of what the rules make of the example of a form, whose values say where they stand in the body."""
        lines = [sample_lines(family, write.key) for family in families]
        # The last %s of each line stands for nothing: so a line ends where a piece does.
        texts = [split_template(f"{each.heads}\n".replace("\n", "%s\n")) for each in lines]
        same = {text: text for each in texts for text in each}  # many are, and each is kept once
        return cls(
            write.mold,
            picker(number for each in lines for number in each.values),
            _slices([len(each.values) for each in lines]),
            [piece for each in texts for text in each[:-1] for piece in (same[text], "")],
            _slices([2 * len(each) - 2 for each in texts]),
            sum(len(each.values) for each in lines),
            form.size,
        )

    def filled(self, values: Sequence[str]) -> list[bytes]:
        """The values of each family, as they are stored, out of those of the body."""
        picked = self.pick(values)
        return [write_values(picked[own]) for own in self.values]

    def heads(self, key: GroupingKey) -> list[bytes]:
        """The heads of each family in a group. To join pieces takes a third of the time of formatting a template."""
        pieces, values = self.pieces.copy(), key.values
        width = 2 * len(values) + 2
        for place, value in enumerate(values):
            pieces[2 * place + 1 :: width] = [value] * self.lines
        return ["".join(pieces[own]).encode() for own in self.owns]


class Known:
    """What the worker knows of the forms that are pushed to it."""

    def __init__(self, rules: Rules, *, samples: int = SAMPLES_KNOWN) -> None:
        """Begin to know; all forms together have at most so many `samples`."""
        self._rules = rules
        self._layouts: Recent[tuple[Form, str], Layout] = Recent(samples, lambda layout: layout.size)

    def write(self, key: GroupingKey, pushed: Filled, lifetime: int = 0) -> Write | None:
        """Make of a push what is to be stored; None where the rules have to look at it, and will refuse it.

        Args:
            key: the group.
            pushed: what came.
            lifetime: how long the group is to live, as in Write.

        Raises:
            BadGroupingKey, PushTooLarge: the group cannot be.
        """
        about = (pushed.form, key.shape)
        layout = self._layouts.young.get(about) or self._layouts.get(about) or self._learnt(key, pushed.form)
        if layout is None:
            return None
        self._rules.admit(key)
        return Write(
            key, layout.mold, layout.filled(pushed.values), heads=partial(layout.heads, key), lifetime=lifetime
        )

    def _learnt(self, key: GroupingKey, form: Form) -> Layout | None:
        """Ask the rules about a form; None if they refuse it."""
        try:
            families = self._rules.consistent(key, self._rules.bounded(key, form.example))
            write = self._rules.write(key, families)
        except (PushError, OverLimit):
            return None
        layout = Layout.of(form, families, write)
        self._layouts.put((form, key.shape), layout)
        return layout


def _slices(sizes: Iterable[int]) -> list[slice]:
    """What each of several has that are so large and stand one behind the other."""
    return list(starmap(slice, pairwise(accumulate(sizes, initial=0))))
