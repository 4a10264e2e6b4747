from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import pytest
from invoke.collection import Collection
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

from console import console
from crosswheel import __version__, commands, tasks
from crosswheel.auditing.rules.purity import NothingInside
from crosswheel.commands.call import Own
from crosswheel.commands.result import Result
from crosswheel.errors import BuildFailed, SourceError, UsageError
from crosswheel.model.config import ENGINES
from crosswheel.model.flags import flag_options
from crosswheel.model.verbs import VERBS
from crosswheel.steps import MAKE
from crosswheel.tasks import namespace, with_positional_flag, with_positional_flags
from crosswheel.testing import tiny_wheel


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("crosswheel", "crosswheel"),
        ("crosswheel wheels", "crosswheel wheels"),
        ("crosswheel wheels kiwisolver", "crosswheel wheels --source kiwisolver"),
        ("crosswheel wheels . --python cp313", "crosswheel wheels --source . --python cp313"),
        ("crosswheel wheels --python cp313 --fresh .", "crosswheel wheels --source . --python cp313 --fresh"),
        ("crosswheel wheels --source . other", "crosswheel wheels --source . other"),
        ("crosswheel plan kiwisolver==1.4.9", "crosswheel plan --source kiwisolver==1.4.9"),
        ("crosswheel wheels --python cp313", "crosswheel wheels --python cp313"),
        ("crosswheel wheels --source kiwisolver", "crosswheel wheels --source kiwisolver"),
        ("crosswheel --debug wheels kiwisolver", "crosswheel --debug wheels --source kiwisolver"),
        ("crosswheel --list", "crosswheel --list"),
        ("crosswheel wheels kiwisolver audit", "crosswheel wheels --source kiwisolver audit"),
        ("crosswheel audit", "crosswheel audit"),
        ("crosswheel audit --rules", "crosswheel audit --rules"),
        ("crosswheel audit a.whl b.whl", "crosswheel audit --wheels a.whl,b.whl"),
        (
            "crosswheel audit a.whl --json x.json --rules b.whl",
            "crosswheel audit --wheels a.whl,b.whl --json x.json --rules",
        ),
        ("crosswheel audit --sarif=x b.whl", "crosswheel audit --wheels b.whl --sarif=x"),
        ("crosswheel audit --wheels a.whl", "crosswheel audit --wheels a.whl"),
        ("crosswheel audit wheels", "crosswheel audit --wheels wheels"),
    ],
)
def test_the_word_after_the_verb_is_the_source(words: str, named: str) -> None:
    assert with_positional_flag(words.split()) == named.split()


@task
def clean(_context: Context) -> None:
    """One of the tasks file's own."""


@task(name="greet")
def greeting(_context: Context, name: str) -> None:
    """Another, with a word of its own."""


@pytest.fixture
def own() -> Collection:
    """What a tasks file offers: tasks of its own and ours, twice."""
    collection = Collection(clean, greeting, tasks.wheels, tasks.audit)
    collection.add_collection(namespace, "cw")
    return collection


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("", ""),
        ("wheels", "wheels"),
        ("wheels kiwisolver", "wheels --source kiwisolver"),
        ("clean wheels . --python cp313 clean", "clean wheels --source . --python cp313 clean"),
        ("cw.wheels ./audit cw.audit", "cw.wheels --source ./audit cw.audit"),
        ("wheels audit", "wheels audit"),
        ("wheels --source audit audit a.whl", "wheels --source audit audit --wheels a.whl"),
        ("audit a.whl b.whl clean", "audit --wheels a.whl,b.whl clean"),
        ("audit --json x a.whl wheels b", "audit --wheels a.whl --json x wheels --source b"),
        ("greet world clean", "greet world clean"),
        ("wheels clean", "wheels clean"),
        ("nothing wheels x", "nothing wheels --source x"),
        ("clean x", "clean x"),
    ],
)
def test_words_after_tasks_of_ours_need_no_flag_in_a_tasks_file(own: Collection, words: str, named: str) -> None:
    assert with_positional_flags(words.split(), own) == named.split()


def test_every_task_can_be_imported_by_name() -> None:
    for verb in VERBS:
        assert getattr(tasks, verb) is namespace[verb]


def test_a_second_task_of_a_name_is_refused() -> None:
    mine: Task[Any] = Task(lambda c: None, name="release")
    with pytest.raises(UsageError) as caught:
        namespace.add_task(mine)
    assert caught.value.message == "crosswheel's namespace already has a task 'release': this one would replace it"
    assert (
        caught.value.hint == 'ns.add_task(..., name="my-release"), or a Collection of tasks that are imported by name'
    )
    assert namespace["release"] is tasks.release


