"""`pgw import`: put back exported groups, or take over those of a running Pushgateway.

In: settings, selectors, the name of a file, `-` or the URL of a gateway.
Out: groups in the store, as they were, push times included; each replaces the group of the same name. What may not
stand beside others is told and left out, and the exit code is 1 then.
Never: writes anything of a file that is not whole.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from pgw.cli.archive import Archive
from pgw.cli.console import complain, counted, show
from pgw.cli.old_gateway import OldGateway, is_url
from pgw.cli.past import Old
from pgw.cli.progress import Progress
from pgw.cli.stored import opened, restorer
from pgw.cli.words import MATCH, Choice, Syntax
from pgw.errors import PgwError, PushError, StoreConflict
from pgw.gateway.restore import Restorer
from pgw.settings import Settings

DRY_RUN = "--dry-run"
SYNTAX = Syntax("import", "one file, - for stdin, or the URL of a gateway", 1, 1, switches=(DRY_RUN,), values=(MATCH,))
STDIN = "-"

GROUPS_AT_ONCE = 16
"""Groups on their way to Redis together: with a millisecond for each round trip it still takes thousands a second, and
the pushes of jobs find their turn in between."""
BYTES_AT_ONCE = 8 << 20
"""Bytes likewise: a part of what a worker lets wait for Redis."""


class Source(NamedTuple):
    """Where groups come from."""

    groups: Iterator[Old]
    total: int
    problems: list[str]
    """Of groups that could not even be read, why."""


class Outcome(NamedTuple):
    """What became of the groups."""

    done: int
    refused: int
    note: str = ""


def run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the command."""
    settings, rest = Settings.read_known(words, environ)
    given = SYNTAX.read(rest)
    [name] = given.operands
    act, verb = (_rehearse, "would be imported") if DRY_RUN in given.switches else (_restore, "imported")
    with _source(name, given.choice()) as source:
        for problem in source.problems:
            complain(problem)
        outcome = asyncio.run(act(settings, source))
        refused = outcome.refused + len(source.problems)
        show(f"{counted(outcome.done, 'group')} {verb}{outcome.note}")
    if refused:
        raise PgwError(f"{refused} of {counted(source.total + len(source.problems), 'group')} cannot be imported")
    return 0


@contextmanager
def _source(name: str, choice: Choice) -> Iterator[Source]:
    """The groups that were asked for; a file is read to its end before any of it counts."""
    if is_url(name):
        reading = OldGateway(name).read(choice)
        yield Source(iter(reading.groups), len(reading.groups), reading.problems)
        return
    with _opened(name) as file:
        total = sum(1 for _ in _chosen(name, file, choice))
        file.seek(0)
        yield Source(_chosen(name, file, choice), total, [])


def _chosen(name: str, file: TextIO, choice: Choice) -> Iterator[Old]:
    return (old for old in Archive("stdin" if name == STDIN else name, file).groups() if choice(old.key))


@contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    """A file that can be read twice."""
    if name == STDIN:
        with tempfile.TemporaryFile("w+", encoding="utf-8") as copy:
            shutil.copyfileobj(sys.stdin, copy)
            copy.seek(0)
            yield copy
        return
    try:
        file = Path(name).open(encoding="utf-8")  # noqa: SIM115  only the opening is watched
    except OSError as error:
        raise PgwError(f"{name} cannot be read: {error.strerror or error}") from error
    with file:
        yield file


async def _restore(settings: Settings, source: Source) -> Outcome:
    """Write the groups."""
    refused = 0
    async with opened(settings) as store:
        to = restorer(store, settings)
        with Progress("import", source.total) as progress:
            for batch in _batches(source.groups):
                reasons = await asyncio.gather(*(_refusal(to, old) for old in batch))
                refused += _tell(filter(None, reasons), progress.say)
                progress.add(len(batch))
    return Outcome(source.total - refused, refused)


async def _rehearse(settings: Settings, source: Source) -> Outcome:
    """Find what would be refused for itself, and what would be replaced; write nothing."""
    refused = replaced = 0
    async with opened(settings) as store:
        stored, to = set(await store.names()), restorer(store, settings)
        with Progress("check", source.total) as progress:
            for old in source.groups:
                reasons = filter(None, [_fault(to, old)])
                refused += _tell(reasons, progress.say)
                replaced += old.key.name in stored
                progress.add(1)
    return Outcome(source.total - refused, refused, f", {replaced} of them in the place of stored ones")


def _tell(reasons: Iterable[str], say: Callable[[str], None]) -> int:
    """Show why groups were left out; returns how many."""
    count = 0
    for count, reason in enumerate(reasons, 1):  # noqa: B007  the last number is the answer
        say(reason)
    return count


async def _refusal(to: Restorer, old: Old) -> str:
    """Restore one group; returns why not, or nothing."""
    try:
        await to.restore(old.past())
    except (PushError, StoreConflict) as error:
        return _told(old, error)
    return ""


def _fault(to: Restorer, old: Old) -> str:
    """Look at one group; returns what is wrong with it by itself, or nothing."""
    try:
        to.check(old.past())
    except PushError as error:
        return _told(old, error)
    return ""


def _told(old: Old, error: PgwError) -> str:
    return f"group {old.key.name}: {error}"


def _batches(groups: Iterable[Old]) -> Iterator[list[Old]]:
    """Groups in the order they come, as many at once as may be on their way together."""
    batch: list[Old] = []
    size = 0
    for old in groups:
        if batch and (len(batch) >= GROUPS_AT_ONCE or size + old.size > BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(old)
        size += old.size
    if batch:
        yield batch
