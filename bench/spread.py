"""Figures of several rounds: their median, and between which values they lie.

In: one figure for each round.
Out: words for a table; ratios are taken within each round, before anything else.
"""

from collections.abc import Sequence
from statistics import median


def shown(figures: Sequence[float]) -> str:
    """The median, and the least and the most if there are several: `4,321 (4,100..4,500)`."""
    middle = number(median(figures))
    return middle if len(figures) == 1 else f"{middle} ({number(min(figures))}..{number(max(figures))})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours as multiples of theirs, round by round; rounds in which theirs is nothing tell nothing."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True) if other]


def number(value: float) -> str:
    """A figure with three digits that count, or all before the point."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"
