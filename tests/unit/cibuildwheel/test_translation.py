from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crosswheel.cibuildwheel.release import Release
from crosswheel.cibuildwheel.resolution import Assignment, Build, Resolution
from crosswheel.cibuildwheel.translation import translate
from crosswheel.model.adoption import Adoption
from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.targets import Target, parse_target

_IMAGE = "quay.io/pypa/manylinux_2_28_aarch64:2026.03.20-1"
_TARGET = parse_target("cp312-manylinux_2_28_aarch64")
_PLAIN = Build(
    identifier="cp312-manylinux_aarch64",
    written=(),
    image=_IMAGE,
    environment=(),
    config_settings=(),
    front_end=("build",),
    before_all="",
    before_build="",
    repair="auditwheel repair -w {dest_dir} {wheel}",
    tested=True,
    test_command="",
    before_test="",
    test_requires=(),
    test_extras="",
    test_sources=(),
    test_environment=(),
    create_args=(),
)
_MARKS = {
    "CIBUILDWHEEL": "1",
    "CIBUILDWHEEL_BUILD_IDENTIFIER": "cp312-manylinux_aarch64",
    "AUDITWHEEL_POLICY": "manylinux_2_28",
    "AUDITWHEEL_ARCH": "aarch64",
    "AUDITWHEEL_PLAT": "manylinux_2_28_aarch64",
}


def adopt(
    folder: Path, *builds: Build, environ: Mapping[str, str] | None = None, **flags: Any
) -> tuple[Adoption, Config]:
    config = load_config(folder, {name.replace("_", "-"): value for name, value in flags.items()})
    resolution = Resolution("4.3.5", ("aarch64",), builds)
    adoption = translate(resolution, Release("==4.3.5"), config, environ or {}, folder)
    return adoption, replace(config, adoption=adoption)


def one(folder: Path, target: Target = _TARGET, **fields: Any) -> Config:
    """The configuration of the target that a build with these fields becomes; they count as written."""
    written = tuple(name.replace("_", "-") for name in fields)
    adoption, config = adopt(folder, replace(_PLAIN, **{"written": written, **fields}))
    assert list(adoption.targets) == [target], adoption.left_out
    return config.for_target(target)


def stopped(folder: Path, **fields: Any) -> str:
    adoption, _config = adopt(folder, replace(_PLAIN, **fields))
    assert not adoption.targets
    (left_out,) = adoption.left_out
    assert left_out.asked_for
    assert left_out.what == fields.get("identifier", _PLAIN.identifier)
    assert not {option for option, use in uses(adoption) if use == "taken"} & {
        option for option, use in uses(adoption) if use == "unsupported"
    }
    return left_out.reason


def uses(adoption: Adoption) -> set[tuple[str, str]]:
    return {(option.option, option.use) for option in adoption.options}


def test_an_identifier_and_its_image_become_a_target(tmp_path: Path) -> None:
    config = one(tmp_path)
    assert config.image_for(_TARGET) == _IMAGE
    assert config.build.environment == _MARKS
    assert config.test.environment == _MARKS
    assert config.test.mode == "auto"
    assert config.build.wider_tags


def test_other_targets_have_the_configuration_that_all_share(tmp_path: Path) -> None:
    _adoption, config = adopt(tmp_path, replace(_PLAIN, before_build="make"))
    other = parse_target("cp313-manylinux_2_28_aarch64")
    assert config.for_target(_TARGET).build.before_build == "make"
    assert config.for_target(other) is config


@pytest.mark.parametrize(
    ("image", "target"),
    [
        ("quay.io/pypa/manylinux2014_aarch64@sha256:00", "cp312-manylinux2014_aarch64"),
        ("ghcr.io/h5py/manylinux_2_34_aarch64-hdf5", "cp312-manylinux_2_34_aarch64"),
    ],
)
def test_the_image_s_name_says_the_policy(image: str, target: str, tmp_path: Path) -> None:
    assert one(tmp_path, parse_target(target), image=image).image_for(parse_target(target)) == image


