"""One project's way: build natively, build for AArch64, compare the files, then the answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from arm import ArmPython
from corpus.answers import Answer, arm_answer, native_answer
from corpus.builds import Build, by_crosswheel, by_pip
from corpus.contents import differences, is_compiled
from corpus.projects import Project, backend_of, sdist_of
from corpus.results import BUILD_FAILED, NOT_NATIVE, REFUSED, SAME, WRONG, Row
from crosswheel.model.job import Sdist
from debian import unpacked


@dataclass(frozen=True)
class Trial:
    """`kept` has a folder per project, which stays; `python` is this machine's CPython."""

    kept: Path
    python: Path
    arm: ArmPython

    def run(self, project: Project) -> Row:
        """Raises WrongSdist and CrosswheelError if the sdist cannot be had."""
        folder = self.kept / project.requirement
        work = _emptied(folder / "sdist")
        sdist = sdist_of(project, work)
        row = Row(project.name, project.version, backend_of(sdist, work / "unpacked"), NOT_NATIVE)
        native = self._native(sdist, folder)
        if native.wheel is None:
            return replace(row, failed=native.failed)
        if not is_compiled(native.wheel):
            return replace(row, failed="the wheel that pip built has no compiled file")
        expected = native_answer(project, native.wheel, _emptied(folder / "native-answer") / "packages", self.python)
        if expected.failed:
            return replace(row, failed=expected.failed)
        ours = by_crosswheel(project.requirement, _emptied(folder / "crosswheel"), self._libraries(project))
        row = replace(
            row,
            native_seconds=round(native.seconds, 1),
            seconds=round(ours.seconds, 1),
            engine=ours.engine,
            runtime=ours.runtime,
            notes=ours.findings,
        )
        if ours.wheel is None:
            return replace(row, verdict=REFUSED if ours.refused else BUILD_FAILED, failed=ours.failed)
        return self._compared(project, row, expected, ours.wheel, differences(native.wheel, ours.wheel))

    def _libraries(self, project: Project) -> Path | None:
        return unpacked("arm64", project.packages, "bookworm", self.arm.cache) if project.packages else None

    def _native(self, sdist: Sdist, folder: Path) -> Build:
        """The build by pip, made once."""
        told = folder / "native.json"
        if not told.is_file():
            built = by_pip(sdist.path, _emptied(folder / "native"), self.python)
            told.write_text(json.dumps(asdict(built), default=str))
        fields = json.loads(told.read_text())
        return Build(**{**fields, "wheel": fields["wheel"] and Path(fields["wheel"]), "findings": ()})

    def _compared(self, project: Project, row: Row, native: Answer, wheel: Path, apart: Sequence[str]) -> Row:
        answer = arm_answer(project, wheel, _emptied(self.kept / project.requirement / "arm") / "answer", self.arm)
        row = replace(row, tested="CPython 3.11 under QEMU", notes=(*row.notes, *apart))
        if answer.failed:
            return replace(row, verdict=WRONG, failed=answer.failed)
        if answer != native or answer.kind != project.kind:
            told = f"{project.check}: {answer.kind} {answer.text}, natively {native.kind} {native.text}"
            return replace(row, verdict=WRONG, failed=told)
        lacking = [text for text in apart if text.endswith(".so") and " lacks " in text]
        if lacking and not any(note.startswith("W605") for note in row.notes):
            return replace(row, verdict=WRONG, failed="\n".join(lacking))
        return replace(row, verdict=SAME)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
