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


def test_32_bit_arm_is_armv7() -> None:
    gcc = Gcc("arm-linux-gnueabihf", PurePosixPath("/usr/lib/gcc/arm-linux-gnueabihf/14"))
    words = clang_arguments(
        gcc, parse_architecture("armv7l"), resources=PurePosixPath("/r"), programs=PurePosixPath("/b")
    )
    assert "-march=armv7-a" in words
