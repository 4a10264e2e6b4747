"""The wheels of an sdist: by crosswheel for AArch64, and for this machine by its authors or by pip."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import crosswheel
from corpus.commands import Failed, run

LIMIT = 600.0  # seconds of one build
MINOR = 11  # the CPython that this machine and tests/arm.py have
_REFUSALS = (3, 6, 13)  # docs/exit-codes.md: nothing to do, a tool is missing, no engine is available
_LACKING = ("MissingTool", "ImageUnavailable", "EngineUnavailable")  # failures of a job before it builds


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
    """Build with the pip of `python`, without what earlier builds have left. Raises Failed if it takes too long."""
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
        if failed.stopped:
            raise
        return Build(0.0, failed="\n".join((str(failed), *failed.tail)))
    (wheel,) = wheels.glob("*.whl")
    return Build(seconds, wheel)


def published_wheel(requirement: str, folder: Path, python: Path) -> Path | None:
    """The project's own wheel for this machine, from the index; None if there is none."""
    command: list[str | Path] = [python, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    try:
        run([*command, "--dest", folder / "wheels", requirement], folder / "download.log", limit=LIMIT)
    except Failed:
        return None
    return next((folder / "wheels").glob("*.whl"), None)


def by_crosswheel(requirement: str, folder: Path, sysroot: Path | None = None) -> Build:
    """Build ``NAME==VERSION`` with crosswheel's defaults; --fresh, so that nothing of earlier runs is used.

    `sysroot` has the libraries of Debian 12 that the project links to.
    """
    if sysroot:
        (folder / "pyproject.toml").write_text(_SETTINGS.format(sysroot=sysroot))
    wheels = folder / "wheelhouse"
    command: list[str | Path] = [*crosswheel_command(), "wheels", requirement]
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


def crosswheel_command() -> tuple[str, ...]:
    """The words that start the crosswheel that is imported here, which another may be that is installed.

    PYTHONPATH would reach the builds too.
    """
    sources = Path(crosswheel.__file__).parents[1]
    program = f"import sys; sys.path.insert(0, {str(sources)!r}); from crosswheel.tasks import main; main()"
    return sys.executable, "-c", program


def _of_job(job: Mapping[str, Any]) -> Build:
    found = tuple(f"{finding['rule']}: {finding['message']}" for finding in job["findings"])
    failed = _words(job["failure"]) if job["failure"] else ""
    wheel = Path(job["wheel"]["path"]) if job["wheel"] and not failed else None
    runtime = "the image" if job["image"] else "Zig"
    refused = bool(job["failure"]) and job["failure"]["kind"] in _LACKING
    return Build(job["seconds"] or 0.0, wheel, job["engine"] or "", runtime, failed, refused, found)


def _words(failure: Mapping[str, Any]) -> str:
    return "\n".join(filter(None, (failure["kind"], failure["message"], failure.get("hint", ""))))
