"""The one tree of things that can go wrong.

    PgwError
    |- SettingError(setting, value, expected)   a flag or variable cannot be used: the command exits 2
    |- StartError                               the server cannot start (no redis-server, port taken): exits 1
    |- PushError                                the client sent something that is not accepted
    |  |- BadGroupingKey                        the path does not name a group
    |  |- BadBody                               the body cannot be decompressed or is of no known form
    |  |- ParseError(line, reason)              the body is not the format it claims to be
    |  |- TooManyFamilies(families, limit)       one push would hold up all others
    |  |- InconsistentPush(reason)              well-formed, but it may not stand beside what is stored
    |- BodyTooLarge(limit)                      more bytes than are accepted, after decompression
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


class TooManyFamilies(PushError):
    """One push holds so many families that storing them would hold up all others."""

    def __init__(self, families: int, limit: int) -> None:
        super().__init__(f"the push holds {families} metric families, and the limit is {limit}: push to several groups")
        self.families = families
        self.limit = limit


class InconsistentPush(PushError):
    """A well-formed push that may not stand beside what is stored (or within itself)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"pushed metrics are invalid or inconsistent with existing metrics: {reason}")
        self.reason = reason


class BodyTooLarge(PgwError):
    """A body is larger than the limit, counted after decompression."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes (--push.max-body-size, after decompression)")
        self.limit = limit


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
