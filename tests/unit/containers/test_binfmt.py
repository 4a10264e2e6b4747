from __future__ import annotations

import os
from pathlib import Path

import pytest

from crosswheel.containers.binfmt import (
    Handler,
    complaints,
    find_emulator,
    handler_for,
    handlers,
    new_handler,
    parse_handler,
    register,
    shares_kernel,
)
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.emulation import program
from crosswheel.model.targets import Architecture, architectures
from crosswheel.system.process import Processes

ARCHITECTURES = pytest.mark.parametrize("arch", architectures().values(), ids=str)
AARCH64 = architectures()["aarch64"]
ENTRY = """\
enabled
interpreter /usr/bin/qemu-aarch64-static
flags: OCF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""
LINE = (
    r":qemu-aarch64:M:0:\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    r":/usr/bin/qemu-aarch64-static:CF"
)


def entry(folder: Path, text: str = ENTRY, name: str = "qemu-aarch64") -> Handler:
    """As the kernel has it."""
    (folder / name).write_text(text)
    found = parse_handler(name, text)
    assert found
    return found


def said(handler: Handler, folder: Path) -> list[tuple[str, bool]]:
    return [(complaint.text.split()[0], complaint.fatal) for complaint in complaints(handler, folder)]


def test_the_line_is_the_one_that_the_kernel_documents() -> None:
    assert new_handler(AARCH64, Path("/usr/bin/qemu-aarch64-static")).line == LINE


def test_what_is_registered_reads_as_it_was_written() -> None:
    found, made = parse_handler("qemu-aarch64", ENTRY), new_handler(AARCH64, Path("/usr/bin/qemu-aarch64-static"))
    assert found
    assert (found.magic, found.mask, found.offset, found.enabled) == (made.magic, made.mask, 0, True)
    assert found.flags == "OCF"  # C implies O


@ARCHITECTURES
def test_an_entry_takes_the_programs_of_its_architecture_and_no_others(arch: Architecture) -> None:
    handler = new_handler(arch, Path("/emulator"))
    assert [each for each in architectures().values() if handler.takes(program(each))] == [arch]
    assert len(handler.line) < 1920  # all that the kernel reads


@ARCHITECTURES
def test_it_takes_position_independent_programs_of_any_system_too(arch: Architecture) -> None:
    data = bytearray(program(arch))
    data[7] = 3  # ELFOSABI_GNU
    data[16:18] = (3).to_bytes(2, arch.byteorder)  # ET_DYN
    assert new_handler(arch, Path("/emulator")).takes(bytes(data))
    data[16:18] = (1).to_bytes(2, arch.byteorder)  # ET_REL
    assert not new_handler(arch, Path("/emulator")).takes(bytes(data))


@pytest.mark.parametrize("name", ["qemu-arm", "qemu-s390x", "qemu-riscv64", "qemu-aarch64"])
def test_debian_looks_for_the_same_bytes(name: str) -> None:
    path = Path(f"/usr/lib/binfmt.d/{name}.conf")
    if not path.is_file():
        pytest.skip("Debian's qemu-user-static is not installed")
    ours = {handler.name: handler for handler in (new_handler(arch, Path("/x")) for arch in architectures().values())}
    magic = path.read_text("ascii").split(":")[4]
    assert f":{magic}:" in ours[name].line


def test_an_entry_for_the_ending_of_names_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "java").write_text("enabled\ninterpreter /usr/bin/java\nflags: \nextension .jar\n")
    (tmp_path / "register").write_text("")
    (tmp_path / "status").write_text("enabled\n")
    assert handlers(tmp_path) == ()
    assert handlers(tmp_path / "not mounted") == ()


def test_an_enabled_entry_is_the_one_that_counts(tmp_path: Path) -> None:
    entry(tmp_path, ENTRY.replace("enabled", "disabled"), "a")
    assert (found := handler_for(AARCH64, tmp_path))
    assert not found.enabled
    entry(tmp_path, name="b")
    assert (found := handler_for(AARCH64, tmp_path))
    assert found.name == "b"
    assert handler_for(architectures()["riscv64"], tmp_path) is None


def test_a_sound_entry_is_not_complained_of(tmp_path: Path) -> None:
    emulator = tmp_path / "emulator"
    emulator.touch()
    assert said(entry(tmp_path, ENTRY.replace("/usr/bin/qemu-aarch64-static", str(emulator))), tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("enabled", "disabled", [("qemu-aarch64", True)]),
        ("OCF", "OC", [("qemu-aarch64", True)]),
        ("OCF", "F", [("qemu-aarch64", False)]),
        ("/bin/sh", "/nowhere/emulator", [("/nowhere/emulator", False)]),
    ],
)
def test_what_keeps_containers_from_running_is_fatal(
    tmp_path: Path, old: str, new: str, expected: list[tuple[str, bool]]
) -> None:
    text = ENTRY.replace("/usr/bin/qemu-aarch64-static", "/bin/sh").replace(old, new)
    assert said(entry(tmp_path, text), tmp_path) == expected


def test_an_emulator_that_was_replaced_is_told(tmp_path: Path) -> None:
    emulator = tmp_path / "emulator"
    found = entry(tmp_path, ENTRY.replace("/usr/bin/qemu-aarch64-static", str(emulator)))
    emulator.touch()
    before = (tmp_path / found.name).stat()
    while emulator.stat().st_ctime <= before.st_ctime:
        emulator.touch()
    assert said(found, tmp_path) == [(str(emulator), False)]


def test_registering_replaces_an_entry_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "register").touch()
    handler = entry(tmp_path)
    register([handler], Processes(), tmp_path)
    assert (tmp_path / handler.name).read_text() == "-1"
    assert (tmp_path / "register").read_text() == handler.line


def test_emulators_are_found_in_path_and_where_debian_puts_them(tmp_path: Path) -> None:
    emulator = tmp_path / "qemu-arm-static"
    assert find_emulator(architectures()["armv7l"], {"PATH": str(tmp_path)}) != emulator
    emulator.touch(mode=0o755)
    assert find_emulator(architectures()["armv7l"], {"PATH": str(tmp_path)}) == emulator


@pytest.mark.parametrize(
    ("address", "kernel", "ours"),
    [
        ("unix:///run/docker.sock", os.uname().release, True),
        ("unix:///run/docker.sock", "6.6.0-linuxkit", False),
        ("ssh://board", os.uname().release, False),
    ],
)
def test_the_kernel_is_ours_where_no_machine_is_between(address: str, kernel: str, ours: bool) -> None:
    host = DockerHost(None, address, "28", "x86_64", 2, 1 << 30, kernel=kernel)  # type: ignore[arg-type]
    assert shares_kernel(host) is ours
