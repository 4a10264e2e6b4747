"""Hooks of a backend run by one program: each as if it were alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyproject_hooks
import pytest

from crosswheel.toolchains.inside import hooks

_SCRIPT = Path(pyproject_hooks.__file__).with_name("_in_process") / "_in_process.py"
_HOOKS = ("get_requires_for_build_wheel", "build_wheel")

# Each import and each call leaves a line with the number of its process.
_BACKEND = """
import os, pathlib, sys
here = pathlib.Path(__file__).parent

def note(what):
    with (here / "notes").open("a") as file:
        file.write(f"{what} {os.getpid()}\\n")

note("import")
state = []

def get_requires_for_build_wheel(config_settings=None):
    note("requires")
    state.append("changed")
    return REQUIRES

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    note("build")
    assert not state
    assert sys.argv[1] == "build_wheel"
    assert str(here) in sys.path and not any(path.endswith("inside") for path in sys.path)
    BUILD
    return f"{wheel_directory} {config_settings}"
"""


def run(folder: Path, requires: str = "[]", build: str = "pass", more: str = "") -> subprocess.CompletedProcess[str]:
    """Both hooks of a backend; `folder` then has its notes, and a folder with the answer of each hook."""
    text = _BACKEND.replace("REQUIRES", requires).replace("BUILD", build)
    (folder / "backend.py").write_text(text + more)
    for name, given in zip(_HOOKS, ({}, {"wheel_directory": "W"}), strict=True):
        (folder / name).mkdir()
        (folder / name / "input.json").write_text(json.dumps({"kwargs": {"config_settings": {"a": "b"}, **given}}))
    command = [sys.executable, hooks.__file__, str(_SCRIPT), str(folder), *_HOOKS]
    environ = {**os.environ, "PYTHONPATH": str(folder), "_PYPROJECT_HOOKS_BUILD_BACKEND": "backend"}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def notes(folder: Path) -> list[str]:
    return [line.split()[0] for line in (folder / "notes").read_text().splitlines()]


def processes(folder: Path) -> int:
    return len({line.split()[1] for line in (folder / "notes").read_text().splitlines()})


def answer(folder: Path, hook: str) -> object:
    return json.loads((folder / hook / "output.json").read_text())["return_val"]


def test_the_backend_is_imported_once_and_each_hook_finds_it_as_new(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert notes(tmp_path) == ["import", "requires", "build"]
    assert processes(tmp_path) == 3
    assert [answer(tmp_path, hook) for hook in _HOOKS] == [[], "W {'a': 'b'}"]


def test_what_is_required_is_to_be_installed_first(tmp_path: Path) -> None:
    assert run(tmp_path, requires="['wheel']").returncode == 0
    assert notes(tmp_path) == ["import", "requires"]
    assert not (tmp_path / "build_wheel" / "output.json").exists()


def test_a_backend_that_cannot_be_imported_is_told_by_the_hook(tmp_path: Path) -> None:
    assert run(tmp_path, more="\nimport nowhere_to_be_found\n").returncode == 0
    told = json.loads((tmp_path / _HOOKS[0] / "output.json").read_text())
    assert told["no_backend"]
    assert "nowhere_to_be_found" in told["traceback"]
    assert not (tmp_path / "build_wheel" / "output.json").exists()


@pytest.mark.parametrize(
    ("build", "code"), [("sys.exit(7)", 7), ("raise ValueError", 1), ("os.kill(os.getpid(), 11)", -signal.SIGSEGV)]
)
def test_it_ends_as_the_hook_has_ended(tmp_path: Path, build: str, code: int) -> None:
    assert run(tmp_path, build=build).returncode == code
    assert answer(tmp_path, _HOOKS[0]) == []
    assert not (tmp_path / "build_wheel" / "output.json").exists()


def test_what_has_threads_is_not_forked(tmp_path: Path) -> None:
    thread = "\nimport threading, time\nthreading.Thread(target=time.sleep, args=(0.5,)).start()\n"
    assert run(tmp_path, more=thread).returncode == 0
    assert notes(tmp_path) == ["import", "import", "requires", "import", "build"]
    assert processes(tmp_path) == 3
