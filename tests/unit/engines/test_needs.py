"""Engines are refused for what they certainly lack, with the reason and the remedy, before anything is built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.engines import LADDER, offers
from crosswheel.engines.needs import doubt, lacks, ladder_for, refuse_imports, refuse_programs
from crosswheel.errors import MissingTool
from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import BEST, Interpreter, Need
from crosswheel.model.targets import PythonTag, Target, parse_target
from crosswheel.system.rust_toolchain import RustToolchain
from tiny_projects import tiny_facts, tiny_host

TARGET = parse_target("cp313-manylinux2014_aarch64")
TRIPLE = "aarch64-unknown-linux-gnu"
RUST = Need("rust", 'pyproject.toml: requires = ["maturin"]', sure=True)
OPENMP = Need("openmp", "CMakeLists.txt: find_package(OpenMP REQUIRED)", sure=True)
FORTRAN = Need("fortran", "meson.build: add_languages('fortran')", sure=True)


def config(folder: Path, **flags: object) -> Config:
    return load_config(folder, flags)


def lacking(engine: str, need: Need, folder: Path, rust: RustToolchain | str = "", **flags: object) -> str:
    facts = tiny_facts(tiny_host(folder))
    facts.once.known["rust"] = rust
    return lacks(engine, [need], TARGET, config(folder, **flags), facts)


def installed(folder: Path, *, std: bool, rustup: bool = True) -> RustToolchain:
    libraries = folder / "lib" / "rustlib" / TRIPLE / "lib"
    libraries.mkdir(parents=True)
    if std:
        (libraries / "libstd-1.rlib").touch()
    return RustToolchain(Path("/bin/cargo"), folder, Path("/bin/rustup") if rustup else None)


@pytest.mark.parametrize("need", [OPENMP, FORTRAN])
def test_cross_has_neither_openmp_nor_fortran_and_containers_have(need: Need, tmp_path: Path) -> None:
    said = lacking("cross", need, tmp_path)
    assert need.evidence in said
    assert "--engine accelerated" in said
    assert not any(lacking(engine, need, tmp_path) for engine in LADDER if engine != "cross")
    assert lacking("cross", replace(need, sure=False), tmp_path) == ""


def test_rust_must_be_installed_for_cross(tmp_path: Path) -> None:
    said = lacking("cross", RUST, tmp_path, "cargo and rustc are not installed")
    assert said == (
        'the project needs Rust (pyproject.toml: requires = ["maturin"]): cargo and rustc are not installed; '
        f"install rustup, then: rustup target add {TRIPLE}"
    )
    assert lacking("cross", RUST, tmp_path, installed(tmp_path, std=True)) == ""


def test_a_missing_standard_library_is_downloaded_if_that_may_be(tmp_path: Path) -> None:
    rust = installed(tmp_path, std=False)
    assert lacking("cross", RUST, tmp_path, rust) == ""
    for flags in ({"download-rust": "never"}, {"offline": True}):
        assert lacking("cross", RUST, tmp_path, rust, **flags).endswith(f"not installed; rustup target add {TRIPLE}")
    assert "there is no rustup" in lacking("cross", RUST, tmp_path, replace(rust, rustup=None))


def test_a_standard_library_that_rustup_does_not_have_is_no_command_to_type(tmp_path: Path) -> None:
    rust, manifest = installed(tmp_path, std=False), "lib/rustlib/multirust-channel-manifest.toml"
    (tmp_path / manifest).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / manifest).write_text(f"[pkg.rust-std.target.{TRIPLE}]\navailable = true\n")
    assert lacking("cross", RUST, tmp_path, rust) == ""
    (tmp_path / manifest).write_text(f"[pkg.rust-std.target.{TRIPLE}]\navailable = false\n")
    said = lacking("cross", RUST, tmp_path, rust)
    assert "rustup target add" not in said
    assert said.rpartition("; ")[2].startswith('before-all = "yum install -y rust cargo"')


def test_images_have_no_rust_unless_the_project_sees_to_it(tmp_path: Path) -> None:
    for engine in ("native", "accelerated", "emulated", "dockcross"):
        assert "before-all" in lacking(engine, RUST, tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.crosswheel]\nbefore-all = "yum install -y rust cargo"\n')
    assert lacking("emulated", RUST, tmp_path) == ""
    assert lacking("emulated", RUST, tmp_path, image="registry/with-rust") == ""


def test_an_engine_of_the_projects_own_is_not_judged(tmp_path: Path) -> None:
    assert lacking("mine", RUST, tmp_path) == ""


def test_for_rust_cross_is_tried_first(tmp_path: Path) -> None:
    assert ladder_for([], LADDER) == (LADDER, BEST)
    assert ladder_for([OPENMP], LADDER) == (LADDER, BEST)
    ladder, why = ladder_for([RUST], LADDER)
    assert ladder == ("cross", "native", "accelerated", "dockcross", "emulated")
    assert "fastest engine for Rust" in why


def test_an_engine_that_lacks_something_is_not_offered(tmp_path: Path) -> None:
    class Mine:
        def offer(self, target: Target, *_given: object) -> Interpreter | str:
            return Interpreter(target.python, "3.13.1", Path("/python"))

    facts, engines = tiny_facts(tiny_host(tmp_path)), {"cross": Mine()}
    offer = offers(config(tmp_path), facts, engines, [FORTRAN])  # type: ignore[arg-type]
    assert str(offer("cross", TARGET)).startswith("the project needs a Fortran compiler (meson.build: ")
    offer = offers(config(tmp_path), facts, engines)  # type: ignore[arg-type]
    assert offer("cross", TARGET) == Interpreter(PythonTag(13), "3.13.1", Path("/python"))


def test_what_is_not_sure_is_said(tmp_path: Path) -> None:
    assert doubt([RUST, OPENMP]) == ""
    assert doubt([replace(OPENMP, sure=False)]) == "OpenMP (CMakeLists.txt: find_package(OpenMP REQUIRED))"


def test_a_build_that_imports_what_it_compiles_needs_an_interpreter_of_the_target(tmp_path: Path) -> None:
    need = Need("interpreter", "CMakeLists.txt: nanobind_add_stub(", sure=True)
    assert not any(lacking(engine, need, tmp_path) for engine in LADDER)
    with pytest.raises(MissingTool, match=r"nanobind_add_stub.*neither an image nor a sysroot") as caught:
        refuse_imports([need], TARGET, None)
    assert caught.value.hint.startswith("crosswheel pull --unpacked")
    refuse_imports([replace(need, sure=False), FORTRAN], TARGET, None)


def test_a_build_that_runs_what_it_compiles_needs_libraries_of_the_target(tmp_path: Path) -> None:
    need = Need("program", 'setup.py: [make_command, "check"] + make_args', sure=True)
    assert not any(lacking(engine, need, tmp_path) for engine in LADDER)
    with pytest.raises(MissingTool, match=r"make_command.*none of aarch64 runs here") as caught:
        refuse_programs([need], TARGET, None)
    assert caught.value.hint.startswith("crosswheel pull --unpacked")
    refuse_programs([need], TARGET, tmp_path)
    refuse_programs([replace(need, sure=False), FORTRAN], TARGET, None)
