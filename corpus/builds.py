"""The two builds of an sdist: by pip for this machine, and by crosswheel for AArch64."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.commands import Failed, run

LIMIT = 600.0  # seconds of one build
MINOR = 11  # the CPython that this machine and tests/arm.py have
_REFUSALS = (3, 6, 13)  # docs/exit-codes.md: nothing to do, a tool is missing, no engine is available


@dataclass(frozen=True)
class Build:
    """`engine` and `runtime` are empty for pip's build; `refused` if crosswheel's plan found no engine that can."""

    seconds: float
    wheel: Path | None = None
    engine: str = ""
    runtime: str = ""
    failed: str = ""
    refused: bool = False
    findings: tuple[str, ...] = ()


_SETTINGS = """\
[tool.crosswheel]
policy = "manylinux_2_36"
sysroot = {{ aarch64 = "{sysroot}" }}
"""


def by_pip(sdist: Path, folder: Path, python: Path) -> Build:
    """Build with the pip of `python`, without what earlier builds have left."""
    wheels = folder / "wheels"
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-cache-dir",
        "--wheel-dir",
        wheels,
        sdist,
    ]
    try:
        seconds = run(command, folder / "pip.log", limit=LIMIT)
    except Failed as failed:
        return Build(0.0, failed="\n".join((str(failed), *failed.tail)))
    (wheel,) = wheels.glob("*.whl")
    return Build(seconds, wheel)


def by_crosswheel(requirement: str, folder: Path, sysroot: Path | None = None) -> Build:
    """Build ``NAME==VERSION`` with crosswheel's defaults; --fresh, so that nothing of earlier runs is used.

    `sysroot` has the libraries of Debian 12 that the project links to.
    """
    if sysroot:
        (folder / "pyproject.toml").write_text(_SETTINGS.format(sysroot=sysroot))
    wheels = folder / "wheelhouse"
    command: list[str | Path] = [sys.executable, "-m", "crosswheel", "wheels", requirement]
    command += ["--arch", "aarch64", "--python", f"cp3{MINOR}", "--fresh"]
    command += ["--output", wheels, "--timeout", f"{LIMIT:.0f}"]
    began, failed = time.perf_counter(), None
    try:
        run(command, folder / "crosswheel.log", limit=LIMIT + 60)
    except Failed as error:
        failed = error
    report = wheels / "report.json"
    jobs = json.loads(report.read_text())["jobs"] if report.is_file() else []
    if jobs:
        return _of_job(jobs[0])
    seconds, refused = time.perf_counter() - began, failed is not None and failed.code in _REFUSALS
    words = "\n".join((str(failed), *failed.tail)) if failed else "no job"
    return Build(seconds, failed=words, refused=refused)


def _of_job(job: Mapping[str, Any]) -> Build:
    found = tuple(f"{finding['rule']}: {finding['message']}" for finding in job["findings"])
    failed = _words(job["failure"]) if job["failure"] else ""
    wheel = Path(job["wheel"]["path"]) if job["wheel"] and not failed else None
    runtime = "the image" if job["image"] else "Zig"
    return Build(job["seconds"] or 0.0, wheel, job["engine"] or "", runtime, failed, findings=found)


def _words(failure: Mapping[str, Any]) -> str:
    return "\n".join(filter(None, (failure["kind"], failure["message"], failure.get("hint", ""))))
