"""The page of one group, and hostile labels, in a real browser."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hostile_labels import HOSTILE

from pgw.model.grouping import GroupingKey
from pgw.model.names import escape_help, escape_value
from pgw.web.page.links import segments

if TYPE_CHECKING:
    from browsers import Browser
    from servers import Server

GROUP = "job/backup/path@base64/L3Zhci90bXA/instance/it's"
PERMISSIONS = ["clipboardReadWrite", "clipboardSanitizedWrite"]
LABELS = ['job="backup"', 'instance="it\'s"', 'path="/var/tmp"']
BODY = """\
# HELP took_seconds How long it took.
# TYPE took_seconds histogram
took_seconds_bucket{step="dump",le="1"} 2
took_seconds_bucket{step="dump",le="5"} 12
took_seconds_bucket{step="dump",le="+Inf"} 16
took_seconds_sum{step="dump"} 40.5
took_seconds_count{step="dump"} 16
# TYPE calls summary
calls{quantile="0.5"} 0.25
calls_sum 100
calls_count 300
# TYPE size_bytes gauge
size_bytes{disk="a"} 123456789
"""


def open_group(browser: Browser, site: Server) -> None:
    """Push, and open the group from the list, as a reader does."""
    assert site.post(GROUP, BODY).status == 200
    browser.open(site.url)
    browser.click(".groups a.group")


def copied(browser: Browser, site: Server, title: str) -> str:
    """What is on the clipboard once the button of this title was clicked."""
    browser.command("Browser.grantPermissions", origin=site.url, permissions=PERMISSIONS)
    button = next(each for each in browser.all("button.copy") if each.text == title)
    button.click()
    browser.wait(lambda: button.text == "Copied", "the button says so")
    return str(browser.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])"))


def in_shell(command: str) -> None:
    subprocess.run(["sh", "-c", command], check=True, timeout=30)


def test_a_group_shows_all_its_families(browser: Browser, site: Server) -> None:
    open_group(browser, site)
    assert browser.texts("h1 .badge") == LABELS
    names = ["calls", "size_bytes", "took_seconds", "push_time_seconds", "push_failure_time_seconds"]
    assert browser.texts("summary h2") == names
    assert browser.texts(".type") == ["SUMMARY", "GAUGE", "HISTOGRAM", "GAUGE", "GAUGE"]
    assert browser.texts(".help")[0] == "How long it took."
    assert browser.texts(".value")[0] == "123456789"
    assert browser.texts(".parts tr")[:3] == ["Quantile 0.5 0.25", "Sample Count 300", "Sample Sum 100"]
    assert browser.texts(".buckets tbody tr") == ["≤ 1 2 2", "≤ 5 12 10", "≤ +Inf 16 4"]
    widths = [each.size["width"] for each in browser.all(".bar rect")]
    whole = browser.one(".bar").size["width"]
    assert [round(width / whole, 1) for width in widths] == [0.2, 1.0, 0.4]
    browser.click("summary")
    assert not browser.one(".parts").is_displayed()


def test_a_group_can_be_shared_by_its_address(browser: Browser, site: Server) -> None:
    open_group(browser, site)
    address = browser.driver.current_url
    browser.open("about:blank")
    browser.open(address)
    assert browser.texts("h1 .badge") == LABELS
    browser.driver.find_element("link text", "Raw exposition").click()
    line = 'size_bytes{disk="a",instance="it\'s",job="backup",path="/var/tmp"} 1.23456789e+08'
    assert line in browser.one("body").text
    assert [each for each in browser.complaints() if "/favicon.ico" not in each] == []  # text has no icon of ours


def test_a_copied_command_deletes_the_group(browser: Browser, site: Server) -> None:
    open_group(browser, site)
    in_shell(copied(browser, site, "Copy curl to delete"))
    browser.driver.refresh()
    assert browser.texts("h1") == ["No such group"]
    assert [each for each in browser.complaints() if "404" not in each] == []


def test_a_copied_command_pushes_the_group_again(browser: Browser, site: Server) -> None:
    open_group(browser, site)
    before = pushed_at(browser)
    raw = site.get(f"/raw/{GROUP}").text
    in_shell(copied(browser, site, "Copy curl to push again"))
    browser.driver.refresh()
    assert pushed_at(browser) > before
    assert without_push_times(site.get(f"/raw/{GROUP}").text) == without_push_times(raw)


def pushed_at(browser: Browser) -> str:
    return browser.one("dd time").get_attribute("datetime") or ""


def without_push_times(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("push_time_seconds{")]


def test_copying_works_where_the_clipboard_is_not_for_pages(browser: Browser, site: Server) -> None:
    open_group(browser, site)
    browser.run("navigator.clipboard.writeText = () => Promise.reject(new Error('not for you'))")
    assert copied(browser, site, "Copy PromQL").startswith("calls{")


def test_the_promql_of_a_family_is_copied(browser: Browser, site: Server) -> None:
    open_group(browser, site)
    assert copied(browser, site, "Copy PromQL") == """calls{instance="it's",job="backup",path="/var/tmp"}"""


def test_a_group_is_deleted_from_its_page_once_it_is_confirmed(browser: Browser, site: Server) -> None:
    open_group(browser, site)
    browser.click("#delete")
    browser.click("dialog .cancel")
    assert browser.texts("h1 .badge") == LABELS
    browser.click("#delete")
    browser.click("dialog .danger")
    browser.wait(lambda: browser.texts(".notice") == ["The group was deleted."], "the list says so")
    assert browser.texts(".nothing") == ["Nothing was pushed yet."]


def test_the_status_shows_flags(browser: Browser, site: Server) -> None:
    browser.open(site.url)
    browser.driver.find_element("link text", "Status").click()
    assert browser.texts("h2") == ["Runtime Information", "Build Information", "Startup Flags"]
    assert "web.enable-admin-api true" in browser.texts("tr")
    browser.driver.find_element("link text", "Metrics").click()
    assert browser.texts(".nothing") == ["Nothing was pushed yet."]


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_value_does_nothing_but_be_there(browser: Browser, site: Server, value: str) -> None:
    path = segments(GroupingKey((("a", value), ("job", "j"))))
    body = f'# HELP x {escape_help(value)}\nx{{own="{escape_value(value)}"}} 1\n'
    assert site.post(path, body.encode()).status == 200
    browser.open(site.url)
    browser.click(".groups .delete")
    assert browser.one("#question").is_displayed()
    browser.click("dialog .cancel")
    browser.click(".groups a.group")
    found = browser.run("return [...document.querySelectorAll('main bdi')].map(each => each.textContent)")
    assert found[:4] == ["job", "j", "a", value]
    assert found.count(value) >= 2
    assert browser.run("return document.querySelectorAll('script, iframe, img[onerror], main img').length") == 1
    browser.click("#delete")
    browser.click("dialog .danger")
    browser.wait(lambda: browser.texts(".nothing") == ["Nothing was pushed yet."], "it is deleted")
