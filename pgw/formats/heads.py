"""Heads: what stands before the value of a sample line, and the series that it means.

In: heads (`name{a="b"}`), many at once.
Out: the series of each ordinary one; None for any other, which only the exact grammar can read.
Never: remembers more than it may, in number and in length; nor looks at a head that it remembers.
Follows: the quick form of formats/grammar.py, to which a head that is taken apart is a layout and its label values.

To take heads apart one by one would cost most of all the reading. So all that are new are split at their quotes in one
go: every second piece is a label value, and the others put together are the layouts, of which there are few. Each line
end must be found among the layouts then: in a label value it shows that some quotes are no pair, or do not belong to
label values, and that the heads have to be looked at one by one.
"""

from collections.abc import Iterator, Sequence

from pgw.formats.grammar import Layout, read_layout
from pgw.formats.recent import LONGEST_REMEMBERED, Recent
from pgw.model.names import METRIC_NAME
from pgw.model.series import Series

SERIES_PER_LAYOUT = 10
"""There are far fewer layouts than series, so a tenth of their limit is ample."""

_is_metric_name = METRIC_NAME.fullmatch


class Heads:
    """The heads that a reader knows."""

    __slots__ = ("known", "layouts")

    def __init__(self, series_limit: int) -> None:
        self.known: Recent[str, Series] = Recent(series_limit)
        self.layouts: Recent[str, Layout] = Recent(series_limit // SERIES_PER_LAYOUT)

    def series(self, heads: Sequence[str], *, remember: bool) -> Sequence[Series | None]:
        """Find the series of heads of valid UTF-8, and remember those that are new if they may come again."""
        found = self.known.find(heads)
        unknown = found.count(None)
        if unknown in (0, len(found)):
            return self._made(heads, remember=remember) if unknown else found
        new = [head for head, series in zip(heads, found, strict=True) if series is None]
        made = iter(self._made(new, remember=remember))
        return [next(made) if series is None else series for series in found]

    def _made(self, heads: Sequence[str], *, remember: bool) -> Sequence[Series | None]:
        """Take heads apart that are not known."""
        text = "\n".join(heads)
        if "\\" in text:
            text = "\n".join("" if "\\" in head else head for head in heads)  # an escape is for the exact grammar
        pieces = text.split('"')
        skeletons = '""'.join(pieces[::2]).split("\n")
        if len(pieces) % 2 == 0 or len(skeletons) < len(heads):
            if len(heads) == 1:
                return [None]
            return [series for head in heads for series in self._made([head], remember=remember)]
        made = self._series(skeletons, iter(pieces[1::2]))
        if remember:
            found = zip(heads, made, strict=True)
            self.known.update({head: series for head, series in found if series and len(head) <= LONGEST_REMEMBERED})
        return made

    def _series(self, skeletons: Sequence[str], values: Iterator[str]) -> Sequence[Series | None]:
        """Make series of skeletons and all of their label values; no calls that can be spared, there are many lines."""
        known, ordered = self.layouts.young.get, Series.ordered
        made: list[Series | None] = []
        for skeleton in skeletons:
            layout = known(skeleton)
            if layout is None and "{" in skeleton:
                layout = self._layout(skeleton)
                known = self.layouts.young.get
            if layout is not None:
                name, label_names, arrange = layout
                labels = tuple(zip(label_names, values))  # noqa: B905  the values behind them are of the next heads
                made.append(ordered(name, labels if arrange is None else arrange(labels)))
            elif _is_metric_name(skeleton):
                made.append(ordered(skeleton, ()))
            else:
                made.append(None)
                for _ in range(skeleton.count('""')):
                    next(values)
        return made

    def _layout(self, skeleton: str) -> Layout | None:
        layout = self.layouts.get(skeleton)
        if layout is None:
            layout = read_layout(skeleton)
            if layout is not None:
                self.layouts.remember(skeleton, layout)
        return layout
