"""Errors as answers: the one table from the tree of errors to HTTP.

In: whatever a responder raised.
Out: a status and a line of plain text, as Go's http.Error writes it.
Never: shows the inside of the program; what was not raised on purpose is logged, and the client learns nothing.
"""

import logging
from collections.abc import Callable
from typing import Any

import falcon
import falcon.asgi

from pgw.errors import (
    BadParameter,
    BodyTooLarge,
    OverLimit,
    PgwError,
    PushError,
    PushTooLarge,
    SelectorError,
    StoreError,
    StoreFull,
)
from pgw.web.request import Request

log = logging.getLogger(__name__)

STATUSES: tuple[tuple[type[PgwError], int], ...] = (
    (PushError, 400),
    (BadParameter, 400),
    (SelectorError, 400),
    (PushTooLarge, 400),
    (BodyTooLarge, 413),
    (StoreFull, 429),  # the same push will do once something else has gone
    (StoreError, 503),
)
RETRY_AFTER = "1"
"""Seconds. Redis is back, or its successor chosen, within a few; and pushes are small."""

Count = Callable[[str], None]


def install(app: "falcon.asgi.App[Any, Any]", count: Count) -> None:
    """Let the app answer errors as this table says, and count each by its kind."""

    async def on_problem(
        request: Request, response: falcon.asgi.Response, problem: PgwError, _params: dict[str, Any]
    ) -> None:
        count(type(problem).__name__)
        if isinstance(problem, OverLimit):
            request.limit = problem.setting  # the middleware counts it
        status = next((status for kind, status in STATUSES if isinstance(problem, kind)), 500)
        if status >= 500:  # noqa: PLR2004  the line between the client's faults and ours
            response.set_header("Retry-After", RETRY_AFTER)
            log.warning("%s", problem)
        else:
            log.debug("%s", problem)
        answer(response, status, str(problem))

    async def on_http_error(
        request: Request, response: falcon.asgi.Response, error: falcon.HTTPError, _params: dict[str, Any]
    ) -> None:
        response.set_headers(error.headers or {})
        status = error.status_code if request.method in falcon.COMBINED_METHODS else 405
        answer(response, status, _GO_TEXTS.get(status, error.title or ""))

    async def on_surprise(
        request: Request, response: falcon.asgi.Response, error: Exception, _params: dict[str, Any]
    ) -> None:
        count("bug")
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        answer(response, 500, "Internal Server Error")

    app.add_error_handler(Exception, on_surprise)
    app.add_error_handler(falcon.HTTPError, on_http_error)
    app.add_error_handler(PgwError, on_problem)


_GO_TEXTS = {404: "404 page not found", 405: "Method Not Allowed", 400: "400 Bad Request"}


def answer(response: falcon.asgi.Response, status: int, reason: str) -> None:
    """Answer with a reason in plain text."""
    response.status = status
    response.set_header("X-Content-Type-Options", "nosniff")
    response.content_type = "text/plain; charset=utf-8"
    response.data = (reason + "\n").encode(errors="surrogateescape")
