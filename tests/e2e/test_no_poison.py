"""Every way in which a push could blind the original: none of them works here.

In: the pushes of the behaviour page's sections 1.1, 2.4, 2.5, 2.6 and 2.7, sent one after the other.
Out: after each, the scrape is whole and valid, what was there is still there, and other groups can be pushed.
Never: asks how a poisoned push is refused, only that it does no harm; the answers stand in tests/conformance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers import Server, StartServer

Push = tuple[str, str, str]  # method, path behind /metrics/, body
BYSTANDER = 'bystander{instance="",job="bystander"} 1'
LATER = 'later{instance="",job="later"} 1'

POISONS: dict[str, list[Push]] = {
    "a value that is not UTF-8": [("POST", "job/j/x/%ff", "m 1\n")],
    "a value that is not UTF-8, replaced": [("PUT", "job/j/x/%ff", "m 1\n"), ("PUT", "job/j/x/%ff", "")],
    "a value that is not UTF-8, in base64": [("POST", "job/j/x@base64/_-8", "m 1\n")],
    "a job that is not UTF-8": [("POST", "job/%ff", "m 1\n"), ("POST", "job@base64/_w", "m 1\n")],
    "a surrogate encoded in UTF-8": [("POST", "job/j/x/%ed%a0%80", "m 1\n")],
    "a NUL in a value": [("POST", "job/j/x/%00", "m 1\n")],
    "a group with and without an empty instance": [
        ("POST", "job/j", "a 1\n"),
        ("POST", "job/j/instance/", "b 1\n"),
        ("POST", "job/j", "a 2\n"),
    ],
    "a group with an empty instance first": [("PUT", "job/j/instance@base64/=", ""), ("PUT", "job/j", "")],
    "a label name that unescapes to a reserved one": [("POST", "job/j/U______x/1", "m 1\n")],
    "an untyped failure time in an existing group": [
        ("POST", "job/j", "a 1\n"),
        ("POST", "job/j", "push_failure_time_seconds 7\n"),
        ("PUT", "job/j", "push_failure_time_seconds 7\n"),
    ],
    "a failure time that is a histogram": [
        ("POST", "job/j", "a 1\n"),
        ("POST", "job/j", "# TYPE push_failure_time_seconds histogram\npush_failure_time_seconds_count 7\n"),
    ],
    "a failure time with labels": [
        ("POST", "job/j", "a 1\n"),
        ("POST", "job/j", '# TYPE push_failure_time_seconds gauge\npush_failure_time_seconds{x="y"} 7\n'),
    ],
    "a push time that is a counter": [
        ("POST", "job/j", "# TYPE push_time_seconds counter\npush_time_seconds 5\n"),
        ("POST", "job/j", '# TYPE push_time_seconds counter\npush_time_seconds{x="y"} 5\n'),
    ],
    "a family with a name of the push times' suffixes": [
        ("POST", "job/j", "# TYPE push_time_seconds histogram\npush_time_seconds_bucket 1\n"),
        ("POST", "job/j", "# TYPE push histogram\npush_sum 1\n"),
    ],
    "a gauge_histogram": [("POST", "job/j", "# TYPE a gauge_histogram\na 1\na_count 1\n")],
    "a gaugehistogram": [("POST", "job/j", "# TYPE a gaugehistogram\na_count 1\n")],
    "a timestamp": [("POST", "job/j", "m 1 1000\n"), ("POST", "job/j", "push_time_seconds 5 123\n")],
    "an empty label value beside a missing one": [("POST", "job/j", 'a{x=""} 1\na 2\n')],
    "the label quantile on a summary": [("POST", "job/j/quantile/0.5", "# TYPE s summary\ns_sum 1\n")],
    "the label le on a histogram": [
        ("POST", "job/j/le/1", '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="2"} 1\nh_count 1\n')
    ],
    "the same bucket twice": [("POST", "job/j", '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1.0"} 2\n')],
    "the same quantile twice": [("POST", "job/j", '# TYPE s summary\ns{quantile="1"} 1\ns{quantile="1.0"} 2\n')],
    "suffixes of another group's histogram": [
        ("POST", "job/j", "# TYPE h histogram\nh_count 1\n"),
        ("POST", "job/k", "h_count 1\n"),
        ("POST", "job/k", "h_bucket 1\n"),
        ("POST", "job/k", "# TYPE h_sum summary\nh_sum 1\n"),
    ],
    "a histogram around another group's family": [
        ("POST", "job/j", "h_count 1\n"),
        ("POST", "job/k", "# TYPE h histogram\nh_count 1\n"),
        ("POST", "job/k", "# TYPE h summary\nh_count 1\n"),
    ],
    "another type in another group": [
        ("POST", "job/j", "# TYPE a gauge\na 1\n"),
        ("POST", "job/k", "# TYPE a counter\na 1\n"),
        ("PUT", "job/j", "# TYPE a counter\na 1\n"),
        ("POST", "job/k", "# TYPE a gauge\na 1\n"),
    ],
    "another HELP in another group": [
        ("POST", "job/j", "# HELP a one\na 1\n"),
        ("POST", "job/k", "# HELP a two\na 1\n"),
        ("POST", "job/l", "a 1\n"),
    ],
    "a series of a group of another shape": [
        ("POST", "job/j", 'a{x="1"} 1\n'),
        ("POST", "job/j/x/1", "a 2\n"),
        ("POST", "job/j/instance/i", "b 1\n"),
        ("POST", "job/j", 'b{instance="i"} 2\n'),
    ],
    "a series that becomes one of another group by PUT": [
        ("POST", "job/j/x/1", "a 1\n"),
        ("PUT", "job/j", 'a{x="2"} 1\n'),
        ("PUT", "job/j", 'a{x="1"} 1\n'),
    ],
    "line ends and quotes in values": [("POST", "job/j/x/%0A%22%5C", 'm{y="\\n\\"\\\\"} 1\n')],
    "a HELP that looks like a sample": [("POST", "job/j", "# HELP a \\nb 1\n# TYPE a gauge\na 1\n")],
    "carriage returns in values": [("POST", "job/j/x/%0D%0A", 'm{y="\r"} 1\n')],
    "separators of lines in Unicode": [("POST", "job/j/x/%E2%80%A8%C2%85", 'm{y="\u2028\u0085\x0b\x0c"} 1\n')],
}


def send_all(server: Server, pushes: list[Push]) -> None:
    """Send pushes in order, each answered as accepted or refused."""
    for method, path, body in pushes:
        answer = server.request(method, f"/metrics/{path}", body)
        assert answer.status in (200, 202, 400), answer


def assert_all_is_well(server: Server) -> None:
    """Another group can be pushed, and the scrape is whole."""
    answer = server.post("job/later", "later 1\n")
    assert answer.status in (200, 202), answer
    lines = server.scrape().lines
    assert BYSTANDER in lines
    assert LATER in lines


@pytest.mark.parametrize("pushes", POISONS.values(), ids=POISONS.keys())
def test_no_push_harms_another_group_or_the_scrape(shared_gateway: Server, pushes: list[Push]) -> None:
    shared_gateway.post("job/bystander", "bystander 1\n")

    for number in range(len(pushes)):
        send_all(shared_gateway, pushes[: number + 1])
        assert_all_is_well(shared_gateway)


@pytest.fixture(scope="module")
def running_unchecked(start_for_module: StartServer) -> Server:
    """A gateway without the consistency check."""
    return start_for_module("--push.disable-consistency-check")


@pytest.fixture
def unchecked(running_unchecked: Server) -> Server:
    """A gateway without the consistency check and without groups."""
    running_unchecked.delete_all_groups()
    return running_unchecked


@pytest.mark.parametrize("pushes", POISONS.values(), ids=POISONS.keys())
def test_no_push_harms_another_group_or_the_scrape_in_unchecked_mode(unchecked: Server, pushes: list[Push]) -> None:
    unchecked.post("job/bystander", "bystander 1\n")

    send_all(unchecked, pushes)
    assert_all_is_well(unchecked)


UNCHECKED: dict[str, list[Push]] = {
    "a series twice": [("POST", "job/j", "a 1\na 2\n")],
    "a series twice over two groups": [("POST", "job/j", 'a{x="1"} 1\n'), ("POST", "job/j/x/1", "a 2\n")],
    "two types": [("POST", "job/j", "# TYPE a gauge\na 1\n"), ("POST", "job/k", "# TYPE a counter\na 1\n")],
    "a histogram and its suffixes": [
        ("POST", "job/j", '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n'),
        ("POST", "job/j", "h_count 2\n"),
        ("POST", "job/k", "h_bucket 2\nh_sum 2\n"),
    ],
    "an own family": [("POST", "job/j", "# TYPE pushgateway_build_info counter\npushgateway_build_info 1\n")],
    "a reserved label": [("POST", "job/j", 'a{__x="1"} 1\n')],
    "a timestamp": [("POST", "job/j", "a 1 1000\n")],
}


@pytest.mark.parametrize("pushes", UNCHECKED.values(), ids=UNCHECKED.keys())
def test_clashes_in_unchecked_mode_go_away_with_their_group(unchecked: Server, pushes: list[Push]) -> None:
    unchecked.post("job/bystander", "bystander 1\n")

    send_all(unchecked, pushes)
    assert_all_is_well(unchecked)
    for path in ("job/j", "job/k", "job/j/x/1"):
        unchecked.delete(path)

    assert unchecked.scrape().groups() == {(("instance", ""), ("job", job)) for job in ("bystander", "later")}
    assert_all_is_well(unchecked)


def own_families(server: Server) -> dict[str, tuple[str, str]]:
    """Name -> type and help of the gateway's own families, once there was a push, a delete and a scrape."""
    server.post("job/warm", "warm 1\n")
    server.post("job/warm", "not a metric\n")
    server.delete("job/warm")
    server.scrape()
    found = [family for family in server.scrape().families if family.name.startswith("pushgateway_")]
    return {family.name: (family.type or "", family.help or "") for family in found}


