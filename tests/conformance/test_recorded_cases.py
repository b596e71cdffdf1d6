"""The recorded cases of the original (1.11.3), sent to ours.

In: cases.json beside this file; its README says how answers are compared.
Never: skips a case. One that waits for a later feature must fail until that is there (WAITING, strict); one that we
answer differently on purpose is asserted to be answered in our way (DIFFERENT).
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

import pytest
from pages import PUSH_TIMES, families_of, pushed_of

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet
    from client import Answer
    from pages import Family
    from servers import Server, StartServer


class Step(TypedDict, total=False):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    body_b64: str


class Case(TypedDict, total=False):
    """Requests in order, and what is expected of each and of the scrape behind them."""

    name: str
    flags: list[str]
    steps: list[Step]
    status: list[int]
    body_contains: list[list[str]]
    resp_headers: list[dict[str, str]]
    step_json: dict[str, object]
    scrape_status: int
    then_scrape_lines: list[str] | None


CASES = cast("list[Case]", json.loads(Path(__file__).with_name("cases.json").read_text()))
INCONSISTENT = "pushed metrics are invalid or inconsistent with existing metrics: "
TIME_STAMP = re.compile(r'"time_stamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"')
TELEMETRY_PATH = "--web.telemetry-path="


def push_times(*groups: str, failed: str = "0", pushed: str = "T") -> list[str]:
    """The lines that the push times of groups take up, for their labels as they are scraped."""
    what = "Last Unix time when changing this group in the Pushgateway"
    return [
        f"# HELP push_failure_time_seconds {what} failed.",
        "# TYPE push_failure_time_seconds gauge",
        *(f"push_failure_time_seconds{{{labels}}} {failed}" for labels in groups),
        f"# HELP push_time_seconds {what} succeeded.",
        "# TYPE push_time_seconds gauge",
        *(f"push_time_seconds{{{labels}}} {pushed}" for labels in groups),
    ]


J = 'instance="",job="j"'
K = 'instance="",job="k"'
A_IN_J = ["# TYPE a untyped", f"a{{{J}}} 1", *push_times(J)]
ERROR = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}

# What we answer instead of the original, on purpose. Only what differs is written; the rest of the case holds.
DIFFERENT: dict[str, Case] = {
    # A value that is not UTF-8 could never be scraped: the original keeps its group, and every scrape fails.
    "base64 value not utf-8": {
        "body_contains": [['has a label named "x" whose value is not utf8: "\\xff\\xef"']],
        "scrape_status": 200,
        "then_scrape_lines": [],
    },
    # PowerShell and Windows editors end lines in CR LF.
    "text: CRLF": {"status": [200], "body_contains": [[]], "resp_headers": [{}], "then_scrape_lines": A_IN_J},
    "text: CR blank line": {"status": [200], "body_contains": [[]], "resp_headers": [{}], "then_scrape_lines": A_IN_J},
    # `curl --data 'a 1'` sends no newline.
    "text: HELP no newline": {
        "status": [200],
        "body_contains": [[]],
        "resp_headers": [{}],
        "then_scrape_lines": push_times(J),
    },
    # Our own families are known from the start, not only once they have a sample.
    "own late metric conflicting in the very first push is accepted and breaks the scrape": {
        "status": [400],
        "body_contains": [[INCONSISTENT, "pushgateway_http_requests_total"]],
        "resp_headers": [ERROR],
        "scrape_status": 200,
        "then_scrape_lines": push_times(J, failed="T", pushed="0"),
    },
    # There is no Go runtime on our page whose families could be clashed with.
    "own summary suffix collision": {
        "status": [200],
        "body_contains": [[]],
        "resp_headers": [{}],
        "then_scrape_lines": [f"go_gc_duration_seconds_count{{{J}}} 1", *push_times(J)],
    },
    # The push times belong to the gateway: pushed ones are always overridden.
    "user push_failure_time_seconds on existing group is KEPT": {"then_scrape_lines": A_IN_J},
    "...untyped it blocks every other group and breaks the scrape": {
        "status": [200, 200, 200],
        "body_contains": [[], [], []],
        "resp_headers": [{}, {}, {}],
        "scrape_status": 200,
        "then_scrape_lines": ["# TYPE a untyped", f"a{{{J}}} 1", f"a{{{K}}} 1", *push_times(J, K)],
    },
    # A family without a name would cut every scrape short.
    "pb: name missing is accepted and truncates every scrape": {
        "status": [400],
        "body_contains": [['has the name ""']],
        "resp_headers": [ERROR],
        "then_scrape_lines": [],
    },
    # A name that unescapes to a reserved one: the original lets it pass, and every scrape fails.
    "utf8 path: escaped reserved poisons scrape": {
        "status": [400, 200],
        "body_contains": [['improper label name "U______x"'], []],
        "resp_headers": [ERROR, {}],
        "scrape_status": 200,
        "then_scrape_lines": [],
    },
    # HEAD works wherever GET does.
    **{
        f"route {path}: GET HEAD OPTIONS POST": {
            "status": [200, 200, 200, 405],
            "resp_headers": [
                {"content-type": "text/plain; charset=utf-8"},
                {"content-type": "text/plain; charset=utf-8"},
                {"allow": "GET, HEAD, OPTIONS"},
                {**ERROR, "allow": "GET, HEAD, OPTIONS"},
            ],
        }
        for path in ("/-/healthy", "/-/ready")
    },
    **{
        f"route {path}: HEAD OPTIONS POST": {
            "status": [200, 200, 405],
            "resp_headers": [
                {"content-type": "text/html; charset=utf-8"},
                {"allow": "GET, HEAD, OPTIONS"},
                {**ERROR, "allow": "GET, HEAD, OPTIONS"},
            ],
        }
        for path in ("/", "/status")
    },
    # Without the check, the newest of two equal series is served instead of failing the scrape.
    "unchecked: inconsistent push breaks scrape": {
        "scrape_status": 200,
        "then_scrape_lines": ["# TYPE a untyped", f"a{{{J}}} 2", *push_times(J)],
    },
}

# The cases of features that come later: the start of their names.
WAITING: dict[str, str] = {}


def test_each_table_names_cases_that_exist() -> None:
    names = {case["name"] for case in CASES}
    assert set(DIFFERENT) <= names
    assert [start for start in WAITING if not any(name.startswith(start) for name in names)] == []


def waiting_for(case: Case) -> str | None:
    """The feature that a case waits for."""
    return next((feature for start, feature in WAITING.items() if case["name"].startswith(start)), None)


def parameters() -> list[ParameterSet]:
    """The cases, with what we answer instead, and marked if they wait."""
    marked = []
    for case in CASES:
        feature = waiting_for(case)
        marks = [pytest.mark.xfail(strict=True, reason=f"waits for: {feature}")] if feature else []
        ours = cast("Case", {**case, **DIFFERENT.get(case["name"], {})})
        marked.append(pytest.param(ours, id=case["name"].replace("[", "(").replace("]", ")"), marks=marks))
    return marked


@pytest.fixture
def server(request: pytest.FixtureRequest, case: Case) -> Server:
    """The shared gateway, or one with the flags of the case."""
    if case.get("flags"):
        start: StartServer = request.getfixturevalue("gateway")
        return start(*case["flags"])
    shared: Server = request.getfixturevalue("shared_gateway")
    return shared


def send(server: Server, step: Step) -> Answer:
    """Send one step; its path is sent as it was recorded."""
    body = base64.b64decode(step["body_b64"]) if "body_b64" in step else step.get("body", "").encode()
    return server.request(step["method"], step["path"], body, step.get("headers"))


def plain_json(answer: Answer) -> str:
    """A JSON body as it was recorded: keys in their order, groups by their labels, `TS` and `T` for times."""
    text = TIME_STAMP.sub('"time_stamp":"TS"', answer.text)
    body = json.loads(text)
    for group in body["data"]:
        for metric in (metric for name in PUSH_TIMES for metric in group[name]["metrics"]):
            metric["value"] = "0" if metric["value"] == "0" else "T"
    body["data"].sort(key=lambda group: json.dumps(group["labels"], sort_keys=True))
    return json.dumps(body)


def scraped(server: Server, case: Case) -> list[Family] | None:
    """The pushed families of the final scrape, or None if it does not succeed."""
    paths = [flag.removeprefix(TELEMETRY_PATH) for flag in case.get("flags", []) if flag.startswith(TELEMETRY_PATH)]
    path = paths[0] if paths else "/metrics"
    return server.scrape(path).pushed if server.get(path).status == 200 else None


@pytest.mark.parametrize("case", parameters())
def test_a_recorded_case_is_answered_as_the_original_did_or_better(server: Server, case: Case) -> None:
    answers = [send(server, step) for step in case["steps"]]
    lines = case["then_scrape_lines"]

    assert [answer.status for answer in answers] == case["status"]
    for answer, parts, headers in zip(answers, case["body_contains"], case["resp_headers"], strict=True):
        assert [part for part in parts if part not in answer.text] == [], answer
        assert {name: answer.headers.get(name) for name in headers} == headers
    for number, expected in case.get("step_json", {}).items():
        assert plain_json(answers[int(number)]) == json.dumps(expected)
    assert scraped(server, case) == (None if lines is None else pushed_of(families_of(lines)))
