"""What people see: lines, tables, times and sizes as text.

In: values.
Out: text, or lines on stdout and stderr.
Never: reads the clock; ages are told from the moment that is given.
"""

import sys
from collections.abc import Iterable, Sequence

from pgw.formats.moments import in_utc
from pgw.model.group import MICROSECONDS

_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


def show(text: str) -> None:
    """Write a line to stdout; a reader that has gone is noticed here."""
    print(text, flush=True)  # noqa: T201  what commands are for


def complain(text: str) -> None:
    """Write a line to stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  this is where users look


def table(rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Rows in columns, two blanks apart; the columns of numbers are flush right."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def cell(place: int, text: str) -> str:
        return text.rjust(widths[place]) if place in numbers else text.ljust(widths[place])

    return "\n".join("  ".join(cell(place, text) for place, text in enumerate(line)).rstrip() for line in lines)


def timestamp(microseconds: int) -> str | None:
    """A moment in RFC 3339 with milliseconds, None for never."""
    return in_utc(microseconds, "milliseconds") if microseconds else None


def moment(microseconds: int, now: float) -> str:
    """A moment and its age: `2026-01-31T12:00:00.000Z (5m ago)`; `now` is in seconds since 1970."""
    text = timestamp(microseconds)
    return "never" if text is None else f"{text} ({_age(now - microseconds / MICROSECONDS)} ago)"


def expiry(deadline: int, now: float) -> str:
    """When something expires: `2026-01-31T12:00:00.000Z (in 5m)`; or that it has, removed or not."""
    left = deadline / MICROSECONDS - now
    return f"{timestamp(deadline)} ({f'in {_age(left)}' if left > 0 else f'EXPIRED {_age(-left)} ago'})"


def size(count: int) -> str:
    """A number of bytes in the largest unit that it fills: `3.1 MB`."""
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def counted(number: int, what: str) -> str:
    """A number of things: `1 group`, `2 groups`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _age(seconds: float) -> str:
    """A duration in the largest unit that it fills."""
    whole = max(0, int(seconds))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= length:
            return f"{whole // length}{unit}"
    return f"{whole}s"
