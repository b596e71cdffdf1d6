"""The Python client library, as batch jobs use it.

In: prometheus_client's own push functions and registries.  Out: what a scrape shows, read by its parser.
Never: imitates the library; the version that is installed is what users have.
"""

from __future__ import annotations

import csv
import inspect
import io
from typing import TYPE_CHECKING

import pytest
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    Summary,
    delete_from_gateway,
    push_to_gateway,
    pushadd_to_gateway,
)

if TYPE_CHECKING:
    from servers import Server

GROUPING_KEYS: tuple[dict[str, str], ...] = (
    {},
    {"instance": "db-1"},
    {"path": "/var/tmp"},
    {"path": "/"},
    {"empty": ""},
    {"instance": ""},
    {"a": "", "b": "x/y", "c": "plain"},
    {"space": "a b", "plus": "a+b", "percent": "100%", "query": "a?b#c&d=e;f"},
    {"unicode": "Προμηθεύς", "quote": 'say "hi"\\\n'},
    {"dots": "...", "base64": "x@base64"},
)
JOBS = ("backup", "a/b", "x y", "job@base64", "日本", "...")
NAMES_AND_HELPS = ("with_help", "Line one\nback\\slash.")


def registry_with(name: str, value: float) -> CollectorRegistry:
    """A registry of one gauge."""
    registry = CollectorRegistry()
    Gauge(name, "A gauge.", registry=registry).set(value)
    return registry


def expected_labels(job: str, grouping_key: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The labels that a scrape shows of a group."""
    return tuple(sorted({"instance": "", "job": job, **grouping_key}.items()))


@pytest.mark.parametrize("grouping_key", GROUPING_KEYS, ids=str)
def test_a_grouping_key_arrives_as_it_was_given_and_can_be_deleted(
    shared_gateway: Server, grouping_key: dict[str, str]
) -> None:
    push_to_gateway(shared_gateway.url, "j", registry_with("g", 1), grouping_key)
    shown = shared_gateway.scrape().groups()
    delete_from_gateway(shared_gateway.url, "j", grouping_key)

    assert shown == {expected_labels("j", grouping_key)}
    assert shared_gateway.scrape().groups() == set()


@pytest.mark.parametrize("job", JOBS)
def test_a_job_arrives_as_it_was_given(shared_gateway: Server, job: str) -> None:
    push_to_gateway(shared_gateway.url, job, registry_with("g", 1))

    assert shared_gateway.scrape().groups() == {expected_labels(job, {})}


def test_push_replaces_the_group_and_pushadd_keeps_its_other_families(shared_gateway: Server) -> None:
    push_to_gateway(shared_gateway.url, "j", registry_with("first", 1))
    pushadd_to_gateway(shared_gateway.url, "j", registry_with("second", 2))
    after_add = shared_gateway.scrape().lines
    push_to_gateway(shared_gateway.url, "j", registry_with("third", 3))
    after_push = shared_gateway.scrape().lines

    assert 'first{instance="",job="j"} 1' in after_add
    assert 'second{instance="",job="j"} 2' in after_add
    assert 'third{instance="",job="j"} 3' in after_push
    assert not [line for line in after_push if line.startswith(("first", "second"))]


def test_every_type_of_the_library_is_scraped_with_its_values(shared_gateway: Server) -> None:
    registry = CollectorRegistry()
    Counter("done", "Done.", ["kind"], registry=registry).labels('a "b"').inc(3)
    Gauge(*NAMES_AND_HELPS, registry=registry).set_to_current_time()
    Histogram("seconds", "Time.", buckets=(0.1, 1), registry=registry).observe(0.5)
    Summary("bytes", "Size.", registry=registry).observe(7)
    Info("build", "Build.", registry=registry).info({"version": "1.2"})
    Enum("state", "State.", states=["on", "off"], registry=registry).state("off")
    push_to_gateway(shared_gateway.url, "j", registry)

    page = shared_gateway.scrape()

    assert page.family("done_total").type == "counter"
    assert page.family("done_total").samples == (r'done_total{instance="",job="j",kind="a \"b\""} 3',)
    assert page.family("with_help").help == r"Line one\nback\\slash."
    assert page.family("seconds").samples == (
        'seconds_bucket{instance="",job="j",le="+Inf"} 1',
        'seconds_bucket{instance="",job="j",le="0.1"} 0',
        'seconds_bucket{instance="",job="j",le="1"} 1',
        'seconds_count{instance="",job="j"} 1',
        'seconds_sum{instance="",job="j"} 0.5',
    )
    assert page.family("bytes").type == "summary"
    assert page.family("build_info").samples == ('build_info{instance="",job="j",version="1.2"} 1',)
    assert page.family("state").samples == (
        'state{instance="",job="j",state="off"} 1',
        'state{instance="",job="j",state="on"} 0',
    )


def test_a_compressed_push_is_understood(shared_gateway: Server) -> None:
    if "compression" not in inspect.signature(push_to_gateway).parameters:
        pytest.skip("this prometheus_client cannot compress; 0.23 and newer can")

    push_to_gateway(shared_gateway.url, "j", registry_with("g", 5), compression="gzip")

    assert shared_gateway.scrape().family("g").samples == ('g{instance="",job="j"} 5',)


def test_rows_of_a_csv_file_are_pushed_one_by_one(shared_gateway: Server) -> None:
    rows = list(
        csv.DictReader(io.StringIO("host,disk,used\n" + "".join(f"db-{n},/disk/{n},{n}.5\n" for n in range(50))))
    )
    for row in rows:
        registry = CollectorRegistry()
        Gauge("disk_used_bytes", "Used.", ["disk"], registry=registry).labels(row["disk"]).set(float(row["used"]))
        pushadd_to_gateway(shared_gateway.url, "disks", registry, {"host": row["host"]})

    family = shared_gateway.scrape().family("disk_used_bytes")

    assert set(family.samples) == {
        f'disk_used_bytes{{disk="{row["disk"]}",host="{row["host"]}",instance="",job="disks"}} {row["used"]}'
        for row in rows
    }
