"""When what a view shows has to be looked at again, because something in it expires.

In: names of groups, and when the next of each expires; a moment.
Out: the names whose moment has come.
Never: reads a clock; moments are those of Redis, in microseconds since 1970.
"""

import heapq


class Deadlines:
    """A calendar of groups. Costs nothing for groups without a deadline."""

    def __init__(self) -> None:
        self._when: dict[str, int] = {}
        self._queue: list[tuple[int, str]] = []
        """May name groups that have another deadline by now; `_when` knows."""

    def set(self, name: str, when: int) -> None:
        """Note when a group has to be looked at again; 0: never."""
        if not when:
            self._when.pop(name, None)
        elif self._when.get(name) != when:
            self._when[name] = when
            heapq.heappush(self._queue, (when, name))
            if len(self._queue) > 2 * len(self._when) + 64:  # groups that are renewed again and again
                self._queue = [(when, name) for name, when in self._when.items()]
                heapq.heapify(self._queue)

    def of(self, name: str) -> int:
        """When a group has to be looked at again; 0: never."""
        return self._when.get(name, 0)

    def due(self, now: int) -> list[str]:
        """Name the groups whose moment has come. They stay until another is set: whoever looks at them may fail."""
        found: list[tuple[int, str]] = []
        while self._queue and self._queue[0][0] <= now:
            entry = heapq.heappop(self._queue)
            # A deadline that was taken back and set again is in the queue twice, one behind the other.
            if self._when.get(entry[1]) == entry[0] and entry not in found[-1:]:
                found.append(entry)
        for entry in found:
            heapq.heappush(self._queue, entry)
        return [name for _, name in found]
