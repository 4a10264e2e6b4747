"""A Rust for arm64 on this machine, made of Debian's packages: cargo, rustc, two standard libraries, and PyO3's crates.

rustup has no network here, and its compiler can only use standard libraries of the very same build. Debian has those of
every architecture, and crates as source packages, which Cargo takes for a vendored registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import filelock
import pytest

from debian import DebianUnavailable, unpacked

TRIPLE = "aarch64-unknown-linux-gnu"
_HOST = "x86_64-unknown-linux-gnu"


@dataclass(frozen=True)
class DebianRust:
    """`bin` has cargo and rustc; `home` is a CARGO_HOME whose settings name the folder of crates."""

    bin: Path
    home: Path
    crates: Path


def debian_rust(cache: Path) -> DebianRust:
    """Skips where it cannot be had."""
    try:
        programs = unpacked("amd64", ("rustc-web", "cargo-web"), "bookworm", cache)
        library = unpacked("arm64", ("libstd-rust-web-dev",), "bookworm", cache)
        crates = unpacked("amd64", ("librust-pyo3-dev", "librust-cc-dev"), "trixie", cache)
    except DebianUnavailable as error:
        pytest.skip(f"no Rust for arm64: {error}")
    place = cache / "rust" / "-".join(root.name for root in (programs, library, crates))
    made = DebianRust(place / "bin", place / "home", crates / "usr" / "share" / "cargo" / "registry")
    place.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{place}.lock"):
        _make(made, programs, library)
    return made


def _make(made: DebianRust, programs: Path, library: Path) -> None:
    """Both standard libraries in one folder, as in a toolchain of rustup, and programs that look there."""
    root = made.bin.parent
    for folder in (made.bin, made.home, root / "lib" / "rustlib"):
        folder.mkdir(parents=True, exist_ok=True)
    for triple, of in ((_HOST, programs), (TRIPLE, library)):
        link = root / "lib" / "rustlib" / triple
        # A cache that was moved has links to where it was.
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(of / "usr" / "lib" / "rustlib" / triple)
    libraries = programs / "usr" / "lib" / "x86_64-linux-gnu"
    for name, options in (("cargo", ""), ("rustc", f"--sysroot {root}")):
        program = made.bin / name
        program.write_text(
            f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {programs}/usr/bin/{name} {options} "$@"\n', "utf-8"
        )
        program.chmod(0o755)
    settings = f'[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "{made.crates}"\n'
    (made.home / "config.toml").write_text(settings, "utf-8")
