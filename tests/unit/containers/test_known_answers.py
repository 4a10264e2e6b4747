"""Which answers of a Docker host are taken for its answers of now, and which never."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.containers import known_answers
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.emulation import Running
from crosswheel.containers.images import Image
from crosswheel.containers.known_answers import grounds, known_survey, pythons_of
from crosswheel.errors import CannotRun
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import Architecture, PythonTag, architectures, parse_python
from crosswheel.system.memo import Answers

AARCH64, RISCV64 = (architectures()[name] for name in ("aarch64", "riscv64"))
MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
HOST = DockerHost(
    None,  # type: ignore[arg-type]
    "unix:///run/docker.sock",
    "28",
    "x86_64",
    cpus=2,
    memory=MEMORY,
    kernel=os.uname().release,
    identity="runc 1.3",
)
ENTRY = """\
enabled
interpreter {interpreter}
flags: OC
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of its entries: one, for aarch64."""
    folder = tmp_path / "binfmt_misc"
    folder.mkdir()
    (tmp_path / "qemu").write_text("an emulator")
    (folder / "status").write_text("enabled\n")
    (folder / "qemu-aarch64").write_text(ENTRY.format(interpreter=tmp_path / "qemu"))
    (tmp_path / "boot").write_text("a boot")
    (tmp_path / "users").write_text("         0          0 4294967295\n")
    monkeypatch.setattr(known_answers, "_BOOT", tmp_path / "boot")
    monkeypatch.setattr(known_answers, "_USERS", tmp_path / "users")
    return folder


def test_the_same_host_has_the_same_grounds_and_each_architecture_its_own(kernel: Path) -> None:
    assert grounds(HOST, AARCH64, kernel) == grounds(replace(HOST), AARCH64, kernel) != ""
    assert grounds(HOST, AARCH64, kernel) != grounds(HOST, RISCV64, kernel)


@pytest.mark.parametrize(
    "host",
    [
        replace(HOST, address="ssh://board"),
        replace(HOST, kernel="6.6.0-linuxkit"),
        replace(HOST, memory=MEMORY // 2),
        replace(HOST, rootless=True),
    ],
    ids=["far away", "another kernel", "a virtual machine", "rootless"],
)
def test_of_a_kernel_that_is_not_ours_nothing_is_in_sight(kernel: Path, host: DockerHost) -> None:
    assert grounds(host, AARCH64, kernel) == ""


@pytest.mark.parametrize("name", ["binfmt_misc/status", "boot", "users"])
def test_nor_where_this_kernel_does_not_show_itself(kernel: Path, name: str) -> None:
    path = kernel.parent / name
    path.unlink()
    assert grounds(HOST, AARCH64, kernel) == ""
    path.write_text("0 100000 65536\n")
    assert grounds(HOST, AARCH64, kernel) == "" or name == "boot"


def test_whatever_decides_makes_other_grounds(kernel: Path) -> None:
    seen = [grounds(HOST, AARCH64, kernel)]

    def another(host: DockerHost = HOST) -> bool:
        seen.append(grounds(host, AARCH64, kernel))
        return seen[-1] not in {"", *seen[:-1]}

    assert another(replace(HOST, identity="runc 1.4"))
    (kernel.parent / "qemu").write_text("another emulator")
    assert another()
    (kernel.parent / "boot").write_text("another boot")
    assert another()
    entry = kernel / "qemu-aarch64"
    entry.write_text(entry.read_text().replace("enabled", "disabled"))
    assert another()
    entry.unlink()
    assert another()
    entry.write_text(ENTRY.format(interpreter="/nowhere"))
    assert another()


class _Surveyed:
    """Which architectures were asked about; `answer` may change what is registered meanwhile."""

    def __init__(self, refused: Iterable[Architecture] = ()) -> None:
        self.asked: list[Architecture] = []
        self.refused = refused

    def __call__(self, _host: DockerHost, archs: Iterable[Architecture]) -> dict[Architecture, Running | CannotRun]:
        archs = list(archs)
        self.asked += archs
        return {
            arch: CannotRun("no") if arch in self.refused else Running(arch, natively=False, cpu="max")
            for arch in archs
        }


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    monkeypatch.setattr(known_answers, "grounds", lambda host, arch: host.identity and f"{host.identity} {arch}")
    return Answers(tmp_path / "answers")


def test_what_ran_once_is_not_run_again(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    surveyed = _Surveyed()
    monkeypatch.setattr(known_answers, "survey", surveyed)
    first = known_survey(HOST, [AARCH64], answers)
    assert known_survey(HOST, [RISCV64, AARCH64], answers) == {**first, RISCV64: Running(RISCV64, False, "max")}
    assert surveyed.asked == [AARCH64, RISCV64]
    known_survey(replace(HOST, identity="runc 1.4"), [AARCH64], answers)
    assert surveyed.asked == [AARCH64, RISCV64, AARCH64]


def test_what_did_not_run_is_tried_again_and_so_is_a_host_out_of_sight(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    surveyed = _Surveyed(refused=[RISCV64])
    monkeypatch.setattr(known_answers, "survey", surveyed)
    for _ in range(2):
        assert isinstance(known_survey(HOST, [RISCV64], answers)[RISCV64], CannotRun)
        known_survey(replace(HOST, identity=""), [AARCH64], answers)
    assert surveyed.asked == [RISCV64, AARCH64] * 2


def test_what_changed_while_it_was_asked_is_not_remembered(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(100))
    monkeypatch.setattr(known_answers, "grounds", lambda _host, _arch: str(next(moments)))
    monkeypatch.setattr(known_answers, "survey", _Surveyed())
    known_survey(HOST, [AARCH64], answers)
    assert answers.folder
    assert not answers.folder.exists()


def test_an_image_is_looked_into_once(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image("sha256:1", "pypa/image", "", AARCH64, {}, (), 0)
    pythons = {tag: Interpreter(tag, "3.13.1", Path("/opt/python/x")) for tag in (parse_python("cp313t"),)}
    looked: list[str] = []

    def find(_docker: DockerHost, image: Image) -> dict[PythonTag, Interpreter]:
        looked.append(image.id)
        return {} if image.id == "sha256:2" else dict(pythons)

    monkeypatch.setattr(known_answers, "find_pythons", find)
    for _ in range(2):
        assert pythons_of(HOST, image, answers) == pythons
        assert pythons_of(HOST, replace(image, id="sha256:2"), answers) == {}
    assert looked == ["sha256:1", "sha256:2"]
