"""The one tree of things that can go wrong.

    PgwError
    |- SettingError(setting, value, expected)   a flag or variable cannot be used: the command exits 2
    |- StartError                               the server cannot start (no redis-server, port taken): exits 1
    |- PushError                                the client sent something that is not accepted
    |  |- BadGroupingKey                        the path does not name a group
    |  |- BadBody                               the body cannot be decompressed or is of no known form
    |  |- ParseError(line, reason)              the body is not the format it claims to be
    |  |- BadLifetime(asked, expected)          the time that the group is to live is none, or too long
    |  |- InconsistentPush(reason)              well-formed, but it may not stand beside what is stored
    |- OverLimit(setting)                       more than is accepted
    |  |- BodyTooLarge(limit)                   bytes of a body, after decompression
    |  |- PushTooLarge(setting, found, limit)   families, series, or the length of a label's value
    |  |- StoreFull(what, found, limit)         series or groups in total
    |- BadParameter(name, value, expected)      a parameter of the request has a value that cannot be used
    |- SelectorError(selector, position, expected)   it is not Prometheus' selector syntax
    |- ArchiveError(name, line, expected)       a file is not what pgw export writes
    |- SourceError                              another gateway cannot be read
    |- StoreError                               Redis did not do what was asked
       |- StoreUnavailable                      away, too slow, or not accepting writes
       |  |- StoreRefused                       does not let us in: no more waiting helps
       |- StoreConflict(group, attempts)        others kept changing what this push depends on
       |- StoreBusy(limit)                      too many pushes are waiting already
       |- CorruptGroup(key)                     what is stored cannot be read back

No HTTP numbers here: web/problems.py maps the tree to answers.
Each message names the place, the value and what was expected, and is written to be shown to a client.
"""

SELECTOR_EXCERPT = 20
"""Characters of a selector that are shown from a fault on: enough to find it, and few of a long pattern."""


class PgwError(Exception):
    """Anything this package raises on purpose."""


class SettingError(PgwError):
    """A setting has a value that cannot be used."""

    def __init__(self, setting: str, value: str, expected: str) -> None:
        super().__init__(f"{setting}: {value!r} is not {expected}")
        self.setting = setting
        self.value = value
        self.expected = expected


class StartError(PgwError):
    """The server cannot start on this machine as it is."""


class PushError(PgwError):
    """The request is refused because of what the client sent."""


class BadGroupingKey(PushError):
    """The path of a push or a delete does not name a group."""


class BadBody(PushError):
    """The body cannot be decompressed."""


class ParseError(PushError):
    """The body breaks the text format at a line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"text format parsing error in line {line}: {reason}")
        self.line = line
        self.reason = reason


class BadLifetime(PushError):
    """A push asks its group to live for a time that is none, or longer than is allowed."""

    def __init__(self, asked: str, expected: str) -> None:
        super().__init__(f"the time to live (X-Pushgateway-TTL or ?ttl=): {asked!r} is not {expected}")
        self.asked = asked
        self.expected = expected


class InconsistentPush(PushError):
    """A well-formed push that may not stand beside what is stored (or within itself)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"pushed metrics are invalid or inconsistent with existing metrics: {reason}")
        self.reason = reason


class OverLimit(PgwError):
    """More than is accepted; `setting` names the limit, without its dashes."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(reason)
        self.setting = setting


class BodyTooLarge(OverLimit):
    """A body is larger than the limit, counted after decompression."""

    def __init__(self, limit: int) -> None:
        setting = "push.max-body-size"
        super().__init__(setting, f"the body is larger than {limit} bytes (--{setting}, after decompression)")
        self.limit = limit


class PushTooLarge(OverLimit):
    """One push holds more than is accepted of one."""

    def __init__(self, setting: str, found: str, limit: int) -> None:
        """Make the error; `found` says what was found, as a sentence."""
        super().__init__(setting, f"{found}, and the limit is {limit} (--{setting})")
        self.limit = limit


class StoreFull(OverLimit):
    """With this push more would be stored than is accepted in all."""

    def __init__(self, what: str, found: int, limit: int) -> None:
        """Make the error; `what` is a field of store.base.Limits."""
        setting = f"store.max-{what.replace('_', '-')}"
        shown = "groups of this job" if what == "groups_per_job" else what
        super().__init__(
            setting, f"{found} {shown} would be stored with this push, and the limit is {limit} (--{setting})"
        )
        self.found = found
        self.limit = limit


class BadParameter(PgwError):
    """A parameter of a request has a value that cannot be used, or does not belong there."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"parameter {name}: {value!r} is not {expected}")
        self.name = name
        self.value = value
        self.expected = expected


class SelectorError(PgwError):
    """A selector does not follow Prometheus' syntax, or does not say enough for what it is to be used for."""

    def __init__(self, selector: str, position: int, expected: str) -> None:
        """Make the error; `position` counts the characters before the fault."""
        found = selector[position : position + SELECTOR_EXCERPT]
        shown = f"{found!r}" if found else "the end"
        super().__init__(f"selector {selector!r}: at character {position + 1} found {shown}, expected {expected}")
        self.selector = selector
        self.position = position
        self.found = found
        self.expected = expected


class ArchiveError(PgwError):
    """A file of exported groups is not whole."""

    def __init__(self, name: str, line: int, expected: str) -> None:
        super().__init__(f"{name}:{line}: expected {expected}")
        self.name = name
        self.line = line
        self.expected = expected


class SourceError(PgwError):
    """A gateway whose groups are to be taken over does not answer as one does."""


class StoreError(PgwError):
    """Redis did not do what was asked; the client may try again."""


class StoreUnavailable(StoreError):
    """Redis cannot be reached, did not answer in time, or does not accept writes."""


class StoreRefused(StoreUnavailable):
    """Redis does not know our password, or our user may not do what we must: a person has to change that."""


class StoreConflict(StoreError):
    """What a push depends on kept changing under it."""

    def __init__(self, group: str, attempts: int) -> None:
        super().__init__(f"group {group}: the groups it is compared with changed {attempts} times meanwhile")
        self.group = group
        self.attempts = attempts


class StoreBusy(StoreError):
    """More pushes are waiting for Redis than are let in."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} pushes are already waiting for Redis")
        self.limit = limit


class CorruptGroup(StoreError):
    """A stored group cannot be read back."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"the stored group {key} cannot be read: {reason}")
        self.key = key
        self.reason = reason
