"""Settings: everything a user may choose, read once at the top. See settings.py for the rows."""

from pgw.durations import read_duration
from pgw.settings.description import complete, describe, manual
from pgw.settings.kinds import Kind, Row, processors, read_size, split_address
from pgw.settings.settings import Settings, rows

__all__ = [
    "Kind", "Row", "Settings", "complete", "describe", "manual", "processors", "read_duration", "read_size", "rows",
    "split_address",
]  # fmt: skip
