"""Groups as they were, before they are checked: what all sources of `pgw import` have in common.

In: messages of families, with the times of their pushes, which a source found.
Out: the group as the gateway restores it, read by the rules of a protobuf push.
Never: checks what may stand together; the gateway does.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pgw.formats import metrics_pb2 as pb
from pgw.formats.protobuf_reader import read_protobuf
from pgw.formats.protobuf_writer import write_delimited
from pgw.gateway.restore import Past
from pgw.model.group import MICROSECONDS
from pgw.model.grouping import JOB, GroupingKey

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_NANOSECONDS = 9
_LAST_MOMENT = 10**16 - 1
"""Microseconds since 1970 that the store has digits for."""


class Old(NamedTuple):
    """A group as a source has it; times in microseconds since 1970, 0 for never."""

    key: GroupingKey
    pushed_at: int
    failed_at: int
    families: Sequence[tuple[pb.MetricFamily, int]]
    """Each family, whose metrics carry the grouping labels too, and when it was pushed."""
    deadline: int = 0

    @property
    def size(self) -> int:
        """Bytes, about."""
        return sum(message.ByteSize() for message, _ in self.families)

    def past(self) -> Past:
        """Read the messages.

        Raises:
            PushError: a push of them would be refused.
        """
        body = b"".join(write_delimited(message) for message, _ in self.families)
        moments = {message.name.decode(errors="surrogateescape"): moment for message, moment in self.families}
        return Past(self.key, self.pushed_at, self.failed_at, read_protobuf(body), moments, self.deadline)


def as_key(labels: object) -> GroupingKey | None:
    """The key of a group whose labels came as JSON; None if they are none."""
    if (
        not isinstance(labels, dict)
        or not labels.get(JOB)
        or not all(isinstance(each, str) for each in labels.values())
    ):
        return None
    return GroupingKey(tuple(sorted(labels.items())))


def as_microseconds(seconds: float) -> int:
    """A push time as it is scraped, in microseconds; ValueError for what is none."""
    return _checked(round(seconds * MICROSECONDS))


def read_moment(text: str) -> int:
    """Microseconds since 1970 of a time in RFC 3339, cut off there; ValueError for what is none.

    What is earlier, as the zero of Go is, counts as never: 0.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a time such as 2026-01-31T12:00:00.123456Z")
    second, fraction, zone = found.groups(default="")
    seconds = round(datetime.fromisoformat(second + zone).timestamp())
    return _checked(max(0, seconds * MICROSECONDS + int(fraction.ljust(_NANOSECONDS, "0")) // 1000))


def _checked(moment: int) -> int:
    if not 0 <= moment <= _LAST_MOMENT:
        raise ValueError(f"{moment} microseconds since 1970 is not a time from 1970 to 2286")
    return moment
