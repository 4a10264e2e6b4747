from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crosswheel.commands import doctor as verb
from crosswheel.commands import run_verb
from crosswheel.commands.call import Call
from crosswheel.containers.binfmt import Complaint, Handler
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.emulation import Running
from crosswheel.errors import CannotRun, EngineUnavailable
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import PythonTag, architectures
from crosswheel.reporting.doctor import diagnosis_document, diagnosis_text
from crosswheel.system.namespace_support import Allowed
from crosswheel.system.refusal import Refusal as RefusedNamespaces
from crosswheel.upkeep import doctor as diagnosis
from crosswheel.upkeep.doctor import (
    Ability,
    Diagnosis,
    Disk,
    EnginePlace,
    EngineState,
    Machine,
    Problem,
    machine_problems,
    place_problems,
)
from crosswheel.upkeep.namespaces import NamespaceState

X86_64, AARCH64, RISCV64 = (architectures()[name] for name in ("x86_64", "aarch64", "riscv64"))
GIB = 1 << 30
MACHINE = Machine(
    machine="x86_64",
    cpus=2,
    memory=8 * GIB,
    interpreters=(
        Interpreter(PythonTag(12), "3.12.9", Path("/usr/bin/python3.12"), headers=False),
        Interpreter(PythonTag(13), "3.13.2", Path("/usr/bin/python3.13")),
    ),
    zig="0.17.1",
    tools={"uv": "0.9.0", "patchelf": "0.18.0"},
    disks=(Disk("the cache", "/home/me/.cache/crosswheel", 30 * GIB),),
)
HANDLER = Handler("qemu-aarch64", enabled=True, interpreter="/usr/bin/qemu-aarch64-static", flags="OCF")
REFUSED = CannotRun(
    "the Docker host at unix:///run/docker.sock does not run programs for riscv64: exec format error",
    hint="crosswheel register --arch riscv64",
)
_NO = RefusedNamespaces("AppArmor forbids it", "sudo sysctl")
FORBIDDEN = NamespaceState(Allowed(_NO, _NO, _NO))
GONE = EngineUnavailable("no Docker Engine answers there", hint="sudo systemctl start docker")


def place(*abilities: Ability, chosen: bool = True, free: int | None = 30 * GIB, rootless: bool = False) -> EnginePlace:
    host = DockerHost(None, "unix:///run/docker.sock", "28.2.2", "x86_64", 2, 8 * GIB, rootless)  # type: ignore[arg-type]
    engine = EngineState(host, "1.51", 5 * GIB, Disk("images", "/var/lib/docker", free), abilities)
    return EnginePlace("default", chosen, engine)


NATIVE = Ability(X86_64, wanted=True, answer=Running(X86_64, natively=True))
EMULATED = Ability(AARCH64, True, Running(AARCH64, natively=False, cpu="max,pauth=off"), HANDLER)
MISSING = Ability(RISCV64, wanted=True, answer=REFUSED)


def test_nothing_is_wrong_with_a_machine_that_has_everything() -> None:
    assert list(machine_problems(MACHINE)) == []
    assert list(place_problems([place(NATIVE, EMULATED)])) == []


@pytest.mark.parametrize(
    ("change", "code", "mending", "hint"),
    [
        ({"interpreters": MACHINE.interpreters[:1]}, 6, "", "uv python install 3.13"),
        ({"tools": {"uv": ""}}, 6, "", "pip install --force-reinstall uv"),
        ({"zig": ""}, 0, "zig", "crosswheel doctor --fix"),
        ({"sandbox": RefusedNamespaces("no namespaces", "sudo sysctl")}, 0, "", "sudo sysctl"),
        ({"disks": (Disk("the cache", "/tiny", GIB),)}, 0, "", "df -h /tiny; then free some space"),
    ],
)
def test_what_a_machine_lacks_has_a_command_that_mends_it(
    change: dict[str, Any], code: int, mending: str, hint: str
) -> None:
    (problem,) = machine_problems(replace(MACHINE, **change))
    assert (problem.exit_code, problem.mending, problem.hint) == (code, mending, hint)


def test_what_a_disk_has_is_no_problem_where_nobody_knows() -> None:
    assert list(machine_problems(replace(MACHINE, disks=(Disk("the cache", "/gone", None),)))) == []


def test_an_architecture_that_is_wanted_and_does_not_run_is_one() -> None:
    (problem,) = place_problems([place(NATIVE, MISSING)])
    assert problem == Problem(REFUSED.message, REFUSED.hint, 15, "register")
    assert list(place_problems([place(replace(MISSING, wanted=False))])) == []


def test_what_the_kernel_s_entry_lacks_is_told_with_it() -> None:
    broken = replace(MISSING, handler=HANDLER, complaints=(Complaint("it is disabled", fatal=True),))
    (problem,) = place_problems([place(broken)])
    assert problem.text == f"{REFUSED.message}; it is disabled"


