"""What the fault tests share: a table of verdicts at the end of the run, so that the log of CI shows it.

Out: the fixture `told`; the table, whether a test failed or not.
Never: starts anything; loaded_topology (load.py) does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from verdict import Verdict, table

if TYPE_CHECKING:
    from collections.abc import Callable

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
