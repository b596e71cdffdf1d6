"""One browser for all tests of this folder; each begins with an empty page, and none may leave complaints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsers import WIDE, Browser, running_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server, StartServer


@pytest.fixture(scope="session")
def window() -> Iterator[Browser]:
    """The browser; ask for `browser` instead."""
    with running_browser() as running:
        yield running


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    """A browser as a reader opens it."""
    window.size(*WIDE)
    window.prefer("light")
    window.open("about:blank")
    window.complaints()
    yield window
    assert window.complaints() == []


@pytest.fixture(scope="module")
def running_site(start_for_module: StartServer) -> Server:
    """A gateway with the admin API for the tests of a module; ask for `site` instead."""
    return start_for_module("--web.enable-admin-api")


@pytest.fixture
def site(running_site: Server) -> Server:
    """A gateway with nothing in it."""
    assert running_site.request("PUT", "/api/v1/admin/wipe").status == 202
    return running_site
