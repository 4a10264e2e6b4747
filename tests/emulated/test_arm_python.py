"""The arm64 CPythons that wheels are tried on, and whether what we derive of them on this machine is true."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from arm import SUITES, ArmPython
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import PythonTag, Target, oldest_policy, parse_architecture
from crosswheel.system.interpreters import find_interpreters
from crosswheel.system.memo import Answers
from crosswheel.system.process import Processes
from crosswheel.testing import tiny_wheel
from crosswheel.toolchains.description import Description, describe
from crosswheel.toolchains.inside import impersonate
from pyconfig import layout, macros

pytestmark = pytest.mark.emulator

every_python = pytest.mark.parametrize("minor", SUITES, ids=lambda minor: f"3.{minor}")

_CODE = "import json, sysconfig; print(json.dumps(sysconfig.get_config_vars()))"

# What an extension is named by and lives in.
_IDENTITY = ("SOABI", "EXT_SUFFIX", "SHLIB_SUFFIX", "MULTIARCH", "MACHDEP")


def arm_target(minor: int) -> Target:
    arch = parse_architecture("aarch64")
    return Target(PythonTag(minor), arch, oldest_policy(arch))


@pytest.fixture(scope="module")
def interpreters() -> Mapping[PythonTag, Interpreter]:
    return find_interpreters(Processes(), os.environ, Answers())


@pytest.fixture
def interpreter(minor: int, interpreters: Mapping[PythonTag, Interpreter]) -> Interpreter:
    """A CPython of this machine that has the minor version of the test."""
    found = interpreters.get(PythonTag(minor))
    if found is None or not found.headers:
        pytest.skip(f"no CPython 3.{minor} with headers on this machine")
    return found


@pytest.fixture
def derived(minor: int, interpreter: Interpreter, tmp_path: Path) -> Description:
    compilers = {"CC": "cc", "CXX": "c++", "AR": "ar", "RANLIB": "ranlib"}
    return describe(arm_target(minor), interpreter, None, compilers, tmp_path, Processes(), os.environ, Answers())


@every_python
def test_it_is_the_python_that_targets_name(arm_python: ArmPython, minor: int) -> None:
    code = "import platform, sysconfig; print(platform.machine(), sysconfig.get_config_var('EXT_SUFFIX'))"
    done = arm_python.run(minor, code)
    assert done.stderr == ""
    assert done.stdout.split() == ["aarch64", arm_target(minor).ext_suffix]
    assert PythonTag(minor) in arm_python.tags


@every_python
def test_it_imports_nothing_of_this_machine(arm_python: ArmPython, minor: int, tmp_path: Path) -> None:
    done = arm_python.run(minor, "import sys; print(*filter(None, sys.path), sep='\\n')", paths=[tmp_path])
    own, *rest = done.stdout.splitlines()
    assert own == str(tmp_path)
    assert all(path.startswith(str(arm_python.roots[minor])) for path in rest)


def test_a_wheel_tells_what_it_imported(arm_python: ArmPython, tmp_path: Path) -> None:
    members = {"tiny/__init__.py": b"", "tiny/fast.py": b"import ctypes\n"}
    wheel = tiny_wheel(tmp_path, members=members)
    assert arm_python.import_wheel(wheel, ["tiny", "tiny.fast"]) == {
        "tiny": "tiny/__init__.py",
        "tiny.fast": "tiny/fast.py",
    }


def test_a_wheel_that_cannot_be_imported_shows_its_traceback(arm_python: ArmPython, tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path, members={"tiny.py": b"import there_is_no_such_module\n"})
    with pytest.raises(AssertionError, match="No module named 'there_is_no_such_module'"):
        arm_python.import_wheel(wheel, ["tiny"])


@every_python
def test_derived_answers_are_the_real_ones(
    arm_python: ArmPython, minor: int, interpreter: Interpreter, derived: Description
) -> None:
    real = json.loads(arm_python.run(minor, _CODE).stdout)
    ours = _impersonated(interpreter, derived)
    assert {name: ours[name] for name in _IDENTITY} == {name: real[name] for name in _IDENTITY}
    assert layout(ours) == layout(real)


@every_python
def test_derived_headers_are_the_real_ones(arm_python: ArmPython, minor: int, derived: Description) -> None:
    apart = f"usr/include/{arm_target(minor).multiarch}/python3.{minor}/pyconfig.h"
    real = layout(macros(arm_python.roots[minor] / apart))
    assert real["SIZEOF_VOID_P"] == 8
    assert layout(macros(derived.include / "pyconfig.h")) == real


@pytest.mark.parametrize("minor", [11])
def test_debians_own_python_can_be_derived_from(arm_python: ArmPython, minor: int, tmp_path: Path) -> None:
    """Debian's pyconfig.h only includes that of the architecture: here it would be another's."""
    system = Path(f"/usr/bin/python3.{minor}")
    if not system.is_file() or not Path(f"/usr/include/python3.{minor}/Python.h").is_file():
        pytest.skip(f"this machine has no libpython3.{minor}-dev of its distribution")
    compilers = {"CC": "cc", "CXX": "c++", "AR": "ar", "RANLIB": "ranlib"}
    interpreter = Interpreter(PythonTag(minor), "", system)
    made = describe(arm_target(minor), interpreter, None, compilers, tmp_path, Processes(), os.environ, Answers())
    assert macros(made.include / "pyconfig.h")["SIZEOF_VOID_P"] == 8


def _impersonated(interpreter: Interpreter, description: Description) -> dict[str, Any]:
    """What a build backend would be told."""
    code = f"import sys; sys.path.insert(0, sys.argv[1]); from inside import impersonate; impersonate.main(); {_CODE}"
    command = [str(interpreter.path), "-I", "-c", code, str(Path(impersonate.__file__).parents[1])]
    environ = {"PATH": os.defpath, "CROSSWHEEL_TARGET": str(description.path)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True)
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers
