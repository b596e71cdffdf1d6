"""Our gateway and Debian's, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from original import Pair

if TYPE_CHECKING:
    from servers import Server


@pytest.fixture
def pair(shared_gateway: Server, running_pushgateway: Server) -> Pair:
    """Both with default settings and without groups."""
    running_pushgateway.delete_all_groups()
    return Pair(shared_gateway, running_pushgateway)
