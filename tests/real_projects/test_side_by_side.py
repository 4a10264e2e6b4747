"""Real releases of setuptools, old and new, with a compiler that knows whether it is alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crosswheel.toolchains.startup import SIDE_BY_SIDE, install_startup
from setuptools_releases import RELEASES, environ_for, interpreter_with

pytestmark = pytest.mark.index

# A compiler that goes on only once there are two of it, and one that fails where there are.
_MEETS = """
case " $* " in *" -c "*) ;; *) exit 0;; esac
mkdir -p at-work; touch at-work/$$
for _ in $(seq 100); do
  [ "$(ls at-work | wc -l)" -ge 2 ] && exit 0
  sleep 0.05
done
echo "nobody came" >&2; exit 1
"""
_ALONE = """
case " $* " in *" -c "*) ;; *) exit 0;; esac
mkdir at-work || { echo "not alone" >&2; exit 1; }
sleep 0.2
rmdir at-work
"""
_FAILS = """
case " $* " in
  *" -c four.c "*) sleep 0.2; exit 1;;
  *" -c one.c "*) sleep 0.6; touch one-has-ended;;
  *" -c "*) touch "begun-$$"; sleep 0.5;;
esac
"""


@pytest.fixture(scope="session", params=RELEASES)
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter whose setuptools has been taught."""
    return interpreter_with(request.param, tmp_path_factory.mktemp("environment"), SIDE_BY_SIDE)


def build(folder: Path, python: Path, compiler: str, setup: str, jobs: str = "2") -> subprocess.CompletedProcess[str]:
    """What `setup.py build_ext` does with that compiler; `setup` fills in what is to be built."""
    program = folder / "cc"
    program.write_text(f"#!/bin/sh\n{compiler}")
    program.chmod(0o755)
    for name in ("one.c", "two.c", "three.c", "four.c"):
        (folder / name).write_text("")
    text = "from setuptools import Extension, setup\n{}\n"
    (folder / "setup.py").write_text(text.format(setup))
    environ = {**environ_for(python, program), "MAX_JOBS": jobs}
    command = [str(python), "setup.py", "build_ext"]
    return subprocess.run(
        command, cwd=folder, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


_ONE_EXTENSION = "setup(name='p', version='1', ext_modules=[Extension('m', ['one.c', 'two.c'])])"
_TWO_EXTENSIONS = "setup(name='p', version='1', ext_modules=[Extension('m', ['one.c']), Extension('n', ['two.c'])])"


@pytest.mark.parametrize("setup", [_ONE_EXTENSION, _TWO_EXTENSIONS], ids=["sources", "extensions"])
def test_compilers_work_side_by_side(python: Path, tmp_path: Path, setup: str) -> None:
    done = build(tmp_path, python, _MEETS, setup)
    assert done.returncode == 0, done.stdout


def test_one_job_is_one_at_a_time(python: Path, tmp_path: Path) -> None:
    done = build(tmp_path, python, _ALONE, _ONE_EXTENSION, jobs="1")
    assert done.returncode == 0, done.stdout


_OWN_SPAWN = """
from distutils.unixccompiler import UnixCCompiler
spawn = UnixCCompiler.spawn
UnixCCompiler.spawn = lambda self, command, **more: spawn(self, command, **more)
"""
_OWN_COMMAND = """
from setuptools.command.build_ext import build_ext
class Own(build_ext):
    def build_extensions(self):
        compile_one = self.compiler._compile
        self.compiler._compile = lambda *args: compile_one(*args)
        super().build_extensions()
"""
_OWN_EXTENSIONS = """
from setuptools.command.build_ext import build_ext
class Own(build_ext):
    def build_extension(self, extension):
        super().build_extension(extension)
"""
_SHARED = "setup(name='p', version='1', ext_modules=[Extension(name, ['one.c']) for name in ('m', 'n')])"


@pytest.mark.parametrize(
    "setup",
    [
        _OWN_SPAWN + _ONE_EXTENSION,
        _OWN_COMMAND + _ONE_EXTENSION.replace("setup(", "setup(cmdclass={'build_ext': Own}, "),
        _OWN_EXTENSIONS + _TWO_EXTENSIONS.replace("setup(", "setup(cmdclass={'build_ext': Own}, "),
        _SHARED,
    ],
    ids=["spawn patched", "compiler patched", "command replaced", "shared source"],
)
def test_what_a_project_does_in_its_own_way_stays_in_order(python: Path, tmp_path: Path, setup: str) -> None:
    done = build(tmp_path, python, _ALONE, setup)
    assert done.returncode == 0, done.stdout


def test_the_first_failure_ends_it_when_nothing_is_under_way_any_more(python: Path, tmp_path: Path) -> None:
    setup = "setup(name='p', version='1', ext_modules=[Extension('m', ['four.c', 'one.c', 'three.c', 'two.c'])])"
    done = build(tmp_path, python, _FAILS, setup)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert "four.c" in done.stdout
    assert (tmp_path / "one-has-ended").exists()
    assert len(list(tmp_path.glob("begun-*"))) <= 1


def test_without_setuptools_nothing_happens(tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    install_startup(packages, SIDE_BY_SIDE)
    code = "import json, sys; print('setuptools' in sys.modules, 'threading' in sys.modules)"
    command, environ = [str(folder / "bin/python"), "-c", code], {**os.environ, "MAX_JOBS": "2"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("False False", "")
    shutil.rmtree(folder)
