"""Documents for the page: with everything in them, with hostile texts everywhere, and with very many jobs."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from crosswheel.model.job import Artifact, EarlierRun, Failure, Finding, LeftOut, Outcome, Plan, Report, Sdist, StepTime
from crosswheel.model.targets import parse_target
from crosswheel.reporting.document import Document, report_document
from report_samples import make_job

BEGAN = 1_780_000_000.0
# Markup, a script in an address, a template, quotes, control characters, and letters that turn or hide what follows.
HOSTILE = (
    "</script></style></title></textarea>--><img src=x onerror='alert(1)'><svg onload=alert(2)>{{ 7 * 7 }}{% raw %}"
    '" onmouseover="alert(3)" \'&lt; javascript:alert(4) \x1b[31m\x00\x07\r\u202e\u2066\u200b\ufeff##[add-mask]x'
)
# Keys whose values are words of the schema; a document with others is not valid.
_WORDS = {
    "schema", "kind", "status", "level", "state", "started", "released", "committed", "arch", "policy", "python",
    "sha256", "cell", "cells", "commit", "ok",
}  # fmt: skip


def outcome(target: str, began: float, *, build: float = 9.0, test: float = 3.0, **given: Any) -> Outcome:
    """A job that began so many seconds after the run, with its steps."""
    at, steps = BEGAN + began + 0.4, []
    for name, seconds in (("build", build), ("repair", 0.4), ("audit", 0.2), ("test", test)):
        if seconds:
            steps.append(StepTime(name, seconds, at, seconds * 1.25))
            at += seconds
    tag = f"{target.partition('-')[0]}-{target.partition('-')[0]}-manylinux_2_17_aarch64.manylinux2014_aarch64"
    made: dict[str, Any] = {
        "wheel": Artifact(
            Path("wheelhouse", f"demo-1.0-{tag}.whl"), 1_258_291, target.encode().hex().ljust(64, "0")[:64], tag
        ),
        "tested_how": "in namespaces of this machine, under QEMU" if test else "",
        "untested": "" if test else f"quay.io/pypa/manylinux2014_aarch64@sha256:{'ec44' * 16} is not available",
        "log": Path("wheelhouse/logs", f"{target}.log"),
        "started": BEGAN + began,
        "ended": at + 0.1,
        "cpu_seconds": at - BEGAN - began,
    }
    job = make_job(target, given.pop("engine", "cross"), "3.12.9", refused="this machine is x86_64")
    return Outcome(job, given.pop("status", "built"), steps=tuple(steps), **{**made, **given})


def failed(target: str, began: float, *, lines: int = 120, width: int = 40) -> Outcome:
    failure = Failure(
        "BuildFailed",
        7,
        "build",
        "the header zlib.h was not found (python _in_process.py build_wheel failed with exit code 1)\nuses_zlib.c:2:10",
        "--engine accelerated, whose image may have it",
        tuple(f"{number:>{width}}" for number in range(lines)),
        "missing header",
    )
    return outcome(target, began, build=4.0, test=0.0, status="failed", wheel=None, failure=failure)


def report(*outcomes: Outcome, earlier: tuple[EarlierRun, ...] = ()) -> Document:
    sdist = Sdist(Path("dist/demo-1.0.tar.gz"), "demo", "1.0", "fedcba9876543210" * 4, ">=3.10")
    left_out = LeftOut("cp314", "no such CPython on this machine", "uv python install 3.14", asked_for=True)
    plan = Plan("demo-1.0.tar.gz", tuple(each.job for each in outcomes), (left_out,))
    seconds = max((each.ended or BEGAN) - BEGAN for each in outcomes) + 0.5
    return report_document(Report(plan, outcomes, sdist, BEGAN, seconds, earlier))


def full_report() -> Document:
    """Two lanes, two platforms; a job waits for another one, one fails, one is not tested; findings; earlier runs."""
    warning = Finding(
        "W302", "warning", "An extension has a plain name.", "demo/_core.so", "_core.so", "a tag", "name it"
    )
    off = Finding("W503", "note", "Two members differ in case only.", "demo/A", ignored="our users have no such disks")
    return report(
        outcome("cp310-manylinux2014_aarch64", 1.0, findings=(warning,)),
        outcome("cp311-manylinux2014_aarch64", 1.1, build=7.0, findings=(warning, off)),
        outcome("cp312-manylinux2014_aarch64", 14.2, waits_for=(parse_target("cp310-manylinux2014_aarch64"),)),
        failed("cp313-manylinux2014_aarch64", 12.4),
        outcome("cp310-musllinux_1_2_aarch64", 17.0, test=0.0, engine="accelerated", worker="arm1"),
        earlier=tuple(
            EarlierRun(f"2026-05-{day}T08:00:00+00:00", "0.9", 5, 5, 0, 5, 5_000_000 + day, 30.0 + day)
            for day in (20, 19)
        ),
    )


def emulated_before() -> Document:
    """An older run of two of the same targets, under emulation."""
    older = report(
        outcome("cp310-manylinux2014_aarch64", 1.0, build=70.0, engine="emulated"),
        outcome("cp311-manylinux2014_aarch64", 2.0, build=60.0, engine="emulated"),
    )
    return {**older, "started": "2026-04-01T08:00:00+00:00"}


def many_jobs(count: int) -> Document:
    """As many jobs as a large tree has; every third failed, with the end of its log."""
    arches = ("aarch64", "armv7l", "i686", "ppc64le", "riscv64", "s390x", "x86_64")
    policies = [f"manylinux_2_{minor}" for minor in (17, 24, 26, 27, 28, 31, *range(34, 42))]
    platforms = [f"{policy}_{arch}" for policy in (*policies, "musllinux_1_1", "musllinux_1_2") for arch in arches]
    pythons = ("cp39", "cp310", "cp311", "cp312", "cp313", "cp313t", "cp314", "cp314t", "cp315", "cp315t")
    jobs = []
    for number, (python, platform) in zip(range(count), product(pythons, platforms)):  # noqa: B905 - some of them
        target = f"{python}-{platform}"
        began = number // 16 * 20 + number % 16 * 0.3
        jobs.append(failed(target, began, lines=100, width=90) if number % 3 == 0 else outcome(target, began))
    return report(*jobs)


def readiness() -> Document:
    """A tree of five packages: one to build, one impossible."""
    cells = [f"{python}-{platform}" for platform in _PLATFORMS for python in ("cp312", "cp313")]
    return {
        "schema": 1,
        "kind": "readiness",
        "crosswheel": "0.1.0",
        "trees": [
            {
                "named": "requirements.txt",
                "cells": cells,
                "packages": [_package(name, cell) for name in _PACKAGES for cell in cells],
                "unsolved": [],
                "advice": [{"cell": cells[2], "pins": {"lxml": "6.1"}, "reason": None}],
                "totals": {"verdicts": 20, "missing": 4, "impossible": 2, "left_out": 0},
            }
        ],
    }


_PLATFORMS = ("manylinux_2_34_aarch64", "musllinux_1_2_aarch64")
_PACKAGES = {"numpy": "wheel", "six": "pure", "lxml": "to build", "tensorflow": "impossible", "cffi": "wheel"}


def _package(name: str, cell: str) -> Document:
    lacking = "musllinux" in cell and _PACKAGES[name] in {"to build", "impossible"}
    return {
        "name": name,
        "version": "6.0",
        "cell": cell,
        "state": _PACKAGES[name] if lacking or _PACKAGES[name] == "pure" else "wheel",
        "file": None,
        "reason": "it has no sdist" if lacking and _PACKAGES[name] == "impossible" else None,
        "required_by": ["demo"],
        "newest_with_wheel": "6.1" if lacking and name == "lxml" else None,
        "missing_elsewhere_too": False,
    }


def release(version: str = "1.0", *, month: int = 5, ok: bool = True) -> Document:
    difference = {"subject": "demo-1.0.tar.gz", "what": "missing", "found": "", "expected": "the sdist"}
    return {
        "schema": 1,
        "kind": "release",
        "crosswheel": "0.1.0",
        "name": "demo",
        "version": version,
        "tag": f"v{version}",
        "commit": "ab" * 20,
        "committed": "2026-05-28T10:00:00+00:00",
        "released": f"2026-{month:02}-29T10:00:00+00:00",
        "changelog": {"file": "CHANGELOG.md", "title": version, "text": "- faster\n- smaller"},
        "tools": {"crosswheel": "0.1.0", "python": "3.12.9", "twine": "7.0", "pip": "25.0", "auditwheel": "6.8"},
        "files": [
            {"file": "demo-1.0.tar.gz", "kind": "sdist", "size": 9, "sha256": "ab" * 32, "tag": None, "builds": []}
        ],
        "indexes": [
            {
                "name": "testpypi",
                "upload_url": "https://upload.example/legacy/",
                "simple_url": "https://index.example/simple/",
                "ok": ok,
                "files": [],
                "targets": [{"target": "cp312-manylinux2014_aarch64", "file": "demo-1.0.whl"}],
                "differences": [] if ok else [difference],
                "fetched": "",
                "seconds": 1.5,
            }
        ],
        "totals": {"files": 1, "bytes": 9, "targets": 1, "tested": 1},
    }


def hostile(document: Document) -> Document:
    """The document with hostile texts wherever the schema allows any text."""
    return {key: value if key in _WORDS else _hostile(value) for key, value in document.items()}


def _hostile(value: Any) -> Any:
    if isinstance(value, str):
        return value + HOSTILE
    if isinstance(value, list):
        return [_hostile(each) for each in value]
    return hostile(value) if isinstance(value, dict) else value
