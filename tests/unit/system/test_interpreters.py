from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crosswheel.errors import MissingTool
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import PythonTag
from crosswheel.system import interpreters
from crosswheel.system.interpreters import fetch_interpreter, find_interpreters
from crosswheel.system.memo import Answers
from crosswheel.system.process import Processes

PY312, PY313, PY313T = PythonTag(12), PythonTag(13), PythonTag(13, free_threaded=True)


def environ(folder: Path, *on_path: Path) -> dict[str, str]:
    """The environment of somebody who has these folders in PATH and nothing else."""
    return {
        "PATH": os.pathsep.join(map(str, on_path)),
        "HOME": str(folder),
        "UV_PYTHON_INSTALL_DIR": str(folder / "uv"),
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "UV_OFFLINE": "1",
        "UV_NO_CONFIG": "1",
    }


def python(path: Path, **facts: Any) -> Path:
    """A program that answers our question as an interpreter with these facts would."""
    version = facts.get("version", "3.13.1")
    answer = {
        "implementation": "cpython",
        "version": version,
        "minor": int(version.split(".")[1]),
        "free_threaded": False,
        "debug": False,
        "final": True,
        "headers": True,
        "base": str(path),
        "venv": False,
        **facts,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n".replace("cat", "/bin/cat"))
    path.chmod(0o755)
    return path


def found(folder: Path, *on_path: Path) -> dict[PythonTag, Interpreter]:
    return find_interpreters(Processes(), environ(folder, *on_path))


def test_this_very_interpreter_is_found_by_its_name_and_says_who_it_is(tmp_path: Path) -> None:
    real = Path(sys.executable).resolve()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(real)
    (interpreter,) = found(tmp_path, tmp_path / "bin").values()
    assert interpreter.tag.minor == sys.version_info.minor
    assert interpreter.version == ".".join(map(str, sys.version_info[:3]))
    assert interpreter.path == real


def test_path_and_pyenv_are_searched_and_shims_are_not(tmp_path: Path) -> None:
    on_path = python(tmp_path / "bin" / "python3.12", version="3.12.1")
    pyenv = python(tmp_path / ".pyenv" / "versions" / "3.13.1" / "bin" / "python3.13")
    shims = tmp_path / ".pyenv" / "shims"
    python(shims / "python3.11", version="3.11.1")
    assert found(tmp_path, shims, tmp_path / "bin") == {
        PY312: Interpreter(PY312, "3.12.1", on_path),
        PY313: Interpreter(PY313, "3.13.1", pyenv),
    }


def test_free_threaded_builds_are_found_under_their_own_name(tmp_path: Path) -> None:
    ordinary = python(tmp_path / "bin" / "python3.13")
    threaded = python(tmp_path / "bin" / "python3.13t", free_threaded=True)
    assert {tag: interpreter.path for tag, interpreter in found(tmp_path, tmp_path / "bin").items()} == {
        PY313: ordinary,
        PY313T: threaded,
    }


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"version": "3.13.9", "headers": False}, {"version": "3.13.0"}),
        ({"version": "3.13.0"}, {"version": "3.13.10"}),
        ({"version": "3.13.9"}, {"version": "3.13.10"}),
        ({"version": "3.13.0rc1", "final": False}, {"version": "3.13.0"}),
    ],
)
def test_of_two_with_one_tag_the_better_is_taken(tmp_path: Path, worse: dict[str, Any], better: dict[str, Any]) -> None:
    first = python(tmp_path / "a" / "python3.13", **better)
    second = python(tmp_path / "b" / "python3.13", **worse)
    for order in ((first, second), (second, first)):
        interpreter = found(tmp_path, *(path.parent for path in order))[PY313]
        assert (interpreter.path, interpreter.version) == (first, better["version"])


