"""What a project's own test is given in a container: its folder, its files, its variables, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, cast

import pytest

from crosswheel import errors
from crosswheel.containers.environment import EMPTY, FOLDER
from crosswheel.containers.host import Container
from crosswheel.engines.test_containers import TestContainer as OpenContainer
from crosswheel.formats.sdists import read_sdist
from crosswheel.model.config_reader import load_config
from crosswheel.steps import Work
from crosswheel.testing import tiny_wheel
from crosswheel.testing.fake_workspace import tiny_work
from tiny_projects import PKG_INFO, tar_of

# The package has the step under the module's name.
module = import_module("crosswheel.steps.test")
_PROJECT = FOLDER / "tiny-1.0"


@dataclass
class RecordingContainer:
    """Notes what it is given and asked to run."""

    emulated: bool = False
    image: Any = field(default_factory=lambda: SimpleNamespace(environ={"PATH": "/usr/bin"}, reference="image:1"))
    given: dict[str, Path] = field(default_factory=dict)
    commands: list[tuple[list[str], str]] = field(default_factory=list)
    variables: list[Mapping[str, str]] = field(default_factory=list)

    def put(self, *paths: Path, to: PurePosixPath) -> None:
        self.given |= {str(to / path.name): path for path in paths}

    def run(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: PurePosixPath, **_: Any) -> str:
        self.commands.append((list(argv), str(cwd)))
        self.variables.append(env)
        return ""


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> RecordingContainer:
    monkeypatch.setattr(module, "seed", lambda *_: None)
    return RecordingContainer()


def work_with(folder: Path, **options: Any) -> Work:
    files = {
        "PKG-INFO": PKG_INFO,
        "pyproject.toml": b"",
        "tests/test_it.py": b"",
        "tests/data/a.txt": b"a",
        "README": b"",
    }
    work = tiny_work(folder, tiny_wheel(folder))
    given = {name.replace("_", "-"): value for name, value in options.items()}
    config = load_config(folder, {}, code=given)
    return replace(work, sdist=read_sdist(tar_of(files, folder)), config=config)


def run(container: RecordingContainer, work: Work) -> None:
    module._test_in(OpenContainer(cast("Container", container), {"NET": "1"}, {}), work)


def installed(container: RecordingContainer) -> Iterable[tuple[list[str], str]]:
    """The arguments of each installation, and its folder."""
    return [(words[5:], cwd) for words, cwd in container.commands if words[1:3] == ["pip", "install"]]


def test_without_anything_of_the_project_its_sources_are_not_copied(
    container: RecordingContainer, tmp_path: Path
) -> None:
    run(container, work_with(tmp_path, test_command="pytest --pyargs tiny", test_requires=["pytest"]))
    assert [Path(name).suffix for name in container.given] == [".whl"]
    ((words, cwd),) = installed(container)
    assert (words[0], words[2:], cwd) == ("--", ["pytest"], str(EMPTY))
    assert container.commands[-1] == (["sh", "-c", "pytest --pyargs tiny"], str(EMPTY))


def test_before_test_runs_before_the_wheel_is_installed_in_the_project_s_folder(
    container: RecordingContainer, tmp_path: Path
) -> None:
    run(container, work_with(tmp_path, before_test="sh {project}/x.sh", test_environment={"A": "b", "PATH": "/no"}))
    assert container.commands[0] == (["sh", "-c", f"sh {_PROJECT}/x.sh"], str(_PROJECT))
    assert container.commands[1][0][1:3] == ["pip", "install"]
    assert container.variables[0]["A"] == "b"
    assert container.variables[0]["PATH"].startswith(str(FOLDER / "cp313"))


def test_the_command_knows_the_project_and_the_wheel(container: RecordingContainer, tmp_path: Path) -> None:
    work = work_with(tmp_path, test_command="check {wheel} {project}/tests")
    run(container, work)
    assert container.commands[-1][0][2] == f"check {FOLDER / work.wheel.name} {_PROJECT}/tests"


def test_test_sources_are_the_content_of_the_test_s_folder(container: RecordingContainer, tmp_path: Path) -> None:
    run(container, work_with(tmp_path, test_command="pytest", test_sources=["tests/data", "README"]))
    folder = str(FOLDER / "test-sources")
    assert container.commands[-1] == (["sh", "-c", "pytest"], folder)
    here = container.given[folder]
    found = {str(path.relative_to(here)) for path in here.rglob("*") if path.is_file()}
    assert found == {"tests/data/a.txt", "README"}


@pytest.mark.parametrize("name", ["missing", "../tiny-1.0.tar.gz", "/etc/passwd"])
def test_test_sources_must_be_in_the_sdist(name: str, container: RecordingContainer, tmp_path: Path) -> None:
    work = work_with(tmp_path, test_command="pytest", test_sources=[name])
    with pytest.raises(errors.TestFailed, match=f"the sdist has no {name}"):
        run(container, work)


def test_options_of_uv_are_given_in_the_project_s_folder_after_the_wheel(
    container: RecordingContainer, tmp_path: Path
) -> None:
    run(container, work_with(tmp_path, test_requires=["-r", "tests/requirements.txt", "pytest"]))
    (_wheel, first), (words, second) = installed(container)
    assert words == ["-r", "tests/requirements.txt", "pytest"]
    assert first == second == str(_PROJECT)
