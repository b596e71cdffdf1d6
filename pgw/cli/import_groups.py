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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pgw.cli.archive import Archive
from pgw.cli.console import complain, counted, show
from pgw.cli.old_gateway import OldGateway, is_url
from pgw.cli.past import Old
from pgw.cli.progress import Progress, announce
from pgw.cli.stored import opened, restorer
from pgw.cli.words import MATCH, Choice, Flag, Syntax
from pgw.errors import OverLimit, PgwError, PushError, StoreConflict
from pgw.gateway.restore import Restorer
from pgw.settings import Settings

ABOUT = """\
Puts back the groups of a FILE that pgw export has written (- is stdin), or takes over those of a Pushgateway that is
running at a URL, the original or this one: it is asked for /api/v1/metrics and scraped, and nothing changes there.
Each group comes with the times of its pushes and its deadline, if it has one, and replaces a group of the same labels;
other groups stay. A group that clashes with what is stored, or that a limit keeps out, is told and left out. May be
repeated; pushes may go on meanwhile, there and here.
The groups go to the Redis of --redis.url, or to that of the gateway that runs on --storage.path.
Exits with 0 if all were imported, 1 if one was not, 2 for a bad flag.

    pgw import http://old.example:9091 --redis.url=redis://redis.example:6379/0 --dry-run
    pgw import https://user:password@old.example:9091/prefix
    pgw import backup.jsonl --match='{job="ci"}'
"""
DRY_RUN = Flag(
    "--dry-run", "Write nothing; tell what would be written, and what would be refused beside what is stored."
)
SYNTAX = Syntax(
    "import", "FILE|URL", "one file, - for stdin, or the URL of a gateway", 1, 1, ABOUT, (DRY_RUN, MATCH)
)  # fmt: skip
STDIN = "-"

GROUPS_AT_ONCE = 16
"""Groups on their way to Redis together: with a millisecond for each round trip that is no bound any more (reading them
takes longer), and the pushes of jobs find their turn in between."""
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
    replaced: int
    """Of those that are done, how many take the place of a stored one."""


def run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the command."""
    settings, rest = Settings.read_known(words, environ)
    given = SYNTAX.read(rest)
    [name] = given.operands
    rehearsal = given.has(DRY_RUN)
    with _source(name, given.choice()) as source:
        for problem in source.problems:
            complain(problem)
        outcome = asyncio.run(_restore(settings, source, rehearsal=rehearsal))
        refused = outcome.refused + len(source.problems)
    verb = "would be imported" if rehearsal else "imported"
    replaced = f", {outcome.replaced} of them in the place of stored ones" if outcome.replaced else ""
    show(f"{counted(outcome.done, 'group')} {verb}{replaced}")
    if refused:
        raise PgwError(f"{refused} of {counted(source.total + len(source.problems), 'group')} cannot be imported")
    return 0


@contextmanager
def _source(name: str, choice: Choice) -> Iterator[Source]:
    """The groups that were asked for; a file is read to its end before any of it counts."""
    if is_url(name):
        old = OldGateway(name)
        announce(f"reading {old.place}")
        reading = old.read(choice)
        yield Source(iter(reading.groups), len(reading.groups), reading.problems)
        return
    with _opened(name) as file:
        total = sum(1 for _ in _chosen(name, file, choice))
        file.seek(0)
        yield Source(_chosen(name, file, choice), total, [])


def _chosen(name: str, file: BinaryIO, choice: Choice) -> Iterator[Old]:
    return (old for old in Archive("stdin" if name == STDIN else name, file).groups() if choice(old.key))


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """A file that can be read twice: a copy of what comes through a pipe."""
    if name == STDIN:
        with _copied(sys.stdin.buffer) as copy:
            yield copy
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115  only the opening is watched
    except OSError as error:
        raise PgwError(f"{name} cannot be read: {error.strerror or error}") from error
    with file:
        if file.seekable():
            yield file
            return
        with _copied(file) as copy:
            yield copy


@contextmanager
def _copied(file: BinaryIO) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


async def _restore(settings: Settings, source: Source, *, rehearsal: bool) -> Outcome:
    """Write the groups, or only look whether they could be."""
    refused = replaced = 0
    async with opened(settings) as store:
        stored, to = set(await store.names()), restorer(store, settings)
        with Progress("checking" if rehearsal else "importing", source.total) as progress:
            for batch in _batches(source.groups):
                reasons = await asyncio.gather(*(_refusal(to, old, rehearsal=rehearsal) for old in batch))
                for old, reason in zip(batch, reasons, strict=True):
                    refused += bool(reason)
                    replaced += not reason and old.key.name in stored
                    if reason:
                        progress.say(f"group {old.key.name}: {reason}")
                progress.add(len(batch))
    return Outcome(source.total - refused, refused, replaced)


async def _refusal(to: Restorer, old: Old, *, rehearsal: bool) -> str:
    """Restore one group; returns why not, or nothing."""
    try:
        await to.restore(old.past(), rehearsal=rehearsal)
    except (PushError, OverLimit, StoreConflict) as error:
        return str(error)
    return ""


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
