"""`/metrics?timestamps=1`: each sample with the time of the push that brought it.

In: a request; families as they are stored.
Out: whether it is asked for; text whose lines end in milliseconds since 1970, messages whose metrics carry them.
Never: costs anything unless asked for: the page is made on the way out, and not kept.
Follows: the text format 0.0.4, `timestamp_ms` of io.prometheus.client.Metric.

Only what was pushed has a time. `push_time_seconds` and what else the gateway says of itself is true at the moment of
the scrape, and stands without one: so alerts on it go on when the samples of a job are too old to be seen.
"""

from collections.abc import Iterable, Iterator

import falcon.asgi

from pgw.formats import metrics_pb2 as pb
from pgw.formats.escaping import Escaper, Scheme
from pgw.formats.messages import to_message
from pgw.formats.text_writer import write_head
from pgw.model.group import Fragment
from pgw.view.page import chunked
from pgw.web.parameters import boolean, query_parameters

PARAMETER = "timestamps"
_MILLISECOND = 1000
"""Microseconds, the unit of push times."""


def are_wanted(request: falcon.asgi.Request) -> bool:
    """Tell whether a scrape asks for timestamps; what else is in the query is ignored, as the original does.

    Raises:
        BadParameter: it is neither true nor false.
    """
    query: bytes = request.scope["query_string"]
    return PARAMETER.encode() in query and boolean(query_parameters(request), PARAMETER)


def stamped_page(families: Iterable[Iterable[Fragment]], scheme: Scheme) -> Iterator[bytes]:
    """Write families as text, in chunks that are worth a send."""
    return chunked(part for family in families for part in _family(family, scheme))


def stamped_message(fragment: Fragment) -> pb.MetricFamily:
    """Make the message of a fragment."""
    message = to_message(fragment)
    if fragment.pushed_at:
        for metric in message.metric:
            metric.timestamp_ms = fragment.pushed_at // _MILLISECOND
    return message


def _family(family: Iterable[Fragment], scheme: Scheme) -> Iterator[bytes]:
    escaper = Escaper(scheme)
    for number, fragment in enumerate(family):
        head = b"" if number else write_head(fragment.name, fragment.type, fragment.help).encode()
        yield escaper.escape(head + _stamped(fragment))


def _stamped(fragment: Fragment) -> bytes:
    if not fragment.pushed_at:
        return fragment.text
    return fragment.text.replace(b"\n", b" %d\n" % (fragment.pushed_at // _MILLISECOND))
