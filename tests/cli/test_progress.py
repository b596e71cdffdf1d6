"""What is seen of a long command: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io

from pgw.cli.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_elsewhere_a_line_comes_now_and_then() -> None:
    log = io.StringIO()
    with Progress("importing", 30, stream=log, line_seconds=0) as progress:
        for _ in range(3):
            progress.add(10)
    assert log.getvalue().splitlines() == [f"importing: {done} of 30 groups" for done in (10, 20, 30)]


def test_elsewhere_nothing_comes_of_what_is_soon_done() -> None:
    log = io.StringIO()
    with Progress("importing", 30, stream=log) as progress:
        progress.add(30)
    assert log.getvalue() == ""


def test_what_must_be_seen_is_seen_on_a_line_of_its_own() -> None:
    for stream in (Terminal(), io.StringIO()):
        with Progress("importing", 2, stream=stream) as progress:
            progress.add(1)
            progress.say("group job/a: no")
            progress.add(1)
        assert "group job/a: no" in stream.getvalue().replace("\r", "\n").split("\n")


def test_a_terminal_shows_a_bar_that_is_full_at_the_end() -> None:
    terminal = Terminal()
    with Progress("importing", 30, stream=terminal) as progress:
        progress.add(30)
    last = terminal.getvalue().rstrip("\n").rpartition("\r")[2]
    assert last.startswith("importing: 100%|")
    assert " 30/30 " in last


def test_a_bar_that_does_not_stay_is_not_there_for_what_is_soon_done() -> None:
    terminal = Terminal()
    with Progress("reading", 30, stays=False, stream=terminal) as progress:
        progress.add(30)
    assert terminal.getvalue().strip() == ""
