"""The web page as the server makes it, which is all of it for who has no JavaScript."""

from __future__ import annotations

import asyncio
import re
import shlex
from urllib.parse import quote, urlsplit

import pytest
from apps import Client
from hostile_labels import HOSTILE
from markup import Element
from page_client import OURS, figures, page, push, rows

from pgw.model.grouping import GroupingKey
from pgw.model.names import escape_help, escape_value
from pgw.web.page.links import segments

TYPES = """\
# HELP took How <b>long</b> it took.
# TYPE took histogram
took_bucket{step="dump",le="1"} 2
took_bucket{step="dump",le="5"} 12
took_bucket{step="dump",le="+Inf"} 16
took_sum{step="dump"} 40.5
took_count{step="dump"} 16
# TYPE calls summary
calls{quantile="0.5"} 0.25
calls_sum 100
calls_count 300
# TYPE size gauge
size{disk="a"} 1e21
size{disk="b"} -0.5
# TYPE done counter
done 7
"""


# The list.


async def test_the_list_shows_each_group_with_its_labels_and_figures(client: Client) -> None:
    await push(client, "job/k/b/2/a/1", "job/j")
    await push(client, "job/j", body=TYPES)
    found = await page(client, "/")
    assert rows(found) == ['job="j"', 'job="k" a="1" b="2"']
    first, second = found.one("tbody").all("tr")
    assert [cell.text for cell in first.all("td", class_="number")] == ["5", "12", first.all("td")[4].text]
    assert re.fullmatch(r"\d+ B", first.all("td")[4].text)
    assert re.fullmatch(r"\d s ago", second.one("time").text)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC", second.one("time").attributes["title"])
    shown = figures(found)
    assert (shown["Groups"], shown["Families"], shown["Series"]) == ("2", "5", "13")
    assert shown["Redis"].endswith(" ms")
    assert shown["Last failure"] == "none"


async def test_an_empty_gateway_says_so(client: Client) -> None:
    found = await page(client, "/")
    assert found.one("p", class_="nothing").text == "Nothing was pushed yet."
    assert figures(found)["Groups"] == "0"


async def test_a_failed_push_is_marked_and_the_reason_is_told(client: Client) -> None:
    await push(client, "job/good")
    refused = await client.simulate_post("/metrics/job/bad", body="a 1 1\n")
    assert refused.status_code == 400
    found = await page(client, "/?show=failed")
    assert rows(found) == ['job="bad"']
    [row] = found.one("tbody").all("tr")
    assert row.one(class_="pill").text == "Last push failed!"
    assert row.all("td")[1].text.startswith("never failed ")
    assert figures(found)["Failing groups"] == "1"
    assert 'job="bad"' in figures(found)["Last failure"]
    assert (await page(client, "/group/job/bad")).one("h1").one(class_="pill").text == "Last push failed!"
    await push(client, "job/bad")
    assert rows(await page(client, "/?show=failed")) == []


GROUPS = ("job/backup/instance/DB-1", "job/backup/instance/db-2", "job/ci/branch/main")
SEARCHES = [
    ("backup", 2),
    ("db-1", 1),
    ("DB-", 2),
    ("branch", 1),
    ('job="ci"', 1),
    ("backup db-2", 1),
    ("backup main", 0),
    ("rare_fam", 1),
    ('{job="backup"}', 2),
    ('{job=~"b.*",instance!="DB-1"}', 1),
    ('rare_family{job="ci"}', 1),
    ('rare_family{job="backup"}', 0),
    ('{__name__=~".*_family"}', 1),
    ('{branch=""}', 2),
    (" {job='ci'} ", 1),
]


@pytest.mark.parametrize(("text", "count"), SEARCHES)
async def test_a_search_finds_words_and_what_a_selector_selects(client: Client, text: str, count: int) -> None:
    await push(client, *GROUPS)
    await push(client, GROUPS[2], body="rare_family 1\n")
    found = await page(client, f"/?q={quote(text)}")
    assert len(rows(found)) == count
    assert found.one("input", name="q").attributes["value"] == text.strip()


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("q=%7Bjob", "at character 5 found the end"),
        ('q=%7Bjob=~"("%7D', "expected"),
        ("older=soon", "'soon' is not a duration"),
        ("older=0s&show=stale", "'0s' is not a duration"),
    ],
)
async def test_a_query_that_cannot_be_read_is_told_beside_its_box_and_all_is_shown(
    client: Client, query: str, part: str
) -> None:
    await push(client, *GROUPS)
    found = await page(client, f"/?{query}")
    [problem] = found.all("span", class_="problem")
    assert part in problem.text
    [box] = [each for each in found.all("input") if "aria-invalid" in each.attributes]
    assert box.attributes["name"] == query.partition("=")[0]
    assert len(rows(found)) == len(GROUPS)


@pytest.mark.parametrize(
    "query", ["page=x", "page=-1", "page=99999999999999999999", "show=none", "sort=none", "sort=-"]
)
async def test_a_query_that_makes_no_sense_is_passed_over(client: Client, query: str) -> None:
    await push(client, *GROUPS)
    assert len(rows(await page(client, f"/?{query}"))) == len(GROUPS)


