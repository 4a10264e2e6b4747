"""The gcc of an image is found by the image's files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from crosswheel.images.store import UnpackedImage
from crosswheel.model.targets import parse_architecture
from crosswheel.toolchains.gcc import Gcc, clang_arguments, find_gcc
from crosswheel.toolchains.sysroot import sysroot_of

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TOOLSET = "/opt/rh/gcc-toolset-14/root/usr"


def put_gcc(root: Path, prefix: str, *installed: str) -> None:
    program = root / prefix.lstrip("/") / "bin/gcc"
    program.parent.mkdir(parents=True)
    program.touch()
    for folder in installed:
        place = root / prefix.lstrip("/") / "lib/gcc" / folder
        place.mkdir(parents=True)
        (place / "crtbegin.o").touch()


@pytest.mark.parametrize(
    ("prefix", "path", "folder"),
    [
        ("/usr", PATH, "aarch64-linux-gnu/14"),
        ("/usr", PATH, "aarch64-alpine-linux-musl/14.2.0"),
        (TOOLSET, f"{TOOLSET}/bin:{PATH}", "aarch64-redhat-linux/14"),
        ("/opt/rh/devtoolset-10/root/usr", f"/opt/rh/devtoolset-10/root/usr/bin:{PATH}", "aarch64-redhat-linux/10"),
    ],
    ids=["debian", "alpine", "gcc-toolset", "devtoolset"],
)
def test_it_is_found_in_each_layout(tmp_path: Path, prefix: str, path: str, folder: str) -> None:
    put_gcc(tmp_path, prefix, folder)
    found = tmp_path / prefix.lstrip("/") / "lib/gcc" / folder
    assert find_gcc(tmp_path, path) == Gcc(found.parent.name, found)


def test_the_first_in_path_is_used(tmp_path: Path) -> None:
    put_gcc(tmp_path, "/usr", "aarch64-redhat-linux/8")
    put_gcc(tmp_path, TOOLSET, "aarch64-redhat-linux/14")
    found = find_gcc(tmp_path, f"{TOOLSET}/bin:{PATH}")
    assert found
    assert found.folder.name == "14"


def test_the_newest_version_is_used(tmp_path: Path) -> None:
    put_gcc(tmp_path, "/usr", "aarch64-linux-gnu/9", "aarch64-linux-gnu/14", "aarch64-linux-gnu/13.2.0")
    found = find_gcc(tmp_path, PATH)
    assert found
    assert found.folder.name == "14"


@pytest.mark.parametrize("path", ["", "usr/bin", PATH])
def test_an_image_without_gcc_has_none(tmp_path: Path, path: str) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    assert find_gcc(tmp_path, path) is None


def test_a_gcc_without_its_libraries_does_not_count(tmp_path: Path) -> None:
    put_gcc(tmp_path, "/usr")
    assert find_gcc(tmp_path, PATH) is None


def test_the_path_of_the_image_counts(tmp_path: Path) -> None:
    put_gcc(tmp_path, TOOLSET, "aarch64-redhat-linux/14")
    arch = parse_architecture("aarch64")
    image = UnpackedImage("x:1", "sha256:1", arch, tmp_path, {"PATH": f"{TOOLSET}/bin"}, ())
    sysroot = sysroot_of(image)
    assert sysroot.gcc
    assert (sysroot.root, sysroot.identity, sysroot.gcc.triple) == (tmp_path, "sha256:1", "aarch64-redhat-linux")


def test_in_a_container_there_is_no_sysroot() -> None:
    gcc = Gcc("aarch64-redhat-linux", PurePosixPath("/opt/gcc/14"))
    given = {"resources": PurePosixPath("/r"), "programs": PurePosixPath("/b")}
    inside = clang_arguments(gcc, parse_architecture("aarch64"), **given)
    outside = clang_arguments(gcc, parse_architecture("aarch64"), **given, sysroot=PurePosixPath("/image"))
    assert set(outside) - set(inside) == {"--sysroot=/image"}
    assert {"--target=aarch64-redhat-linux", "--gcc-install-dir=/opt/gcc/14", "-B/b"} < set(inside)


@pytest.mark.parametrize(
    ("arch", "processor"), [("armv7l", "-march=armv7-a"), ("ppc64le", "-mno-htm"), ("s390x", "-march=z196")]
)
def test_the_processor_is_that_of_gcc_where_clangs_is_another(arch: str, processor: str) -> None:
    gcc = Gcc("triple", PurePosixPath("/usr/lib/gcc/triple/14"))
    words = clang_arguments(gcc, parse_architecture(arch), resources=PurePosixPath("/r"), programs=PurePosixPath("/b"))
    assert processor in words


@pytest.mark.parametrize(
    ("arch", "version", "has_half"),
    [
        ("aarch64", "10", True), ("x86_64", "12", True), ("x86_64", "10", False), ("i686", "10", False),
        ("riscv64", "12", False), ("riscv64", "14.2.0", True), ("armv7l", "14", False), ("s390x", "14", False),
    ],
)  # fmt: skip
def test_clang_says_it_has_numbers_of_16_bits_where_gcc_has(arch: str, version: str, has_half: bool) -> None:
    gcc = Gcc("triple", PurePosixPath("/usr/lib/gcc/triple") / version)
    words = clang_arguments(gcc, parse_architecture(arch), resources=PurePosixPath("/r"), programs=PurePosixPath("/b"))
    assert ("-U__FLT16_MAX__" not in words) == has_half


@pytest.mark.parametrize(
    ("triple", "words", "ieee"),
    [
        ("ppc64le-redhat-linux", "--with-long-double-128 --with-long-double-format=ieee", True),
        ("powerpc64le-linux-gnu", "--with-long-double-format=ieee", True),
        ("powerpc64le-linux-gnu", "--with-long-double-128", False),
        ("powerpc64le-linux-gnu", "--with-long-double-format=ibm", False),
        ("aarch64-linux-gnu", "--with-long-double-format=ieee", False),
    ],
)
def test_long_double_on_power_is_what_gcc_was_configured_for(
    tmp_path: Path, triple: str, words: str, ieee: bool
) -> None:
    put_gcc(tmp_path, "/usr", f"{triple}/14")
    (tmp_path / "usr/bin/gcc").rename(tmp_path / "usr/bin/gcc-14")
    (tmp_path / "usr/bin/gcc-14").write_bytes(b"\x7fELF\0../configure %b\0" % words.encode())
    (tmp_path / "usr/bin/gcc").symlink_to("gcc-14")
    found = find_gcc(tmp_path, PATH)
    assert found
    assert found.ieee_long_double == ieee
    words_of_clang = clang_arguments(
        found, parse_architecture("ppc64le"), resources=PurePosixPath("/r"), programs=PurePosixPath("/b")
    )
    assert ("-mabi=ieeelongdouble" in words_of_clang) == ieee


def test_no_file_outside_of_the_image_is_read(tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"--with-long-double-format=ieee")
    put_gcc(tmp_path / "root", "/usr", "ppc64le-redhat-linux/14")
    (tmp_path / "root/usr/bin/gcc").unlink()
    (tmp_path / "root/usr/bin/gcc").symlink_to("../../../own")
    found = find_gcc(tmp_path / "root", PATH)
    assert found
    assert not found.ieee_long_double


def test_a_wrapper_without_libraries_is_passed_over(tmp_path: Path) -> None:
    """On x86_64, pypa's manylinux_2_34 has such a program before the toolset, and no /opt/clang/bin at first."""
    (tmp_path / "usr/local/bin").mkdir(parents=True)
    (tmp_path / "usr/local/bin/manylinux-gcc-wrapper").touch()
    (tmp_path / "usr/local/bin/gcc").symlink_to("manylinux-gcc-wrapper")
    put_gcc(tmp_path, TOOLSET, "x86_64-redhat-linux/14")
    found = find_gcc(tmp_path, f"/opt/clang/bin:/usr/local/bin:{TOOLSET}/bin:{PATH}")
    assert found == Gcc("x86_64-redhat-linux", tmp_path / TOOLSET.lstrip("/") / "lib/gcc/x86_64-redhat-linux/14")


def test_an_empty_folder_in_path_is_none(tmp_path: Path) -> None:
    """Images without a toolset put the empty folder of none before their PATH."""
    put_gcc(tmp_path, "/usr", "riscv64-redhat-linux/14")
    found = find_gcc(tmp_path, f"/opt/clang/bin::{PATH}")
    assert found
    assert found.triple == "riscv64-redhat-linux"
