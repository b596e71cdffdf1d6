"""The grammar of a line of the text format, twice: a quick form for ordinary lines and the exact one for all.

In: one line without its end.
Out: what it says; or None from the quick form, and ParseError from the exact one.
Never: knows what other lines said; the reader lends it what a sample line depends on, its family (`Place`).
Follows: expfmt/text_parse.go of prometheus/common (behaviour page, section 2.2), whose words the errors are.

The quick form may say None to any line, but what it accepts means the same to the exact one.
"""

import re
from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple, Protocol

from pgw.errors import ParseError
from pgw.formats.numbers import canonical
from pgw.model.grouping import Labels
from pgw.model.names import is_label_name, is_metric_name, is_utf8, quoted

BLANKS = " \t"
METRIC_NAME_LABEL = "__name__"

_NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*+"
_SKELETON = re.compile(
    rf'(?P<name>{_NAME})(?:\{{(?P<labels>(?:[a-zA-Z_][a-zA-Z0-9_]*+=""(?:, ?|(?=\}})))*)\}})?'
).fullmatch
_LABEL_NAMES = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*+)=""').findall
_COMMENT = re.compile(rf"# (HELP|TYPE) ({_NAME}) ([^ \t\\].*+)").fullmatch

_NAME_RUN = re.compile(r"(?:[a-zA-Z_:][a-zA-Z0-9_:]*+)?")
_LABEL_NAME_RUN = re.compile(r"(?:[a-zA-Z_][a-zA-Z0-9_]*+)?")
_BLANK_RUN = re.compile(r"[ \t]*+")
_WORD_RUN = re.compile(r"[^ \t]*+")
_PLAIN_RUN = re.compile(r'[^"\\]*+')
_UP_TO_BACKSLASH = re.compile(r"[^\\]*+")
_INTEGER = re.compile(r"[+-]?[0-9]++").fullmatch

_ESCAPES = {"\\": "\\", "n": "\n", '"': '"'}
_INT64 = 2**63
_INT64_DIGITS = 19
"""More digits than that (leading zeros apart) are not an int64, and not worth converting."""


class Layout(NamedTuple):
    """What is left of a series when its label values are taken out."""

    name: str
    label_names: tuple[str, ...]
    arrange: Callable[[Labels], Labels] | None
    """Sorts labels that come in the order of these names; None: they are sorted."""


Comment = tuple[str, str, str]
"""A HELP or TYPE line: its keyword, the metric name and the text."""


class Place(Protocol):
    """The family that a sample line belongs to."""

    @property
    def family_name(self) -> str:
        """The name of the family, which is not that of the sample in a histogram."""

    @property
    def own_label(self) -> str | None:
        """The label that is not one of the series: `le` in a histogram, `quantile` in a summary."""


class SampleLine(NamedTuple):
    """What a sample line says."""

    name: str
    labels: dict[str, str]
    """The own label of the family included."""
    value: str
    head: str | None
    """What stands before the blank before the value, if it means the same series in any line and family."""
    timestamp: bool


class Dialect(NamedTuple):
    """Which names are valid."""

    metric_name: Callable[[str], bool]
    label_name: Callable[[str], bool]


def _is_utf8_name(name: str) -> bool:
    return name != "" and is_utf8(name)


LEGACY = Dialect(is_metric_name, is_label_name)
UTF8 = Dialect(_is_utf8_name, _is_utf8_name)


def read_layout(skeleton: str) -> Layout | None:
    """Read the head of a sample line whose label values were taken out, `name{a="",b=""}`.

    Returns:
        None unless it is of the ordinary kind and its names are beyond reproach.
    """
    match = _SKELETON(skeleton)
    if match is None:
        return None
    names = tuple(_LABEL_NAMES(match["labels"] or ""))
    if len(set(names)) < len(names) or METRIC_NAME_LABEL in names:
        return None
    order = sorted(range(len(names)), key=names.__getitem__)
    return Layout(match["name"], names, None if order == list(range(len(names))) else itemgetter(*order))


def read_ordinary_comment(line: str) -> Comment | None:
    """Read a HELP or TYPE line of valid UTF-8 as clients write it, without escapes; None for any other line."""
    match = _COMMENT(line)
    if match is None or "\\" in line:
        return None
    return match[1], match[2], match[3]


