"""A run that stops where it is told, so that it can be killed there: ``python killed_run.py FOLDER POINT``.

It builds for three Pythons, one after the other, and stops at the second.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from crosswheel.engines import ENGINES
from crosswheel.model.job import Event, StepStarted
from crosswheel.steps import journal
from crosswheel.steps import wheelhouse as output
from tiny_projects import TARGETS, TinyEngine, Yard

# Where a wheel is half put into the journal, and half into the output folder.
POINTS = {"keeping": (journal, "sha256_of"), "saving": (output, "artifact")}


def main(folder: Path, point: str) -> None:
    def stop() -> None:
        (folder / "notes" / "reached").touch()
        time.sleep(600)

    def stop_before_step(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == point and event.job.target == TARGETS[1]:
            stop()

    if point in POINTS:
        module, name = POINTS[point]
        real = getattr(module, name)

        def stopping(path: Path) -> Any:
            if "cp312" in path.name:
                stop()
            return real(path)

        setattr(module, name, stopping)
    engine = TinyEngine(folder / "notes")
    ENGINES["cross"] = engine  # type: ignore[index]  # this process has no other use for it
    Yard(folder, engine).run("platform", pythons=3, jobs=1, react=stop_before_step).execute()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
