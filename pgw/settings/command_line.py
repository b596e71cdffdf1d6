"""A command line, split into the text of each flag that is a setting and the words that are none.

In: the words behind the command, and the rows of the settings.
Out: texts by flag, and the words that are left, in their order; SettingError for a flag that is misused.
Never: reads what the texts mean.
Follows: the original's flags: `--flag=value` or `--flag value`, switches as `--switch` and `--no-switch`.
"""

from collections.abc import Iterable, Sequence

from pgw.errors import SettingError
from pgw.settings.kinds import Row


def split(argv: Sequence[str], rows: Iterable[Row]) -> tuple[dict[str, str], list[str]]:
    """Split a command line."""
    flags = {row.flag: row for row in rows}
    switches_off = {row.switch_off: row for row in flags.values() if row.is_switch}
    given: dict[str, str] = {}
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        flag, equals, text = word.partition("=")
        row = flags.get(flag) or switches_off.get(flag)
        if row is None:
            rest.append(word)
            continue
        if row.is_switch:
            text = _switch_text(row, flag, text if equals else None)
        elif not equals:
            text = next(words, "")
        given[row.flag] = _joined(row, given.get(row.flag), text)
    return given, rest


def _switch_text(row: Row, flag: str, text: str | None) -> str:
    if text is not None:
        raise SettingError(row.flag, text, f"expected: write {row.flag} or {row.switch_off}")
    return "true" if flag == row.flag else "false"


def _joined(row: Row, before: str | None, text: str) -> str:
    if before is None:
        return text
    if not row.kind.many:
        raise SettingError(row.flag, row.shown(text), "expected: give it once")
    return f"{before},{text}"
