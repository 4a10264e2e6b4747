"""Real releases of setuptools say which extensions they were to compile and did not, whoever hides it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from crosswheel.toolchains.startup import SIDE_BY_SIDE, note_uncompiled
from setuptools_releases import RELEASES, environ_for, interpreter_with

pytestmark = pytest.mark.index

# It compiles nothing that is called bad.c.
_COMPILER = """#!/bin/sh
case " $* " in *" bad.c "*) echo "bad.c:1: error: bad" >&2; exit 1;; esac
while [ $# -gt 0 ]; do [ "$1" = -o ] && : > "$2"; shift; done
"""
_SETUP = """
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
{}
good = Extension('p.good', ['good.c'])
setup(name='p', version='1', {})
"""
_OPTIONAL = "bad = Extension('p.bad', ['bad.c'], optional=True)"
_NEEDED = "bad = Extension('p.bad', ['bad.c'])"
_BOTH = "ext_modules=[good, bad]"
_WITH_OWN = _BOTH + ", cmdclass={'build_ext': Own}"
# As many a setup.py does it.
_SWALLOWS = """
class Own(build_ext):
    def build_extension(self, extension):
        try:
            super().build_extension(extension)
        except Exception:
            print('speedups are not enabled')
"""
_COMPILES_ITSELF = """
from distutils.errors import CompileError
class Own(build_ext):
    def build_extension(self, extension):
        if extension.name == 'p.bad':
            raise CompileError('no such library')
"""
_TAKES_OFF = """
class Own(build_ext):
    def build_extensions(self):
        self.extensions = [each for each in self.extensions if each.name != 'p.bad']
        super().build_extensions()
"""
_TRIES_AGAIN = """
Own, setup_once = build_ext, setup
def setup(**words):
    try:
        setup_once(**words)
    except SystemExit:
        setup_once(**{**words, 'ext_modules': [good]})
"""


@pytest.fixture(scope="session", params=RELEASES)
def notes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An interpreter, and the file that its setuptools writes to."""
    folder = tmp_path_factory.mktemp("environment")
    path = folder.with_name(f"{folder.name}-notes")
    return interpreter_with(request.param, folder, SIDE_BY_SIDE, note_uncompiled(path)), path


def noted(folder: Path, notes: tuple[Path, Path], code: str, arguments: str, jobs: str = "1") -> dict[str, str]:
    """What is noted of a build that goes well."""
    python, path = notes
    path.unlink(missing_ok=True)
    compiler = folder / "cc"
    compiler.write_text(_COMPILER)
    compiler.chmod(0o755)
    (folder / "p").mkdir()
    for name in ("good.c", "bad.c"):
        (folder / name).write_text("")
    (folder / "setup.py").write_text(_SETUP.format(code, arguments))
    done = subprocess.run(
        [str(python), "setup.py", "build_ext"],
        cwd=folder,
        env={**environ_for(python, compiler), "MAX_JOBS": jobs},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {row["name"]: row["why"] for row in rows}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_optional_extension_is_noted_with_the_reason(notes: tuple[Path, Path], tmp_path: Path, jobs: str) -> None:
    found = noted(tmp_path, notes, _OPTIONAL, _BOTH, jobs)
    assert list(found) == ["p.bad"]
    assert "bad.c" in found["p.bad"] or "failed with exit code 1" in found["p.bad"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (_NEEDED + _SWALLOWS, "exit"),
        (_OPTIONAL + _COMPILES_ITSELF, "no such library"),
        (_NEEDED + _TAKES_OFF, ""),
        (_NEEDED + _TRIES_AGAIN, "exit"),
    ],
    ids=["swallows the error", "compiles in its own way", "takes it off the list", "tries again without"],
)
def test_so_is_one_that_the_project_hides(notes: tuple[Path, Path], tmp_path: Path, code: str, reason: str) -> None:
    found = noted(tmp_path, notes, code, _WITH_OWN)
    assert list(found) == ["p.bad"]
    assert reason in found["p.bad"]


def test_nothing_is_noted_of_what_was_compiled(notes: tuple[Path, Path], tmp_path: Path) -> None:
    assert noted(tmp_path, notes, "", "ext_modules=[good]") == {}


def test_a_folder_that_is_not_there_stops_no_build(notes: tuple[Path, Path], tmp_path: Path) -> None:
    """Environments are used outside builds, too: in `shell`."""
    python, path = notes
    elsewhere = interpreter_with("setuptools", tmp_path / "environment", note_uncompiled(tmp_path / "none" / "notes"))
    assert noted(tmp_path, (elsewhere, path), _OPTIONAL, _BOTH) == {}
    assert python != elsewhere
