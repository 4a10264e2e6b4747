"""The shell that finds libraries and their packages, run here with package managers of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from crosswheel.engines.container_libraries import found_libraries, search_command
from crosswheel.formats.packages import Package

RPM = """
case "$4" in */libfoo.so.1.2) ;; *) exit 1;; esac
echo "$3" | sed 's/%{NAME}/foo-libs/;s/%{VERSION}/1.2/;s/%{RELEASE}/3/;s/%{ARCH}.*/a64/'
"""
DPKG = """
if [ "$1" = -S ]; then
  case "$2" in /usr/*) exit 1;; */libfoo.so.1.2) echo "libfoo1:arm64: $2";; *) exit 1;; esac
else
  printf "$3" | sed 's/${Package}/libfoo1/;s/${Version}/1:1.2-3/;s/${Architecture}/arm64/'
fi
"""
APK = """
if [ "$1" = --print-arch ]; then echo aarch64; exit; fi
case "$3" in */libfoo.so.1.2) echo "$3 is owned by foo-libs-1.2_git3-r0";; *) exit 1;; esac
"""


@pytest.mark.parametrize(
    ("program", "script", "fields"),
    [
        ("rpm", RPM, ("rpm", "foo-libs", "1.2-3", "a64")),
        ("dpkg-query", DPKG, ("deb", "libfoo1", "1:1.2-3", "arm64")),
        ("apk", APK, ("apk", "foo-libs", "1.2_git3-r0", "aarch64")),
        ("none", "", None),
    ],
)
def test_libraries_and_their_packages(
    tmp_path: Path, program: str, script: str, fields: tuple[str, str, str, str] | None
) -> None:
    programs, libraries = tmp_path / "bin", tmp_path / "lib"
    programs.mkdir()
    libraries.mkdir()
    for tool in ("sh", "sed", "head", "readlink", "printf", "echo"):
        (programs / tool).symlink_to(shutil.which(tool) or tool)
    (programs / program).write_text(f"#!/bin/sh\n{script}")
    (programs / program).chmod(0o755)
    (libraries / "libfoo.so.1").symlink_to("libfoo.so.1.2")
    for name in ("libfoo.so.1.2", "libown.so"):
        (libraries / name).write_bytes(b"")
    command = search_command(["libfoo.so.1", "libmissing.so", "libown.so"], f"echo /nowhere {libraries}")
    environ = {**os.environ, "PATH": str(programs)}
    output = subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout
    found = {name: (path, owner) for name, path, owner in found_libraries(output)}
    assert list(found) == ["libfoo.so.1", "libown.so"]
    path, owner = found["libfoo.so.1"]
    assert path == str(libraries / "libfoo.so.1.2")
    assert found["libown.so"][1] is None
    if fields and owner:
        kind, name, version, arch = fields
        assert owner == Package(kind, owner.distribution, name, version, arch)
    assert bool(owner) == bool(fields)
