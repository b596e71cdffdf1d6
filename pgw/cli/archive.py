r"""The file of `pgw export`: JSON, a value a line, made to be read, compared and kept.

In: groups as they are stored; or the lines of a file.
Out: lines; or groups to be restored. ArchiveError, with the line, for a file that is not whole.
Never: says when it was made, so that two files differ in what was stored and in nothing else.

    {"pgw_export": 1}
    {"labels": {"instance": "db-1", "job": "backup"}, "pushed": "2026-11-21T12:00:00.123456Z", "failed": null,
     "expires": null}      (on one line, as the next)
    {"family": "size_bytes", "type": "gauge", "help": "How large.", "pushed": "2026-11-21T12:00:00.123456Z", "samples":
     ["size_bytes{instance=\"db-1\",job=\"backup\"} 1.5e+09"]}
    {"groups": 1}

Behind each group stand its families. Samples are lines of the text format as they are scraped; what these cannot
carry (see formats/details.py) stands in `details`, one for each metric: protobuf in base64. The last line tells that
nothing is missing. Groups and families come sorted by name. Unknown keys are passed over.
"""

import base64
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from pgw.cli.past import Old, as_key, read_moment
from pgw.errors import ArchiveError, ParseError
from pgw.formats import metrics_pb2 as pb
from pgw.formats.messages import to_message
from pgw.formats.moments import in_utc
from pgw.model.consistency import SUFFIXES
from pgw.model.family import Type
from pgw.model.group import Fragment, Group
from pgw.model.series import around_labels

FORMAT = 1
"""Goes up when a file can no longer be read by those who knew the one before."""

Json = Mapping[str, Any]
_T = TypeVar("_T")


def head() -> str:
    """The first line."""
    return _line({"pgw_export": FORMAT})


def lines_of(group: Group) -> Iterator[str]:
    """The lines of a group."""
    yield _line(
        {
            "labels": dict(group.key.labels),
            "pushed": _moment(group.pushed_at),
            "failed": _moment(group.failed_at),
            "expires": _moment(group.deadline),
        }
    )
    for fragment in group.fragments:
        yield _line(_family(fragment))


def foot(groups: int) -> str:
    """The last line."""
    return _line({"groups": groups})


def _family(fragment: Fragment) -> Json:
    text = fragment.text.decode(errors="surrogateescape")
    shown: dict[str, Any] = {
        "family": fragment.name,
        "type": fragment.type.name.lower(),
        "help": fragment.help,
        "pushed": _moment(fragment.pushed_at),
        "samples": text.removesuffix("\n").split("\n") if text else [],
    }
    if fragment.details:
        shown["details"] = [base64.b64encode(each).decode() for each in fragment.details]
    return shown


def _moment(microseconds: int) -> str | None:
    return in_utc(microseconds, "microseconds") if microseconds else None


def _line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


class Archive:
    """A file that is read."""

    def __init__(self, name: str, lines: Iterable[bytes]) -> None:
        """Make a reader; `name` is what errors call the file."""
        self._name = name
        self._lines = iter(lines)
        self._number = 0

    def groups(self) -> Iterator[Old]:
        """Read all groups, one by one.

        Raises:
            ArchiveError: this is not an export, or not all of one; groups before the fault have been returned.
        """
        if self._next().get("pgw_export") != FORMAT:
            raise self._fault(f'the line {{"pgw_export": {FORMAT}}}, as pgw export writes it')
        value, count = self._next(), 0
        while "groups" not in value:
            families: list[tuple[pb.MetricFamily, int]] = []
            group = self._read(_read_group, value)
            value = self._next()
            while "family" in value:
                families.append(self._read(_read_family, value))
                value = self._next()
            count += 1
            yield group._replace(families=families)
        if value["groups"] != count or next(self._lines, None) is not None:
            raise self._fault(f"the end of a file of {count} groups")

    def _next(self) -> Json:
        self._number += 1
        try:
            value = json.loads(next(self._lines))
        except StopIteration:
            raise self._fault("more lines: the file is cut off") from None
        except ValueError as error:
            raise self._fault(f"JSON ({error})") from None
        if not isinstance(value, dict):
            raise self._fault("a JSON object")
        return value

    def _read(self, read: Callable[[Json], _T], value: Json) -> _T:
        try:
            return read(value)
        except KeyError as error:
            raise self._fault(f"the key {error}") from None
        except ParseError as error:
            raise self._fault(f"samples of the text format (line {error.line - 1} of them: {error.reason})") from None
        except (ValueError, TypeError, AttributeError, DecodeError) as error:
            raise self._fault(f"a group or a family ({error})") from None

    def _fault(self, expected: str) -> ArchiveError:
        return ArchiveError(self._name, self._number, expected)


def _read_group(value: Json) -> Old:
    key = as_key(value["labels"])
    if key is None:
        raise ValueError("labels are texts, and job is among them")
    return Old(key, _read(value["pushed"]), _read(value["failed"]), [], _read(value.get("expires")))


def _read_family(value: Json) -> tuple[pb.MetricFamily, int]:
    name, kind, samples = value["family"], _type(value["type"]), value["samples"]
    heads = tuple(around_labels(name + suffix)[0] for suffix in ("", *SUFFIXES.get(kind, ())))
    for sample in samples:
        if not sample.startswith(heads):
            raise ValueError(f"{sample!r} is not a sample of {name} with labels")
    text = "".join(f"{sample}\n" for sample in samples)
    details = tuple(base64.b64decode(each, validate=True) for each in value.get("details", ()))
    fragment = Fragment(name, kind, value["help"], text.encode(), details=details)
    message = to_message(fragment)
    if sum(map(_count_lines, message.metric)) != len(samples):
        raise ValueError("a histogram or a summary lacks its sum or its count")
    return message, _read(value["pushed"])


def _type(word: str) -> Type:
    found = Type.__members__.get(word.upper())
    if found is None:
        raise ValueError(f"{word!r} is not a type: {', '.join(kind.name.lower() for kind in Type)}")
    return found


def _count_lines(metric: pb.Metric) -> int:
    """How many lines a metric is written in."""
    if metric.HasField("summary"):
        return len(metric.summary.quantile) + 2
    if not metric.HasField("histogram"):
        return 1
    bounds = [bucket.upper_bound for bucket in metric.histogram.bucket]
    return len(bounds) + 2 + (math.inf not in bounds)


def _read(text: str | None) -> int:
    return 0 if text is None else read_moment(text)
