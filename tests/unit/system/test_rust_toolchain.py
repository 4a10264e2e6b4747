"""The user's Rust: found in PATH, asked for its folder; rustup adds targets, or says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.errors import MissingTool
from crosswheel.system.process import Processes
from crosswheel.system.rust_toolchain import RustToolchain, add_target, find_rust

_TRIPLE = "aarch64-unknown-linux-gnu"


def _program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def _environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(tmp_path / "bin")}


def test_a_toolchain_knows_its_targets(tmp_path: Path) -> None:
    _program(tmp_path / "bin", "cargo", "exit 1")
    _program(tmp_path / "bin", "rustc", f"echo {tmp_path}/root")
    rust = find_rust(Processes(), _environ(tmp_path))
    assert rust == RustToolchain(tmp_path / "bin" / "cargo", tmp_path / "root")
    assert not rust.compiles_for(_TRIPLE)
    libraries = tmp_path / "root" / "lib" / "rustlib" / _TRIPLE / "lib"
    libraries.mkdir(parents=True)
    (libraries / "libstd-0123.rlib").touch()
    assert rust.compiles_for(_TRIPLE)


def test_missing_programs_are_named(tmp_path: Path) -> None:
    assert find_rust(Processes(), _environ(tmp_path)) == "cargo and rustc are not installed"
    _program(tmp_path / "bin", "rustc", "exit 0")
    assert find_rust(Processes(), _environ(tmp_path)) == "cargo is not installed"


def test_a_rustup_without_a_toolchain_says_so(tmp_path: Path) -> None:
    _program(tmp_path / "bin", "cargo", "exit 1")
    _program(tmp_path / "bin", "rustc", "echo 'error: rustup could not choose a version of rustc to run' >&2; exit 1")
    said = find_rust(Processes(), _environ(tmp_path))
    assert said == "rustc does not run: error: rustup could not choose a version of rustc to run"


def test_rustup_adds_a_target(tmp_path: Path) -> None:
    rustup = _program(tmp_path / "bin", "rustup", f'echo "$*" > {tmp_path}/said')
    add_target(RustToolchain(rustup, tmp_path, rustup), _TRIPLE, Processes(), _environ(tmp_path))
    assert (tmp_path / "said").read_text() == f"target add {_TRIPLE}\n"


def test_a_target_that_cannot_be_had_has_a_reason_and_the_command(tmp_path: Path) -> None:
    said = "info: downloading\\nerror: toolchain 'stable' does not support target 'armv7l'\\nnote: see a list"
    rustup = _program(tmp_path / "bin", "rustup", f'printf "{said}\\n" >&2; exit 1')
    with pytest.raises(MissingTool) as caught:
        add_target(RustToolchain(rustup, tmp_path, rustup), _TRIPLE, Processes(), _environ(tmp_path))
    assert caught.value.message.endswith(f"{_TRIPLE}: toolchain 'stable' does not support target 'armv7l'")
    assert caught.value.hint == f"rustup target add {_TRIPLE}"


def test_addresses_are_no_part_of_the_reason(tmp_path: Path) -> None:
    said = "error: download failed for rust-std: could not download 'x' to 'y': dns error: Name or service not known"
    rustup = _program(tmp_path / "bin", "rustup", f'echo "{said}" >&2; exit 1')
    with pytest.raises(MissingTool) as caught:
        add_target(RustToolchain(rustup, tmp_path, rustup), _TRIPLE, Processes(), _environ(tmp_path))
    assert caught.value.message.endswith(f"{_TRIPLE}: download failed for rust-std: Name or service not known")
