"""The files beside the pages: a style sheet, a script, a picture.

In: the name of a file, with a piece of its hash in it.
Out: the file, which a browser may keep for ever: another content has another name.
Never: reads a file when it is asked for one.

NOTE(pushgateway): the original serves its files under their own names.
"""

import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple

import falcon.asgi

from pgw.web.problems import answer
from pgw.web.request import Request
from pgw.web.resource import Page

FOR_EVER = "public, max-age=31536000, immutable"
"""A year, which is as long as caches understand."""
HASH_DIGITS = 12
"""Of the hash: 48 bits, so that no two contents of a file ever share a name."""
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
FILES = ("page.css", "page.js", "icon.svg")


class File(NamedTuple):
    """A file as it is sent."""

    content: bytes
    type: str


class Files(Page):
    """`/static/...`."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        names = {}
        for name in FILES:
            content = (resources.files(__package__) / "static" / name).read_bytes()
            stem, _, kind = name.rpartition(".")
            hashed = f"{stem}-{hashlib.sha256(content).hexdigest()[:HASH_DIGITS]}.{kind}"
            self._files[hashed] = File(content, _TYPES[kind])
            names[name] = hashed
        self.names: Mapping[str, str] = names
        """What the files are called in addresses."""

    async def on_get(self, request: Request, response: falcon.asgi.Response, name: str = "") -> None:
        """Answer with a file."""
        request.handler = "static"
        file = self._files.get(name)
        if file is None:
            answer(response, 404, "404 page not found")
            return
        response.content_type = file.type
        response.set_header("Cache-Control", FOR_EVER)
        response.set_header("X-Content-Type-Options", "nosniff")
        response.data = file.content

    async def on_head(self, request: Request, response: falcon.asgi.Response, name: str = "") -> None:
        """Answer as GET does; the server leaves the body out."""
        await self.on_get(request, response, name)

    async def on_options(self, request: Request, response: falcon.asgi.Response, name: str = "") -> None:
        """Answer with what is allowed."""
        del name
        await super().on_options(request, response)
