"""The system of a stand-in image: a Debian suite's packages, and what matters of their maintainer scripts."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from arm import SUITES
from debian import unpacked

# The suite whose own CPython is 3.X, oldest first. cibuildwheel runs its own helpers with cp39, whatever it builds for.
PYTHONS: Mapping[int, str] = {9: "bullseye", **SUITES}
NEWEST = max(PYTHONS)

# Debian's words for the architectures in the names of wheels.
DEBIAN: Mapping[str, str] = {"aarch64": "arm64", "riscv64": "riscv64", "s390x": "s390x", "x86_64": "amd64"}

SHELL = (
    "base-files",
    "bash",
    "ca-certificates",
    "coreutils",
    "debianutils",
    "findutils",
    "grep",
    "libc-bin",
    "mawk",
    "sed",
)
COMPILERS = (
    "bzip2", "diffutils", "file", "g++", "gcc", "gzip", "hostname", "libffi-dev", "make", "patch", "pkgconf", "procps",
    "tar", "unzip", "util-linux", "xz-utils", "zlib1g-dev",
)  # fmt: skip

# What update-alternatives and dpkg-divert would have linked.
_LINKS = {"awk": "mawk", "c++": "g++", "c99": "gcc", "cc": "gcc", "sh": "bash", "which": "which.debianutils"}

_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_FOLDERS = {"dev": 0o755, "proc": 0o555, "root": 0o700, "run": 0o755, "sys": 0o555, "tmp": 0o1777, "var/tmp": 0o1777}

CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def system(arch: str, packages: Sequence[str], cache: Path, suite: str = PYTHONS[NEWEST]) -> Path:
    """The packages alone, kept between runs: never change what is in it."""
    return unpacked(DEBIAN[arch], packages, suite, cache)


def write_setup(layer: Path, system: Path) -> None:
    """Add the rest, to a layer that comes after the packages."""
    for name, mode in _FOLDERS.items():
        (layer / name).mkdir(parents=True, exist_ok=True)
        (layer / name).chmod(mode)
    for name, text in _FILES.items():
        write(layer / name, text)
    write(layer / CERTIFICATES, certificates())
    programs = system / "usr" / "bin"
    for name, target in _LINKS.items():
        if (programs / target).exists() and not (programs / name).is_symlink():
            link(layer / "usr" / "bin" / name, target)


def certificates() -> str:
    """Whom this machine trusts, containers have to trust: a proxy of its network may sign with a key of its own."""
    defaults = ssl.get_default_verify_paths()
    return Path(os.environ.get("SSL_CERT_FILE") or defaults.cafile or f"/{CERTIFICATES}").read_text("utf-8")


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)


def link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
