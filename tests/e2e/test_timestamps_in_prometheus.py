"""A real Prometheus scrapes `/metrics?timestamps=1`, as docs/timestamps.md says.

In: Debian's prometheus with the scrape_config of the document.
Out: at which times it has stored what.
Never: waits five minutes; a query may be asked for any moment.
"""

from __future__ import annotations

import re
import time
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from client import HOST
from prometheus import ask, running_prometheus
from servers import ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

DOCUMENT = (ROOT / "docs" / "timestamps.md").read_text(encoding="utf-8")
LOOKBACK = 300


def scrape_config(target: str) -> str:
    """That of the document, for this target and every second."""
    found = re.search(r"<!-- scrape-config -->\n```yaml\n(.*?)```\n<!-- /scrape-config -->", DOCUMENT, re.DOTALL)
    assert found, "the scrape_config is not marked in the document"
    assert "localhost:9091" in found[1]
    return "global: {scrape_interval: 1s}\n" + found[1].replace("localhost:9091", target)


@pytest.fixture(scope="module")
def prometheus(running_gateway: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = scrape_config(f"{HOST}:{running_gateway.port}")
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), config) as server:
        yield server


def stored(prometheus: Server, series: str) -> list[tuple[int, str]]:
    """Time in milliseconds and value of every sample of one series in the last minutes."""
    found = ask(prometheus, f"{series}[5m]")
    return [(round(moment * 1000), value) for row in found for moment, value in row["values"]]


def pushed_at(server: Server, job: str) -> int:
    """When the group was last pushed to, in milliseconds."""
    [line] = [
        each for each in server.scrape().lines if each.startswith(f'push_time_seconds{{instance="",job="{job}"}}')
    ]
    return int(Decimal(line.rpartition(" ")[2]) * 1000)


def test_the_time_of_a_stored_sample_is_that_of_its_push(shared_gateway: Server, prometheus: Server) -> None:
    pushes = []
    for value in ("17", "18"):
        shared_gateway.post("job/j", f"# TYPE a gauge\na {value}\n")
        pushes.append((pushed_at(shared_gateway, "j"), value))
        seen = len(pushes)
        wait_until(lambda: len(stored(prometheus, "a")) == seen, "the push is seen")  # noqa: B023  it is over by then
    scrapes = len(stored(prometheus, "up"))
    wait_until(lambda: len(stored(prometheus, "up")) >= scrapes + 2, "it was scraped twice more")

    assert stored(prometheus, "a") == pushes
    assert [row["value"][1] for row in ask(prometheus, "up")] == ["1"]


def test_a_family_that_another_push_left_alone_keeps_its_time(shared_gateway: Server, prometheus: Server) -> None:
    shared_gateway.post("job/k", "# TYPE b gauge\nb 1\n")
    first = pushed_at(shared_gateway, "k")
    wait_until(lambda: len(stored(prometheus, "b")) == 1, "the first push is seen")
    shared_gateway.post("job/k", "# TYPE c histogram\nc_sum 1\nc_count 1\n")
    second = pushed_at(shared_gateway, "k")
    wait_until(lambda: len(stored(prometheus, "c_bucket")) == 1, "the second push is seen")

    assert second > first
    assert stored(prometheus, "b") == [(first, "1")]
    for name in ("c_bucket", "c_sum", "c_count"):
        assert stored(prometheus, name) == [(second, "1")]


def test_a_value_vanishes_five_minutes_after_its_push_and_the_push_time_stays(
    shared_gateway: Server, prometheus: Server
) -> None:
    shared_gateway.post("job/l", "# TYPE d gauge\nd 1\n")
    pushed = pushed_at(shared_gateway, "l") / 1000
    wait_until(lambda: len(stored(prometheus, "d")) == 1, "the push is seen")
    wait_until(lambda: time.time() > pushed + 3 and len(stored(prometheus, 'push_time_seconds{job="l"}')) >= 3, "later")

    assert ask(prometheus, "d", time=pushed + LOOKBACK - 1) != []
    assert ask(prometheus, "d", time=pushed + LOOKBACK + 1) == []
    assert ask(prometheus, 'push_time_seconds{job="l"}', time=pushed + LOOKBACK + 1) != []
    moments = [moment for moment, _ in stored(prometheus, 'push_time_seconds{job="l"}')]
    assert len(set(moments)) >= 3  # the time of each scrape
