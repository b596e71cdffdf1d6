"""What the paths and powers of a site are: the part of the settings that the routes need.

In: plain values from the composition root.
Out: Site.
Never: reads settings itself.
"""

from collections.abc import Callable
from typing import NamedTuple


class Site(NamedTuple):
    """One gateway as its clients see it."""

    prefix: str = ""
    """What all paths begin with: "" or "/x"."""
    telemetry_path: str = "/metrics"
    """Where the scrape is, behind the prefix."""
    base: str = ""
    """What paths begin with where browsers see them, which may be through a proxy: "" or "/x"."""
    origin: str = ""
    """`https://host[:port]` of the external URL; "" where that is not known."""
    utf8_names: bool = False
    """Whether the names of labels may be any UTF-8."""
    has_admin_api: bool = False
    quit: Callable[[], None] | None = None
    """What stops the server; None where that is not for clients."""
    status: bytes = b"{}"
    """The data of /api/v1/status, as JSON."""

    def at(self, path: str) -> str:
        """A path of this site."""
        return self.prefix + path
