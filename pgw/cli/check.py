"""`pgw check`: would these bodies be accepted as pushes?

In: files, or stdin.
Out: a line on stdout for each that would not, as compilers write it (`metrics.prom:3: the reason`); 1 if there is any.
Never: asks a gateway, so what may not stand beside others' metrics is not found; pushes anything.

The rules are those of a push by itself (gateway/rules.py). They name what is wrong, but only the reader of the text
knows of lines; for the others the line is found by looking for the shortest beginning of the text that is refused too.
"""

import sys
from bisect import bisect_left
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from pgw.cli.console import show
from pgw.cli.words import Flag, Syntax, Words
from pgw.errors import BadGroupingKey, BodyTooLarge, InconsistentPush, OverLimit, ParseError, PushError, SettingError
from pgw.formats.protobuf_reader import read_protobuf
from pgw.formats.text_reader import TextReader
from pgw.gateway.rules import Rules
from pgw.model import consistency
from pgw.model.family import Exposition
from pgw.model.grouping import BASE64_SUFFIX, JOB, GroupingKey
from pgw.settings import Settings
from pgw.telemetry.shared import OWN_TYPES
from pgw.web.bodies import gunzip

ABOUT = """\
Would these files be accepted as bodies of pushes? All rules of the gateway that need no store are applied: the format,
types, label names, duplicates, timestamps, limits (--push.max-families and the like: give those of the gateway). What
clashes with metrics that others have pushed only the gateway itself can tell.
A line of output for each file that would be refused, as compilers write it; none for the others. FILE may be - for
stdin; FILE.gz is unpacked.
Exits with 0 if all would be accepted, 1 if one would not, 2 for a bad flag.

    pgw check metrics.prom
    ./make-metrics | pgw check --group=job/backup/instance/db-1 -
    pgw check --push.enable-utf8-names textfiles/*.prom
"""
FORMAT = Flag("--format", "What the bodies are; text if it is not given.", "text|protobuf")
GROUP = Flag(
    "--group",
    "The group that they would be pushed to, as in the path of a push, job/check if it is not given. Its labels "
    "override those of the samples, so that two of these may become one.",
    "GROUP",
)
SYNTAX = Syntax("check", "FILE...", "at least one file, or - for stdin", 1, None, ABOUT, (FORMAT, GROUP))
STDIN = "-"
PACKED = ".gz"

_FIRST_NAMES = (JOB, JOB + BASE64_SUFFIX)

_Read = Callable[[bytes], Exposition]


class Finding(NamedTuple):
    """Why a body would not be accepted."""

    line: int | None
    reason: str

    def shown(self, name: str) -> str:
        """The finding as compilers write it, on one line."""
        place = name if self.line is None else f"{name}:{self.line}"
        return f"{place}: {self.reason}".replace("\n", "\\n")


def run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the command."""
    settings, rest = Settings.read_known(words, environ)
    given = SYNTAX.read(rest)
    check = Check(settings, given)
    code = 0
    for name in given.operands:
        finding = check.of_file(name)
        if finding is not None:
            show(finding.shown("stdin" if name == STDIN else name))
            code = 1
    return code


class Check:
    """The rules of one gateway, for bodies of one format that go to one group."""

    def __init__(self, settings: Settings, given: Words) -> None:
        self._limit = settings.max_body_size
        self._rules = Rules(OWN_TYPES, settings.check_consistency, settings.push_limits)
        self._read = _reader(given.value(FORMAT, "text"), settings)
        self._has_lines = self._read is not read_protobuf
        self._key = _key(given.value(GROUP, "job/check"), settings)

    def of_file(self, name: str) -> Finding | None:
        """Check the body in a file, which may be packed; None if it would be accepted."""
        try:
            raw = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
            return self.of_body(gunzip(raw, self._limit) if name.endswith(PACKED) else raw)
        except OSError as error:
            return Finding(None, error.strerror or str(error))
        except (PushError, OverLimit) as error:
            return Finding(None, str(error))

    def of_body(self, body: bytes) -> Finding | None:
        """Check a body; None if it would be accepted.

        Raises:
            PushError, OverLimit: it would not, for a reason that no line has.
        """
        if len(body) > self._limit:
            raise BodyTooLarge(self._limit)
        try:
            self._accept(body)
        except ParseError as error:
            return Finding(error.line, error.reason)
        except InconsistentPush as error:
            return self._located(body, error)
        return None

    def _accept(self, body: bytes) -> None:
        pushed = self._rules.bounded(self._key, self._read(body))
        families = self._rules.consistent(self._key, pushed)
        consistency.check_timestamps(pushed)  # unchecked the push is answered with 202, but only its failure is kept
        self._rules.write(self._key, families)

    def _located(self, body: bytes, error: InconsistentPush) -> Finding:
        """Find the line of a fault of the text as a whole; what breaks a rule goes on doing so with more lines."""
        if not self._has_lines:
            return Finding(None, error.reason)
        lines = body.split(b"\n")

        def reason(count: int) -> str:
            try:
                self._accept(b"".join(line + b"\n" for line in lines[:count]))
            except InconsistentPush as fault:
                return fault.reason
            return ""

        line = bisect_left(range(len(lines)), 1, key=lambda count: int(bool(reason(count))))
        return Finding(line, reason(line))


def _key(path: str, settings: Settings) -> GroupingKey:
    try:
        key = GroupingKey.from_path(path.strip("/").encode(errors="surrogateescape"), utf8_names=settings.utf8_names)
        key.require_utf8()
    except BadGroupingKey as error:
        raise SettingError(GROUP.name, path, f"a group such as job/some_job/instance/some_instance ({error})") from None
    if path.strip("/").partition("/")[0] not in _FIRST_NAMES:
        raise SettingError(GROUP.name, path, "a group such as job/some_job/instance/some_instance (job comes first)")
    return key


def _reader(form: str, settings: Settings) -> _Read:
    if form == "text":
        return TextReader(utf8_names=settings.utf8_names).read
    if form == "protobuf":
        return read_protobuf
    raise SettingError(FORMAT.name, form, "one of text, protobuf")
