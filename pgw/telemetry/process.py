"""What this replica tells about its own workers on `/-/metrics`: not summed over replicas, and gone with the process.

In: what one worker notices.
Out: an exposition of all workers of this replica, each under its `pid` where a sum would say nothing.
Never: repeats what is on the shared page.
Follows: prometheus_client's multi-process mode. Each worker writes files in the directory that the server room has
named in PROMETHEUS_MULTIPROC_DIR before this is imported; without it the numbers are those of this process alone.
"""

import resource
import sys
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the directory, to us and to prometheus_client."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bucket bounds; the last is the time after which Prometheus gives a scrape up by default."""
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


_GAUGES = {
    "pgw_groups": "Groups in the view of a worker.",
    "pgw_families": "Metric families in the view of a worker.",
    "pgw_hidden_samples": "Samples not shown, because a newer unchecked push is in their way.",
    "pgw_waiting_writes": "Pushes and deletes of a worker that wait for Redis.",
    "process_cpu_seconds_total": "CPU time of a worker, user and system.",
    "process_resident_memory_bytes": "Resident memory of a worker.",
}


class Condition(NamedTuple):
    """How a worker is, at a moment."""

    groups: int
    families: int
    hidden_samples: int
    waiting_writes: int


class ProcessMetrics:
    """The metrics of one worker; each is made when it is first used, after the fork, so that its file is our own."""

    def __init__(self, shared_directory: str | None) -> None:
        """Make the metrics.

        Args:
            shared_directory: where the workers of a replica share their numbers, if they do.
        """
        self._shared_directory = shared_directory
        self._registry = CollectorRegistry()

    @cached_property
    def _problems(self) -> Counter:
        text = "Requests that were refused or failed, by what was wrong."
        return Counter("pgw_problems", text, ["kind"], registry=self._registry)

    @cached_property
    def _deleted(self) -> Counter:
        text = "Groups that were deleted by selector."
        return Counter("pgw_groups_deleted", text, registry=self._registry)

    @cached_property
    def _scrapes(self) -> Histogram:
        text = "Time to bring the page up to date and make it."
        return Histogram("pgw_scrape_seconds", text, buckets=_SECONDS, registry=self._registry)

    @cached_property
    def _gauges(self) -> dict[str, Gauge]:
        return {
            name: Gauge(name, text, multiprocess_mode="liveall", registry=self._registry)
            for name, text in _GAUGES.items()
        }

    def count_problem(self, kind: str) -> None:
        """Count a request that was refused or failed."""
        self._problems.labels(kind).inc()

    def count_deleted(self, groups: int) -> None:
        """Count groups that were deleted by selector."""
        self._deleted.inc(groups)

    def observe_scrape(self, seconds: float) -> None:
        """Note how long a page took."""
        self._scrapes.observe(seconds)

    def note(self, condition: Condition) -> None:
        """Note how the worker is now."""
        for name, value in condition._asdict().items():
            self._gauges[f"pgw_{name}"].set(value)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._gauges["process_cpu_seconds_total"].set(usage.ru_utime + usage.ru_stime)
        self._gauges["process_resident_memory_bytes"].set(_resident_bytes(usage.ru_maxrss * _MAXRSS_UNIT))

    def exposition(self) -> bytes:
        """Write the metrics of all workers of this replica, in the text format 0.0.4."""
        if self._shared_directory is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._shared_directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _resident_bytes(peak: int) -> int:
    """The memory that is resident now, where the system tells; else the most that ever was."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return peak
    return pages * resource.getpagesize()
