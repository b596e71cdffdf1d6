"""The text format 0.0.4, read.

In: the bytes of one body.
Out: an Exposition, or ParseError in the original's words.
Never: checks what may stand together (model/consistency.py does), so duplicates and timestamps come through.
Follows: expfmt/text_parse.go of prometheus/common (behaviour page, section 2.2).

The ordinary sample lines are read many at once: all that stands before a value (the *head*, `name{a="b"}`) goes to
formats/heads.py and all values to formats/numbers.py, and only then comes one line after the other. Whatever is not of
that plain kind goes to the exact grammar. Whole bodies that come again with other values are recognized before that
(formats/forms.py); the series of a body are remembered if it begins and ends like one before. What is remembered
depends on single lines only and is bounded, in number and in length.

NOTE(pushgateway): a last line without a newline counts like any other, and a line may end in CR LF; the original
refuses both.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import length_hint

from pgw.errors import ParseError
from pgw.formats.compounds import Splits
from pgw.formats.details import with_details
from pgw.formats.drafts import Draft, Drafts
from pgw.formats.forms import Filled, Forms
from pgw.formats.grammar import (
    LEGACY,
    UTF8,
    Dialect,
    Line,
    read_ordinary_comment,
)
from pgw.formats.heads import Heads
from pgw.formats.numbers import each_canonical
from pgw.model.family import Exposition, Sample, Type
from pgw.model.names import is_utf8, quoted
from pgw.model.series import Series

BUNDLE = 200
"""Lines whose ordinary samples are found at once; more would not be quicker, and take more memory in between."""

_TYPES = {kind.name: kind for kind in Type} | {"GAUGEHISTOGRAM": Type.GAUGE_HISTOGRAM}


class TextReader:
    """Reads bodies, one at a time; to be kept, since it is quick with what it has read before.

    Args:
        utf8_names: whether names may be any UTF-8 (in quotes), or legacy names only.
        series_limit: how many series are remembered, at about 1 kB each.
    """

    def __init__(self, *, utf8_names: bool = False, series_limit: int = 100_000) -> None:
        self._memory = _Memory(series_limit)
        # No method of this object: it would hold itself, and readers of single fragments are made by the thousand.
        self._forms = Forms(series_limit, partial(_read, self._memory, UTF8 if utf8_names else LEGACY))

    def read(self, body: bytes) -> Exposition:
        """Read one body.

        Raises:
            ParseError: for the first line that breaks the format; nothing of the body counts then.
        """
        found = self.recognize(body)
        return found.exposition() if isinstance(found, Filled) else found

    def recognize(self, body: bytes) -> Filled | Exposition:
        """Read one body, but only its values where its form is known.

        Raises:
            ParseError: as `read`.
        """
        text = body.decode(errors="surrogateescape")
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        return self._forms.read(text)


class _Memory:
    """What a reader remembers from body to body."""

    __slots__ = ("heads", "splits")

    def __init__(self, series_limit: int) -> None:
        self.heads = Heads(series_limit)
        self.splits = Splits(series_limit)


class _Lines:
    """The lines of one body, and which of them is being read.

    An object of its own, which knows nothing of the reading: a reading that is held by what it holds would be left to
    the garbage collector, with all the samples that it has read.
    """

    __slots__ = ("_all", "left", "total")

    def __init__(self, lines: list[str]) -> None:
        self._all = lines
        self.total = len(lines)
        self.left: Iterator[str] = iter(lines)

    def bundles(self) -> Iterator[Sequence[str]]:
        """All lines, a bundle at a time."""
        for start in range(0, self.total, BUNDLE):
            yield self._all[start : start + BUNDLE]

    @property
    def number(self) -> int:
        """The number of the line that is being read, counted from what is left: no ordinary line pays for it."""
        return self.total - length_hint(self.left)

    def fault(self, reason: str) -> ParseError:
        """Make an error of it."""
        return ParseError(self.number, reason)


class _Reading:
    """The reading of one body."""

    __slots__ = ("_dialect", "_drafts", "_finished", "_lines", "_may_come_again", "_memory", "_timestamp_at", "_utf8")

    def __init__(self, memory: _Memory, dialect: Dialect, text: str, *, may_come_again: bool) -> None:
        lines = text.split("\n")
        self._finished = not lines[-1]
        self._lines = _Lines(lines)
        self._utf8 = is_utf8(text)
        self._memory = memory
        self._may_come_again = may_come_again
        self._dialect = dialect
        self._drafts = Drafts(memory.splits, self._lines.fault)
        self._timestamp_at: str | None = None

    def exposition(self) -> Exposition:
        """Read all lines."""
        self._read_lines()
        families = [with_details(family) for family in self._drafts.families()]
        return Exposition(families, self._timestamp_at)

    def _read_lines(self) -> None:
        """Read all lines; what is written out here instead of called is what every ordinary line needs."""
        add: Callable[[Sample], None] = list[Sample]().append  # until the first name is known
        name: str | None = None
        for lines in self._lines.bundles():
            found = *self._ordinary(lines), self._lines.left
            for series, value, line in zip(*found):  # noqa: B905  lines may be left over
                if series is None or value is None:
                    if line:
                        self._read_other(line)
                    continue
                if series.name != name:
                    name = series.name
                    add = self._drafts.opened(name)
                add((series, value))

    def _ordinary(self, lines: Sequence[str]) -> tuple[Sequence[Series | None], Sequence[str | None]]:
        """Find the series and the values of ordinary sample lines, all at once; one of both is None in other lines."""
        heads, values = _taken_apart(lines)
        memory = self._memory.heads
        series = memory.series(heads, remember=self._may_come_again) if self._utf8 else memory.known.find(heads)
        return series, each_canonical(values)

    def _read_other(self, line: str) -> None:
        """Read a comment, or a sample line that is not ordinary."""
        comment = read_ordinary_comment(line) if self._utf8 else None
        if comment is None:
            self._read_exactly(line)
            return
        keyword, name, text = comment
        if keyword == "HELP":
            self._draft_without_help(name).help = text
        else:
            self._draft_without_type(name).settle(self._type(text))

    def _read_exactly(self, text: str) -> None:
        """Read any line, to the letter."""
        number = self._lines.number
        line = Line(text, number, self._dialect, finished=self._finished or number < self._lines.total)
        first = line.begin()
        if first == "#":
            self._read_comment(line)
        elif first:
            self._read_sample(line)

    def _read_comment(self, line: Line) -> None:
        keyword = line.comment()
        name = None if keyword is None else line.comment_name()
        if name is None:
            return
        if line.ended:
            self._drafts.place(name)  # it says nothing, but the name is taken from here on
        elif keyword == "HELP":
            draft = self._draft_without_help(name)
            draft.help = line.help_text()
        else:
            self._draft_without_type(name).settle(self._type(line.type_word()))

    def _read_sample(self, line: Line) -> None:
        sample = line.sample(self._drafts.place)
        series = Series(sample.name, sample.labels.items())
        if sample.head is not None:
            self._memory.heads.known.remember(sample.head, series)
        if sample.timestamp and self._timestamp_at is None:
            self._timestamp_at = f"line {self._lines.number}"
        self._drafts.opened(sample.name)((series, sample.value))

    def _draft_without_help(self, name: str) -> Draft:
        draft = self._drafts.place(name).draft
        if draft.help is not None:
            raise self._lines.fault(f"second HELP line for metric name {quoted(draft.name)}")
        return draft

    def _draft_without_type(self, name: str) -> Draft:
        draft = self._drafts.place(name).draft
        if draft.type is not None:
            raise self._lines.fault(
                f"second TYPE line for metric name {quoted(draft.name)}, or TYPE reported after samples"
            )
        return draft

    def _type(self, word: str) -> Type:
        """Find the type of a TYPE line, in upper or lower case.

        NOTE(pushgateway): ASCII only; the original also takes a long s for an S.
        """
        kind = _TYPES.get(word.upper()) if word.isascii() else None
        if kind is None:
            raise self._lines.fault(f"unknown metric type {quoted(word)}")
        return kind


def _read(memory: _Memory, dialect: Dialect, text: str, *, may_come_again: bool = False) -> Exposition:
    """Read a body that is not of a known form."""
    return _Reading(memory, dialect, text, may_come_again=may_come_again).exposition()


def _taken_apart(lines: Iterable[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Take lines apart before and behind their last blanks; for comments and empty ones something harmless stands."""
    heads, values = [], []
    for line in lines:
        head, _, value = (line if line and line[0] != "#" else "# 0").rpartition(" ")
        heads.append(head)
        values.append(value)
    return heads, values
