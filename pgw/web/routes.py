"""The table of routes: which path leads where.

In: the gateway of a worker and what it counts with.
Out: the Falcon app.
Never: holds logic of its own.
"""

from typing import Any, TypeAlias

import falcon.asgi

from pgw.gateway.gateway import Gateway
from pgw.telemetry.process import ProcessMetrics
from pgw.telemetry.shared import Tally
from pgw.web import problems
from pgw.web.elsewhere import elsewhere
from pgw.web.health import Healthy, Processes, Ready
from pgw.web.middleware import Counting, Life
from pgw.web.push import PATH, Pushes
from pgw.web.scrape import Scrape

App: TypeAlias = "falcon.asgi.App[Any, Any]"


def make_app(gateway: Gateway, *, tally: Tally, metrics: ProcessMetrics, life: Life, max_body_size: int) -> App:
    """Make the app of a worker."""
    middleware: list[Any] = [Counting(tally), life]
    app: App = falcon.asgi.App(middleware=middleware)
    app.resp_options.default_media_type = None  # type: ignore[assignment]  # an answer without a body has no type
    problems.install(app, metrics.count_problem)
    app.add_route("/metrics", Scrape(gateway, metrics.observe_scrape))
    app.add_route("/-/healthy", Healthy())
    app.add_route("/-/ready", Ready(gateway))
    app.add_route("/-/metrics", Processes(metrics.exposition))
    app.add_sink(elsewhere)
    app.add_sink(Pushes(gateway, max_body_size=max_body_size), PATH)
    return app
