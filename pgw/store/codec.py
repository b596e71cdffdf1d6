r"""Groups to and from the bytes of their Redis hash.

In: fragments and grouping keys; or the fields and values of a group's hash.
Out: bytes; or a Group; or of one that is known what may have changed.
Never: leaves a value half-read: anything unexpected is a CorruptGroup.

A family has two fields, so that a push of the same series writes nothing but their values. The one that has its name
is the array [type, flags, 8 digits that count the sample lines, help or nil, heads]; a head is a sample line up to its
value, the blank before that included. To the array the details of the metrics are added where there are any. Before it
stands the time of the push that wrote it (16 digits, microseconds since 1970, written by the script), if that is not
the time of the whole: that of the last push after which the group held what was pushed and nothing else. The other,
whose name is a byte longer, has the values of these lines, each with a newline behind it. The header, in the field "",
is the array [failure time, deadline, version, signature, {label: value}]. Times and the version, under which the
changes list the group, are text of one length, so that the scripts build and read the header by position and redis-cli
shows it to a person. What every push changes is not in it but in the field \xff: the push time, and behind it the time
of the whole, if that is another.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import add

import msgpack

from pgw.errors import CorruptGroup
from pgw.model.family import Type
from pgw.model.group import Fragment, Group, Renewal
from pgw.model.grouping import GroupingKey, Labels

HEADER_FIELD = b""
_VALUES = b"\xff"
"""What the name of a field with values begins with, before that of the family; being UTF-8, no other begins with it."""
TIMES_FIELD = _VALUES
"""No family has an empty name."""
UNCHECKED = 1
"""Flag: pushed with the consistency check off."""
TIME_DIGITS = 16
"""Microseconds since 1970 have so many until the year 2286."""
_NEVER = b"0" * TIME_DIGITS
"""Of a group that no push has ever succeeded for."""
TIMED = b"\xb0"
"""What a family's field begins with that has a time: a string of 16 bytes."""
_ARRAY_OF_TWO = b"\x92"
"""What makes one object of the time and the array, so that both are read in one call."""
_PARTS = 0x95
"""What makes one object of the parts of a fragment; with details there is one part more."""
_BEFORE_HEADS = b"%c%c%c\xc4\x08%08d%b\xc6"
"""How many parts, type, flags, 8 digits, help; and what makes one object of bytes whose number follows in 4 bytes."""
_BYTES_16 = b"\xc4\x10"
"""What makes one object of 16 bytes."""
_TYPES = {int(kind): kind for kind in Type}
FAMILIES_REMEMBERED = 1_000
"""Names that are decoded once: groups hold the same few families, and keep one name for all of them."""
SIGNATURES_REMEMBERED = 1_000
"""Of which one object is kept for all groups of one form."""
_UNKNOWN = bytes(16)
"""The signature of a group whose series nobody has counted as a whole, see lua/parts.lua."""
MOST_LINES = 99_999_999
"""As many as 8 digits can say; the lines of one family in one group would have gigabytes then."""


def packed_around(fragment: Fragment, lines: int) -> tuple[bytes, bytes]:
    """Encode all of a fragment but its name, its time and its lines, for `packed`.

    Args:
        fragment: one with any text.
        lines: how many sample lines it has.

    Returns:
        What stands before the length of the heads, and what stands behind the heads.
    """
    _, kind, text_help, _, unchecked, _, details = fragment
    size, flags = _PARTS + bool(details), UNCHECKED if unchecked else 0
    before = _BEFORE_HEADS % (size, kind, flags, min(lines, MOST_LINES), msgpack.packb(text_help))
    return before, msgpack.packb(details) if details else b""


def packed(heads: bytes, before: bytes, behind: bytes) -> bytes:
    """Encode a fragment without its values: as msgpack would, but for the length of the heads, which has 4 bytes."""
    return b"%b%b%b%b" % (before, len(heads).to_bytes(4, "big"), heads, behind)


def values_field(family: str) -> bytes:
    """Name the field that has the values of a family."""
    return _VALUES + family.encode()


class Encoder:
    """Encodes the headers that a store writes. It keeps its packer: to make one takes longer than to pack labels."""

    def __init__(self) -> None:
        self._pack_labels = msgpack.Packer(unicode_errors="surrogateescape").pack

    def ending(self, signature: bytes, labels: Labels) -> bytes:
        """Encode what a header ends with: the signature, 16 bytes, and the grouping labels."""
        return _BYTES_16 + signature + self.labels(labels)

    def labels(self, labels: Labels) -> bytes:
        """Encode the grouping labels, the last part of a header."""
        packed: bytes = self._pack_labels(dict(labels))
        return packed


