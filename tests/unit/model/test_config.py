from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from crosswheel.engines import LADDER
from crosswheel.errors import UsageError
from crosswheel.model.config import ENGINES
from crosswheel.model.config_reader import load_config
from crosswheel.model.options import json_schema, options
from crosswheel.model.pyproject import project_name
from crosswheel.model.targets import PythonTag, parse_architecture, parse_policy, parse_target

HINT = "see docs/options.md, or `crosswheel --help wheels`"


def project(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text)
    return folder


def mistakes(folder: Path, **flags: Any) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load_config(folder, {name.replace("_", "-"): value for name, value in flags.items()})
    return caught.value.mistakes


def test_defaults_hold_where_nothing_is_said(tmp_path: Path) -> None:
    config = load_config(tmp_path, {})
    assert [str(arch) for arch in config.build.arch] == ["aarch64"]
    assert (config.build.source, config.build.python, config.build.policy, config.build.engine) == (
        ".",
        (),
        None,
        "auto",
    )
    assert (config.build.jobs, config.build.timeout, config.output.folder) == (0, 3600, tmp_path / "wheelhouse")
    assert (config.build.fail_fast, config.build.offline, config.build.debug_info, config.output.dry_run) == (
        False,
    ) * 4
    assert config.output.json is None
    assert (config.build.sysroots, config.build.environment, config.build.config_settings) == ({}, {}, {})


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    folder = project(tmp_path, '[tool.crosswheel]\narch = ["s390x", "x86_64"]\njobs = 3\noutput = "out"\n')
    config = load_config(folder, {"jobs": 2, "python": ["cp313"], "policy": None})
    assert [str(arch) for arch in config.build.arch] == ["s390x", "x86_64"]
    assert (config.build.jobs, config.build.python, config.build.policy) == (2, (PythonTag(13),), None)
    assert config.output.folder == tmp_path / "out"


def test_every_option_is_read(tmp_path: Path) -> None:
    (tmp_path / "arm").mkdir()
    folder = project(
        tmp_path,
        """
        [tool.crosswheel]
        policy = "musllinux_1_2"
        engine = "cross"
        timeout = 60
        download-python = "never"
        fail-fast = true
        offline = true
        debug-info = true
        sysroot = { aarch64 = "arm" }
        environment = { FAST = "1" }
        config-settings = { setup-args = ["-Dfast=true"], editable = "no" }
        """,
    )
    config = load_config(folder, {"json": "plan.json", "dry-run": True, "source": "kiwisolver"})
    assert (config.build.policy, config.build.engine, config.build.timeout) == (
        parse_policy("musllinux_1_2"),
        "cross",
        60,
    )
    assert config.build.download_python == "never"
    assert config.build.fail_fast
    assert config.build.offline
    assert config.build.debug_info
    assert config.output.dry_run
    assert config.build.sysroot(parse_architecture("aarch64")) == (tmp_path / "arm").resolve()
    assert config.build.sysroot(parse_architecture("s390x")) is None
    assert config.build.environment == {"FAST": "1"}
    assert config.build.config_settings == {"setup-args": ["-Dfast=true"], "editable": "no"}
    assert (config.output.json, config.build.source) == (tmp_path / "plan.json", "kiwisolver")


