"""Plans and reports as JSON documents; `docs/report.schema.json` describes them."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeAlias

from crosswheel import __version__
from crosswheel.errors import CrosswheelError, DiskFull, UsageError
from crosswheel.model.job import Artifact, Failure, Job, Outcome, Plan, Report, Sdist, StepTime
from crosswheel.reporting.adoption import adoption_document
from crosswheel.reporting.tally import tally, tested

SCHEMA = 1
REPORT_SCHEMA = 2
"""Of plans and reports. Since 2 a report has the times of jobs and steps, and what jobs waited for."""

Document: TypeAlias = dict[str, Any]


def plan_document(plan: Plan) -> Document:
    """The plan as JSON; its jobs have the same shape in the report, where outcomes are added."""
    return {
        **_heading("plan", plan),
        "jobs": [{**_job(job), "untested": job.untested, "expected_seconds": job.seconds} for job in plan.jobs],
        "matrix": _matrix(plan),
        "expected_seconds": plan.seconds,
        "left_out": _left_out(plan),
        **adoption_document(plan),
        "totals": {"jobs": len(plan.jobs), "left_out": len(plan.left_out)},
    }


def _matrix(plan: Plan) -> Document:
    """The jobs as a matrix for CI systems: one row for each engine and architecture, with its Pythons."""
    rows: dict[tuple[str, str], list[str]] = {}
    for job in plan.jobs:
        pythons = rows.setdefault((str(job.target.arch), job.engine), [])
        if (python := str(job.target.python)) not in pythons:
            pythons.append(python)
    return {
        "include": [{"arch": arch, "engine": engine, "python": pythons} for (arch, engine), pythons in rows.items()]
    }


def report_document(report: Report) -> Document:
    """The outcome of every job in the order of the plan; unfinished jobs come last."""
    unfinished = tally(report).unfinished
    return {
        **_heading("report", report.plan),
        "started": datetime.fromtimestamp(report.started, timezone.utc).isoformat(timespec="seconds"),
        "seconds": _seconds(report.seconds),
        "sdist": _sdist(report.sdist) if report.sdist else None,
        "jobs": [
            *(_outcome(outcome, report.started) for outcome in report.outcomes),
            *(_unfinished(job) for job in unfinished),
        ],
        "left_out": _left_out(report.plan),
        **adoption_document(report.plan),
        "totals": _totals(report),
        "earlier": [asdict(run) for run in report.earlier],
    }


def write_json(path: Path, document: Document) -> None:
    """Write the document to `path` completely, or leave the old file as it was.

    Control characters and `##[command]` are written as JSON escapes: printing the file is safe, and parsing it gives
    the original texts. Raises UsageError, or DiskFull, when the file cannot be written.
    """
    write_text(path, json_text(document))


def json_text(document: Document) -> str:
    """The document as `write_json` writes it."""
    text = json.dumps(document, indent=2, ensure_ascii=False).replace("##", r"#\u0023")
    return _NOT_ASCII.sub(_escaped, text) + "\n"


_NOT_ASCII = re.compile(r"[^\n -~]")


def _escaped(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]


def write_text(path: Path, text: str) -> None:
    """Write text to `path` completely, or leave the old file as it was. Raises UsageError, or DiskFull."""
    # A byte that is not UTF-8 (in a file name) becomes \udcXX, which is an escape of JSON too.
    content = text.encode("utf-8", "backslashreplace")
    if path.exists() and not (path.is_file() or path.is_dir()):
        _feed(path, content)
        return
    draft = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    try:
        try:
            draft.write_bytes(content)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _feed(path: Path, content: bytes) -> None:
    """Write into a device or a pipe, which must not be replaced by a file."""
    try:
        # Without O_NONBLOCK, opening a pipe without a reader would wait for ever.
        number = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(number, True)
        with open(number, "wb") as file:  # noqa: PTH123
            file.write(content)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> CrosswheelError:
    message = f"cannot write {path}: {error.strerror}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(message, hint="df -h")
    hint = f"mkdir -p {path.parent}" if error.errno == errno.ENOENT else ""
    return UsageError(message, hint=hint)


def _heading(kind: str, plan: Plan) -> Document:
    return {"schema": REPORT_SCHEMA, "kind": kind, "crosswheel": __version__, "source": plan.source}


def _job(job: Job) -> Document:
    target, interpreter = job.target, job.interpreter
    return {
        "target": str(target),
        "python": str(target.python),
        "arch": str(target.arch),
        "policy": str(target.policy),
        "engine": job.engine,
        "image": job.image or None,
        "reason": job.reason,
        "refused": [asdict(refusal) for refusal in job.refused],
        "interpreter": {
            "tag": str(interpreter.tag),
            "version": interpreter.version,
            "path": str(interpreter.path),
        }
        if interpreter
        else None,
    }


def _outcome(outcome: Outcome, began: float) -> Document:
    return {
        **_job(outcome.job),
        "status": outcome.status,
        "note": outcome.note,
        "tested": tested(outcome),
        "untested": outcome.untested,
        "tested_before": outcome.tested_before,
        "tested_how": outcome.tested_how,
        "usage": asdict(outcome.usage),
        "wheel": _wheel(outcome.wheel) if outcome.wheel else None,
        "started": _since(began, outcome.started),
        "ended": _since(began, outcome.ended),
        "seconds": _seconds(outcome.seconds),
        "cpu_seconds": _if_known(outcome.cpu_seconds),
        "waits_for": [str(target) for target in outcome.waits_for],
        "worker": outcome.worker or None,
        "steps": [_step(step, began) for step in outcome.steps],
        "findings": [asdict(finding) for finding in outcome.findings],
        "reproducible": outcome.reproducible,
        "differences": [asdict(difference) for difference in outcome.differences],
        "failure": _failure(outcome.failure) if outcome.failure else None,
        "log": str(outcome.log) if outcome.log else None,
    }


def _unfinished(job: Job) -> Document:
    """An unfinished job in the shape of an outcome, so that readers handle one shape only."""
    return {**_outcome(Outcome(job=job, status="cancelled"), 0.0), "status": "unfinished"}


def _step(step: StepTime, began: float) -> Document:
    return {
        "step": step.step,
        "started": _since(began, step.started),
        "seconds": _seconds(step.seconds),
        "cpu_seconds": _if_known(step.cpu_seconds),
    }


def _wheel(wheel: Artifact) -> Document:
    return {
        "file": wheel.path.name,
        "path": str(wheel.path),
        "size": wheel.size,
        "sha256": wheel.sha256,
        "tag": wheel.tag,
    }


def _sdist(sdist: Sdist) -> Document:
    return {
        "name": sdist.name,
        "version": sdist.version,
        "file": sdist.path.name,
        "path": str(sdist.path),
        "sha256": sdist.sha256,
        "requires_python": sdist.requires_python,
        "epoch": sdist.epoch,
        "content": sdist.content,
    }


def _failure(failure: Failure) -> Document:
    return {**asdict(failure), "log_tail": list(failure.log_tail)}


def _left_out(plan: Plan) -> list[Document]:
    return [asdict(left_out) for left_out in plan.left_out]


def _totals(report: Report) -> Document:
    count = tally(report)
    return {
        "jobs": count.jobs,
        "built": count.built,
        "kept": count.kept,
        "reused": count.reused,
        "pure": count.pure,
        "failed": count.failed,
        "cancelled": count.cancelled,
        "unfinished": len(count.unfinished),
        "untested": len(count.untested),
        "wheels": len(count.wheels),
        "bytes": sum(wheel.size for wheel in count.wheels),
        "hits": count.hits,
        "misses": count.misses,
        "commands": count.commands,
        "by_gcc": count.by_gcc,
        "left_out": len(report.plan.left_out),
    }


def _seconds(value: float) -> float:
    """Seconds rounded to milliseconds."""
    return round(value, 3)


def _if_known(value: float | None) -> float | None:
    return None if value is None else _seconds(value)


def _since(began: float, when: float | None) -> float | None:
    """Seconds from the beginning of the run to a moment, both in seconds since the epoch."""
    return None if when is None else _seconds(when - began)