def test_auditwheel_plat_wins_over_the_image_s_name(tmp_path: Path) -> None:
    plat = Assignment("AUDITWHEEL_PLAT", "manylinux2014_aarch64")
    config = one(tmp_path, parse_target("cp312-manylinux2014_aarch64"), environment=(plat,))
    assert config.build.environment["AUDITWHEEL_PLAT"] == "manylinux2014_aarch64"


def test_commands_are_taken_and_need_a_container(tmp_path: Path) -> None:
    config = one(tmp_path, before_all="sh {package}/all.sh", before_build="pip install x", written=("before-all",))
    assert config.build.before_all == "sh {project}/all.sh"
    assert config.build.before_build == "pip install x"
    assert config.builds_in_containers


@pytest.mark.parametrize(
    "fields",
    [
        {"before_build": "sh /project/x.sh"},
        {"environment": (Assignment("A", runs=True, text='"$(nproc)"'),)},
        {"environment": (Assignment("PATH", needs=("PATH",), text='"/x:$PATH"'),)},
        {"environment": (Assignment("A", "/project/x"),)},
        {"config_settings": ("a={project}/x",)},
        {"repair": "python repair.py {wheel}", "written": ("repair-wheel-command",)},
    ],
    ids=str,
)
def test_what_only_a_container_can_do_is_done_in_one(fields: dict[str, Any], tmp_path: Path) -> None:
    assert one(tmp_path, **{"written": (), **fields}).builds_in_containers


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"environment": (Assignment("A", "projects"),), "config_settings": ("a=b",)},
        {"test_command": "pytest {project}/tests", "before_test": "ls /project"},
        {"test_environment": (Assignment("PATH", needs=("PATH",), text='"/x:$PATH"'),)},
        {"repair": "auditwheel repair --strip -w {dest_dir} {wheel}", "written": ("repair-wheel-command",)},
    ],
    ids=str,
)
def test_other_builds_are_left_to_any_engine(fields: dict[str, Any], tmp_path: Path) -> None:
    assert not one(tmp_path, **{"written": (), **fields}).builds_in_containers


def test_a_container_works_out_the_values_that_only_it_knows(tmp_path: Path) -> None:
    given = (Assignment("A", "1"), Assignment("N", runs=True, text='"$(nproc)"'))
    later = (Assignment("PATH", needs=("PATH",), text="$PATH:/x"),)
    config = one(tmp_path, environment=given, test_environment=later)
    assert config.mode
    assert (config.mode.environment, config.mode.test_environment) == (
        (("N", '"$(nproc)"'),),
        (("PATH", "$PATH:/x"),),
    )
    assert config.build.environment == {**_MARKS, "A": "1"}


def test_a_folder_of_the_container_is_filled_into_config_settings(tmp_path: Path) -> None:
    config = one(tmp_path, config_settings=("a={project}/x", "b={package}"))
    assert config.build.config_settings == {"a": "/project/x", "b": "/project"}


def test_config_settings_with_one_name_become_a_list(tmp_path: Path) -> None:
    config = one(tmp_path, config_settings=("a=1", "b=x=y", "a=2", "a=3"))
    assert config.build.config_settings == {"a": ["1", "2", "3"], "b": "x=y"}


def test_variables_reach_builds_and_tests_and_the_caller_s_are_passed(tmp_path: Path) -> None:
    environment = (Assignment("HIS", passed=True), Assignment("NONE", passed=True), Assignment("OURS", "a b"))
    build = replace(_PLAIN, environment=environment, test_environment=(Assignment("OURS", "test"),))
    _adoption, config = adopt(tmp_path, build, environ={"HIS": "secret"})
    config = config.for_target(_TARGET)
    assert config.build.environment == {**_MARKS, "HIS": "secret", "OURS": "a b"}
    assert config.test.environment == {**_MARKS, "HIS": "secret", "OURS": "test"}


