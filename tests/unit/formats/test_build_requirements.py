"""What of a build requirement is for linkers and compilers, and so has to be the target's."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from crosswheel.formats.build_requirements import is_linked, linked_requirements, parts
from crosswheel.formats.zips import open_archive
from crosswheel.testing import tiny_elf, tiny_wheel

PACKAGES = "lib/python3.11/site-packages"
HERE, THERE = "cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_17_aarch64"
PROGRAM, LIBRARY = tiny_elf(machine="EM_AARCH64"), tiny_elf(machine="EM_AARCH64", soname="libc.so")


def installed(folder: Path, **wheel: object) -> Path:
    """An environment with the wheel."""
    environment = folder / "environment"
    with zipfile.ZipFile(tiny_wheel(folder, **wheel)) as archive:  # type: ignore[arg-type]
        archive.extractall(environment / PACKAGES)
    return environment


def test_a_requirement_counts_if_it_has_libraries_for_a_linker(tmp_path: Path) -> None:
    for name, tag, members in (
        ("archive", HERE, ["archive/lib/libx.a"]),
        ("shared", HERE, ["shared/libx.so.1"]),
        (
            "module",
            HERE,
            ["module.cpython-311-x86_64-linux-gnu.so", "lib.abi3.so", "module.libs/libz-1.so", "module.h"],
        ),
        ("program", HERE, ["program/bin/cmake", "program/Modules/x.cmake"]),
        ("pure", "py3-none-any", ["pure/libx.a"]),
    ):
        environment = installed(tmp_path, name=name, tag=tag, members=dict.fromkeys(members, b""))
    found = list(linked_requirements(environment, environment / PACKAGES))
    assert {(one.name, one.version, one.platforms) for one in found} == {
        ("archive", "1.0", ("manylinux_2_17_x86_64",)),
        ("shared", "1.0", ("manylinux_2_17_x86_64",)),
    }


@pytest.mark.parametrize(
    ("path", "linked"),
    [
        ("numpy/_core/lib/libnpymath.a", True),
        ("x/crt.a", True),
        ("pyarrow/libarrow.so", True),
        ("pyarrow/libarrow.so.2600.1.0", True),
        ("x/libx-1.2.so", True),
        ("mypyc/librt_time_ops.cpython-311-x86_64-linux-gnu.so", False),
        ("x/libx.abi3.so", False),
        ("pyarrow/lib.cpython-311-x86_64-linux-gnu.so", False),
        ("numpy.libs/libgfortran-040039e1.so.5.0.0", False),
        ("x/fast.so", False),
        ("x/libx.so.txt", False),
    ],
)
def test_libraries_for_linkers_are_known_by_their_names(path: str, linked: bool) -> None:
    assert is_linked(path) is linked


def test_of_the_target_is_taken_what_compilers_and_linkers_see(tmp_path: Path) -> None:
    members = {
        "x/__init__.py": b"here",
        "x/fast.cpython-311-x86_64-linux-gnu.so": b"here",
        "x/lib/libx.a": b"here",
        "x/lib/libx.so.1": b"here",
        "x/include/config.h": b"here",
        "x/include/same.h": b"same",
        "x/bin/protoc": b"here",
    }
    environment = installed(tmp_path, tag=HERE, members=members)
    (requirement,) = linked_requirements(environment, environment / PACKAGES)
    theirs = {
        **{name: b"there" for name in members if "x86_64" not in name},
        "x/fast.cpython-311-aarch64-linux-gnu.so": PROGRAM,
        "x/lib/libx.so.1": LIBRARY,
        "x/include/same.h": b"same",
        "x/bin/protoc": PROGRAM,
        "x/lib/crti.o": PROGRAM,
        "x/lib/x.cmake": b"there",
        "tiny.libs/libz-1234.so": LIBRARY,
        "tiny-1.0.data/platlib/x/more.h": b"there",
        "tiny-1.0.data/data/include/more.h": b"there",
        "tiny-1.0.data/scripts/x": b"there",
        "../../outside.h": b"there",
        "/outside.h": b"there",
    }
    archive = open_archive(tiny_wheel(tmp_path, tag=THERE, members=theirs))
    taken = {(str(part.place), part.shared) for part in parts(archive, requirement, PACKAGES)}
    assert taken == {
        (f"{PACKAGES}/x/lib/libx.a", False),
        (f"{PACKAGES}/x/lib/libx.so.1", True),
        (f"{PACKAGES}/tiny.libs/libz-1234.so", True),
        (f"{PACKAGES}/x/include/config.h", False),
        (f"{PACKAGES}/x/lib/crti.o", False),
        (f"{PACKAGES}/x/lib/x.cmake", False),
        (f"{PACKAGES}/x/more.h", False),
        ("include/more.h", False),
    }


def test_modules_without_a_library_for_linkers_are_left_alone(tmp_path: Path) -> None:
    """Numpy's own OpenBLAS and modules are forty megabytes that no linker sees."""
    environment = installed(tmp_path, tag=HERE, members={"x/libx.a": b"here"})
    (requirement,) = linked_requirements(environment, environment / PACKAGES)
    theirs = {"x/libx.a": b"there", "tiny.libs/libblas.so": LIBRARY, "x/fast.so": PROGRAM}
    archive = open_archive(tiny_wheel(tmp_path, tag=THERE, members=theirs))
    assert [str(part.place) for part in parts(archive, requirement, PACKAGES)] == [f"{PACKAGES}/x/libx.a"]
