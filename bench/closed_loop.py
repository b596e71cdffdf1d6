"""Saturation: how many pushes a second a server answers when there are always some that wait (wrk).

In: a running server and what to push.
Out: pushes a second, and the processor time of each in the server and in Redis.
Never: says anything of latency: in a closed loop a slow server is asked less often. See open_loop.py.
"""

import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from lab import Lab, Server
from payload import FRESH_BODY, VARIANTS, body
from processes import cpu_seconds
from sender import Sender

CONNECTIONS = (16, 64, 256)
"""How many pushes are under way at once. Some servers do best with few, others with many: each gets what suits it."""
TRIAL_SECONDS, TRIALS = 1.0, 3
WARM_TIMES = 8
"""That each group is pushed before anything is measured. A push goes to either of two workers, so each of them has met
all but one in 256 of the groups then; one that it has not met takes longer, as after a start."""
QUEUE_SECONDS = 0.5
"""That a server may need for as many pushes as there are connections, or it would still be at it in the next round."""
SAMPLES_AT_HAND = 100_000
"""Of all bodies together: some five megabytes, which are written for each round."""
SLOW_SECONDS = 0.05
"""A server that takes longer than that for a push is sent one after the other: wrk would end in the middle of the
first sixteen. The pushgateway, which it is about, does one at a time anyway."""

SAME_BODIES = """
local bodies = {}
for i = 1, %d do
  local file = io.open(os.getenv("BENCH_DIR") .. "/" .. i)
  bodies[i] = file:read("*a")
  file:close()
end
local turn = 0
local function body()
  turn = turn + 1
  return bodies[turn %% #bodies + 1]
end
"""
REQUEST = """
local groups, count = tonumber(os.getenv("BENCH_GROUPS")), 0
local headers = {["Connection"] = os.getenv("BENCH_CONNECTION")}
request = function()
  count = count + 7  -- not in order, and every group in the end
  return wrk.format(os.getenv("BENCH_METHOD"), os.getenv("BENCH_BASE") .. "j" .. count % groups, headers, body())
end
"""


class Load(NamedTuple):
    """What is pushed."""

    groups: int = 1
    samples: int = 10
    new_connections: bool = False
    """One for each push."""
    fresh: bool = False
    """Ten samples with label values that never come again."""
    connections: int = CONNECTIONS[0]


class Measured(NamedTuple):
    """What came of it."""

    rate: float
    """Pushes answered in a second."""
    front_us: float
    """Microseconds of processor time for each push, in all processes that answer requests."""
    redis_us: float
    pushes: int
    connections: int


def at_its_best(lab: Lab, server: Server, load: Load) -> Load:
    """The load with as many connections as let the server answer most pushes. It is warm after that: caches are full,
    each process that answers knows nearly all groups, and Go's heap has found its size.
    """
    push = min(_time_of_one(server, load) for _ in range(TRIALS))  # the first finds nothing connected, nor any cache
    loads = [load._replace(connections=each) for each in CONNECTIONS if each * push < QUEUE_SECONDS]
    rates: Counter[Load] = Counter()
    for each in (loads or [load]) * TRIALS:
        rates[each] += saturate(lab, server, each, TRIAL_SECONDS).rate  # type: ignore[assignment]  # not only ints
    [(best, rate)] = rates.most_common(1)
    if len(server.fronts()) > 1:
        saturate(lab, server, best, WARM_TIMES * load.groups * TRIALS / rate)
    return best


def saturate(lab: Lab, server: Server, load: Load, seconds: float) -> Measured:
    """Push for so long, as fast as the server answers."""
    fronts, redis = server.fronts(), server.redis()
    before = cpu_seconds(fronts), cpu_seconds(redis)
    slow = not load.new_connections and _time_of_one(server, load) > SLOW_SECONDS
    pushes, rate = _one_by_one(server, load, seconds) if slow else _wrk(lab, server, load, seconds)
    used = cpu_seconds(fronts) - before[0], cpu_seconds(redis) - before[1]
    return Measured(
        rate, 1e6 * used[0] / max(1, pushes), 1e6 * used[1] / max(1, pushes), pushes, 1 if slow else load.connections
    )


def _wrk(lab: Lab, server: Server, load: Load, seconds: float) -> tuple[int, float]:
    lab.program("wrk", "wrk")
    with tempfile.TemporaryDirectory() as directory:
        variants = min(VARIANTS, SAMPLES_AT_HAND // load.samples)
        bodies = FRESH_BODY if load.fresh else SAME_BODIES % variants
        Path(directory, "push.lua").write_text(bodies + REQUEST)
        for variant in range(variants):
            Path(directory, str(variant + 1)).write_bytes(body(load.samples, variant))
        environ = {
            "BENCH_DIR": "DIR",
            "BENCH_GROUPS": str(load.groups),
            "BENCH_METHOD": server.method,
            "BENCH_BASE": server.base,
            "BENCH_CONNECTION": "close" if load.new_connections else "keep-alive",
        }
        command = ["wrk", "-t1", f"-c{load.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s"]
        places = {"PORT": str(server.port), "DIR": directory}
        output = lab.run([*command, "-s", "DIR/push.lua", "http://127.0.0.1:PORT"], places, environ)
    if "Non-2xx" in output:
        sys.exit(output)
    done, rate = re.search(r"(\d+) requests in", output), re.search(r"Requests/sec:\s+([\d.]+)", output)
    if done is None or rate is None:
        sys.exit(f"wrk said nothing of requests: {output}")
    return int(done[1]), float(rate[1])


def _time_of_one(server: Server, load: Load) -> float:
    begun = time.perf_counter()
    _push(server, load, 0)
    return time.perf_counter() - begun


def _one_by_one(server: Server, load: Load, seconds: float) -> tuple[int, float]:
    """At least two pushes, however long they take."""
    begun, pushes = time.perf_counter(), 0
    while pushes < 2 or time.perf_counter() - begun < seconds:
        pushes += 1
        _push(server, load, pushes)
    return pushes, pushes / (time.perf_counter() - begun)


def _push(server: Server, load: Load, number: int) -> None:
    try:
        sender = Sender(server.port, server.method, server.base)
        sender.push([number * 7 % load.groups], samples=load.samples, variant=number % VARIANTS)
        sender.close()
    except OSError as error:
        sys.exit(f"a push failed: {error}")