def test_tasks_have_the_names_and_flags_that_others_rely_on() -> None:
    assert set(namespace.task_names) == set(VERBS)
    assert {"plan", "wheels"} <= set(VERBS)
    for verb in VERBS:
        names = {argument.name.replace("_", "-") for argument in namespace[verb].get_arguments()}
        assert names == {option.name for option in flag_options(verb)}


@dataclass
class Verb:
    """In the place of all verbs: what it was called with, and how it ends."""

    flags: dict[str, Any] = field(default_factory=dict)
    code: dict[str, Any] = field(default_factory=dict)
    project: Path = Path()
    own: dict[str, Any] = field(default_factory=dict)
    ending: Result | BaseException = field(default_factory=Result)

    def perform(
        self, verb: str, project: Path, flags: dict[str, Any], _stream: TextIO, *, code: dict[str, Any], **own: Any
    ) -> Result:
        assert verb == "wheels"
        self.project, self.flags, self.code, self.own = project, flags, code, own
        if isinstance(self.ending, BaseException):
            raise self.ending
        return self.ending


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Verb:
    fake = Verb()
    monkeypatch.setattr(commands, "perform", fake.perform)
    return fake


def test_flags_reach_the_verb_under_the_names_of_options(verb: Verb) -> None:
    flags = {"python": "cp312,cp313", "jobs": "2", "fail_fast": True, "dry_run": False, "policy": None}
    assert namespace["wheels"](Context(), **flags) is verb.ending
    assert (verb.flags, verb.code) == ({"python": ["cp312", "cp313"], "jobs": 2, "fail-fast": True}, {})


def test_keywords_of_a_caller_are_taken_as_they_are(verb: Verb) -> None:
    tasks.wheels(Context(), python=["cp312"], jobs=2, environment={"CFLAGS": "-O1"}, test_command="true", project="x")
    assert verb.code == {"python": ["cp312"], "jobs": 2, "environment": {"CFLAGS": "-O1"}, "test_command": "true"}
    assert (verb.flags, verb.project) == ({}, Path("x"))


def test_the_configuration_of_invoke_is_heard_as_far_as_it_is_about_the_verb(verb: Verb) -> None:
    of_verb = {"python": ["cp312"], "test-command": "true", "fail_fast": False, "images": {"a": "b"}}
    configured = {"crosswheel": {**of_verb, "repository": "testpypi", "no_such": 1, "project": "x"}}
    tasks.wheels(Context(Config(overrides=configured)), python="cp313")
    assert verb.flags == {"python": ["cp313"]}  # flags win
    known = {"python": ["cp312"], "test_command": "true", "fail_fast": False, "images": {"a": "b"}}
    assert verb.code == {**known, "no_such": 1}  # to be refused
    assert type(verb.code["images"]) is dict
    assert verb.project == Path("x")


def test_own_steps_and_rules_come_from_a_caller_or_the_configuration(verb: Verb) -> None:
    tasks.wheels(Context())
    assert verb.own == {"own": Own()}
    without = MAKE.without("test")
    tasks.wheels(Context(Config(overrides={"crosswheel": {"steps": without, "rules": [NothingInside()]}})), rules=[])
    assert verb.own == {"own": Own(steps=without)}
    assert verb.code == {}


def test_an_empty_text_takes_back_what_the_file_says(verb: Verb) -> None:
    namespace["wheels"](Context(), policy="", python="", offline=False)
    assert verb.flags == {"policy": "", "python": []}


class Ended(Result):
    exit_code = 9


@pytest.mark.parametrize(
    ("ending", "code", "message"),
    [
        (Ended(), 9, None),
        (SourceError("no project", hint="give a folder"), 4, "crosswheel: no project\n  try: give a folder"),
        (BuildFailed("it broke"), 7, "crosswheel: it broke"),
        (KeyboardInterrupt(), 130, "crosswheel: interrupted"),
    ],
)
def test_however_a_verb_ends_its_exit_code_is_the_documented_one(
    verb: Verb, ending: Result | BaseException, code: int, message: str | None
) -> None:
    verb.ending = ending
    with pytest.raises(Exit) as caught:
        namespace["wheels"](Context())
    assert (caught.value.code, caught.value.message) == (code, message)


