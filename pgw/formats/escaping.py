"""Names as older readers know them: what a scrape shows of names that are not legacy.

In: a text page, whole or in parts, or a message; and the scheme that the reader asked for.
Out: the same with legacy names only; or as it is, if the reader takes any UTF-8.
Never: changes a legacy name, a value or a text.
Follows: EscapeMetricFamily and EscapeName of prometheus/common.

NOTE(pushgateway): the original leaves the colon of a label name as it is, and lets two labels of a series get the
same name; Prometheus refuses the whole scrape in both cases. Here the colon is escaped, and a label that would be
called as another one of its series, or as that of the metric's name, gets one underscore more.
"""

import enum
import re
from collections.abc import Iterable

from pgw.formats import metrics_pb2 as pb
from pgw.model.consistency import SUFFIXES
from pgw.model.family import Type
from pgw.model.names import is_label_name, is_metric_name


class Scheme(enum.StrEnum):
    """How names are escaped; the values are those of the parameter `escaping`."""

    ALLOW_UTF8 = "allow-utf-8"
    UNDERSCORES = "underscores"
    DOTS = "dots"
    VALUES = "values"


METRIC_NAME_LABEL = "__name__"
"""The name of a metric, as Prometheus keeps it; no label may be called that, nor become so."""
VALUES_PREFIX = "U__"
"""What names begin with that were escaped by value, so that they can be told and read back."""

_HIDDEN_IN_METRIC = re.compile(r"[^a-zA-Z0-9_:]|_|^[0-9]")
_HIDDEN_IN_LABEL = re.compile(r"[^a-zA-Z0-9_]|_|^[0-9]")
"""The runes that some scheme writes in another way."""

_QUOTED_NAME = re.compile(rb'[{,]"|^# [A-Z]+ "', re.MULTILINE).search
"""Finds all quoted names, and now and then something else."""
_OPENINGS = (b'{"', b',"', b' "')
"""What stands where a quoted name begins; to look for these first is ten times as fast."""
_QUOTED = r'[^"\\]*+(?:\\.[^"\\]*+)*'
"""What stands between quotes. The group is no possessive one: Python 3.11.2, that of Debian 12, errs in these."""
_HEAD = re.compile(rf'# (HELP|TYPE) "({_QUOTED})"(.*)', re.DOTALL).fullmatch
_ITEM = re.compile(rf'(?:"({_QUOTED})"|([^",={{}}]+))((?:="{_QUOTED}")?)([,}}])', re.DOTALL)
_ESCAPE_SEQUENCE = re.compile(r"\\(.)")


def escape_metric_name(name: str, scheme: Scheme) -> str:
    """Escape the name of a family."""
    return name if is_metric_name(name) else _escape(name, scheme, _HIDDEN_IN_METRIC)


def escape_label_name(name: str, scheme: Scheme) -> str:
    """Escape the name of a label."""
    return name if is_label_name(name) else _escape(name, scheme, _HIDDEN_IN_LABEL)


def escape_label_names(names: Iterable[str], scheme: Scheme) -> list[str]:
    """Escape the names of the labels of one series, which stay different."""
    names = list(names)
    taken = {METRIC_NAME_LABEL, *filter(is_label_name, names)}
    escaped = []
    for name in names:
        shown = escape_label_name(name, scheme)
        while shown in taken and shown != name:
            shown += "_"
        taken.add(shown)
        escaped.append(shown)
    return escaped


def escape_message(message: pb.MetricFamily, scheme: Scheme) -> pb.MetricFamily:
    """Escape the names in a message; returns another one unless there is nothing to escape."""
    if scheme is Scheme.ALLOW_UTF8 or not _needs_escaping(message):
        return message
    escaped = pb.MetricFamily()
    escaped.CopyFrom(message)
    escaped.name = escape_metric_name(message.name.decode(), scheme).encode()
    for metric in escaped.metric:
        names = escape_label_names((pair.name.decode() for pair in metric.label), scheme)
        for pair, name in zip(metric.label, names, strict=True):
            pair.name = name.encode()
    return escaped


class Escaper:
    """Escapes a page that comes in parts, each of whole lines; remembers the family that a part ended in."""

    def __init__(self, scheme: Scheme, family: tuple[str, Type] | None = None) -> None:
        """Make one.

        Args:
            scheme: how names are escaped.
            family: the name and the type of the family that the first part begins within, if it does.
        """
        self._scheme = scheme
        self._family, kind = family or ("", Type.UNTYPED)
        self._suffixes = SUFFIXES.get(kind, ())

    def escape(self, part: bytes) -> bytes:
        """Escape one part."""
        if self._scheme is Scheme.ALLOW_UTF8 or not any(map(part.__contains__, _OPENINGS)) or not _QUOTED_NAME(part):
            return part
        return b"\n".join(map(self._line, part.split(b"\n")))

    def _line(self, line: bytes) -> bytes:
        if not _QUOTED_NAME(line):
            return line
        text = line.decode()
        return (self._head(text) if text.startswith("#") else self._sample(text)).encode()

    def _head(self, line: str) -> str:
        found = _HEAD(line)
        if found is None:  # the quote stands in a help
            return line
        keyword, name, rest = found.groups()
        name = _unquoted(name)
        if keyword == "TYPE":
            self._family = name
            self._suffixes = SUFFIXES.get(Type[rest.strip().upper()], ())
        return f"# {keyword} {escape_metric_name(name, self._scheme)}{rest}"

    def _sample(self, line: str) -> str:
        name, _, rest = line.partition("{")
        labels = []
        end = 0
        for item in _ITEM.finditer(rest):
            quoted, plain, value, mark = item.groups()
            shown = plain or _unquoted(quoted)
            if value:
                labels.append((shown, value))
            else:
                name = self._sample_name(shown)
            if mark == "}":
                end = item.end()
                break
        names = escape_label_names((label for label, _ in labels), self._scheme)
        items = ",".join(shown + value for shown, (_, value) in zip(names, labels, strict=True))
        return f"{name}{{{items}}}{rest[end:]}" if items else f"{name}{rest[end:]}"

    def _sample_name(self, name: str) -> str:
        """Escape the name of a sample, whose suffix is not a part of what is escaped."""
        suffix = name.removeprefix(self._family)
        if self._family and suffix in self._suffixes:
            return escape_metric_name(self._family, self._scheme) + suffix
        return escape_metric_name(name, self._scheme)


def _needs_escaping(message: pb.MetricFamily) -> bool:
    if not is_metric_name(message.name.decode()):
        return True
    return any(not is_label_name(pair.name.decode()) for metric in message.metric for pair in metric.label)


def _unquoted(text: str) -> str:
    return _ESCAPE_SEQUENCE.sub(lambda found: "\n" if found[1] == "n" else found[1], text)


def _escape(name: str, scheme: Scheme, hidden: re.Pattern[str]) -> str:
    match scheme:
        case Scheme.ALLOW_UTF8:
            return name
        case Scheme.UNDERSCORES:
            return hidden.sub("_", name)
        case Scheme.DOTS:
            return hidden.sub(lambda found: "_dot_" if found[0] == "." else "__", name)
        case Scheme.VALUES:
            return VALUES_PREFIX + hidden.sub(_value_of, name)


def _value_of(found: re.Match[str]) -> str:
    return "__" if found[0] == "_" else f"_{ord(found[0]):x}_"
