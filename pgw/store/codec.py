r"""Groups to and from the bytes of their Redis hash.

In: fragments and grouping keys; or the fields and values of a group's hash.
Out: bytes; or a Group.
Never: leaves a value half-read: anything unexpected is a CorruptGroup.

A family's field is a stream of two msgpack objects: the time of the push that wrote it (16 digits, microseconds
since 1970, written by the script) and the array [type, flags, 8 digits that count the sample lines, help or nil,
sample lines], to which the details of the metrics are added where there are any. The header, in the
field "", is the array [push time, failure time, deadline, signature, {label: value}]. Times are text of one
length, so that the scripts build and read the header by position and redis-cli shows it to a person.
"""

from collections.abc import Iterable, Sequence

import msgpack

from pgw.errors import CorruptGroup
from pgw.model.family import Type
from pgw.model.group import Fragment, Group
from pgw.model.grouping import GroupingKey, Labels

HEADER_FIELD = b""
UNCHECKED = 1
"""Flag: pushed with the consistency check off."""
TIME_DIGITS = 16
"""Microseconds since 1970 have so many until the year 2286."""
_STAMP = 1 + TIME_DIGITS
"""Bytes of a time, as msgpack has it."""
MOST_LINES = 99_999_999
"""As many as 8 digits can say; the lines of one family in one group would have gigabytes then."""

LARGE = 256 << 10
"""Bytes of text from which on a fragment gets a packer of its own: one that is kept would stay as large."""

_UTF8 = {"errors": "surrogateescape"}


class Encoder:
    """Encodes what a store writes. It keeps its packers: to make one takes longer than to pack an ordinary fragment."""

    def __init__(self) -> None:
        self._pack = msgpack.Packer().pack
        self._pack_labels = msgpack.Packer(unicode_errors=_UTF8["errors"]).pack

    def fragment(self, fragment: Fragment, lines: int) -> bytes:
        """Encode all of a fragment but its name and its time; `lines` is how many sample lines it has."""
        flags = UNCHECKED if fragment.unchecked else 0
        parts: list[object] = [
            int(fragment.type),
            flags,
            b"%08d" % min(lines, MOST_LINES),
            fragment.help,
            fragment.text,
        ]
        if fragment.details:
            parts.append(fragment.details)
        pack = self._pack if len(fragment.text) < LARGE else msgpack.packb
        packed: bytes = pack(parts)
        return packed

    def labels(self, labels: Labels) -> bytes:
        """Encode the grouping labels, the last part of a header."""
        packed: bytes = self._pack_labels(dict(labels))
        return packed


def decode_fragment(name: str, value: bytes) -> Fragment:
    """Decode the value of a family's field."""
    try:
        pushed_at = _moment(msgpack.unpackb(value[:_STAMP]))
        kind, flags, _lines, text_help, text, *rest = msgpack.unpackb(value[_STAMP:])
        details = tuple(rest[0]) if rest else ()
        _require((text, *details), bytes)
        _require(() if text_help is None else (text_help,), str)
        return Fragment(name, Type(kind), text_help, text, bool(flags & UNCHECKED), pushed_at, details)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise CorruptGroup(name, str(error)) from error


def decode_group(name: str, fields: Sequence[bytes]) -> Group | None:
    """Decode the reply to HGETALL; None for an empty one, which is a group that does not exist."""
    if not fields:
        return None
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    try:
        pushed_at, failed_at, deadline, _signature, labels = msgpack.unpackb(values.pop(HEADER_FIELD))
        key = GroupingKey(tuple(sorted(labels.items())))
        _require((part for label in key.labels for part in label), str)
        return Group(key, _moment(pushed_at), _moment(failed_at), _fragments(values), _moment(deadline))
    except CorruptGroup as error:
        raise CorruptGroup(name, f"family {error.key}: {error.reason}") from error
    except (KeyError, ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise CorruptGroup(name, f"{type(error).__name__}: {error}") from error


def _fragments(values: dict[bytes, bytes]) -> tuple[Fragment, ...]:
    return tuple(decode_fragment(field.decode(), value) for field, value in sorted(values.items()))


def _moment(text: str) -> int:
    if len(text) != TIME_DIGITS:
        raise ValueError(f"{text!r} is not a time of {TIME_DIGITS} digits")
    return int(text)


def _require(values: Iterable[object], kind: type) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise TypeError(f"{value!r} is not of type {kind.__name__}")
