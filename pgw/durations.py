"""Durations as Prometheus and Go write them, for flags and for the web configuration file.

In: `5m`, `1h30m`, `1.5s`, `1d`; or seconds.
Out: seconds; or the text that Go prints for them.
Never: guesses a unit that is not there.
Follows: Go's time.ParseDuration and Duration.String, and the days, weeks and years of prometheus/common model.
"""

import math
import re

_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h|d|w|y)")
_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
    "d": 86400.0, "w": 7 * 86400.0, "y": 365 * 86400.0,
}  # fmt: skip
_SMALL = ((1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def read_duration(text: str) -> float:
    """Seconds of a duration above zero: `500ms`, `1.5s`, `1m30s`, `1d`; ValueError for anything else."""
    seconds = read_interval(text)
    if seconds == 0:
        raise ValueError(text)
    return seconds


def read_interval(text: str) -> float:
    """Seconds of a duration that may be zero: `0`, `0s`, `5m`; ValueError for anything else."""
    if text == "0":
        return 0.0
    parts = _PART.findall(text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not parts or "".join(map("".join, parts)) != text or not seconds < math.inf:
        raise ValueError(text)
    return seconds


def show_duration(seconds: float) -> str:
    """The text that Go prints: `5m0s`, `1h0m0s`, `1.5s`, `500ms`, `0s`."""
    if 0 < seconds < 1:
        size, unit = next(pair for pair in _SMALL if seconds >= pair[0] or pair[1] == "ns")
        return f"{_number(seconds / size)}{unit}"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{head}{_number(rest)}s"


def _number(value: float) -> str:
    """A number without an exponent, to the nanosecond."""
    return f"{value:.9f}".rstrip("0").rstrip(".")
