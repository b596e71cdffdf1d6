"""Durations as Go writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.durations import read_duration, read_interval, show_duration


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("5m", "5m0s"),
        ("1d", "24h0m0s"),
        ("1h30m", "1h30m0s"),
        ("90s", "1m30s"),
        ("1.5s", "1.5s"),
        ("500ms", "500ms"),
        ("1ms", "1ms"),
        ("250us", "250µs"),
        ("7ns", "7ns"),
        ("0s", "0s"),
        ("0", "0s"),
        ("1m0.5s", "1m0.5s"),
    ],
)
def test_a_duration_is_shown_as_go_prints_it(text: str, shown: str) -> None:
    assert show_duration(read_interval(text)) == shown


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1s,", "1 s", "1x", "1e3s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_interval(text)


@pytest.mark.parametrize("text", ["0", "0s"])
def test_nothing_is_an_interval_but_no_duration(text: str) -> None:
    assert read_interval(text) == 0
    with pytest.raises(ValueError, match=text):
        read_duration(text)


@given(st.integers(1, 10**9))
def test_what_is_shown_is_read_as_the_same(milliseconds: int) -> None:
    assert read_duration(show_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)
