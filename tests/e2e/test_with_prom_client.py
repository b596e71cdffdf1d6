"""The Node client library, prom-client, as batch jobs use it.

In: its Pushgateway class and its metrics, by prom_client/calls.js; npm installs the newest one, once a session.
Out: what a scrape shows, and what the library tells the job.
Never: imitates the library, or expects more of it than it does: what it cannot say in a path is written down here.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import ssl
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bcrypt
import pytest
from certificates import Authority, Certificate
from client import HOST
from pages import Page
from servers import Program, Server, pgw_command, program_path, unused_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOURCE = Path(__file__).parent / "prom_client"
INSTALL_SECONDS = 300  # four small packages took one second; a registry may be slow
JOB_SECONDS = 60  # a job took a quarter of a second

Metric = tuple[str, dict[str, object], list[list[object]]]
Call = tuple[str, dict[str, object]]
Labels = dict[str, str]

GZIP = {"headers": {"Content-Encoding": "gzip"}}
KEPT_OPEN = {"keepAlive": True, "maxSockets": 8}
PASSWORD = "wonderland"
LOGIN = f"alice:{PASSWORD}"
BASIC = {"Authorization": "Basic " + base64.b64encode(LOGIN.encode()).decode()}
PREFIX = "/pushes"


class Outcome(NamedTuple):
    """What the library told of one call: an answer, or the error that it raised."""

    status: int = 0
    body: str = ""
    encoding: str | None = None
    reused: bool = False
    error: str = ""


class Jobs:
    """Runs jobs on Node, each in a process of its own."""

    def __init__(self, directory: Path) -> None:
        self._command = [program_path("node", "nodejs"), str(directory / "calls.js")]

    def run(self, gateway: str, metrics: Sequence[Metric], *calls: Call, **more: object) -> list[Outcome]:
        """Make calls with metrics; `more` as calls.js has it. One outcome for each call."""
        job = {"gateway": gateway, "options": {}, "metrics": metrics, "calls": calls, **more}
        command = [*self._command, json.dumps(job)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=JOB_SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        outcomes = [Outcome(**outcome) for outcome in json.loads(done.stdout)]
        assert len(outcomes) == len(calls)
        return outcomes

    def statuses(self, gateway: str, metrics: Sequence[Metric], *calls: Call, **more: object) -> list[int]:
        """As `run`; the statuses of the answers."""
        outcomes = self.run(gateway, metrics, *calls, **more)
        assert {outcome.error for outcome in outcomes} == {""}
        return [outcome.status for outcome in outcomes]


@pytest.fixture(scope="session")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    directory = tmp_path_factory.mktemp("prom_client")
    for name in ("package.json", "calls.js"):
        shutil.copy(SOURCE / name, directory)
    made = Jobs(directory)
    command = [program_path("npm", "npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode == 0:
        return made
    message = f"npm could not install prom-client: {done.stderr}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def gauge(name: str, value: object = 1) -> Metric:
    return "Gauge", {"name": name, "help": "A gauge."}, [["set", value]]


def call(method: str, job: str = "j", groupings: Labels | None = None) -> Call:
    return method, {"jobName": job, "groupings": groupings or {}}


def shown(groupings: Labels, job: str = "j") -> tuple[tuple[str, str], ...]:
    """The labels that a scrape shows of a group."""
    return tuple(sorted({"instance": "", "job": job, **groupings}.items()))


@pytest.mark.parametrize("options", [{}, GZIP], ids=["plain", "gzip"])
def test_push_replaces_the_group_and_push_add_keeps_its_other_families(
    jobs: Jobs, shared_gateway: Server, options: dict[str, object]
) -> None:
    url = shared_gateway.url
    first = jobs.run(url, [gauge("first")], call("push"), options=options)
    second = jobs.run(url, [gauge("second")], call("pushAdd"), options=options)
    after_add = [family.name for family in shared_gateway.scrape().pushed]
    third = jobs.run(url, [gauge("third")], call("push"), options=options)
    after_push = [family.name for family in shared_gateway.scrape().pushed]

    assert first == second == third == [Outcome(200, encoding="gzip" if options else None)]
    assert after_add == ["first", "push_failure_time_seconds", "push_time_seconds", "second"]
    assert after_push == ["push_failure_time_seconds", "push_time_seconds", "third"]


@pytest.mark.parametrize("options", [{}, GZIP], ids=["plain", "gzip"])
def test_delete_removes_one_group_and_leaves_the_others(
    jobs: Jobs, shared_gateway: Server, options: dict[str, object]
) -> None:
    pushes = [call("push"), call("push", groupings={"instance": "i"}), call("push", "k")]
    jobs.statuses(shared_gateway.url, [gauge("g")], *pushes)

    assert jobs.run(shared_gateway.url, [], call("delete"), options=options) == [Outcome(202)]
    assert shared_gateway.scrape().groups() == {shown({"instance": "i"}), shown({}, "k")}


def test_the_library_compresses_nothing_more_after_a_delete_and_is_still_understood(
    jobs: Jobs, shared_gateway: Server
) -> None:
    calls = [call("push"), call("delete"), call("push")]
    outcomes = jobs.run(shared_gateway.url, [gauge("g", 5)], *calls, options=GZIP)

    assert [(outcome.status, outcome.encoding) for outcome in outcomes] == [(200, "gzip"), (202, None), (200, None)]
    assert shared_gateway.scrape().family("g").samples == ('g{instance="",job="j"} 5',)


def test_calls_one_after_the_other_share_a_connection_even_after_a_refusal(jobs: Jobs, shared_gateway: Server) -> None:
    refused = call("push", groupings={"a-b": "c"})
    calls = [call("push"), call("pushAdd"), call("delete"), refused, call("push"), call("delete")]
    outcomes = jobs.run(shared_gateway.url, [gauge("g")], *calls, agent=KEPT_OPEN, options=GZIP)

    assert [outcome.status for outcome in outcomes] == [200, 200, 202, 0, 200, 202]
    assert [outcome.reused for outcome in outcomes if outcome.status] == [False, True, True, True, True]


def test_of_many_pushes_at_once_each_arrives(jobs: Jobs, shared_gateway: Server) -> None:
    groups: list[Labels] = [{"number": str(number)} for number in range(200)]
    calls = [call("pushAdd", groupings=group) for group in groups]
    outcomes = jobs.run(shared_gateway.url, [gauge("g")], *calls, agent=KEPT_OPEN, at_once=True)

    assert {(outcome.status, outcome.error) for outcome in outcomes} == {(200, "")}
    assert shared_gateway.scrape().groups() == {shown(group) for group in groups}


GROUPINGS: tuple[Labels, ...] = (
    {"instance": "db-1"},
    {"empty": ""},
    {"instance": ""},
    {"space": "a b", "plus": "a+b", "percent": "100%", "escape": "%2F", "query": "a?b#c&d=e;f"},
    {"unicode": "Προμηθεύς", "beyond": "🜁", "quote": 'say "hi", it\'s `so`\\\n', "null": "a\0b"},
    {"dots": "...", "hidden": ".x", "base64": "x@base64", "suffix": "@base64"},
)


@pytest.mark.parametrize("groupings", GROUPINGS, ids=ascii)
def test_groupings_arrive_as_they_were_given_and_can_be_deleted(
    jobs: Jobs, shared_gateway: Server, groupings: Labels
) -> None:
    jobs.statuses(shared_gateway.url, [gauge("g")], call("push", groupings=groupings))
    found = shared_gateway.scrape().groups()
    jobs.statuses(shared_gateway.url, [], call("delete", groupings=groupings))

    assert found == {shown(groupings)}
    assert shared_gateway.scrape().groups() == set()


def test_jobs_arrive_as_they_were_given_but_for_slashes_and_dots(jobs: Jobs, shared_gateway: Server) -> None:
    names = ["x y", "job@base64", "日本", "...", "a?b#c", "100%", "%2F"]
    jobs.statuses(shared_gateway.url, [gauge("g")], *(call("push", name) for name in names))

    assert shared_gateway.scrape().groups() == {shown({}, name) for name in names}


# The library writes a value into the path with encodeURIComponent, never in base64, and then lets url.resolve tidy the
# path up. A slash becomes %2F, which the gateway decodes before it splits, as the original does; `.` and `..` are taken
# for directories; and of an empty value before another label there is only a double slash left, to which the answer is
# a redirect: for the library all below 400 is a success.
ODD = "Error: push failed with status 400, odd number of components in label string"
UNSAYABLE: dict[str, tuple[Labels, Outcome, Labels | None]] = {
    "a slash in front": ({"path": "/var/tmp"}, Outcome(200), {"path": "", "var": "tmp"}),
    "a slash alone": ({"path": "/"}, Outcome(error=f'{ODD} "/path//"\n'), None),
    "one slash": ({"path": "a/b"}, Outcome(error=f'{ODD} "/path/a/b"\n'), None),
    "two slashes": ({"path": "a/b/c"}, Outcome(200), {"path": "a", "b": "c"}),
    "a dot": ({"path": "."}, Outcome(200), {"path": ""}),
    "two dots": ({"path": ".."}, Outcome(200), {}),
    "two dots in the midst": ({"path": "..", "a": "b"}, Outcome(200), {"a": "b"}),
    "an empty value in front": ({"path": "", "a": "b"}, Outcome(307), None),
    "half a character": ({"path": "\ud800"}, Outcome(error="URIError: URI malformed"), None),
}


@pytest.mark.parametrize(("groupings", "outcome", "found"), UNSAYABLE.values(), ids=UNSAYABLE.keys())
def test_what_the_library_cannot_say_in_a_path_arrives_as_something_else_or_not_at_all(
    jobs: Jobs, shared_gateway: Server, groupings: Labels, outcome: Outcome, found: Labels | None
) -> None:
    pushed = jobs.run(shared_gateway.url, [gauge("g")], call("push", groupings=groupings))
    stored = shared_gateway.scrape().groups()
    jobs.run(shared_gateway.url, [], call("delete", groupings=groupings))

    assert pushed == [outcome]
    assert stored == (set() if found is None else {shown(found)})
    assert shared_gateway.scrape().groups() == set()


def test_any_value_arrives_if_the_job_encodes_it_itself(jobs: Jobs, shared_gateway: Server) -> None:
    groupings = {"path@base64": "L3Zhci90bXA=", "empty@base64": "=", "dots@base64": "Li4", "a": "b"}
    calls = [call("push", groupings=groupings), call("delete", groupings=groupings)]

    jobs.statuses(shared_gateway.url, [gauge("g")], calls[0])
    found = shared_gateway.scrape().groups()
    jobs.statuses(shared_gateway.url, [], calls[1])

    assert found == {shown({"path": "/var/tmp", "empty": "", "dots": "..", "a": "b"})}
    assert shared_gateway.scrape().groups() == set()


@pytest.mark.parametrize("job", [".", "..", "a/b"])
def test_a_job_that_is_dots_or_has_a_slash_is_not_stored(jobs: Jobs, shared_gateway: Server, job: str) -> None:
    jobs.run(shared_gateway.url, [gauge("g")], call("push", job))

    assert shared_gateway.scrape().groups() == set()


HELP = "Line one\nback\\slash."
KIND = 'a "b"\\\nc'
EVERY_TYPE: tuple[Metric, ...] = (
    ("Counter", {"name": "done", "help": HELP, "labelNames": ["kind"]}, [["inc", {"kind": KIND}, 3]]),
    ("Gauge", {"name": "unset", "help": "Never set.", "labelNames": ["kind"]}, []),
    ("Gauge", {"name": "level", "help": "Level."}, [["set", 1.5], ["dec", 4]]),
    ("Histogram", {"name": "seconds", "help": "Time.", "buckets": [0.1, 1]}, [["observe", 0.5], ["observe", 7]]),
    ("Summary", {"name": "bytes", "help": "Size.", "percentiles": [0.5, 0.99]}, [["observe", 7], ["observe", 7]]),
)  # fmt: skip


def test_every_type_of_the_library_is_scraped_with_its_values(jobs: Jobs, shared_gateway: Server) -> None:
    jobs.statuses(shared_gateway.url, EVERY_TYPE, call("push"), options=GZIP)

    page = shared_gateway.scrape()

    assert page.family("done").type == "counter"
    assert page.family("done").help == r"Line one\nback\\slash."
    assert page.family("done").samples == (r'done{instance="",job="j",kind="a \"b\"\\\nc"} 3',)
    assert page.family("level").samples == ('level{instance="",job="j"} -2.5',)
    assert page.family("seconds").type == "histogram"
    assert page.family("seconds").samples == (
        'seconds_bucket{instance="",job="j",le="+Inf"} 2',
        'seconds_bucket{instance="",job="j",le="0.1"} 0',
        'seconds_bucket{instance="",job="j",le="1"} 1',
        'seconds_count{instance="",job="j"} 2',
        'seconds_sum{instance="",job="j"} 7.5',
    )
    assert page.family("bytes").type == "summary"
    assert page.family("bytes").samples == (
        'bytes_count{instance="",job="j"} 2',
        'bytes_sum{instance="",job="j"} 14',
        'bytes{instance="",job="j",quantile="0.5"} 7',
        'bytes{instance="",job="j",quantile="0.99"} 7',
    )
    assert "unset" not in [family.name for family in page.families]


def test_numbers_are_scraped_as_they_were_set(jobs: Jobs, shared_gateway: Server) -> None:
    numbers: dict[float | str, str] = {
        "NaN": "NaN",
        "Infinity": "+Inf",
        "-Infinity": "-Inf",
        0.1 + 0.2: "0.30000000000000004",
        1e21: "1e+21",
        1.7976931348623157e308: "1.7976931348623157e+308",
        5e-324: "5e-324",
    }
    observations: list[list[object]] = [["set", {"read": read}, number] for number, read in numbers.items()]
    metric: Metric = ("Gauge", {"name": "g", "help": "A gauge.", "labelNames": ["read"]}, observations)
    jobs.statuses(shared_gateway.url, [metric], call("push"))

    samples = {f'g{{instance="",job="j",read="{read}"}} {read}' for read in numbers.values()}
    assert set(shared_gateway.scrape().family("g").samples) == samples


def test_the_metrics_that_the_library_collects_of_its_process_are_scraped_for_each_job(
    jobs: Jobs, shared_gateway: Server
) -> None:
    jobs.statuses(shared_gateway.url, [], call("push"), call("push", "k"), defaults=True)

    page = shared_gateway.scrape()

    for name in ("nodejs_version_info", "process_cpu_seconds_total", "process_start_time_seconds"):
        assert ['job="j"' in line for line in page.family(name).samples] == [True, False]
    assert page.groups() == {shown({}), shown({}, "k")}


def test_a_registry_of_openmetrics_is_read_as_text_because_the_library_does_not_say_what_it_sends(
    jobs: Jobs, shared_gateway: Server
) -> None:
    jobs.statuses(shared_gateway.url, EVERY_TYPE, call("push"), registry="OPENMETRICS")

    page = shared_gateway.scrape()

    assert page.family("done_total").type == "untyped"
    assert len(page.family("done_total").samples) == 1
    assert len(page.family("seconds").samples) == 5


def test_an_exemplar_is_refused_with_its_line_because_text_has_none(jobs: Jobs, shared_gateway: Server) -> None:
    seen = {"labels": {}, "value": 1, "exemplarLabels": {"trace": "x"}}
    metric: Metric = ("Counter", {"name": "done", "help": "Done.", "enableExemplars": True}, [["inc", seen]])

    (outcome,) = jobs.run(shared_gateway.url, [metric], call("push"), registry="OPENMETRICS")

    assert outcome.error.startswith("Error: push failed with status 400, text format parsing error in line 3: ")


def test_a_push_that_clashes_with_another_group_fails_in_the_job_with_the_reason(
    jobs: Jobs, shared_gateway: Server
) -> None:
    jobs.statuses(shared_gateway.url, [gauge("g")], call("push"))
    counter: Metric = ("Counter", {"name": "g", "help": "A counter."}, [["inc"]])

    outcomes = jobs.run(shared_gateway.url, [counter], call("push", "k"), call("pushAdd", "k"), options=GZIP)

    told = "Error: push failed with status 400, pushed metrics are invalid or inconsistent with existing metrics: "
    reason = 'collected metric "g" is not a family of type gauge, as other groups have it, but of type counter\n'
    assert [outcome.error for outcome in outcomes] == [told + reason] * 2
    assert shared_gateway.scrape().family("g").samples == ('g{instance="",job="j"} 1',)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"jobName": "j", "groupings": {"a-b": "c"}}, '400, improper label name "a-b"\n'),
        ({"jobName": "j", "groupings": {"__a": "b"}}, '400, improper label name "__a"\n'),
        ({"jobName": "j", "groupings": {"ü": "b"}}, '400, improper label name "ü"\n'),
        ({"groupings": {"a": "b"}}, "405, Method Not Allowed\n"),
    ],
    ids=["dash", "reserved", "unicode", "no job"],
)
def test_a_call_for_a_group_that_cannot_be_fails_in_the_job_with_the_reason(
    jobs: Jobs, shared_gateway: Server, parameters: dict[str, object], told: str
) -> None:
    calls: list[Call] = [(method, parameters) for method in ("push", "pushAdd", "delete")]
    outcomes = jobs.run(shared_gateway.url, [gauge("g")], *calls, options={"requireJobName": False})

    assert [outcome.error for outcome in outcomes] == [f"Error: push failed with status {told}"] * 3
    assert shared_gateway.scrape().groups() == set()


class Secured:
    """A gateway that wants a certificate and a password, below a prefix."""

    def __init__(self, directory: Path) -> None:
        self._port = unused_port()
        authority = Authority(directory)
        authority.issue("server", "DNS:localhost", f"IP:{HOST}")
        self._client: Certificate = authority.issue("client", "DNS:me")
        self._authority = str(authority.cert)
        config = directory / "web.yml"
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()  # 4: the least work there is
        config.write_text(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: authority.pem\n"
            f"  client_auth_type: RequireAndVerifyClientCert\nbasic_auth_users:\n  alice: {hashed}\n"
        )
        words = [f"--web.listen-address={HOST}:{self._port}", f"--storage.path={directory / 'storage'}"]
        words += [f"--web.config.file={config}", f"--web.route-prefix={PREFIX}", "--workers=1"]
        self.program = Program([*pgw_command(), *words], directory)
        self.server = Server(self.program, self._port)

    def url(self, login: str = "") -> str:
        """Where pushes go; `login` as in `name:password@`."""
        return f"https://{login}localhost:{self._port}{PREFIX}"

    @property
    def files(self) -> dict[str, str]:
        """The files that a client needs."""
        return {"ca": self._authority, "cert": str(self._client.cert), "key": str(self._client.key)}

    def has_started(self) -> bool:
        """Whether it serves."""
        assert self.program.is_running, self.program.log
        return "push a first metric" in self.program.log

    def scrape(self) -> Page:
        """Scrape it with a certificate and a password."""
        context = ssl.create_default_context(cafile=self._authority)
        context.load_cert_chain(self._client.cert, self._client.key)
        with closing(http.client.HTTPSConnection("localhost", self._port, timeout=30, context=context)) as connection:
            connection.request("GET", f"{PREFIX}/metrics", headers=BASIC)
            response = connection.getresponse()
            assert response.status == 200
            return Page(response.read().decode())


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(tmp_path_factory.mktemp("secured"))
    try:
        made.program.start()
        wait_until(made.has_started, f"it serves, see {made.program.log_path}")
        yield made
        made.server.stop()
    finally:
        made.server.destroy()


@pytest.mark.parametrize(
    ("login", "options"),
    [("", {"auth": LOGIN}), ("", {"headers": BASIC}), (f"{LOGIN}@", {}), ("", {"auth": LOGIN, **GZIP})],
    ids=["option", "header", "url", "option and gzip"],
)
def test_pushes_over_tls_with_a_password_and_a_certificate_below_a_prefix(
    jobs: Jobs, secured: Secured, login: str, options: dict[str, object]
) -> None:
    calls = [call("push"), call("push", "k"), call("delete", "k")]
    statuses = jobs.statuses(secured.url(login), [gauge("g")], *calls, files=secured.files, options=options)
    page = secured.scrape()
    jobs.statuses(secured.url(login), [], call("delete"), files=secured.files, options=options)

    assert statuses == [200, 200, 202]
    assert page.family("g").samples == ('g{instance="",job="j"} 1',)
    assert page.groups() == {shown({})}
    assert secured.scrape().groups() == set()


@pytest.mark.parametrize("options", [{}, {"auth": "alice:wrong"}, {"auth": "alice"}], ids=["none", "wrong", "half"])
def test_without_the_password_each_call_fails_in_the_job_with_the_status(
    jobs: Jobs, secured: Secured, options: dict[str, object]
) -> None:
    calls = [call("push"), call("pushAdd"), call("delete")]
    outcomes = jobs.run(secured.url(), [gauge("g")], *calls, files=secured.files, options=options)

    assert {outcome.error for outcome in outcomes} == {"Error: push failed with status 401, Unauthorized\n"}


@pytest.mark.parametrize(
    ("names", "told"),
    [(["cert", "key"], "certificate"), (["ca"], "")],
    ids=["of the gateway, to trust it", "of the job, to be trusted"],
)
def test_without_either_certificate_the_push_fails_in_the_job(
    jobs: Jobs, secured: Secured, names: list[str], told: str
) -> None:
    files = {name: secured.files[name] for name in names}
    (outcome,) = jobs.run(secured.url(), [gauge("g")], call("push"), files=files, options={"auth": LOGIN})

    assert outcome.error
    assert told in outcome.error
    assert secured.scrape().groups() == set()
