"""Configures Cargo and its build scripts for a target: triple, linkers, C compilers, and the target's CPython."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from crosswheel.model.targets import Target
from crosswheel.toolchains.description import Description

_PROCESSORS = {"armv7l": "armv7", "ppc64le": "powerpc64le", "riscv64": "riscv64gc", "arm64": "aarch64"}


def rust_target(target: Target) -> str:
    """The target triple for ``rustup target add``."""
    return _triple(target.arch.name, "musl" if target.policy.libc == "musl" else "gnu")


def cargo_environ(target: Target, programs: Path) -> dict[str, str]:
    """Environment variables of Cargo and of build scripts; `programs` has cc, c++, ar, build-cc and build-c++.

    Cargo would build for this machine and link with the target's cc, which is first in PATH (The Cargo Book,
    "Environment Variables"). The crates cc and cmake ask for compilers by triple, and would take CC, the target's, for
    this machine's C code as well. pkg-config only knows the target's libraries, so its crate may ask it.
    """
    ours, its = _triple(platform.machine(), "gnu"), rust_target(target)
    compilers = {ours: ("build-cc", "build-c++"), its: ("cc", "c++")}
    environ = {"CARGO_BUILD_TARGET": its, "PKG_CONFIG_ALLOW_CROSS": "1"}
    for triple, (cc, cxx) in compilers.items():
        name = triple.replace("-", "_")
        environ[f"CARGO_TARGET_{name.upper()}_LINKER"] = str(programs / cc)
        environ |= {f"CC_{name}": str(programs / cc), f"CXX_{name}": str(programs / cxx)}
        environ[f"AR_{name}"] = str(programs / "ar")
    return environ


def pyo3_environ(target: Target, description: Description, folder: Path) -> dict[str, str]:
    """Describe the target's CPython for maturin and PyO3 in a new `folder`, and name it to them.

    Both read a ``_sysconfigdata`` file, as CPython's build writes it (PyO3 user guide, "Cross Compiling").
    """
    told = json.loads(description.path.read_text("utf-8"))
    version, flags = target.python.version, "t" if target.python.free_threaded else ""
    variables = {**told["vars"], "VERSION": version, "LDVERSION": f"{version}{flags}", "ABIFLAGS": flags}
    folder.mkdir()
    name = f"_sysconfigdata_{flags}_linux_{target.multiarch}"
    (folder / f"{name}.py").write_text(f"build_time_vars = {variables!r}\n", "utf-8")
    return {"PYO3_CROSS_LIB_DIR": str(folder), "PYO3_CROSS_PYTHON_VERSION": f"{version}{flags}"}


def _triple(machine: str, libc: str) -> str:
    return f"{_PROCESSORS.get(machine, machine)}-unknown-linux-{libc}{'eabihf' if machine == 'armv7l' else ''}"
