"""How long work takes the event loop before others come to their turn."""

from __future__ import annotations

import asyncio

import pytest

from pgw.gateway.pace import TURNS, Pace


async def push(done: list[str]) -> None:
    """As many turns as a push takes until it is on its way to Redis."""
    for _ in range(5):
        await asyncio.sleep(0)
    done.append("sent")


async def test_a_push_is_on_its_way_after_one_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgw.gateway.pace.SLICE_SECONDS", 0.0)
    done: list[str] = []
    pushing = asyncio.create_task(push(done))
    await Pace().breathe()
    assert done == ["sent"]
    await pushing


async def test_who_has_not_had_the_loop_for_long_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgw.gateway.pace.SLICE_SECONDS", 60.0)
    done: list[str] = []
    pushing = asyncio.create_task(push(done))
    for _ in range(TURNS):
        await Pace().breathe()
    assert done == []
    await pushing


async def test_each_slice_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 0.002, 0.002, 0.0025, 0.0031])
    monkeypatch.setattr("pgw.gateway.pace.time.perf_counter", lambda: next(moments))
    pace = Pace()
    await pace.breathe()
    assert [pace.is_over(), pace.is_over()] == [False, True]


@pytest.mark.parametrize(("took", "rests"), [(0.002, []), (0.006, [0.002])])
async def test_who_took_much_too_long_lets_redis_answer(
    monkeypatch: pytest.MonkeyPatch, took: float, rests: list[float]
) -> None:
    moments = iter([0.0, took, took])
    monkeypatch.setattr("pgw.gateway.pace.time.perf_counter", lambda: next(moments))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("pgw.gateway.pace.asyncio.sleep", sleep)
    await Pace().breathe()
    assert [seconds for seconds in slept if seconds] == rests
