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
from corpus.contents import differences
from corpus.projects import Project, backend_of, sdist_of
from corpus.results import BUILD_FAILED, NOT_NATIVE, REFUSED, SAME, WRONG, Row
from crosswheel.model.job import Sdist


@dataclass(frozen=True)
class Native:
    """pip's build and its answer, which are kept from run to run."""

    build: Build
    answer: Answer


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
        native = self._native(project, sdist, folder)
        if native.build.wheel is None or native.answer.failed:
            return replace(row, failed=native.build.failed or native.answer.failed)
        ours = by_crosswheel(sdist.path, _emptied(folder / "crosswheel"))
        row = replace(
            row,
            native_seconds=round(native.build.seconds, 1),
            seconds=round(ours.seconds, 1),
            engine=ours.engine,
            runtime=ours.runtime,
            notes=ours.findings,
        )
        if ours.wheel is None:
            return replace(row, verdict=REFUSED if ours.refused else BUILD_FAILED, failed=ours.failed)
        return self._compared(project, row, native.answer, ours.wheel, differences(native.build.wheel, ours.wheel))

    def _native(self, project: Project, sdist: Sdist, folder: Path) -> Native:
        """The build by pip, made once."""
        told = folder / "native.json"
        if told.is_file():
            return _read(told)
        place = _emptied(folder / "native")
        build, answer = by_pip(sdist.path, place, self.python), Answer()
        if build.wheel:
            answer = native_answer(project, build.wheel, place / "answer", self.python)
        told.write_text(json.dumps({"build": asdict(build), "answer": asdict(answer)}, default=str))
        return _read(told)

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


def _read(told: Path) -> Native:
    document = json.loads(told.read_text())
    build = document["build"]
    wheel = Path(build["wheel"]) if build["wheel"] else None
    return Native(Build(**{**build, "wheel": wheel, "findings": ()}), Answer(**document["answer"]))
