"""The output folder of a run: audited wheels, the logs of all jobs, and, separately, rejected wheels."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

from crosswheel.errors import AuditFailed
from crosswheel.formats.wheels import artifact, may_serve_others, serves
from crosswheel.model.job import Artifact, Sdist
from crosswheel.model.targets import Target
from crosswheel.system.hashes import sha256_of


@dataclass(frozen=True)
class OutputFolder:
    """The output folder, with the wheels that this run has saved so far."""

    folder: Path
    # By file name, with the target of each wheel. Jobs are threads, so access needs the lock.
    _saved: dict[str, tuple[Target, Artifact]] = field(default_factory=dict)
    _shared: list[Artifact] = field(default_factory=list)
    _saving: threading.Lock = field(default_factory=threading.Lock)

    def log(self, sdist: Sdist, target: Target) -> Path:
        """A new, empty log file for a job."""
        log = self.folder / "logs" / f"{sdist.name}-{sdist.version}-{target}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        return log

    def save(self, wheel: Path, target: Target, passed: str) -> tuple[Artifact, str]:
        """Save a wheel; of two with one name the first stays, and a note names its target.

        `passed` is the sha256 of the audited bytes. Raises AuditFailed for any other bytes.
        """
        with self._saving:
            _refuse_unaudited(wheel, passed)
            if first := self._saved.get(wheel.name):
                other, saved = first
                return saved, f"the same wheel as for {other}"
            saved = artifact(keep(wheel, self.folder, sha256=passed))
            self._saved[wheel.name] = target, saved
            if may_serve_others(wheel.name):
                self._shared.append(saved)
            return saved, ""

    def serving(self, target: Target) -> Artifact | None:
        """A saved wheel of this run that the target accepts too, or None."""
        with self._saving:
            return next((wheel for wheel in self._shared if serves(wheel.path.name, target)), None)

    def target_of(self, wheel: Artifact) -> Target:
        """The target that a saved wheel was built for."""
        with self._saving:
            return self._saved[wheel.path.name][0]

    def reject(self, wheel: Path) -> Path:
        """Keep a rejected wheel in a subfolder for inspection, where an upload does not include it."""
        return keep(wheel, self.folder / "rejected")


def keep(path: Path, folder: Path, *, sha256: str = "") -> Path:
    """Copy under a temporary name with another suffix, then rename: a full disk leaves no partial wheel or sdist.

    With a `sha256`, raises AuditFailed if the copied bytes differ.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / path.name
    # Two jobs may make, or two audits reject, wheels of the same name.
    partial = folder / f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial"
    try:
        shutil.copyfile(path, partial)
        if sha256:
            _refuse_unaudited(partial, sha256, path.name)
        partial.replace(final)
    finally:
        partial.unlink(missing_ok=True)
    return final


def _refuse_unaudited(wheel: Path, passed: str, name: str = "") -> None:
    """Raise AuditFailed unless these are exactly the audited bytes."""
    if sha256_of(wheel) != passed:
        what = "was changed after its audit" if passed else "has not passed an audit"
        text = f"{name or wheel.name} is not saved: it {what}"
        raise AuditFailed(text, hint="crosswheel wheels --fresh; if it fails again, find what changes the wheel")
