"""Debian's CPythons for arm64, run on this machine by QEMU: where a wheel for aarch64 shows that it works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock
import pytest
from packaging.utils import parse_wheel_filename

from crosswheel.model.targets import PythonTag, load_table
from debian import DebianUnavailable, unpacked

EMULATOR = "qemu-aarch64-static"

# The suite whose own CPython is 3.X: each in a folder of its own, with the libc that it was built for.
SUITES = {11: "bookworm", 13: "trixie"}

# QEMU's default processor signs pointers, as Debian's binaries ask for, and takes ten times as long for it.
_CPU = "cortex-a57"

_TIMEOUT = 300.0

_IMPORT = """
import importlib, json, sys
modules = {name: importlib.import_module(name) for name in sys.argv[1:]}
print(json.dumps({name: module.__file__ for name, module in modules.items()}))
"""


def debian_packages(minor: int) -> tuple[str, ...]:
    """A CPython with its standard library and headers: an interpreter, and a sysroot as well.

    Wheels may count on libstdc++ (PEP 600), which CPython itself does not need.
    """
    return (f"python3.{minor}", f"libpython3.{minor}-dev", "libstdc++6")


@dataclass(frozen=True)
class ArmPython:
    """`roots` has a folder per minor version of CPython 3; `missing` says why another is not there."""

    emulator: Path
    roots: Mapping[int, Path]
    missing: Mapping[int, str]
    cache: Path

    @property
    def tags(self) -> tuple[PythonTag, ...]:
        return tuple(PythonTag(minor) for minor in self.roots)

    def run(
        self, python_minor: int, code: str, *arguments: str, paths: Iterable[Path] = (), timeout: float = _TIMEOUT
    ) -> subprocess.CompletedProcess[str]:
        """Run `code` as ``python -c`` would, with `paths` on PYTHONPATH; skips where there is no such CPython."""
        if python_minor not in self.roots:
            pytest.skip(self.missing.get(python_minor, f"Debian has no CPython 3.{python_minor} that we know of"))
        root = self.roots[python_minor]
        python = root / "usr" / "bin" / f"python3.{python_minor}"
        # -S: QEMU takes from this machine what the root has not got, and so site would find this machine's packages.
        command = [str(self.emulator), "-L", str(root), str(python), "-S", "-s", "-c", code, *arguments]
        environ = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "QEMU_CPU": _CPU}
        environ["PYTHONPATH"] = os.pathsep.join(map(str, paths))
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=timeout, check=False)

    def import_wheel(
        self,
        wheel_path: Path,
        modules: Sequence[str],
        *,
        python_minor: int | None = None,
        beside: Iterable[Path] = (),
        timeout: float = _TIMEOUT,
    ) -> dict[str, str]:
        """Import these modules of a wheel, with the folders of `beside` (see `package`) importable too.

        Gives the file that each module came from, inside the wheel, so that one can tell an extension module from
        its fallback in Python; fails with the traceback where one cannot be imported.
        """
        minor = self._serving(wheel_path) if python_minor is None else python_minor
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(wheel_path) as archive:
                archive.extractall(folder)
            paths = [Path(folder), *beside]
            done = self.run(minor, _IMPORT, *modules, paths=paths, timeout=timeout)
            assert done.returncode == 0, f"{wheel_path.name} under CPython 3.{minor}:\n{done.stderr}"
            files: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
            return {name: os.path.relpath(file, folder) for name, file in files.items()}

    def package(self, requirement: str, python_minor: int) -> Path:
        """A folder with a package from the index, as pip would install it there: for what a wheel needs to run.

        Pin it (``numpy==2.2.6``): it is fetched once and kept. Its own requirements are not followed.
        """
        folder = self.cache / "packages" / f"{requirement}-cp3{python_minor}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"), tempfile.TemporaryDirectory(dir=folder.parent) as work:
            if not folder.is_dir():
                with zipfile.ZipFile(_download_wheel(requirement, python_minor, Path(work))) as archive:
                    archive.extractall(Path(work, "unpacked"))
                Path(work, "unpacked").replace(folder)
        return folder

    def _serving(self, wheel_path: Path) -> int:
        """The minor version that a wheel's name asks for; the oldest we have, where it would take any of them."""
        *_, tags = parse_wheel_filename(wheel_path.name)
        interpreters = {tag.interpreter for tag in tags if tag.abi != "abi3"}
        for minor in self.roots:
            if f"cp3{minor}" in interpreters:
                return minor
        named = [tag.interpreter.removeprefix("cp3") for tag in tags if tag.interpreter.startswith("cp3")]
        if named and all(tag.abi != "abi3" for tag in tags):
            return int(named[0])
        return next(minor for minor in sorted(self.roots) if all(int(floor) <= minor for floor in named))


def find_arm_python(cache: Path) -> ArmPython:
    """Skips where nothing of it can be had."""
    emulator = shutil.which(EMULATOR)
    if emulator is None:
        pytest.skip(f"{EMULATOR} is not installed")
    roots: dict[int, Path] = {}
    missing: dict[int, str] = {}
    for minor in SUITES:
        found = _root(minor, cache)
        if isinstance(found, Path):
            roots[minor] = found
        else:
            missing[minor] = found
    if not roots:
        pytest.skip("; ".join(missing.values()))
    return ArmPython(Path(emulator), roots, missing, cache)


def _root(minor: int, cache: Path) -> Path | str:
    """The folder, or why there is none."""
    try:
        return unpacked("arm64", debian_packages(minor), SUITES[minor], cache)
    except DebianUnavailable as error:
        return f"no CPython 3.{minor} for arm64: {error}"


def _download_wheel(requirement: str, python_minor: int, folder: Path) -> Path:
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in load_table("targets.toml")["glibc"]["minors"]]
    wanted = [f"--platform={name}" for name in ("manylinux2014_aarch64", *platforms)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *wanted]
    command += [f"--python-version=3.{python_minor}", f"--dest={folder}", requirement]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    if done.returncode:
        pytest.skip(f"pip could not fetch {requirement} for aarch64: {done.stderr.strip()}")
    return next(folder.glob("*.whl"))
