"""Pushes that differ from earlier ones in their values only.

In: a grouping key and a body of a known form.
Out: what is to be stored: just what the rules and the writer would make of it.
Never: decides anything. What it knows of a form the rules have said of an example of it, and none of them depends on
values; so neither checks, nor the signature, nor the text around the values have to be made again.

The grouping key counts with its shape, as the labels of a line depend on nothing else of it (model/series.py).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pgw.errors import OverLimit, PushError
from pgw.formats.forms import Filled, Form, picker
from pgw.formats.recent import Recent
from pgw.formats.text_writer import sample_templates, split_template
from pgw.gateway.rules import Rules
from pgw.model.family import Family
from pgw.model.group import Fragment
from pgw.model.grouping import GroupingKey
from pgw.store.base import Write

SAMPLES_KNOWN = 100_000
"""Samples of all that is known, at some 300 bytes each; the reader knows as many."""


class Block(NamedTuple):
    """One family of a form: its lines, but for the values."""

    fragment: Fragment
    """Without its text."""
    pieces: list[str]
    """The text in pieces: every second one is empty, for a value of the grouping key or that of the line."""
    lines: int
    pick: Callable[[Sequence[str]], Sequence[str]]
    """Picks the values of these lines out of those of the body, in the order of the lines."""

    @classmethod
    def of(cls, family: Family, fragment: Fragment, key: GroupingKey) -> "Block":
        """Make a block of a family whose values say where they stand in the body."""
        lines = [line.rpartition(" ") for line in sample_templates(family, key)]
        texts = split_template("".join(f"{head} %s\n" for head, _, _ in lines))
        same = {text: text for text in texts}  # many are, and each is kept once
        pieces = [piece for text in texts for piece in (same[text], "")][:-1]
        return cls(fragment._replace(text=b""), pieces, len(lines), picker(number for _, _, number in lines))

    def filled(self, key: GroupingKey, values: Sequence[str]) -> Fragment:
        """Fill the values in. To join pieces takes a third of the time that it takes to format a template."""
        pieces, width = self.pieces.copy(), 2 * len(key.values) + 2
        for place, value in enumerate(key.values):
            pieces[2 * place + 1 :: width] = [value] * self.lines
        pieces[width - 1 :: width] = self.pick(values)
        name, kind, text_help, _, unchecked, *_ = self.fragment
        return Fragment(name, kind, text_help, "".join(pieces).encode(), unchecked)


class Layout(NamedTuple):
    """What a form is stored as, in groups of one shape."""

    blocks: Sequence[Block]
    sizes: Sequence[int]
    signature: bytes
    size: int
    """How many samples the form has."""


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
        fragments = [block.filled(key, pushed.values) for block in layout.blocks]
        return Write(key, fragments, layout.sizes, layout.signature, self._rules.checked, lifetime=lifetime)

    def _learnt(self, key: GroupingKey, form: Form) -> Layout | None:
        """Ask the rules about a form; None if they refuse it."""
        try:
            families = self._rules.consistent(key, self._rules.bounded(key, form.example))
            write = self._rules.write(key, families)
        except (PushError, OverLimit):
            return None
        blocks = [Block.of(family, each, key) for family, each in zip(families, write.fragments, strict=True)]
        layout = Layout(blocks, write.sizes, write.signature, form.size)
        self._layouts.put((form, key.shape), layout)
        return layout