def test_tests_are_taken(tmp_path: Path) -> None:
    config = one(
        tmp_path,
        test_command="pytest {package}/tests {wheel}",
        before_test="apk add x",
        test_requires=("pytest>=8", "-r", "requirements/test.txt"),
        test_extras="a, b",
        test_sources=("tests",),
    )
    assert config.test.command == "pytest {project}/tests {wheel}"
    assert config.test.before == "apk add x"
    assert config.test.requires == ("pytest>=8", "-r", "requirements/test.txt")
    assert config.test.has_arguments
    assert config.test.extras == ("a", "b")
    assert config.test.sources == ("tests",)


def test_test_skip_leaves_out_the_test_alone(tmp_path: Path) -> None:
    config = one(tmp_path, tested=False, test_command="pytest", test_requires=("--index-url", "x"))
    assert (config.test.mode, config.test.command) == ("never", "")


@pytest.mark.parametrize(
    ("command", "strip", "exclude"),
    [
        ("auditwheel repair --strip -w {dest_dir} {wheel}", True, ()),
        (
            "auditwheel repair --exclude libcuda.so.1 --exclude=liba* -w {dest_dir} {wheel}",
            False,
            ("libcuda.so.1", "liba*"),
        ),
        ("auditwheel -v repair {wheel}", None, None),
        ("auditwheel repair --only-plat -w {dest_dir} {wheel}", False, ()),
        ("auditwheel repair --plat manylinux_2_28_aarch64 --wheel-dir={dest_dir} {wheel}", False, ()),
        ("auditwheel repair --plat manylinux2014_aarch64 {wheel}", None, None),
        ("auditwheel repair -w {dest_dir} {wheel} && abi3audit {wheel}", None, None),
        ("python repair.py {wheel}", None, None),
        ("auditwheel 'repair", None, None),
        ("", False, ()),
    ],
)
def test_a_repair_command_is_ours_if_it_does_the_same_and_the_container_s_otherwise(
    command: str, strip: bool | None, exclude: tuple[str, ...] | None, tmp_path: Path
) -> None:
    fields: dict[str, Any] = {"repair": command, "written": ("repair-wheel-command",)}
    config = one(tmp_path, **fields)
    assert config.mode
    assert config.mode.repair == ("" if strip is not None else command)
    if strip is not None:
        assert (config.build.strip, config.audit.exclude) == (strip, exclude)
        assert config.build.wider_tags == ("--only-plat" not in command)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"identifier": "pp311-manylinux_aarch64"}, "CPython only"),
        ({"identifier": "gp313_253-manylinux_aarch64"}, "CPython only"),
        ({"identifier": "cp399-manylinux_aarch64"}, "unknown Python tag"),
        ({"identifier": "cp312-manylinux_sparc"}, "unknown architecture"),
        ({"identifier": "cp312"}, "does not know"),
        ({"image": "registry/own:1"}, "registry/own:1 does not say its policy"),
        ({"image": "quay.io/pypa/manylinux2099_9"}, "policy"),
        ({"create_args": ("--network", "host")}, "container-engine: create-args: --network host"),
        ({"front_end": ("build", "--no-isolation")}, "build-frontend: arguments of the front end: --no-isolation"),
        ({"before_all": "ls /host/tmp"}, "before-all: it names /host"),
        (
            {"repair": "cp {wheel} /host/x", "written": ("repair-wheel-command",)},
            "repair-wheel-command: it names /host",
        ),
        ({"environment": (Assignment("A", runs=True, text='"$(ls /host)"'),)}, "environment: it names /host"),
        ({"environment": (Assignment("A", "/host/x"),)}, "environment: it names /host"),
        ({"test_environment": (Assignment("A", runs=True, text='"$(id)"'),)}, "test-environment: A is the output"),
        ({"test_requires": ("--index-url", "x")}, "test-requires: options that uv does not have: --index-url"),
        ({"config_settings": ("a=/host/x",)}, "config-settings: it names /host"),
    ],
)
def test_what_cannot_be_taken_stops_its_target_by_name(fields: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in stopped(tmp_path, **fields)


def test_what_only_tests_cannot_have_is_left_out_with_the_way_around(tmp_path: Path) -> None:
    build = replace(_PLAIN, test_requires=("--index-url", "x"), written=("test-requires",))
    adoption, _config = adopt(tmp_path, build)
    assert adoption.left_out[0].hint == "the same command with --test never"
    adoption, config = adopt(tmp_path, build, test="never")
    assert list(adoption.targets) == [_TARGET]
    assert uses(adoption) == {("test-requires", "without effect")}
    assert config.for_target(_TARGET).test.mode == "never"


def test_what_makes_no_difference_is_said(tmp_path: Path) -> None:
    written = ("build-verbosity", "build-frontend", "container-engine", "audit-command", "dependency-versions")
    adoption, _config = adopt(tmp_path, replace(_PLAIN, written=written, front_end=("build[uv]",)))
    assert uses(adoption) == {(name, "without effect") for name in written}


def test_settings_of_installers_are_named_where_crosswheel_installs_itself(tmp_path: Path) -> None:
    given = (Assignment("PIP_PRE", "1"), Assignment("UV_INDEX", "x"), Assignment("PIP_ROOT_USER_ACTION", ""))
    adoption, config = adopt(tmp_path, replace(_PLAIN, written=("environment",), environment=given))
    assert uses(adoption) == {("environment", "taken"), ("environment", "without effect")}
    assert [option.why for option in adoption.options if option.why] == [
        "on what crosswheel's own uv installs: PIP_PRE, UV_INDEX"
    ]
    assert config.for_target(_TARGET).build.environment["PIP_PRE"] == "1"


@pytest.mark.parametrize(
    ("front_end", "constraints"),
    [
        ("build", ("cython==3.1.2", "multidict==6.4.4")),
        ("pip", ("cython==3.1.2", "multidict==6.4.4", "setuptools<81")),
        ("build[uv]", ()),
    ],
)
def test_constraints_of_the_front_end_limit_build_requirements(
    front_end: str, constraints: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "cython.txt").write_text("cython==3.1.2  # pinned\n-c more.txt\n\n# end\n")
    (tmp_path / "more.txt").write_text("multidict==6.4.4\n")
    (tmp_path / "setuptools.txt").write_text("setuptools<81\n")
    given = (Assignment("PIP_CONSTRAINT", "cython.txt"), Assignment("PIP_BUILD_CONSTRAINT", "/project/setuptools.txt"))
    build = replace(_PLAIN, written=("environment",), environment=given, front_end=(front_end,))
    _adoption, config = adopt(tmp_path, build)
    assert config.for_target(_TARGET).build.build_constraint == constraints


@pytest.mark.parametrize("name", ["c.txt", "../c.txt", "/etc/hostname", "link.txt"])
def test_constraints_that_the_project_does_not_have_stop_the_target(name: str, tmp_path: Path) -> None:
    """Also those that only this machine has."""
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "c.txt").write_text("secret\n")
    (project / "link.txt").symlink_to("../c.txt")
    given = (Assignment("PIP_CONSTRAINT", name),)
    assert f"PIP_CONSTRAINT names a file that the project does not have: {name}" in stopped(project, environment=given)