class Line:
    """The exact form: a cursor that moves over a line as the original moves over its bytes."""

    __slots__ = ("_at", "_dialect", "_finished", "_number", "_repeated", "_text")

    def __init__(self, text: str, number: int, dialect: Dialect, *, finished: bool) -> None:
        self._text = text
        self._at = 0
        self._number = number
        self._dialect = dialect
        self._finished = finished
        self._repeated = False

    def begin(self) -> str:
        """Skip the indentation and tell the first character; "" is an empty line."""
        self._skip(_BLANK_RUN)
        return self._current

    def comment(self) -> str | None:
        """Read a comment up to its keyword: HELP, TYPE, or None for those that say nothing."""
        self._at += 1
        self._skip(_BLANK_RUN)
        keyword = self._take(_WORD_RUN)
        return keyword if keyword in ("HELP", "TYPE") and self._current else None

    @property
    def ended(self) -> bool:
        """Whether nothing is left of the line."""
        return not self._current

    def comment_name(self) -> str | None:
        """Read the metric name of a HELP or TYPE line; None where the line ends with it or before."""
        self._skip(_BLANK_RUN)
        name = self._name(_NAME_RUN, "metric name")
        if not self._current:
            return None
        if self._current not in BLANKS:
            raise self.fault("invalid metric name in comment")
        self._check_metric_name(name)
        self._skip(_BLANK_RUN)
        return name

    def help_text(self) -> str:
        """Read the rest of a HELP line.

        NOTE(pushgateway): a text that is not UTF-8 is refused; the original accepts it and scrapes are not UTF-8 then.
        """
        parts = []
        while self._current:
            parts.append(self._take(_UP_TO_BACKSLASH))
            if self._current:
                parts.append(self._escape())
        text = "".join(parts)
        if not is_utf8(text):
            raise self.fault(f"invalid help text {quoted(text)}: it is not utf8")
        return text

    def type_word(self) -> str:
        """Read the rest of a TYPE line; the original loses its backslashes."""
        word = self._text[self._at :].replace("\\", "")
        self._at = len(self._text)
        return word

    def sample(self, place_of: Callable[[str], Place]) -> SampleLine:
        """Read a sample line; `place_of` is asked as soon as the name is known."""
        name, labels = self._braced_series(place_of) if self._current == "{" else self._series(place_of)
        self._skip(_BLANK_RUN)
        head = self._text[: self._at - 1] if self._text[self._at - 1] == " " and not self._repeated else None
        token = self._take(_WORD_RUN)
        value = canonical(token)
        if value is None:
            raise self._fault_of(f"expected float as value, got {quoted(token)}", token)
        return SampleLine(name, labels, value, head, timestamp=self._timestamp())

    def fault(self, reason: str) -> ParseError:
        """An error of this line."""
        return ParseError(self._number, reason)

    def _fault_here(self, reason: str) -> ParseError:
        """An error of the character under the cursor, if there is one."""
        return self.fault(reason if self._current or self._finished else "unexpected end of input stream")

    def _fault_of(self, reason: str, token: str) -> ParseError:
        return self.fault(reason) if token else self._fault_here(reason)

    @property
    def _current(self) -> str:
        return self._text[self._at : self._at + 1]

    @property
    def _byte(self) -> str:
        """The current byte as Go's %c shows it; the end of the line is its newline."""
        first = (self._current or "\n").encode(errors="surrogateescape")[0]
        return chr(first)

    @property
    def _quoted_byte(self) -> str:
        """The current byte as Go's %q shows it."""
        byte = self._byte
        return "'" + {'"': '"', "'": r"\'"}.get(byte, quoted(byte)[1:-1]) + "'"

    def _skip(self, run: re.Pattern[str]) -> None:
        self._take(run)

    def _take(self, run: re.Pattern[str]) -> str:
        """Take what `run` matches here; every run matches at least nothing."""
        start = self._at
        self._at = run.match(self._text, start).end()  # type: ignore[union-attr]
        return self._text[start : self._at]

    def _escape(self) -> str:
        self._at += 1
        meant = _ESCAPES.get(self._current)
        if meant is None:
            raise self._fault_here(f"invalid escape sequence '\\{self._byte}'")
        self._at += 1
        return meant

    def _quoted(self, what: str) -> str:
        """Take a quoted text; the cursor stands on its opening quote."""
        self._at += 1
        parts = [self._take(_PLAIN_RUN)]
        while self._current == "\\":
            parts.append(self._escape())
            parts.append(self._take(_PLAIN_RUN))
        text = "".join(parts)
        if not self._current:
            raise self._fault_here(f"{what} {quoted(text)} contains unescaped new-line")
        self._at += 1
        return text

    def _name(self, run: re.Pattern[str], what: str) -> str:
        """Take a name, which may be quoted; to the original `a"b"` is the name `ab`."""
        name = self._take(run)
        return name + self._quoted(what) if self._current == '"' else name

    def _check_metric_name(self, name: str) -> None:
        if not self._dialect.metric_name(name):
            raise self.fault(f"invalid metric name {quoted(name)}")

    def _series(self, place_of: Callable[[str], Place]) -> tuple[str, dict[str, str]]:
        name = self._name(_NAME_RUN, "metric name")
        if not name:
            raise self._fault_of("invalid metric name", self._current)
        self._check_metric_name(name)
        place = place_of(name)
        self._skip(_BLANK_RUN)
        labels: dict[str, str] = {}
        if self._current == "{":
            self._at += 1
            self._skip(_BLANK_RUN)
            while self._current != "}":
                self._label(self._label_name(place.family_name), labels, place)
            self._at += 1
        return name, labels

    def _braced_series(self, place_of: Callable[[str], Place]) -> tuple[str, dict[str, str]]:
        """Read `{"name",a="b"}`; the name may stand behind labels.

        NOTE(pushgateway): without a name this is always an error; the original takes the name of the line before.
        """
        name, place = "", None
        labels: dict[str, str] = {}
        self._at += 1
        self._skip(_BLANK_RUN)
        while self._current != "}":
            token = self._label_name(place.family_name if place else "")
            if self._current == "=":
                self._label(token, labels, place)
                continue
            name, place = self._braced_name(token, place, place_of)
            self._check_own_label(labels, place)
        self._at += 1
        if place is None:
            raise self.fault("invalid metric name")
        return name, labels

    def _braced_name(self, name: str, place: Place | None, place_of: Callable[[str], Place]) -> tuple[str, Place]:
        if place is not None:
            raise self.fault(f"multiple metric names for metric {quoted(place.family_name)}")
        if self._current not in (",", "}"):
            raise self._fault_here(f"unexpected end of metric name {self._quoted_byte}")
        self._check_metric_name(name)
        self._after_item()
        return name, place_of(name)

    def _after_item(self) -> None:
        """Skip the comma behind a label or a name; the cursor stands on it or on the closing brace."""
        if self._current == ",":
            self._at += 1
            self._skip(_BLANK_RUN)

    def _label_name(self, family_name: str) -> str:
        name = self._name(_LABEL_NAME_RUN, "label name")
        if not name:
            raise self._fault_of(f"invalid label name for metric {quoted(family_name)}", self._current)
        self._skip(_BLANK_RUN)
        return name

    def _label(self, name: str, labels: dict[str, str], place: Place | None) -> None:
        """Take `="value"` and the comma behind it, in the order of checks of the original."""
        if self._current != "=":
            raise self._fault_here(f"expected '=' after label name, found {self._quoted_byte}")
        self._check_label_name(name, labels, place)
        self._at += 1
        self._skip(_BLANK_RUN)
        if self._current != '"':
            raise self._fault_here(f"expected '\"' at start of label value, found {self._quoted_byte}")
        value = self._quoted("label value")
        if not is_utf8(value):
            raise self.fault(f"invalid label value {quoted(value)}")
        labels[name] = value
        if place is not None and name == place.own_label:
            self._check_own_label(labels, place)
        self._skip(_BLANK_RUN)
        if self._current not in (",", "}"):
            raise self._fault_here(f"unexpected end of label value {quoted(value)}")
        self._after_item()

    def _check_label_name(self, name: str, labels: dict[str, str], place: Place | None) -> None:
        if name == METRIC_NAME_LABEL:
            raise self.fault(f"label name {quoted(name)} is reserved")
        if not self._dialect.label_name(name):
            raise self.fault(f"invalid label name {quoted(name)}")
        if name in labels:
            self._repeated = True
            if place is None or name != place.own_label:
                raise self.fault(f"duplicate label names for metric {quoted(place.family_name if place else '')}")

    def _check_own_label(self, labels: dict[str, str], place: Place) -> None:
        value = labels.get(place.own_label or "")
        if value is not None and canonical(value) is None:
            raise self.fault(f"expected float as value for '{place.own_label}' label, got {quoted(value)}")

    def _timestamp(self) -> bool:
        """Read the timestamp, if there is one; only the last blank before the end of the line makes it missing."""
        if not self._current:
            return False
        self._skip(_BLANK_RUN)
        token = self._take(_WORD_RUN)
        if not _is_int64(token):
            raise self._fault_of(f"expected integer as timestamp, got {quoted(token)}", token)
        if self._current:
            rest = self._text[self._at :].replace("\\", "")
            raise self.fault(f"spurious string after timestamp: {quoted(rest)}")
        return True


def _is_int64(text: str) -> bool:
    if not _INTEGER(text):
        return False
    digits = text.lstrip("+-").lstrip("0")
    return len(digits) <= _INT64_DIGITS and int(digits or "0") < _INT64 + text.startswith("-")
