"""What a replica tells about its own workers, alone and through a directory that they share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pgw.telemetry import process
from pgw.telemetry.process import SHARED_DIRECTORY, Condition, ProcessMetrics

ROOT = Path(__file__).parents[2]
CONDITION = Condition(groups=3, families=7, hidden_samples=1, waiting_writes=2)


def samples(text: str) -> dict[str, float]:
    """Name and labels but `pid` -> the sum of the values."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items() if name != "pid")
            key = f"{sample.name}{{{labels}}}"
            found[key] = found.get(key, 0) + sample.value
    return found


def test_a_worker_alone_tells_what_it_noticed() -> None:
    metrics = ProcessMetrics(None)
    metrics.note(Condition(0, 0, 0, 0))
    metrics.note(CONDITION)
    metrics.count_problem("ParseError")
    metrics.count_problem("ParseError")
    metrics.count_problem("bug")
    metrics.observe_scrape(0.003)
    metrics.observe_scrape(20.0)
    found = samples(metrics.exposition().decode())
    assert found["pgw_groups{}"] == 3
    assert found["pgw_families{}"] == 7
    assert found["pgw_hidden_samples{}"] == 1
    assert found["pgw_waiting_writes{}"] == 2
    assert found["pgw_problems_total{kind=ParseError}"] == 2
    assert found["pgw_problems_total{kind=bug}"] == 1
    assert found["pgw_scrape_seconds_count{}"] == 2
    assert found["pgw_scrape_seconds_bucket{le=0.005}"] == 1
    assert found["process_cpu_seconds_total{}"] > 0
    assert found["process_resident_memory_bytes{}"] > 10_000_000


def test_two_workers_in_one_process_know_nothing_of_each_other() -> None:
    one, other = ProcessMetrics(None), ProcessMetrics(None)
    one.count_problem("bug")
    assert b"bug" not in other.exposition()


def test_where_the_system_does_not_tell_the_memory_the_peak_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process, "Path", lambda _path: tmp_path / "none")
    metrics = ProcessMetrics(None)
    metrics.note(CONDITION)
    assert samples(metrics.exposition().decode())["process_resident_memory_bytes{}"] > 10_000_000


WORKER = """
import os, sys
from pgw.telemetry.process import Condition, ProcessMetrics
metrics = ProcessMetrics(os.environ["PROMETHEUS_MULTIPROC_DIR"])
metrics.note(Condition(int(sys.argv[1]), 7, 0, 0))
metrics.count_problem("ParseError")
metrics.observe_scrape(0.003)
if sys.argv[2] == "tell":
    sys.stdout.write(metrics.exposition().decode())
"""


def run_worker(directory: Path, groups: int, what: str) -> str:
    environment = {SHARED_DIRECTORY: str(directory), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WORKER, str(groups), what]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_each_worker_tells_for_all_that_share_its_directory(tmp_path: Path) -> None:
    run_worker(tmp_path, 3, "be silent")
    text = run_worker(tmp_path, 4, "tell")
    assert ProcessMetrics(str(tmp_path)).exposition().decode() == text
    found = samples(text)
    assert found["pgw_problems_total{kind=ParseError}"] == 2
    assert found["pgw_scrape_seconds_count{}"] == 2
    assert found["pgw_groups{}"] == 7  # of two workers, each under its pid
    assert text.count("pgw_groups{pid=") == 2
    assert text.count("process_resident_memory_bytes{pid=") == 2
