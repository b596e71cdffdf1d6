"""How far a long command has come: a bar on a terminal, a line now and then elsewhere; both on stderr.

In: steps as they are done, and lines that must be seen.
Out: what a person, or the log of a job, sees.
Never: writes to stdout, which may be the export itself; nor anything, off a terminal, for work that is soon done.
"""

import os
import sys
import time
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

LINE_SECONDS = 10.0
"""Between two lines in a log: often enough to see that it goes on, and six lines a minute at most."""


def announce(text: str) -> None:
    """Tell what is being waited for, to a person; the log of a job learns of it once it is done."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)  # noqa: T201  a person waits


USUAL_SIZE = (80, 24)
"""Of a terminal that says it has none, as those of containers do; tqdm would show nothing there."""


class Progress:
    """The progress of one command over its groups; a context manager."""

    def __init__(
        self,
        what: str,
        total: int,
        *,
        stays: bool = True,
        stream: TextIO | None = None,
        line_seconds: float = LINE_SECONDS,
    ) -> None:
        """Begin.

        Args:
            what: what is done to the groups: `importing`.
            total: how many groups there are.
            stays: whether the bar is to be seen when all is done; if not it also waits a second before it comes.
            stream: where it is shown; without one stderr.
            line_seconds: how long to wait between two lines, off a terminal.
        """
        self._what = what
        self._total = total
        self._done = 0
        self._stream = stream or sys.stderr
        self._line_seconds = line_seconds
        self._line_at = time.monotonic()
        columns, rows = _size(self._stream)
        self._bar = tqdm(
            total=total,
            desc=what,
            unit=" groups",
            file=self._stream,
            leave=stays,
            delay=0 if stays else 1,
            disable=not self._stream.isatty(),
            ncols=columns,
            nrows=rows,
        )

    @property
    def done(self) -> int:
        """How many groups are done."""
        return self._done

    def add(self, steps: int) -> None:
        """Note that so many groups more are done."""
        self._done += steps
        self._bar.update(steps)
        now = time.monotonic()
        if self._bar.disable and now - self._line_at >= self._line_seconds:
            self._line_at = now
            self.say(f"{self._what}: {self._done} of {self._total} groups")

    def say(self, line: str) -> None:
        """Write a line, above the bar where there is one."""
        if self._bar.disable:
            print(line, file=self._stream, flush=True)
        else:
            self._bar.write(line, file=self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()


def _size(stream: TextIO) -> tuple[int | None, int | None]:
    """Columns and rows that the bar may take; None: tqdm finds out."""
    try:
        return (None, None) if all(os.get_terminal_size(stream.fileno())) else USUAL_SIZE
    except (OSError, ValueError):  # it is no terminal
        return None, None
