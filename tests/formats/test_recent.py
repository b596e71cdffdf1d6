"""The bounded memory."""

from weakref import WeakSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.formats.recent import Recent


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 9), max_size=5))), st.integers(0, 12))
def test_many_at_once_are_no_more_than_its_limit_and_nothing_wrong(
    steps: list[tuple[bool, list[int]]], limit: int
) -> None:
    recent: Recent[int, str] = Recent(limit)
    for is_update, keys in steps:
        if is_update:
            recent.update({key: str(key) for key in keys})
        else:
            found = recent.find(keys)
            assert len(found) == len(keys)
            assert all(value in (None, str(key)) for key, value in zip(keys, found, strict=True))
        assert len(recent) <= max(2, limit)


def test_many_are_found_in_both_generations() -> None:
    recent: Recent[int, str] = Recent(8)
    recent.update({1: "1", 2: "2"})
    recent.update({3: "3", 4: "4", 5: "5"})
    assert recent.find([1, 5, 6, 2]) == ["1", "5", None, "2"]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9))), st.integers(0, 8))
def test_it_holds_no_more_than_its_limit_and_nothing_wrong(steps: list[tuple[bool, int]], limit: int) -> None:
    recent: Recent[int, str] = Recent(limit)
    for is_put, key in steps:
        if is_put:
            recent.put(key, str(key))
            assert recent.get(key) == str(key)
        else:
            assert recent.get(key) in (None, str(key))
        assert len(recent) <= max(2, limit)


def test_what_is_asked_for_outlives_what_is_not() -> None:
    recent: Recent[str, str] = Recent(4)
    for key in ("hot", "cold", "a", "b"):
        recent.put(key, key)
        recent.get("hot")
    recent.put("c", "c")
    assert recent.get("hot") == "hot"
    assert recent.get("cold") is None


class Held:
    """A value of which is known whether it lives."""


@pytest.mark.parametrize("way", ["put", "update"])
def test_what_is_forgotten_goes_one_by_one_and_never_is_there_more_than_the_limit(way: str) -> None:
    recent: Recent[int, Held] = Recent(200)
    living: WeakSet[Held] = WeakSet()
    counts = []
    for number in range(1_000):
        value = Held()
        living.add(value)
        if way == "update":
            recent.update({number: value})
        else:
            recent.put(number, value)
        counts.append(len(living))
    assert counts[:200] == list(range(1, 201))
    assert set(counts[200:]) == {200}
