"""A real CPython of another word size and another byte order, read from a sysroot of Debian packages."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crosswheel.model.job import Interpreter
from crosswheel.model.targets import PythonTag, Target, oldest_policy, parse_architecture
from crosswheel.system.interpreters import find_interpreters
from crosswheel.system.memo import Answers
from crosswheel.system.process import Processes
from crosswheel.toolchains.description import Description, derivable, describe, find_real
from pyconfig import layout, macros

pytestmark = pytest.mark.debian

PYTHON = PythonTag(11)

# Architecture, bytes of a long, a pointer, a long double and a time_t, and the byte order of a double: the last is
# a macro that is defined for one order only.
ARM = ("armv7l", (4, 4, 8, 4), "DOUBLE_IS_LITTLE_ENDIAN_IEEE754")
S390 = ("s390x", (8, 8, 16, 8), "DOUBLE_IS_BIG_ENDIAN_IEEE754")

every_arch = pytest.mark.parametrize("arch", [ARM[0], S390[0]])
every_layout = pytest.mark.parametrize(("arch", "sizes", "order"), [ARM, S390], ids=[ARM[0], S390[0]])


@pytest.fixture(scope="module")
def interpreter() -> Interpreter:
    found = find_interpreters(Processes(), os.environ).get(PYTHON)
    if found is None:
        pytest.skip(f"no CPython {PYTHON.version} on this machine")
    return found


@pytest.fixture
def target(arch: str) -> Target:
    found = parse_architecture(arch)
    return Target(PYTHON, found, oldest_policy(found))


@pytest.fixture
def sysroot(arch: str, debian_sysroot: Callable[..., Path]) -> Path:
    return debian_sysroot(arch)


@pytest.fixture
def real(target: Target, sysroot: Path, interpreter: Interpreter, tmp_path: Path) -> Description:
    compilers = {"CC": "the-cc", "CXX": "the-c++", "AR": "the-ar", "RANLIB": "the-ranlib"}
    return describe(target, interpreter, sysroot, compilers, tmp_path, Processes(), os.environ, Answers())


def answers(description: Description) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(description.path.read_text())["vars"]
    return found


@every_arch
def test_a_sysroot_holds_nothing_that_leads_out_of_it(sysroot: Path) -> None:
    links = [path for path in sysroot.rglob("*") if path.is_symlink()]
    assert links
    assert [link for link in links if link.readlink().is_absolute()] == []
    assert (sysroot / "lib").readlink() == Path("usr/lib")


@every_arch
def test_the_python_of_a_sysroot_is_found(target: Target, sysroot: Path) -> None:
    found = find_real(target, sysroot)
    assert found is not None
    # Debian has it under two names.
    assert found.resolve() == sysroot / "usr" / "lib" / "python3.11" / f"_sysconfigdata__{target.multiarch}.py"


@every_arch
def test_another_version_is_not_taken_for_it(target: Target, sysroot: Path) -> None:
    assert find_real(Target(PythonTag(12), target.arch, target.policy), sysroot) is None
    assert find_real(Target(PythonTag(13, free_threaded=True), target.arch, target.policy), sysroot) is None


@every_arch
def test_names_are_those_that_its_own_python_gives(target: Target, sysroot: Path, real: Description) -> None:
    path = find_real(target, sysroot)
    assert path is not None
    namespace: dict[str, Any] = {}
    exec(compile(path.read_text(), path, "exec"), namespace)  # noqa: S102 - signed by Debian, and but a dictionary
    own = namespace["build_time_vars"]
    names = ("SOABI", "EXT_SUFFIX", "SHLIB_SUFFIX", "MULTIARCH", "MACHDEP")
    assert {name: answers(real)[name] for name in names} == {name: own[name] for name in names}


@every_arch
def test_compilers_are_ours(real: Description) -> None:
    assert {answers(real)[name].split()[0] for name in ("CC", "LDSHARED", "BLDSHARED", "LINKCC")} == {"the-cc"}
    assert answers(real)["AR"] == "the-ar"


@every_layout
def test_sizes_and_byte_order_are_the_targets(real: Description, arch: str, sizes: tuple[int, ...], order: str) -> None:
    names = ("SIZEOF_LONG", "SIZEOF_VOID_P", "SIZEOF_LONG_DOUBLE", "SIZEOF_TIME_T")
    told = answers(real)
    assert tuple(told[name] for name in names) == sizes
    # 0, and not absent: what a description leaves out would be answered for this machine.
    orders = ("DOUBLE_IS_LITTLE_ENDIAN_IEEE754", "DOUBLE_IS_BIG_ENDIAN_IEEE754")
    assert {name: told[name] for name in orders} == {name: int(name == order) for name in orders}


@every_arch
def test_headers_are_the_targets(target: Target, sysroot: Path, real: Description) -> None:
    own = sysroot / "usr" / "include" / target.multiarch / "python3.11" / "pyconfig.h"
    assert (real.include / "pyconfig.h").read_text() == own.read_text()
    source = sysroot / "usr" / "include" / "python3.11"
    assert (real.include / "patchlevel.h").read_bytes() == (source / "patchlevel.h").read_bytes()
    assert (real.include / "cpython" / "object.h").is_file()


@every_arch
def test_every_macro_of_pyconfig_is_answered(real: Description) -> None:
    found = macros(real.include / "pyconfig.h")
    ours = {"Py_ENABLE_SHARED": 0}  # extensions are never linked with libpython
    assert {name: answers(real)[name] for name in found} == {**found, **ours}


@pytest.mark.daily(2)
@pytest.mark.parametrize(("arch", "minor"), [("ppc64le", 11), ("riscv64", 13), ("armv7l", 11), ("s390x", 11)])
def test_what_can_be_derived_is_the_same_there(
    arch: str, minor: int, debian_sysroot: Callable[..., Path], tmp_path: Path
) -> None:
    """aarch64 is asked itself, in tests/emulated."""
    found = find_interpreters(Processes(), os.environ).get(PythonTag(minor))
    if found is None or not found.headers:
        pytest.skip(f"no CPython 3.{minor} with headers on this machine")
    architecture = parse_architecture(arch)
    target = Target(PythonTag(minor), architecture, oldest_policy(architecture))
    compilers = {"CC": "cc", "CXX": "c++", "AR": "ar", "RANLIB": "ranlib"}
    derived = describe(target, found, None, compilers, tmp_path, Processes(), os.environ, Answers())
    real = debian_sysroot(arch, minor) / "usr" / "include" / target.multiarch / f"python3.{minor}" / "pyconfig.h"
    assert derivable()
    assert layout(macros(derived.include / "pyconfig.h")) == layout(macros(real))
