"""What holds for the package as a whole, and for the files around it."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import crosswheel
from crosswheel.model.pyproject import read_toml

ROOT = Path(__file__).parents[2]
PACKAGE = Path(crosswheel.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# What takes longer to import than a list of sessions may.
HEAVY = {
    "auditwheel", "build", "docker", "elftools", "filelock", "invoke", "packaging", "platformdirs", "pypi_simple",
    "requests", "rich", "tenacity", "tomli", "twine", "urllib3", "uv",
}  # fmt: skip


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_prints(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"print", "input", "breakpoint"}


def test_processes_are_started_in_one_file() -> None:
    starting = re.compile(
        r"^\s*(?:import|from) (?:subprocess|pty)\b|\bos\.(?:system|popen|exec|spawn|fork)", re.MULTILINE
    )
    found = [path for path in MODULES if starting.search(path.read_text("utf-8"))]
    # What runs inside build environments is no part of this process; the others fork in one of their own.
    outside = {path.name for path in found if path.parent.name != "inside"}
    assert outside == {"auditwheel_repair.py", "namespace_init.py", "pip_worker.py", "process.py", "shim.py"}


@pytest.mark.parametrize("module", ["crosswheel", "crosswheel.sessions"])
def test_a_noxfile_imports_nothing_heavy(module: str) -> None:
    code = f"import sys; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"
    command = [sys.executable, "-c", code]
    environ = {"PYTHONPATH": str(PACKAGE.parent)}
    loaded = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", timeout=60, check=True).stdout
    tops = {name.partition(".")[0] for name in loaded.split()}
    assert module.partition(".")[0] in tops
    assert not tops & HEAVY


def test_what_all_lists_is_there() -> None:
    names = [str(path.relative_to(PACKAGE.parent).with_suffix("")).replace("/", ".") for path in MODULES]
    listing = [
        importlib.import_module(name.removesuffix(".__init__"))
        for name in names
        if not name.endswith(("impersonate", "__main__", "cibuildwheel.inside.resolve"))
    ]
    for module in listing:
        assert not [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)]


def test_the_package_says_its_version_and_that_it_is_typed() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", crosswheel.__version__)
    assert (PACKAGE / "py.typed").is_file()
    assert "__version__" in crosswheel.__all__


def test_uv_is_newer_than_the_one_whose_certificates_are_distrusted() -> None:
    """uv up to 0.13.4 carries the certificates of an authority that was broken into."""
    dependencies = read_toml(ROOT / "pyproject.toml")["project"]["dependencies"]
    floors = {one.name: one.specifier for one in map(Requirement, dependencies)}
    assert "0.13.4" not in floors["uv"]
    assert "24.0" not in floors["pip"]  # which takes stable-ABI wheels for free-threaded Pythons