def test_an_entry_that_serves_and_could_be_better_is_no_failure() -> None:
    (problem,) = place_problems([place(replace(EMULATED, complaints=(Complaint("sudo does not work"),)))])
    assert (problem.exit_code, problem.text) == (0, "sudo does not work")
    assert problem.hint == (
        "echo -1 | sudo tee /proc/sys/fs/binfmt_misc/qemu-aarch64; crosswheel register --arch aarch64"
    )


def test_nobody_minds_an_entry_for_what_runs_natively() -> None:
    native = replace(NATIVE, handler=HANDLER, complaints=(Complaint("sudo does not work"),))
    assert list(place_problems([place(native)])) == []


def test_without_an_engine_the_cross_engine_remains() -> None:
    (problem,) = place_problems([EnginePlace("default", chosen=True, answer=GONE)])
    assert problem.text == "no Docker Engine answers there; only the cross engine works without one"
    assert (problem.exit_code, problem.hint) == (13, GONE.hint)


def test_where_the_kernel_permits_it_namespaces_stand_in_for_an_engine() -> None:
    gone = [EnginePlace("default", chosen=True, answer=GONE)]
    arm = Running(AARCH64, natively=False, cpu="max,pauth=off")
    there = NamespaceState(Allowed(None, None, None), {AARCH64: arm, RISCV64: CannotRun("no QEMU", hint="apt install")})
    (problem,) = place_problems(gone, there)
    assert (problem.text, problem.hint, problem.exit_code) == ("no QEMU", "apt install", 0)
    lines = diagnosis_text(Diagnosis(MACHINE, tuple(gone), (), there)).splitlines()
    assert lines[7].endswith("- engine              no Docker Engine answers there")
    assert lines[8] == "namespaces           ✔ containers          permitted: containers need no engine"
    assert lines[9].endswith("- memory              not limited: no cgroup is delegated; systemd-run --user --scope")
    assert lines[10].endswith("✔ users               root and others")
    assert lines[11].endswith("✔ aarch64             under QEMU, fastest with QEMU_CPU=max,pauth=off")
    limited = diagnosis_text(Diagnosis(MACHINE, tuple(gone), (), replace(there, limits_memory=True))).splitlines()
    assert limited[9].endswith("✔ memory              limited")


def test_the_command_is_told_that_gives_containers_more_users_than_root() -> None:
    alone = RefusedNamespaces("/etc/subuid has no range for me", "sudo usermod --add-subuids 100000-165535 me")
    found = Diagnosis(MACHINE, (), (), NamespaceState(Allowed(None, None, None), other_users=alone))
    assert f"- users               only root: {alone}" in " ".join(diagnosis_text(found).split("\n")[-4:])
    told = diagnosis_document(found)["namespaces"]
    assert (told["other_users"], told["reasons"]) == (False, {"other_users": str(alone)})


def test_what_forbids_namespaces_is_told_with_the_command_that_permits_them() -> None:
    engine, namespaces = place_problems([EnginePlace("default", chosen=True, answer=GONE)], FORBIDDEN)
    assert engine.exit_code == 13
    assert namespaces.text == "no containers without an engine: AppArmor forbids it"
    assert (namespaces.hint, namespaces.exit_code) == ("sudo sysctl", 0)
    document = diagnosis_document(Diagnosis(MACHINE, (), (), FORBIDDEN))
    assert document["namespaces"]["allowed"] == {"namespaces": False, "overlay": False, "binfmt": False}


def test_other_contexts_are_nobody_s_problem() -> None:
    others = [EnginePlace("board", chosen=False, answer=GONE), place(MISSING, chosen=False, free=1)]
    assert list(place_problems(others)) == []


def test_the_exit_code_is_that_of_what_does_not_work() -> None:
    note, engine, cannot_run = Problem("note", ""), Problem("engine", "", 13), Problem("run", "", 15)
    assert Diagnosis(MACHINE, (), ()).exit_code == 0
    assert Diagnosis(MACHINE, (), (note,)).exit_code == 0
    assert Diagnosis(MACHINE, (), (note, engine, cannot_run)).exit_code == 13


def test_the_table_has_a_row_for_everything() -> None:
    places = (place(NATIVE, EMULATED, MISSING, rootless=True), EnginePlace("board", chosen=False, answer=GONE))
    text = diagnosis_text(Diagnosis(MACHINE, places, tuple(place_problems(places))))
    assert text == (
        "where                what                  found\n"
        "this machine         ✔ machine             x86_64, 2 processors, 8.0 GiB of memory\n"
        "                     ✔ Pythons             cp312 (without headers) cp313\n"
        "                     ✔ Zig                 0.17.1\n"
        "                     ✔ uv                  0.9.0\n"
        "                     ✔ patchelf            0.18.0\n"
        "                     ✔ disk for the cache  30.0 GiB free in /home/me/.cache/crosswheel\n"
        "Docker host default  ✔ engine              Docker Engine 28.2.2, rootless, at unix:///run/docker.sock; "
        "API 1.51; x86_64, 2 processors, 8.0 GiB of memory; 5.0 GiB of images; 30.0 GiB free in /var/lib/docker\n"
        "                     ✔ x86_64              natively\n"
        "                     ✔ aarch64             under QEMU, fastest with QEMU_CPU=max,pauth=off "
        "(qemu-aarch64: /usr/bin/qemu-aarch64-static, flags OCF)\n"
        "                     ✘ riscv64             exec format error\n"
        "context board        - engine              no Docker Engine answers there\n"
        "\n"
        "✘ the Docker host at unix:///run/docker.sock does not run programs for riscv64: exec format error\n"
        "    try: crosswheel register --arch riscv64\n"
    )


