"""Paths that lead nowhere, or to a page by another name.

In: a request that no route has taken.
Out: a redirect to the path that was meant, or 404.
Never: guesses further than the original does.
Follows: net/http ServeMux, which cleans empty and dotted segments away with a redirect; httprouter, which redirects to
a route that differs in a trailing slash or in case: GET with 301, any other method with 307.
"""

from collections.abc import Iterable
from urllib.parse import quote

import falcon.asgi

from pgw.web.paths import cleaned
from pgw.web.problems import answer

_AS_IT_IS = "!#$%&'()*+,/:;=?@[]~"
"""What stays as it is in a Location; anything else that is not a letter or a digit is escaped."""


class Elsewhere:
    """Answers what leads nowhere. A sink."""

    def __init__(self, routes: Iterable[str]) -> None:
        """Make it.

        Args:
            routes: the paths of pages, and with a slash at the end the beginnings of paths.
        """
        self._routes = {route.rstrip("/").lower(): route.rstrip("/") for route in routes}
        self._beginnings = [route for route in routes if route.endswith("/")]

    async def __call__(self, req: falcon.asgi.Request, resp: falcon.asgi.Response | None, **_: object) -> None:
        """Answer."""
        if resp is None or redirected(req, resp):
            return
        raw: bytes = req.scope["raw_path"].partition(b"?")[0]
        meant = self._meant(raw.decode("latin-1"))
        if meant is None:
            answer(resp, 404, "404 page not found")
        else:
            _redirect(req, resp, 301 if req.method == "GET" else 307, meant.encode("latin-1"))

    def _meant(self, path: str) -> str | None:
        """The path of a page or a group that was meant, as escaped as it came: what it decodes to may be anything."""
        for beginning in self._beginnings:
            if path.lower().startswith(beginning) and len(path) > len(beginning):
                return beginning + path[len(beginning) :]
        meant = self._routes.get(path.rstrip("/").lower())
        return None if meant is None or meant == path else meant


def redirected(request: falcon.asgi.Request, response: falcon.asgi.Response) -> bool:
    """Redirect to the clean path, if the one of the request is not; tell whether that was done."""
    clean = cleaned(request.scope["raw_path"].partition(b"?")[0])
    if clean is not None:
        _redirect(request, response, 307, clean)
    return clean is not None


def _redirect(request: falcon.asgi.Request, response: falcon.asgi.Response, status: int, path: bytes) -> None:
    query: bytes = request.scope["query_string"]
    response.status = status
    location = quote(path + b"?" + query if query else path, safe=_AS_IT_IS)
    response.set_header("Location", location)
    response.content_length = 0
