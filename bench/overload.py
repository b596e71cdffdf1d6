"""What becomes of a gateway that is pushed to ten times as much as it can do, for a minute?

Redis is stopped for nine tenths of the time meanwhile, and a crowd of clients, more than may wait, pushes without end
and comes back a second after a refusal, as Retry-After says. Before and after it a few clients push to the same
gateway (one worker). Latencies are told as multiples of those before.

    .venv/bin/python bench/overload.py [SECONDS [CLIENTS]]
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "support"))  # the crowd is that of the tests

from client import HOST  # noqa: E402
from crowd import Crowd, allow_clients, braked  # noqa: E402
from held import memory_of  # noqa: E402
from servers import Program, RedisServer, Server, pgw_command, unused_port  # noqa: E402

FEW = 32
QUIET_SECONDS = 5.0


def main(seconds: float, clients: int) -> None:
    """Print the table."""
    if not allow_clients(clients):
        sys.exit(f"this process may not have {clients} connections: ulimit -Hn")
    print(
        "| phase | clients | pushes/s | refused with 503/s | no answer | median latency | memory of the worker, MiB |"
    )
    print("|---|---|---|---|---|---|---|")
    with running() as (server, redis):
        before = phase("before", server, FEW, QUIET_SECONDS, 0.0)
        with braked(redis.program, seconds):
            phase("overload", server, clients, seconds, before)
        phase("after", server, FEW, QUIET_SECONDS, before)


def phase(name: str, server: Server, clients: int, seconds: float, before: float) -> float:
    """Push for so long and print a row; the median latency in seconds."""
    memory: list[int] = []
    crowd = Crowd((HOST, server.port), clients)
    crowd.push_for(seconds, lambda: memory.append(memory_of(server) >> 20))
    strange = {status: count for status, count in crowd.statuses.items() if status not in (200, 503, 0)}
    if strange or crowd.curt:
        sys.exit(f"other answers: {strange}, 503 without Retry-After: {crowd.curt}")
    rates = [crowd.statuses[status] / seconds for status in (200, 503)]
    latency = f"{crowd.median * 1000:,.1f} ms" + (f" ({crowd.median / before:,.2f} times)" if before else "")
    seen = " ".join(str(memory[len(memory) * part // 8]) for part in range(8)) if len(memory) >= 8 else str(memory)
    columns = (name, clients, f"{rates[0]:,.0f}", f"{rates[1]:,.0f}", crowd.statuses[0], latency, seen)
    print(f"| {' | '.join(map(str, columns))} |", flush=True)
    return crowd.median


@contextlib.contextmanager
def running() -> Iterator[tuple[Server, RedisServer]]:
    """A Redis with an append-only file, and a gateway with one worker on it."""
    with tempfile.TemporaryDirectory(prefix="pgw-bench-") as directory:
        place = Path(directory)
        redis = RedisServer(place, "--appendonly", "yes")
        (place / "gateway").mkdir()
        port = unused_port()
        flags = (f"--web.listen-address={HOST}:{port}", "--workers=1", f"--redis.url={redis.tcp_url}")
        server = Server(Program([*pgw_command(), *flags, "--log.level=error"], place / "gateway"), port)
        try:
            redis.start()
            server.start()
            yield server, redis
        finally:
            server.destroy()
            redis.program.kill_session()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, int(sys.argv[2]) if len(sys.argv) > 2 else 5000)
