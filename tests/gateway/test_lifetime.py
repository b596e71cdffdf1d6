"""How long groups live: what was asked for, the rules, the default, the bound."""

from __future__ import annotations

import pytest
from pushes import INSTANCE, JOB, OTHER

from pgw.errors import BadLifetime
from pgw.gateway.lifetime import FOR_EVER, MOST_SECONDS, Lifetimes, Rule, microseconds, read_lifetime
from pgw.model.group import MICROSECONDS
from pgw.model.grouping import GroupingKey
from pgw.model.selector import Selector

RULES = (
    Rule(Selector.read('{instance="i"}'), 10),
    Rule(Selector.read('{job=~"j|z"}'), 20),
    Rule(Selector.read('{job="k"}'), 0),
)


@pytest.mark.parametrize(
    ("lifetimes", "key", "asked", "seconds"),
    [
        (FOR_EVER, JOB, None, 0),
        (FOR_EVER, JOB, 90, 90),
        (FOR_EVER, JOB, 0, 0),
        (Lifetimes(otherwise=5), JOB, None, 5),
        (Lifetimes(otherwise=5), JOB, 7, 7),
        (Lifetimes(otherwise=5), JOB, 0, 0),
        (Lifetimes(RULES, 5), INSTANCE, None, 10),
        (Lifetimes(RULES, 5), JOB, None, 20),
        (Lifetimes(RULES, 5), JOB, 7, 7),
        (Lifetimes(RULES, 5), OTHER, None, 0),
        (Lifetimes(RULES[:2], 5), OTHER, None, 5),
        (Lifetimes(RULES, 5, longest=15), JOB, None, 15),
        (Lifetimes(RULES, 5, longest=15), INSTANCE, None, 10),
        (Lifetimes(RULES, 5, longest=15), OTHER, None, 15),
        (Lifetimes(longest=15), JOB, None, 15),
        (Lifetimes(longest=15), JOB, 15, 15),
        (Lifetimes(otherwise=20, longest=15), JOB, None, 15),
        (Lifetimes(otherwise=20, longest=15), JOB, 0.5, 0.5),
    ],
)
def test_the_request_beats_the_first_rule_that_fits_which_beats_the_default_and_nothing_the_bound(
    lifetimes: Lifetimes, key: GroupingKey, asked: float | None, seconds: float
) -> None:
    assert lifetimes.of(key, asked) == seconds * MICROSECONDS


@pytest.mark.parametrize(("asked", "shown"), [(16, "16s"), (0, "0s"), (MOST_SECONDS, "876000h0m0s")])
def test_a_request_for_more_than_the_bound_is_refused_with_both(asked: float, shown: str) -> None:
    with pytest.raises(BadLifetime, match=rf"'{shown}' is not a duration above zero and up to 15s \(--push.ttl-max\)"):
        Lifetimes(longest=15).of(JOB, asked)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("0s", 0), ("90s", 90), ("1h30m", 5400), ("100y", MOST_SECONDS)]
)
def test_a_lifetime_is_a_duration(text: str, seconds: float) -> None:
    assert read_lifetime(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "-1s", "1x", "s", "1 h", "101y", "9" * 400 + "y", "NaN", "inf", "1e3s"])
def test_what_is_none_or_would_outlive_the_clock_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        read_lifetime(text)


def test_the_shortest_lifetime_is_not_for_ever() -> None:
    assert microseconds(1e-9) == 1
    assert microseconds(0) == 0
    assert len(str(2 * microseconds(MOST_SECONDS) + 2_000_000_000 * MICROSECONDS)) == 16
