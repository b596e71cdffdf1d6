"""Moments as text, in RFC 3339.

In: microseconds since 1970, the unit of push times.
Out: text, as programs and files take it.
Never: reads the clock; rounds: what a text has no digits for is cut off.
Follows: RFC 3339; Go's time.RFC3339Nano, which the JSON API of the original writes.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_utc(microseconds: int, precision: Literal["milliseconds", "microseconds"]) -> str:
    """Write a moment with all digits of its precision: `2026-01-31T12:00:00.120Z`."""
    return _moment(microseconds).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def rfc3339(microseconds: int, zone: tzinfo | None = None) -> str:
    """Write a moment as Go does: no trailing zeros in the fraction, and `Z` for UTC.

    Args:
        microseconds: since 1970.
        zone: the time zone to give it in; None: that of this machine.
    """
    moment = _moment(microseconds).astimezone(zone)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    offset = moment.strftime("%z")
    shift = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{shift}"


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
