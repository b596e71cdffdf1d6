"""The files of compose/: that the programs that read them accept them, and that what they describe works.

In: compose/ as it is shipped; real HAProxy, Redis, Prometheus, promtool, redis_exporter and hadolint.
Out: what these say, and what a running topology of them does. What happens under load when parts die: tests/faults.
Never: needs a container engine.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import pytest
import redis
import yaml
from client import HOST
from servers import ROOT, program_path, unused_port, wait_until
from topology import COMPOSE, NAMES, replaced, running_topology, substituted

from pgw.server.application import GRACEFUL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from client import Client
    from servers import Server
    from topology import Topology

COMPOSE_FILES = ("compose.yaml", "compose.sentinel.yaml")
LARGEST_RETRIED = 57_344
"""Bytes of a body; haproxy.cfg says so too."""


def run(*command: str | Path, directory: Path = COMPOSE) -> str:
    """Run a program that must end with 0; what it wrote."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def beside_python(name: str) -> Path:
    """A program that a package of the dev group has installed."""
    return Path(sys.executable).parent / name


def read(name: str) -> Any:  # noqa: ANN401  whatever is in it
    """A YAML file of compose/."""
    return yaml.safe_load((COMPOSE / name).read_text())


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_a_compose_file_is_one_by_the_compose_specification(name: str) -> None:
    run(beside_python("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", name)


def test_hadolint_finds_nothing_to_say_about_the_dockerfile() -> None:
    assert run(beside_python("hadolint"), "Dockerfile") == ""


def test_promtool_accepts_the_configuration_and_the_alerts_do_as_their_tests_say() -> None:
    promtool = program_path("promtool", "prometheus (Debian)")

    assert "SUCCESS" in run(promtool, "check", "config", "--lint-fatal", "prometheus.yml")
    assert "SUCCESS" in run(promtool, "test", "rules", "alerts.test.yml")


def test_haproxy_has_no_warning_about_its_configuration(watched: Watched) -> None:
    config = watched.topology.balancer.program.directory / "haproxy.cfg"

    assert run(program_path("haproxy", "haproxy"), "-c", "-f", config) == "Configuration file is valid\n"


def services() -> dict[str, dict[str, Any]]:
    """The services of both files, one on top of the other."""
    base, more = (read(name)["services"] for name in COMPOSE_FILES)
    return {name: {**base.get(name, {}), **more.get(name, {})} for name in {**base, **more}}


def test_what_compose_files_refer_to_is_there() -> None:
    volumes = {name for file in COMPOSE_FILES for name in read(file)["volumes"]}
    for name, service in services().items():
        assert set(service.get("depends_on", ())) <= set(services()), name
        for source in (volume.split(":")[0] for volume in service.get("volumes", ())):
            assert (COMPOSE / source).exists() if source.startswith(".") else source in volumes, (name, source)


def test_images_are_pinned_to_a_minor_version_and_everything_is_restarted() -> None:
    for name, service in services().items():
        assert service["restart"] == "unless-stopped", name
        assert name.startswith("pgw-") or re.search(r":v?\d+\.\d+", service["image"]), name


def test_only_the_balancer_is_open_to_all() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}

    assert published.pop("haproxy") == ["9091:9091"]
    assert set(published) == {"prometheus", "grafana"}
    assert all(port.startswith(f"{HOST}:") for ports in published.values() for port in ports)


def test_docker_waits_longer_than_a_graceful_stop_takes() -> None:
    seconds = {name: int(service.get("stop_grace_period", "10s")[:-1]) for name, service in services().items()}
    hard_stop = re.search(r"hard-stop-after (\d+)s", (COMPOSE / "haproxy.cfg").read_text())

    assert min(seconds[name] for name in NAMES) >= GRACEFUL_SECONDS + 3
    assert hard_stop is not None
    assert seconds["haproxy"] > int(hard_stop[1])


def test_the_health_check_of_the_image_tells_a_live_gateway_from_a_dead_one(shared_gateway: Server) -> None:
    found = re.search(r"HEALTHCHECK.*\\\n\s*CMD (\[.*\])", (COMPOSE / "Dockerfile").read_text())
    assert found is not None

    def check(port: int) -> int:
        words = [replaced(word, {":9091": f":{port}"}) if "http:" in word else word for word in json.loads(found[1])]
        return subprocess.run([sys.executable, *words[1:]], capture_output=True, timeout=30, check=False).returncode

    assert check(shared_gateway.port) == 0
    assert check(unused_port()) != 0


