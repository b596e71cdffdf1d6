"""The table of routes: which path leads where.

In: the gateway of a worker, what it counts with, and the paths and powers of the site.
Out: the Falcon app.
Never: holds logic of its own.
"""

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

import falcon.asgi

from pgw.gateway.gateway import Gateway
from pgw.telemetry.process import ProcessMetrics
from pgw.web import api, problems
from pgw.web.delete_groups import DeleteGroups
from pgw.web.elsewhere import Elsewhere
from pgw.web.health import Healthy, Processes, Ready
from pgw.web.lifecycle import Quit
from pgw.web.page.frame import Frame
from pgw.web.page.group import PATH as GROUP_PATH
from pgw.web.page.group import DeleteAll, Groups
from pgw.web.page.home import Home
from pgw.web.page.status import Entrance, Status
from pgw.web.push import PATH, Pushes
from pgw.web.request import Request
from pgw.web.scrape import Scrape
from pgw.web.site import Site

App: TypeAlias = "falcon.asgi.App[Any, Any]"


def make_app(
    gateway: Gateway, pushes: Pushes, site: Site, metrics: ProcessMetrics, *, middleware: Iterable[object]
) -> App:
    """Make the app of a worker."""
    parts: list[Any] = list(middleware)
    app: App = falcon.asgi.App(middleware=parts, request_type=Request)
    app.resp_options.default_media_type = None  # type: ignore[assignment]  # an answer without a body has no type
    problems.install(app, metrics.count_problem)
    pages = {
        site.at(site.telemetry_path): Scrape(gateway, metrics.observe_scrape),
        site.at("/-/healthy"): Healthy(),
        site.at("/-/ready"): Ready(gateway),
        site.at("/-/metrics"): Processes(metrics.exposition),
        site.at("/-/quit"): Quit(site.quit),
    }
    api_pages: dict[str, object] = {
        site.at("/api/v1/metrics"): api.Metrics(gateway),
        site.at("/api/v1/status"): api.Status(site.status),
    }
    if site.has_admin_api:
        api_pages[site.at("/api/v1/admin/wipe")] = api.Wipe(gateway)
        api_pages[site.at("/api/v1/admin/delete_groups")] = DeleteGroups(gateway, metrics.count_deleted)
    for path, page in (pages | api_pages).items():
        app.add_route(path, page)
    frame = Frame(site)
    _add_web_page(app, gateway, frame)
    # Of sinks that match, the one that was added last is asked.
    methods = dict.fromkeys((*pages, site.at("/status")), ("GET", "HEAD")) | {
        site.at("/-/quit"): ("GET", "POST", "PUT")
    }
    app.add_sink(Elsewhere({**methods, site.at("/metrics/job/"): ("DELETE", "POST", "PUT")}))
    groups = Groups(gateway, frame)
    for path, sink in {"/group/": groups.show, "/raw/": groups.raw, "/delete/": groups.delete}.items():
        app.add_sink(sink, re.escape(site.at(path)) + GROUP_PATH)
    app.add_sink(api.elsewhere, re.escape(site.at("/api/v1/")))
    app.add_sink(pushes, re.escape(site.prefix) + PATH)
    return app


def _add_web_page(app: App, gateway: Gateway, frame: Frame) -> None:
    site = frame.site
    app.add_route(site.at("/"), Home(gateway.desk, frame))
    if site.prefix:
        app.add_route(site.prefix, Entrance(frame))
    app.add_route(site.at("/status"), Status(frame))
    app.add_route(site.at("/static/{name}"), frame.files)
    if site.has_admin_api:
        app.add_route(site.at("/delete-all"), DeleteAll(gateway, frame))
