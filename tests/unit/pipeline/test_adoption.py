from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from crosswheel.cibuildwheel.reader import Question
from crosswheel.cibuildwheel.release import Release
from crosswheel.cibuildwheel.resolution import Resolution, parse_resolution
from crosswheel.model.config import Config
from crosswheel.model.config_reader import changed, load_config
from crosswheel.model.job import Interpreter, LeftOut, Plan, Sdist, deaf
from crosswheel.model.targets import PythonTag, load_table, parse_target
from crosswheel.pipeline import adoption as adopting
from crosswheel.pipeline.adoption import adopted, not_taken, pack_whole_project, with_project
from crosswheel.pipeline.plan import make_plan
from crosswheel.reporting.document import plan_document
from crosswheel.reporting.run import plan_text
from crosswheel.system.local_host import LocalHost
from schemas import schema_of
from tiny_projects import PKG_INFO, PYTHONS, tar_of, tiny_host

_TABLE = b"[tool.cibuildwheel]\nbuild = 'cp31*'\n"
_ENTRY: dict[str, Any] = {
    "written": ["build"], "environment": [], "config_settings": [], "front_end": ["build"], "before_all": "",
    "before_build": "", "repair": "", "tested": True, "test_command": "", "before_test": "", "test_requires": [],
    "test_extras": "", "test_sources": [], "test_environment": [], "create_args": [],
}  # fmt: skip
_MANY = {"image": "quay.io/pypa/manylinux_2_28_aarch64:1", **_ENTRY}
_MUSL = {"image": "quay.io/pypa/musllinux_1_2_aarch64:1", **_ENTRY}


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    return tiny_host(tmp_path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Release, Question, str]]:
    """What cibuildwheel's reader is asked; its answer here has three identifiers, one of which is stopped."""
    questions: list[tuple[Release, Question, str]] = []
    identifiers = [
        {**_MANY, "identifier": "cp311-manylinux_aarch64", "before_build": "make"},
        {**_MUSL, "identifier": "cp312-musllinux_aarch64"},
        {**_MANY, "identifier": "cp313-manylinux_aarch64", "create_args": ["--network=host"]},
    ]

    def resolve(_folder: Path, release: Release, question: Question, *_: Any) -> Resolution:
        questions.append((release, question, str(_[-1])))
        return parse_resolution({"version": "4.3.5", "archs": ["aarch64"], "identifiers": identifiers})

    monkeypatch.setattr(adopting, "resolve", resolve)
    return questions


