"""Where everything is, as a browser or a shell sees it.

In: grouping keys, and what a request says of the address that it came to.
Out: paths, URLs and commands, escaped for where they are put.
Never: escapes for HTML; the templates do.
Follows: the paths of pushes (model/grouping): a value that a path cannot carry goes base64url-encoded.
"""

import base64
import re
import shlex
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

from pgw.formats.escaping import Scheme, escape_label_name
from pgw.model.family import Type
from pgw.model.grouping import BASE64_SUFFIX, GroupingKey
from pgw.model.names import ESCAPED_PREFIX, escape_value, is_label_name
from pgw.model.series import label_notation, notation

_PLAIN = re.compile(r"(?!\.{1,2}\Z)[^/\\\x00-\x20\x7f]+(?: [^/\\\x00-\x20\x7f]+)*")
"""Values that survive a path: proxies may clean dots, slashes and blanks away."""


def segments(key: GroupingKey) -> str:
    """A grouping key as the end of a path: `job/x/instance@base64/YS9i`."""
    return "/".join(_label(name, value) for name, value in key.ordered)


def _label(name: str, value: str) -> str:
    if not is_label_name(name) or name.startswith(ESCAPED_PREFIX):
        name = escape_label_name(name, Scheme.VALUES)
    if _PLAIN.fullmatch(value):
        return f"{name}/{quote(value, safe='')}"
    return f"{name}{BASE64_SUFFIX}/{base64.urlsafe_b64encode(value.encode()).decode() or '='}"


def promql(family: str, kind: str, key: GroupingKey) -> str:
    """The selector of what a group holds of a family: of a histogram, its buckets.

    A label that is empty is none to Prometheus.
    """
    if kind.endswith(Type.HISTOGRAM.name):
        family += "_bucket"
    labels = (label_notation(name, escape_value(value)) for name, value in key.labels if value)
    return notation(family, ",".join(labels))


class Links(NamedTuple):
    """The paths of a site."""

    base: str = ""
    """What they begin with where browsers see them: "" or "/x"."""

    def home(self, query: Mapping[str, str] | None = None) -> str:
        """The list of groups; what is empty is left out of the query."""
        given = urlencode({name: value for name, value in (query or {}).items() if value})
        return f"{self.base}/?{given}" if given else f"{self.base}/"

    def status(self) -> str:
        """How the gateway was built and started."""
        return f"{self.base}/status"

    def static(self, name: str) -> str:
        """A file that never changes under this name."""
        return f"{self.base}/static/{name}"

    def group(self, key: GroupingKey, query: Mapping[str, str] | None = None) -> str:
        """The page of a group."""
        return f"{self.base}/group/{segments(key)}" + (f"?{urlencode(query)}" if query else "")

    def raw(self, key: GroupingKey) -> str:
        """The exposition of a group."""
        return f"{self.base}/raw/{segments(key)}"

    def delete(self, key: GroupingKey) -> str:
        """Where a group is deleted."""
        return f"{self.base}/delete/{segments(key)}"

    def delete_all(self) -> str:
        """Where all groups are deleted."""
        return f"{self.base}/delete-all"

    def push(self, key: GroupingKey) -> str:
        """Where a group is pushed."""
        return f"{self.base}/metrics/{segments(key)}"


class Shell(NamedTuple):
    """Commands to paste."""

    links: Links
    origin: str
    """`https://host`, as the client sees us."""
    user: str = ""
    """Who asks, if a password was asked for."""

    def delete(self, key: GroupingKey) -> str:
        """The command that deletes a group."""
        return f"{self._curl()} -X DELETE {self._url(self.links.push(key))}"

    def push_again(self, key: GroupingKey) -> str:
        """The command that pushes again what a group holds. A POST: should nothing come, nothing is lost."""
        read = f"{self._curl()} {self._url(self.links.raw(key))}"
        return f"{read} | {self._curl()} --data-binary @- {self._url(self.links.push(key))}"

    def _curl(self) -> str:
        return f"curl -fsS -u {shlex.quote(self.user)}" if self.user else "curl -fsS"

    def _url(self, path: str) -> str:
        return shlex.quote(self.origin + path)
