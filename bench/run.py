"""Ask all questions, or some, and write the report: tables, plots, figures.

In: a size, and names of questions; without any, all.
Out: bench/raw/NAME.json for each that was asked; bench/plots/NAME.svg and bench/RESULTS.md of all that are in
bench/raw.
Never: mixes runs: each section says when, how and with which commit it was made.

    python bench/run.py [smoke|quick|full] [NAME ...]     NAME: push_rate, latency, ...; `report` measures nothing
"""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import ROOT, machine
from plots import draw
from question import Size, table

BENCH = ROOT / "bench"
QUESTIONS = (
    "push_rate",
    "new_connections",
    "large_pushes",
    "latency",
    "scrape",
    "scrape_million",
    "text_reader",
    "redis_cpu",
    "memory",
    "churn",
    "large_api",
)
PREFACE = """# What was measured

Written by `make bench` (bench/run.py); do not edit. Load generator, gateway, Redis and peers share one machine:
figures of another machine are others, so what counts are the ratios, each of which was taken within one run, round by
round. Where there were several rounds, a figure is their median, with the least and the most in brackets. The figures
of all rounds are in [raw/](raw/). Wanted are the targets of the project; what is not met is shown like everything
else.
"""


def main(arguments: list[str]) -> None:
    """Measure what is asked for and write the report."""
    size = Size(arguments[0]) if arguments else Size.QUICK
    names = arguments[1:] or QUESTIONS
    (BENCH / "raw").mkdir(exist_ok=True)
    (BENCH / "plots").mkdir(exist_ok=True)
    for name in names:
        if name in QUESTIONS:
            ask(name, size)
        elif name != "report":
            sys.exit(f"{name} is none of {', '.join(QUESTIONS)}")
    reports = [json.loads(path.read_text()) for path in map(raw_path, QUESTIONS) if path.exists()]
    for report in reports:
        draw(report, BENCH / "plots" / f"{report['name']}.svg")
    (BENCH / "RESULTS.md").write_text("\n".join([PREFACE, *map(section, reports)]))


def ask(name: str, size: Size) -> None:
    """Run one question in a process of its own, so that nothing is left from the one before."""
    print(f"== {name}, {size}", flush=True)
    before, path = machine(), raw_path(name)
    made = path.with_suffix(".new")
    subprocess.run([sys.executable, str(BENCH / f"{name}.py"), size, "--json", str(made)], check=True, cwd=ROOT)
    path.write_text(json.dumps(json.loads(made.read_text()) | {"machine": before}, indent=1) + "\n")
    made.unlink()


def raw_path(name: str) -> Path:
    """Where the figures of a question are kept."""
    return BENCH / "raw" / f"{name}.json"


def section(report: dict[str, Any]) -> str:
    """What the report says of one question."""
    made = (
        f"`{report['command']}` at commit {report['commit']}, {report['date']}, {report['seconds']} s, {report['plan']}"
    )
    where = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    versions = {name: value if name == "Python" else shown(value) for name, value in report["versions"].items()}
    with_ = "; ".join(f"{name} {version}" for name, version in versions.items())
    commands = "\n".join(report["commands"]) or shlex.join(["python", f"bench/{report['name']}.py", report["size"]])
    return f"""## {report["title"]}

{table(report["columns"], report["rows"])}

![{report["title"]}](plots/{report["name"]}.svg)

<details><summary>How: {made}</summary>

- machine: {where}
- versions: {with_}

```
{commands}
```

</details>
"""


def shown(version: str) -> str:
    """A version, without what the program says around it."""
    words = [word.strip(",") for word in version.removeprefix("wrk ").split() if any(map(str.isdigit, word))]
    return words[0] if words else version


if __name__ == "__main__":
    main(sys.argv[1:])
