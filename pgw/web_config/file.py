"""The web configuration file as it is now: read again once it has changed.

In: its path, and a clock.
Out: WebConfig, as of a second ago at most.
Never: watches in the background; it looks when it is asked.
Follows: prometheus/exporter-toolkit, which reads the file at every request.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

from pgw.errors import SettingError
from pgw.web_config.reader import read_web_config
from pgw.web_config.values import WebConfig

CHECK_SECONDS = 1.0
"""Between looks at the file: a user who was removed is out within a second, and a push does not wait for the disk."""


class ConfigFile:
    """The file as it is now: read again once it has changed."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Read nothing yet. `clock` counts seconds."""
        self.path = path
        self._clock = clock
        self._looked_at = -math.inf
        self._seen: object = None
        self._found: WebConfig | SettingError = WebConfig()

    def current(self) -> WebConfig:
        """What the file says, as of a second ago at most.

        Raises:
            SettingError: it cannot be used; again at each call until it has changed. The same object each time.
        """
        now = self._clock()
        if now - self._looked_at >= CHECK_SECONDS:
            self._looked_at = now
            self._look()
        if isinstance(self._found, SettingError):
            raise self._found.with_traceback(None)  # each raise would add to it
        return self._found

    def _look(self) -> None:
        seen = signature(self.path)
        if seen is not None and seen == self._seen:
            return
        self._seen = seen
        try:
            self._found = read_web_config(self.path)
        except SettingError as error:
            self._found = error


def signature(path: Path) -> tuple[int, int, int] | None:
    """What changes with the content of a file: its inode, size and time of change; None where there is none.

    The inode, because Kubernetes puts another file behind a symbolic link.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
