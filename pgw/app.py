"""The composition root: Settings -> Store -> Gateway -> Falcon app. The one place that knows all parts.

In: settings.
Out: the app of a worker; or a store, for commands that only look.
Never: connects to anything unless asked to; the app connects when a worker starts, after the fork.
"""

import logging
import os
import platform
import signal
import time

from pgw import __version__, embedded
from pgw.errors import SettingError, StoreError, StoreRefused
from pgw.formats.json_writer import status_json
from pgw.formats.moments import rfc3339
from pgw.formats.numbers import format_float
from pgw.formats.text_writer import write_head
from pgw.gateway.gateway import Gateway
from pgw.gateway.lifetime import Lifetimes, microseconds
from pgw.gateway.mirror import Mirror
from pgw.gateway.pulse import Pulse
from pgw.settings import Settings
from pgw.store.base import Limits, Store
from pgw.store.redis_store import RedisStore
from pgw.store.writer import Confirmation
from pgw.telemetry.process import SHARED_DIRECTORY, ProcessMetrics
from pgw.telemetry.shared import OWN_TYPES, OwnFamilies, Tally
from pgw.view.view import View
from pgw.web.access import access_middleware
from pgw.web.middleware import Counting, Life
from pgw.web.push import Pushes
from pgw.web.routes import App, make_app
from pgw.web.site import Site
from pgw.web_config import ConfigFile

log = logging.getLogger(__name__)

BUILD_INFORMATION = {
    "branch": "",
    "buildDate": "",
    "buildUser": "",
    "goVersion": "",  # what the status page of the original shows; clients read the keys
    "pythonVersion": platform.python_version(),
    "revision": "",
    "version": __version__,
}


def create_app(settings: Settings) -> App:
    """Make the app of a worker."""
    store = open_store(settings)
    tally, metrics = Tally(), ProcessMetrics(os.environ.get(SHARED_DIRECTORY))
    own = OwnFamilies(version=__version__, number=format_float)
    mirror = Mirror(store, View(write_head), own, linger=microseconds(settings.ttl_linger))
    replica = f"{platform.node()}:{os.getppid()}"  # the master, whose child a worker is
    pulse = Pulse(store, mirror, tally, metrics, replica=replica)
    lifetimes = Lifetimes(settings.ttl_rules, settings.ttl, settings.ttl_max)
    gateway = Gateway(
        store,
        mirror,
        own=OWN_TYPES,
        checked=settings.check_consistency,
        lifetimes=lifetimes,
        limits=settings.push_limits,
    )
    pushes = Pushes(
        gateway, prefix=settings.prefix, max_body_size=settings.max_body_size, utf8_names=settings.utf8_names
    )

    async def stop() -> None:
        await pulse.stop()
        await store.close()

    web_config = ConfigFile(settings.web_config_file) if settings.web_config_file else None
    middleware = [Counting(tally), *access_middleware(web_config), Life(pulse.start, stop)]
    return make_app(gateway, pushes, _site(settings), metrics, middleware=middleware)


def _site(settings: Settings) -> Site:
    status = status_json(BUILD_INFORMATION, settings.flags(), rfc3339(time.time_ns() // 1000))
    return Site(
        settings.prefix,
        settings.telemetry_path,
        base=settings.page_prefix,
        origin=settings.external_origin,
        utf8_names=settings.utf8_names,
        has_admin_api=settings.enable_admin_api,
        quit=_stop_server if settings.enable_lifecycle else None,
        status=status,
    )


def _stop_server() -> None:
    """Ask the master, whose child a worker is, to stop the server as SIGTERM does: gracefully."""
    os.kill(os.getppid(), signal.SIGTERM)


def from_environment() -> App:
    """Make the app for a server that was started without us, from the environment."""
    return create_app(Settings.read([], os.environ))


async def greet_store(settings: Settings) -> None:
    """Ask Redis once whether it lets us in. One that is away, or not ready, may come later: that is only logged.

    Raises:
        SettingError: it does not, and never will with these settings.
    """
    store = open_store(settings)
    try:
        await store.greet()
    except StoreRefused as error:
        raise SettingError("--redis.url", str(settings.redis_place), f"a Redis that can be used: {error}") from error
    except StoreError as error:
        log.warning("%s; pushes and scrapes are answered with 503 until it can be", error)
    finally:
        await store.close()


def open_store(settings: Settings) -> Store:
    """Make the store that the settings name: a Redis of the user's, or the private one.

    Raises:
        SettingError: the URL is of no form that is known.
    """
    url = settings.redis_url or embedded.url(settings.storage_path)
    confirmation = Confirmation(settings.redis_wait_replicas, settings.redis_wait_timeout)
    try:
        return RedisStore(
            url,
            prefix=settings.redis_prefix,
            timeout=settings.redis_timeout,
            confirmation=confirmation,
            linger=microseconds(settings.ttl_linger),
            limits=Limits(settings.store_max_series, settings.store_max_groups, settings.store_max_groups_per_job),
        )
    except ValueError as error:
        raise SettingError("--redis.url", settings.redis_place or url, f"a Redis URL ({error})") from error
