"""Real projects from the index: the plan has the identifiers that cibuildwheel itself prints for the same sdist."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from crosswheel.cibuildwheel import reader
from crosswheel.cibuildwheel.release import Release
from crosswheel.commands import run_verb
from crosswheel.model.job import deaf
from crosswheel.model.targets import PythonTag, parse_target
from crosswheel.pipeline import source
from crosswheel.system.local_host import LocalHost, local_host

pytestmark = pytest.mark.index

# With a table; those in _PINNED also name the release that is to read it.
_SDISTS = (
    "aiohttp==3.14.5", "boost-histogram==1.8.1", "contourpy==1.4.0", "coverage==7.17.5", "iminuit==2.33.0",
    "numcodecs==0.17.1", "numexpr==2.14.2", "pybase64==1.5.1", "uvloop==0.23.0", "xxhash==4.1.0",
)  # fmt: skip
_PINNED = {
    "boost-histogram": "4.2.1", "contourpy": "4.2.0", "coverage": "4.3.5", "iminuit": "4.2.1", "numcodecs": "3.4.1",
}  # fmt: skip


@pytest.fixture(scope="module")
def host() -> LocalHost:
    found = local_host(offline=False, listener=deaf)
    if max(found.interpreters) < PythonTag(11):
        pytest.skip("cibuildwheel needs CPython 3.11, which this machine does not have")
    return found


@pytest.mark.daily(3)
@pytest.mark.parametrize("name", _SDISTS)
def test_a_plan_has_the_identifiers_of_cibuildwheel(
    name: str, host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sdist = source._from_index(name, host, deaf)
    flags = {"source": str(sdist), "json": "plan.json", "test": "never", "engine": "cross"}
    run_verb("plan", tmp_path, flags, io.StringIO())
    plan: dict[str, Any] = json.loads((tmp_path / "plan.json").read_text())
    said = plan["cibuildwheel"]
    assert said["version"] == _PINNED.get(name.partition("==")[0], said["version"])
    assert bool(said["pinned_in"]) == (name.partition("==")[0] in _PINNED)
    printed = printed_by_cibuildwheel(sdist, said["version"], host)
    jobs = {parse_target(job["target"]).identifier for job in plan["jobs"]}
    # An interpreter that this machine lacks is left out for all platforms in one line.
    left_out = {one for entry in plan["left_out"] for one in printed if one in {entry["what"], *_of(entry, printed)}}
    assert jobs | left_out == printed
    assert jobs <= printed


def _of(entry: dict[str, Any], printed: set[str]) -> set[str]:
    return {identifier for identifier in printed if identifier.partition("-")[0] == entry["what"]}


def printed_by_cibuildwheel(sdist: Path, version: str, host: LocalHost) -> set[str]:
    python = reader._environment(Release(f"=={version}"), host, deaf)
    arguments = ["--print-build-identifiers", "--platform", "linux", "--archs", "aarch64", str(sdist)]
    environ = {"PATH": os.defpath, "HOME": str(sdist.parent)}
    text = host.processes.run([str(python), "-I", "-m", "cibuildwheel", *arguments], env=environ, cwd=sdist.parent)
    return {line for line in text.split() if "linux_" in line}


_TABLE = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[tool.cibuildwheel]
build = "cp311-*"
environment = { FLAVOUR = "plain" }
manylinux-aarch64-image = "manylinux_2_34"

[[tool.cibuildwheel.overrides]]
select = "*-musllinux*"
environment = { FLAVOUR = "musl" }
"""
_SETUP = """
import os
from setuptools import Extension, setup

flavour = os.environ.get("FLAVOUR", "none")  # as when the sdist is made
if flavour != "none":
    assert os.environ["CIBUILDWHEEL"] == "1"
    assert os.environ["AUDITWHEEL_POLICY"] == {"plain": "manylinux_2_34", "musl": "musllinux_1_2"}[flavour]
setup(name="own", version="1.0", ext_modules=[Extension(f"own_{flavour}", ["own.c"])])
"""
_SOURCE = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "own", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_own_plain(void) { return PyModule_Create(&module); }
PyMODINIT_FUNC PyInit_own_musl(void) { return PyModule_Create(&module); }
"""


def test_wheels_are_built_as_configured_for_each_identifier(host: LocalHost, tmp_path: Path) -> None:
    if PythonTag(11) not in host.interpreters:
        pytest.skip("this machine has no CPython 3.11")
    for name, text in {"pyproject.toml": _TABLE, "setup.py": _SETUP, "own.c": _SOURCE}.items():
        (tmp_path / name).write_text(text)
    printed = io.StringIO()
    flags = {"source": str(tmp_path), "test": "never", "engine": "cross"}
    assert run_verb("wheels", tmp_path, flags, printed) == 0, printed.getvalue()
    found = {}
    for wheel in (tmp_path / "wheelhouse").glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            found[wheel.name] = {name.partition(".")[0] for name in archive.namelist() if name.endswith(".so")}
    assert found == {
        # The wider tags too, as auditwheel gives them.
        "own-1.0-cp311-cp311-manylinux2014_aarch64.manylinux_2_17_aarch64.manylinux_2_34_aarch64.whl": {"own_plain"},
        "own-1.0-cp311-cp311-musllinux_1_2_aarch64.whl": {"own_musl"},
    }
