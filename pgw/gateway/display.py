"""All that one worker keeps of groups to show: their texts, their entries in the list, and when they expire.

In: groups as they are read from the store.
Out: a view, a catalogue; the groups that have to be looked at again; what is known of each, so that mostly its new
values will do.
Never: asks the store, or a clock; moments are those of Redis, in microseconds since 1970.
"""

from collections.abc import Iterable

from pgw.gateway.catalogue import Catalogue
from pgw.gateway.deadlines import Deadlines
from pgw.gateway.push_times import FAILURE_TIME, PUSH_TIME, push_times, seconds
from pgw.model.group import Group, Renewal
from pgw.model.grouping import GroupingKey
from pgw.view.view import View


class Display:
    """The groups that are shown."""

    def __init__(self, view: View, linger: int) -> None:
        """Make it; `linger` is how many microseconds a group stays after its families have expired."""
        self.view = view
        self.catalogue = Catalogue()
        self.linger = linger
        self._deadlines = Deadlines()

    def known(self, names: Iterable[str]) -> dict[str, bytes]:
        """The signatures of groups, as Store.renewed wants to know them."""
        return {name: self.catalogue.signature(name) for name in names}

    def due(self, now: int) -> list[str]:
        """The groups of which something has expired at a moment."""
        return self._deadlines.due(now)

    def put(self, name: str, group: Group | None, now: int) -> None:
        """Show a group as it is at a moment; nobody need have removed yet what has expired."""
        shown = group and group.at(now, self.linger)
        if group is None or shown is None:
            self.drop(name)
            return
        expired = group.is_expired(now)
        self.view.put(name, shown.pushed_at, (*shown.fragments, *push_times(shown, expired=expired)))
        deadline = group.deadline + self.linger if expired else group.deadline
        self._deadlines.set(name, deadline)
        self.catalogue.put(name, shown, deadline)

    def renew(self, name: str, renewal: Renewal, now: int) -> None:
        """Show a group that is known with what has changed of it."""
        pushed_at, failed_at, deadline, texts = renewal
        if 0 < deadline <= now:
            self.put(name, Group(GroupingKey.from_name(name), pushed_at, failed_at, (), deadline), now)
            return
        times = [(PUSH_TIME, seconds(pushed_at).encode())]
        if failed_at != self.catalogue.failed_at(name):
            times.append((FAILURE_TIME, seconds(failed_at).encode()))
        self.view.renew(name, pushed_at, texts, times)
        self._deadlines.set(name, deadline)
        self.catalogue.renew(name, pushed_at, failed_at, sum([len(text) for _, text in texts]), deadline)

    def drop(self, name: str) -> None:
        """Show a group no longer."""
        self.view.drop(name)
        self._deadlines.set(name, 0)
        self.catalogue.drop(name)
