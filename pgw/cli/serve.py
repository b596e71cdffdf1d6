"""`pgw serve`: run the gateway until it is stopped.

In: settings, and nothing else.
Out: the exit code of the server.
"""

from collections.abc import Mapping

from pgw import server
from pgw.settings import Settings


def run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the command."""
    return server.run(Settings.read(words, environ))
