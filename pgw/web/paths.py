"""Request paths: percent-decoded once, and cleaned as Go's ServeMux does before it looks at a route.

In: the raw path of a request.
Out: its bytes; or where the client should go instead.
Never: decides what a path means.
Follows: net/http ServeMux path cleaning (of the escaped path, Go 1.26) and url.PathUnescape.
"""

import re
from urllib.parse import unquote_to_bytes

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNCLEAN = re.compile(rb"//|/\.{1,2}(?:/|\Z)")


def unescape(path: bytes) -> bytes | None:
    """Decode the percent-escapes of a path; None if one of them is broken."""
    if b"%" not in path:
        return path
    return None if _BAD_ESCAPE.search(path) else unquote_to_bytes(path)


def cleaned(path: bytes) -> bytes | None:
    """The path without empty, `.` and `..` segments; None if it has none of these."""
    if not _UNCLEAN.search(path):
        return None
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    ends_open = path.endswith(b"/") and kept
    return b"/" + b"/".join(kept) + (b"/" if ends_open else b"")
