"""The two builds of an sdist: by pip for this machine, and by crosswheel for AArch64."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.commands import Failed, run

LIMIT = 600.0  # seconds of one build
MINOR = 11  # the CPython that this machine and tests/arm.py have
_POLICY = "manylinux2014"


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


def by_crosswheel(sdist: Path, folder: Path) -> Build:
    """Build one wheel with crosswheel's defaults; --fresh, so that nothing of earlier runs is used.

    The policy is the oldest, whichever ones the project's own table of cibuildwheel asks for.
    """
    wheels = folder / "wheelhouse"
    command: list[str | Path] = [sys.executable, "-m", "crosswheel", "wheels", sdist]
    command += ["--arch", "aarch64", "--python", f"cp3{MINOR}", "--policy", _POLICY, "--fresh"]
    command += ["--output", wheels, "--timeout", f"{LIMIT:.0f}"]
    log, failure = folder / "crosswheel.log", None
    try:
        run(command, log, limit=LIMIT + 60)
    except Failed as failed:
        failure = "\n".join((str(failed), *failed.tail))
    report = wheels / "report.json"
    if not report.is_file():
        return Build(0.0, failed=failure or "no report", refused=failure is not None)
    (job,) = json.loads(report.read_text())["jobs"]
    return _told(job, failure)


def _told(job: Mapping[str, Any], failure: str | None) -> Build:
    found = tuple(f"{finding['rule']}: {finding['message']}" for finding in job["findings"])
    wheel = Path(job["wheel"]["path"]) if job["wheel"] and not failure else None
    failed = _words(job["failure"]) if job["failure"] else failure or ""
    runtime = "image" if job["image"] else "Zig"
    refused = job["status"] not in {"built", "failed", "pure"}
    return Build(job["seconds"] or 0.0, wheel, job["engine"] or "", runtime, failed, refused, found)


def _words(failure: Mapping[str, Any]) -> str:
    return "\n".join(filter(None, (failure["kind"], failure["message"], failure.get("hint", ""))))
