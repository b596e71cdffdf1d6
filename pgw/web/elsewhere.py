"""Paths that lead nowhere, or to the same page by another name.

In: a request that no route has taken.
Out: a redirect to the path that was meant, or 404.
Never: guesses further than the original does.
Follows: net/http ServeMux: empty and dotted segments are cleaned away with a redirect, whatever the method.
"""

import falcon.asgi

from pgw.web.paths import cleaned
from pgw.web.problems import answer


async def elsewhere(req: falcon.asgi.Request, resp: falcon.asgi.Response | None, **_: object) -> None:
    """Answer a request that leads nowhere. A sink."""
    if resp is not None and not redirected(req, resp):
        answer(resp, 404, "404 page not found")


def redirected(request: falcon.asgi.Request, response: falcon.asgi.Response) -> bool:
    """Redirect to the clean path, if the one of the request is not; tell whether that was done."""
    clean = cleaned(request.scope["raw_path"].partition(b"?")[0])
    if clean is None:
        return False
    query: bytes = request.scope["query_string"]
    response.status = 307
    response.set_header("Location", (clean + b"?" + query if query else clean).decode("latin-1"))
    response.content_length = 0
    return True
