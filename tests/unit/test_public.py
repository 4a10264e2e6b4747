"""The package as others import it: its names, their options, and what comes back."""

from __future__ import annotations

import inspect
import io
import json
import os
import pkgutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import crosswheel as cw
import users_program
from crosswheel.auditing.rules.rule import Rule
from crosswheel.commands import run_verb
from crosswheel.commands.call import config_for
from crosswheel.errors import AuditFailed, IndexUnreachable, NothingToDo, UsageError
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Event, Finding
from crosswheel.model.keywords import keyword_of
from crosswheel.model.options import Option, options, options_for
from crosswheel.model.targets import Target
from crosswheel.model.verbs import VERBS
from crosswheel.steps import MAKE, Work
from crosswheel.testing import tiny_elf, tiny_wheel
from tiny_projects import Yard, tiny_facts, tiny_host, tiny_project

RESULTS = {
    "AccelerateReport", "AuditReport", "CIReport", "CacheReport", "CertificatesReport", "CheckReport", "CondaReport",
    "DoctorReport", "Page", "Plan", "PullReport", "ReadinessReport", "RegisterReport", "ReleaseReport", "Report",
    "ShellReport", "StatusReport", "UploadReport", "VerifyReport", "WheelhouseReport", "WorkerReport",
}  # fmt: skip
# A value for each kind of option, and the text of the flag that means the same.
VALUES: dict[str, tuple[Any, Any]] = {
    "text": ("x", "x"),
    "texts": (["x", "y"], ["x", "y"]),
    "number": (7, 7),
    "flag": (True, True),
}
SPECIAL: dict[str, Any] = {
    "system": "gitlab", "ci": {"timeout": 7},
    "arch": ["x86_64", "s390x"], "python": ["cp312"], "policy": "manylinux_2_28", "engine": "cross",
    "engines": {"*-musllinux*": "cross"}, "images": {"manylinux_2_28_aarch64": "mine:1"},
    "environment": {"A": "b"}, "test-environment": {"A": "b"},
    "config-settings": {"a": ["b"]}, "ignore": {"W302": "a reason"},
    "index": {"mine": "http://127.0.0.1/simple/"}, "tag-format": "release-{version}",
    "target": "cp313-manylinux_2_28_aarch64", "download-python": "never", "download-rust": "never", "test": "never",
    "platforms": ["manylinux_2_28_aarch64"], "compare": "x86_64", "fail-on": "missing", "container-host": "namespace",
}  # fmt: skip


# ---- names and signatures -------------------------------------------------------------------------------------


def test_the_names_are_the_verbs_their_results_and_what_goes_with_them() -> None:
    assert set(cw.__all__) == {*VERBS, *RESULTS, "CrosswheelError", "Event", "Listener", "__version__"}
    assert set(cw.__all__) <= set(dir(cw))
    assert all(inspect.isfunction(getattr(cw, verb)) for verb in VERBS)
    assert all(getattr(cw, name).__dataclass_params__.frozen for name in RESULTS)
    with pytest.raises(AttributeError, match="no attribute 'wheel'"):
        getattr(cw, "wheel")  # noqa: B009


def test_no_room_is_called_as_a_verb_is() -> None:
    """Importing it would put the module in the place of the function."""
    rooms = {module.name for module in pkgutil.iter_modules(cw.__path__)}
    assert not rooms & set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_verb_is_a_keyword_and_help_has_its_text(verb: str) -> None:
    function = getattr(cw, verb)
    rows = {keyword_of(option): option for option in options_for(verb)}
    own = {
        "wheels": {"steps", "rules", "own_engines"},
        "plan": {"own_engines"},
        "audit": {"rules"},
        "wheelhouse": {"steps", "rules"},
        "release": {"steps"},
    }.get(verb, set())
    assert set(inspect.signature(function).parameters) == {*rows, *own, "project", "listener"}
    told = inspect.getdoc(function)
    assert told
    assert all(
        f"{name}: {option.help}" in told for name, option in rows.items() if name not in {VERBS[verb].positional, *own}
    )
    assert "Returns a" in told
    assert "Raises" in told


