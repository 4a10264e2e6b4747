from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

import pytest

import console
from crosswheel import Report, commands, sessions
from crosswheel.errors import UsageError
from crosswheel.model.job import Plan, Sdist
from crosswheel.model.targets import architectures
from crosswheel.model.verbs import VERBS
from crosswheel.sessions import ARCHITECTURES
from crosswheel.testing import tiny_wheel
from tiny_projects import tiny_project

if TYPE_CHECKING:
    import nox as nox_package

pytest.importorskip("nox")

NOXFILE = "from crosswheel import sessions\n\nsessions.add()\n"
NAMES = [*VERBS, *(f"{verb}-{arch}" for verb in ("wheels", "wheelhouse") for arch in ARCHITECTURES)]


def nox(folder: Path, *words: str, noxfile: str = NOXFILE) -> subprocess.CompletedProcess[str]:
    """nox over a noxfile, of three lines unless another is given."""
    (folder / "noxfile.py").write_text(noxfile)
    return console.nox(folder, *words)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of all runs here: what interpreters and what settings of pip there are is asked for once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROSSWHEEL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


class SessionError(Exception):
    """How a session ends that was told to."""


@dataclass
class Session:
    """As much of nox's as is asked for."""

    name: str = "arm"
    posargs: list[str] = field(default_factory=list)

    def error(self, message: str) -> NoReturn:
        raise SessionError(message)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """nox's own, of a noxfile that has nothing in it yet."""
    from nox import registry

    there: dict[str, object] = {}
    monkeypatch.setattr(registry, "_REGISTRY", there)
    return there


def test_only_what_is_named_is_made_under_the_prefix_and_in_that_order(registry: dict[str, object]) -> None:
    sessions.add(only=["wheels-s390x", "audit", "wheels"], prefix="cw-")
    assert list(registry) == ["cw-wheels-s390x", "cw-audit", "cw-wheels"]
    sessions.add(only="audit")
    assert list(registry)[3:] == ["audit"]


def test_a_name_that_nothing_has_is_refused_with_the_nearest_one(registry: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        sessions.add(only=["audti", "wheels-arm64", "wheels"])
    assert caught.value.mistakes == [
        "only: there is no session 'audti' to make (did you mean audit?)",
        "only: there is no session 'wheels-arm64' to make (did you mean wheels-aarch64?)",
    ]
    assert not registry


def test_a_session_that_is_there_is_never_replaced(registry: dict[str, object]) -> None:
    from nox import parametrize, session

    @session
    def release(session: object) -> None: ...

    parametrize("deep", [True, False])(session(name="audit")(lambda session, deep: None))

    before = dict(registry)
    with pytest.raises(UsageError) as caught:
        sessions.add()
    place = rf"\(\S*{Path(__file__).name}:\d+\)"
    text = rf"the noxfile already has sessions 'audit' {place}, 'release' {place}: crosswheel's would replace them"
    assert re.fullmatch(text, caught.value.message)
    assert caught.value.hint == 'sessions.add(prefix="cw-"), or only=[...] with other names'
    assert registry == before
    sessions.add(prefix="cw-")
    assert registry["release"] is before["release"]


def test_one_name_is_made_once(registry: dict[str, object]) -> None:
    arm = sessions.wheels("aarch64", name="arm")
    assert registry == {"arm": arm}
    with pytest.raises(UsageError, match=r"a session 'arm' \(made by crosswheel.sessions\): ") as caught:
        sessions.wheels("armv7l", name="arm")
    assert caught.value.hint == 'sessions.wheels(..., name="another-name")'
    assert registry == {"arm": arm}


def test_a_session_of_its_own_is_called_after_its_architectures(registry: dict[str, object]) -> None:
    made = [sessions.wheels(), sessions.wheels("aarch64"), sessions.wheels("i686", "x86_64")]
    assert list(registry) == ["wheels", "wheels-aarch64", "wheels-i686-x86_64"]
    assert [func.__doc__ for func in made] == [
        VERBS["wheels"].text,
        "Build, repair, audit and test wheels for aarch64.",
        "Build, repair, audit and test wheels for i686, x86_64.",
    ]
    assert {(func.default, *func.tags) for func in made} == {(False, "crosswheel")}


OWN_RELEASE = """
@nox.session(venv_backend="none")
def release(session):
    session.log("my own release")
"""


def test_a_noxfile_with_a_session_of_the_same_name_is_told_where_it_is_and_what_to_do(tmp_path: Path) -> None:
    done = nox(tmp_path, "-s", "release", noxfile=f"import nox\n{OWN_RELEASE}\n{NOXFILE}")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "crosswheel.errors.UsageError: the noxfile already has a session 'release' (noxfile.py:3): "
        "crosswheel's would replace it\n"
        '  try: sessions.add(prefix="cw-"), or only=[...] with other names\n'
    )
    assert "my own release" not in done.stderr


