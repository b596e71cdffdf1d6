"""The calendar of a view: which groups have to be looked at again, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pgw.gateway.deadlines import Deadlines

NAMES = st.sampled_from("abcde")
STEPS = st.lists(st.one_of(st.tuples(NAMES, st.integers(0, 9)), st.integers(0, 9)), max_size=300)


@given(STEPS)
def test_any_sequence_names_those_whose_moment_has_come_and_no_others(steps: list[tuple[str, int] | int]) -> None:
    calendar, model = Deadlines(), dict[str, int]()
    for step in steps:
        if isinstance(step, tuple):
            name, when = step
            calendar.set(name, when)
            model[name] = when
        else:
            due = calendar.due(step)
            assert len(due) == len(set(due))
            assert set(due) == {name for name, when in model.items() if 0 < when <= step}


def test_a_group_is_named_until_somebody_has_looked_at_it() -> None:
    calendar = Deadlines()
    calendar.set("a", 5)
    assert [calendar.due(4), calendar.due(5), calendar.due(6)] == [[], ["a"], ["a"]]
    calendar.set("a", 7)
    assert [calendar.due(6), calendar.due(7)] == [[], ["a"]]
    calendar.set("a", 0)
    assert calendar.due(9) == []


def test_a_group_that_is_renewed_for_ever_takes_no_more_room() -> None:
    calendar = Deadlines()
    for when in range(1, 10_000):
        calendar.set("a", when)
    assert len(calendar._queue) < 100