def decode_fragment(name: str, value: bytes, values: bytes, whole: int = 0) -> Fragment:
    """Decode the two fields of a family; `whole` is the time of one without a time of its own."""
    try:
        if value[:1] == TIMED:
            pushed_at, parts = msgpack.unpackb(_ARRAY_OF_TWO + value)
            whole = _moment(pushed_at)
        else:
            parts = msgpack.unpackb(value)
        kind, flags, _lines, text_help, heads, *rest = parts
        details = tuple(rest[0]) if rest else ()
        if type(heads) is not bytes or details:
            _require((heads, *details), bytes)
        if text_help is not None and type(text_help) is not str:
            _require((text_help,), str)
        unchecked = bool(flags & UNCHECKED)
        return Fragment(name, _TYPES[kind], text_help, _joined(heads, values), unchecked, whole, details)
    except KeyError as error:
        raise CorruptGroup(name, f"{error} is not the number of a type") from error
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise CorruptGroup(name, str(error)) from error


def decode_group(name: str, fields: Sequence[bytes]) -> Group | None:
    """Decode the reply to HGETALL; None for an empty one, which is a group that does not exist."""
    if not fields:
        return None
    try:
        return _group(fields)
    except CorruptGroup as error:
        raise CorruptGroup(name, f"family {error.key}: {error.reason}") from error
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise CorruptGroup(name, f"{type(error).__name__}: {error}") from error


def decode_renewal(signature: bytes, fields: Sequence[bytes]) -> Renewal | None:
    """Decode what may have changed of a group that had this signature when it was read last.

    What the signature stands for is not read again, nor are the labels, which the name of the group stands for.

    Returns:
        None for a group that has to be read as any other: it holds other series now, or somebody has broken it; it has
        families with a time of their own, or details, which may differ under one signature.
    """
    try:
        found = dict(zip(fields[::2], fields[1::2], strict=True))
        failed_at, deadline, _version, own, _labels = msgpack.unpackb(found[HEADER_FIELD])
        if own != signature:
            return None
        texts = []
        for field, value in found.items():
            if HEADER_FIELD < field < TIMES_FIELD:
                _type, _flags, _lines, _help, heads = msgpack.unpackb(value)  # a time or details would be one too many
                texts.append((_family(field), _joined(heads, found[_VALUES + field])))
        if len(found) != 2 + 2 * len(texts):
            return None
        return Renewal(_moment(found[TIMES_FIELD]), _moment(failed_at), _moment(deadline), texts)
    except (KeyError, TypeError, ValueError, msgpack.UnpackException):
        return None


def _group(fields: Sequence[bytes]) -> Group:
    found = dict(zip(fields[::2], fields[1::2], strict=True))
    if HEADER_FIELD not in found:
        raise ValueError("it has no header")
    failed_at, deadline, _version, signature, labels = msgpack.unpackb(found.pop(HEADER_FIELD))
    pushed_at, whole = _moments(found.pop(TIMES_FIELD, _NEVER))
    fragments = []
    rest = sorted(found.items())
    half = len(rest) // 2  # those with values begin with what no name begins with, and come last
    for (field, value), (own, values) in zip(rest[:half], rest[half:], strict=True):
        if own != _VALUES + field:
            raise ValueError(f"the fields {field!r} and {own!r} are not of one family")
        fragments.append(decode_fragment(_family(field), value, values, whole))
    key = GroupingKey(tuple(sorted(labels.items())))
    return Group(key, pushed_at, _moment(failed_at), tuple(fragments), _moment(deadline), _signature(signature))


@lru_cache(SIGNATURES_REMEMBERED)
def _signature(stored: bytes) -> bytes:
    if type(stored) is not bytes:
        raise TypeError(f"{stored!r} is not a signature")
    return b"" if stored == _UNKNOWN else stored


@lru_cache(FAMILIES_REMEMBERED)
def _family(field: bytes) -> str:
    return field.decode()


def _joined(heads: bytes, values: bytes) -> bytes:
    """Put each value behind its head."""
    before, behind = heads.split(b"\n") if heads else [], values.split(b"\n")
    before.append(b"")  # behind the last newline
    if len(before) != len(behind) or behind[-1]:
        raise ValueError(f"{len(before) - 1} lines have {len(behind) - 1} values")
    return b"\n".join(map(add, before, behind))


def _moments(times: bytes) -> tuple[int, int]:
    pushed_at, whole = times[:TIME_DIGITS], times[TIME_DIGITS:]
    return _moment(pushed_at), _moment(whole or pushed_at)


def _moment(text: str | bytes) -> int:
    if len(text) != TIME_DIGITS:
        raise ValueError(f"{text!r} is not a time of {TIME_DIGITS} digits")
    return int(text)


def _require(values: Iterable[object], kind: type) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise TypeError(f"{value!r} is not of type {kind.__name__}")
