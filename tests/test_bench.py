"""The bench runs: the smallest size of each question answers with a table. What it says is nobody's business here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from servers import ROOT, program_path

BENCH = ROOT / "bench"
QUESTIONS = sorted(path.stem for path in BENCH.glob("*.py") if "QUESTION = Question(" in path.read_text())
NEEDED = {
    "wrk": "wrk",
    "prometheus-pushgateway": "prometheus-pushgateway (Debian)",
    "redis-benchmark": "redis-tools (Debian)",
    "redis-server": "redis-server",
}


@pytest.fixture
def programs() -> None:
    for name, package in NEEDED.items():
        program_path(name, package)


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_answers_with_rows(name: str, tmp_path: Path) -> None:
    report_path = tmp_path / "report.json"
    command = [sys.executable, str(BENCH / f"{name}.py"), "smoke", "--json", str(report_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(report_path.read_text())
    assert report["rows"]
    assert all(len(row) == len(report["columns"]) for row in report["rows"])
    assert report["plot"]["bars"] or all(curve["label"] for curve in report["plot"]["curves"])
    assert report["raw"]


def test_every_question_is_asked_by_make_bench() -> None:
    runner = (BENCH / "run.py").read_text()
    assert QUESTIONS
    assert [name for name in QUESTIONS if f'"{name}"' not in runner] == []