@pytest.mark.parametrize(
    ("front_end", "constraints"), [("build", ("pytest==8.3.0",)), ("pip", ("pytest==8.3.0",)), ("uv", ())]
)
def test_constraints_of_the_front_end_limit_what_tests_install(
    front_end: str, constraints: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "all.txt").write_text("cython==3.1.2\n")
    (tmp_path / "tests.txt").write_text("pytest==8.3.0\n")
    given, own = (Assignment("PIP_CONSTRAINT", "/project/all.txt"),), (Assignment("PIP_CONSTRAINT", "tests.txt"),)
    build = replace(_PLAIN, written=("environment",), environment=given, front_end=(front_end,))
    _adoption, config = adopt(tmp_path, build)
    found = config.for_target(_TARGET)
    assert found.test.constraint == found.build.build_constraint == (("cython==3.1.2",) if constraints else ())
    # The test's own environment wins for tests.
    _adoption, config = adopt(tmp_path, replace(build, test_environment=own))
    found = config.for_target(_TARGET)
    assert found.test.constraint == constraints
    assert found.build.build_constraint == (("cython==3.1.2",) if constraints else ())


def test_a_constraint_of_the_test_alone_stops_only_the_test(tmp_path: Path) -> None:
    given = (Assignment("PIP_CONSTRAINT", "c.txt"),)
    reason = "test-environment: PIP_CONSTRAINT names a file that the project does not have: c.txt"
    assert stopped(tmp_path, test_environment=given) == reason


