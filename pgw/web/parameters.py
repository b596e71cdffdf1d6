"""The parameters of a request, from its query and from a form in its body.

In: a request.
Out: names and values in their order; what a value says.
Never: guesses: a value that cannot be read is refused.
Follows: net/url ParseQuery and net/http ParseForm of Go (the form first), strconv.ParseBool.
"""

from pgw.durations import read_interval
from pgw.errors import BadBody, BadParameter
from pgw.web.bodies import read_body
from pgw.web.paths import unescape
from pgw.web.request import Request

FORM = "application/x-www-form-urlencoded"
FORM_BYTES = 1 << 20
"""The largest form: thousands of selectors, each of which is compared with every group."""
LONGEST = 2**63 / 1e9
"""Seconds that a duration of Go cannot hold, 292 years."""

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}

Parameters = dict[str, list[str]]


def query_parameters(request: Request) -> Parameters:
    """Read the query.

    Raises:
        BadParameter: an escape in it is broken.
    """
    return _read(request.scope["query_string"])


async def all_parameters(request: Request) -> Parameters:
    """Read the form in the body, if it is one, and the query.

    Raises:
        BadParameter: an escape is broken.
        BadBody, BodyTooLarge: as `read_body`.
    """
    body = await read_body(request, FORM_BYTES)
    kind = (request.content_type or FORM).partition(";")[0].strip().lower()
    if body and kind != FORM:
        raise BadBody(f"the body is {kind}, and only parameters are understood here: {FORM}")
    found = _read(body)
    for name, values in query_parameters(request).items():
        found.setdefault(name, []).extend(values)
    return found


def only(parameters: Parameters, name: str) -> str | None:
    """The value of a parameter that may be given once; None if it is not.

    Raises:
        BadParameter: it is given twice.
    """
    values = parameters.get(name, [])
    if len(values) > 1:
        raise BadParameter(name, values[1], "to be given again")
    return values[0] if values else None


def boolean(parameters: Parameters, name: str) -> bool:
    """What a parameter says that is true or false; false if it is not given."""
    text = only(parameters, name)
    if text is None:
        return False
    if text not in _BOOLEANS:
        raise BadParameter(name, text, "true or false")
    return _BOOLEANS[text]


def duration(parameters: Parameters, name: str) -> float | None:
    """The seconds of a duration, as Prometheus writes them; None if it is not given."""
    text = only(parameters, name)
    if text is None:
        return None
    try:
        seconds = read_interval(text)
    except ValueError:
        seconds = LONGEST
    if seconds >= LONGEST:
        raise BadParameter(name, text, "a duration, such as 24h or 1h30m")
    return seconds


def _read(query: bytes) -> Parameters:
    found: Parameters = {}
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            found.setdefault(_text(name), []).append(_text(value))
    return found


def _text(part: bytes) -> str:
    decoded = unescape(part.replace(b"+", b" "))
    if decoded is None:
        shown = part.decode(errors="surrogateescape")
        raise BadParameter("encoding", shown, "percent-encoded: a % has to be written as %25")
    return decoded.decode(errors="surrogateescape")
