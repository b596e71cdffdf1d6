"""Something that goes on while a test does something else.

In: what to do.  Out: a context; it is being done as long as that lasts.
Never: leaves a thread behind.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Call it in a thread; it has to return soon after the event that it is given is set, at the end of the context."""
    done = threading.Event()
    thread = threading.Thread(target=work, args=(done,))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
