"""A slice of `make fuzz`: requests of a hostile client, which must all be answered and harm nothing."""

from collections.abc import Callable

from servers import Server
from storm import storm

SLICE = 5_000
"""Requests: a few seconds. `make fuzz` sends a million."""


def test_hostile_requests_are_answered_and_harm_nothing(gateway: Callable[..., Server]) -> None:
    statuses = storm(gateway(), SLICE, seed=20261121)

    assert statuses.total() == SLICE
    assert statuses[200] > SLICE / 20
    assert statuses[400] > SLICE / 10
