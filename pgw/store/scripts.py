"""The Lua scripts: one file per operation in `lua/`, loaded once, called by their SHA-1.

In: the name of an operation.
Out: Script, with the source and the digest by which EVALSHA knows it.
Never: registers anything in Redis; the link does that when Redis answers NOSCRIPT.

A line `-- include: name` stands for the text of `lua/name.lua`, pieces that several operations share.
"""

import hashlib
import re
from importlib.resources import files
from typing import NamedTuple

_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)


class Script(NamedTuple):
    """One operation."""

    name: str
    source: str
    sha: str
    is_bounded: bool = False
    """Whether the last of its arguments is until when it may run, see late.lua; the link adds it."""


def load(name: str) -> Script:
    """Read the script of an operation, with its includes."""
    text = _read(name)
    source = _with_includes(text)
    digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(name, source, digest, is_bounded="late" in _INCLUDE.findall(text))


def _with_includes(text: str) -> str:
    return _INCLUDE.sub(lambda found: _with_includes(_read(found[1])), text)


def _read(name: str) -> str:
    return files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
