"""`pgw export`: write the groups to a file, with the times of their pushes.

In: settings, selectors, the name of a file or `-`.
Out: the file of pgw/cli/archive.py.
Never: leaves half a file under that name: it is written beside it, and put in its place at the end. Writes to Redis.

Each group is as it was at one moment, but not all of them at the same: pushes go on meanwhile.
"""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from pgw.cli import archive
from pgw.cli.console import complain, counted
from pgw.cli.stored import chosen_names, opened, slices
from pgw.cli.words import MATCH, Choice, Syntax
from pgw.errors import PgwError
from pgw.settings import Settings

ABOUT = """\
Writes the groups to FILE, or to stdout for -, with all that was pushed and the times of the pushes: a line of JSON for
each group and each family. Pushes may go on meanwhile. pgw import FILE puts the groups back.
FILE is replaced when all is written, and not before. Groups of a Redis of your own: give --redis.url, or the variable.
Exits with 0 when all is written, 1 if it cannot be, 2 for a bad flag.

    pgw export backup.jsonl
    pgw export --redis.url=redis://redis.example:6379/0 --match='{job="ci"}' - | gzip > ci.jsonl.gz
"""
SYNTAX = Syntax("export", "FILE", "one file, or - for stdout", 1, 1, ABOUT, (MATCH,))
STDOUT = "-"


def run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the command."""
    settings, rest = Settings.read_known(words, environ)
    given = SYNTAX.read(rest)
    [name] = given.operands
    choice = given.choice()
    try:
        with _opened(name) as file:
            count = asyncio.run(_write(settings, choice, file))
    except BrokenPipeError:
        raise
    except OSError as error:
        shown = "stdout" if name == STDOUT else name
        raise PgwError(f"{shown} cannot be written: {error.strerror or error}") from error
    complain(f"{counted(count, 'group')} exported")
    return 0


@contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    """A file that takes the place of the one of that name once all is in it."""
    path = Path(name)
    if name == STDOUT:
        with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="\n", closefd=False) as file:
            yield file
    elif path.exists() and not path.is_file():  # /dev/stdout, a pipe: nothing may take their place
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file
    else:
        with _replaced(path) as file:
            yield file


@contextmanager
def _replaced(path: Path) -> Iterator[TextIO]:
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()


async def _write(settings: Settings, choice: Choice, file: TextIO) -> int:
    """Write all lines; returns how many groups there were."""
    count = 0
    async with opened(settings) as store:
        names = await chosen_names(store, choice)
        file.write(archive.head())
        async for groups in slices(store, names, "exporting", stays=True):
            for group in groups:
                file.writelines(archive.lines_of(group))
            count += len(groups)
        file.write(archive.foot(count))
        file.flush()
    return count
