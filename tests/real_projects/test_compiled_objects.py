"""What an earlier run has compiled is not compiled again: a real project, built by Zig again and again."""

from __future__ import annotations

import io
import json
import secrets
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from builds import WITHOUT_CONTAINERS
from crosswheel.commands import run_verb
from crosswheel.model.job import deaf
from crosswheel.system.local_host import LocalHost, local_host
from crosswheel.system.sandbox import Sandbox
from crosswheel.toolchains import zig as zig_module
from crosswheel.toolchains.zig import ensure_zig

pytestmark = [pytest.mark.slow, pytest.mark.index]

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


@pytest.mark.daily(2, of="compiled objects")
def test_only_what_has_changed_is_compiled(project: Path) -> None:
    assert compiles(project) == (0, 2)
    (project / "setup.py").write_text(_SETUP + "# another sdist, and the same sources\n")
    assert compiles(project) == (2, 0)
    change(project / "two.c")
    assert compiles(project) == (1, 1)
    change(project / "shared.h")
    assert compiles(project) == (0, 2)


@pytest.mark.daily(2, of="compiled objects")
def test_a_fresh_build_uses_nothing_that_was_compiled_before(project: Path) -> None:
    assert compiles(project) == (0, 2)
    assert compiles(project, fresh=True) == (0, 2)


# ---- a cache must not change what is compiled -----------------------------------------------------------------

# In ccache's place: what ccache has made is compiled once more without it, and compared.
_COMPARING = """\
#!/bin/sh
{ccache} "$@" || exit
compiler=$1; shift
object=; before=; count=$#
while [ $count -gt 0 ]; do
  word=$1; shift; count=$((count - 1))
  case $before in -o) object=$word; again={folder}/$$.o;; -MF) again=/dev/null;; *) again=$word;; esac
  before=$word
  set -- "$@" "$again"
done
test -n "$object" || object=none
"$compiler" "$@" > /dev/null 2>&1
if cmp -s "$object" {folder}/$$.o; then echo same; else echo "differs: $object"; fi >> {folder}/compared
rm -f {folder}/$$.o
"""

# What depends on how and from where a source is compiled, and on what was compiled before it.
_TELLING = """
#include <assert.h>
#include "shared.h"
const char *source(void) { return __FILE__ " " __BASE_FILE__; }
int level(void) { return __INCLUDE_LEVEL__ + 10 * LEVEL + 100 * __COUNTER__ + 1000 * __COUNTER__; }
void check(int x) { assert(x == __LINE__); }
#ifdef __cplusplus
extern "C"
#endif
void *NAME(void) { return 0; }
#ifndef ALWAYS
#error the header of -include was not read
#endif
"""
_WHEN = 'const char *when(void) { return __DATE__ " " __TIME__ " " __TIMESTAMP__; }\n'
_TELLING_SETUP = """
from setuptools import Extension, setup
variants = [["-O2"], ["-g", "-O0"], ["-g3", "-O2"], ["-MD"], ["-MMD"], ["-fPIC", "-flto"]]
setup(name="telling", version="1.0", ext_modules=[
    Extension(f"telling{number}{kind}", [f"sub/telling{number}.{kind}"], include_dirs=["."],
              extra_compile_args=["-include", "always.h", f"-DNAME=PyInit_telling{number}{kind}", *flags])
    for number, flags in enumerate(variants) for kind in KINDS
])
"""


def comparing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have each object compiled twice; gives the file in which stands how they compare."""
    host = local_host(offline=False, listener=deaf)
    ccache = ensure_zig(host.index, host.cache, host.processes, deaf).ccache
    if ccache is None:
        pytest.skip(f"there is no ccache for {host.machine} on the package index")
    folder.mkdir()
    program = folder / "ccache"
    program.write_text(_COMPARING.format(ccache=shlex.quote(str(ccache)), folder=shlex.quote(str(folder))))
    program.chmod(0o755)
    monkeypatch.setattr(zig_module, "kept_program", lambda *_: program)
    # The program is in a build's sandbox, and so are the notes that it writes.
    sandbox = LocalHost.sandbox

    def opened(self: LocalHost, *given: Any) -> Sandbox | None:
        made = sandbox(self, *given)
        return made and made.showing(writable=[folder], readable=[ccache])

    monkeypatch.setattr(LocalHost, "sandbox", opened)
    return folder / "compared"


@pytest.mark.daily(2, of="compiled objects")
@pytest.mark.parametrize("debug_info", [False, True], ids=["plain", "debug-info"])
def test_objects_out_of_the_cache_are_those_of_the_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, debug_info: bool
) -> None:
    project = tmp_path / "project"
    (project / "sub").mkdir(parents=True)
    kinds = ("c",) if debug_info else ("c", "cpp")  # Zig builds a second libc++ for a link that keeps debug information
    setup = _TELLING_SETUP.replace("KINDS", repr(kinds))
    (project / "setup.py").write_text(setup)
    (project / "pyproject.toml").write_text(f"[tool.crosswheel]\ndebug-info = {str(debug_info).lower()}\n")
    (project / "MANIFEST.in").write_text("include *.h\n")
    (project / "always.h").write_text("#define ALWAYS 1\n")
    (project / "shared.h").write_text("#pragma once\nenum { LEVEL = __INCLUDE_LEVEL__ };\n")
    change(project / "shared.h")
    for number in range(6):
        for kind in kinds:
            (project / "sub" / f"telling{number}.{kind}").write_text(
                # No comment: the preprocessor would make the text of an earlier run of it.
                f'const char *token(void) {{ return "{secrets.token_hex()}"; }}\n{_TELLING}{_WHEN * (not number)}'
            )
    compared = comparing(tmp_path / "comparing", monkeypatch)
    assert compiles(project) == (0, 6 * len(kinds))
    (project / "setup.py").write_text(setup + "# once more\n")
    hits, misses = compiles(project)
    assert (hits + misses, hits >= 5 * len(kinds)) == (
        6 * len(kinds),
        True,
    )  # two speak of the time, which is another one now
    assert set(compared.read_text().splitlines()) == {"same"}


SDISTS = (
    "markupsafe==3.0.3", "msgpack==1.1.2", "kiwisolver==1.4.9", "wrapt==1.17.3", "simplejson==3.20.2", "ujson==5.11.0",
    "bitarray==3.7.1", "multidict==6.6.4", "xxhash==3.6.0", "psutil==7.0.0",
)  # fmt: skip


@pytest.mark.daily(3)
@pytest.mark.parametrize("source", SDISTS)
def test_objects_of_real_projects_are_those_of_the_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    compared = comparing(tmp_path / "comparing", monkeypatch)
    for again in (secrets.token_hex(), secrets.token_hex()):  # another job for the journal, and the same compiles
        printed = io.StringIO()
        (tmp_path / "pyproject.toml").write_text(f'[tool.crosswheel.environment]\nUNUSED = "{again}"\n')
        given = {"source": source, "python": ["cp311"], "arch": ["aarch64"], **WITHOUT_CONTAINERS, "fresh": False}
        assert run_verb("wheels", tmp_path, given, printed) == 0, printed.getvalue()
    counted = Counter(compared.read_text().splitlines())
    assert set(counted) == {"same"}, counted
    (job,) = json.loads((tmp_path / "wheelhouse" / "report.json").read_text())["jobs"]
    assert job["usage"]["hits"] > 0
