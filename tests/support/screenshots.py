"""The pictures of the web page in docs/img/, taken anew: `make screenshots`.

In: made-up jobs of a small company, some of them late or broken.
Out: one picture for each main state of the page.
Never: looks at a gateway that it did not start.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from ages import set_back
from browsers import Browser, running_browser
from client import HOST
from gateways import Replica, replica
from pushes import KEYS, PREFIX, group
from servers import Program, RedisServer, Server, pgw_command, running_redis, unused_port

from pgw.errors import PushError
from pgw.model.grouping import GroupingKey

IMAGES = Path(__file__).parents[2] / "docs" / "img"
WIDE, TALL, PHONE = (1200, 800), (1200, 960), (390, 844)
HOUR = 3600.0
BACKUP = """\
# HELP backup_duration_seconds How long a step of the backup took.
# TYPE backup_duration_seconds histogram
backup_duration_seconds_bucket{step="dump",le="30"} 1
backup_duration_seconds_bucket{step="dump",le="60"} 9
backup_duration_seconds_bucket{step="dump",le="120"} 31
backup_duration_seconds_bucket{step="dump",le="300"} 42
backup_duration_seconds_bucket{step="dump",le="600"} 45
backup_duration_seconds_bucket{step="dump",le="+Inf"} 46
backup_duration_seconds_sum{step="dump"} 5312.4
backup_duration_seconds_count{step="dump"} 46
# HELP backup_size_bytes What the last backup weighs.
# TYPE backup_size_bytes gauge
backup_size_bytes{disk="sda"} 183400519680
backup_size_bytes{disk="sdb"} 9663676416
# HELP backup_request_seconds Requests to the object store.
# TYPE backup_request_seconds summary
backup_request_seconds{quantile="0.5"} 0.042
backup_request_seconds{quantile="0.99"} 0.913
backup_request_seconds_sum 188.2
backup_request_seconds_count 2310
"""
BUILD = '# TYPE build_seconds gauge\nbuild_seconds{stage="lint"} 12.5\nbuild_seconds{stage="test"} 318\n'


class Made(NamedTuple):
    """A group, and how long ago it was pushed, in seconds."""

    key: GroupingKey
    body: str
    age: float


def groups() -> list[Made]:
    """All groups of the pictures."""
    found = [Made(group(job="backup", instance=f"db-{n}"), BACKUP, n * 1.3 * HOUR) for n in (1, 2)]
    found += [
        Made(group(job="build", instance=f"runner-{n}", branch="main"), BUILD, 40.0 * n * n) for n in range(1, 41)
    ]
    found += [
        Made(group(job="certificates", domain=name), "# TYPE cert_expiry gauge\ncert_expiry 1\n", 11 * HOUR + number)
        for number, name in enumerate(("example.com", "example.org"))
    ]
    found += [
        Made(group(job="billing", tenant=name), "invoices_total 7\n", 30 * HOUR)
        for name in ("acme", "globex", "umbrella")
    ]
    return [*found, Made(group(job="cleaner", path="/var/tmp"), "cleaned_files 12\n", 9 * 24 * HOUR)]


async def fill(redis: RedisServer) -> None:
    """Push all groups, and let them be as old as they are said to be."""
    async with replica(redis.url) as one:
        for made in groups():
            await one.push(made.key, made.body)
            set_back(redis.url, KEYS, made.key, seconds=made.age)
        await _refuse(one)


async def _refuse(one: Replica) -> None:
    with contextlib.suppress(PushError):
        await one.push(group(job="billing", tenant="umbrella"), "invoices_total 8 1700000000000\n")


def take(browser: Browser, site: Server) -> None:
    """Take all pictures."""
    site.post("job/import/tenant/initech", "rows_total 12,5\n")
    site.post("job/build/branch/topic-7/instance/runner-3", BUILD, {"X-Pushgateway-TTL": "2h"})
    browser.wait(lambda: _told(browser, site), "the refusal is told")
    backup = f"{site.url}/group/job/backup/instance/db-1"
    for name, address, scheme, size in (
        ("list", site.url, "light", WIDE),
        ("list-dark", site.url, "dark", WIDE),
        ("group", backup, "light", TALL),
        ("group-dark", backup, "dark", TALL),
        ("search", f'{site.url}/?q={{job=~"b.*",tenant!=""}}&show=stale&older=1d&sort=-age', "light", WIDE),
        ("search-wrong", f"{site.url}/?q={{job=", "light", WIDE),
        ("failed", f"{site.url}/group/job/billing/tenant/umbrella", "light", WIDE),
        ("question", f"{site.url}/delete/job/backup/instance/db-1", "light", WIDE),
        ("status", f"{site.url}/status", "light", WIDE),
        ("list-phone", site.url, "light", PHONE),
        ("group-phone", backup, "dark", PHONE),
    ):
        browser.size(*size)
        browser.prefer(scheme)
        browser.open(address)
        save(browser, name)
    browser.size(*WIDE)
    browser.prefer("light")
    browser.open(site.url)
    browser.click(".groups .delete")
    save(browser, "dialog")


def _told(browser: Browser, site: Server) -> bool:
    browser.open(site.url)
    return bool(browser.all(".reason"))


def save(browser: Browser, name: str) -> None:
    """Save what is to be seen."""
    assert browser.driver.save_screenshot(str(IMAGES / f"{name}.png"))


def main() -> None:
    """Start what is needed, and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="pgw-pictures-"))
    with running_redis() as redis, running_browser() as browser:
        asyncio.run(fill(redis))
        port = unused_port()
        flags = [f"--web.listen-address={HOST}:{port}", f"--redis.url={redis.url}", f"--redis.prefix={PREFIX}"]
        site = Server(Program([*pgw_command(), *flags, "--web.enable-admin-api", "--workers=1"], directory), port)
        try:
            site.start()
            take(browser, site)
        finally:
            site.destroy()
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
