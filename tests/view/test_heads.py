"""Which type and help a family is shown with, out of what its groups say."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.model.family import Type
from pgw.view.heads import Head, Vote

VOTES = st.builds(
    Vote,
    type=st.sampled_from([Type.GAUGE, Type.COUNTER]),
    help=st.none() | st.sampled_from(["", "a", "b", "long"]),
    unchecked=st.booleans(),
    silent=st.booleans(),
)


def vote(text: str | None, kind: Type = Type.GAUGE, *, unchecked: bool = False, silent: bool = False) -> Vote:
    return Vote(kind, text, unchecked, silent)


def head_of(votes: list[Vote]) -> Head:
    head = Head()
    for each in votes:
        head.add(each)
    return head


@given(st.lists(VOTES, min_size=1), st.data())
def test_the_winner_does_not_depend_on_the_order_of_votes(votes: list[Vote], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(votes))
    one, other = head_of(votes).winner(), head_of(shuffled).winner()
    assert (one.type, one.help) == (other.type, other.help)


@given(st.lists(VOTES, min_size=1), st.lists(VOTES))
def test_a_vote_that_is_taken_back_was_never_there(votes: list[Vote], others: list[Vote]) -> None:
    head = head_of(votes + others)
    for each in others:
        head.remove(each)
    plain = head_of(votes)
    assert (head.winner().type, head.winner().help) == (plain.winner().type, plain.winner().help)
    assert (head.contested, head.silent) == (plain.contested, plain.silent)
    for each in votes:
        assert head
        head.remove(each)
    assert not head
    assert not head.contested


@given(st.lists(VOTES, min_size=1))
def test_the_winner_is_a_vote_and_has_a_help_if_any_has(votes: list[Vote]) -> None:
    winner = head_of(votes).winner()
    assert winner in votes
    assert (winner.help is None) == all(each.help is None for each in votes)


TABLE = [
    ([vote(None), vote(None), vote("a")], "a"),
    ([vote(None), vote("")], ""),
    ([vote("b"), vote("b"), vote("a")], "b"),
    ([vote("b"), vote("a")], "a"),
    # Counted by the help alone, whatever else the groups say.
    ([vote("a"), vote("a"), vote("b", unchecked=True), vote("b", silent=True), vote("b", Type.COUNTER)], "b"),
    ([vote("")], ""),
    ([vote(None)], None),
]


@pytest.mark.parametrize(("votes", "expected"), TABLE)
def test_the_help_is_the_most_frequent_then_the_first_by_name(votes: list[Vote], expected: str | None) -> None:
    assert head_of(votes).winner().help == expected


def test_of_equal_helps_the_type_with_the_lowest_number_wins() -> None:
    assert head_of([vote("a", Type.GAUGE), vote("a", Type.COUNTER)]).winner().type is Type.COUNTER


def test_what_the_gateway_says_overrules_all_groups() -> None:
    head = head_of([vote("a"), vote("a")])
    head.own = vote("own", Type.COUNTER)
    assert head.winner() == head.own
    head.own = None
    assert head.winner().help == "a"


def test_a_head_is_silent_while_no_group_has_samples() -> None:
    head = head_of([vote("a", silent=True)])
    assert head.silent
    head.add(vote("a"))
    assert not head.silent
    only_own = Head()
    assert not only_own
    only_own.own = vote("own")
    assert only_own
    assert not only_own.silent


def test_equal_votes_are_kept_once() -> None:
    head = Head()
    first = head.add(vote("a"))
    assert head.add(vote("a")) is first
    assert Counter(head._votes) == {first: 2}