def test_every_mistake_is_told_at_once_with_its_key_and_the_nearest_right_word(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        """
        [tool.crosswheel]
        polcy = "manylinux2014"
        arch = ["arm64", "x86-64"]
        jobs = -1
        timeout = "long"
        offline = 1
        python = "cp313"
        download-python = "always"
        sysroot = { aarch46 = "nowhere" }
        environment = { FAST = 1 }
        dry-run = true
        """,
    )
    known = "known: aarch64, x86_64, armv7l, i686, ppc64le, s390x, riscv64"
    found = mistakes(folder, policy="manylinux2104", engine="cros", jbos=3, debug_info=True)
    policy = [
        line for line in found if line.startswith("policy: unknown policy 'manylinux2104' (did you mean manylinux2")
    ]
    assert len(policy) == 1
    assert [line for line in found if line not in policy] == [
        "[tool.crosswheel] polcy: no such option (did you mean policy?)",
        "[tool.crosswheel] jobs: must be a number, 0 or more, not -1",
        "[tool.crosswheel] timeout: must be a number, 0 or more, not 'long'",
        "[tool.crosswheel] offline: must be true or false, not 1",
        "[tool.crosswheel] python: must be a list of texts, not 'cp313'",
        "[tool.crosswheel] download-python: must be one of auto, never, not 'always'",
        "[tool.crosswheel] dry-run: can only be given as a flag",
        "--jbos: no such option (did you mean jobs?)",
        "--debug-info: can only be set in pyproject.toml",
        f"arch: unknown architecture 'arm64' (did you mean aarch64?); {known}",
        f"arch: unknown architecture 'x86-64' (did you mean x86_64?); {known}",
        f"engine: unknown engine 'cros' (did you mean cross?); known: {', '.join(ENGINES)}",
        "sysroot.aarch46: there is no folder 'nowhere'",
        f"sysroot.aarch46: unknown architecture 'aarch46' (did you mean aarch64?); {known}",
        "environment.FAST: must be a text, not 1",
    ]


def test_the_options_of_containers_and_tests_are_read(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        """
        [tool.crosswheel]
        docker-host = "ssh://builder"
        mirrors = ["mirror.example/pypa"]
        before-all = "dnf install -y libffi-devel"
        before-build = "python setup.py clean"
        test = "never"
        test-command = "pytest {project}/tests"
        test-requires = ["pytest"]
        test-extras = ["speedups"]
        test-images = ["python:3.13-slim"]

        [tool.crosswheel.engines]
        "cp313-*" = "emulated"

        [tool.crosswheel.images]
        manylinux2014_aarch64 = "under-the-short-name:1"
        manylinux_2_28_aarch64 = "localhost:5000/mine:2"
        """,
    )
    config = load_config(folder, {})
    assert (config.containers.docker_host, config.containers.mirrors) == ("ssh://builder", ("mirror.example/pypa",))
    assert (config.build.before_all, config.build.before_build) == (
        "dnf install -y libffi-devel",
        "python setup.py clean",
    )
    assert (config.test.mode, config.test.command) == ("never", "pytest {project}/tests")
    assert (config.test.requires, config.test.extras) == (("pytest",), ("speedups",))
    assert config.test.images == ("python:3.13-slim",)
    images = {
        "cp313-manylinux2014_aarch64": "under-the-short-name:1",
        "cp313-manylinux_2_28_aarch64": "localhost:5000/mine:2",
        "cp313-manylinux_2_28_x86_64": "",
    }
    assert {target: config.image_for(parse_target(target)) for target in images} == images
    assert {load_config(folder, {"image": "one:3"}).image_for(parse_target(target)) for target in images} == {"one:3"}
    assert config.build.engine_for(parse_target("cp313-manylinux_2_28_x86_64")) == "emulated"
    assert config.build.engine_for(parse_target("cp312-manylinux_2_28_x86_64")) == "auto"


def test_a_platform_may_be_written_in_both_of_its_ways(tmp_path: Path) -> None:
    folder = project(tmp_path, '[tool.crosswheel.images]\nmanylinux_2_17_aarch64 = "perennial:1"\n')
    assert load_config(folder, {}).image_for(parse_target("cp313-manylinux2014_aarch64")) == "perennial:1"
    for name in ("manylinux_2_17_aarch64", "manylinux2014_aarch64"):
        folder = project(tmp_path, f'[tool.crosswheel.engines]\n"*-{name}" = "emulated"\n')
        assert load_config(folder, {}).build.engine_for(parse_target("cp313-manylinux2014_aarch64")) == "emulated"


