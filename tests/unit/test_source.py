from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.errors import SourceError, TimeLimit, UsageError
from crosswheel.model import Chore, Event
from crosswheel.sdist import member_names
from crosswheel.source import _parse_name, fetch, requires_python_of
from tiny_projects import tiny_host, tiny_project


def deaf(_event: Event) -> None:
    pass


# ---- folders --------------------------------------------------------------------------------------------------


def test_a_folder_becomes_the_sdist_that_its_backend_makes(tmp_path: Path) -> None:
    project = tiny_project("platform", tmp_path)
    said: list[Event] = []
    (tmp_path / "made").mkdir()
    sdist = fetch(str(project), tiny_host(tmp_path), tmp_path / "made", said.append)
    assert said[0] == Chore("making the sdist of platform")
    assert len(said) == 2
    assert (sdist.name, sdist.version, sdist.requires_python) == ("tiny", "1.0", ">=3.10")
    assert sdist.path == tmp_path / "made" / "tiny-1.0.tar.gz"
    assert "tiny-1.0/fast.c" in member_names(sdist.path)


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    for ask in (
        lambda: fetch(str(tmp_path), tiny_host(tmp_path), tmp_path, deaf),
        lambda: requires_python_of(str(tmp_path), tiny_host(tmp_path)),
    ):
        with pytest.raises(SourceError) as caught:
            ask()
        assert caught.value.message == f"{tmp_path} is no Python project: it has neither pyproject.toml nor setup.py"
        assert caught.value.hint == "give a project's folder, an sdist file, or NAME==VERSION"


def test_a_backend_that_cannot_make_the_sdist_is_quoted(tmp_path: Path) -> None:
    project = tiny_project("platform", tmp_path)
    (project / "tiny_backend.py").write_text("raise RuntimeError('no backend today')\n")
    (tmp_path / "made").mkdir()
    with pytest.raises(SourceError) as caught:
        fetch(str(project), tiny_host(tmp_path), tmp_path / "made", deaf)
    first, *_, last = caught.value.message.splitlines()
    assert (first, last) == ("the sdist of platform could not be made:", "RuntimeError: no backend today")
    assert caught.value.hint == f"python -m build --sdist {project}"


def test_a_backend_that_hangs_over_the_sdist_is_ended(tmp_path: Path) -> None:
    project = tiny_project("platform", tmp_path)
    (project / "tiny_backend.py").write_text("import time\ntime.sleep(600)\n")
    (tmp_path / "made").mkdir()
    with pytest.raises(TimeLimit, match="was still running when the time limit was reached"):
        fetch(str(project), tiny_host(tmp_path), tmp_path / "made", deaf, timeout=3)
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["sdist.log"]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"pyproject.toml": "[project]\nname = 'x'\nrequires-python = '>=3.12'\n"}, ">=3.12"),
        ({"pyproject.toml": "", "setup.cfg": "[options]\npython_requires = >=3.11 ; x%y\n"}, ">=3.11 ; x%y"),
        ({"setup.py": "", "setup.cfg": "[metadata]\nname = x\n"}, ""),
        ({"setup.py": ""}, ""),
    ],
)
def test_requires_python_is_read_without_building_anything(tmp_path: Path, files: dict[str, str], found: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert requires_python_of(str(tmp_path), tiny_host(tmp_path)) == found


@pytest.mark.parametrize(
    ("name", "text"),
    [("setup.cfg", "no section\n"), ("pyproject.toml", "project = 1\n"), ("pyproject.toml", "[project\n")],
)
def test_a_project_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "setup.py").touch()
    (tmp_path / name).write_text(text)
    with pytest.raises((SourceError, UsageError), match=name):
        requires_python_of(str(tmp_path), tiny_host(tmp_path))


def test_an_sdist_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no file nowhere/tiny-1\.0\.tar\.gz"):
        fetch("nowhere/tiny-1.0.tar.gz", tiny_host(tmp_path), tmp_path, deaf)


# ---- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("kiwisolver", "kiwisolver", None),
        ("kiwisolver==1.4.9", "kiwisolver", "1.4.9"),
        ("Kiwi_Solver == 1.4.9", "Kiwi_Solver", "1.4.9"),
        ("kiwisolver===1.4.9", "kiwisolver", "1.4.9"),
        ("kiwisolver==2.0rc1", "kiwisolver", "2.0rc1"),
    ],
)
def test_a_name_may_be_pinned(text: str, name: str, version: str | None) -> None:
    its_name, its_version = _parse_name(text)
    assert (its_name, its_version and str(its_version)) == (name, version)


@pytest.mark.parametrize(
    "text",
    [
        "kiwisolver>=1", "kiwisolver==1.*", "kiwisolver==1,!=2", "no/such/folder", "kiwi solver", "", "kiwisolver==",
        "kiwisolver @ file:///x.tar.gz", "kiwisolver; python_version > '3'",
    ],
)  # fmt: skip
def test_anything_else_is_no_source(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        requires_python_of(text or "=", tiny_host(tmp_path))
    assert caught.value.message == f"{text or '='!r} is no folder, no sdist file and no NAME or NAME==VERSION"
    assert caught.value.hint == "crosswheel wheels --source kiwisolver==1.4.9"