def test_a_session_of_the_same_name_further_below_is_the_one_that_runs(tmp_path: Path) -> None:
    """nox decides so: it gives nobody a say, and newer releases give a FutureWarning."""
    done = nox(tmp_path, "-s", "release", noxfile=f"import nox\n{NOXFILE}\n{OWN_RELEASE}")
    assert done.returncode == 0
    assert "my own release" in done.stderr


HOOKS = """
from crosswheel import sessions

def before(session):
    session.log(f"before {session.name}")

def after(session, report):
    session.log(f"after {session.name}: {report.exit_code}, {len(report.wheels)} of {len(report.outcomes)}")

sessions.wheels("aarch64", name="arm", before=before, after=after, offline=True)
"""


def test_functions_before_and_after_are_called_with_the_session_and_the_report(tmp_path: Path) -> None:
    project = tiny_project("pure", tmp_path)
    done = nox(project, "-s", "arm", noxfile=HOOKS)
    assert done.returncode == 0
    words = re.findall(r"nox > (before .*|after .*)", done.stderr)
    assert [re.sub(r"\d+ of \d+", "... of ...", line) for line in words] == [
        "before arm",
        "after arm: 0, ... of ...",
    ]
    planned = nox(project, "-s", "arm", "--", "--dry-run", noxfile=HOOKS)
    assert "before arm" in planned.stderr
    assert "after arm" not in planned.stderr


def test_after_hears_of_wheels_that_failed_and_then_the_session_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[object, Report]] = []
    failed = Report(Plan("tiny", ()), (), Sdist(Path("x"), "tiny", "1.0", "", ""), 0, 0)
    assert failed.exit_code == 3
    monkeypatch.setattr(commands, "perform", lambda *_arguments, **_keywords: failed)
    session = Session()
    run = sessions._Run("wheels", ".", {}, (), None, (), {}, after=lambda *pair: heard.append(pair))
    with pytest.raises(SessionError, match="exit code 3"):
        sessions._perform(cast("nox_package.Session", session), run)
    assert heard == [(session, failed)]


def test_parameters_of_a_session_are_options(tmp_path: Path) -> None:
    noxfile = """
import nox
from crosswheel import sessions

arm = sessions.wheels("aarch64", name="arm", offline=True)
nox.parametrize("policy", ["manylinux_2_28", "musllinux_1_2"])(arm)
"""
    done = nox(tiny_project("pure", tmp_path), "-s", "arm", "--", "--dry-run", noxfile=noxfile)
    assert done.returncode == 0
    assert "Session arm(policy='musllinux_1_2') was successful" in done.stderr
    assert "-manylinux_2_28_aarch64 " in done.stdout
    assert "-musllinux_1_2_aarch64 " in done.stdout


def test_options_from_code_are_over_the_file_and_under_flags(tmp_path: Path) -> None:
    project = tiny_project("pure", tmp_path)
    with (project / "pyproject.toml").open("a") as file:
        file.write('\n[tool.crosswheel]\npolicy = "musllinux_1_2"\noffline = true\n')
    noxfile = """
from crosswheel import sessions

sessions.add(only=["plan"], repository="not for this verb")
sessions.add(only=["plan"], prefix="cw-", policy="manylinux_2_28")
"""
    done = nox(project, "-s", "plan", "cw-plan", noxfile=noxfile)
    assert done.returncode == 0
    assert [match in done.stdout for match in ("-musllinux_1_2_", "-manylinux_2_28_")] == [True, True]
    done = nox(project, "-s", "cw-plan", "--", "--policy", "manylinux_2_34", noxfile=noxfile)
    assert set(re.findall(r"-(\w+)_aarch64 ", done.stdout)) == {"manylinux_2_34"}


