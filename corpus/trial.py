"""One project's way: build for AArch64, compare files and answers with the project's own wheel for this machine.

If it has published none, or the two differ, or our build failed, pip builds the sdist for this machine, and its wheel
decides: published wheels may be made with options that the sdist alone does not have.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from arm import ArmPython
from corpus.answers import Answer, arm_answer, native_answer
from corpus.builds import Build, by_crosswheel, by_pip, published_wheel
from corpus.contents import differences, is_compiled
from corpus.projects import Project, backend_of, sdist_of
from corpus.results import BUILD_FAILED, NOT_NATIVE, REFUSED, SAME, WRONG, Row
from crosswheel.model.job import Sdist
from debian import unpacked

_NATIVE = "native.json"  # what pip's build gave, in a project's folder


@dataclass(frozen=True)
class Trial:
    """`kept` has a folder per project, which stays; `python` is this machine's CPython."""

    kept: Path
    python: Path
    arm: ArmPython

    def run(self, project: Project) -> Row:
        """Raises WrongSdist and CrosswheelError if the sdist cannot be had, Failed if pip builds it too slowly."""
        folder = self.kept / project.requirement
        work = _emptied(folder / "sdist")
        sdist = sdist_of(project, work)
        ours = by_crosswheel(project.requirement, _emptied(folder / "crosswheel"), self._libraries(project))
        row = Row(
            project.name,
            project.version,
            backend_of(sdist, work / "unpacked"),
            NOT_NATIVE,
            seconds=round(ours.seconds, 1),
            engine=ours.engine,
            runtime=ours.runtime,
            notes=ours.findings,
        )
        if ours.wheel and not (folder / _NATIVE).is_file():
            published = published_wheel(project.requirement, _emptied(folder / "published"), self.python)
            if published:
                judged = self._compared(project, row, published, ours.wheel)
                if judged.verdict == SAME:
                    return replace(judged, published=True)
        return self._against_pip(project, row, sdist, ours)

    def _against_pip(self, project: Project, row: Row, sdist: Sdist, ours: Build) -> Row:
        native = self._native(sdist, self.kept / project.requirement)
        if native.wheel is None:
            return replace(row, failed=native.failed)
        row = replace(row, native_seconds=round(native.seconds, 1))
        if ours.wheel:
            return self._compared(project, row, native.wheel, ours.wheel)
        if failed := self._expected(project, native.wheel).failed:
            return replace(row, failed=failed)
        return replace(row, verdict=REFUSED if ours.refused else BUILD_FAILED, failed=ours.failed)

    def _libraries(self, project: Project) -> Path | None:
        return unpacked("arm64", project.packages, "bookworm", self.arm.cache) if project.packages else None

    def _native(self, sdist: Sdist, folder: Path) -> Build:
        """The build by pip, made once."""
        told = folder / _NATIVE
        if not told.is_file():
            built = by_pip(sdist.path, _emptied(folder / "native"), self.python)
            told.write_text(json.dumps(asdict(built), default=str))
        fields = json.loads(told.read_text())
        return Build(**{**fields, "wheel": fields["wheel"] and Path(fields["wheel"]), "findings": ()})

    def _compared(self, project: Project, row: Row, native: Path, ours: Path) -> Row:
        """The row with the verdict on our wheel, against one for this machine."""
        expected = self._expected(project, native)
        if expected.failed:
            return replace(row, failed=expected.failed)
        answer = arm_answer(project, ours, _emptied(self.kept / project.requirement / "arm") / "answer", self.arm)
        apart = differences(native, ours)
        row = replace(row, tested="CPython 3.11 under QEMU", notes=(*row.notes, *apart))
        if answer.failed:
            return replace(row, verdict=WRONG, failed=answer.failed)
        if answer != expected or answer.kind != project.kind:
            told = f"{project.check}: {answer.kind} {answer.text}, natively {expected.kind} {expected.text}"
            return replace(row, verdict=WRONG, failed=told)
        lacking = [text for text in apart if text.endswith(".so") and " lacks " in text]
        if lacking and not any(note.startswith("W605") for note in row.notes):
            return replace(row, verdict=WRONG, failed="\n".join(lacking))
        return replace(row, verdict=SAME)

    def _expected(self, project: Project, native: Path) -> Answer:
        if not is_compiled(native):
            return Answer(failed="the wheel for this machine has no compiled file")
        folder = _emptied(self.kept / project.requirement / "native-answer")
        return native_answer(project, native, folder / "packages", self.python)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
