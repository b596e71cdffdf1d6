"""What all pages for people have in common: the templates, the headers, and what every template may ask.

In: the name of a template and its values.
Out: HTML, compressed where the browser likes it.
Never: lets anything through unescaped, or lets a page run what is not ours: no inline script, no inline style.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import falcon.asgi
import jinja2
from isal import isal_zlib

from pgw import __version__
from pgw.formats.negotiation import GZIP, choose_encoding
from pgw.model.grouping import GroupingKey
from pgw.model.names import is_label_name, quoted
from pgw.view.deflate import GZIP_FORM, LEVEL
from pgw.web.page import words
from pgw.web.page.files import Files
from pgw.web.page.links import Links, Shell
from pgw.web.request import Request
from pgw.web.site import Site

HTML = "text/html; charset=utf-8"
HANDLER = "status"
"""What these pages are counted as, as the one page of the original is."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # not less: browsers then leave out the Origin that deletes are judged by
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
WORTH_COMPRESSING = 1 << 10
"""Bytes; less fits a packet anyway."""


class Frame:
    """Makes pages of templates."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.links = Links(site.base)
        self.files = Files()
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader(__package__),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals.update(
            links=self.links, names=self.files.names, version=__version__, words=words, site=site
        )
        self._templates.globals.update(braces=braces, brief=brief)
        for name in self._templates.list_templates():
            self._templates.get_template(name)  # takes 30 ms, which no push should wait for later

    async def show_large(
        self, request: Request, response: falcon.asgi.Response, template: str, values: Mapping[str, Any]
    ) -> None:
        """Answer with a page that takes long to make; it is made in a thread."""
        await asyncio.to_thread(self.show, request, response, template, values)

    def show(
        self,
        request: Request,
        response: falcon.asgi.Response,
        template: str,
        values: Mapping[str, Any],
        *,
        status: int = 200,
    ) -> None:
        """Answer with a page; headers that --web.config.file has set stay as they are."""
        request.handler = request.handler or HANDLER
        body = self._templates.get_template(template).render(values).encode(errors="replace")
        response.status = status
        response.content_type = HTML
        for name, value in HEADERS.items():
            if response.get_header(name) is None:
                response.set_header(name, value)
        if len(body) >= WORTH_COMPRESSING and choose_encoding(request.get_header("Accept-Encoding")) == GZIP:
            response.set_header("Content-Encoding", GZIP)
            body = isal_zlib.compress(body, LEVEL, GZIP_FORM)
        response.data = body

    def fail(self, request: Request, response: falcon.asgi.Response, status: int, title: str, reason: str) -> None:
        """Answer that it is not to be had."""
        self.show(request, response, "problem.html", {"title": title, "reason": reason}, status=status)

    def shell(self, request: Request, user: str) -> Shell:
        """What the commands are made of that a page offers."""
        host = request.get_header("Host") or "localhost"
        return Shell(self.links, self.site.origin or f"{request.scheme}://{host}", user)


def brief(key: GroupingKey) -> list[tuple[str, str]]:
    """The labels of a group as a list shows them."""
    return [(words.shortened(name), words.shortened(value)) for name, value in key.ordered]


def braces(key: GroupingKey) -> str:
    """A group in one notation: `{job="j", instance="i"}`; what cannot be printed, or turns text around, is escaped."""
    return "{" + ", ".join(f"{_name(name)}={quoted(value)}" for name, value in key.ordered) + "}"


def _name(name: str) -> str:
    return name if is_label_name(name) else quoted(name)
