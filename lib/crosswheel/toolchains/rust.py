"""Configures Cargo for a target: the target triple, and the linkers for it and for this machine."""

from __future__ import annotations

import platform
from pathlib import Path

from crosswheel.model.targets import Target

_PROCESSORS = {"armv7l": "armv7", "ppc64le": "powerpc64le", "riscv64": "riscv64gc", "arm64": "aarch64"}


def rust_target(target: Target) -> str:
    """The target triple for ``rustup target add``."""
    return _triple(target.arch.name, "musl" if target.policy.libc == "musl" else "gnu")


def cargo_environ(target: Target, programs: Path) -> dict[str, str]:
    """Environment variables of Cargo (The Cargo Book, "Environment Variables"); `programs` has cc and build-cc.

    Without them Cargo would build for this machine and link with the target's cc, which is first in PATH.
    """
    linkers = {_triple(platform.machine(), "gnu"): "build-cc", rust_target(target): "cc"}
    return {
        "CARGO_BUILD_TARGET": rust_target(target),
        **{_linker_variable(triple): str(programs / name) for triple, name in linkers.items()},
    }


def _triple(machine: str, libc: str) -> str:
    return f"{_PROCESSORS.get(machine, machine)}-unknown-linux-{libc}{'eabihf' if machine == 'armv7l' else ''}"


def _linker_variable(triple: str) -> str:
    return f"CARGO_TARGET_{triple.upper().replace('-', '_')}_LINKER"
