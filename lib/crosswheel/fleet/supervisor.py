"""Carries out an order on a worker: a thin supervisor whose child does the work.

A task of dask cannot be stopped, and a killed worker leaves the children of its tasks. So the work is done by a process
that ends with the worker (PR_SET_PDEATHSIG), and the supervisor looks twice a second whether the task is still wanted.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosswheel.errors import CrosswheelError, SourceError
from crosswheel.fleet.child import EVENTS, ORDER, OUTPUT, RESULT
from crosswheel.fleet.order import Delivery
from crosswheel.fleet.wire import plain
from crosswheel.model.job import Failure, deaf
from crosswheel.pipeline.source import fetch
from crosswheel.system.hashes import sha256_of
from crosswheel.system.local_host import local_host
from crosswheel.system.process import Attached, log_tail, start_attached
from crosswheel.system.scratch import temporary_folder

_LOOK = 0.5  # seconds between two looks at the task
_GRACE = 1.5  # seconds for a cancelled build to remove its containers
_BATCH = 64 * 1024  # bytes of a log that travel at a time

WORKER_OPTIONS = "CROSSWHEEL_WORKER_OPTIONS"
"""The environment variable with the options of `crosswheel worker` for its jobs, as JSON."""

Tell = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Supervisor:
    """`wanted` says whether the order is still wanted; `tell` hears of the progress, in batches."""

    wanted: Callable[[], bool]
    tell: Tell
    options: Mapping[str, Any]
    worker: str = ""

    def carry_out(self, order: Mapping[str, Any], source: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The delivery as plain data, and the files by name. Every failure is a value."""
        with temporary_folder() as folder:
            _write(folder, {**order, "keywords": {**order["keywords"], **self.options}}, source)
            if order["public"] and not _fetched(order, folder):
                return plain(Delivery(worker=self.worker, lacks_source=True)), {}
            if sha256_of(folder / order["sdist"]) != order["sha256"]:
                broken = SourceError(f"{order['sdist']} did not arrive as it was sent", hint="the same command again")
                return plain(self._failed(broken, folder)), {}
            child = start_attached(
                [sys.executable, "-m", "crosswheel.fleet.child", str(folder), str(os.getpid())],
                folder / "child.log",
                env=_environ(order),
                cwd=folder,
            )
            if not self._watched(child, folder):
                return plain(Delivery(worker=self.worker)), {}
            return self._result(child, folder)

    def _watched(self, child: Attached, folder: Path) -> bool:
        """Wait for the child, and tell of its progress; False if the order is not wanted any more."""
        progress = Progress(folder)
        try:
            while not child.wait(_LOOK):
                if not self.wanted():
                    return False
                for batch in progress.batches():
                    self.tell(batch)
        finally:
            child.end(_GRACE)
        for batch in progress.batches():
            self.tell(batch)
        return True

    def _result(self, child: Attached, folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
        result = folder / RESULT
        if not result.is_file():
            said = "\n".join(log_tail(folder / "child.log", 20))
            lost = CrosswheelError(f"the process of the order ended with {child.ending}\n{said}".strip())
            return plain(self._failed(lost, folder)), {}
        delivery = json.loads(result.read_text("utf-8"))
        files = {str(path.relative_to(folder / OUTPUT)): path.read_bytes() for path in _delivered(folder / OUTPUT)}
        return {**delivery, "worker": self.worker}, files

    def _failed(self, error: CrosswheelError, folder: Path) -> Delivery:
        failure = Failure(type(error).__name__, error.exit_code, "open", error.message, error.hint)
        return Delivery(failure=failure, folder=str(folder / OUTPUT), worker=self.worker)


@dataclass
class Progress:
    """What the child has written since the last look: events, and the ends of logs."""

    folder: Path
    _read: dict[Path, int] | None = None

    def batches(self) -> Iterator[Mapping[str, Any]]:
        lines = self._new(self.folder / EVENTS).splitlines()
        if lines:
            yield {"events": [json.loads(line) for line in lines]}
        for log in sorted((self.folder / OUTPUT / "logs").glob("*.log")):
            if text := self._new(log):
                yield {"log": log.name, "text": text}

    def _new(self, path: Path) -> str:
        """The whole lines that were added, at most the last 64 KiB."""
        seen = self._read = self._read or {}
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            file.seek(seen.get(path, 0))
            added = file.read()
        end = added.rfind(b"\n") + 1
        seen[path] = seen.get(path, 0) + end
        return added[:end][-_BATCH if path.suffix == ".log" else 0 :].decode("utf-8", "replace")


def run_order(order: Mapping[str, Any], source: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The task that dask runs in a thread of a worker: see `Supervisor.carry_out`."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state == "executing" and str(worker.status.name) == "running"

    def tell(batch: Mapping[str, Any]) -> None:
        worker.log_event(order["topic"], {"key": key, **batch})

    tell({"started": worker.address})
    options = json.loads(os.environ.get(WORKER_OPTIONS, "{}"))
    return Supervisor(wanted, tell, options, str(worker.name)).carry_out(order, source)


def _write(folder: Path, order: Mapping[str, Any], source: bytes) -> None:
    (folder / order["sdist"]).write_bytes(source)
    (folder / ORDER).write_text(json.dumps(order), "utf-8")


def _fetched(order: Mapping[str, Any], folder: Path) -> bool:
    """Whether the worker's own index has the public sdist with exactly these bytes; then it is in the folder."""
    try:
        sdist = fetch(order["public"], local_host(offline=False, listener=deaf), folder, deaf)
    except (CrosswheelError, OSError):
        return False
    if sdist.sha256 != order["sha256"]:
        return False
    shutil.copyfile(sdist.path, folder / order["sdist"])
    return True


def _environ(order: Mapping[str, Any]) -> dict[str, str]:
    """The worker's own environment, with the date of the source, and without a scheduler to go on to."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CROSSWHEEL_SCHEDULER")}
    return {**environ, "SOURCE_DATE_EPOCH": str(order["epoch"])}


def _delivered(output: Path) -> list[Path]:
    """Wheels, rejected wheels and logs; not report.json, which the client writes, nor the sdist, which it has."""
    return [path for pattern in ("*.whl", "rejected/*.whl", "logs/*.log") for path in sorted(output.glob(pattern))]
