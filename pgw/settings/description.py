"""The settings as people and shells read them: --help, a manual page, completion.

In: the rows of the settings.
Out: text.
Never: prints it.
"""

import textwrap
from collections.abc import Sequence

from pgw.settings.kinds import Row
from pgw.settings.settings import rows


def describe() -> str:
    """All settings as --help shows them."""
    return "\n".join(_describe(row) for _, row in rows())


def manual(intro: str) -> str:
    """The manual page, in the language of man(7)."""
    entries = "\n".join(f".TP\n\\fB{_roff(row.usage)}\\fR\n{_roff(_sentence(row))}" for _, row in rows())
    return (
        f".TH pgw 1\n.SH NAME\npgw \\- a push gateway for Prometheus\n.SH SYNOPSIS\n.nf\n{_roff(intro)}\n.fi\n"
        f".SH OPTIONS\n{entries}"
    )


def complete(shell: str, others: Sequence[str]) -> str:
    """A script for bash or zsh that completes flags, other words, and names of files where nothing else fits."""
    flags = [word for _, row in rows() for word in ([row.flag, row.switch_off] if row.is_switch else [row.flag])]
    words = " ".join((*others, *flags))
    start = "autoload -Uz bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return f"{start}complete -o default -W '{words}' pgw"


def _describe(row: Row) -> str:
    text = textwrap.fill(_sentence(row), 100, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return f"  {row.usage}\n{text}"


def _sentence(row: Row) -> str:
    default = f", default {row.default}" if isinstance(row.default, str) and row.default else ""
    return f"{row.help} [{row.variable}{default}]"


def _roff(text: str) -> str:
    """Text in which nothing is a command of man(7): those begin with a backslash, or with a dot or quote in front."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in escaped.split("\n"))