def test_every_option_can_be_set_from_code() -> None:
    assert {option.name for verb in VERBS for option in options_for(verb)} == set(options())


def test_what_is_generated_from_the_functions_is_current() -> None:
    import importlib.util

    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("generate", root / "docs" / "generate.py")
    assert spec
    assert spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    written = (root / "lib" / "crosswheel" / "model" / "keyword_types.py").read_text("utf-8")
    assert written == generate.keyword_types(), "nox -s docs"
    assert (root / "docs" / "api.md").read_text("utf-8") == generate.api_page(), "nox -s docs"


# ---- values ---------------------------------------------------------------------------------------------------


def value_of(option: Option, folder: Path) -> Any:
    if option.name == "sysroot":
        return {"aarch64": folder}
    if option.name in {"constraint", "build-constraint", "test-constraint"}:
        (folder / "constraints.txt").write_text("cython==3.1.2\n")
        return [str(folder / "constraints.txt")]
    return SPECIAL.get(option.name, VALUES.get(option.type, ({},))[0])


@pytest.mark.parametrize("verb", VERBS)
def test_a_keyword_means_what_the_flag_or_the_table_means(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where no table is read again for each option
    defaults = config_for(verb, Path(), {}, {})
    for option in options_for(verb):
        value = value_of(option, tmp_path)
        from_code = config_for(verb, Path(), {}, {keyword_of(option): value})
        if option.where == "file":
            project = tmp_path / option.name
            project.mkdir()
            value = {"aarch64": str(tmp_path)} if option.name == "sysroot" else value
            (project / "pyproject.toml").write_text(f"[tool.crosswheel]\n{option.name} = {toml(value)}\n")
            expected = config_for(verb, project, {}, {})
        else:
            expected = config_for(verb, Path(), {option.name: value}, {})
        group = [getattr(config, option.group) for config in (from_code, expected)]
        assert len({str(getattr(each, option.field)) for each in group}) == 1, option.name
        default = getattr(getattr(defaults, option.group), option.field)
        assert str(getattr(group[0], option.field)) != str(default), option.name


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def test_one_text_stands_for_a_list_and_a_path_for_its_text(tmp_path: Path) -> None:
    config = config_for("wheels", Path(), {}, {"arch": "s390x", "output": tmp_path, "python": ("cp312", "cp313")})
    assert [arch.name for arch in config.build.arch] == ["s390x"]
    assert config.output.folder == tmp_path
    assert [str(tag) for tag in config.build.python] == ["cp312", "cp313"]


def test_flags_win_over_code_and_code_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.crosswheel]\njobs = 3\noutput = "file"\ntimeout = 5\n')
    config = config_for("wheels", tmp_path, {"jobs": 1}, {"jobs": 2, "timeout": 4})
    assert (config.build.jobs, config.build.timeout, config.output.folder) == (1, 4, tmp_path / "file")


def test_without_a_source_the_project_is_built_and_files_are_those_of_the_current_folder(tmp_path: Path) -> None:
    assert config_for("plan", tmp_path, {}, {}).build.source == str(tmp_path)
    assert config_for("plan", tmp_path, {}, {"source": "tiny==1.0"}).build.source == "tiny==1.0"
    files = config_for("audit", tmp_path, {}, {"wheels": "a.whl"}).output.wheels
    assert files == (Path.cwd() / "a.whl",)


def test_wrong_keywords_are_told_all_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        cw.audit(before_biuld="x", arch="aarch64")  # type: ignore[call-arg]
    assert caught.value.mistakes == ["before_biuld: no such option", "arch: no option of audit"]
    with pytest.raises(UsageError, match=r"jobs: must be a number, 0 or more, not 'many'"):
        cw.audit(jobs="many")  # type: ignore[arg-type]