def test_no_push_to_the_gateways_own_families_harms_the_scrape(shared_gateway: Server) -> None:
    own = own_families(shared_gateway)
    assert {"pushgateway_build_info", "pushgateway_http_requests_total"} <= set(own)
    shared_gateway.post("job/bystander", "bystander 1\n")

    for name, (kind, help_text) in own.items():
        for body in (
            f"{name} 1\n",
            f"# TYPE {name} {kind}\n{name} 1\n",
            f"# TYPE {name} histogram\n{name}_count 1\n",
            f"# HELP {name} Another help.\n# TYPE {name} {kind}\n{name} 1\n",
            f"# TYPE {name}_count gauge\n{name}_count 1\n",
            f"# TYPE {name}_sum gauge\n{name}_sum 1\n{name}_bucket 1\n",
        ):
            shared_gateway.post("job/j", body)
            assert_all_is_well(shared_gateway)
            family = shared_gateway.scrape().family(name)
            assert (family.type, family.help) == (kind, help_text), body


@pytest.mark.parametrize("kind", ["gauge", "summary"])
def test_the_very_first_push_to_an_own_family_harms_nothing(gateway: StartServer, kind: str) -> None:
    names = ("pushgateway_http_requests_total", "pushgateway_http_push_duration_seconds")
    server = gateway()

    for name in names:
        server.post("job/j", f"# HELP {name} Mine.\n# TYPE {name} {kind}\n{name} 1\n")
    server.post("job/bystander", "bystander 1\n")

    assert_all_is_well(server)
