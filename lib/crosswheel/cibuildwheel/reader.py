"""Asks cibuildwheel's own reader, in a process and an environment of its own, which the cache keeps per release."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crosswheel.cibuildwheel.release import Release
from crosswheel.cibuildwheel.resolution import Resolution, parse_resolution
from crosswheel.errors import IndexUnreachable, MissingTool, UsageError
from crosswheel.model.job import Interpreter, Listener, chore
from crosswheel.system.installer import unreachable_index
from crosswheel.system.local_host import LocalHost
from crosswheel.system.locks import locked, mark_used, put
from crosswheel.system.memo import answers_in
from crosswheel.system.process import CommandFailed
from crosswheel.system.scratch import temporary_folder

_PROGRAM = Path(__file__).parent / "inside" / "resolve.py"
_PATIENCE = 60.0  # seconds for an answer
# What cibuildwheel reads in a project beside its configuration: requires-python, and groups of dependencies.
_FILES = ("pyproject.toml", "setup.cfg", "setup.py")


@dataclass(frozen=True)
class Question:
    """A question to the reader: `archs` as for --archs (empty: the project's), and `machine`, which `auto` means.

    `variables` are the caller's CIBW_ variables.
    """

    archs: str
    machine: str
    variables: Mapping[str, str]

    def __str__(self) -> str:
        return json.dumps({"archs": self.archs, "machine": self.machine, "variables": dict(self.variables)})


def resolve(
    folder: Path, release: Release, question: Question, host: LocalHost, listener: Listener, sha256: str = ""
) -> Resolution:
    """The configuration of the project in a folder, which is an unpacked sdist's if there is a sha256.

    Raises UsageError with cibuildwheel's words if it refuses the configuration, MissingTool if the release cannot be
    had or asked, IndexUnreachable.
    """
    answers, began = answers_in(host.cache), time.time()
    asked = ("cibuildwheel", sha256 or str(folder), release.specifier, str(question), _PROGRAM.read_text("utf-8"))
    answer = answers.recall(*asked)
    if answer is None:
        answer = _ask(folder, release, question, host, listener)
        files = [] if sha256 else _files(folder, question)
        answers.keep(answer, *asked, asked=began, rests_on=files)
    if "refused" in answer:
        where = release.pinned_in and f", which {release.pinned_in} pins,"
        raise UsageError(
            f"cibuildwheel {answer['version']}{where} refuses the configuration of {folder.name}:\n{answer['refused']}",
            hint=f"pipx run cibuildwheel=={answer['version']} --print-build-identifiers --platform linux",
        )
    return parse_resolution(answer)


def _files(folder: Path, question: Question) -> list[Path]:
    named = question.variables.get("CIBW_CONFIG_FILE", "").replace("{package}", str(folder))
    return [*(folder / name for name in _FILES), *([folder / named] if named else [])]


def _ask(folder: Path, release: Release, question: Question, host: LocalHost, listener: Listener) -> dict[str, Any]:
    python = _environment(release, host, listener)
    with temporary_folder() as temporary:
        asked = temporary / "question.json"
        asked.write_text(str(question), "utf-8")
        try:
            text = host.processes.run(
                [str(python), "-I", str(_PROGRAM), str(asked)],
                env=host.build_environ,
                cwd=folder,
                deadline=time.monotonic() + _PATIENCE,
            )
        except CommandFailed as error:
            last = error.output.strip().splitlines()[-1:] or [error.ending]
            where = release.pinned_in and f", which {release.pinned_in} pins,"
            raise MissingTool(
                f"cibuildwheel{release.specifier}{where} cannot be asked how it reads this project: {last[0]}",
                hint="an empty table [tool.crosswheel] in pyproject.toml, to build without its configuration",
            ) from error
    # Warnings stand before the answer.
    answer: dict[str, Any] = json.loads(text.splitlines()[-1])
    return answer


def _environment(release: Release, host: LocalHost, listener: Listener) -> Path:
    """The Python of an environment with that release, made once. Raises MissingTool, IndexUnreachable."""
    base = _newest_python(host)
    root = host.cache / "cibuildwheel"
    place = root / f"{release.specifier.removeprefix('==')}-{base.tag}"
    python = place / "bin" / "python"
    if not python.exists():
        with locked(root / f"{place.name}.lock"):
            if not python.exists():
                with chore(f"installing cibuildwheel{release.specifier}, whose reader is asked", listener):
                    _make(place, base, release, host)
    mark_used(place)
    return python


def _make(place: Path, base: Interpreter, release: Release, host: LocalHost) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as temporary:
        draft = Path(temporary, "environment")
        python = host.make_environment(base.path, draft, None)
        # Without a network, the answer is no within seconds.
        impatient = replace(host, environ={"UV_HTTP_RETRIES": "0", **host.environ})
        try:
            impatient.install([f"cibuildwheel{release.specifier}"], python, None)
        except CommandFailed as error:
            raise _not_had(error, base, release, offline=host.index.offline) from error
        put(draft, place)


def _not_had(
    error: CommandFailed, base: Interpreter, release: Release, *, offline: bool
) -> IndexUnreachable | MissingTool:
    what = f"cibuildwheel{release.specifier}"
    why = f"which {release.pinned_in} pins and " if release.pinned_in else "which "
    if missing := unreachable_index(error, offline=offline):
        return IndexUnreachable(
            f"{what}, {why}reads this project's configuration: {missing.message}", hint=missing.hint
        )
    if "Python" in error.output and "depends on Python" in error.output:
        text = f"{what} needs a newer Python than this machine's newest, {base.version}"
        return MissingTool(text, hint="uv python install 3.13; then the same command")
    output = " ".join(error.output.split())
    # What uv says before is of its own doing.
    last = output[max(output.find("Because "), 0) :]
    hint = f"correct the pin in {release.pinned_in}" if release.pinned_in else "pip index versions cibuildwheel"
    return MissingTool(f"{what}, {why}reads this project's configuration, cannot be installed: {last}", hint=hint)


def _newest_python(host: LocalHost) -> Interpreter:
    ordinary = [found for tag, found in host.interpreters.items() if not tag.free_threaded]
    if not ordinary:
        raise MissingTool("no CPython on this machine can run cibuildwheel's reader", hint="uv python install 3.13")
    return max(ordinary, key=lambda found: found.tag)
