"""A real Prometheus scrapes the gateway, and promtool reads its page.

In: Debian's prometheus and promtool.  Out: what a query answers about pushed groups.
Never: talks to anything but loopback.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from client import HOST
from prometheus import ask, running_prometheus
from servers import Server, program_path, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: pushgateway
  honor_labels: true
  static_configs:
  - targets: ["{host}:{port}"]
"""


@pytest.fixture(scope="module")
def prometheus(running_gateway: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prometheus that scrapes the shared gateway every second."""
    config = CONFIG.format(host=HOST, port=running_gateway.port)
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), config) as server:
        yield server


def query(prometheus: Server, expression: str) -> list[tuple[dict[str, str], str]]:
    """The labels and values that a query answers."""
    return [(row["metric"], row["value"][1]) for row in ask(prometheus, expression)]


def test_prometheus_sees_pushes_changes_and_deletes(shared_gateway: Server, prometheus: Server) -> None:
    labels = {"__name__": "backup_bytes", "job": "backup", "instance": "db-1", "disk": "/var"}
    shared_gateway.put("job/backup/instance/db-1", '# TYPE backup_bytes gauge\nbackup_bytes{disk="/var"} 17\n')
    wait_until(lambda: query(prometheus, "backup_bytes") == [(labels, "17")], "the push is seen")
    shared_gateway.put("job/backup/instance/db-1", '# TYPE backup_bytes gauge\nbackup_bytes{disk="/var"} 18\n')
    wait_until(lambda: query(prometheus, "backup_bytes") == [(labels, "18")], "the change is seen")
    shared_gateway.delete("job/backup/instance/db-1")
    wait_until(lambda: query(prometheus, "backup_bytes") == [], "the delete is seen: the series is stale")

    assert query(prometheus, f'up{{instance="{HOST}:{shared_gateway.port}"}}')[0][1] == "1"


def test_what_has_expired_is_stale_at_the_next_scrape_and_its_push_time_stays(
    shared_gateway: Server, prometheus: Server
) -> None:
    path = "/metrics/job/lease/instance/vm-1"
    answer = shared_gateway.request("POST", path, b"lease_value 17\n", {"X-Pushgateway-TTL": "4s"})
    assert answer.status == 200
    wait_until(lambda: [value for _, value in query(prometheus, "lease_value")] == ["17"], "the push is seen")
    wait_until(lambda: query(prometheus, "lease_value") == [], "it has expired: the series is stale")

    [(labels, expired)] = query(prometheus, "push_expired_time_seconds")
    assert labels == {"__name__": "push_expired_time_seconds", "job": "lease", "instance": "vm-1"}
    [(_, pushed)] = query(prometheus, 'push_time_seconds{job="lease"}')
    assert float(expired) - float(pushed) == pytest.approx(4)
    # Not five minutes of staleness: the last sample is from before the deadline, give or take a scrape.
    [(_, last)] = query(prometheus, "max_over_time(timestamp(lease_value)[5m:1s])")
    assert float(pushed) < float(last) <= float(expired) + 1


def test_prometheus_keeps_the_labels_of_the_group(shared_gateway: Server, prometheus: Server) -> None:
    shared_gateway.post("job/j", '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n')
    shared_gateway.post("job/j/instance/i/path@base64/L3Zhci90bXA", 'q{x="a \\"b\\" \\\\ \\n"} 1e-7\n')

    wait_until(lambda: query(prometheus, 'histogram_quantile(0.5, h_bucket{job="j"})') != [], "the histogram is seen")

    assert query(prometheus, 'h_bucket{le="+Inf"}') == [
        ({"__name__": "h_bucket", "job": "j", "le": "+Inf"}, "2"),  # Prometheus drops the empty instance
    ]
    labels = {"__name__": "q", "instance": "i", "job": "j", "path": "/var/tmp", "x": 'a "b" \\ \n'}
    assert query(prometheus, "q") == [(labels, "1e-07")]
    assert len(query(prometheus, "push_time_seconds > 1.6e9")) == 2
    assert query(prometheus, f'scrape_samples_scraped{{instance="{HOST}:{shared_gateway.port}"}} > 0') != []


def test_promtool_finds_nothing_to_say_about_a_page_of_well_named_metrics(shared_gateway: Server) -> None:
    path = program_path("promtool", "prometheus (Debian)")
    shared_gateway.post(
        "job/j",
        "# HELP bytes_total Bytes.\n# TYPE bytes_total counter\nbytes_total 1\n"
        '# HELP t_seconds Time.\n# TYPE t_seconds histogram\nt_seconds_bucket{le="1"} 1\nt_seconds_count 1\n'
        '# HELP s_seconds Time.\n# TYPE s_seconds summary\ns_seconds{quantile="0.5"} NaN\ns_seconds_sum 1\n'
        "# HELP g_bytes Gauge.\n# TYPE g_bytes gauge\ng_bytes -Inf\n",
    )

    page = shared_gateway.scrape().text

    words = [path, "check", "metrics"]
    done = subprocess.run(words, input=page, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
