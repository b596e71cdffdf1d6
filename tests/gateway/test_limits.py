"""How large one push may be: families, series and label values, each refused by name before Redis is asked."""

from __future__ import annotations

import pytest
from gateways import Replica, replica
from pushes import JOB, group
from servers import RedisServer

from pgw.errors import PushTooLarge
from pgw.gateway.gateway import Gateway
from pgw.gateway.limits import PushLimits
from pgw.telemetry.shared import OWN_TYPES

HISTOGRAM = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="2"} 2\nh_sum 3\nh_count 4\n'  # and +Inf


def limited(one: Replica, limits: PushLimits) -> Replica:
    return one._replace(gateway=Gateway(one.store, one.mirror, own=OWN_TYPES, checked=True, limits=limits))


@pytest.mark.parametrize("verb", ["push", "replace"])
@pytest.mark.parametrize(
    ("limits", "fits", "too_large", "reason"),
    [
        (PushLimits(families=2), 'a{x="1"} 1\na 1\nb 1\n', "a 1\nb 1\nc 1\n", "3 metric families, and the limit is 2"),
        (
            PushLimits(series=3),
            'a{x="1"} 1\na 1\nb 1\n',
            'a{x="1"} 1\na 1\nb 1\nb{x="1"} 1\n',
            "4 series, and the limit",
        ),
        (PushLimits(series=5), HISTOGRAM, f"{HISTOGRAM}a 1\n", r"6 series, and the limit is 5 \(--push.max-series\)"),
        (
            PushLimits(label_value_length=4),
            'a{x="1234",y="\u00e9\u00e9"} 1\n',
            'b 1\na{x="",y="\u00e9\u00e91"} 1\n',
            "the value of the label y of the metric a has 5 bytes, and the limit is 4",
        ),
    ],
)
async def test_a_push_that_is_too_large_is_refused_before_redis_is_asked(  # noqa: PLR0917  a table
    redis_server: RedisServer, verb: str, limits: PushLimits, fits: str, too_large: str, reason: str
) -> None:
    async with replica(redis_server.url) as unlimited:
        one = limited(unlimited, limits)
        await getattr(one, verb)(JOB, fits)
        page = await one.lines()
        asked = dict(one.store.calls)
        with pytest.raises(PushTooLarge, match=reason):
            await getattr(one, verb)(JOB, too_large)
        assert dict(one.store.calls) == asked
        assert await one.lines() == page
        await getattr(unlimited, verb)(JOB, too_large)


async def test_the_values_of_the_grouping_key_are_bounded_too(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as unlimited:
        one = limited(unlimited, PushLimits(label_value_length=3))
        await one.push(group(job="abc"), "a 1\n")
        with pytest.raises(PushTooLarge, match="the label job of the grouping key has 4 bytes, and the limit is 3"):
            await one.push(group(job="abcd"), "a 1\n")
