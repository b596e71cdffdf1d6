r"""Prometheus' series selectors, on label sets: `{job="ci",instance=~"runner-.*"}`.

In: the text of a selector; then label sets, as mappings from names to values, or the grouping keys of groups.
Out: Selector, a value that tells which label sets it selects; or SelectorError with the place.
Never: decides whether a selector may select everything. To Prometheus, one that accepts the empty label set is an
error; who deletes asks for that (`require_narrow`), who searches need not.
Follows: promql/parser (lex.go, generated_parser.y) and util/strutil/quote.go of prometheus/prometheus 3.

A label that is absent counts as empty. Patterns match the whole value, and a dot also a line end, as from
Prometheus 3 on. They run on RE2 itself: its time is linear in the value, so that no pattern that a client sends can
hold a worker up, and it refuses what Prometheus refuses (backreferences, lookaround). `name{...}` stands for the
label `__name__`.
"""

import enum
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import re2

from pgw.errors import SelectorError
from pgw.model.grouping import GroupingKey
from pgw.model.names import is_label_name, is_utf8, quoted

NAME_LABEL = "__name__"
"""The label that holds the name of a family."""


class Operator(enum.Enum):
    """How the value of a label is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCH = "=~"
    NOT_MATCH = "!~"


@dataclass(frozen=True)
class Matcher:
    """What a selector demands of one label; ValueError for a pattern that RE2 does not know."""

    name: str
    operator: Operator
    value: str

    def __post_init__(self) -> None:
        if self.operator in (Operator.MATCH, Operator.NOT_MATCH):
            _ = self.accepts  # so that a pattern is compiled while somebody can still be told

    @cached_property
    def accepts(self) -> Callable[[str], bool]:
        """Tells whether a value will do."""
        value = self.value
        if self.operator is Operator.EQUAL:
            return lambda found: found == value
        if self.operator is Operator.NOT_EQUAL:
            return lambda found: found != value
        matches = _compile(value)
        return matches if self.operator is Operator.MATCH else lambda found: not matches(found)

    def __str__(self) -> str:
        name = self.name if is_label_name(self.name) else quoted(self.name)
        return f"{name}{self.operator.value}{quoted(self.value)}"


@dataclass(frozen=True)
class Selector:
    """Matchers that have to hold all."""

    matchers: tuple[Matcher, ...]

    @classmethod
    def read(cls, text: str) -> "Selector":
        """Read a selector.

        Raises:
            SelectorError: naming the place, what stands there and what was expected.
        """
        return cls(tuple(_Reading(text).matchers()))

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a label set has all that is demanded."""
        return all(matcher.accepts(labels.get(matcher.name, "")) for matcher in self.matchers)

    @property
    def names_metric(self) -> bool:
        """Whether something is demanded of the name of a metric, which groups do not have."""
        return any(matcher.name == NAME_LABEL for matcher in self.matchers)

    @property
    def is_narrow(self) -> bool:
        """Whether something is demanded that the empty label set does not have."""
        return not self.selects({})

    def require_narrow(self) -> "Selector":
        """Return itself, unless it may select everything there is; in Prometheus' words that is an error.

        Raises:
            SelectorError: it holds no matcher that rejects the empty value.
        """
        if not self.is_narrow:
            raise SelectorError(
                str(self), 0, "a matcher that does not accept the empty value: this may select everything"
            )
        return self

    def __str__(self) -> str:
        """The selector in one notation: everything in braces, values in double quotes."""
        return f"{{{','.join(map(str, self.matchers))}}}"


def one_selects(selectors: Iterable[Selector], key: GroupingKey) -> bool:
    """Tell whether at least one of the selectors selects a group, by its grouping labels."""
    labels = dict(key.labels)
    return any(selector.selects(labels) for selector in selectors)


def _compile(pattern: str) -> Callable[[str], bool]:
    """Compile a pattern that has to match a whole value."""
    if _FOREIGN_ESCAPE in _ESCAPES.findall(pattern):
        raise ValueError(f"invalid escape sequence: {_FOREIGN_ESCAPE}")
    options = re2.Options()
    options.log_errors = False  # to stderr, where it would be nobody's line
    options.dot_nl = True
    options.never_capture = True
    try:
        match = re2.compile(pattern.encode(), options).fullmatch  # of bytes: on text it takes three times as long
    except re2.error as error:
        [reason] = error.args
        raise ValueError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None
    except UnicodeEncodeError:
        raise ValueError("invalid UTF-8") from None
    prefix = _prefix(pattern)  # to ask RE2 takes more than a microsecond, and there may be 100,000 values
    return lambda value: value.startswith(prefix) and match(value.encode(errors="surrogateescape")) is not None


def _prefix(pattern: str) -> str:
    """What all values begin with that a pattern matches; in doubt less of it."""
    found = _LITERAL.match(pattern)
    literal = found[0] if found and "|" not in pattern else ""
    return literal[:-1] if pattern[len(literal) : len(literal) + 1] in _QUANTIFIERS else literal


_LITERAL = re.compile(r"[a-zA-Z0-9_:/-]*")
_QUANTIFIERS = ("*", "+", "?", "{")

_ESCAPES = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.", re.DOTALL)
_FOREIGN_ESCAPE = r"\C"
"""A single byte: RE2 knows it, the RE2 of Go does not."""

