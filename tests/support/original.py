"""What the tests against Debian's Pushgateway (1.5.1) share: both servers, and what of two answers has to be the same.

In: requests.
Out: the answers of both, in the parts that a client could notice; groups and families in a form that can be compared.
Never: forgives a difference; those that are meant are rows of the tests' tables.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from client import Answer
from pages import JOB_LABEL, OWN_PREFIXES, PUSH_TIMES

if TYPE_CHECKING:
    from pages import Family
    from servers import Server

BARRIER = "job/barrier"
INCONSISTENT = "pushed metrics are invalid or inconsistent with existing metrics: "
UNNOTICED = {"date", "server", "connection", "transfer-encoding", "content-length"}
"""Headers that say when and how an answer was sent, not what; http.client has used them up."""
COLLISION = re.compile(
    r'collected histogram or summary named "(.*?)" collides with previously collected metric "(.*?)"'
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


class Request(NamedTuple):
    """One request of a case."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012  nobody changes it


class Pair(NamedTuple):
    """Our gateway and the original."""

    ours: Server
    theirs: Server

    def ask(self, request: Request) -> tuple[Answer, Answer]:
        """Send both the same."""
        return self.ours.request(*request), self.theirs.request(*request)

    def settle(self) -> None:
        """Wait until both have applied all; the original applies deletes later than it answers, but in their order."""
        for server in self:
            assert server.post(BARRIER).status in (200, 202)

    def empty(self) -> None:
        """Delete all groups."""
        for server in self:
            server.delete_all_groups()


def noticeable(answer: Answer) -> Answer:
    """The parts of an answer that a client acts upon. The newest original names the escaping of each page."""
    headers = {name: value for name, value in answer.headers.items() if name not in UNNOTICED}
    if "content-type" in headers:
        headers["content-type"] = headers["content-type"].removesuffix("; escaping=underscores")
    return answer._replace(reason="", headers=headers)


def reasons(answer: Answer) -> set[str]:
    """What a client is told: without what Go prints of its structures, and which of two it names first."""
    if not answer.text.startswith(INCONSISTENT):
        return {answer.text}
    text = re.sub(r'(collected metric "[^"]*") .*? (?=was|is not|has|must)', r"\1 ", answer.text, flags=re.DOTALL)
    text = text.replace("metric named", "metric")
    text = re.sub(
        r"is not a (?:family of type )?\w+(, as other groups have it, but of type \w+)?", "is not a TYPE", text
    )
    text = COLLISION.sub(r'collected metric "\2" collides with previously collected histogram named "\1"', text)
    text = re.sub(r" \((line \d+|metric \d+ of .*)\)$", "", text.removeprefix(INCONSISTENT).strip())  # ours says where
    return set(re.sub(r"^\d+ error\(s\) occurred:\n\* ", "", text).split("\n* "))


def acceptable_reasons(theirs: Answer, request: Request) -> set[str]:
    """What the original says, or would have said about a last line without an end."""
    line = re.match(r"text format parsing error in line \d+: ", theirs.text)
    cut = {f"{line[0]}unexpected end of input stream\n"} if line and not request.body.endswith(b"\n") else set()
    return reasons(theirs) | cut


def is_hidden_by_a_type(ours: Answer, theirs: Answer) -> bool:
    """The original looks no further in a family of a wrong type; we look at the push before we look at others."""
    return "is not a TYPE" in str(reasons(theirs)) and ours.text.startswith(INCONSISTENT)


def assert_same_answer(ours: Answer, theirs: Answer, request: Request) -> None:
    """The same status and words: of the reasons of the original we give one.

    A redirect of the original to a cleaned path is a 307 since it is built with Go 1.26.
    """
    if theirs.status == 301:
        assert (ours.status, ours.headers["location"]) == (307, theirs.headers["location"]), request
        return
    assert ours.status == theirs.status, (request, ours, theirs)
    assert reasons(ours) <= acceptable_reasons(theirs, request) or is_hidden_by_a_type(ours, theirs), request
    assert noticeable(ours).headers == noticeable(theirs).headers, request


def pushed_families(server: Server) -> list[Family]:
    """The families of a scrape as text, but for its own."""
    return server.scrape().pushed


def api_groups(server: Server) -> list[dict[str, Any]]:
    """The groups of the JSON API, in the order of their labels, with `T` for each time.

    NOTE: 1.5.1 shows no buckets of native histograms; ours, as the newest original, makes a list of them.
    """
    body = json.loads(TIME.sub("T", server.get("/api/v1/metrics").text))
    assert list(body) == ["status", "data"]
    for group in body["data"]:
        for name in PUSH_TIMES:
            [metric] = group[name]["metrics"]
            metric["value"] = "0" if metric["value"] == "0" else "T"
        for family in (value for name, value in group.items() if name not in ("labels", "last_push_successful")):
            for metric in family["metrics"]:
                metric["buckets"] = metric["buckets"] if isinstance(metric.get("buckets"), dict) else {}
    groups: list[dict[str, Any]] = sorted(body["data"], key=lambda group: json.dumps(group["labels"]))
    return groups


def is_own(name: str, labels: str) -> bool:
    """Whether a family with these labels, written as in text, tells of the gateway itself."""
    return name.startswith(OWN_PREFIXES) and not JOB_LABEL.search(labels)
