"""The bounded memory of what comes in turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pgw.formats.recent import LONGEST_REMEMBERED
from pgw.formats.regulars import EVERY, Regulars


def texts(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def meet_all(regulars: Regulars[bytes], each: list[bytes]) -> int:
    """How many of them were known."""
    known = 0
    for text in each:
        if text in regulars.known:
            known += 1
        else:
            regulars.meet(text, text)
    return known


@given(st.integers(1, 5), st.lists(st.integers(0, 20), max_size=400))
def test_it_holds_no_more_than_its_limit_and_nothing_wrong(limit: int, numbers: list[int]) -> None:
    regulars: Regulars[bytes] = Regulars(limit)
    for number in numbers:
        meet_all(regulars, [b"%d" % number])
        assert len(regulars.known) <= limit
        assert all(text == value for text, value in regulars.known.items())


def test_what_has_a_place_is_known_from_then_on() -> None:
    regulars: Regulars[bytes] = Regulars(10)
    assert [meet_all(regulars, texts(10)) for _ in range(3)] == [0, 10, 10]


def test_of_more_than_it_holds_that_come_in_turn_it_knows_nearly_as_many_as_it_holds() -> None:
    regulars: Regulars[bytes] = Regulars(100)
    meet_all(regulars, texts(200))
    for _ in range(20):
        assert meet_all(regulars, texts(200)) > 80


def test_new_ones_take_the_places_of_old_ones_after_some_pushes() -> None:
    regulars: Regulars[bytes] = Regulars(10)
    meet_all(regulars, texts(10))
    new = [b"new %d" % number for number in range(10)]
    turns = [meet_all(regulars, new) for _ in range(4 * EVERY)]
    assert turns[0] == 0
    assert turns[-1] == 10
    assert regulars.known.keys() == set(new)


def test_long_texts_are_not_remembered() -> None:
    regulars: Regulars[bytes] = Regulars(10)
    meet_all(regulars, [b"x" * LONGEST_REMEMBERED, b"x" * (LONGEST_REMEMBERED + 1)])
    assert regulars.known.keys() == {b"x" * LONGEST_REMEMBERED}
