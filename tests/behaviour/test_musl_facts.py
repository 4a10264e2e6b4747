"""Code that the engine cross compiles for musl answers as compiled by gcc against Debian's musl.

Both run with that musl: what differs is what compilers and headers decide. C only, as Debian has no C++ library for it.
"""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest

from behaviour.compilers import SOURCES, Compiler, cross
from behaviour.differences import between, known
from behaviour.machines import Facts
from behaviour.musl_machine import MUSL_MACHINES, MuslMachine
from behaviour.musl_machine import SOURCES as HEADERS

pytestmark = [pytest.mark.index, pytest.mark.debian, pytest.mark.emulator, pytest.mark.slow]

# Not those that ask CPython, and not `linkage`, which asks for what musl leaves out, such as IFUNC.
MODULES = ["compiler", "dialect", "floats", "layout", "numbers", "process", "threads"]


@pytest.mark.daily(1)
@pytest.mark.parametrize("machine", MUSL_MACHINES, ids=lambda machine: str(machine.arch))
def test_code_for_musl_behaves_as_compiled_by_gcc(machine: MuslMachine, debian_cache: Path, tmp_path: Path) -> None:
    root = machine.root(debian_cache)
    gcc = machine.gcc(root, debian_cache)

    def answers(compiler: Compiler, folder: Path) -> Facts:
        folder.mkdir()
        compiler.make([SOURCES / f"{module}.c" for module in MODULES], folder, HEADERS)
        return machine.ask(gcc, root, folder, MODULES)

    of_gcc = answers(gcc, tmp_path / "gcc")
    assert {fact.partition(":")[0] for fact in of_gcc} == set(MODULES)
    different = between(of_gcc, answers(cross(machine, root, tmp_path, "musl"), tmp_path / "ours"))
    rows = known(machine.arch, "musl")
    assert {fact: values for fact, values in different.items() if not any(row.covers(fact) for row in rows)} == {}
    # A row for musl alone that is no longer true is removed.
    asked = [pattern for row in rows if "musl" in row.runtime for pattern in row.facts]
    assert [pattern for pattern in asked if not fnmatch.filter(different, pattern)] == []
