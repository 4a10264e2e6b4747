"""Projects in Rust are cross-compiled, and their wheels run on an emulated CPython of arm64."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arm import ArmPython
from builds import WITHOUT_CONTAINERS
from crosswheel.commands import run_verb
from crosswheel.errors import NotReproducible
from rust import DebianRust, debian_rust

pytestmark = [pytest.mark.slow, pytest.mark.daily(2, of="Rust")]

PROJECTS = Path(__file__).parent.parent / "projects"
PYTHON = 11  # which both the emulated CPython and PyO3 0.22 are


@pytest.fixture(scope="module")
def rust(debian_cache: Path) -> DebianRust:
    return debian_rust(debian_cache)


@pytest.fixture
def make(rust: DebianRust, debian_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Gives the wheel that `crosswheel wheels` makes of a project of tests/projects."""
    monkeypatch.setenv("PATH", f"{rust.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CARGO_HOME", str(rust.home))
    # A build sees the folder of toolchains; the programs of this one lie beside each other there.
    monkeypatch.setenv("RUSTUP_HOME", str(debian_cache))
    monkeypatch.delenv("RUSTUP_TOOLCHAIN", raising=False)

    def build(name: str, code: int = 0, **options: Any) -> Path:
        project = tmp_path / name
        if not project.exists():
            shutil.copytree(PROJECTS / name, project)
            # A project has its lock file in its repository; these are tested with whatever crates Debian has now.
            subprocess.run([rust.bin / "cargo", "generate-lockfile", "--offline"], cwd=_crate(project), check=True)
        printed = io.StringIO()
        given = {"source": str(project), "python": [f"cp3{PYTHON}"], "arch": ["aarch64"], **WITHOUT_CONTAINERS}
        assert run_verb("wheels", project, {**given, **options}, printed) == code, printed.getvalue()
        (wheel,) = (project / "wheelhouse").glob("*.whl")
        return wheel

    return build


def _crate(project: Path) -> Path:
    return next(path.parent for path in sorted(project.rglob("Cargo.toml"), key=lambda path: len(path.parts)))


def _asked(arm_python: ArmPython, wheel: Path, code: str, folder: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    done = arm_python.run(PYTHON, code, paths=[folder / "unpacked"])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


_DOUBLE = "import {0}; print({0}.double(21))"
_PANIC = """
import rust_maturin
try:
    rust_maturin.panics()
except BaseException as error:
    print(type(error).__name__, error)
"""


def test_maturin_and_pyo3_make_a_module_whose_panics_are_exceptions(
    make: Callable[..., Path], arm_python: ArmPython, tmp_path: Path
) -> None:
    wheel = make("rust_maturin", NotReproducible.exit_code, twice=True)
    assert f"-cp3{PYTHON}-cp3{PYTHON}-manylinux2014_aarch64.manylinux_2_17_aarch64.whl" in wheel.name
    assert _asked(arm_python, wheel, _DOUBLE.format("rust_maturin"), tmp_path) == "42"
    assert _asked(arm_python, wheel, _PANIC, tmp_path) == "PanicException as asked"
    (job,) = json.loads((wheel.parent / "report.json").read_text())["jobs"]
    # maturin names the folder of the build in its SBOM; the module itself is the same in every folder.
    changed = [Path(difference["member"]).name for difference in job["differences"]]
    assert changed == ["rust_maturin.cyclonedx.json", "RECORD"]


def test_setuptools_rust_and_c_inside(make: Callable[..., Path], arm_python: ArmPython, tmp_path: Path) -> None:
    wheel = make("rust_setuptools")
    assert _asked(arm_python, wheel, _DOUBLE.format("rust_setuptools"), tmp_path) == "42.0"


@pytest.mark.parametrize("name", ["rust_abi3", "rust_mixed", "rust_workspace"])
def test_the_stable_abi(name: str, make: Callable[..., Path], arm_python: ArmPython, tmp_path: Path) -> None:
    wheel = make(name)
    assert "-cp310-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl" in wheel.name
    assert _asked(arm_python, wheel, _DOUBLE.format(name), tmp_path) == "42"


def test_a_changed_line_is_compiled_again_and_the_crates_are_not(
    make: Callable[..., Path], arm_python: ArmPython, tmp_path: Path
) -> None:
    make("rust_abi3", fresh=False)
    source = tmp_path / "rust_abi3" / "src" / "lib.rs"
    before = source.stat()
    source.write_text(source.read_text().replace("2 * n", "3 * n"))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))  # as in a checkout of another commit
    wheel = make("rust_abi3", fresh=False)
    assert _asked(arm_python, wheel, _DOUBLE.format("rust_abi3"), tmp_path) == "63"
    (log,) = (tmp_path / "rust_abi3" / "wheelhouse" / "logs").glob("*aarch64*.log")
    compiled = [line.split()[1] for line in log.read_text().splitlines() if line.lstrip().startswith("Compiling ")]
    assert compiled == ["rust_abi3"]


def test_neither_home_nor_cache_is_named_in_the_wheel(make: Callable[..., Path], tmp_path: Path) -> None:
    wheel = make("rust_setuptools")
    with zipfile.ZipFile(wheel) as archive:
        inside = b"".join(archive.read(name) for name in archive.namelist())
    for place in (tmp_path, Path.home(), Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))):
        assert str(place).encode() not in inside
