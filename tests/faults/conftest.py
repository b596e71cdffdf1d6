"""What the fault tests share: a topology; and a table of verdicts at the end of the run, for the log of CI.

Out: the fixtures `told` and `three_replicas`; the table, whether a test failed or not.
Never: lets a test begin where another one ended: whatever was killed or paused is there again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from topology import running_topology
from verdict import Verdict, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from topology import Topology
    from verdict import Tell

VERDICTS = pytest.StashKey[list[tuple[str, Verdict]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin the table."""
    config.stash[VERDICTS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the table."""
    verdicts = config.stash[VERDICTS]
    if verdicts:
        terminalreporter.section("verdicts of the fault tests")
        terminalreporter.write("\n".join(table(verdicts)) + "\n")


@pytest.fixture
def told(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Tell:
    """Put a verdict into the report, and hand it back."""

    def tell(verdict: Verdict) -> Verdict:
        print(f"\n{verdict}")
        record_property("verdict", str(verdict))
        request.config.stash[VERDICTS].append((request.node.name, verdict))
        return verdict

    return tell


@pytest.fixture(scope="session")
def running_replicas() -> Iterator[Topology]:
    """One topology for all tests that leave it as it was; ask for `three_replicas` instead."""
    with running_topology(workers=2, flags=("--redis.timeout=500ms",)) as topology:
        yield topology


@pytest.fixture
def three_replicas(running_replicas: Topology) -> Topology:
    """The topology of compose/, empty and well; its replicas have two workers and wait half a second for Redis."""
    running_replicas.redis.resume()
    for replica in running_replicas.replicas:
        if not replica.program.is_running:
            replica.start()
    running_replicas.balancer.wait_for("UP")
    assert running_replicas.redis.command("FLUSHALL") == b"+OK"
    return running_replicas