def test_the_substitution_of_addresses_is_strict() -> None:
    assert substituted("bind :1234\nserver a redis:6379", {":1234": "x:1", "redis:6379": "y:2"}) == (
        "bind x:1\nserver a y:2"
    )
    with pytest.raises(AssertionError, match="unknown:80"):
        substituted("redis:6379 unknown:80", {"redis:6379": "y:2"})
    with pytest.raises(AssertionError, match="not in the text"):
        substituted("redis:6379", {"redis:6379": "y:2", "gone:80": "z:3"})


class Watched(NamedTuple):
    """A running topology and the Prometheus that watches it."""

    topology: Topology
    prometheus: Client

    def ask(self, path: str, **query: str) -> Any:  # noqa: ANN401  JSON
        """The data of an answer of Prometheus' API."""
        answer = self.prometheus.get(f"/api/v1/{path}?{urlencode(query)}")
        assert answer.status == 200, answer
        return json.loads(answer.body)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], str]]:
        """The labels and values that a query answers."""
        return [(row["metric"], row["value"][1]) for row in self.ask("query", query=expression)["result"]]


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    """A topology in which something was pushed, replaced, refused and deleted, and Prometheus has seen it all."""
    with running_topology() as running:
        gateway = running.balancer
        assert gateway.post("job/backup/instance/db-1", "saved_bytes 17\npush_max_age_seconds 93600\n").status == 200
        assert gateway.put("job/other", "other_bytes 1\n").status == 200
        assert gateway.post("job/other", "# TYPE saved_bytes counter\nsaved_bytes 1\n").status == 400
        assert gateway.delete("job/nobody").status == 202
        here = Watched(running, running.start_prometheus(running.start_redis_exporter()))
        # Rates need two scrapes, recorded series an evaluation.
        seconds_up = "count_over_time(group:push_max_age_seconds[1h])"
        wait_until(lambda: any(int(count) > 4 for _, count in here.query(seconds_up)), "Prometheus has seen enough")
        yield here


def test_prometheus_scrapes_everything(watched: Watched) -> None:
    targets = watched.ask("targets", state="active")["activeTargets"]

    assert [(target["scrapeUrl"], target["lastError"]) for target in targets if target["health"] != "up"] == []
    jobs = sorted(target["labels"]["job"] for target in targets)
    assert jobs == ["haproxy", "pgw", "pgw", "pgw", "prometheus", "pushgateway", "redis"]


def test_prometheus_stores_what_was_pushed_with_its_labels(watched: Watched) -> None:
    labels = {"__name__": "saved_bytes", "job": "backup", "instance": "db-1"}

    assert watched.query("saved_bytes") == [(labels, "17")]


def test_all_rules_can_be_evaluated_and_the_push_that_was_refused_is_an_alert(watched: Watched) -> None:
    rules = [rule for group in watched.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}

    firing = {alert["labels"]["alertname"]: alert for alert in watched.ask("alerts")["alerts"]}

    assert firing["PushFailed"]["state"] == "firing"
    assert firing["PushFailed"]["labels"]["job"] == "other"
    # That one of three pushes was refused is one too, after ten minutes.
    assert set(firing) <= {"PushFailed", "PushesRefused"}


def dashboard() -> dict[str, Any]:
    """The dashboard of Grafana."""
    found: dict[str, Any] = json.loads((COMPOSE / "grafana/dashboards/pgw.json").read_text())
    return found