def test_images_of_dockcross_are_named_apart_and_a_flag_names_that_of_the_engine(tmp_path: Path) -> None:
    table = 'manylinux2014_aarch64 = "tested:1"\ndockcross.manylinux2014_aarch64 = "built:2"\n'
    folder = project(tmp_path, f"[tool.crosswheel.images]\n{table}")
    target = parse_target("cp313-manylinux2014_aarch64")

    def images(**flags: str) -> tuple[str, str]:
        config = load_config(folder, flags)
        return config.image_for(target), config.image_for(target, "dockcross")

    assert images() == ("tested:1", "built:2")
    assert images(image="flag:3") == ("flag:3", "built:2")
    assert images(image="flag:3", engine="dockcross") == ("tested:1", "flag:3")
    mistaken = project(tmp_path, "[tool.crosswheel.images.dockcross]\nmanylinux_2_28 = 1\n")
    assert mistakes(mistaken) == [
        "images.dockcross.manylinux_2_28: unknown platform 'manylinux_2_28': write it as manylinux_2_28_aarch64",
        "images.dockcross.manylinux_2_28: must be a text, not 1",
    ]


def test_every_mistake_in_tables_and_choices_is_told_at_once(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        """
        [tool.crosswheel]
        image = "flag:only"
        test = "always"
        test-requires = "pytest"
        mirrors = [1]

        [tool.crosswheel.engines]
        "*-musllinux*" = "emulatd"
        "cp313-*" = 1

        [tool.crosswheel.images]
        manylinux_2_28 = "no:arch"
        manylinux_2_99_aarch64 = "no:policy"
        manylinux_2_28_aarch64 = 2
        """,
    )
    known = f"known: {', '.join(ENGINES)}"
    found = mistakes(folder, target="cp313-aarch64", fix=1)
    policy = [
        line for line in found if line.startswith("images.manylinux_2_99_aarch64: unknown policy 'manylinux_2_99'")
    ]
    assert len(policy) == 1
    assert [line for line in found if line not in policy] == [
        "[tool.crosswheel] image: can only be given as a flag (did you mean images?)",
        "[tool.crosswheel] test: must be one of auto, never, not 'always'",
        "[tool.crosswheel] test-requires: must be a list of texts, not 'pytest'",
        "[tool.crosswheel] mirrors: must be a list of texts, not [1]",
        "--fix: must be true or false, not 1",
        f"engines.*-musllinux*: unknown engine 'emulatd' (did you mean emulated?); {known}",
        f"engines.cp313-*: unknown engine 1; {known}",
        "images.manylinux_2_28: unknown platform 'manylinux_2_28': write it as manylinux_2_28_aarch64",
        "images.manylinux_2_28_aarch64: must be a text, not 2",
        "target: unknown target 'cp313-aarch64': write it as cp313-manylinux_2_28_aarch64",
    ]


def test_config_settings_are_texts_or_lists_of_texts(tmp_path: Path) -> None:
    folder = project(tmp_path, "[tool.crosswheel.config-settings]\na = 1\nb = [true]\nc = ['x']\n")
    assert mistakes(folder) == [
        "config-settings.a: must be a text or a list of texts, not 1",
        "config-settings.b: must be a text or a list of texts, not [True]",
    ]


def test_the_table_must_be_a_table(tmp_path: Path) -> None:
    assert mistakes(project(tmp_path, "[tool]\ncrosswheel = 1\n")) == ["[tool.crosswheel] must be a table, not 1"]
    assert mistakes(project(tmp_path, "tool = 1\n")) == ["[tool.crosswheel] must be a table, not 1"]


