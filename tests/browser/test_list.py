"""The list of groups in a real browser: what a reader sees, types and clicks."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from browsers import ENTER, ESCAPE, NARROW, TAB
from gateways import replica
from pushes import PREFIX, group

if TYPE_CHECKING:
    from browsers import Browser
    from servers import RedisServer, Server, StartServer

GROUPS = ("job/backup/instance/db-1", "job/backup/instance/db-2", "job/ci/branch/main")


def push(site: Server, *groups: str, body: str = "a 1\n") -> None:
    for path in groups:
        assert site.post(path, body).status == 200


def shown(browser: Browser) -> list[str]:
    return browser.texts(".groups tbody a.group")


def becomes(browser: Browser, *labels: str) -> None:
    browser.wait(lambda: shown(browser) == list(labels), f"the list is {labels}")


BACKUPS = ('job="backup" instance="db-1"', 'job="backup" instance="db-2"')
CI = 'job="ci" branch="main"'


def test_the_list_shows_groups_and_how_they_are(browser: Browser, site: Server) -> None:
    push(site, *GROUPS)
    assert site.post("job/broken", "a 1 1\n").status == 400
    browser.open(site.url)
    assert shown(browser) == [*BACKUPS, 'job="broken"', CI]
    assert browser.texts(".groups .pill") == ["Last push failed!"]
    figures = dict(zip(browser.texts(".overview dt"), browser.texts(".overview dd"), strict=True))
    assert (figures["Groups"], figures["Families"], figures["Series"], figures["Failing groups"]) == (
        "4",
        "1",
        "3",
        "1",
    )
    assert re.fullmatch(r"\d+\.\d ms", figures["Redis"])
    assert 'job="broken"' in figures["Last failure"]
    browser.wait(lambda: "must not have timestamps" in _reloaded(browser, ".reason"), "the reason is told")
    assert overview(browser)["Replicas"] == "1"


def overview(browser: Browser) -> dict[str, str]:
    return dict(zip(browser.texts(".overview dt"), browser.texts(".overview dd"), strict=True))


def _reloaded(browser: Browser, selector: str) -> str:
    browser.driver.refresh()
    return " ".join(browser.texts(selector))


def test_the_list_follows_what_is_typed(browser: Browser, site: Server) -> None:
    push(site, *GROUPS)
    push(site, GROUPS[2], body="rare_family 1\n")
    browser.open(site.url)
    browser.press("/")
    browser.press("db-")
    becomes(browser, *BACKUPS)
    assert parse_qs(urlsplit(browser.driver.current_url).query) == {"q": ["db-"]}
    browser.write("#q", "RARE_")
    becomes(browser, CI)
    browser.write("#q", '{job=~"back.*",instance!="db-1"}')
    becomes(browser, BACKUPS[1])
    browser.driver.refresh()
    assert shown(browser) == [BACKUPS[1]]
    browser.write("#q", "{job=")
    browser.wait(lambda: "expected a value in quotes" in browser.one("#hint").text, "the fault is told")
    assert browser.one("#q").get_attribute("aria-invalid") is not None
    becomes(browser, *BACKUPS, CI)
    browser.write("#q", "nobody")
    browser.wait(lambda: browser.texts(".nothing") == ["No group is like that. Show all"], "nothing is found")
    assert browser.one("#q").get_attribute("aria-invalid") is None


def test_the_list_is_filtered_and_sorted_by_clicks(browser: Browser, site: Server) -> None:
    push(site, *GROUPS)
    push(site, GROUPS[1], body="b 1\nc 1\n")
    assert site.post(GROUPS[2], "a 1 1\n").status == 400
    browser.open(site.url)
    browser.click("input[value=failed]")
    becomes(browser, CI)
    browser.click("input[value=stale]")
    becomes(browser)
    browser.write("input[name=older]", "1ms")
    becomes(browser, *BACKUPS, CI)
    browser.click("input[value=all]")
    for title, first in (
        ("Series", BACKUPS[1]),
        ("Size", BACKUPS[1]),
        ("Last push", BACKUPS[1]),
        ("Group", BACKUPS[0]),
    ):
        browser.driver.find_element("link text", title).click()
        assert shown(browser)[0] == first
        assert browser.one("th[aria-sort]").text.startswith(title)
    browser.click(".groups th a")
    assert shown(browser) == [CI, *reversed(BACKUPS)]


def test_what_expires_says_when_and_can_be_listed_alone(browser: Browser, site: Server) -> None:
    push(site, *GROUPS[:2])
    browser.open(site.url)
    assert not browser.all("input[value=expiring]")
    assert "Expires" not in " ".join(browser.texts(".groups th"))
    assert site.post(GROUPS[2], "a 1\n", {"X-Pushgateway-TTL": "90m"}).status == 200
    browser.open(site.url)
    assert browser.texts("td[data-title=Expires]") == ["never", "never", "in 1 h 29 min"]
    browser.click("input[value=expiring]")
    becomes(browser, CI)
    browser.click("input[value=all]")
    becomes(browser, *BACKUPS, CI)
    browser.driver.find_element("link text", "Expires").click()
    assert shown(browser)[0] == CI


def test_ages_go_on_and_tell_the_exact_time(browser: Browser, site: Server) -> None:
    push(site, GROUPS[0])
    browser.open(site.url)
    assert re.fullmatch(
        r"20\d\d(-\d\d){2} (\d\d:){2}\d\d\.\d{3} UTC", browser.one("td time").get_attribute("title") or ""
    )
    browser.wait(lambda: browser.one("td time").text in ("2 s ago", "3 s ago", "4 s ago"), "seconds pass")
    browser.run("document.querySelector('td time').dateTime = new Date(Date.now() - 187260e3).toISOString()")
    browser.wait(
        lambda: browser.one("td time").text == "2 d 4 h ago", "the script says it in words, as the server does"
    )


def test_a_group_is_deleted_once_it_is_confirmed(browser: Browser, site: Server) -> None:
    push(site, *GROUPS)
    browser.open(f"{site.url}/?q=backup")
    browser.click(".groups .delete")
    assert browser.one("#question").text == (
        'Do you really want to delete all metrics of group {job="backup", instance="db-1"}?'
    )
    browser.click("dialog .cancel")
    assert not browser.one("dialog").is_displayed()
    browser.one(".groups .delete").send_keys(ENTER)
    assert browser.run("return document.activeElement.className") == "cancel"
    browser.press(ESCAPE)
    assert not browser.one("dialog").is_displayed()
    assert len(site.scrape().groups()) == 3
    browser.click(".groups .delete")
    browser.click("dialog .danger")
    becomes(browser, BACKUPS[1])
    assert not browser.one("dialog").is_displayed()
    assert len(site.scrape().groups()) == 2


def test_all_groups_are_deleted_once_it_is_confirmed(browser: Browser, site: Server) -> None:
    push(site, *GROUPS)
    browser.open(site.url)
    assert browser.one("#delete-all").text == "Delete All 3 Groups"
    browser.click("#delete-all")
    browser.click("dialog .cancel")
    assert len(site.scrape().groups()) == 3
    browser.click("#delete-all")
    browser.click("dialog .danger")
    browser.wait(lambda: browser.texts(".nothing") == ["Nothing was pushed yet."], "nothing is left")
    assert browser.texts("#results button") == ["Delete All 0 Groups"]
    assert site.scrape().groups() == set()


def test_what_cannot_be_deleted_is_told(browser: Browser, site: Server) -> None:
    push(site, *GROUPS)
    browser.open(site.url)
    browser.click(".groups .delete")
    browser.run("document.querySelector('dialog form').action = '/nowhere'")
    browser.click("dialog .danger")
    browser.wait(lambda: "answers 404" in browser.one("dialog .problem").text, "the problem is told")
    assert [each for each in browser.complaints() if "404" not in each] == []


def test_it_can_be_read_and_used_without_javascript(browser: Browser, site: Server) -> None:
    push(site, *GROUPS)
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(site.url)
        browser.write("#q", "backup")
        browser.click(".box button")
        becomes(browser, *BACKUPS)
        browser.click(".groups .delete")
        assert browser.one(".confirm p").text.endswith('{job="backup", instance="db-1"}?')
        browser.driver.find_element("link text", "Cancel").click()
        assert browser.texts("h1 .badge") == ['job="backup"', 'instance="db-1"']
        assert browser.texts("button.copy") == [""] * len(browser.all("button.copy"))
        browser.driver.find_element("link text", "Delete Group").click()
        browser.click(".confirm .danger")
        browser.wait(lambda: browser.texts(".notice") == ["The group was deleted."], "it is deleted")
        assert shown(browser) == [BACKUPS[1], CI]
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", value=False)


def test_the_keyboard_is_enough(browser: Browser, site: Server) -> None:
    push(site, GROUPS[2])
    browser.open(site.url)
    names = []
    for _ in range(20):
        browser.press(TAB)
        names.append(browser.run("const e = document.activeElement; return e.labels?.[0]?.innerText || e.innerText"))
    assert names[0] == "Skip to the content"
    wanted = ["Metrics", "Status", "Search", "all", "Last push", CI, "Delete\ngroup ci"]
    found = [" ".join(name.split()) for name in names]
    assert [each for each in wanted if " ".join(each.split()) not in found] == []
    outlines = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outlines != "none"


@pytest.mark.parametrize("path", ["/", "/group/job/ci/branch/main", "/status", "/delete/job/ci/branch/main"])
def test_nothing_is_wider_than_a_phone(browser: Browser, site: Server, path: str) -> None:
    push(site, GROUPS[2], f"job/{'x' * 500}", body='# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 2\n')
    browser.size(*NARROW)
    browser.open(site.url + path)
    assert browser.run("return document.documentElement.scrollWidth") <= NARROW[0]


async def test_ten_thousand_groups_are_a_page_as_any_other(
    browser: Browser, redis_server: RedisServer, gateway: StartServer
) -> None:
    async with replica(redis_server.url) as one:
        keys = [group(job=f"job-{number % 10}", instance=f"runner-{number:05}") for number in range(10_000)]
        for start in range(0, len(keys), 500):
            await asyncio.gather(*(one.push(key, "a 1\n") for key in keys[start : start + 500]))
    site = gateway(f"--redis.url={redis_server.url}", f"--redis.prefix={PREFIX}", "--workers=1")
    browser.open(site.url)
    assert browser.texts(".above p") == ["10,000 groups"]
    assert len(shown(browser)) == 50
    browser.driver.find_element("link text", "Last").click()
    assert browser.texts(".paging span") == ["Page 200 of 200"]
    assert shown(browser)[-1] == 'job="job-9" instance="runner-09999"'
    browser.write("#q", "runner-0777")
    browser.wait(lambda: browser.texts(".above p") == ["10 of 10,000 groups"], "ten are found")
    assert shown(browser)[0] == 'job="job-0" instance="runner-07770"'
