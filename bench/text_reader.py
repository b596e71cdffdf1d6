"""How much faster is our text reader than prometheus_client's parser, per sample? In this process, without any server.

Bodies of 1,000 samples: series that were seen before, with other values; and series that never come again. Processor
time of this process; short rounds that alternate, so that what else the machine does hits both. Ours gets bytes and
returns families; theirs gets text, decoded beforehand, and its iterator is run to the end.

    python bench/text_reader.py [smoke|quick|full]
"""

import gc
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import NamedTuple

from lab import Lab
from payload import body
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from question import Findings, Plot, Question, Size
from spread import ratios, shown

from pgw.formats.text_reader import TextReader

SAMPLES = 1_000
COLUMNS = ("series", "pgw, µs a sample: median (least..most)", "prometheus_client", "ratio: measured", "wanted")
SEEN, NEW = "seen before, new values", "never seen"
WANTED = {SEEN: 30, NEW: 6}


class Plan(NamedTuple):
    """How much of it."""

    rounds: int


def measure(_lab: Lab, plan: Plan) -> Findings:
    """Compare both on both."""
    reader = TextReader()
    reader.read(body(SAMPLES))
    found: dict[str, tuple[list[float], list[float]]] = {SEEN: ([], []), NEW: ([], [])}
    for number in range(plan.rounds):
        for case, (ours, theirs) in found.items():
            content = body(SAMPLES, number % 8, f"{number}-" if case == NEW else "")
            text = content.decode()
            ours.append(microseconds(partial(reader.read, content)))
            theirs.append(microseconds(partial(parsed_by_theirs, text)))
    rows = [
        [case, shown(ours), shown(theirs), shown(ratios(theirs, ours)), f">= {WANTED[case]}"]
        for case, (ours, theirs) in found.items()
    ]
    bars = {
        f"{name}: {case}": median(each)
        for case, both in found.items()
        for name, each in zip(("pgw", "theirs"), both, strict=True)
    }
    plot = Plot("", "microseconds a sample", bars=bars, log_y=True)
    raw = {case: {"pgw": ours, "prometheus_client": theirs} for case, (ours, theirs) in found.items()}
    return Findings(COLUMNS, rows, plot, raw)


def parsed_by_theirs(text: str) -> list[Metric]:
    """What prometheus_client makes of a body."""
    return list(text_string_to_metric_families(text))


def microseconds(work: Callable[[], object]) -> float:
    """Processor time for each sample; the garbage of those before is gone by then."""
    gc.collect()
    begun = time.process_time()
    work()
    return 1e6 * (time.process_time() - begun) / SAMPLES


QUESTION = Question(
    "text_reader",
    "Processor time of reading the text format, beside prometheus_client's parser",
    {Size.SMOKE: Plan(1), Size.QUICK: Plan(21), Size.FULL: Plan(101)},
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
