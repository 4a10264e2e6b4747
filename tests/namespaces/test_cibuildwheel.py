"""A project that is configured for cibuildwheel is built and tested in cibuildwheel's way: in a real container."""

from __future__ import annotations

import io
import json
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from containers.stand_ins.index_packages import IndexUnavailable
from crosswheel.commands import run_verb
from crosswheel.engines.facts import Facts
from debian import DebianUnavailable
from stand_in_roots import StandInRoot, stand_in_root

pytestmark = [pytest.mark.index, pytest.mark.slow]

POLICY = "manylinux_2_41"
_TABLE = """\
[tool.cibuildwheel]
build = "cp313-manylinux_*"
manylinux-x86_64-image = "{image}"
{options}
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "own"
version = "1.0"
"""
_SETUP = """\
import os
from setuptools import Extension, setup
macros = [(name, None) for name in os.environ.get("OWN_MACROS", "").split()]
setup(ext_modules=[Extension("own", ["own.c"], define_macros=macros)])
"""
_SOURCE = """\
#include <Python.h>
#ifdef FOUND
#include <found.h>
#endif
static struct PyModuleDef module = { PyModuleDef_HEAD_INIT, "own", NULL, -1, NULL };
PyMODINIT_FUNC PyInit_own(void) { return PyModule_Create(&module); }
"""

Wheels = Callable[..., dict[str, Any]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    (folder / "tools").mkdir(parents=True)
    (folder / "setup.py").write_text(_SETUP)
    (folder / "own.c").write_text(_SOURCE)
    # No sdist has it.
    (folder / "tools" / "all.sh").write_text("set -eux\n")
    return folder


@pytest.fixture(scope="module")
def root(debian_cache: Path) -> StandInRoot:
    """A stand-in that runs natively here."""
    if platform.machine() != "x86_64":
        pytest.skip("the stand-in is for x86_64")
    try:
        return stand_in_root(debian_cache, f"pypa/{POLICY}_x86_64")
    except (DebianUnavailable, IndexUnavailable) as error:
        pytest.skip(str(error))


@pytest.fixture
def wheels(
    root: StandInRoot, project: Path, facts: Facts, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Wheels:
    """Builds the project in a namespace of this machine, with options of [tool.cibuildwheel]; gives the job."""
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(request.getfixturevalue("cache")))
    # Otherwise the date of the table, which each call writes, is the wheel's.
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    reference = root.reference

    def build(options: str, **flags: Any) -> dict[str, Any]:
        (project / "pyproject.toml").write_text(_TABLE.format(image=reference, options=options))
        shutil.rmtree(project / "wheelhouse", ignore_errors=True)
        printed = io.StringIO()
        given = {"source": str(project), "arch": ["x86_64"], "container-host": "namespace", **flags}
        run_verb("wheels", project, given, printed)
        sys.stdout.write(printed.getvalue())
        (job,) = json.loads((project / "wheelhouse" / "report.json").read_text())["jobs"]
        found: dict[str, Any] = job
        return found

    return build


_ALL = r"""
set -eux
test "$PWD" = /project && test "$CIBUILDWHEEL" = 1 && test -z "${CIBUILDWHEEL_BUILD_IDENTIFIER:-}"
test "$OWN_MACHINE" = x86_64
case "$PATH" in /opt/python/cp39-cp39/bin:*:/opt/found/bin) ;; *) exit 1 ;; esac
mkdir -p /opt/found/bin && : >/opt/found/found.h
printf '#!/bin/sh\necho found\n' >/opt/found/bin/own-tool && chmod +x /opt/found/bin/own-tool
echo '/* patched */' >>own.c && echo left >left.txt
"""
_EVERYTHING = r"""
before-all = "sh {project}/tools/all.sh"
environment = "OWN_MACROS=FOUND CFLAGS=-I/opt/found PATH=$PATH:/opt/found/bin OWN_MACHINE=$(uname -m)"
before-build = [
    "test \"$(tail -n 1 own.c)\" = '/* patched */'",
    "test \"$(command -v python)\" = /opt/python/cp313-cp313/bin/python -a -z \"$VIRTUAL_ENV\"",
    "pip --version && own-tool && test $CIBUILDWHEEL_BUILD_IDENTIFIER = cp313-manylinux_x86_64",
    "sed -i s/own.c/renamed.c/ {package}/setup.py && mv own.c renamed.c",
]
repair-wheel-command = "own-tool && test $PWD = {project} && auditwheel repair -w {dest_dir} {wheel}"
before-test = "test $PWD = /project && own-tool"
test-command = [
    "own-tool && test $PWD != /project && ls && test -z \"$(ls)\"",
    "test -f {project}/left.txt -a -f /project/tools/all.sh -a $OWN_MACHINE = x86_64",
    "test $AUDITWHEEL_ARCH = x86_64 -a $CIBUILDWHEEL = 1",
    "python -c 'import own'",
]
"""


def test_each_command_finds_what_it_finds_in_cibuildwheel(
    wheels: Wheels, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "tools" / "all.sh").write_text(_ALL)
    job = wheels(_EVERYTHING)
    assert (job["status"], job["failure"], job["untested"]) == ("built", None, "")
    # As the image's own auditwheel names it.
    assert f"{POLICY}_x86_64" in job["wheel"]["path"]
    assert "manylinux_2_5_x86_64" in job["wheel"]["path"]
    # The wheel of an earlier run is tested behind before-all, too.
    monkeypatch.setenv("CIBW_TEST_COMMAND", "own-tool && test -f {project}/left.txt && python -c 'import own'")
    job = wheels(_EVERYTHING)
    assert (job["status"], job["failure"], job["untested"]) == ("kept", None, "")
    # Its build is another one once a file of the project changes that no sdist has.
    (project / "tools" / "all.sh").write_text(_ALL + "exit 3\n")
    job = wheels(_EVERYTHING)
    assert job["failure"]["message"].endswith("ended with exit code 3")


@pytest.mark.daily(1)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ('environment = { A = "$(no-such-program)" }', "`environment` could not be worked out in"),
        ('repair-wheel-command = "cp {wheel} /tmp"', "repair-wheel-command must leave one wheel, but left none"),
        ('repair-wheel-command = "false"', "repair-wheel-command ended with exit code 1: false"),
        ('before-build = "exit 7"', "'exit 7' ended with exit code 7"),
    ],
)
def test_a_command_that_fails_is_named(options: str, words: str, wheels: Wheels) -> None:
    job = wheels(options)
    assert job["failure"]["message"].startswith(words)