def written(folder: Path, text: bytes = _TABLE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_bytes(text)
    return folder


def adopt(folder: Path, host: LocalHost, **flags: Any) -> Config:
    config = load_config(folder, {"source": str(folder), **flags})
    return adopted(config, folder, host, deaf)


def plan_of(config: Config) -> Plan:
    here = {tag: Interpreter(tag, f"{tag.version}.1", Path("/python")) for tag in PYTHONS}
    return make_plan(config, "", here, ("cross",), lambda _engine, target: here[target.python])


Asked = list[tuple[Release, Question, str]]


# ---- when it counts -------------------------------------------------------------------------------------------


def test_it_counts_where_there_is_no_table_of_ours(asked: Asked, host: LocalHost, tmp_path: Path) -> None:
    config = adopt(written(tmp_path / "project"), host)
    assert config.adoption
    assert list(map(str, config.adoption.targets)) == ["cp311-manylinux_2_28_aarch64", "cp312-musllinux_1_2_aarch64"]
    assert config.build.python == (PythonTag(11), PythonTag(12))
    release = Release(f"=={load_table('cibuildwheel.toml')['version']}")
    assert asked == [(release, Question("", "aarch64", {}), "")]
    assert adopted(config, tmp_path, host, deaf) is config


@pytest.mark.parametrize(
    "text",
    [b"", b"[tool.other]\n", _TABLE + b"[tool.crosswheel]\n", _TABLE + b"[tool.crosswheel]\npython = ['cp311']\n"],
)
def test_elsewhere_nothing_is_asked(text: bytes, asked: Asked, host: LocalHost, tmp_path: Path) -> None:
    assert adopt(written(tmp_path / "project", text), host).adoption is None
    assert asked == []


def test_variables_of_the_caller_count_without_a_table(asked: Asked, host: LocalHost, tmp_path: Path) -> None:
    its_own = {"CIBW_PLATFORM": "linux", "CIBW_OUTPUT_DIR": "x", "CIBW_DEBUG_TRACEBACK": "1"}
    folder = written(tmp_path / "project", b"")
    assert adopt(folder, replace(host, environ={**host.environ, **its_own})).adoption is None
    assert adopt(folder, replace(host, environ={**host.environ, **its_own, "CIBW_SKIP": "pp*"})).adoption
    assert asked[0][1].variables == {"CIBW_SKIP": "pp*"}


def test_requested_architectures_are_asked_for(asked: Asked, host: LocalHost, tmp_path: Path) -> None:
    adopt(written(tmp_path / "project"), host, arch=["riscv64", "aarch64"])
    assert asked[0][1] == Question("riscv64,aarch64", "riscv64", {})


def test_an_sdist_has_a_configuration_of_its_own(asked: Asked, host: LocalHost, tmp_path: Path) -> None:
    sdist = tar_of({"PKG-INFO": PKG_INFO, "pyproject.toml": _TABLE}, tmp_path)
    empty = written(tmp_path / "empty", b"")
    config = load_config(empty, {"source": str(sdist)})
    assert adopted(config, empty, host, deaf).adoption
    assert len(asked[0][2]) == 64
    ours = written(tmp_path / "ours", b"[tool.crosswheel]\n")
    assert adopted(config, ours, host, deaf) is config
    index = load_config(empty, {"source": "kiwisolver==1.4.9"})
    assert adopted(index, empty, host, deaf) is index


def test_only_workflows_of_projects_without_a_table_of_ours_are_looked_at(host: LocalHost, tmp_path: Path) -> None:
    folder = written(tmp_path / "project")
    (folder / ".github" / "workflows").mkdir(parents=True)
    (folder / ".github" / "workflows" / "w.yml").write_text("env:\n  CIBW_SKIP: pp*\n")
    config = load_config(folder, {"source": str(folder)})
    assert [value.name for value in not_taken(config, folder)] == ["CIBW_SKIP"]
    written(folder, b"[tool.crosswheel]\n")
    assert not_taken(config, folder) == ()


# ---- the plan -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("asked")
def test_the_plan_has_a_job_for_each_target_and_the_reasons_for_the_others(host: LocalHost, tmp_path: Path) -> None:
    plan = plan_of(adopt(written(tmp_path / "project"), host))
    assert [str(job.target) for job in plan.jobs] == ["cp311-manylinux_2_28_aarch64", "cp312-musllinux_1_2_aarch64"]
    reason = "container-engine: create-args: --network=host"
    hint = "pipx run cibuildwheel --only IDENTIFIER"
    assert plan.left_out == (LeftOut("cp313-manylinux_aarch64", reason, hint, asked_for=True),)


@pytest.mark.usefixtures("asked")
def test_text_and_json_say_what_becomes_of_each_option(host: LocalHost, tmp_path: Path) -> None:
    folder = written(tmp_path / "project")
    (folder / "requirements.txt").write_text("cibuildwheel==4.3.5\n")
    (folder / ".travis.yml").write_text("env:\n  CIBW_BUILD: cp313-*\n")
    config = adopt(folder, host)
    plan = replace(plan_of(config), not_taken=not_taken(config, folder))
    text = plan_text(plan)
    assert "as configured for cibuildwheel, read by its release 4.3.5 (pinned in requirements.txt)" in text
    assert "  taken           build\n" in text
    assert "  unsupported     container-engine for cp313-manylinux_aarch64: create-args: --network=host\n" in text
    assert "  .travis.yml:2: CIBW_BUILD=cp313-*\n" in text
    document = json.loads(json.dumps(plan_document(plan)))
    jsonschema.validate(document, schema_of("report"))
    assert document["cibuildwheel"]["version"] == "4.3.5"
    assert [entry["use"] for entry in document["cibuildwheel"]["options"]].count("unsupported") == 1
    assert document["cibuildwheel"]["not_taken"] == [
        {"file": ".travis.yml", "line": 2, "name": "CIBW_BUILD", "value": "cp313-*"}
    ]
    assert "cibuildwheel" not in plan_document(Plan("."))


@pytest.mark.usefixtures("asked")
def test_options_that_are_given_later_win_too(host: LocalHost, tmp_path: Path) -> None:
    folder = written(tmp_path / "project")
    config, target = adopt(folder, host), parse_target("cp311-manylinux_2_28_aarch64")
    assert config.for_target(target).build.before_build == "make"
    config = changed(config, folder, {"before-build": "ours", "jobs": 3})
    assert (config.for_target(target).build.before_build, config.for_target(target).build.jobs) == ("ours", 3)


# ---- the whole project ----------------------------------------------------------------------------------------


def test_containers_get_the_project_as_it_was_before_the_sdist_was_made(
    asked: Asked, host: LocalHost, tmp_path: Path
) -> None:
    """Its backend leaves files there; the next run, which finds them, builds the same."""
    assert asked == []
    project = written(tmp_path / "project")
    config, sdist = adopt(project, host), Sdist(tmp_path / "tiny-1.0.tar.gz", "tiny", "1.0", "ab" * 32)
    archive = pack_whole_project(config, tmp_path)
    (project / "own.egg-info").mkdir()
    (project / "own.egg-info" / "PKG-INFO").write_text("left")
    first = with_project(sdist, config, archive).tree
    assert archive
    assert first
    with tarfile.open(archive) as packed:
        assert packed.getnames() == ["project", "project/pyproject.toml"]
    second = with_project(sdist, config, pack_whole_project(config, tmp_path)).tree
    assert second
    assert second.content == first.content
    (project / "pyproject.toml").write_text("changed")
    assert with_project(sdist, config, archive).tree != first


def test_without_commands_of_the_project_nothing_is_packed(host: LocalHost, tmp_path: Path) -> None:
    config = adopt(written(tmp_path / "project", b"[tool.crosswheel]\n"), host)
    assert pack_whole_project(config, tmp_path) is None
