"""A marker: a group whose number tells up to where a store was set back.

In: the replicas after it was; before, `marker 1` and then `marker 2` and `lost 1` were pushed.
Out: nothing, or a failed test.
Never: pushes; a test knows when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topology import Topology

MARKER = 'marker{{instance="",job="marker"}} {}'
LOOKS = 4
"""At each replica: a connection reaches any of its workers."""


def shown(topology: Topology, number: int) -> list[bool]:
    """For each look whether the marker has this number."""
    return [MARKER.format(number) in replica.scrape().lines for replica in topology.replicas * LOOKS]


def require_set_back(topology: Topology) -> None:
    """All show the first marker, and nothing that came with the second."""
    for replica in topology.replicas * LOOKS:
        lines = replica.scrape().lines
        assert MARKER.format(1) in lines
        assert not [line for line in lines if line.startswith("lost")]
