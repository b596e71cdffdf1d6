"""Draws what was found, with matplotlib.

In: the report of a question, as JSON.
Out: an SVG file.
Never: measures.
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS = "pgw"
"""What our curves begin with: they are drawn thicker than those of others."""
MARKED_POINTS = 10
"""Curves with more points than that have no markers."""
THICK, THIN = 2.4, 1.2


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw one plot; the same report gives the same file."""
    plot = report["plot"]
    with mpl.rc_context({"svg.hashsalt": report["name"], "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.subplots()
        _bars(axes, plot["bars"]) if plot["bars"] else _curves(axes, plot["curves"])
        axes.set(title=report["title"], xlabel=plot["x"] if not plot["bars"] else "", ylabel=plot["y"])
        if plot["log_x"] and not plot["bars"]:
            axes.set_xscale("log")
        _scale(axes, plot)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _curves(axes: Axes, curves: list[dict[str, Any]]) -> None:
    for curve in curves:
        if curve["points"]:
            marker = "o" if len(curve["points"]) <= MARKED_POINTS else None
            width = THICK if curve["label"].startswith(OURS) else THIN
            axes.plot(*zip(*curve["points"], strict=True), label=curve["label"], marker=marker, linewidth=width)
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize="small")


def _bars(axes: Axes, bars: dict[str, float]) -> None:
    drawn = axes.bar(list(bars), list(bars.values()))
    axes.bar_label(drawn, [f"{value:,.4g}" for value in bars.values()])
    axes.tick_params(axis="x", labelrotation=15)


def _scale(axes: Axes, plot: dict[str, Any]) -> None:
    """From zero on, unless the scale is logarithmic."""
    if plot["log_y"]:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
