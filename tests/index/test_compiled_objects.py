"""What an earlier run has compiled is not compiled again: a real project, built by Zig again and again."""

from __future__ import annotations

import io
import json
import secrets
from pathlib import Path

import pytest

from builds import WITHOUT_CONTAINERS
from crosswheel.commands import run_verb

pytestmark = pytest.mark.index

# Dependency files are what Meson and CMake ask for with every object.
_SETUP = """
from setuptools import Extension, setup
flags = ["-MD", "-MF", "asked-for.d"]
setup(name="again", version="1.0", ext_modules=[Extension("again", ["one.c", "two.c"], extra_compile_args=flags)])
"""
_ONE = '#include <Python.h>\n#include "shared.h"\nPyMODINIT_FUNC PyInit_again(void) { return NULL; }\n'
_TWO = '#include "shared.h"\nconst char *where(void) { return __FILE__; }\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "MANIFEST.in").write_text("include *.h\n")
    (tmp_path / "setup.py").write_text(_SETUP)
    (tmp_path / "one.c").write_text(_ONE)
    (tmp_path / "two.c").write_text(_TWO)
    change(tmp_path / "shared.h")
    return tmp_path


def change(file: Path) -> None:
    """As nobody has ever compiled it."""
    before = file.read_text() if file.exists() else ""
    file.write_text(f"{before}/* {secrets.token_hex()} */\n")


def compiles(project: Path, **options: object) -> tuple[int, int]:
    """The hits and misses of one more build."""
    printed = io.StringIO()
    given = {"source": str(project), "python": ["cp311"], **WITHOUT_CONTAINERS, "fresh": False, **options}
    code = run_verb("wheels", project, given, printed)
    assert code == 0, printed.getvalue()
    (job,) = json.loads((project / "wheelhouse" / "report.json").read_text())["jobs"]
    return job["usage"]["hits"], job["usage"]["misses"]


def test_only_what_has_changed_is_compiled(project: Path) -> None:
    assert compiles(project) == (0, 2)
    (project / "setup.py").write_text(_SETUP + "# another sdist, and the same sources\n")
    assert compiles(project) == (2, 0)
    change(project / "two.c")
    assert compiles(project) == (1, 1)
    change(project / "shared.h")
    assert compiles(project) == (0, 2)


def test_a_fresh_build_uses_nothing_that_was_compiled_before(project: Path) -> None:
    assert compiles(project) == (0, 2)
    assert compiles(project, fresh=True) == (0, 2)