EXPRESSIONS = [
    *(target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]),
    *(rule["expr"] for group in read("alerts.yml")["groups"] for rule in group["rules"]),
]
NO_METRIC = (
    r'"[^"]*"',
    r"\{[^{}]*\}|\[[^\]]*\]|\b(?:by|on|group_left) *\([^)]*\)",
    r"\b\w+(?= *\()|\b(?:or|and|unless|bool)\b",
)
"""What is no name of a metric in the expressions of compose/, to be taken away in this order."""


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression names."""
    for pattern in NO_METRIC:
        expression = re.sub(pattern, "", expression)
    return set(re.findall(r"[a-zA-Z_:][\w:]*", expression))


def test_every_metric_of_the_dashboard_and_the_alerts_exists(watched: Watched) -> None:
    existing = set(watched.ask("label/__name__/values"))

    named = set().union(*map(metrics_of, EXPRESSIONS))

    assert named - existing == set()
    assert {"push_time_seconds", "redis_memory_used_bytes", "haproxy_server_status", "pgw_waiting_writes"} <= named


@pytest.mark.parametrize("panel", dashboard()["panels"], ids=lambda panel: panel["title"])
def test_a_panel_of_the_dashboard_shows_something(watched: Watched, panel: dict[str, Any]) -> None:
    [source] = read("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == panel["datasource"]["uid"] == source["uid"]
        # Scraped each second here, not every 15.
        expression = target["expr"].replace("$__rate_interval", "10s")
        assert watched.query(expression), f"{expression} shows nothing"


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard()["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_redis_is_set_up_to_lose_nothing_and_evict_nothing(watched: Watched) -> None:
    names = ("appendonly", "appendfsync", "maxmemory-policy", "save", "maxmemory")
    with redis.Redis(HOST, watched.topology.redis.port) as client:
        found = {name: client.config_get(name)[name] for name in names}

    assert found == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "maxmemory": str(512 << 20),
    }


def push_until(gateway: Client, job: str, body: str, enough: Sequence[object]) -> list[int]:
    """Push again and again until there is something in `enough`; the statuses."""
    statuses = []
    while not enough:
        statuses.append(gateway.post(f"job/{job}", body).status)
    return statuses


def test_a_replica_that_is_killed_makes_no_push_fail_and_comes_back(topology: Topology) -> None:
    replica, gateway = topology.replicas[0], topology.balancer
    line = "some_metric_of_a_job_with_a_name 1\n"
    largest = (line + "#" * (LARGEST_RETRIED - len(line) - 1) + "\n", line)
    over: list[bool] = []

    with ThreadPoolExecutor(4) as pool:
        pushing = [pool.submit(push_until, gateway, f"j{n}", largest[n % 2], over) for n in range(4)]
        try:
            for _ in range(3):
                replica.kill()
                gateway.wait_for("DOWN", replica)
                replica.start()
                gateway.wait_for("UP", replica)
        finally:
            over.append(True)
        statuses = [status for each in pushing for status in each.result()]

    assert set(statuses) == {200}
    assert len(statuses) > 50
    assert len(gateway.scrape().groups()) == len(replica.scrape().groups()) == 4


def test_a_push_to_a_replica_that_hangs_is_answered_by_another(topology: Topology) -> None:
    topology.replicas[0].pause()

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda n: topology.balancer.put(f"job/j/n/{n}", "a 1\n").status, range(6)))

    assert statuses == [200] * 6
    assert topology.balancer.states() == {"pgw-1": "DOWN", "pgw-2": "UP", "pgw-3": "UP"}
    topology.replicas[0].resume()
    topology.balancer.wait_for("UP")
    assert len(topology.replicas[0].scrape().groups()) == 6


def test_while_redis_hangs_every_push_is_to_be_repeated_and_then_all_is_well_again(topology: Topology) -> None:
    gateway = topology.balancer
    topology.redis.pause()

    by_replica = gateway.post("job/j", "a 1\n")
    gateway.wait_for("DOWN")
    by_balancer = gateway.post("job/j", "a 1\n")

    for answer in (by_replica, by_balancer):
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert by_balancer.text == "No replica is ready\n"
    assert [replica.status_of("/-/healthy") for replica in topology.replicas] == [200] * 3
    topology.redis.resume()
    gateway.wait_for("UP")
    assert gateway.post("job/j", "a 2\n").status == 200
    assert gateway.scrape().family("a").samples == ('a{instance="",job="j"} 2',)


def test_a_large_push_goes_through_the_balancer(topology: Topology) -> None:
    body = "".join(f'a{{n="{n}"}} {n}\n' for n in range(20_000))
    assert len(body) > 4 * LARGEST_RETRIED

    assert topology.balancer.put("job/j", body).status == 200

    for _ in topology.replicas:
        assert len(topology.balancer.scrape().family("a").samples) == 20_000


def headings(path: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    titles = re.findall(r"(?m)^#+ (.*)$", path.read_text())
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_every_alert_says_what_it_means_and_has_a_place_in_the_runbook() -> None:
    alerts = [rule for group in read("alerts.yml")["groups"] for rule in group["rules"] if "alert" in rule]
    assert len(alerts) > 10
    for alert in alerts:
        page, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert {"summary", "description", "runbook"} == set(alert["annotations"]), alert
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert anchor in headings(ROOT / page), alert["alert"]
