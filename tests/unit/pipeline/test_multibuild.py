"""Folders with multibuild: what is recognised, what the caller's variables select, and what a copy has."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import crosswheel as cw
from crosswheel.engines.needs import lacks
from crosswheel.errors import UsageError
from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Sdist, deaf
from crosswheel.model.multibuild import BUILD_VARIABLES, Multibuild
from crosswheel.model.targets import parse_target
from crosswheel.pipeline.multibuild import fetch_folder, needs_of, with_multibuild
from crosswheel.steps import MAKE
from crosswheel.steps.multibuild import with_multibuild as steps_with
from crosswheel.system.process import Processes
from tiny_projects import tiny_host

_ARM = parse_target("cp311-manylinux_2_28_aarch64")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a project, and config.sh that has tests."""
    made = tmp_path / "thing-wheels"
    for name, text in {
        "config.sh": "function run_tests {\n    true\n}\n",
        "multibuild/docker_build_wrap.sh": "",
        "thing/setup.py": "",
        "thing/thing.c": "int x;",
    }.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


def taken(folder: Path, environ: Mapping[str, str] | None = None, **options: object) -> Config:
    code = {name.replace("_", "-"): value for name, value in options.items()}
    config = load_config(folder, {"source": str(folder)}, code=code)
    return with_multibuild(config, folder, environ or {})


def multibuild_of(config: Config) -> Multibuild:
    assert config.multibuild
    return config.multibuild


def test_the_only_project_is_found_and_its_tests_run(folder: Path) -> None:
    config = taken(folder)
    multibuild = multibuild_of(config)
    assert multibuild.variables == {"REPO_DIR": "thing"}
    assert multibuild.project == folder / "thing"
    assert config.test.command.split(" && ") == [
        "mv {project} /io",
        "cd /io",
        "mkdir -p wheelhouse",
        "cp {wheel} wheelhouse/",
        "exec bash multibuild/docker_test_wrap.sh",
    ]
    assert taken(folder, test_command="true").test.command == "true"


def test_without_tests_of_its_own_a_wheel_is_imported(folder: Path) -> None:
    (folder / "config.sh").write_text("# run_tests is for others\nfunction pre_build { run_tests_later; }\n")
    assert taken(folder).test.command == ""


@pytest.mark.parametrize("tool", ["crosswheel", "cibuildwheel"])
def test_a_table_of_another_tool_wins(folder: Path, tool: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.{tool}]\n")
    assert taken(folder).multibuild is None


@pytest.mark.parametrize("missing", ["config.sh", "multibuild/docker_build_wrap.sh"])
def test_an_ordinary_project_stays_one(folder: Path, missing: str) -> None:
    (folder / missing).rename(folder / "other")
    (folder / "multibuild" / "more").write_text("")
    assert taken(folder).multibuild is None


def test_scripts_that_are_not_checked_out_are_missed(folder: Path) -> None:
    (folder / "multibuild" / "docker_build_wrap.sh").unlink()
    with pytest.raises(UsageError) as caught:
        taken(folder)
    assert "submodule update --init" in caught.value.hint


def test_of_several_projects_the_caller_names_one(folder: Path) -> None:
    (folder / "setup.py").write_text("")
    with pytest.raises(UsageError) as caught:
        taken(folder)
    assert "several: thing, ." in caught.value.message
    assert multibuild_of(taken(folder, {"REPO_DIR": "."})).project == folder
    with pytest.raises(UsageError, match="no such folder"):
        taken(folder, {"REPO_DIR": "nowhere"})


def test_the_variables_of_travis_select_a_target_and_an_image(folder: Path) -> None:
    environ = {
        "MB_PYTHON_VERSION": "3.12",
        "PLAT": "aarch64",
        "MB_ML_VER": "_2_28",
        "DOCKER_IMAGE": "example.org/own_$plat:1",
    }
    config = taken(folder, environ)
    assert [str(target) for target in config.targets(config.build.python)] == ["cp312-manylinux_2_28_aarch64"]
    assert config.containers.images == {"manylinux_2_28_aarch64": "example.org/own_aarch64:1"}
    musl = taken(folder, {"MB_ML_LIBC": "musllinux"})
    assert str(musl.build.policy) == "musllinux_1_1"
    flags = taken(folder, environ, python=["cp313"], policy="manylinux_2_34", image="other")
    assert [str(target) for target in flags.targets(flags.build.python)] == ["cp313-manylinux_2_34_aarch64"]
    assert flags.containers.images == {}


def test_a_python_that_is_no_cpython_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="pypy"):
        taken(folder, {"MB_PYTHON_VERSION": "pypy-3.9"})


