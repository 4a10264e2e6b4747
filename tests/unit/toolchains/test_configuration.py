"""The folder of programs that a cross build finds first."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.model.targets import Target, parse_target
from crosswheel.toolchains.configuration import configure
from crosswheel.toolchains.description import Description
from crosswheel.toolchains.sysroot import Sysroot
from crosswheel.toolchains.zig import Zig

TARGET = parse_target("cp313-manylinux2014_aarch64")


def configured(folder: Path, sysroot: Sysroot | None = None, target: Target = TARGET) -> Path:
    """The folder, with a driver that is only a file."""
    driver = folder / "zigcc"
    driver.write_text("")
    zig = Zig(folder / "zig", folder, driver, folder / "cache", folder / "objects", folder / "ccache")
    description = Description(folder / "target.json", folder / "include", ())
    python = folder / "environment/bin/python"
    made = configure(
        folder / "toolchain", zig, folder / "objects", target, description, sysroot, python, None, debug=False
    )
    return made.bin


def test_every_name_of_a_compiler_is_the_driver(tmp_path: Path) -> None:
    programs = configured(tmp_path)
    for name in ("cc", "gcc", "c99", "cpp", "as", "gcc-ar", "ld", "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-as"):
        assert (programs / name).readlink() == Path("zigcc")


def test_compilers_by_path_call_the_driver_by_its_own(tmp_path: Path) -> None:
    programs = configured(tmp_path)
    by_path = programs.parent / "by-path"
    assert f'exec "{programs}/gcc" "$@"' in (by_path / "gcc").read_text()
    # This machine's compilers find them there.
    assert not {"as", "ld"} & {path.name for path in by_path.iterdir()}


def test_binutils_for_the_target_are_found_by_their_short_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for name in ("objcopy", "nm", "aarch64-linux-gnu-objcopy"):
        (here / name).write_text("#!/bin/sh\n")
        (here / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(here))
    programs = configured(tmp_path)
    assert (programs / "objcopy").readlink() == here / "aarch64-linux-gnu-objcopy"
    assert not (programs / "nm").exists()


def test_what_lld_compiles_is_kept_beside_the_objects(tmp_path: Path) -> None:
    programs = configured(tmp_path)
    assert f"linked {tmp_path}/objects/lto\n" in (programs.parent / "zigcc.conf").read_text()


def test_a_sysroot_without_gcc_stands_in_for_this_machines_folders_too(tmp_path: Path) -> None:
    (tmp_path / "arm/usr/include").mkdir(parents=True)
    programs = configured(tmp_path, Sysroot(tmp_path / "arm"))
    told = (programs.parent / "zigcc.conf").read_text().splitlines()
    assert {f"root {tmp_path}/arm", f"include {tmp_path}/arm/usr/include"} <= set(told)


@pytest.mark.parametrize(
    ("platform", "is_ours"),
    [("manylinux2014_x86_64", True), ("musllinux_1_2_x86_64", True), ("manylinux2014_i686", False)],
)
def test_complex_long_double_on_x86_64_is_computed_by_our_functions(
    platform: str, is_ours: bool, tmp_path: Path
) -> None:
    programs = configured(tmp_path, target=parse_target(f"cp313-{platform}"))
    assert ("/libcomplex.a\n" in (programs.parent / "zigcc.conf").read_text()) == is_ours


@pytest.mark.parametrize(
    ("platform", "is_ibm"),
    [("manylinux2014_ppc64le", True), ("manylinux_2_34_ppc64le", False), ("musllinux_1_2_ppc64le", False)],
)
def test_long_double_on_power_is_that_of_the_policys_glibc(platform: str, is_ibm: bool, tmp_path: Path) -> None:
    programs = configured(tmp_path, target=parse_target(f"cp313-{platform}"))
    told = (programs.parent / "zigcc.conf").read_text()
    assert ("word -mabi=ibmlongdouble\n" in told) == is_ibm
    assert ("libgcc_s.so.1\n" in told) == is_ibm
    assert ("IBM_DOUBLE_DOUBLE_LE" in (programs.parent / "meson-cross.ini").read_text()) == is_ibm
