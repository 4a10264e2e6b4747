"""The journal of built wheels: a wheel is found again by a key of all its inputs.

There is a folder per project below the user's cache, and in it one per key (keys.py):

    PROJECT/KEY/entry.json     what was made, when, and what that took
    PROJECT/KEY/*.whl, log     the wheel as it was after its repair, and how that went
    PROJECT/KEY/tested-KEY     the seconds that it took to pass a test

An entry is written to a temporary folder and renamed, so it is complete or missing, also after a crash and for
parallel runs. The wheel's sha256 detects later damage.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from crosswheel.errors import UsageError
from crosswheel.formats.uncompiled import Uncompiled
from crosswheel.model.job import Job, LaidOver, Listener, Note, Usage
from crosswheel.model.targets import parse_target
from crosswheel.system.hashes import sha256_of
from crosswheel.system.local_host import LocalHost
from crosswheel.system.locks import mark_used, put, remove

_SCHEMA = 1
FOLDER = Path("journal")  # the folder of all journals, in the cache


@dataclass(frozen=True)
class JournalEntry:
    """An entry: `seconds` of wall clock from the opening of the workspace to the repaired wheel, `memory` in bytes."""

    folder: Path
    target: str
    engine: str
    wheel: str
    sha256: str
    when: float
    seconds: float
    memory: int
    uncompiled: tuple[Uncompiled, ...] = ()
    requirements: tuple[LaidOver, ...] = ()

    @property
    def path(self) -> Path:
        return self.folder / self.wheel

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def is_whole(self) -> bool:
        try:
            return self.log.is_file() and sha256_of(self.path) == self.sha256
        except OSError:
            return False

    def passed(self, test: str) -> bool:
        """Whether the wheel has passed exactly this test."""
        return bool(test) and (self.folder / f"tested-{test}").is_file()

    def remember_test(self, test: str, seconds: float, how: str) -> None:
        """Record a passed test; if the entry was trimmed meanwhile, the next run tests again."""
        with suppress(OSError):
            (self.folder / f"tested-{test}").write_text(f"{seconds:.3f}\n{how}\n")

    def tested_how(self, test: str) -> str:
        """Where a passed test ran; empty if an older release recorded it."""
        with suppress(OSError, IndexError):
            return (self.folder / f"tested-{test}").read_text().splitlines()[1]
        return ""

    @property
    def tested_seconds(self) -> float:
        """The time of its longest test."""
        return max((_seconds(path) for path in self.folder.glob("tested-*")), default=0.0)


@dataclass(frozen=True)
class Journal:
    """The entries of one project, in `folder`."""

    folder: Path
    listener: Listener

    def find(self, key: str) -> JournalEntry | None:
        """The entry of a key; a damaged one is removed, so that the wheel is built again."""
        place = self.folder / key
        try:
            seen = place.stat()
        except FileNotFoundError:
            return None
        mark_used(place)
        made = _read(place)
        if made and made.is_whole:
            return made
        if not _is_still(place, seen):
            return None  # another run is replacing or removing it
        self.listener(Note(f"a journal entry is damaged: its wheel is built again: {place.name[:12]}"))
        remove(place)
        return None

    def keep(
        self,
        key: str,
        job: Job,
        wheel: Path,
        log: Path,
        seconds: float,
        usage: Usage,
        uncompiled: tuple[Uncompiled, ...] = (),
        requirements: tuple[LaidOver, ...] = (),
    ) -> JournalEntry | None:
        """Store a repaired wheel, replacing the entry; None and a note if that is not possible."""
        try:
            return self._put(key, job, wheel, log, seconds, usage, uncompiled, requirements)
        except OSError as error:
            self.listener(Note(f"{wheel.name} was not kept for later runs: {error.strerror or error}"))
            return None

    def _put(
        self,
        key: str,
        job: Job,
        wheel: Path,
        log: Path,
        seconds: float,
        usage: Usage,
        uncompiled: tuple[Uncompiled, ...],
        requirements: tuple[LaidOver, ...],
    ) -> JournalEntry:
        self.folder.mkdir(parents=True, exist_ok=True)
        place, draft = self.folder / key, Path(tempfile.mkdtemp(dir=self.folder, prefix=".making-"))
        try:
            shutil.copyfile(wheel, draft / wheel.name)
            shutil.copyfile(log, draft / "log")
            entry = {
                "schema": _SCHEMA,
                "target": str(job.target),
                "engine": job.engine,
                "wheel": wheel.name,
                "sha256": sha256_of(wheel),
                "when": time.time(),
                "seconds": round(seconds, 3),
                "memory": usage.memory,
                "uncompiled": [asdict(each) for each in uncompiled],
                "requirements": [asdict(each) for each in requirements],
            }
            (draft / "entry.json").write_text(json.dumps(entry, indent=1) + "\n")
            put(draft, place)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        made = _read(place)
        # A parallel run may have replaced it: tests passed by that wheel do not count for this one.
        if made is None or made.sha256 != entry["sha256"]:
            raise FileNotFoundError(f"another run has replaced {place}")
        return made

    def history(self) -> Iterator[JournalEntry]:
        """Every entry, in no order."""
        for path in self.folder.glob("*/entry.json"):
            if made := _read(path.parent):
                yield made


def journal_of(project: str, host: LocalHost, listener: Listener) -> Journal:
    """The journal of the project with that normalised name."""
    return Journal(host.cache / FOLDER / project, listener)


def _read(place: Path) -> JournalEntry | None:
    try:
        entry = json.loads((place / "entry.json").read_text("utf-8"))
        wheel = str(entry["wheel"])
        if entry["schema"] != _SCHEMA or Path(wheel).name != wheel:
            return None
        return JournalEntry(
            folder=place,
            target=str(parse_target(entry["target"])),
            engine=str(entry["engine"]),
            wheel=wheel,
            sha256=str(entry["sha256"]),
            when=float(entry["when"]),
            seconds=float(entry["seconds"]),
            memory=int(entry["memory"]),
            uncompiled=tuple(Uncompiled(**each) for each in entry.get("uncompiled", ())),
            requirements=tuple(LaidOver(**each) for each in entry.get("requirements", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UsageError):
        return None


def _is_still(place: Path, seen: os.stat_result) -> bool:
    try:
        return os.path.samestat(place.stat(), seen)
    except FileNotFoundError:
        return False


def _seconds(path: Path) -> float:
    try:
        return float(path.read_text().partition("\n")[0])
    except (OSError, ValueError):
        return 0.0
