"""How long a push asks its group to live: the header `X-Pushgateway-TTL: 90s`, or `?ttl=90s`.

In: a request.
Out: seconds, 0 for ever; None if it does not ask.
Never: decides; the gateway knows what is allowed.

NOTE(pushgateway): the original knows neither; it has no expiry.
"""

from urllib.parse import parse_qs

from pgw.errors import BadLifetime
from pgw.gateway.lifetime import EXPECTED, read_lifetime
from pgw.web.request import Request

HEADER = b"x-pushgateway-ttl"
PARAMETER = "ttl"


def asked_lifetime(request: Request) -> float | None:
    """Read what the request asks for.

    Raises:
        BadLifetime: it is no duration, or header and query do not say the same.
    """
    header, query = request.header(HEADER), request.query_string
    if header is None and not query:
        return None
    said = {*([] if header is None else [header.strip()]), *parse_qs(query, keep_blank_values=True).get(PARAMETER, [])}
    if not said:
        return None
    if len(said) > 1:
        raise BadLifetime(" and ".join(sorted(said)), "one duration, said once")
    [text] = said
    try:
        return read_lifetime(text)
    except ValueError:
        raise BadLifetime(text, EXPECTED) from None
