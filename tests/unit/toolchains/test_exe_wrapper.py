"""How programs of a target run on this machine during a cross build."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.containers.binfmt import find_emulator, handler_for
from crosswheel.containers.emulation import Running, program
from crosswheel.engines.workspace import HostWorkspace
from crosswheel.model.targets import PythonTag, Target, architectures, oldest_policy, parse_policy
from crosswheel.system.local_host import LocalHost
from crosswheel.system.process import CommandFailed
from crosswheel.toolchains.exe_wrapper import ExeWrapper, find_exe_wrapper, has_loader
from tiny_projects import tiny_host

AARCH64, RISCV64 = architectures()["aarch64"], architectures()["riscv64"]


def target_of(arch: str, policy: str = "") -> Target:
    architecture = architectures()[arch]
    return Target(PythonTag(13), architecture, parse_policy(policy) if policy else oldest_policy(architecture))


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    return tiny_host(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The loaders of glibc for RISC-V and of musl, as far as anybody looks at them."""
    for name in ("ld-linux-riscv64-lp64d.so.1", "ld-musl-riscv64.so.1"):
        path = tmp_path / "root" / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "root"


def test_a_loader_is_known_by_the_name_that_programs_have_for_it(root: Path, tmp_path: Path) -> None:
    assert has_loader(root, target_of("riscv64"))
    assert has_loader(root, target_of("riscv64", "musllinux_1_2"))
    assert not has_loader(root, target_of("aarch64"))
    assert not has_loader(tmp_path, target_of("riscv64", "musllinux_1_2"))


def test_qemu_is_told_of_the_root_and_the_processor_by_variables_and_by_the_script(tmp_path: Path) -> None:
    wrapper = ExeWrapper(Running(AARCH64, natively=False, cpu="max"), Path("/bin/qemu"), tmp_path, directly=False)
    assert wrapper.environ == {"QEMU_LD_PREFIX": str(tmp_path), "QEMU_CPU": "max"}
    assert wrapper.script("a program").endswith("exec /bin/qemu 'a program' \"$@\"\n")
    assert f"export QEMU_LD_PREFIX={tmp_path}\n" in wrapper.script()


def test_a_processor_that_runs_the_programs_needs_no_variables(tmp_path: Path) -> None:
    wrapper = ExeWrapper(Running(AARCH64, natively=True), None, Path("/"), directly=True)
    assert (wrapper.environ, wrapper.entries, wrapper.files) == ({}, (), ())
    script = tmp_path / "script"
    script.write_text(wrapper.script())
    script.chmod(0o755)
    done = subprocess.run([str(script), "/bin/echo", "two words"], capture_output=True, text=True, check=True)
    assert done.stdout == "two words\n"


def test_this_machines_own_programs_run_without_an_emulator(host: LocalHost, tmp_path: Path) -> None:
    if platform.machine() != "x86_64" or not has_loader(Path("/"), target_of("x86_64")):
        pytest.skip("for x86_64 with glibc")
    found = find_exe_wrapper(target_of("x86_64"), [], host, tmp_path)
    assert found is not None
    assert (found.running.natively, found.emulator, found.directly) == (True, None, True)


def test_dynamic_programs_do_not_run_without_libraries(host: LocalHost, tmp_path: Path) -> None:
    if has_loader(Path("/"), target_of("riscv64")) or has_loader(Path("/usr/riscv64-linux-gnu"), target_of("riscv64")):
        pytest.skip("this machine has the C library of RISC-V")
    assert find_exe_wrapper(target_of("riscv64"), [], host, tmp_path) is None


def test_nothing_runs_without_an_emulator(host: LocalHost, root: Path, tmp_path: Path) -> None:
    if handler_for(RISCV64) or find_emulator(RISCV64, {}):
        pytest.skip("this machine runs programs of RISC-V")
    assert find_exe_wrapper(target_of("riscv64"), [root], host, tmp_path) is None


@pytest.fixture
def wrapper(host: LocalHost, root: Path, tmp_path: Path) -> ExeWrapper:
    if find_emulator(RISCV64, os.environ) is None:
        pytest.skip("no static QEMU for RISC-V")
    found = find_exe_wrapper(target_of("riscv64"), [root], host, tmp_path)
    assert found is not None
    return found


@pytest.mark.emulator
def test_qemu_runs_the_programs(wrapper: ExeWrapper, root: Path) -> None:
    assert (wrapper.running.natively, wrapper.root) == (False, root)


@pytest.mark.emulator
def test_in_a_sandbox_the_kernel_starts_them_without_an_entry_of_the_machine(
    wrapper: ExeWrapper, host: LocalHost, tmp_path: Path
) -> None:
    if refusal := host.allowed.binfmt:
        pytest.skip(str(refusal))
    job = tmp_path / "job"
    job.mkdir()
    generator = job / "generator"
    generator.write_bytes(program(RISCV64))
    generator.chmod(0o755)
    python = Path("/usr/bin/python3")
    sandbox = host.sandbox(job, python, {}, *wrapper.files)
    assert sandbox
    inside = replace(sandbox, emulators=wrapper.entries)
    workspace = HostWorkspace(host, job, python, tmp_path / "log", None, {"PATH": os.defpath}, sandbox=inside)
    assert wrapper.directly
    with pytest.raises(CommandFailed) as failure:
        workspace.run_hook(["sh", "-c", "./generator"], cwd=str(job))
    assert failure.value.returncode == 42
