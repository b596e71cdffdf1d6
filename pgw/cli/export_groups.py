"""`pgw export`: write the groups to a file, with the times of their pushes.

In: settings, selectors, the name of a file or `-`.
Out: the file of pgw/cli/archive.py.
Never: leaves half a file under that name: it is written beside it, and put in its place at the end.

Each group is as it was at one moment, but not all of them at the same: pushes go on meanwhile.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from pgw.cli import archive
from pgw.cli.console import complain, counted
from pgw.cli.progress import Progress
from pgw.cli.stored import chosen_names, opened, slices
from pgw.cli.words import MATCH, Choice, Syntax
from pgw.errors import PgwError
from pgw.settings import Settings

SYNTAX = Syntax("export", "one file, or - for stdout", 1, 1, values=(MATCH,))
STDOUT = "-"


def run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the command."""
    settings, rest = Settings.read_known(words, environ)
    given = SYNTAX.read(rest)
    [name] = given.operands
    choice = given.choice()
    count = asyncio.run(_write(settings, choice, sys.stdout)) if name == STDOUT else _write_file(settings, choice, name)
    complain(f"{counted(count, 'group')} exported")
    return 0


def _write_file(settings: Settings, choice: Choice, name: str) -> int:
    path = Path(name)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            count = asyncio.run(_write(settings, choice, file))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise PgwError(f"{name} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return count


async def _write(settings: Settings, choice: Choice, file: TextIO) -> int:
    """Write all lines; returns how many groups there were."""
    count = 0
    async with opened(settings) as store:
        names = await chosen_names(store, choice)
        file.write(archive.head())
        with Progress("export", len(names)) as progress:
            async for groups in slices(store, names):
                for group in groups:
                    file.writelines(archive.lines_of(group))
                count += len(groups)
                progress.add(len(groups))
        file.write(archive.foot(count))
        file.flush()
    return count