@pytest.mark.parametrize("broken", [b"[tool", b"a = '\xff'"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(broken)
    with pytest.raises(UsageError, match=r"pyproject\.toml is not valid TOML: ") as caught:
        load_config(tmp_path, {})
    assert caught.value.hint == "correct pyproject.toml"


def test_the_engines_of_the_configuration_are_those_there_are() -> None:
    assert ("auto", *LADDER) == ENGINES


def test_the_schema_is_valid_and_takes_every_default(tmp_path: Path) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({name: row["default"] for name, row in schema["properties"].items()}, schema)
    assert set(schema["properties"]) == {name for name, option in options().items() if option.where != "flag"}


@pytest.mark.parametrize(
    "table",
    [{"polcy": ""}, {"jobs": -1}, {"jobs": "2"}, {"python": "cp313"}, {"offline": 1}, {"download-python": "always"}],
)
def test_the_schema_refuses_what_the_configuration_refuses(tmp_path: Path, table: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(table, json_schema())
    (value,) = table.values()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    assert len(mistakes(project(tmp_path, f"[tool.crosswheel]\n{next(iter(table))} = {text}\n"))) == 1


def test_what_is_named_twice_is_built_once(tmp_path: Path) -> None:
    config = load_config(tmp_path, {"python": ["cp313", "3.12", "py313"], "arch": ["riscv64", "riscv64"]})
    assert list(map(str, config.build.python)) == ["cp313", "cp312"]
    assert list(map(str, config.build.arch)) == ["riscv64"]


def test_rules_are_switched_off_with_their_reasons(tmp_path: Path) -> None:
    folder = project(tmp_path, '[tool.crosswheel]\nignore = { W302 = "loaded by our launcher", W707 = "not free" }\n')
    assert load_config(folder, {}).audit.ignore == {"W302": "loaded by our launcher", "W707": "not free"}


def test_whatever_is_wrong_with_rules_that_are_switched_off_is_told_at_once(tmp_path: Path) -> None:
    folder = project(
        tmp_path, '[tool.crosswheel]\narch = ["arm"]\nignore = { W302 = " ", W3O1 = "a letter", W401 = true, x = "" }\n'
    )
    listed = "`crosswheel audit --rules` lists them"
    wanted = "must be the reason why the rule is switched off, not"
    with pytest.raises(UsageError) as error:
        load_config(folder, {}, lambda: ("W301", "W302", "W401"))
    found = error.value.mistakes
    assert found[0].startswith("arch: ")
    assert found[1:] == [
        f"ignore.W302: {wanted} ' '",
        f"ignore.W3O1: no such rule (did you mean W301?); {listed}",
        f"ignore.W401: {wanted} True",
        f"ignore.x: no such rule; {listed}",
        f"ignore.x: {wanted} ''",
    ]


def test_rules_are_not_switched_off_by_a_flag(tmp_path: Path) -> None:
    assert mistakes(tmp_path, ignore={"W302": "no"}) == ["--ignore: can only be set in pyproject.toml"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[project]\nname = "Tiny.Name"\n[tool.crosswheel]\n', "tiny-name"),
        ('[project]\nname = "tiny"\n', ""),
        ("[tool.crosswheel]\n", ""),
        ("[project]\nname = 1\n[tool.crosswheel]\n", ""),
        ("project = 1\ntool = 2\n", ""),
    ],
)
def test_the_project_that_a_configuration_is_of(tmp_path: Path, text: str, name: str) -> None:
    assert project_name(project(tmp_path, text)) == name


def test_no_project_has_no_name(tmp_path: Path) -> None:
    assert project_name(tmp_path) == ""


def test_files_of_constraints_are_read_with_what_they_include(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("cython \\\n  ==3.1.2\n--requirement=b.txt\n")
    (tmp_path / "b.txt").write_text("# nothing\nnumpy<2.4 ; python_version < '3.14'\n")
    config = load_config(tmp_path, {}, code={"build-constraint": ["a.txt"]})
    assert config.build.build_constraint == ("cython    ==3.1.2", "numpy<2.4 ; python_version < '3.14'")


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "No such file"), ("-r a.txt\n", "include each other"), ("-c /etc/hostname\n", "outside of the project")],
)
def test_a_file_of_constraints_that_cannot_be_read_is_a_mistake(text: str | None, words: str, tmp_path: Path) -> None:
    if text:
        (tmp_path / "a.txt").write_text(text)
    with pytest.raises(UsageError, match=words):
        load_config(tmp_path, {}, code={"build-constraint": ["a.txt"]})
