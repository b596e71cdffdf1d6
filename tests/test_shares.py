"""Which of the workers leave connections to the others, and that they come back."""

from __future__ import annotations

import errno
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pgw.server.protocol import Protocol
from pgw.server.shares import BRIEF_SECONDS, SILENT_NANOSECONDS, SLACK, Shares
from pgw.server.worker import Worker

if TYPE_CHECKING:
    from pgw.server.shares import Share


def workers(*connections: int) -> list[Share]:
    """Workers that live and have so many connections."""
    room = Shares(len(connections))
    begun: list[Share] = []
    for number in connections:
        share = room.share(each.slot for each in begun)
        assert share is not None
        share.live()
        share.note(number)
        begun.append(share)
    return begun


AHEAD = [(SLACK + 1, [0]), (12, [4]), (100, [76]), (100, [100, 99, 76])]
NOT_AHEAD = [(0, [0]), (SLACK, [0]), (SLACK + 1, [1]), (9, [7]), (100, [77]), (100, [100, 99, 98])]


@pytest.mark.parametrize(("mine", "others"), AHEAD)
def test_a_worker_is_ahead_of_one_that_has_a_quarter_and_a_few_less(mine: int, others: list[int]) -> None:
    me, *_ = workers(mine, *others)
    assert me.is_ahead(mine)


@pytest.mark.parametrize(("mine", "others"), NOT_AHEAD)
def test_a_worker_is_not_ahead_of_those_that_have_nearly_as_many(mine: int, others: list[int]) -> None:
    me, *_ = workers(mine, *others)
    assert not me.is_ahead(mine)


def test_a_worker_without_others_is_never_ahead() -> None:
    [me] = workers(10_000)
    assert not me.is_ahead(10_000)


def test_one_that_has_not_begun_to_accept_does_not_count() -> None:
    room = Shares(2)
    me, other = room.share([]), room.share([0])
    assert me is not None
    assert other is not None
    assert not me.is_ahead(100)
    other.live()
    assert me.is_ahead(100)


def test_one_that_has_ended_does_not_count() -> None:
    me, other = workers(100, 0)
    other.end()
    assert not me.is_ahead(100)


def test_one_that_gives_no_sign_of_life_does_not_count_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    me, _ = workers(100, 0)
    now = time.monotonic_ns()
    monkeypatch.setattr(time, "monotonic_ns", lambda: now + SILENT_NANOSECONDS // 2)
    assert me.is_ahead(100)
    monkeypatch.setattr(time, "monotonic_ns", lambda: now + 2 * SILENT_NANOSECONDS)
    assert not me.is_ahead(100)


def test_one_whose_connections_are_brief_is_not_ahead_for_two_seconds() -> None:
    me, _ = workers(100, 0)
    for _ in range(101):
        me.note_end(BRIEF_SECONDS / 2)
    assert not me.is_ahead(100)
    me.live()
    assert not me.is_ahead(100)
    assert me.is_ahead(102), "more have come than were brief"
    me.live()
    assert me.is_ahead(100)


def test_connections_that_lasted_are_no_reason_not_to_be_ahead() -> None:
    me, _ = workers(100, 0)
    for _ in range(1000):
        me.note_end(BRIEF_SECONDS)
    assert me.is_ahead(100)


def test_a_worker_knows_how_long_a_connection_has_lasted() -> None:
    me, _ = workers(100, 0)
    connection = Protocol(SimpleNamespace(cfg=None, log=None, asgi=None))
    worker: Any = SimpleNamespace(connections=set(), share=me, loop=SimpleNamespace(time=lambda: 10.0))
    for began in [10.0 - BRIEF_SECONDS] * 101 + [9.99] * 100:
        connection.began = began
        Worker.connection_ends(worker, connection)
    assert me.is_ahead(100)
    Worker.connection_ends(worker, connection)
    assert not me.is_ahead(100)


def test_workers_that_replace_others_have_room_beside_them_and_more_have_none() -> None:
    room = Shares(2)
    slots: list[int] = []
    for _ in range(4):
        share = room.share(slots)
        assert share is not None
        slots.append(share.slot)
    assert sorted(slots) == [0, 1, 2, 3]
    assert room.share(slots) is None
    again = room.share([0, 1, 3])
    assert again is not None
    assert again.slot == 2


def test_who_takes_the_place_of_another_begins_with_nothing() -> None:
    room = Shares(2)
    me, other = room.share([]), room.share([0])
    assert me is not None
    assert other is not None
    other.note(100)
    other.live()
    successor = room.share([0])
    assert successor is not None
    assert successor.slot == other.slot
    assert not me.is_ahead(100)  # it does not accept yet
    successor.live()
    assert me.is_ahead(100)


async def test_a_worker_that_finds_no_descriptor_to_listen_with_tries_again_later() -> None:
    async def listen() -> None:
        raise OSError(errno.EMFILE, "too many open files")

    later: list[object] = []
    loop = SimpleNamespace(call_later=lambda _seconds, action: later.append(action))
    worker: Any = SimpleNamespace(_listen=listen, _accept=object(), _accept_no_more=lambda: None, loop=loop)
    await Worker._listen_again(worker)
    assert later == [worker._accept]
