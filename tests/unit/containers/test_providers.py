from __future__ import annotations

import os
from pathlib import Path

import pytest

from crosswheel.containers import binfmt
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.providers import ImageOfEmulators, InstalledEmulators, Provider, choose_provider, failure
from crosswheel.errors import CannotRun
from crosswheel.model.targets import architectures
from crosswheel.system.process import Processes

RISCV64, ARMV7L, I686 = (architectures()[name] for name in ("riscv64", "armv7l", "i686"))


def host(address: str = "unix:///run/docker.sock", *, rootless: bool = False) -> DockerHost:
    kernel = os.uname().release
    return DockerHost(None, address, "28", "x86_64", 2, 1 << 30, rootless, kernel)  # type: ignore[arg-type]


@pytest.fixture
def emulators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This machine's: for riscv64."""
    emulator = tmp_path / "qemu-riscv64-static"
    emulator.touch(mode=0o755)
    monkeypatch.setattr("shutil.which", lambda name, path: str(emulator) if name == emulator.name else None)
    return emulator


def chosen(wanted: str, on: DockerHost, *archs: str) -> Provider:
    return choose_provider(
        wanted,
        on,
        [architectures()[name] for name in archs or ("riscv64",)],
        mirrors=(),
        environ={},
        processes=Processes(),
    )


@pytest.mark.parametrize(
    ("user", "address", "arch", "name"),
    [
        (0, "unix:///run/docker.sock", "riscv64", "host"),
        (0, "unix:///run/docker.sock", "s390x", "tonistiigi/binfmt"),
        (0, "ssh://board", "riscv64", "tonistiigi/binfmt"),
        (1000, "unix:///run/docker.sock", "riscv64", "tonistiigi/binfmt"),
    ],
)
def test_auto_is_the_host_where_it_can(
    emulators: Path, monkeypatch: pytest.MonkeyPatch, user: int, address: str, arch: str, name: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert chosen("auto", host(address), arch).name == name


@pytest.mark.parametrize(
    ("user", "address", "arch", "message", "hint"),
    [
        (0, "ssh://board", "riscv64", "the Docker host at ssh://board has another", "--provider tonistiigi/binfmt"),
        (0, "unix:///run/docker.sock", "s390x", "no qemu-*-static for s390x", "sudo apt install qemu-user-static"),
        (1000, "unix:///run/docker.sock", "riscv64", "only root may", 'sudo "$(command -v crosswheel)" register'),
    ],
)
def test_the_host_is_refused_with_the_reason_where_it_cannot(
    emulators: Path, monkeypatch: pytest.MonkeyPatch, user: int, address: str, arch: str, message: str, hint: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    with pytest.raises(CannotRun) as caught:
        chosen("host", host(address), arch)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_rootless_engine_is_refused_an_image_but_not_the_host(
    emulators: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    rootless = host("unix:///run/user/1000/docker.sock", rootless=True)
    assert chosen("auto", rootless).name == "host"
    with pytest.raises(CannotRun, match="is rootless") as caught:
        chosen("tonistiigi/binfmt:latest", rootless)
    assert "--docker-host unix:///run/user/1000/docker.sock" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "reference", "arguments"),
    [
        (
            "tonistiigi/binfmt",
            "tonistiigi/binfmt:latest",
            ["--uninstall", "riscv64,arm,386", "--install", "riscv64,arm,386"],
        ),
        ("multiarch/qemu-user-static", "multiarch/qemu-user-static:latest", ["--reset", "-p", "yes"]),
        ("127.0.0.1:5000/qemu-user-static", "127.0.0.1:5000/qemu-user-static:latest", ["--reset", "-p", "yes"]),
        ("mirror/qemu-user-static@sha256:0", "mirror/qemu-user-static@sha256:0", ["--reset", "-p", "yes"]),
    ],
)
def test_each_image_is_spoken_to_in_its_own_words(name: str, reference: str, arguments: list[str]) -> None:
    image = ImageOfEmulators(host(), name)
    assert image.reference == reference
    assert image.arguments([RISCV64, ARMV7L, I686]) == arguments
    assert f"docker run --rm --privileged {name} {' '.join(arguments)}" in "\n".join(
        image.changes([RISCV64, ARMV7L, I686])
    )


def test_that_a_reset_removes_everything_is_said_before() -> None:
    changes = list(ImageOfEmulators(host(), "multiarch/qemu-user-static").changes([RISCV64]))
    assert changes[0] == "remove every entry qemu-* of that kernel, then register all emulators of the image"


def test_what_is_replaced_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    old = binfmt.Handler("qemu-riscv64", enabled=True, interpreter="/old", flags="OC")
    monkeypatch.setattr(binfmt, "handlers", lambda: (old,))
    provider = InstalledEmulators(host(), {RISCV64: Path("/new")}, Processes())
    assert list(provider.changes([RISCV64])) == ["register /new as qemu-riscv64 (flags CF) instead of /old (flags OC)"]


def test_a_failure_tells_what_was_printed_and_what_to_try_next() -> None:
    error = failure(
        ImageOfEmulators(host(), "multiarch/qemu-user-static"), {RISCV64: CannotRun("it does not run")}, "one\ntwo"
    )
    assert str(error) == (
        "multiarch/qemu-user-static finished, but\n  it does not run\n  | one\n  | two\n"
        "  try: crosswheel register --arch riscv64 --provider tonistiigi/binfmt"
    )
