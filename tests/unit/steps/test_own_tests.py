"""What a project's own test is given in a container: its folder, its files, its variables, in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import IO, Any, cast

import pytest

from crosswheel import errors
from crosswheel.containers.environment import EMPTY, FOLDER
from crosswheel.containers.host import Container
from crosswheel.engines.test_containers import TestContainer as OpenContainer
from crosswheel.formats.project_archive import pack_project
from crosswheel.formats.sdists import read_sdist
from crosswheel.model.adoption import ContainerMode
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import ProjectTree
from crosswheel.steps import Work
from crosswheel.system.pip_settings import PipSettings
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
    archives: list[str] = field(default_factory=list)

    def put(self, *paths: Path, to: PurePosixPath) -> None:
        self.given |= {str(to / path.name): path for path in paths}

    def put_archive(self, archive: IO[bytes]) -> None:
        self.archives.append(archive.name)

    def run(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: PurePosixPath, **_: Any) -> str:
        self.commands.append((list(argv), str(cwd)))
        self.variables.append(env)
        shown = argv[-1].rpartition("printf")[2] if "printf" in argv[-1] else ""
        return "".join(f"value of {name}\0" for name in re.findall(r"\$(\w+)", shown))


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


def run(container: RecordingContainer, work: Work, *, has_project: bool = False) -> None:
    target = work.job.target
    opened = OpenContainer(cast("Container", container), {"NET": "1"}, {}, target, PipSettings(), has_project)
    module._test_in(opened, work)


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


@pytest.mark.parametrize(
    ("requires", "installations"),
    [(["pytest"], [["--", "WHEEL", "pytest"]]), (["-e", "."], [["--", "WHEEL"], ["-e", "."]])],
)
def test_constraints_limit_all_that_is_installed(
    requires: list[str], installations: list[list[str]], container: RecordingContainer, tmp_path: Path
) -> None:
    (tmp_path / "c.txt").write_text("pytest==8.3.0  # for tests\n")
    run(container, work_with(tmp_path, test_requires=requires, test_constraint=["c.txt"]))
    file = str(FOLDER / "constraints.txt")
    assert container.given[file].read_text() == "pytest==8.3.0\n"
    found = [["WHEEL" if " @ file://" in word else word for word in words] for words, _ in installed(container)]
    assert found == [["--constraint", file, *words] for words in installations]


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


def in_its_way(work: Work, folder: Path, **mode: Any) -> Work:
    """The work as it is where the configuration is cibuildwheel's, with a folder that has more than the sdist."""
    project = folder / "whole"
    (project / "untracked").mkdir(parents=True)
    (project / "untracked" / "file").write_text("here")
    archive = folder / "project.tar"
    pack_project(project, archive, {project / "wheelhouse"})
    tree = ProjectTree(archive, "ab" * 32)
    return replace(work, sdist=replace(work.sdist, tree=tree), config=replace(work.config, mode=ContainerMode(**mode)))


def test_the_whole_project_is_at_its_place_in_cibuildwheel_s_way(container: RecordingContainer, tmp_path: Path) -> None:
    work = work_with(tmp_path, test_command="pytest {project}/untracked", test_sources=["untracked"])
    run(container, in_its_way(work, tmp_path))
    assert container.archives == [str(tmp_path / "project.tar")]
    assert container.commands[-1][0][2] == "pytest /project/untracked"
    assert (container.given[str(FOLDER / "test-sources")] / "untracked" / "file").read_text() == "here"


def test_behind_before_all_the_project_is_in_the_image(container: RecordingContainer, tmp_path: Path) -> None:
    work = in_its_way(work_with(tmp_path, test_command="ls {project}"), tmp_path, builds=True)
    run(container, work, has_project=True)
    assert container.archives == []
    assert container.commands[-1][0][2] == "ls /project"


def test_variables_are_worked_out_before_the_commands_in_order(container: RecordingContainer, tmp_path: Path) -> None:
    work = work_with(tmp_path, test_command="env", test_environment={"A": "1"})
    later = (("C", '"$B:$A"'),)
    run(container, in_its_way(work, tmp_path, environment=(("B", '"$(nproc)"'),), test_environment=later))
    (script, place) = next((words[2], cwd) for words, cwd in container.commands if "printf" in words[2])
    assert place == "/project"
    assert script.index('B="$(nproc)"') < script.index('C="$B:$A"')
    assert container.variables[-1] == {**container.variables[-1], "A": "1", "B": "value of B", "C": "value of C"}


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
