"""The web page behind a route prefix and behind a password; and its looks: contrast in the light and in the dark."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import bcrypt
import pytest
from client import HOST
from servers import Program, Server, pgw_command, stop_all, unused_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from browsers import Browser

PATHS = ("/", "/?q={&older=x&notice=deleted", "/group/job/j/instance/i/other/o", "/group/job/broken", "/status")
HISTOGRAM = '# HELP h Help.\n# TYPE h histogram\nh_bucket{a="b",le="1"} 1\nh_sum{a="b"} 1\nh_count{a="b"} 2\n'

CONTRASTS = """
const channels = (color) => color.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const linear = (each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4;
  const [x, y, z] = [r, g, b].map((each) => linear(each / 255));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const ground = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const found = channels(getComputedStyle(each).backgroundColor);
    if (found.length < 4 || found[3] > 0) return found;
  }
  return [255, 255, 255];
};
const low = [];
for (const element of document.querySelectorAll("body *")) {
  const hasText = [...element.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
  if (!hasText || !element.checkVisibility() || element.disabled) continue;
  const [a, b] = [light(channels(getComputedStyle(element).color)), light(ground(element))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < 4.5) low.push(`${element.tagName}.${element.className} ${contrast.toFixed(2)} ${element.textContent}`);
}
return low;
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a gateway that answers `/-/ready` otherwise than others do."""
    servers: list[Server] = []

    def start(*flags: str, ready: str, status: int) -> Server:
        port = unused_port()
        words = [f"--web.listen-address={HOST}:{port}", f"--storage.path={tmp_path / 'storage'}", "--workers=1"]
        server = Server(Program([*pgw_command(), *words, *flags], tmp_path), port)
        servers.append(server)
        server.program.start()
        wait_until(lambda: server.status_of(ready) == status, f"it is ready, see {server.program.log_path}")
        return server

    yield start
    stop_all(servers)
    for server in servers:
        server.destroy()


def test_everything_works_below_a_route_prefix(browser: Browser, started: Callable[..., Server]) -> None:
    flags = ("--web.external-url=http://nowhere.example/push", "--web.route-prefix=/push")
    site = started(*flags, ready="/push/-/ready", status=200)
    for job in ("a", "b"):
        assert site.request("POST", f"/push/metrics/job/{job}", b"x 1\n").status == 200
    browser.open(f"{site.url}/push")
    browser.write("#q", '"b"')
    browser.wait(lambda: browser.texts("a.group") == ['job="b"'], "the search works")
    browser.click("a.group")
    assert browser.driver.current_url == f"{site.url}/push/group/job/b"
    browser.click("#delete")
    browser.click("dialog .danger")
    browser.wait(lambda: browser.texts("a.group") == ['job="a"'], "it is deleted")
    assert browser.driver.current_url == f"{site.url}/push/?notice=deleted"


def test_a_password_is_asked_for_once(browser: Browser, started: Callable[..., Server], tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(b"wonder land", bcrypt.gensalt(4)).decode()
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users: {{alice: {hashed}}}\n")
    site = started(f"--web.config.file={config}", ready="/-/healthy", status=401)
    browser.open(site.url)
    assert browser.all("#q") == []
    browser.open(site.url.replace("//", "//alice:wonder%20land@"))
    assert browser.texts(".nothing") == ["Nothing was pushed yet."]
    token = base64.b64encode(b"alice:wonder land").decode()
    pushed = site.request("POST", "/metrics/job/j", b"x 1\n", {"Authorization": f"Basic {token}"})
    assert pushed.status == 200
    browser.write("#q", '"j"')
    browser.wait(lambda: browser.texts("a.group") == ['job="j"'], "the search works")
    browser.click("a.group")
    assert "-u alice " in (browser.all("button.copy")[1].get_attribute("data-copy") or "")
    browser.click("#delete")
    browser.click("dialog .danger")
    browser.wait(lambda: browser.texts(".nothing") == ["Nothing was pushed yet."], "it is deleted")
    assert [each for each in browser.complaints() if "401" not in each] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_told_from_its_ground(browser: Browser, site: Server, scheme: str) -> None:
    assert site.post("job/j/instance/i/other/o", HISTOGRAM).status == 200
    assert site.post("job/broken", "a 1 1\n").status == 400
    browser.prefer(scheme)
    is_dark = browser.run("return matchMedia('(prefers-color-scheme: dark)').matches")
    assert is_dark == (scheme == "dark")
    for path in (
        "/",
        "/?q={&older=x&notice=deleted",
        "/group/job/j/instance/i/other/o",
        "/group/job/broken",
        "/status",
    ):
        browser.open(site.url + path)
        assert browser.run(CONTRASTS) == []
    browser.click("header nav a")
    browser.click(".groups .delete")
    assert browser.run(CONTRASTS) == []
