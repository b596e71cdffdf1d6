"""Commands of pgw as a shell runs them.

In: words.  Out: what came out, and the exit code.
Never: inherits settings from the environment of the tests.
"""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

from servers import ROOT, pgw_command

COMMAND_SECONDS = 120


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


def clean_environment(**more: str) -> dict[str, str]:
    """The environment of this process without settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PGW_")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def pgw(*words: object, stdin: bytes = b"", **environ: str) -> Done:
    """Run a command to its end, its output into pipes."""
    done = subprocess.run(
        [*pgw_command(), *map(str, words)],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=COMMAND_SECONDS,
        env=clean_environment(**environ),
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())
