"""Paths that lead nowhere, or to a page by another name.

In: a request that no route has taken.
Out: a redirect to the path that was meant, or 404.
Never: guesses further than the original does.
Follows: net/http ServeMux, which cleans empty and dotted segments away with a redirect; httprouter, which redirects to
a route of the same method that differs in a trailing slash or in case: GET with 301, any other method with 307.
"""

from collections.abc import Container, Mapping
from http import HTTPStatus
from urllib.parse import quote

import falcon.asgi

from pgw.web.paths import cleaned
from pgw.web.problems import answer
from pgw.web.request import Request

_AS_IT_IS = "!#$%&'()*+,/:;=?@[]~"
"""What stays as it is in a Location; anything else that is not a letter or a digit is escaped."""


class Elsewhere:
    """Answers what leads nowhere. A sink."""

    def __init__(self, routes: Mapping[str, Container[str]]) -> None:
        """Make it.

        Args:
            routes: the paths of pages, and with a slash at the end the beginnings of paths; and their methods.
        """
        self._routes = {route.lower(): (route, methods) for route, methods in routes.items()}

    async def __call__(self, req: Request, resp: falcon.asgi.Response | None, **_: object) -> None:
        """Answer."""
        if resp is None or redirected(req, resp):
            return
        raw: bytes = req.scope["raw_path"].partition(b"?")[0]
        meant = self._meant(req.method, raw.decode("latin-1"))
        if meant is None:
            answer(resp, 404, "404 page not found")
        else:
            _redirect(req, resp, 301 if req.method == "GET" else 307, meant.encode("latin-1"))

    def _meant(self, method: str, path: str) -> str | None:
        """The path of a page or a group that was meant, as escaped as it came: what it decodes to may be anything."""
        for lowered, (route, methods) in self._routes.items():
            if lowered.endswith("/") and path.lower().startswith(lowered) and len(path) > len(route):
                return route + path[len(route) :] if method in methods else None
        meant, methods = self._routes.get(path.rstrip("/").lower(), (path, ()))
        return meant if method in methods and meant != path else None


def redirected(request: Request, response: falcon.asgi.Response) -> bool:
    """Redirect to the clean path, if the one of the request is not; tell whether that was done."""
    clean = cleaned(request.scope["raw_path"].partition(b"?")[0])
    if clean is not None:
        _redirect(request, response, 307, clean)
    return clean is not None


def _redirect(request: Request, response: falcon.asgi.Response, status: int, path: bytes) -> None:
    query: bytes = request.scope["query_string"]
    response.status = status
    location = quote(path + b"?" + query if query else path, safe=_AS_IT_IS)
    response.set_header("Location", location)
    if request.method not in ("GET", "HEAD"):
        response.content_length = 0
        return
    response.content_type = "text/html; charset=utf-8"
    link = location.replace("&", "&amp;").replace("'", "&#39;")  # quotes and brackets are escaped already
    response.text = f'<a href="{link}">{HTTPStatus(status).phrase}</a>.\n\n'
