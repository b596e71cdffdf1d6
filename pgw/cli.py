"""The command line: `pgw serve` and `pgw inspect`.

In: the words behind `pgw`, and the environment.
Out: an exit code: 0 done, 2 a flag or a variable that cannot be used, 1 anything else; in both cases with one
sentence on stderr.
Never: shows a traceback for what a user can set right.
Follows: the original's command line, where a bare `pgw --web.listen-address=:9099` serves.
"""

import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pgw import __version__, embedded, server
from pgw.errors import PgwError, SettingError
from pgw.model.group import MICROSECONDS, Fragment, Group
from pgw.model.grouping import GroupingKey
from pgw.model.names import escape_help, quoted
from pgw.settings import Settings, complete, describe, manual

AT_ONCE = 200
"""Groups read in one go, so that a listing of very many takes little memory."""

USAGE = """\
pgw takes pushed metrics and shows them to Prometheus; any number of replicas share one Redis.

  pgw [serve] [flags]           run the gateway
  pgw inspect [flags] [GROUP]   list the groups that are stored, or show one; --json for programs
  pgw --version                 which version this is
  pgw --help                    this text

Each flag has an environment variable, which is named in brackets. Flag beats environment beats default.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; without one, that of this process. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = words.pop(0) if words and not words[0].startswith("-") else "serve"
    try:
        return _command(name)(words, os.environ)
    except SettingError as error:
        return _complain(error, 2)
    except PgwError as error:
        return _complain(error, 1)
    except BrokenPipeError:  # `pgw inspect | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _command(name: str) -> Callable[[list[str], Mapping[str, str]], int]:
    commands = {"serve": serve, "inspect": inspect}
    if name not in commands:
        raise SettingError("command line", name, f"a command: write {' or '.join(commands)}")
    return commands[name]


def serve(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the gateway until it is stopped."""
    if _answered(words, environ):
        return 0
    return server.run(Settings.read(words, environ))


def inspect(words: list[str], environ: Mapping[str, str]) -> int:
    """List the stored groups, or show one."""
    if _answered(words, environ):
        return 0
    settings, rest = Settings.read_known(words, environ)
    names = [word for word in rest if word != "--json"]
    for word in names:
        if word.startswith("-") or word != names[0]:
            raise SettingError("command line", word, "a flag of pgw inspect (which takes one group at most)")
    groups = asyncio.run(_read_groups(_reachable(settings), names))
    if names:
        _print(_json(_whole(groups[0])) if "--json" in rest else _text(groups[0]))
    else:
        _print(_json([_outline(group) for group in groups]) if "--json" in rest else _table(groups))
    return 0


def _reachable(settings: Settings) -> Settings:
    """The settings, if there is a Redis that can be asked."""
    if settings.redis_url is None and not embedded.is_running(settings.storage_path):
        raise PgwError(
            f"no gateway is running on {settings.storage_path} (--storage.path), so its private Redis cannot be "
            "asked; for a Redis of your own give --redis.url"
        )
    return settings


async def _read_groups(settings: Settings, names: list[str]) -> list[Group]:
    """Read the groups of these names, or all."""
    from pgw.app import open_store  # noqa: PLC0415  it imports prometheus_client, which `serve` must set up first

    store = open_store(settings)
    try:
        wanted = [_canonical(name) for name in names] or await store.names()
        found = []
        for start in range(0, len(wanted), AT_ONCE):
            found += await store.groups(wanted[start : start + AT_ONCE])
    finally:
        await store.close()
    groups = [group for group in found if group is not None]  # others were deleted since the names were read
    if names and not groups:
        raise PgwError(f"there is no group {names[0]} (pgw inspect lists those that there are)")
    return groups


def _canonical(name: str) -> str:
    """The stored name of a group that a user has typed: labels in any order, with or without percent signs."""
    try:
        return GroupingKey.from_name(name.strip("/")).name
    except ValueError:
        raise PgwError(f"{name!r} is not a group: write it as job/some_job or job/some_job/label/value") from None


def _answered(words: list[str], environ: Mapping[str, str]) -> bool:
    """Answer --help, --version and their like wherever they stand, if they do."""
    _, rest = Settings.read_known(words, environ)
    answers: dict[str, Callable[[], str]] = {
        "-h": _help,
        "--help": _help,
        "--help-long": _help,
        "--help-man": lambda: manual(USAGE),
        "--version": _version,
        "--completion-script-bash": lambda: complete("bash"),
        "--completion-script-zsh": lambda: complete("zsh"),
    }
    wanted = [answers[word] for word in rest if word in answers]
    for make_answer in wanted[:1]:
        _print(make_answer())
    return bool(wanted)


