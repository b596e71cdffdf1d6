"""What the tests of commands share: an environment that says nothing about pgw."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from the environment of the tests; not for all of this folder, as PGW_COMMAND is among them."""
    for name in [name for name in os.environ if name.startswith("PGW_")]:
        monkeypatch.delenv(name)
