"""How much faster is our text reader than prometheus_client's parser, per sample? In this process, without any server.

Bodies of 1,000 samples of several shapes: series that were seen before, with other values; and series that never come
again. Processor time of this process, for eight bodies at a time; short rounds that alternate, so that what else the
machine does hits both. Ours gets bytes and returns families; theirs gets text, decoded beforehand, and its iterator is
run to the end. A push of series that were seen before needs no families, but the form of the body and its values, which
is what ours returns in the row of its own that says so.

    python bench/text_reader.py [smoke|quick|full]
"""

import gc
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import NamedTuple

from lab import Lab
from payload import body, histogram_body, labelled_body, unlabelled_body
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from question import Findings, Plot, Question, Size
from spread import ratios, shown

from pgw.formats.text_reader import TextReader

SAMPLES = 1_000
BODIES = 8
"""Read in one go; together they take tens of milliseconds."""
SHAPES: dict[str, Callable[[int, str], bytes]] = {
    "2 labels": partial(body, SAMPLES),
    "no labels": partial(unlabelled_body, SAMPLES),
    "5 labels": partial(labelled_body, SAMPLES, 5),
    "histograms": partial(histogram_body, SAMPLES),
}
COLUMNS = ("series", "pgw, µs a sample: median (least..most)", "prometheus_client", "ratio: measured", "wanted")
SEEN, PUSHED, NEW = "seen before, new values", "seen before, new values, as a push is read", "never seen"
WANTED = {SEEN: 30, PUSHED: 30, NEW: 6}


class Plan(NamedTuple):
    """How much of it."""

    rounds: int


class Times(NamedTuple):
    """Microseconds a sample, of each round."""

    pgw: list[float]
    prometheus_client: list[float]


def measure(_lab: Lab, plan: Plan) -> Findings:
    """Compare both on all shapes, of series seen and new."""
    found = {(shape, case): times for shape in SHAPES for case, times in measure_shape(shape, plan.rounds).items()}
    rows = [row_of(shape, case, times) for (shape, case), times in found.items()]
    bars = {
        f"{name}: {case}": median(getattr(found["2 labels", case], name)) for case in WANTED for name in Times._fields
    }
    plot = Plot("", "microseconds a sample, 2 labels", bars=bars, log_y=True)
    raw = [{"shape": shape, "case": case, **times._asdict()} for (shape, case), times in found.items()]
    return Findings(COLUMNS, rows, plot, raw)


def measure_shape(shape: str, rounds: int) -> dict[str, Times]:
    """All rounds of one shape; what was seen and what is new have readers of their own, full of what they have read."""
    seen, new = TextReader(), TextReader()
    _read(seen.read, bodies_of(shape, ""))
    reads = {SEEN: seen.read, PUSHED: seen.recognize, NEW: new.read}
    found = {case: Times([], []) for case in reads}
    for number in range(rounds):
        for case, times in found.items():
            bodies = bodies_of(shape, f"{number}-" if case == NEW else "")
            texts = [content.decode() for content in bodies]
            times.pgw.append(_microseconds(partial(_read, reads[case], bodies)))
            times.prometheus_client.append(_microseconds(partial(_read, _parsed_by_theirs, texts)))
    return found


def bodies_of(shape: str, mark: str) -> list[bytes]:
    """Bodies of a shape: those without a mark are the same series with other values, those with one all new."""
    return [SHAPES[shape](variant, f"{mark}{variant}-" if mark else "") for variant in range(BODIES)]


def row_of(shape: str, case: str, times: Times) -> list[str]:
    """One row."""
    ratio = shown(ratios(times.prometheus_client, times.pgw))
    return [f"{shape}, {case}", shown(times.pgw), shown(times.prometheus_client), ratio, f">= {WANTED[case]}"]


def _read(read: Callable[..., object], bodies: Sequence[bytes | str]) -> None:
    for content in bodies:
        read(content)


def _parsed_by_theirs(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def _microseconds(work: Callable[[], object]) -> float:
    """Processor time for each sample; the garbage of those before is gone by then."""
    gc.collect()
    begun = time.process_time()
    work()
    return 1e6 * (time.process_time() - begun) / SAMPLES / BODIES


QUESTION = Question(
    "text_reader",
    "Processor time of reading the text format, beside prometheus_client's parser",
    {Size.SMOKE: Plan(1), Size.QUICK: Plan(9), Size.FULL: Plan(51)},
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
