"""What processes have used: processor time and memory, from /proc (Linux).

In: process ids.
Out: seconds and bytes.
Never: signals a process.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGESIZE")


def family_of(pid: int) -> dict[int, str]:
    """A process and all below it: process id -> name."""
    parents, names = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            before, _, after = path.read_text().rpartition(")")
        except OSError:  # it has just ended
            continue
        number = int(path.parent.name)
        parents[number] = int(after.split()[1])
        names[number] = before.partition("(")[2]
    found = {pid: names[pid]}
    while more := {each: names[each] for each, parent in parents.items() if parent in found and each not in found}:
        found |= more
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time that processes have used, all threads, user and system, in ticks of 10 ms.

    With that of their children that have ended: Redis writes its file anew in one, which may end at any time.
    """
    return sum(sum(map(int, _fields(pid)[11:15])) for pid in pids) / TICKS


def busy_share(seconds: float) -> float:
    """How much of all processors was busy during so many seconds from now on: from 0 to 1."""
    before = _processors()
    time.sleep(seconds)
    idle, total = (after - then for after, then in zip(_processors(), before, strict=True))
    return 1 - idle / max(1, total)


def resident(pid: int) -> int:
    """Bytes that a process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def _processors() -> tuple[int, int]:
    """Ticks in which processors of this machine had nothing to do, or were taken by other machines; and all ticks."""
    ticks = list(map(int, Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]))
    _user, _nice, _system, idle, waiting, _irq, _softirq, stolen = ticks
    return idle + waiting + stolen, sum(ticks)


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name: the first is the state. None of a process that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