def _help() -> str:
    return f"{USAGE}\n{describe()}"


def _version() -> str:
    return f"pgw {__version__} (Python {platform.python_version()}, {platform.system()} {platform.machine()})"


def _table(groups: list[Group]) -> str:
    """All groups, one a line."""
    if not groups:
        return "no groups are stored"
    now = time.time()
    lines = [("GROUP", "FAMILIES", "BYTES", "LAST PUSH")]
    for group in groups:
        failed = "" if group.last_push_successful else f"  FAILED {_moment(group.failed_at, now)}"
        failed += f"  expires {_expiry(group, now)}" if group.deadline else ""
        lines.append(
            (group.key.name, str(len(group.fragments)), str(_size(group)), _moment(group.pushed_at, now) + failed)
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        f"{name:{widths[0]}}  {families:>{widths[1]}}  {size:>{widths[2]}}  {pushed}"
        for name, families, size, pushed in lines
    )


def _text(group: Group) -> str:
    """One group with all that it holds; the families as they are scraped."""
    now = time.time()
    labels = ", ".join(f"{name}={quoted(value)}" for name, value in group.key.labels)
    failed = "" if group.last_push_successful else " FAILED: the last push was refused"
    head = [
        f"group       {group.key.name}",
        f"labels      {labels}",
        f"pushed      {_moment(group.pushed_at, now)}",
        f"failed      {_moment(group.failed_at, now)}{failed}",
        *([f"expires     {_expiry(group, now)}"] if group.deadline else []),
        f"holds       {len(group.fragments)} families, {_size(group)} bytes",
    ]
    return "\n".join([*head, *map(_family_text, group.fragments)])


def _family_text(fragment: Fragment) -> str:
    lines = [] if fragment.help is None else [f"# HELP {fragment.name} {escape_help(fragment.help)}"]
    lines.append(f"# TYPE {fragment.name} {fragment.type.word}")
    return "\n" + "\n".join([*lines, *_samples(fragment)])


def _outline(group: Group) -> dict[str, Any]:
    """One group without its samples, for programs."""
    return {
        "group": group.key.name,
        "labels": dict(group.key.labels),
        "family_count": len(group.fragments),
        "bytes": _size(group),
        "last_push": _timestamp(group.pushed_at),
        "last_failure": _timestamp(group.failed_at),
        "last_push_successful": group.last_push_successful,
        "expires_at": _timestamp(group.deadline),
    }


def _whole(group: Group) -> dict[str, Any]:
    """One group with all that it holds, for programs."""
    families = [
        {
            "name": fragment.name,
            "type": fragment.type.name.lower(),
            "help": fragment.help,
            "pushed": _timestamp(fragment.pushed_at),
            "unchecked": fragment.unchecked,
            "samples": _samples(fragment),
        }
        for fragment in group.fragments
    ]
    return {**_outline(group), "families": families}


def _samples(fragment: Fragment) -> list[str]:
    return fragment.text.decode(errors="backslashreplace").removesuffix("\n").split("\n") if fragment.text else []


def _size(group: Group) -> int:
    """Bytes of the sample lines."""
    return sum(len(fragment.text) for fragment in group.fragments)


def _timestamp(microseconds: int) -> str | None:
    """A moment in RFC 3339, None for never."""
    if not microseconds:
        return None
    return datetime.fromtimestamp(microseconds / MICROSECONDS, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _moment(microseconds: int, now: float) -> str:
    """A moment and its age: `2026-01-31T12:00:00.000Z (5m ago)`."""
    timestamp = _timestamp(microseconds)
    return "never" if timestamp is None else f"{timestamp} ({_age(now - microseconds / MICROSECONDS)} ago)"


def _expiry(group: Group, now: float) -> str:
    """When the families expire: `2026-01-31T12:00:00.000Z (in 5m)`; or that they have, removed or not."""
    left = group.deadline / MICROSECONDS - now
    return f"{_timestamp(group.deadline)} ({f'in {_age(left)}' if left > 0 else f'EXPIRED {_age(-left)} ago'})"


def _age(seconds: float) -> str:
    """A duration in the largest unit that it fills."""
    whole = max(0, int(seconds))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= length:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def _json(value: Any) -> str:  # noqa: ANN401  whatever JSON can hold
    return json.dumps(value, indent=2)


def _complain(error: PgwError, code: int) -> int:
    print(f"pgw: error: {error}", file=sys.stderr)  # noqa: T201  this is where users look
    return code


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201  what the command is for; a reader that has gone is noticed here
