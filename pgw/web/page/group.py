"""One group: its page, its exposition, and its end.

In: paths that end as those of pushes do: `/group/job/x`, `/raw/job/x`, `/delete/job/x`.
Out: a page that can be shared; text as a scrape shows it; a question and, once it is answered, a redirect.
Never: deletes for another site, or shows a family as a whole that is large.

Each is a sink, as pushes are: only the raw path tells which of its bytes were encoded.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import falcon.asgi

from pgw.errors import BadGroupingKey, StoreError
from pgw.formats.text_writer import write_head
from pgw.gateway.gateway import Gateway
from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.model.group import Fragment, Group
from pgw.model.grouping import GroupingKey
from pgw.web.access import read_login
from pgw.web.elsewhere import redirected
from pgw.web.page.frame import Frame, braces
from pgw.web.page.links import promql
from pgw.web.page.origin import is_same_origin
from pgw.web.page.tables import Table, table
from pgw.web.paths import unescape
from pgw.web.problems import answer
from pgw.web.request import Request
from pgw.web.resource import ALLOW, Page
from pgw.web.site import Site

PATH = r"job(?:@base64)?/"
"""What stands behind `/group/`, `/raw/` and `/delete/`."""
FAMILIES = 25
"""Families on a page."""
FEW, MANY = 10, 100
"""Metrics of a family: among the others of its group, and on a page of its own."""
ALLOW_DELETE = "GET, HEAD, OPTIONS, POST"
MOST_DIGITS = 9
"""Digits of a number in the query that are believed."""


class Groups:
    """Pages of single groups."""

    def __init__(self, gateway: Gateway, frame: Frame) -> None:
        self._gateway = gateway
        self._frame = frame

    async def show(self, req: Request, resp: falcon.asgi.Response | None, **_: object) -> None:
        """Answer with the page of a group. A sink."""
        if resp is None or not _is_read(req, resp) or (key := self._key(req, resp, "/group/")) is None:
            return
        group = await self._read(key, req, resp)
        if group is not None:
            await self._frame.show_large(req, resp, "group.html", await self._values(group, req))

    async def raw(self, req: Request, resp: falcon.asgi.Response | None, **_: object) -> None:
        """Answer with the exposition of a group. A sink."""
        if resp is None or not _is_read(req, resp) or (key := self._key(req, resp, "/raw/")) is None:
            return
        group = await self._gateway.desk.group(key)
        if group is None:
            answer(resp, 404, f"there is no group {braces(key)}")
            return
        resp.content_type = "text/plain; charset=utf-8"
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.data = b"".join(_lines(group.fragments))

    async def delete(self, req: Request, resp: falcon.asgi.Response | None, **_: object) -> None:
        """Ask whether a group is to be deleted, and delete it. A sink."""
        if resp is None:
            return
        if req.method != "POST" and not _is_read(req, resp, ALLOW_DELETE):
            return
        key = self._key(req, resp, "/delete/")
        if key is None:
            return
        question = f"Do you really want to delete all metrics of group {braces(key)}?"
        if req.method != "POST":
            values = {"question": question, "action": self._frame.links.delete(key), "word": "Delete Group"}
            self._frame.show(req, resp, "confirm.html", {**values, "back": self._frame.links.group(key)})
        elif _may_change(self._frame, req, resp):
            req.handler = "delete"
            await self._gateway.delete(key)
            see_other(resp, self._frame.links.home({"notice": "deleted"}))

    def _key(self, request: Request, response: falcon.asgi.Response, kind: str) -> GroupingKey | None:
        """Read the path of a group; answers if it is none."""
        path = unescape(request.scope["raw_path"].partition(b"?")[0])
        if path is None:
            answer(response, 400, "400 Bad Request")
            return None
        if redirected(request, response):
            return None
        try:
            return _read_key(path.removeprefix(self._frame.site.at(kind).encode()), self._frame.site)
        except BadGroupingKey as error:
            self._frame.fail(request, response, 400, "This names no group", str(error))
            return None

    async def _read(self, key: GroupingKey, request: Request, response: falcon.asgi.Response) -> Group | None:
        """Read a group; answers if there is none."""
        try:
            group = await self._gateway.desk.group(key)
        except StoreError as error:
            response.set_header("Retry-After", "1")
            self._frame.fail(request, response, 503, "Redis is away", str(error))
            return None
        if group is None:
            reason = f"There is no group {braces(key)}. It was deleted, or never pushed."
            self._frame.fail(request, response, 404, "No such group", reason)
        return group

    async def _values(self, group: Group, request: Request) -> dict[str, Any]:
        family = request.get_param("family")
        fragments = [each for each in group.fragments if family in (None, each.name)]
        page = max(1, _number(request.get_param("page")))
        pages = max(1, -(-len(fragments) // FAMILIES)) if family is None else 1
        page = min(page, pages)
        shown = fragments[(page - 1) * FAMILIES : page * FAMILIES]
        first, most = (0, FEW) if family is None else (_number(request.get_param("first")), MANY)
        login = read_login(request.get_header("Authorization"))
        pushed = [each for each in group.fragments if each.name not in PUSH_TIMES]
        failed = not group.last_push_successful
        return {
            "group": group,
            "reason": await self._gateway.desk.refusal_of(group.key) if failed else "",
            "key": group.key,
            "tables": await asyncio.to_thread(_tables, shown, group.key, first, most),
            "family": family,
            "page": page,
            "pages": pages,
            "step": most,
            "families": len(pushed),
            "series": sum(each.lines for each in pushed),
            "size": sum(len(each.text) for each in pushed),
            "now": self._gateway.desk.clock(),
            "shell": self._frame.shell(request, login.user if login else ""),
            "promql": lambda table: promql(table.name, table.type, group.key),
        }


class DeleteAll(Page):
    """`/delete-all`, where the admin API is on."""

    def __init__(self, gateway: Gateway, frame: Frame) -> None:
        self._gateway = gateway
        self._frame = frame

    async def on_get(self, request: Request, response: falcon.asgi.Response) -> None:
        """Ask."""
        question = "Do you really want to delete all metrics of all groups?"
        values = {"question": question, "action": self._frame.links.delete_all(), "word": "Delete All Groups"}
        self._frame.show(request, response, "confirm.html", {**values, "back": self._frame.links.home()})

    async def on_options(self, _request: Request, response: falcon.asgi.Response) -> None:
        """Answer with what is allowed."""
        response.set_header("Allow", ALLOW_DELETE)
        response.content_length = 0

    async def on_post(self, request: Request, response: falcon.asgi.Response) -> None:
        """Delete."""
        if _may_change(self._frame, request, response):
            request.handler = "wipe"
            await self._gateway.wipe()
            see_other(response, self._frame.links.home({"notice": "wiped"}))


def see_other(response: falcon.asgi.Response, location: str) -> None:
    """Answer with where to look now."""
    response.status = 303
    response.set_header("Location", location)
    response.content_length = 0


def _tables(fragments: Sequence[Fragment], key: GroupingKey, first: int, most: int) -> list[Table]:
    return [table(fragment, key, first=first, most=most) for fragment in fragments]


def _lines(fragments: Sequence[Fragment]) -> Iterator[bytes]:
    for fragment in sorted(fragments):
        yield write_head(fragment.name, fragment.type, fragment.help).encode()
        yield fragment.text


def _read_key(path: bytes, site: Site) -> GroupingKey:
    """Read a key as pushes do; a group that was pushed while any names were allowed can still be looked at."""
    read: Callable[..., GroupingKey] = GroupingKey.from_path
    try:
        return read(path, utf8_names=site.utf8_names)
    except BadGroupingKey:
        key = read(path, utf8_names=True)
    return key


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) <= MOST_DIGITS else 0


def _is_read(request: Request, response: falcon.asgi.Response, allow: str = ALLOW) -> bool:
    """Tell whether a page is asked for; answers if not."""
    if request.method in ("GET", "HEAD"):
        return True
    response.set_header("Allow", allow)
    if request.method == "OPTIONS":
        response.content_length = 0
    else:
        answer(response, 405, "Method Not Allowed")
    return False


def _may_change(frame: Frame, request: Request, response: falcon.asgi.Response) -> bool:
    """Tell whether a request comes from a page of ours; answers if not."""
    if is_same_origin(request, frame.site.origin):
        return True
    reason = "Only a page of this gateway may ask for that. Programs use DELETE on the path of the group."
    frame.fail(request, response, 403, "Not from here", reason)
    return False
