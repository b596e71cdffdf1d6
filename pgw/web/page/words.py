"""Numbers and times as people read them.

In: microseconds, seconds, bytes, floats.
Out: text.
Never: reads the clock.
"""

import math
from decimal import Decimal

from pgw.formats.moments import in_utc
from pgw.formats.numbers import format_float

MINUTE, HOUR, DAY = 60, 3_600, 86_400
SHORTENED = 120
"""Characters of a label that a list shows: two lines of a wide screen."""
PLAIN_DIGITS = 22
"""Digits of a number that are written out, as in the original; beyond, nobody reads them."""
_UNITS = ("B", "kB", "MB", "GB")


def age(seconds: float) -> str:
    """A span in the two units that matter: `12 s`, `3 min`, `2 h 5 min`, `3 d 4 h`. static/page.js does the same."""
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        return _two(whole // HOUR, "h", whole % HOUR // MINUTE, "min")
    return _two(whole // DAY, "d", whole % DAY // HOUR, "h")


def _two(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large} {unit} {small} {smaller}" if small else f"{large} {unit}"


def iso(microseconds: int) -> str:
    """A time for machines: `2026-11-21T16:01:00.123Z`."""
    return in_utc(microseconds, "milliseconds")


def exact(microseconds: int) -> str:
    """A time for people: `2026-11-21 16:01:00.123 UTC`."""
    return iso(microseconds).replace("T", " ").replace("Z", " UTC")


def size(count: float) -> str:
    """Bytes, to two digits where they are few: `812 B`, `1.5 kB`, `23 MB`."""
    unit, *larger = _UNITS
    while count >= 1_000 and larger:  # noqa: PLR2004  what kilo means
        count /= 1_000
        unit, *larger = larger
    return f"{count:.1f} {unit}" if count < 10 and unit != "B" else f"{count:.0f} {unit}"  # noqa: PLR2004


def rate(per_second: float) -> str:
    """A rate, to two digits where it is small."""
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"  # noqa: PLR2004


def number(value: float) -> str:
    """A value without an exponent, as the page of the original shows it; one of very many digits as scrapes do."""
    if not math.isfinite(value):
        return format_float(value)
    text = f"{Decimal(repr(value)):f}"
    text = text.removesuffix(".0")
    return text if len(text) <= PLAIN_DIGITS else format_float(value)


def shortened(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= SHORTENED else f"{text[:SHORTENED]}…"
