"""What does a push of 10 samples in 2 families cost Redis, in HSETs of this machine?

Processor time of Redis for each push while wrk saturates the gateway, beside what `redis-benchmark -P 16 -t hset` gets
out of the same redis-server with the same settings. The product of the two is the cost of a push in HSETs; 40 µs where
redis-benchmark does 300,000/s are 12. Rounds alternate.

    python bench/redis_cpu.py [smoke|quick|full]
"""

from typing import NamedTuple

from closed_loop import Load, saturate
from lab import Lab, Server
from processes import cpu_seconds
from question import Findings, Plot, Question, Size
from spread import shown

COLUMNS = (
    "groups",
    "connections",
    "Redis CPU, µs a push: median (least..most)",
    "redis-benchmark HSET/s",
    "Redis CPU, µs an HSET",
    "a push in HSETs, by rate: measured",
    "wanted",
)
WANTED = 12
"""40 µs at 300,000 HSETs a second."""


class Plan(NamedTuple):
    """How much of it."""

    groups: tuple[int, ...]
    connections: tuple[int, ...]
    seconds: float
    rounds: int
    sets: int


class Found(NamedTuple):
    """The figures of each round."""

    push_us: list[float]
    sets_per_second: list[float]
    set_us: list[float]


def measure(lab: Lab, plan: Plan) -> Findings:
    """Measure with each number of groups, and of connections: pushes that are under way together share a script."""
    found: dict[tuple[int, int], Found] = {}
    for groups in plan.groups:
        with lab.pgw(groups) as server:
            for connections in plan.connections:
                found[groups, connections] = measure_with(lab, server, Load(groups, connections=connections), plan)
    rows = [row_of(*case, each) for case, each in found.items()]
    curve = {f"{groups:,} groups, {connections}": max(each.push_us) for (groups, connections), each in found.items()}
    plot = Plot("", "microseconds of Redis for a push (the most of all rounds), by connections", bars=curve)
    raw = [{"groups": case[0], "connections": case[1], **each._asdict()} for case, each in found.items()]
    return Findings(COLUMNS, rows, plot, raw)


def measure_with(lab: Lab, server: Server, load: Load, plan: Plan) -> Found:
    """All rounds under one load."""
    found = Found([], [], [])
    for _ in range(plan.rounds):
        found.push_us.append(saturate(lab, server, load, plan.seconds).redis_us)
        rate, microseconds = hset(lab, server, plan.sets)
        found.sets_per_second.append(rate)
        found.set_us.append(microseconds)
    return found


def hset(lab: Lab, server: Server, count: int) -> tuple[float, float]:
    """HSETs a second by redis-benchmark, and microseconds of Redis for each."""
    program = lab.program("redis-benchmark", "redis-tools")
    redis = server.redis()
    before = cpu_seconds(redis)
    command = [program, "-s", "DIR/data/redis.sock", "-P", "16", "-t", "hset", "-n", str(count), "--csv"]
    output = lab.run(command, {"DIR": str(server.directory)})
    used = cpu_seconds(redis) - before
    line = next(line for line in output.splitlines() if line.startswith('"HSET"'))
    return float(line.split(",")[1].strip('"')), 1e6 * used / count


def row_of(groups: int, connections: int, found: Found) -> list[str]:
    """One row."""
    in_sets = [push * rate / 1e6 for push, rate in zip(found.push_us, found.sets_per_second, strict=True)]
    return [
        f"{groups:,}",
        str(connections),
        shown(found.push_us),
        shown(found.sets_per_second),
        shown(found.set_us),
        shown(in_sets),
        f"<= {WANTED}",
    ]


QUESTION = Question(
    "redis_cpu",
    "Redis CPU for a push of 10 samples in 2 families, in HSETs",
    {
        Size.SMOKE: Plan((1,), (16,), 1, 1, 10_000),
        Size.QUICK: Plan((1, 1_000), (16, 64), 3, 3, 500_000),
        Size.FULL: Plan((1, 1_000), (16, 64), 8, 5, 2_000_000),
    },
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
