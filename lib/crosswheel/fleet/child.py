"""The process of one order on a worker: ``python -m crosswheel.fleet.child FOLDER PARENT``.

It builds with the public function as any program could, and leaves its result in FOLDER/result.json. It ends with its
parent, and the guardian of its commands ends those.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import crosswheel
from crosswheel.errors import CrosswheelError, explaining
from crosswheel.fleet.order import CONSTRAINTS, Delivery, Made
from crosswheel.fleet.wire import plain
from crosswheel.model.job import Chore, Event, Failure, LeftOut, Note, StepStarted
from crosswheel.steps import MAKE, Step, Work, step
from crosswheel.system.endings import end_with, ending_in_order

OUTPUT, RESULT, EVENTS, ORDER = "out", "result.json", "events", "order.json"


def recorder(made: list[Made]) -> Step[Work]:
    """The last step of each job: it notes what the client's journal is to keep."""

    @step(quiet=True)
    def record(work: Work) -> Work:
        seconds = work.entry.seconds if work.entry else 0.0
        made.append(Made(work.job.target, seconds, work.uncompiled, work.requirements))
        return work

    return record


@dataclass(frozen=True)
class EventWriter:
    """A listener that writes what a distant user wants to hear, a line for each event."""

    file: TextIO

    def __call__(self, event: Event) -> None:
        line: dict[str, Any] | None = None
        if isinstance(event, StepStarted):
            line = {"target": str(event.job.target), "engine": event.job.engine, "step": event.step}
        elif isinstance(event, Note):
            line = {"note": event.text}
        elif isinstance(event, Chore) and event.seconds is None:
            line = {"chore": event.text}
        if line:
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()


def main(folder: Path) -> None:
    order = json.loads((folder / ORDER).read_text("utf-8"))
    with ending_in_order(), (folder / EVENTS).open("a", encoding="utf-8") as events:
        delivery = _carry_out(folder, order, EventWriter(events))
    (folder / RESULT).write_text(json.dumps(plain(delivery)), "utf-8")


def _carry_out(folder: Path, order: dict[str, Any], listener: EventWriter) -> Delivery:
    project, output, made = folder / "project", folder / OUTPUT, list[Made]()
    project.mkdir()
    # With a table of its own, a project's configuration for cibuildwheel is not taken over a second time.
    (project / "pyproject.toml").write_text("[tool.crosswheel]\n")
    try:
        with explaining():
            report = crosswheel.wheels(
                folder / order["sdist"],
                project=project,
                listener=listener,
                steps=MAKE.after("save", recorder(made)),
                output=output,
                jobs=1,
                **_with_constraints(order["keywords"], project),
            )
    except CrosswheelError as error:
        return Delivery(failure=_failure(error), folder=str(output))
    left_out = [_refused(entry) for entry in report.plan.left_out if entry.asked_for]
    return Delivery(report.outcomes, tuple(made), left_out[0] if left_out else None, str(output))


def _with_constraints(keywords: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The keyword arguments, with files in `folder` for the lines of constraints that have travelled."""
    files = {}
    for name in CONSTRAINTS & keywords.keys():
        files[name] = folder / f"{name}.txt"
        files[name].write_text("".join(f"{line}\n" for line in keywords[name]), "utf-8")
    return {**keywords, **files}


def _failure(error: CrosswheelError) -> Failure:
    return Failure(type(error).__name__, error.exit_code, "open", error.message, error.hint, cause=error.cause)


def _refused(entry: LeftOut) -> Failure:
    return _failure(crosswheel.errors.CannotRun(f"{entry.what}: {entry.reason}", hint=entry.hint))


if __name__ == "__main__":
    end_with(int(sys.argv[2]))
    main(Path(sys.argv[1]))