def test_scripts_get_the_variables_that_multibuild_gives_them(folder: Path) -> None:
    multibuild = multibuild_of(taken(folder, {"BUILD_DEPENDS": "numpy cython", "TEST_DEPENDS": "pytest", "HOME": "/"}))
    environ = multibuild.build_environ(_ARM)
    assert environ.keys() - {*BUILD_VARIABLES} == {
        "BUILD_COMMANDS", "PYTHON_VERSION", "MB_PYTHON_VERSION", "PLAT", "MB_ML_VER", "MB_ML_LIBC",
    }  # fmt: skip
    assert environ["BUILD_COMMANDS"] == "build_wheel thing"
    assert (environ["BUILD_DEPENDS"], environ["WHEEL_SDIR"]) == ("numpy cython", "")
    assert (environ["MB_PYTHON_VERSION"], environ["PLAT"], environ["MB_ML_VER"]) == ("3.11", "aarch64", "_2_28")
    test = multibuild.test_environ(parse_target("cp311-manylinux2014_aarch64"))
    assert (test["TEST_DEPENDS"], test["MB_ML_VER"]) == ("pytest", "2014")
    assert "REPO_DIR" not in test


def test_the_test_of_each_target_has_its_variables(folder: Path) -> None:
    config = taken(folder).for_target(_ARM)
    assert config.test.environment["MB_PYTHON_VERSION"] == "3.11"


def test_only_containers_can_run_it(folder: Path) -> None:
    config = taken(folder)
    needs = needs_of(multibuild_of(config))
    facts: object = None
    for engine in ("cross", "dockcross"):
        assert "pypa's images" in lacks(engine, needs, _ARM, config, facts)  # type: ignore[arg-type]
    assert lacks("accelerated", needs, _ARM, config, facts) == ""  # type: ignore[arg-type]
    free = parse_target("cp313t-manylinux_2_28_aarch64")
    assert "free-threaded" in lacks("accelerated", needs, free, config, facts)  # type: ignore[arg-type]


def test_its_step_takes_the_place_of_the_build_and_its_variables_count(folder: Path) -> None:
    from crosswheel.steps.sequence import identity_of

    one, same, other = (
        steps_with(MAKE, multibuild_of(taken(folder, environ))) for environ in ({}, {}, {"BUILD_DEPENDS": "numpy"})
    )
    assert one.names == MAKE.names
    at = one.names.index("build")
    assert identity_of(one[at]) == identity_of(same[at]) != identity_of(other[at])


def test_workers_do_not_know_it(folder: Path) -> None:
    with pytest.raises(UsageError, match="not by workers"):
        cw.plan(folder, project=folder, docker_host="unix:///nowhere/one,unix:///nowhere/two")


# ---- the copy -----------------------------------------------------------------------------------------------------


def packed(folder: Path, tmp_path: Path) -> tuple[Sdist, list[str]]:
    to = tmp_path / "packed"
    to.mkdir(exist_ok=True)
    multibuild = multibuild_of(taken(folder, {"REPO_DIR": "thing"}))
    sdist = fetch_folder(multibuild, tiny_host(tmp_path), to, folder / "dist", deaf)
    with tarfile.open(sdist.path) as archive:
        return sdist, archive.getnames()


def test_a_copy_has_neither_wheels_nor_environments_and_links_stay_links(folder: Path, tmp_path: Path) -> None:
    for name in ("wheelhouse/old.whl", "dist/log", "venv/pyvenv.cfg", "thing/__pycache__/a.pyc"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "in").symlink_to("thing/setup.py")
    sdist, names = packed(folder, tmp_path)
    assert sorted(names) == [
        "io", "io/config.sh", "io/in", "io/multibuild", "io/multibuild/docker_build_wrap.sh", "io/out", "io/thing",
        "io/thing/setup.py", "io/thing/thing.c",
    ]  # fmt: skip
    assert (sdist.name, sdist.version, sdist.compiled) == ("thing", "0+unknown", True)


def test_what_is_built_is_what_counts(folder: Path, tmp_path: Path) -> None:
    def content() -> str:
        return packed(folder, tmp_path)[0].content

    before = content()
    (folder / "thing" / "setup.py").touch()
    assert content() == before
    (folder / "env_vars.sh").write_text("export CFLAGS=-O3")
    assert content() != before


def test_in_a_repository_what_git_ignores_stays_behind_and_commits_count(folder: Path, tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=one", "-c", "user.email=one@example.org")
        Processes().run(["git", *who, *words], env=os.environ, cwd=folder / "thing")

    (folder / "thing" / ".gitignore").write_text("build/\n*.so\n")
    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    first = packed(folder, tmp_path)[0]
    (folder / "thing" / "build").mkdir()
    (folder / "thing" / "build" / "x86.o").write_text("")
    (folder / "thing" / "old.so").write_text("")
    (folder / "thing" / "new.c").write_text("int y;")
    git("gc")
    again, names = packed(folder, tmp_path)
    assert "io/thing/new.c" in names
    assert "io/thing/.git/HEAD" in names
    assert not [name for name in names if "/build" in name or name.endswith(".so")]
    (folder / "thing" / "new.c").unlink()
    git("commit", "--allow-empty", "-m", "two")
    assert packed(folder, tmp_path)[0].content not in {first.content, again.content}