def test_the_console_command_lists_its_verbs_and_says_its_version(tmp_path: Path) -> None:
    done = console(tmp_path, "--list")
    assert done.returncode == 0
    # invoke wraps long texts.
    listed = " ".join(done.stdout.split())
    assert listed == " ".join(["Subcommands:", *(f"{name} {VERBS[name].text}" for name in sorted(VERBS))])
    assert console(tmp_path, "--version").stdout == f"crosswheel {__version__}\n"


def test_tasks_need_no_nox(tmp_path: Path) -> None:
    program = "import sys; sys.modules['nox'] = None; from crosswheel.tasks import main; main()"
    wheel = tiny_wheel(tmp_path, members={"one.py": b""})
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program, "audit", str(wheel)], env=environ, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_help_shows_every_flag_with_its_text(tmp_path: Path) -> None:
    # invoke gives the texts of a task once only: in a process of its own.
    command = [sys.executable, "-c", "from crosswheel.tasks import main; main()", "--help", "wheels"]
    environ = {**os.environ, "COLUMNS": "200", "PYTHONPATH": os.pathsep.join(sys.path)}
    text = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", timeout=60, check=True).stdout
    assert not [option.name for option in flag_options("wheels") if f"--{option.name}" not in text]
    assert "CPythons to build for, such as cp312,cp313t." in text


def test_mistakes_on_the_command_line_end_with_code_2_all_at_once(tmp_path: Path) -> None:
    done = console(tmp_path, "wheels", "--engine", "cros", "--arch", "aarch46")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "crosswheel: arch: unknown architecture 'aarch46' (did you mean aarch64?); "
        "known: aarch64, x86_64, armv7l, i686, ppc64le, s390x, riscv64\n"
        "engine: unknown engine 'cros' (did you mean cross?); "
        f"known: {', '.join(ENGINES)}\n"
        "  try: see docs/options.md, or `crosswheel --help wheels`\n"
    )


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["wheels", "--polcy", "x"], "No idea what '--polcy' is! (did you mean --policy?)", "crosswheel --help wheels"),
        (
            ["doctor", "--image", "x"],
            "No idea what '--image' is! (--image is an option of plan, wheels, wheelhouse, shell, pull)",
            "crosswheel --help doctor",
        ),
        (["weels"], "No idea what 'weels' is! (did you mean wheels?)", "crosswheel --list"),
        (["plan", "--jobs"], "Flag '--jobs' needed value and was not given one!", "crosswheel --help plan"),
    ],
)
def test_words_that_cannot_be_placed_end_with_code_2_too(
    tmp_path: Path, words: list[str], message: str, hint: str
) -> None:
    done = console(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"crosswheel: {message}\n  try: {hint}\n")


def test_many_wheels_are_audited_with_one_exit_code(tmp_path: Path) -> None:
    wheels = [tiny_wheel(tmp_path, name=name, members={f"{name}.py": b""}) for name in ("one", "two")]
    done = console(tmp_path, "audit", wheels[0].name, "--json", "x.json", wheels[1].name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"✔ {wheels[0].name} ")
    assert (tmp_path / "x.json").is_file()
    wheels[1].write_bytes(b"")
    done = console(tmp_path, "audit", "--wheels", f"{wheels[0].name},{wheels[1].name}")
    assert done.returncode == 9
    assert f"✘ {wheels[1].name}: 1 error" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_folder_without_wheels_ends_with_code_3(tmp_path: Path) -> None:
    done = console(tmp_path, "audit", ".")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("crosswheel: there is no wheel in .\n")


def test_a_folder_that_is_no_project_ends_with_code_4(tmp_path: Path) -> None:
    done = console(tmp_path, "plan", "--offline")
    assert done.returncode == 4
    assert done.stderr == (
        "crosswheel: . is not a Python project: it has neither pyproject.toml nor setup.py\n"
        "  try: give a project's folder, an sdist file, or NAME==VERSION\n"
    )


def test_the_words_of_a_command_become_one_text() -> None:
    words = ["crosswheel", "accelerate", "--dry-run", "--", "sh", "-c", "a b", "wheels"]
    assert with_positional_flag(words) == ["crosswheel", "accelerate", "--dry-run", "--command", "sh -c 'a b' wheels"]
    assert with_positional_flag(["crosswheel", "accelerate"]) == ["crosswheel", "accelerate"]


def test_what_a_verb_imports_is_compiled_once(tmp_path: Path) -> None:
    """The program invoke turns bytecode off for whatever is imported after it."""
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-m", "crosswheel", "plan", str(tmp_path)]
    subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert [*tmp_path.glob("bytecode/**/crosswheel/commands/plan.*.pyc")]