def test_a_constraint_that_only_a_container_knows_stops_the_target(tmp_path: Path) -> None:
    given = (Assignment("PIP_CONSTRAINT", text="$(pwd)/c.txt", runs=True),)
    assert "only a container knows the file that PIP_CONSTRAINT names" in stopped(tmp_path, environment=given)


def test_uv_s_no_config_changes_nothing(tmp_path: Path) -> None:
    build = replace(_PLAIN, written=("build-frontend",), front_end=("build[uv]", "--no-config"))
    adoption, _config = adopt(tmp_path, build)
    assert uses(adoption) == {("build-frontend", "without effect")}


# ---- what is given wins ---------------------------------------------------------------------------------------


def test_a_requested_python_and_policy_choose_among_the_identifiers(tmp_path: Path) -> None:
    musl = replace(_PLAIN, identifier="cp312-musllinux_aarch64", image="quay.io/pypa/musllinux_1_2_aarch64")
    newer = replace(_PLAIN, identifier="cp313-manylinux_aarch64")
    adoption, _config = adopt(tmp_path, _PLAIN, newer, musl, python=["cp312"])
    assert list(map(str, adoption.targets)) == ["cp312-manylinux_2_28_aarch64", "cp312-musllinux_1_2_aarch64"]
    adoption, config = adopt(tmp_path, _PLAIN, newer, musl, policy="manylinux2014")
    assert list(map(str, adoption.targets)) == ["cp312-manylinux2014_aarch64", "cp313-manylinux2014_aarch64"]
    # An image of a newer policy is no place for an older one.
    assert config.for_target(next(iter(adoption.targets))).containers.images == {}


def test_requested_architectures_leave_those_of_the_project_without_effect(tmp_path: Path) -> None:
    build = replace(_PLAIN, written=("archs", "build"))
    assert uses(adopt(tmp_path, build)[0]) == {("archs", "taken"), ("build", "taken")}
    assert uses(adopt(tmp_path, build, arch=["aarch64"])[0]) == {("archs", "without effect"), ("build", "taken")}


def test_a_python_that_is_not_selected_is_left_out(tmp_path: Path) -> None:
    adoption, _config = adopt(tmp_path, _PLAIN, python=["cp311"])
    assert [entry.what for entry in adoption.left_out] == ["cp311"]
    adoption, _config = adopt(tmp_path)
    assert "selects no Linux build" in adoption.left_out[0].reason


def test_options_from_code_win(tmp_path: Path) -> None:
    build = replace(_PLAIN, before_build="theirs", config_settings=("a=1",), written=("before-build",))
    config = load_config(tmp_path, {}, code={"before-build": "ours"})
    adoption = translate(Resolution("4.3.5", ("aarch64",), (build,)), Release("=="), config, {}, tmp_path)
    config = replace(config, adoption=adoption).for_target(_TARGET)
    assert (config.build.before_build, config.build.config_settings) == ("ours", {"a": "1"})
    assert ("before-build", "without effect") in uses(adoption)
