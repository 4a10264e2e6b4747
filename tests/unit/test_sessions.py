from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crosswheel import sessions
from crosswheel.errors import UsageError
from crosswheel.model.targets import architectures
from crosswheel.model.verbs import VERBS
from crosswheel.sessions import ARCHITECTURES
from crosswheel.testing import tiny_wheel

pytest.importorskip("nox")

NOXFILE = "from crosswheel import sessions\n\nsessions.add()\n"
NAMES = [*VERBS, *(f"wheels-{arch}" for arch in ARCHITECTURES)]


def nox(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """nox over a noxfile of three lines."""
    (folder / "noxfile.py").write_text(NOXFILE)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("NOX")},
        "PYTHONPATH": os.pathsep.join(sys.path),
        "CROSSWHEEL_CACHE": str(folder),
    }
    command = [sys.executable, "-m", "nox", "--non-interactive", *words]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, encoding="utf-8", timeout=60, check=False
    )


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
    sessions.add(only=["audit"])
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
    assert f"{tmp_path} is no Python project" in done.stderr + done.stdout
    assert "(exit code 4)" in done.stderr + done.stdout


def test_a_flag_cannot_say_other_than_the_name_of_the_session(tmp_path: Path) -> None:
    done = nox(tmp_path, "-s", "wheels-aarch64", "--", "--arch", "i686")
    assert done.returncode == 1
    text = done.stderr + done.stdout
    assert "--arch: the session wheels-aarch64 is for aarch64\n" in text
    assert "  try: nox -s wheels-aarch64 without --arch, or crosswheel wheels --arch ... (exit code 2)" in text


def test_words_for_another_session_of_the_run_are_told_as_that(tmp_path: Path) -> None:
    told = "nox gives the words after -- to every session of a run\n  try: run it by itself: nox -s audit -- ..."
    both = nox(tmp_path, "-s", "plan", "audit", "--", "--offline")
    assert both.returncode == 1
    assert f"Session audit aborted: unrecognized arguments: --offline\n{told} (exit code 2)" in both.stderr
    alone = nox(tmp_path, "-s", "audit", "--", "--offline")
    assert "unrecognized arguments: --offline\n  try: nox -s audit -- --help (exit code 2)" in alone.stderr