def test_an_option_that_there_is_not_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    noxfile = 'from crosswheel import sessions\n\nsessions.add(only=["plan"], polcy="x")\n'
    done = nox(tmp_path, "-s", "plan", noxfile=noxfile)
    assert done.returncode == 1
    assert "polcy: no such option (did you mean policy?)" in done.stderr


def test_sessions_need_no_invoke(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path, members={"one.py": b""})
    (tmp_path / "noxfile.py").write_text(f"import sys\n\nsys.modules['invoke'] = None\n{NOXFILE}")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NOX")}
    command = [sys.executable, "-m", "nox", "-s", "audit", "--", wheel.name]
    environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    assert subprocess.run(command, cwd=tmp_path, env=environ, timeout=60, check=False).returncode == 0


def test_the_architectures_written_out_are_those_of_the_table() -> None:
    assert tuple(architectures()) == ARCHITECTURES


def test_a_noxfile_of_three_lines_has_the_fixed_sessions_and_none_runs_by_itself(tmp_path: Path) -> None:
    listed = nox(tmp_path, "-l").stdout
    assert re.findall(r"^([*-]) (\S+) \[crosswheel\] -> ", listed, re.MULTILINE) == [("-", name) for name in NAMES]
    assert "- wheels-s390x [crosswheel] -> Build, repair, audit and test wheels for s390x.\n" in listed


def test_mistakes_after_the_dashes_fail_the_session_with_all_of_them(tmp_path: Path) -> None:
    done = nox(tmp_path, "-s", "wheels-aarch64", "--", "--engine", "cros", "--python", "cp2")
    assert done.returncode == 1
    text = done.stderr + done.stdout
    assert "python: unknown Python tag 'cp2'" in text
    assert "engine: unknown engine 'cros' (did you mean cross?); known: auto, native, " in text
    assert "(exit code 2)" in text
    assert "Traceback" not in text


def test_wheels_are_named_after_the_dashes(tmp_path: Path) -> None:
    wheels = [tiny_wheel(tmp_path, name=name, members={f"{name}.py": b""}) for name in ("one", "two")]
    done = nox(tmp_path, "-s", "audit", "--", *(wheel.name for wheel in wheels))
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if line.startswith("✔ ")] == [
        f"✔ {wheel.name} ({wheel.stat().st_size} B): nothing found" for wheel in wheels
    ]
    wheels[0].write_bytes(b"")
    done = nox(tmp_path, "-s", "audit", "--", ".")
    assert done.returncode == 1
    assert f"✘ {wheels[0].name}: 1 error" in done.stdout
    assert "exit code 9" in done.stderr + done.stdout


def test_a_failed_session_tells_its_exit_code(tmp_path: Path) -> None:
    done = nox(tmp_path, "-s", "plan", "--", "--offline", str(tmp_path))
    assert done.returncode == 1
    assert f"{tmp_path} is not a Python project" in done.stderr + done.stdout
    assert "(exit code 4)" in done.stderr + done.stdout


def test_a_flag_cannot_say_other_than_the_name_of_the_session(tmp_path: Path) -> None:
    done = nox(tmp_path, "-s", "wheels-aarch64", "--", "--arch", "i686")
    assert done.returncode == 1
    text = done.stderr + done.stdout
    assert "--arch: the session wheels-aarch64 is for aarch64\n" in text
    assert "  try: nox -s wheels-aarch64 without --arch, or crosswheel wheels --arch ... (exit code 2)" in text


def test_words_for_another_session_of_the_run_are_told_as_that(tmp_path: Path) -> None:
    told = "nox passes the words after -- to every session of a run\n  try: run the session alone: nox -s audit -- ..."
    both = nox(tmp_path, "-s", "plan", "audit", "--", "--offline")
    assert both.returncode == 1
    assert f"Session audit aborted: unrecognized arguments: --offline\n{told} (exit code 2)" in both.stderr
    alone = nox(tmp_path, "-s", "audit", "--", "--offline")
    assert "unrecognized arguments: --offline\n  try: nox -s audit -- --help (exit code 2)" in alone.stderr
