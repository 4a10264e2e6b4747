"""What a wheel answers: installed with its requirements, imported and asked, here or under QEMU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arm import ArmPython
from corpus.builds import MINOR
from corpus.commands import Failed, run
from corpus.projects import Project

_LIMIT = 300.0  # seconds of an installation, and of a test
_GLIBC = 36  # of Debian 12, which has the CPython of tests/arm.py

_ASK = """
import importlib, json, sys
check, *names = sys.argv[1:]
known = {}
for name in names:
    importlib.import_module(name)
    known[name.partition(".")[0]] = sys.modules[name.partition(".")[0]]
answer = eval(check, known)
print(json.dumps([type(answer).__name__, repr(answer)]))
"""


@dataclass(frozen=True)
class Answer:
    """The type and text of a check's answer, or the last lines of what went wrong."""

    kind: str = ""
    text: str = ""
    failed: str = ""


def native_answer(project: Project, wheel: Path, folder: Path, python: Path) -> Answer:
    """The wheel's answer on this machine; `folder` then has the wheel and its requirements."""
    try:
        packages = _installed(wheel, folder, ("--python", str(python)))
        log = folder / "answer.log"
        command: list[str | Path] = [python, "-S", "-s", "-c", _ASK, project.check, *project.imports]
        run(command, log, limit=_LIMIT, env={"PYTHONPATH": str(packages)})
    except Failed as failed:
        return Answer(failed="\n".join((str(failed), *failed.tail)))
    return _read(log.read_text())


def arm_answer(project: Project, wheel: Path, folder: Path, arm: ArmPython) -> Answer:
    """The wheel's answer under QEMU, with the requirements that the index has for AArch64."""
    platform = ("--python-platform", f"aarch64-manylinux_2_{_GLIBC}", "--python-version", f"3.{MINOR}")
    try:
        packages = _installed(wheel, folder, platform)
    except Failed as failed:
        return Answer(failed="\n".join((str(failed), *failed.tail)))
    try:
        done = arm.run(MINOR, _ASK, project.check, *project.imports, paths=[packages], timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        return Answer(failed=f"stopped after {_LIMIT:.0f} s")
    if done.returncode:
        return Answer(failed="\n".join(done.stderr.splitlines()[-8:]) or f"ended with {done.returncode}")
    return _read(done.stdout)


def _installed(wheel: Path, folder: Path, options: Sequence[str]) -> Path:
    """The folder with the wheel and its requirements. Raises Failed."""
    folder.mkdir(parents=True)
    packages = folder / "packages"
    uv = Path(sys.executable).with_name("uv")
    words = [uv if uv.is_file() else "uv", "pip", "install", "--quiet", "--only-binary", ":all:", "--no-config"]
    run([*words, *options, "--target", packages, wheel], folder / "install.log", limit=_LIMIT, env=_PLAIN)
    return packages


_PLAIN = {"VIRTUAL_ENV": "", "PATH": os.environ["PATH"]}


def _read(printed: str) -> Answer:
    kind, text = json.loads(printed.splitlines()[-1])
    return Answer(kind, text)
