"""`/`: the list of groups and how they are.

In: what is looked for, in the query: `q`, `show`, `older`, `sort`, `page`.
Out: one page of the list.
Never: fails because of a query that makes no sense; it says so beside the box and shows all.

NOTE(pushgateway): the original shows every metric of every group here, at once.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import falcon.asgi

from pgw.durations import read_duration
from pgw.errors import SelectorError, StoreError
from pgw.gateway.catalogue import Entry
from pgw.gateway.desk import Desk
from pgw.gateway.listing import Only, Order, Query
from pgw.model.grouping import GroupingKey
from pgw.web.page.frame import Frame, brief
from pgw.web.page.words import shortened
from pgw.web.request import Request
from pgw.web.resource import Page

STALE = "1d"
"""What counts as stale unless something else is said: most jobs run daily or more often."""
NOTICES = {"deleted": "The group was deleted.", "wiped": "All groups were deleted."}
"""What a page that was redirected to may say."""
MOST_PAGES_DIGITS = 9
"""Digits of a page number that are believed."""


class Asked(NamedTuple):
    """What the query says, as it was written, so that the form shows it again."""

    q: str
    show: str
    older: str
    sort: str
    page: int

    def link(self, **changes: object) -> dict[str, str]:
        """The query of a link that changes something; what is as it is by default is left out."""
        changed = self._replace(page=1)._replace(**changes)  # type: ignore[arg-type]
        default = {"show": Only.ALL.value, "sort": Order.NAME.value, "older": STALE, "page": "1"}
        values = {name: str(value) for name, value in changed._asdict().items()}
        return {name: value for name, value in values.items() if value != default.get(name)}


class Row(NamedTuple):
    """A group in the list."""

    key: GroupingKey
    labels: list[tuple[str, str]]
    entry: Entry


class Home(Page):
    """The list of groups."""

    def __init__(self, desk: Desk, frame: Frame) -> None:
        self._desk = desk
        self._frame = frame

    async def on_get(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer with a page of the list."""
        asked = _asked(request)
        query, problems = _query(asked)
        try:
            listing, overview = await self._desk.listing(query)
        except StoreError as error:
            response.set_header("Retry-After", "1")
            self._frame.fail(request, response, 503, "Redis is away", str(error))
            return
        values: Mapping[str, Any] = {
            "asked": asked,
            "problems": problems,
            "listing": listing,
            "rows": list(map(_row, listing.entries)),
            "overview": overview,
            "failure": overview.failure,
            "failed": overview.failure and GroupingKey.from_name(overview.failure.group),
            "now": overview.now,
            "notice": NOTICES.get(request.get_param("notice") or ""),
        }
        self._frame.show(request, response, "home.html", values)


def _asked(request: Request) -> Asked:
    def given(name: str) -> str:
        return (request.get_param(name) or "").strip()

    page = given("page")
    return Asked(
        given("q"),
        given("show") or Only.ALL.value,
        given("older") or STALE,
        given("sort") or Order.NAME.value,
        int(page) if page.isdecimal() and len(page) <= MOST_PAGES_DIGITS else 1,
    )


def _query(asked: Asked) -> tuple[Query, Mapping[str, str]]:
    """Read what was asked; what cannot be read is left out, and told by the name of its field."""
    problems = {"q": "", "older": ""}
    query = Query()
    try:
        query = Query.read(asked.q)
    except SelectorError as error:
        problems["q"] = str(error)
    try:
        stale_after = read_duration(asked.older)
    except ValueError:
        stale_after = math.inf
        problems["older"] = f"{shortened(asked.older)!r} is not a duration such as 30m, 12h or 7d"
    only = Only(asked.show) if asked.show in set(Only) else Only.ALL
    if only is Only.STALE and problems["older"]:
        only = Only.ALL
    sort = asked.sort.removeprefix("-")
    order = Order(sort) if sort in set(Order) else Order.NAME
    reverse = asked.sort.startswith("-")
    return query._replace(only=only, stale_after=stale_after, order=order, reverse=reverse, page=asked.page), problems


def _row(entry: Entry) -> Row:
    key = GroupingKey.from_name(entry.name)
    return Row(key, brief(key), entry)
