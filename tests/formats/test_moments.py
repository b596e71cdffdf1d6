"""Moments as text: as Go writes them, and with a number of digits that is always the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.formats.moments import in_utc, rfc3339

PUSHED = 1795247408601141


@pytest.mark.parametrize(
    ("microseconds", "zone", "text"),
    [
        (0, UTC, "1970-01-01T00:00:00Z"),
        (PUSHED, UTC, "2026-11-21T07:50:08.601141Z"),
        (1795247408600000, UTC, "2026-11-21T07:50:08.6Z"),
        (1795247408000010, timezone(timedelta(hours=-3, minutes=-30)), "2026-11-21T04:20:08.00001-03:30"),
        (PUSHED, ZoneInfo("Europe/Berlin"), "2026-11-21T08:50:08.601141+01:00"),
        (PUSHED, ZoneInfo("UTC"), "2026-11-21T07:50:08.601141Z"),
    ],
)
def test_a_time_is_written_as_go_does(microseconds: int, zone: timezone | ZoneInfo, text: str) -> None:
    assert rfc3339(microseconds, zone) == text


@pytest.mark.parametrize(
    ("microseconds", "precision", "text"),
    [
        (0, "milliseconds", "1970-01-01T00:00:00.000Z"),
        (PUSHED, "milliseconds", "2026-11-21T07:50:08.601Z"),
        (PUSHED, "microseconds", "2026-11-21T07:50:08.601141Z"),
        (1795247408000000, "microseconds", "2026-11-21T07:50:08.000000Z"),
        (1795247408999999, "milliseconds", "2026-11-21T07:50:08.999Z"),
        (10**16 - 1, "milliseconds", "2286-11-20T17:46:39.999Z"),
    ],
)
def test_a_time_in_utc_has_all_digits_and_is_never_rounded_up(
    microseconds: int, precision: Literal["milliseconds", "microseconds"], text: str
) -> None:
    assert in_utc(microseconds, precision) == text


@given(st.integers(0, 10**16 - 1))
def test_a_time_reads_back_to_the_microsecond(microseconds: int) -> None:
    since = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    assert datetime.fromisoformat(in_utc(microseconds, "microseconds")) == since
    assert datetime.fromisoformat(rfc3339(microseconds, UTC)) == since