async def test_stale_groups_are_those_that_were_pushed_too_long_ago(client: Client) -> None:
    await push(client, *GROUPS)
    assert rows(await page(client, "/?show=stale&older=1h")) == []
    await asyncio.sleep(1.1)  # the clock of Redis is known to the second
    assert len(rows(await page(client, "/?show=stale&older=10ms"))) == len(GROUPS)


@pytest.mark.parametrize(
    ("sort", "jobs"),
    [("name", "abc"), ("-name", "cba"), ("age", "bca"), ("-age", "acb"), ("series", "cba"), ("-size", "abc")],
)
async def test_the_list_is_sorted_as_it_is_asked_to_be(client: Client, sort: str, jobs: str) -> None:
    for job, lines in (("a", 1), ("c", 3), ("b", 2)):
        await push(client, f"job/{job}", body="".join(f'x{{n="{number}"}} 1\n' for number in range(lines)))
    found = await page(client, f"/?sort={sort}")
    assert rows(found) == [f'job="{job}"' for job in jobs]
    [column] = [each for each in found.all("th") if "aria-sort" in each.attributes]
    falls = sort.startswith("-") != (sort.strip("-") in ("series", "size"))
    assert column.attributes["aria-sort"] == ("descending" if falls else "ascending")


async def test_the_list_is_paged_and_the_pages_lead_to_each_other(client: Client) -> None:
    await push(client, *(f"job/j{number:03}" for number in range(120)))
    seen, path = [], "/?q=j"
    while path:
        found = await page(client, path)
        seen += rows(found)
        path = next((link.attributes["href"] for link in found.all("a", rel="next")), "")
    assert seen == [f'job="j{number:03}"' for number in range(120)]
    assert "Page 3 of 3" in found.one("nav", class_="paging").text
    assert found.one(class_="above").one("p").text == "120 groups"


# A group.


async def test_a_group_has_a_page_of_its_own_with_all_its_families(client: Client) -> None:
    await push(client, "job/j/instance/i", body=TYPES)
    [link] = (await page(client, "/")).all("a", class_="group")
    found = await page(client, link.attributes["href"])
    families = {each.one("h2").text: each for each in found.all("details")}
    assert list(families) == ["calls", "done", "size", "took", "push_time_seconds", "push_failure_time_seconds"]
    assert [each.one(class_="type").text for each in families.values()][:4] == [
        "SUMMARY",
        "COUNTER",
        "GAUGE",
        "HISTOGRAM",
    ]
    assert families["took"].one(class_="help").text == "How <b>long</b> it took."
    assert [value.text for value in families["size"].all(class_="value")] == ["1000000000000000000000", "-0.5"]
    assert [badge.text for badge in families["size"].all(class_="badge")] == ['disk="a"', 'disk="b"']
    assert families["done"].one(class_="value").text == "7"
    assert families["calls"].one("table", class_="parts").text == "Quantile 0.5 0.25 Sample Count 300 Sample Sum 100"
    assert families["push_failure_time_seconds"].one(class_="value").text == "0"


async def test_a_histogram_is_drawn_as_bars(client: Client) -> None:
    await push(client, "job/j", body=TYPES)
    found = await page(client, "/group/job/j?family=took")
    lines = [
        [cell.text for cell in row.parts if isinstance(cell, Element)]
        for row in found.one("table", class_="buckets").one("tbody").all("tr")
    ]
    assert lines == [["≤ 1", "2", "2", ""], ["≤ 5", "12", "10", ""], ["≤ +Inf", "16", "4", ""]]
    assert [rect.attributes["width"] for rect in found.all("rect")] == ["20.0", "100.0", "40.0"]
    assert [svg.attributes["aria-label"] for svg in found.all("svg")] == [
        f"{count} in this bucket" for count in (2, 10, 4)
    ]
    assert found.one("table", class_="parts").text == "Sample Count 16 Sample Sum 40.5"


async def test_a_group_that_is_not_there_is_told_by_its_labels(client: Client) -> None:
    found = await page(client, "/group/job/j/a/b", 404)
    assert found.one("main").one("p", class_="problem").text.startswith('There is no group {job="j", a="b"}.')
    assert (await client.simulate_get("/raw/job/j")).status_code == 404
    assert "odd number" in (await page(client, "/group/job/j/a", 400)).text


async def test_a_large_family_is_shown_in_parts(client: Client) -> None:
    await push(client, "job/j", body="".join(f'x{{n="{number:04}"}} {number}\n' for number in range(250)))
    found = await page(client, "/group/job/j")
    family = found.all("details")[0]
    assert [each.text for each in family.all(class_="value")] == [str(number) for number in range(10)]
    seen, path = [], family.one(class_="more").one("a").attributes["href"]
    while path:
        found = await page(client, path)
        seen += [int(each.text) for each in found.all(class_="value")]
        path = next((link.attributes["href"] for link in found.all("a", rel="next")), "")
    assert seen == list(range(250))
    assert found.one(class_="more").text.startswith("201 to 250 of 250.")


