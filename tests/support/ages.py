"""Groups that were pushed to long ago: their times in Redis are set back, as nobody can wait a day in a test.

In: a group and how many seconds older it is to be.
Out: the same group in Redis, with its push time, its failure time and the times of its families set back.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from pushes import client

from pgw.model.group import MICROSECONDS
from pgw.store.codec import HEADER_FIELD, TIME_DIGITS, TIMED, TIMES_FIELD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgw.model.grouping import GroupingKey
    from pgw.store.keys import Keys

FAILED = 2
"""Where the failure time begins in a header, see codec.py."""


def set_back(url: str, keys: Keys, *groups: GroupingKey, seconds: float) -> None:
    """Make groups older; a time that is 0 stays so, which stands for never."""
    names = [keys.group(each.name) for each in groups]
    with closing(client(url)) as redis, redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hgetall(name)
        for name, stored in zip(names, pipeline.execute(), strict=True):
            pipeline.hset(name, mapping={field: _older(field, stored[field], seconds) for field in stored})
        pipeline.execute()


def _older(field: bytes, value: bytes, seconds: float) -> bytes:
    starts: Sequence[int] = (len(TIMED),) if value.startswith(TIMED) else ()
    if field == HEADER_FIELD:
        starts = (FAILED,)
    if field == TIMES_FIELD:
        starts = range(0, len(value), TIME_DIGITS)
    for start in starts:
        value = _set_back(value, start, round(seconds * MICROSECONDS))
    return value


def _set_back(value: bytes, start: int, microseconds: int) -> bytes:
    moment = int(value[start : start + TIME_DIGITS])
    shown = f"{moment and moment - microseconds:0{TIME_DIGITS}}".encode()
    return value[:start] + shown + value[start + TIME_DIGITS :]