# ---- the example of the package -------------------------------------------------------------------------------


@pytest.fixture
def tiny_machine(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """With three Pythons and an engine that needs no compiler."""
    for verb in ("plan", "wheels"):
        monkeypatch.setattr(
            f"crosswheel.commands.{verb}.look_around",
            lambda *_: tiny_facts(tiny_host(yard.folder)),
        )
    return yard


def test_a_users_program_builds_proves_and_hands_on(tiny_machine: Yard, capfd: pytest.CaptureFixture[str]) -> None:
    source = tiny_project("platform", tiny_machine.folder)
    output = tiny_machine.folder / "made"
    report = users_program.build(source, output)
    assert (report.ok, report.exit_code) == (True, 0), str(report)
    assert [wheel.path.parent for wheel in report.wheels] == [output, output]
    assert json.loads((output / "report.json").read_text()) == report.document()
    found = users_program.prove(report)
    assert json.loads((output / "audit.json").read_text()) == json.loads(json.dumps(found.document()))
    told: list[str] = []
    assert isinstance(users_program.send(report, told), IndexUnreachable)
    assert "Progress" in told
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_a_plan_has_decided_what_its_jobs_are(tiny_machine: Yard) -> None:
    source = tiny_project("platform", tiny_machine.folder)
    plan = cw.plan(source, python=["cp312"], engine="cross", test="never", output=tiny_machine.folder / "made")
    with pytest.raises(UsageError, match=r"arch: already fixed by the plan\nengine: already fixed by the plan"):
        cw.wheels(plan, engine="native", arch="x86_64")
    assert cw.wheels(plan, dry_run=True).document() == plan.document()
    assert str(cw.wheels(plan, dry_run=True)) == str(plan)


def test_own_steps_and_rules_are_values(tiny_machine: Yard) -> None:
    signed: list[str] = []

    def sign(work: Work) -> Work:
        signed.append(work.job.target.python.version)
        return work

    class NoVersionOne(Rule):
        """Nothing has the version 1.0."""

        code = "X001"
        why = "we skip it"
        fix = "count on"

        def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
            yield self.finding(member=wheel.path.name)

    source = tiny_project("platform", tiny_machine.folder)
    given: dict[str, Any] = {"python": "cp312", "engine": "cross", "test": "never", "output": tiny_machine.folder}
    report = cw.wheels(source, steps=MAKE.after("repair", sign), rules=[NoVersionOne()], **given)
    assert (report.exit_code, report.wheels, signed) == (AuditFailed.exit_code, (), ["3.12"])
    ignored = cw.wheels(source, rules=[NoVersionOne()], ignore={"X001": "only here"}, **given)
    assert ignored.ok, str(ignored)
    with pytest.raises(UsageError, match=r"ignore\.X001: no such rule"):
        cw.wheels(source, ignore={"X001": "only here"}, **given)


def test_own_engines_are_values(tiny_machine: Yard) -> None:
    source = tiny_project("platform", tiny_machine.folder)
    given: dict[str, Any] = {"python": "cp312", "test": "never", "output": tiny_machine.folder}
    plan = cw.plan(source, own_engines={"careful": tiny_machine.engine}, engine="careful", **given)
    assert [job.engine for job in plan.jobs] == ["careful"]
    report = cw.wheels(plan)
    assert report.ok, str(report)
    assert [outcome.job.engine for outcome in report.outcomes] == ["careful"]
    with pytest.raises(UsageError, match="engine: unknown engine 'careful'"):
        cw.plan(source, engine="careful", **given)


def test_verbs_read_the_environment_in_one_place() -> None:
    folder = Path(cw.__file__).parent / "commands"
    reading = [path.name for path in sorted(folder.glob("*.py")) if "os.environ" in path.read_text("utf-8")]
    assert reading == ["border.py", "call.py"]  # the border's is for colours and CI summaries


def test_an_interrupted_run_is_no_result(tiny_machine: Yard) -> None:
    def interrupt(event: Event) -> None:
        if type(event).__name__ == "StepStarted":
            raise KeyboardInterrupt

    source = tiny_project("platform", tiny_machine.folder)
    with pytest.raises(KeyboardInterrupt):
        cw.wheels(source, python="cp312", engine="cross", test="never", output=tiny_machine.folder, listener=interrupt)
    assert (tiny_machine.folder / "report.json").is_file()


# ---- results are what --json writes ---------------------------------------------------------------------------


def good(folder: Path) -> Path:
    return tiny_wheel(folder)


def bad(folder: Path) -> Path:
    library = tiny_elf(exports=["PyInit_fast"], needed=["libfoo.so"])
    name = "tiny/fast.cpython-313-aarch64-linux-gnu.so"
    return tiny_wheel(folder, tag="cp313-cp313-manylinux_2_17_aarch64", members={name: library})


@pytest.mark.parametrize(("make", "code"), [(good, 0), (bad, AuditFailed.exit_code)])
def test_an_audit_is_the_same_from_code_and_from_the_command_line(
    tmp_path: Path, make: Callable[[Path], Path], code: int
) -> None:
    wheel = make(tmp_path)
    found = cw.audit(wheel, jobs=1, sarif=tmp_path / "code.sarif")
    stream = io.StringIO()
    flags = {"wheels": [str(wheel)], "jobs": 1, "json": str(tmp_path / "a.json"), "sarif": str(tmp_path / "a.sarif")}
    assert run_verb("audit", Path(), flags, stream) == found.exit_code == code
    assert found.ok == (code == 0)
    assert same(json.loads((tmp_path / "a.json").read_text())) == same(found.document())
    assert (tmp_path / "a.sarif").read_bytes() == (tmp_path / "code.sarif").read_bytes()
    assert stream.getvalue().splitlines()[:-1] == str(found).splitlines()[:-1]  # the last line has the seconds
    assert [path.name for path in map(Path, found.wheels)] == ([wheel.name] if found.ok else [])


def test_a_check_and_a_cache_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path / "cache"))
    wheel = good(tmp_path)
    run_verb("check", Path(), {"wheels": [str(wheel)], "jobs": 1, "json": str(tmp_path / "check.json")}, io.StringIO())
    assert same(json.loads((tmp_path / "check.json").read_text())) == same(cw.check([wheel], jobs=1).document())
    flags = {"docker-host": "unix:///nonexistent", "json": str(tmp_path / "cache.json")}
    run_verb("cache", Path(), flags, io.StringIO())
    found = cw.cache(docker_host="unix:///nonexistent")
    assert json.loads((tmp_path / "cache.json").read_text()) == json.loads(json.dumps(found.document()))


def same(document: Any) -> Any:
    """Without what no two runs have in common."""
    if isinstance(document, dict):
        return {key: same(value) for key, value in document.items() if key != "seconds"}
    return [same(item) for item in document] if isinstance(document, (list, tuple)) else document


def test_what_prevents_a_result_is_raised(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file or folder"):
        cw.audit(tmp_path / "none.whl")
    with pytest.raises(NothingToDo):
        cw.audit(project=tmp_path)
    with pytest.raises(UsageError, match="--yes was not given"):
        cw.release(good(tmp_path))


# ---- what importing costs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "limit"), [("crosswheel", 0.005)])
def test_importing_is_nearly_free(module: str, limit: float) -> None:
    """In processor time, of the best of several, for other things may run beside it."""
    code = f"import time; began = time.process_time(); import {module}; print(time.process_time() - began)"
    environ = {**os.environ, "PYTHONPATH": str(Path(cw.__file__).parents[1])}
    took: list[float] = []
    deadline = time.monotonic() + 20
    while not took or (min(took) > limit and time.monotonic() < deadline):
        command = [sys.executable, "-c", code]
        took.append(float(subprocess.run(command, env=environ, capture_output=True, check=True).stdout))
    assert min(took) <= limit
