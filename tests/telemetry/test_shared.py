"""The gateway's own counters, summed over all workers: what is shown of them, and for how long."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pgw.formats.numbers import format_float
from pgw.formats.text_writer import write_head
from pgw.model.family import Type
from pgw.telemetry.shared import (
    OWN_TYPES,
    PUSH_DURATION,
    PUSH_SIZE,
    QUANTILES,
    SLICE,
    SLICES,
    OwnFamilies,
    Tally,
    expired,
)

NOW = 1_795_254_979
WRITE = OwnFamilies(version="1.2", number=format_float)


def summed(*tallies: Tally) -> dict[str, float]:
    """What the store holds once all have handed over."""
    sums: Counter[str] = Counter()
    for tally in tallies:
        for field, amount in tally.take().items():
            sums[field] += amount  # type: ignore[assignment]  # typeshed's Counter counts ints
    return dict(sums)


def shown(sums: Mapping[str, float], now: int = NOW) -> dict[str, float]:
    """Series -> value, of all own families."""
    lines = "".join(each.text.decode() for each in WRITE(sums, now)).splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def observed(values: Iterable[float], *, method: str = "POST", now: float = NOW) -> Tally:
    tally = Tally()
    for value in values:
        tally.observe_push(method=method, size=int(value), duration=value, now=now)
    return tally


def test_a_fresh_gateway_shows_its_version_and_nothing_else() -> None:
    assert shown({}) == {'pushgateway_build_info{branch="",revision="",version="1.2"}': 1}


def test_requests_are_summed_by_code_handler_and_method() -> None:
    one, other = Tally(), Tally()
    for tally in (one, other):
        tally.count_request(code=200, handler="push", method="POST")
    other.count_request(code=400, handler="push", method="PUT")
    other.count_request(code=202, handler="delete", method="DELETE")
    other.count_request(code=200, handler="api/v1/status", method="GET")
    series = {key: value for key, value in shown(summed(one, other)).items() if "requests" in key}
    name = "pushgateway_http_requests_total"
    assert series == {
        f'{name}{{code="200",handler="api/v1/status",method="get"}}': 1,
        f'{name}{{code="200",handler="push",method="post"}}': 2,
        f'{name}{{code="202",handler="delete",method="delete"}}': 1,
        f'{name}{{code="400",handler="push",method="put"}}': 1,
    }


def test_pushes_are_summed_over_workers_by_method() -> None:
    series = shown(summed(observed([1, 2]), observed([3]), observed([10], method="PUT")))
    for name in (PUSH_SIZE, PUSH_DURATION):
        assert series[f'{name}_sum{{method="post"}}'] == 6
        assert series[f'{name}_count{{method="post"}}'] == 3
        assert series[f'{name}_sum{{method="put"}}'] == 10
        assert series[f'{name}_count{{method="put"}}'] == 1


def test_what_was_handed_over_is_not_handed_over_again() -> None:
    tally = observed([1])
    assert tally.take()
    assert tally.take() == {}


def test_what_could_not_be_handed_over_is_counted_again() -> None:
    tally = observed([1, 2])
    taken = tally.take()
    tally.observe_push(method="POST", size=3, duration=3, now=NOW)
    tally.put_back(taken)
    assert summed(tally) == summed(observed([1, 2, 3]))


def quantile_of(series: Mapping[str, float], quantile: float) -> float:
    return series[f'{PUSH_DURATION}{{method="post",quantile="{quantile}"}}']


@pytest.mark.parametrize("seed", range(5))
def test_a_quantile_is_off_by_5_percent_at_most(seed: int) -> None:
    rng = random.Random(seed)
    values = [rng.lognormvariate(-5, 2) for _ in range(5_000)]
    series = shown(summed(observed(values[:2_000]), observed(values[2_000:])))
    tenths = quantiles(values, n=10, method="inclusive")
    for quantile, exact in ((0.1, tenths[0]), (0.5, tenths[4]), (0.9, tenths[8])):
        assert quantile_of(series, quantile) == pytest.approx(exact, rel=0.05)


@given(st.floats(1e-9, 1e12))
def test_of_one_value_every_quantile_is_within_5_percent(value: float) -> None:
    series = shown(summed(observed([value])))
    for quantile in QUANTILES:
        assert quantile_of(series, quantile) == pytest.approx(value, rel=0.05)


def test_values_that_are_not_positive_are_counted_all_the_same() -> None:
    series = shown(summed(observed([0.0])))
    assert series[f'{PUSH_DURATION}_count{{method="post"}}'] == 1
    assert 0 <= quantile_of(series, 0.5) <= 1


def test_quantiles_are_of_the_last_ten_minutes() -> None:
    sums = summed(observed([1.0] * 10, now=NOW), observed([100.0] * 90, now=NOW - SLICES * SLICE))
    assert quantile_of(shown(sums), 0.9) == pytest.approx(1, rel=0.05)
    sums = summed(observed([1.0] * 10, now=NOW), observed([100.0] * 90, now=NOW - (SLICES - 1) * SLICE))
    assert quantile_of(shown(sums), 0.9) == pytest.approx(100, rel=0.05)


def test_after_ten_quiet_minutes_quantiles_are_nan_and_sums_stay() -> None:
    series = shown(summed(observed([1.0, 2.0])), NOW + SLICES * SLICE)
    assert all(quantile_of(series, quantile) != quantile_of(series, quantile) for quantile in QUANTILES)
    assert series[f'{PUSH_DURATION}_sum{{method="post"}}'] == 3


def test_only_slices_that_no_quantile_needs_are_expired() -> None:
    sums: dict[str, float] = {}
    for back in range(SLICES + 3):
        sums |= summed(observed([1.0], now=NOW - back * SLICE))
    sums["requests/200/push/post"] = 1
    gone = expired(sums, NOW)
    moments = {int(re.split("/", field)[3]) for field in gone}
    assert moments == {NOW // SLICE - back for back in range(SLICES, SLICES + 3)}
    kept = {field: value for field, value in sums.items() if field not in gone}
    assert shown(kept) == pytest.approx(shown(sums), nan_ok=True)
    assert expired(kept, NOW) == []
    assert expired({}, 0) == []


@given(st.randoms(use_true_random=False))
def test_what_is_shown_does_not_depend_on_the_order_in_which_the_store_answers(rng: random.Random) -> None:
    tally = observed([1, 2, 30])
    tally.observe_push(method="PUT", size=5, duration=5, now=NOW)
    tally.count_request(code=200, handler="push", method="POST")
    tally.count_request(code=400, handler="push", method="POST")
    sums = summed(tally)
    shuffled = list(sums.items())
    rng.shuffle(shuffled)
    assert WRITE(dict(shuffled), NOW) == WRITE(sums, NOW)


def test_the_families_are_what_the_rules_for_pushes_know() -> None:
    tally = observed([1])
    tally.count_request(code=200, handler="push", method="POST")
    fragments = WRITE({**summed(tally), "expired": 3.0, "limits/push.max-series": 2.0}, NOW)
    assert b'pgw_limited_pushes_total{limit="push.max-series"} 2\n' in [each.text for each in fragments]
    assert b"pgw_expired_groups_total 3\n" in [each.text for each in fragments]
    assert {each.name: each.type for each in fragments} == OWN_TYPES
    page = "".join(write_head(each.name, each.type, each.help) + each.text.decode() for each in fragments)
    parsed = {family.name: family.type for family in text_string_to_metric_families(page)}
    assert set(parsed.values()) == {"gauge", "counter", "summary"}
    assert OWN_TYPES[PUSH_SIZE] is Type.SUMMARY
