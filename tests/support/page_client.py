"""The web page of an app, asked without a browser.

In: the client of an app, see apps.py.
Out: pages as trees, and short ways to push and to read a list.
Never: starts a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markup import Element, read_html

if TYPE_CHECKING:
    from apps import Client

HTML = "text/html; charset=utf-8"
OURS = {"Sec-Fetch-Site": "same-origin"}


async def push(client: Client, *groups: str, body: str = "a 1\n", prefix: str = "") -> None:
    """Push to groups, by their paths."""
    for group in groups:
        result = await client.simulate_post(f"{prefix}/metrics/{group}", body=body)
        assert result.status_code == 200, result.text


async def page(client: Client, path: str, status: int = 200) -> Element:
    """A page; it must be one."""
    result = await client.simulate_get(path)
    assert (result.status_code, result.headers["Content-Type"]) == (status, HTML), result.text
    return read_html(result.text)


def rows(found: Element) -> list[str]:
    """The labels of each group of a list."""
    return [link.text for link in found.all("a", class_="group")]


def figures(found: Element) -> dict[str, str]:
    """The overview."""
    [overview] = found.all("dl", class_="overview")
    return {div.one("dt").text: div.one("dd").text for div in overview.all("div")}
