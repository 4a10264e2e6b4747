"""A command whose docker is a fake: words, input, output, exit codes and signals pass as without us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import crosswheel as cw
from crosswheel.accelerating.desk import Answer, Desk, Question, open_desk
from crosswheel.accelerating.shims import write_shims
from crosswheel.errors import CommandNotFound, UsageError

_FAKE = """\
#!/bin/sh
case $1 in
words) shift; printf '<%s>' "$@" ;;
cat) cat ;;
exit) exit "$2" ;;
self) kill -TERM $$ ;;
pid) echo $$ ;;
sleep) trap 'echo ended >"$2"; exit 7' INT TERM; : >"$2.ready"; while :; do sleep 0.05; done ;;
version) echo 1 ;;
*) echo "cannot connect" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose only docker is a fake."""
    folder = tmp_path / "real"
    folder.mkdir()
    (folder / "docker").write_text(_FAKE)
    (folder / "docker").chmod(0o755)
    for name in ("sh", "cat", "sleep", "env"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return {**os.environ, "PATH": str(folder)}


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk that puts a word in front of those of `words`, and refuses `create`."""

    def answer(question: Question) -> Answer:
        assert question.program == "docker"
        if question.words[:1] == ("create",):
            return Answer(question.words, "not today")
        added = ("added",) if question.words[:1] == ("words",) else ()
        return Answer((*question.words[:1], *added, *question.words[1:]))

    with open_desk(tmp_path_factory.mktemp("d"), answer) as opened:
        yield opened


@pytest.fixture
def shimmed(desk: Desk, environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return write_shims(tmp_path / "bin", desk.address, environ)


def run(environ: dict[str, str], *words: bytes | str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    docker = shutil.which("docker", path=environ["PATH"])
    assert docker
    return subprocess.run([docker, *words], env=environ, input=given, capture_output=True, check=False, timeout=30)


def test_words_pass_byte_for_byte(shimmed: dict[str, str]) -> None:
    words = [b"a b", b"", b"'\"$(x)\n", "é".encode(), b"\xff\xfe", b"--", b"-"]
    assert run(shimmed, "words", *words).stdout == b"<added>" + b"".join(b"<" + word + b">" for word in words)


def test_input_output_and_exit_codes_pass(shimmed: dict[str, str]) -> None:
    noise = bytes(range(256)) * 4096
    assert run(shimmed, "cat", given=noise).stdout == noise
    assert [run(shimmed, "exit", str(code)).returncode for code in (0, 3, 125, 255)] == [0, 3, 125, 255]
    assert run(shimmed, "self").returncode == -signal.SIGTERM


def test_the_shim_becomes_the_program(shimmed: dict[str, str]) -> None:
    docker = shutil.which("docker", path=shimmed["PATH"])
    assert docker
    with subprocess.Popen([docker, "pid"], env=shimmed, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert int(process.stdout.read()) == process.pid


def test_a_refused_command_is_not_run(shimmed: dict[str, str]) -> None:
    done = run(shimmed, "create", "IMAGE")
    assert (done.returncode, done.stderr) == (125, b"not today\n")


def test_each_command_is_measured(shimmed: dict[str, str], desk: Desk) -> None:
    run(shimmed, "exit", "0")
    deadline = time.monotonic() + 10
    while not desk.ran and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [(ran.program, ran.verb) for ran in desk.ran] == [("docker", "exit")]


def test_what_is_begun_for_a_shim_that_was_killed_is_put_in_order(environ: dict[str, str], tmp_path: Path) -> None:
    """A container, for example, that is asked which compiler it has."""
    begun, ended = threading.Event(), threading.Event()

    def answer(question: Question) -> Answer:
        begun.set()
        time.sleep(0.5)
        ended.set()
        return Answer(question.words)

    with open_desk(tmp_path, answer) as desk:
        shimmed = write_shims(tmp_path / "bin", desk.address, environ)
        with subprocess.Popen([str(tmp_path / "bin" / "docker"), "exit", "0"], env=shimmed) as process:
            assert begun.wait(60)
            process.kill()
    assert ended.is_set()


def test_without_a_desk_the_words_stay(environ: dict[str, str], tmp_path: Path) -> None:
    alone = write_shims(tmp_path / "bin", tmp_path / "nobody", environ)
    assert run(alone, "words", "a").stdout == b"<a>"


def test_only_programs_that_exist_have_a_shim(shimmed: dict[str, str]) -> None:
    assert shutil.which("podman", path=shimmed["PATH"]) is None


# ---- the verb -------------------------------------------------------------------------------------------------


@pytest.fixture
def path(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", environ["PATH"])
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")


@pytest.mark.usefixtures("path")
def test_the_exit_code_is_the_commands_own() -> None:
    assert cw.accelerate(["docker", "exit", "9"]).exit_code == 9
    assert cw.accelerate("sh -c 'kill -TERM $$'").exit_code == 128 + signal.SIGTERM
    report = cw.accelerate(["sh", "-c", "exit 0"])
    assert report.ok
    assert "started no container" in str(report)


@pytest.mark.usefixtures("path")
def test_without_an_engine_the_program_says_so_itself() -> None:
    report = cw.accelerate(["docker", "run", "--platform=linux/arm64", "IMAGE"])
    assert report.exit_code == 1
    (started,) = report.tally.started
    assert "no Docker Engine answers there" in started.reason
    assert "not accelerated: 1 container of IMAGE" in str(report)


@pytest.mark.usefixtures("path")
def test_a_command_that_is_not_understood_passes() -> None:
    report = cw.accelerate(["docker", "run", "--no-such-option", "IMAGE"])
    assert report.exit_code == 1
    assert "its option --no-such-option is not known" in str(report)


@pytest.mark.usefixtures("path")
def test_a_dry_run_starts_nothing() -> None:
    report = cw.accelerate(["docker", "run", "IMAGE"], dry_run=True)
    assert (report.exit_code, report.code) == (0, 125)


@pytest.mark.usefixtures("path")
def test_a_missing_command_ends_as_in_a_shell() -> None:
    with pytest.raises(CommandNotFound, match="no-such: command not found") as caught:
        cw.accelerate("no-such --option")
    assert caught.value.exit_code == 127
    assert caught.value.hint == "command -v no-such"
    with pytest.raises(UsageError, match="no command was given"):
        cw.accelerate("")
    with pytest.raises(UsageError, match="cannot be split"):
        cw.accelerate("sh 'x")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_program_which_ends_in_order(
    number: signal.Signals, environ: dict[str, str], tmp_path: Path
) -> None:
    ended = tmp_path / "ended"
    # Without job control a shell starts what it puts into the background with SIGINT ignored: so may our tests be.
    command = [str(shutil.which("env")), "--default-signal=INT", sys.executable, "-m", "crosswheel"]
    command += ["accelerate", "--", "docker", "sleep", str(ended)]
    with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 20
        while not Path(f"{ended}.ready").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        try:
            process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 7
    assert ended.read_text() == "ended\n"
