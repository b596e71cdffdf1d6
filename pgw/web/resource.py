"""What all pages have in common: they answer HEAD like GET, and OPTIONS with what is allowed.

NOTE(pushgateway): the original answers HEAD with 405 everywhere; load balancers and people use it.
"""

import falcon.asgi

from pgw.web.request import Request

ALLOW = "GET, HEAD, OPTIONS"


class Page:
    """A resource that can be read and nothing else."""

    async def on_get(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer with the page."""
        raise NotImplementedError

    async def on_head(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer as GET does; the server leaves the body out."""
        await self.on_get(request, response)

    async def on_options(self, _request: Request, response: falcon.asgi.Response) -> None:
        """Answer with what is allowed."""
        response.set_header("Allow", ALLOW)
        response.content_length = 0
