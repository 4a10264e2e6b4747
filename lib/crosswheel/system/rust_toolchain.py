"""The user's Rust: Cargo, the compiler, the targets that it can compile for, and rustup, which adds others."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crosswheel.errors import CrosswheelError, MissingTool
from crosswheel.system.process import CommandFailed, Processes

_PATIENCE = 30.0  # seconds for a compiler to say where it is
_DOWNLOAD = 600.0  # seconds for a standard library, some 30 MB


@dataclass(frozen=True)
class RustToolchain:
    """The toolchain that builds use. `sysroot` is the folder with the standard libraries, `rustup` may be missing."""

    cargo: Path
    sysroot: Path
    rustup: Path | None = None

    def compiles_for(self, triple: str) -> bool:
        """Whether it has the standard library of that target triple."""
        return any((self._libraries / triple / "lib").glob("libstd-*"))

    def lacks_for_good(self, triple: str) -> bool:
        """Whether the list that rustup keeps of this release says that there is no standard library for the triple."""
        manifest = self._libraries / "multirust-channel-manifest.toml"
        # Not parsed: a megabyte of TOML takes seconds.
        text = manifest.read_text("utf-8", "replace") if manifest.is_file() else ""
        return bool(text) and f"[pkg.rust-std.target.{triple}]\navailable = true\n" not in text

    @property
    def _libraries(self) -> Path:
        return self.sysroot / "lib" / "rustlib"


def find_rust(processes: Processes, environ: Mapping[str, str]) -> RustToolchain | str:
    """The toolchain in the PATH of `environ`, the environment of builds, or the reason why there is none."""
    programs = {name: shutil.which(name, path=environ.get("PATH")) for name in ("cargo", "rustc", "rustup")}
    cargo, rustc, rustup = programs.values()
    if missing := [name for name, found in programs.items() if not found and name != "rustup"]:
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed"
    try:
        # Not in the current folder, which may choose another toolchain.
        said = processes.run(
            [str(rustc), "--print", "sysroot"], env=environ, cwd=Path("/"), deadline=time.monotonic() + _PATIENCE
        )
    except CommandFailed as error:
        return f"rustc does not run: {(error.output.strip() or error.message).splitlines()[0]}"
    except CrosswheelError as error:
        return f"rustc does not run: {error.message}"
    return RustToolchain(Path(str(cargo)), Path(said.strip()), Path(rustup) if rustup else None)


def add_target(rust: RustToolchain, triple: str, processes: Processes, environ: Mapping[str, str]) -> None:
    """Download a target's standard library with rustup. Raises MissingTool if that fails."""
    command = ["rustup", "target", "add", triple]
    try:
        processes.run([str(rust.rustup), *command[1:]], env=environ, deadline=time.monotonic() + _DOWNLOAD)
    except CrosswheelError as error:
        said = error.output.strip().splitlines() if isinstance(error, CommandFailed) else []
        reason = next((line for line in said if line.startswith("error:")), said[-1] if said else error.message)
        raise MissingTool(
            f"rustup could not download Rust's standard library for {triple}: {_short(reason)}",
            hint=" ".join(command),
        ) from error


def _short(reason: str) -> str:
    """An error of rustup without the addresses and temporary files, which stand between its first and last clause."""
    first, *others = reason.removeprefix("error: ").split(": ")
    return f"{first}: {others[-1]}" if others else first
