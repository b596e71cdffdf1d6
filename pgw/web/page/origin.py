"""Whether a request that changes something comes from a page of ours: another site could send a form in a user's name.

In: the headers of a request, and the address that clients see.
Out: yes or no.
Never: asks who the user is; that is the matter of web/access.
Follows: the Fetch standard (Origin) and Fetch Metadata (Sec-Fetch-Site), which browsers set and pages cannot.

NOTE(pushgateway): the original's page deletes by script, and nothing asks from where.
"""

from urllib.parse import urlsplit

from pgw.web.request import Request


def is_same_origin(request: Request, external: str) -> bool:
    """Tell whether a page of this very site sent the request.

    Args:
        request: any.
        external: `https://host[:port]` if a proxy stands before us, which may tell us another Host; or nothing.
    """
    site = request.get_header("Sec-Fetch-Site")
    if site is not None:
        return bool(site == "same-origin")
    # Browsers say nothing of the site over plain HTTP; but Origin, with every POST.
    origin = request.get_header("Origin")
    if origin is None:
        return False
    if external and origin.lower() == external.lower():
        return True
    host = request.get_header("Host") or ""
    return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