def test_that_nothing_is_missing_is_said() -> None:
    assert diagnosis_text(Diagnosis(MACHINE, (place(NATIVE),), ())).endswith("\n\nno problems found\n")


def test_machines_read_the_same() -> None:
    places = (place(EMULATED, MISSING), EnginePlace("board", chosen=False, answer=GONE))
    document = json.loads(json.dumps(diagnosis_document(Diagnosis(MACHINE, places, (Problem("x", "y", 15),)))))
    assert (document["kind"], document["exit_code"]) == ("doctor", 15)
    assert [each["tag"] for each in document["machine"]["interpreters"]] == ["cp312", "cp313"]
    here, board = document["docker_hosts"]
    assert (board["answers"], board["reason"]) == (False, GONE.message)
    aarch64, riscv64 = here["architectures"]
    assert (aarch64["runs"], aarch64["cpu"], aarch64["handler"]["flags"]) == (True, "max,pauth=off", "OCF")
    assert (riscv64["runs"], riscv64["reason"], riscv64["handler"]) == (False, REFUSED.message, None)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """No docker context, and an address where nobody answers."""
    monkeypatch.setattr(diagnosis, "contexts", dict)
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path))
    return {"docker-host": f"unix://{tmp_path}/docker.sock", "json": "found.json"}


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """No namespaces, as in many containers."""
    monkeypatch.setattr("crosswheel.upkeep.doctor.look", lambda *_: FORBIDDEN)


@pytest.mark.usefixtures("forbidden")
def test_the_verb_works_without_any_engine(tmp_path: Path, alone: dict[str, Any]) -> None:
    stream = io.StringIO()
    assert run_verb("doctor", tmp_path, alone, stream) == EngineUnavailable.exit_code
    assert "✘ engine" in stream.getvalue()
    assert "only the cross engine works without one" in stream.getvalue()
    document = json.loads((tmp_path / "found.json").read_text())
    assert document["exit_code"] == 13
    assert document["docker_hosts"][0]["name"] == alone["docker-host"]


def test_fixing_does_each_remedy_once_and_goes_on_when_one_fails(
    tmp_path: Path, alone: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def register(call: Call) -> None:
        done.append(f"register {[arch.name for arch in call.config.build.arch]}")
        raise CannotRun("it cannot be")

    problems = (
        Problem("riscv64", "", 15, "register"),
        Problem("s390x", "", 15, "register"),
        Problem("disk", ""),
        Problem("Zig", "", mending="zig"),
    )
    monkeypatch.setattr(verb, "diagnose", lambda *_arguments: Diagnosis(MACHINE, (), problems))
    monkeypatch.setattr("crosswheel.commands.register.run", register)
    monkeypatch.setattr(verb, "ensure_zig", lambda *_arguments: done.append("zig"))
    stream = io.StringIO()
    assert run_verb("doctor", tmp_path, {**alone, "fix": True, "arch": ["riscv64", "s390x"]}, stream) == 15
    assert done == ["register ['riscv64', 's390x']", "zig"]
    assert "it cannot be" in stream.getvalue()


def test_a_question_that_takes_too_long_has_no_answer() -> None:
    import threading

    never = threading.Event()
    question = diagnosis._Question(lambda: never.wait(30))
    assert isinstance(question.answer(0.01), EngineUnavailable)
    never.set()
    assert question.answer(5) is True


def test_whatever_goes_wrong_is_an_answer() -> None:
    def ask() -> int:
        raise ZeroDivisionError("by nobody")

    answer = diagnosis._Question(ask).answer(5)
    assert isinstance(answer, EngineUnavailable)
    assert answer.message == "by nobody"


# The library leaves the damaged file open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("meta", [None, "{"])
@pytest.mark.usefixtures("forbidden")
def test_a_current_context_that_is_gone_and_a_damaged_one_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meta: str | None
) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "config.json").write_text('{"currentContext": "desktop"}')
    if meta:
        (tmp_path / "contexts/meta/abc").mkdir(parents=True)
        (tmp_path / "contexts/meta/abc/meta.json").write_text(meta)
    stream = io.StringIO()
    assert run_verb("doctor", tmp_path, {"json": "found.json"}, stream) == EngineUnavailable.exit_code
    assert json.loads((tmp_path / "found.json").read_text())["docker_hosts"][0]["name"] == "desktop"