_BLANKS = re.compile(r"(?:[ \t\n\r]|#[^\n]*)*")
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_OPERATOR = re.compile(r"=~|!~|!=|=")
_STRING = re.compile(r"""(?P<quote>["'])(?P<escaped>(?:(?!(?P=quote))[^\\\n]|\\.)*)(?P=quote)|`(?P<raw>[^`]*)`""")
_ESCAPE = re.compile(
    r"""\\(?:(?P<rune>[abfnrtv\\'"])|(?P<octal>[0-3][0-7]{2})|x(?P<byte>[0-9a-fA-F]{2})"""
    r"""|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<bad>.|$))""",
    re.DOTALL,
)
_RUNES = {"a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\"}


class _Reading:
    """The reading of one selector, from its beginning to its end; between tokens it stands before the next."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._pass_blanks()

    def matchers(self) -> list[Matcher]:
        """Read the whole text."""
        if not is_utf8(self._text):
            raise self._fault("UTF-8")
        found = []
        name = self._take(_WORD)
        if name:
            found.append(Matcher(NAME_LABEL, Operator.EQUAL, name))
        if self._takes("{"):
            found += self._in_braces(is_named=bool(name))
        elif not found:
            raise self._fault("a metric name or '{'")
        if self._at < len(self._text):
            raise self._fault("the end of the selector" if found else "'{'")
        return found

    def _in_braces(self, *, is_named: bool) -> list[Matcher]:
        """Read what stands between braces; a comma behind the last matcher is fine, one alone is not."""
        found: list[Matcher] = []
        names = 1 if is_named else 0
        while not self._takes("}"):
            start = self._at
            found.append(self._matcher())
            names += _names(found[-1], strictly=is_named)
            if names > 1:
                raise self._fault("a label: a metric name is given already", start)
            if not self._takes(",") and self._next != "}":
                raise self._fault("',' or '}'")
        return found

    def _matcher(self) -> Matcher:
        """Read a comparison, or a metric name in quotes."""
        start = self._at
        if self._next in _QUOTES:
            name = self._string()
            if self._next not in _OPERATOR_STARTS:
                return Matcher(NAME_LABEL, Operator.EQUAL, name)
        else:
            name = self._take(_WORD)
            if not is_label_name(name):
                raise self._fault("a label name, a metric name in quotes or '}'", start)
        return self._comparison(name)

    def _comparison(self, name: str) -> Matcher:
        operator = self._take(_OPERATOR)
        if not operator:
            raise self._fault("one of =, !=, =~, !~")
        start = self._at
        value = self._string()
        try:
            return Matcher(name, Operator(operator), value)
        except ValueError as error:
            raise self._fault(f"a regular expression of RE2 ({error})", start) from None

    def _string(self) -> str:
        """Read what stands in quotes; between backquotes nothing is escaped."""
        start = self._at
        found = _STRING.match(self._text, start)
        if found is None:
            raise self._fault("a value in quotes")
        self._at = found.end()
        self._pass_blanks()
        if found["raw"] is not None:
            return found["raw"]
        return self._unescaped(found["escaped"], found["quote"], start + 1)

    def _unescaped(self, text: str, quote: str, start: int) -> str:
        """Undo Go's escapes, of which some stand for single bytes."""
        parts, end = [], 0
        for escape in _ESCAPE.finditer(text):
            rune = _rune(escape, quote)
            if rune is None:
                raise self._fault("an escape sequence of Go", start + escape.start())
            parts += [text[end : escape.start()].encode(), rune]
            end = escape.end()
        return b"".join([*parts, text[end:].encode()]).decode(errors="surrogateescape")

    @property
    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        """Take a token, or nothing."""
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        self._pass_blanks()
        return found[0]

    def _takes(self, mark: str) -> bool:
        """Take one character, if it comes next."""
        if self._next != mark:
            return False
        self._at += 1
        self._pass_blanks()
        return True

    def _pass_blanks(self) -> None:
        """Pass blanks and comments."""
        found = _BLANKS.match(self._text, self._at)
        self._at = self._at if found is None else found.end()

    def _fault(self, expected: str, at: int | None = None) -> SelectorError:
        place = self._at if at is None else at
        return SelectorError(self._text, place, expected)


_QUOTES = ('"', "'", "`")
_OPERATOR_STARTS = ("=", "!")


def _names(matcher: Matcher, *, strictly: bool) -> bool:
    """Tell whether a matcher names the metric; beside a name before the braces any look at it counts."""
    return matcher.name == NAME_LABEL and (strictly or matcher.operator is Operator.EQUAL)


def _rune(escape: re.Match[str], quote: str) -> bytes | None:
    """The bytes that an escape sequence stands for; None if it is none of Go's."""
    rune, octal, byte, short, long, bad = escape.groups()
    if bad is not None or (rune in _QUOTES and rune != quote):
        return None
    if rune is not None:
        return _RUNES.get(rune, rune.encode())
    if octal or byte:
        return bytes([int(octal, 8) if octal else int(byte, 16)])
    try:
        return chr(int(short or long, 16)).encode()
    except (ValueError, OverflowError):  # beyond Unicode, or one half of a UTF-16 pair
        return None
