"""The ceiling: a bare Falcon endpoint that reads the body of a push and answers 202, served as pgw is served.

In: an address to listen on and a number of workers.
Out: a server with gunicorn's settings, worker class and connection class of pgw; only what belongs to Redis is left
out.
"""

import sys

import falcon.asgi

from pgw.server.application import Application
from pgw.settings import Settings

LIFE_WITH_REDIS = ("on_starting", "when_ready", "child_exit", "worker_exit", "on_exit")


class Push:
    """The endpoint."""

    async def on_put(self, request: falcon.asgi.Request, response: falcon.asgi.Response, **_: str) -> None:
        """Read the body, and no more."""
        await request.stream.read()
        response.status = 202


class Ready:
    """For whoever waits for the server."""

    async def on_get(self, _request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Say so."""
        response.text = "ready"


class Bare(Application):
    """pgw's server with another app."""

    def load_config(self) -> None:
        """Leave the hooks out."""
        super().load_config()
        for hook in LIFE_WITH_REDIS:
            self.cfg.set(hook, self.cfg.settings[hook].default)

    def load(self) -> object:
        """Make the app."""
        app: falcon.asgi.App[falcon.asgi.Request, falcon.asgi.Response] = falcon.asgi.App()
        app.add_route("/-/ready", Ready())
        app.add_route("/metrics/job/{job}", Push())
        return app


if __name__ == "__main__":
    Bare(Settings.read(sys.argv[1:], {})).run()
