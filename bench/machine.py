"""What a run was made with: the commit, the machine, the versions of everything that takes part.

In: nothing.
Out: words for the report.
"""

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("falcon", "gunicorn", "gunicorn_h1c", "hiredis", "msgpack", "prometheus-client", "redis", "uvloop")
PROGRAMS = {
    "redis-server": "--version",
    "prometheus-pushgateway": "--version",
    "victoria-metrics": "-version",
    "wrk": "-v",
    "redis-benchmark": "--version",
}


def commit() -> str:
    """The commit of the code, and whether it was changed since."""
    described = _output("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    return described or "unknown"


def machine() -> dict[str, str]:
    """The processor, how many this process may use, the memory and the kernel."""
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / (1 << 20):.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def versions() -> dict[str, str]:
    """The versions of Python, of the packages that take part in a push, and of the programs.

    Of Python also where it is from: one that was compiled without optimization takes up to 1.6 times as long.
    """
    found = {"Python": f"{platform.python_version()} of {sys.base_prefix}"} | {
        package: version(package) for package in PACKAGES
    }
    for program, flag in PROGRAMS.items():
        said = _output(program, flag) if shutil.which(program) else "not installed"
        found[program] = said.splitlines()[0][:100] if said else _packaged(program)
    return found


def _packaged(program: str) -> str:
    """The version of Debian's package, for a program that does not say its own."""
    return _output("dpkg-query", "-W", "-f=${Version}", program) if shutil.which("dpkg-query") else "unknown"


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
