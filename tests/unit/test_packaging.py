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


def test_no_module_prints() -> None:
    assert [str(path.relative_to(PACKAGE)) for path in MODULES if _prints(path.read_text("utf-8"))] == []


def _prints(text: str) -> bool:
    """Whether a module calls one of these; to parse all modules takes seconds, and few of them name one."""
    wanted = {"print", "input", "breakpoint"}
    if not re.search(rf"\b(?:{'|'.join(wanted)})\s*\(", text):
        return False
    calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return any(isinstance(called, ast.Name) and called.id in wanted for called in calls)


@pytest.mark.parametrize("text", ["print(1)", "x = input ()", "if x:\n    breakpoint()"])
def test_what_prints_is_found(text: str) -> None:
    assert _prints(text)


@pytest.mark.parametrize("text", ['"print(1)"', "self.print(1)", "# print(1)"])
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert not _prints(text)


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


def test_our_own_workflow_is_the_one_that_we_write() -> None:
    report = crosswheel.ci("github", project=ROOT, check=True)
    assert report.ok, str(report.failure)
    text = report.path.read_text("utf-8")
    assert "permissions: {}" in text
    assert "id-token: write" in text.partition("\n  publish:")[2].partition("\n  verify:")[0]
    assert text.count("id-token") == 1


def test_the_package_index_can_show_what_it_is() -> None:
    from trove_classifiers import classifiers

    project = read_toml(ROOT / "pyproject.toml")["project"]
    assert set(project["classifiers"]) <= set(classifiers)
    assert project["license"] == "MIT"
    assert all((ROOT / name).is_file() for name in project["license-files"])