@pytest.mark.parametrize(
    "facts",
    [
        {"implementation": "pypy"},
        {"debug": True},
        {"version": "3.6.15"},
        {"version": "3.99.0"},
        {"minor": -1},
    ],
)
def test_what_can_serve_nobody_is_passed_over(tmp_path: Path, facts: dict[str, Any]) -> None:
    python(tmp_path / "bin" / "python3", **facts)
    assert found(tmp_path, tmp_path / "bin") == {}


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho hello\n", "#!/no/such/program\n", "\x7fELF"])
def test_a_program_that_is_no_interpreter_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "python3.13").write_text(text)
    (tmp_path / "python3.13").chmod(0o755)
    assert found(tmp_path, tmp_path) == {}


def test_a_program_that_never_answers_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "_PATIENCE", 0.5)
    (tmp_path / "python3.13").write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    (tmp_path / "python3.13").chmod(0o755)
    assert found(tmp_path, tmp_path) == {}


def test_an_interpreter_without_headers_is_known_as_such(tmp_path: Path) -> None:
    python(tmp_path / "python3.13", headers=False)
    assert not found(tmp_path, tmp_path)[PY313].headers


def test_a_virtual_environments_python_stands_for_its_base(tmp_path: Path) -> None:
    base = python(tmp_path / "base" / "python3.13")
    python(tmp_path / "venv" / "python3.13", venv=True, base=str(base))
    assert found(tmp_path, tmp_path / "venv")[PY313].path == base


def test_a_python_that_cannot_be_fetched_is_a_missing_tool_with_the_command_to_type(tmp_path: Path) -> None:
    with pytest.raises(MissingTool) as caught:
        fetch_interpreter(PY313T, Processes(), environ(tmp_path))
    start = "no CPython for cp313t on this machine, and uv could not download one: "
    assert caught.value.message.startswith(start)
    assert len(caught.value.message) > len(start)
    assert caught.value.hint == "uv python install 3.13t, or install it with pyenv or the system's packages"
    assert not list((tmp_path / "uv").glob("cpython-*"))


# ---- what is remembered ---------------------------------------------------------------------------------------


@dataclass
class _Counted(Processes):
    """How often somebody was asked who it is."""

    asked: int = 0
    uv: int = 0

    def run(self, argv: Sequence[str], **how: Any) -> str:
        self.asked += "-I" in argv
        self.uv += argv[-2:] == ["python", "dir"]
        return super().run(argv, **how)


def test_an_interpreter_that_stays_what_it_was_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path(sys.executable).resolve()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(real)
    processes, answers, where = _Counted(), Answers(tmp_path / "answers"), environ(tmp_path, tmp_path / "bin")
    first = find_interpreters(processes, where, answers)
    assert find_interpreters(processes, where, answers) == first
    assert processes.asked == 1
    # With another of the same name, or another libpython, it is somebody else.
    find_interpreters(processes, {**where, "LD_LIBRARY_PATH": str(tmp_path)}, answers)
    assert processes.asked == 2
    monkeypatch.setattr("crosswheel.system.memo._state", lambda path: [1, 2, 3, 4] if path == real else None)
    assert find_interpreters(processes, where, answers) == first
    assert processes.asked == 3


def test_a_script_that_starts_one_or_another_is_asked_each_time(tmp_path: Path) -> None:
    script = python(tmp_path / "bin" / "python3.13", version="3.13.1", itself=sys.executable, rests_on=[])
    processes, answers, where = _Counted(), Answers(tmp_path / "answers"), environ(tmp_path, script.parent)
    assert find_interpreters(processes, where, answers)[PY313].version == "3.13.1"
    python(script, version="3.13.2", itself=sys.executable, rests_on=[])
    assert find_interpreters(processes, where, answers)[PY313].version == "3.13.2"
    assert processes.asked == 2


def test_uv_is_asked_once_where_its_pythons_are(tmp_path: Path) -> None:
    """A wheelhouse looks for interpreters once for each package."""
    script = python(tmp_path / "uv" / "cpython-3.13.1-linux" / "bin" / "python3.13")
    processes, answers, where = _Counted(), Answers(tmp_path / "answers"), environ(tmp_path)
    for _ in range(2):
        assert find_interpreters(processes, where, answers)[PY313].path == script
    assert processes.uv == 1
    assert find_interpreters(processes, {**where, "UV_PYTHON_INSTALL_DIR": str(tmp_path / "other")}, answers) == {}
    assert processes.uv == 2
