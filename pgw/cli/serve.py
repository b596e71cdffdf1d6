"""`pgw serve`: run the gateway until it is stopped.

In: settings, and nothing else.
Out: the exit code of the server.
Never: imports what only workers need: the server sets up what they are to import first.
"""

from collections.abc import Mapping

from pgw import server
from pgw.cli.words import Syntax
from pgw.settings import Settings

ABOUT = """\
Runs the gateway until it is stopped: SIGTERM or Ctrl-C. "serve" may be left out.
Exits with 0 after a clean stop, 2 for a bad flag or variable, 1 for anything else that stops it.

    pgw serve --redis.url=redis://redis.example:6379/0
    pgw --web.listen-address=:9099 --storage.path=/var/lib/pgw
    pgw inspect --help          the other commands: inspect, check, export, import, delete
"""
SYNTAX = Syntax("serve", "", "settings only", 0, 0, ABOUT)


def run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the command."""
    return server.run(Settings.read(words, environ))