async def test_many_histograms_of_a_family_are_shown_in_parts_too(client: Client) -> None:
    lines = ["# TYPE h histogram"]
    for number in range(30):
        lines += [
            f'h_bucket{{n="{number:02}",le="1"}} 1',
            f'h_sum{{n="{number:02}"}} 1',
            f'h_count{{n="{number:02}"}} 2',
        ]
    await push(client, "job/j", body="\n".join(lines) + "\n")
    family = (await page(client, "/group/job/j")).all("details")[0]
    assert len(family.all("table", class_="buckets")) == 10
    assert "1 to 10 of 30." in family.one(class_="more").text
    last = (await page(client, "/group/job/j?family=h&first=9999")).all("details")[0]
    assert last.all(class_="badge")[-1].text == 'n="29"'


async def test_many_families_are_paged(client: Client) -> None:
    await push(client, "job/j", body="".join(f"x{number:03} 1\n" for number in range(60)))
    found = await page(client, "/group/job/j?page=3")
    assert [each.text for each in found.all("h2")][:2] == ["x050", "x051"]
    assert found.all("h2")[-1].text == "push_failure_time_seconds"


async def test_the_raw_view_is_what_a_scrape_shows_of_the_group(client: Client) -> None:
    await push(client, "job/j/instance/i", body=TYPES)
    raw = await client.simulate_get("/raw/job/j/instance/i")
    assert raw.headers["Content-Type"] == "text/plain; charset=utf-8"
    scraped = (await client.simulate_get("/metrics")).text
    assert raw.text == "".join(line for line in scraped.splitlines(keepends=True) if "pushgateway_" not in line)


async def test_the_commands_to_copy_name_the_group_in_a_way_that_a_shell_and_a_path_carry(client: Client) -> None:
    await push(client, "job/it's/path@base64/L3Zhci90bXA/empty@base64/=")
    found = await page(client, "/group/job/it's/path@base64/L3Zhci90bXA/empty@base64/=")
    texts = [each.attributes["data-copy"] for each in found.all("button", class_="copy")]
    again, delete, promql, *_ = texts
    *_, url = shlex.split(delete)
    assert shlex.split(delete)[:4] == ["curl", "-fsS", "-X", "DELETE"]
    assert url == "http://falconframework.org/metrics/job/it%27s/empty@base64/=/path@base64/L3Zhci90bXA="
    assert shlex.split(again)[-1] == url
    assert promql == """a{job="it's",path="/var/tmp"}"""
    assert (await client.simulate_delete(urlsplit(url).path)).status_code == 202
    assert await page(client, "/group/job/it's/path@base64/L3Zhci90bXA/empty@base64/=", 404)


# The status.


async def test_the_status_shows_build_runtime_and_flags(client: Client) -> None:
    found = await page(client, "/status")
    api = (await client.simulate_get("/api/v1/status")).json["data"]
    shown = {row.one("th").text: row.one("td").text for row in found.all("tr")}
    assert shown == {"Started": api["start_time"], **api["build_information"], **api["flags"]}
    assert [each.text for each in found.all("h2")] == ["Runtime Information", "Build Information", "Startup Flags"]


# Hostile labels.


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_value_is_shown_as_it_is_and_does_nothing(client: Client, value: str) -> None:
    key = GroupingKey((("a", value), ("job", "j")))
    body = f'# HELP x {escape_help(value)}\nx{{own="{escape_value(value)}"}} 1\n'
    result = await client.simulate_post(f"/metrics/{segments(key)}", body=body.encode())
    assert result.status_code == 200, result.text
    listed = await page(client, "/")
    [link] = listed.all("a", class_="group")
    group = await page(client, link.attributes["href"])
    assert link.attributes["href"] == f"/group/{segments(key)}"
    texts = [bdi.exact_text for bdi in group.all("bdi")]
    assert texts[:4] == ["job", "j", "a", value]
    assert texts.count(value) >= 2
    asked = await page(client, f"/delete/{segments(key)}")
    for found in (listed, group, asked, await page(client, f"/?q={quote(value)}")):
        require_harmless(found)
    form = asked.one("form", class_="confirm")
    assert (await client.simulate_post(form.attributes["action"], headers=OURS)).status_code == 303
    assert rows(await page(client, "/")) == []


def require_harmless(found: Element) -> None:
    """Nothing runs but our one script, and nothing is styled but by our sheet."""
    [script] = found.all("script")
    assert re.fullmatch(r"/static/page-[0-9a-f]{12}\.js", script.attributes["src"])
    assert script.parts == []
    for each in found.walk():
        assert each.tag not in {"style", "iframe", "object", "b"}
        assert not {name for name in each.attributes if name.startswith("on") or name == "style"}
        for name in ("href", "src", "action"):
            assert each.attributes.get(name, "/").startswith(("/", "#", "https://prometheus.io/"))
