"""How many pushes a second, by how many groups are stored? Ours beside Debian's prometheus-pushgateway, in one run.

Closed loop (wrk, one thread, 16 connections, keep-alive), so it finds saturation and says nothing of latency.
Each cell is the best of the rounds; the rounds of the two gateways alternate, because machines have moods.

    .venv/bin/python bench/push_rate.py [SECONDS [ROUNDS]]
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import body, load, pgw, pushgateway

STORED = (1, 1_000, 10_000)
WRK = """
local groups, count = tonumber(os.getenv("BENCH_GROUPS")), 0
local body = io.open(os.getenv("BENCH_BODY")):read("*a")
request = function()
  count = count + 7  -- not in order, and every group in the end
  return wrk.format("PUT", "/metrics/job/j" .. count % groups, nil, body)
end
"""


def main(seconds: int, rounds: int) -> None:
    """Print the table."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    print("| groups stored | pgw, pushes/s | pushgateway, pushes/s | ratio | pgw: share of its rate at 1 group |")
    print("|---|---|---|---|---|")
    alone = 0.0
    for stored in STORED:
        ours, theirs = compare(stored, seconds, rounds)
        alone = alone or ours
        print(f"| {stored:,} | {ours:,.0f} | {theirs:,.1f} | {ours / theirs:,.1f} | {ours / alone:.2f} |", flush=True)


def compare(stored: int, seconds: int, rounds: int) -> tuple[float, float]:
    """The best rates of both with so many groups stored."""
    with contextlib.ExitStack() as running:
        ours = running.enter_context(pgw())
        load(ours, stored)
        theirs = running.enter_context(pushgateway(stored))
        rates = [(rate(ours, stored, seconds), rate(theirs, stored, seconds)) for _ in range(rounds)]
    return max(ours for ours, _ in rates), max(theirs for _, theirs in rates)


def rate(port: int, stored: int, seconds: int) -> float:
    """Pushes answered with 200 in a second."""
    with tempfile.TemporaryDirectory() as directory:
        script, pushed = Path(directory, "push.lua"), Path(directory, "body.prom")
        script.write_text(WRK)
        pushed.write_bytes(body())
        environ = {**os.environ, "BENCH_GROUPS": str(stored), "BENCH_BODY": str(pushed)}
        command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--timeout", "60s", "-s", str(script)]
        output = subprocess.run(
            [*command, f"http://127.0.0.1:{port}"], env=environ, capture_output=True, text=True, check=True
        ).stdout
    if "Non-2xx" in output:
        sys.exit(output)
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    main(*map(int, [*sys.argv[1:], *("8", "3")[len(sys.argv) - 1 :]]))
