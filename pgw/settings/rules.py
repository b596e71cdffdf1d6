"""Rules of `--push.ttl-rule`: `{job=~"ci-.*"}=2h`, several with commas between them.

In: the text behind the flag or in the variable.
Out: Rules, and the text that they are shown as; ValueError or SelectorError where the text is none.
Never: decides which rule counts.
"""

import re
from collections.abc import Iterator, Sequence

from pgw.durations import show_duration
from pgw.errors import SelectorError
from pgw.gateway.lifetime import Rule, read_lifetime
from pgw.model.selector import Selector

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`|.', re.DOTALL)
"""A quoted value, or any other character. A quote that is not closed is one; the selector will say so."""


def read_rules(text: str) -> tuple[Rule, ...]:
    """Rules with commas between them; an empty text holds none."""
    return tuple(map(_rule, _parts(text))) if text.strip() else ()


def show_rules(rules: Sequence[Rule]) -> str:
    """Text that reads as the same rules."""
    return ",".join(f"{rule.selector}={show_duration(rule.seconds)}" for rule in rules)


def _rule(text: str) -> Rule:
    written, _, duration = text.rpartition("=")
    selector = Selector.read(written)
    if selector.names_metric:
        raise SelectorError(written, 0, "labels only: groups have no metric name")
    return Rule(selector, read_lifetime(duration.strip()))


def _parts(text: str) -> Iterator[str]:
    """Split at the commas that stand in no braces and in no quotes."""
    part, depth = "", 0
    for piece in _PIECE.findall(text):
        depth += {"{": 1, "}": -1}.get(piece, 0)
        if piece == "," and depth == 0:
            yield part
            part = ""
        else:
            part += piece
    yield part
