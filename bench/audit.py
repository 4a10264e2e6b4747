"""The audit beside the other tools that check wheels, in one run: who catches what, and how long it takes.

`nox -s bench-audit`; the wheels of the index that time is taken on are fetched once, 537 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import platformdirs
from catches import PROGRAMS, TOOLS, Verdict, verdicts
from measure import Measured, measure

import real_wheels

NUMPY = "numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
# Seconds between two looks at the memory: looking takes a processor that the command would use.
_SELDOM, _OFTEN = 1.0, 0.02
_AUDIT_FAILED = 9


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="crosswheel-bench-") as folder:
        caught = verdicts(Path(folder))
        result = {
            "machine": f"{os.cpu_count()} processors, {platform.machine()}, CPython {platform.python_version()}",
            "corpus": [asdict(verdict) for verdict in caught],
            "speed": _speed(Path(folder), options.repeats),
        }
    _show(caught)
    print(json.dumps(result["speed"], indent=1))
    Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="how often each time is taken; the median counts")
    parser.add_argument("--json", default="bench/audit.json", help="where the numbers go")
    return parser.parse_args()


def _speed(folder: Path, repeats: int) -> dict[str, object]:
    wheels = real_wheels.fetched(platformdirs.user_cache_path("crosswheel-tests", appauthor=False))
    (numpy,) = (wheel for wheel in wheels if wheel.name == NUMPY)
    hundred = wheels[:100]
    audit, show = [str(PROGRAMS / "crosswheel"), "audit"], [str(PROGRAMS / "auditwheel"), "show"]
    commands = {
        "audit": [*audit, str(numpy)],
        "auditwheel show": [*show, str(numpy)],
        "audit of 100": [*audit, *map(str, hundred)],
        "audit of 100, one after another": [*audit, "--jobs", "1", *map(str, hundred)],
    }
    runs = _measured(commands, folder, repeats)
    return {
        "wheel": f"{NUMPY}, {numpy.stat().st_size:,} bytes",
        "100 wheels": f"{sum(wheel.stat().st_size for wheel in hundred):,} bytes",
        "repeats": repeats,
        "runs": {name: {"seconds": run.seconds, "peak": run.peak} for name, run in runs.items()},
        "time of auditwheel show's": runs["audit"].seconds / runs["auditwheel show"].seconds,
        "memory of auditwheel show's": runs["audit"].peak / runs["auditwheel show"].peak,
        "time of 100 of one after another": (
            runs["audit of 100"].seconds / runs["audit of 100, one after another"].seconds
        ),
    }


def _measured(commands: Mapping[str, Sequence[str]], folder: Path, repeats: int) -> dict[str, Measured]:
    """Median times of each, and its memory in a run that is not timed; that run also brings files into memory.

    The commands take turns, so that what else goes on here slows all of them.
    """
    peaks = {name: _run(command, folder, _OFTEN).peak for name, command in commands.items()}
    rounds = [{name: _run(command, folder, _SELDOM) for name, command in commands.items()} for _ in range(repeats)]
    return {name: _middle([runs[name] for runs in rounds], peaks[name]) for name in commands}


def _run(command: Sequence[str], folder: Path, sample: float) -> Measured:
    # An installer makes bytecode; images of containers that forbid it would have each run compile all anew.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return measure(command, env=env, cwd=folder, log=folder / "log", sample=sample, codes={0, _AUDIT_FAILED})


def _middle(runs: Sequence[Measured], peak: int) -> Measured:
    seconds, cpu = statistics.median(run.seconds for run in runs), statistics.median(run.cpu for run in runs)
    return Measured(seconds, cpu, peak)


def _show(caught: Sequence[Verdict]) -> None:
    """The tables of docs/audit-compared.md: by rule, and the compiled wheels one by one."""
    head = f"{' | '.join(TOOLS)} |\n|---|---|{'---|' * len(TOOLS)}"
    print(f"| rule | wheels | {head}")
    for rule in sorted({verdict.rule for verdict in caught}):
        of_rule = [verdict for verdict in caught if verdict.rule == rule]
        counts = (sum(tool in verdict.caught_by for verdict in of_rule) for tool in TOOLS)
        print(f"| {rule} | {len(of_rule)} | {' | '.join(str(count or '') for count in counts)} |")
    totals = (sum(tool in verdict.caught_by for verdict in caught) for tool in TOOLS)
    print(f"| all | {len(caught)} | {' | '.join(map(str, totals))} |\n\n| compiled | rule | {head}")
    for verdict in caught:
        if verdict.compiled:
            marks = ("✔" if tool in verdict.caught_by else "" for tool in TOOLS)
            print(f"| {verdict.what} | {verdict.rule} | {' | '.join(marks)} |")


if __name__ == "__main__":
    main()
